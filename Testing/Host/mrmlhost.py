"""Test-only stand-in for the Slicer application: a real MRML scene, logics and slicer.util, without Qt.

`MRMLHost` builds what code running in Slicer expects of the module `slicer`: mrmlScene, app, modules, dicomDatabase.
"""

from __future__ import annotations

import logging
import os
import tempfile
from types import SimpleNamespace

os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")

import slicer  # noqa: E402
import slicer.util  # noqa: E402
import slicerpy  # noqa: E402
import vtk  # noqa: E402
from dicomhost import DicomDatabase  # noqa: E402
from layouthost import LayoutManager  # noqa: E402

_LOGICS = {
    "Colors": "vtkMRMLColorLogic",
    "Volumes": "vtkSlicerVolumesLogic",
    "Markups": "vtkSlicerMarkupsLogic",
    "Sequences": "vtkSlicerSequencesLogic",
    "Tables": "vtkSlicerTablesLogic",
    "SubjectHierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "Units": "vtkSlicerUnitsLogic",
    "Texts": "vtkSlicerTextsLogic",
    "Transforms": "vtkSlicerTransformLogic",
}


class Errors(logging.Handler):
    """Collects what VTK and our code report as errors, so that a test can fail on them."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        logging.getLogger().addHandler(self)
        self.texts: list[str] = []
        self._window = vtk.vtkOutputWindow.GetInstance()
        self._window.SetDisplayModeToNever()
        self._tag = self._window.AddObserver("ErrorEvent", self._onError)

    @vtk.calldata_type(vtk.VTK_STRING)
    def _onError(self, _window, _event, text) -> None:
        self.texts.append(text.strip())

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))

    def close(self) -> None:
        logging.getLogger().removeHandler(self)
        self._window.RemoveObserver(self._tag)


class Application:
    """slicer.app: strict, what is not written here does not exist."""

    def __init__(self, applicationLogic, layoutManager: LayoutManager, folder: str) -> None:
        self._applicationLogic, self._layoutManager = applicationLogic, layoutManager
        self.temporaryPath = folder
        self._slots: dict[str, list] = {"aboutToQuit()": [], "startupCompleted()": [], "lastWindowClosed()": []}

    def applicationLogic(self):
        return self._applicationLogic

    def layoutManager(self) -> LayoutManager:
        return self._layoutManager

    def topLevelWidgets(self) -> tuple:
        return ()

    def connect(self, signal: str, slot) -> None:
        self._slots[signal].append(slot)

    def disconnect(self, signal: str, slot) -> None:
        self._slots[signal].remove(slot)

    def emit(self, signal: str) -> None:
        """For tests: what the application does by itself."""
        for slot in list(self._slots[signal]):
            slot()

    def translate(self, context: str, sourceText: str) -> str:
        return sourceText

    def processEvents(self) -> None:
        pass

    def testingEnabled(self) -> bool:
        return True

    def moduleManager(self):
        nothing = lambda signal, slot: None  # noqa: E731
        module = lambda name: getattr(slicer.modules, name.lower(), None)  # noqa: E731
        return SimpleNamespace(connect=nothing, disconnect=nothing, module=module)

    def moduleDocumentationUrl(self, moduleName: str) -> str:
        return f"https://slicer.readthedocs.io/{moduleName}"

    def setOverrideCursor(self, cursor) -> None:
        pass

    def restoreOverrideCursor(self) -> None:
        pass


class MRMLHost:
    """A fresh scene and application; `close` ends it.

    python_folder: a folder with Slicer's own i18n.py, ScriptedLoadableModule.py and parameterNodeWrapper, to be used
    in place of the stand-ins; by default that of the environment variable DSADEBLUR_SLICER_PYTHON.
    """

    def __init__(self, python_folder: str | None = None) -> None:
        self.errors = Errors()
        self._folder = tempfile.TemporaryDirectory(prefix="dsad-host-")
        scene = slicer.mrmlScene = slicer.vtkMRMLScene()
        self.scene = scene
        scene.SetRootDirectory(self._folder.name)
        crosshair = slicer.vtkMRMLCrosshairNode()
        crosshair.SetCrosshairName("default")
        scene.AddNode(crosshair)
        self.applicationLogic = slicer.vtkSlicerApplicationLogic()
        self.applicationLogic.SetTemporaryPath(self._folder.name)
        self._connectFileAccess()
        self.applicationLogic.SetMRMLScene(scene)
        self.sliceLogics = vtk.vtkCollection()
        self.applicationLogic.SetSliceLogics(self.sliceLogics)
        self.applicationLogic.SetViewLogics(vtk.vtkCollection())
        self._addModuleLogics()
        slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene, True)
        self.layoutLogic = slicer.vtkMRMLLayoutLogic()
        self.layoutLogic.SetMRMLScene(scene)
        self._layoutTag = self.layoutLogic.GetLayoutNode().AddObserver(
            vtk.vtkCommand.ModifiedEvent, lambda *_: self.updateSliceLogics()
        )
        self.layoutManager = LayoutManager(self)
        slicer.app = Application(self.applicationLogic, self.layoutManager, self._folder.name)
        slicer.dicomDatabase = DicomDatabase()
        slicer.selfTests = {}
        slicerpy.install(python_folder or os.environ.get("DSADEBLUR_SLICER_PYTHON"))

    @property
    def folder(self) -> str:
        """Temporary folder, removed at the end."""
        return self._folder.name

    def close(self) -> None:
        """Empty the scene and forget the application."""
        self.layoutLogic.GetLayoutNode().RemoveObserver(self._layoutTag)
        self.layoutManager.userCloses()
        for i in range(self.sliceLogics.GetNumberOfItems()):
            self.sliceLogics.GetItemAsObject(i).SetMRMLScene(None)
        self.sliceLogics.RemoveAllItems()
        self.layoutLogic.SetMRMLScene(None)
        self.scene.Clear(True)
        slicer.mrmlScene = slicer.app = slicer.dicomDatabase = None
        self.errors.close()
        self._folder.cleanup()

    def saveScene(self, path: str) -> None:
        """Write the scene as .mrb."""
        if not self.scene.WriteToMRB(str(path)):
            raise OSError(f"{path} was not written")

    def loadScene(self, path: str) -> None:
        """Replace the scene by that of a .mrb file."""
        self.scene.Clear(False)
        messages = slicer.vtkMRMLMessageCollection()
        if not self.scene.ReadFromMRB(str(path), False, messages):
            raise OSError(f"{path} was not read: {messages.GetAllMessagesAsString()}")

    def updateSliceLogics(self) -> None:
        """Give every slice view of the layout a logic, as the application's layout manager does."""
        logics = [self.sliceLogics.GetItemAsObject(i) for i in range(self.sliceLogics.GetNumberOfItems())]
        known = {logic.GetSliceNode().GetLayoutName() for logic in logics if logic.GetSliceNode()}
        views = self.layoutLogic.GetViewNodes()
        nodes = [views.GetItemAsObject(i) for i in range(views.GetNumberOfItems())]
        for node in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
            node.SetMappedInLayout(node in nodes)
        for node in nodes:
            if node is None or not node.IsA("vtkMRMLSliceNode") or node.GetLayoutName() in known:
                continue
            logic = slicer.vtkMRMLSliceLogic()
            logic.SetMRMLApplicationLogic(self.applicationLogic)
            logic.SetMRMLScene(self.scene)
            logic.SetSliceNode(node)
            self.sliceLogics.AddItem(logic)

    def _connectFileAccess(self) -> None:
        remote, manager = slicer.vtkMRMLRemoteIOLogic(), slicer.vtkDataIOManagerLogic()
        remote.GetCacheManager().SetRemoteCacheDirectory(self._folder.name)
        self.applicationLogic.SetMRMLScene(self.scene)
        manager.SetMRMLApplicationLogic(self.applicationLogic)
        manager.SetAndObserveDataIOManager(remote.GetDataIOManager())
        self.applicationLogic.SetMRMLSceneDataIO(self.scene, remote, manager)
        self._fileAccess = (remote, manager)

    def _addModuleLogics(self) -> None:
        self._logics, modules = {}, SimpleNamespace()
        for name, className in _LOGICS.items():
            logic = getattr(slicer, className)()
            logic.SetMRMLApplicationLogic(self.applicationLogic)
            logic.SetMRMLScene(self.scene)
            self.applicationLogic.SetModuleLogic(name, logic)
            self._logics[name] = logic
            setattr(modules, name.lower(), SimpleNamespace(logic=lambda logic=logic: logic))
        self._logics["Colors"].AddDefaultColorNodes()
        slicer.modules = modules
