"""Test-only stand-ins for the Python files of Slicer that are not in slicer-core: i18n, module classes, parameters."""

from __future__ import annotations

import importlib.util
import os
import sys
import types
import unittest
from pathlib import Path

import slicer


def install(folder: str | None = None) -> None:
    """Register slicer.i18n, slicer.ScriptedLoadableModule and slicer.parameterNodeWrapper.

    folder: take Slicer's own files from here instead; all but i18n need the modules qt and ctk.
    """
    if folder:
        _load("slicer.i18n", Path(folder) / "i18n.py")
        if sys.modules.get("qt"):
            _load("slicer.ScriptedLoadableModule", Path(folder) / "ScriptedLoadableModule.py")
            _load("slicer.parameterNodeWrapper", Path(folder) / "parameterNodeWrapper" / "__init__.py")
        return
    import paramnode

    _register("i18n", tr=tr, translate=translate)
    _register(
        "ScriptedLoadableModule",
        ScriptedLoadableModule=ScriptedLoadableModule,
        ScriptedLoadableModuleWidget=ScriptedLoadableModuleWidget,
        ScriptedLoadableModuleLogic=ScriptedLoadableModuleLogic,
        ScriptedLoadableModuleTest=ScriptedLoadableModuleTest,
    )
    _register("parameterNodeWrapper", **{name: getattr(paramnode, name) for name in paramnode.__all__})


def _register(name: str, **members) -> None:
    module = types.ModuleType(f"slicer.{name}")
    vars(module).update(members)
    sys.modules[module.__name__] = module
    setattr(slicer, name, module)


def _load(name: str, path: Path) -> None:
    if getattr(sys.modules.get(name), "__file__", None) == str(path):
        return
    places = [str(path.parent)] if path.name == "__init__.py" else None
    spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=places)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    setattr(slicer, name.split(".")[1], module)


def translate(context: str, text: str) -> str:
    return text


def tr(text: str) -> str:
    if not isinstance(text, str):
        raise TypeError(f"only text is translated, not {text!r}")
    return text


class ScriptedLoadableModule:
    """The part of Slicer's class that a module's constructor uses."""

    def __init__(self, parent) -> None:
        self.parent = parent
        self.moduleName = type(self).__name__
        parent.title, parent.helpText, parent.acknowledgementText = "", "", ""
        parent.categories, parent.dependencies, parent.contributors = [], [], []
        icon = Path(parent.path).parent / "Resources" / "Icons" / f"{self.moduleName}.png"
        if icon.is_file():
            import qt

            parent.icon = qt.QIcon(str(icon))
        slicer.selfTests[self.moduleName] = self.runTest

    def resourcePath(self, filename: str) -> str:
        return str(Path(self.parent.path).parent / "Resources" / filename)

    def runTest(self, msec: int = 0, **_options) -> None:
        test = getattr(sys.modules[type(self).__module__], self.moduleName + "Test")()
        test.messageDelay = msec
        test.runTest()


class ScriptedLoadableModuleWidget:
    """The part of Slicer's class that a module's widget uses; enter and exit are called by the host."""

    def __init__(self, parent=None) -> None:
        import qt

        self.moduleName = type(self).__name__.removesuffix("Widget")
        self.developerMode = False
        if parent is None:
            parent = slicer.qMRMLWidget()
            parent.setLayout(qt.QVBoxLayout())
            parent.setMRMLScene(slicer.mrmlScene)
        self.parent = parent
        self.layout = parent.layout()

    def resourcePath(self, filename: str) -> str:
        module = getattr(slicer.modules, self.moduleName.lower())
        return os.path.join(os.path.dirname(module.path), "Resources", filename)

    def setup(self) -> None:
        pass

    def cleanup(self) -> None:
        pass


class ScriptedLoadableModuleLogic:
    """The parameter node of a module, one per scene."""

    def __init__(self, parent=None) -> None:
        self.moduleName = type(self).__name__.removesuffix("Logic")

    def getParameterNode(self):
        node = slicer.mrmlScene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
        if node is None:
            node = slicer.vtkMRMLScriptedModuleNode()
            node.SetSingletonTag(self.moduleName)
            node.SetName(self.moduleName)
            node = slicer.mrmlScene.AddNode(node)
        node.SetAttribute("ModuleName", self.moduleName)
        return node


class ScriptedLoadableModuleTest(unittest.TestCase):
    """The test case of a module; messages are not shown."""

    def delayDisplay(self, message: str, requestedDelay: int | None = None, msec: int | None = None) -> None:
        pass

    def runTest(self) -> None:
        raise NotImplementedError
