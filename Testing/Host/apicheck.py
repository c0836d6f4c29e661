"""Static check of the panel's code and .ui file against what PythonQt shows of the widget classes (qt_api.json).

Each function returns sentences about what is wrong; an empty list means that nothing was found.
"""

from __future__ import annotations

import ast
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import qtapi

_DYNAMIC = {"SlicerParameterName"}
# Classes of qt that are used without a widget of that class; their members are not checked.
_OTHER_QT = {"QUiLoader", "QFile", "Qt", "QKeySequence", "QSettings"}


def widgetsOf(*uiPaths: str | Path) -> dict[str, str]:
    """Names of the widgets in .ui files and their classes."""
    return {widget.get("name"): widget.get("class") for widget in _widgets(*uiPaths)}


def _widgets(*uiPaths: str | Path) -> Iterator[ElementTree.Element]:
    return chain.from_iterable(ElementTree.parse(one).getroot().iter("widget") for one in uiPaths)


def boundParameters(*uiPaths: str | Path) -> dict[str, str]:
    """Names of the parameters bound in .ui files and the names of their widgets."""
    bound = {}
    for widget in _widgets(*uiPaths):
        for entry in widget.findall("property[@name='SlicerParameterName']"):
            bound[entry.findtext("string")] = widget.get("name")
    return bound


def checkUi(uiPath: str | Path) -> list[str]:
    """Classes, properties and connections of a .ui file."""
    root, problems, names = ElementTree.parse(uiPath).getroot(), [], set()
    receivers = {(one.findtext("receiver"), one.findtext("slot")) for one in root.iter("connection")}
    for widget in root.iter("widget"):
        name, className = widget.get("name"), widget.get("class")
        if name in names:
            problems.append(f"two widgets are called {name}")
        names.add(name)
        if className not in qtapi.classes():
            problems.append(f"{name} is a {className}, which is not in the table")
            continue
        for entry in widget.findall("property"):
            key = entry.get("name")
            if entry.get("stdset") == "0":
                if key not in _DYNAMIC:
                    problems.append(f"{name} has an unknown dynamic property {key}")
            elif not qtapi.properties(className).get(key, ("", False))[1] and key != "geometry":
                problems.append(f"{className} {name} has no property {key} that can be set")
        scene = className.startswith("qMRML") and "setMRMLScene" in qtapi.methods(className)
        if scene and widget is not root.find("widget") and (name, "setMRMLScene(vtkMRMLScene*)") not in receivers:
            problems.append(f"{name} does not get the scene")
    for one in root.iter("connection"):
        for end, signature in (("sender", one.findtext("signal")), ("receiver", one.findtext("slot"))):
            className = widgetsOf(uiPath).get(one.findtext(end))
            known = qtapi.signals(className) if end == "sender" else qtapi.methods(className)
            if (signature if end == "sender" else signature.split("(")[0]) not in known:
                problems.append(f"{className} has no {signature}")
    return problems


def checkPython(path: str | Path, *uiPaths: str | Path) -> list[str]:
    """Use of widgets, signals and classes of qt, ctk and qMRML in a Python file."""
    source = Path(path).read_text(encoding="utf-8")
    checker = _Checker(Path(path).name, widgetsOf(*uiPaths))
    checker.visit(ast.parse(source))
    return checker.problems


class _Checker(ast.NodeVisitor):
    def __init__(self, fileName: str, widgets: dict[str, str]) -> None:
        self._file = fileName
        self._widgets = widgets
        self._aliases: dict[str, str] = {}
        self.problems: list[str] = []

    def visit_Module(self, node: ast.Module) -> None:
        # Names that stand for a widget or an object of qt, wherever they are set in the file.
        for one in ast.walk(node):
            if isinstance(one, ast.Assign):
                className = self._classOf(one.value) or self._constructed(one.value)
                for target in one.targets if className else ():
                    self._aliases[ast.unparse(target)] = className
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        className = self._classOf(node.value)
        if className:
            known = qtapi.properties(className).get(node.attr)
            if isinstance(node.ctx, ast.Store) and not (known and known[1]):
                self._report(node, f"{className}.{node.attr} cannot be set")
            elif node.attr not in qtapi.members(className) and node.attr not in ("connect", "disconnect"):
                self._report(node, f"{className} has no member {node.attr}")
        elif _isUi(node.value) and node.attr not in self._widgets:
            self._report(node, f"the .ui file has no widget {node.attr}")
        elif isinstance(node.value, ast.Name) and node.value.id in ("qt", "ctk"):
            if node.attr not in qtapi.classes() and node.attr not in _OTHER_QT:
                self._report(node, f"{node.value.id}.{node.attr} is not in the table")
        elif isinstance(node.value, ast.Attribute) and ast.unparse(node.value).startswith(("qt.", "ctk.")):
            className = node.value.attr
            if className in qtapi.classes() and node.attr not in qtapi.members(className):
                self._report(node, f"{className} has no member {node.attr}")
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Attribute):
            className, name = self._classOf(node.func.value), node.func.attr
            if className and name in ("connect", "disconnect"):
                signature = node.args[0].value if isinstance(node.args[0], ast.Constant) else None
                if signature not in qtapi.signals(className):
                    self._report(node, f"{className} has no signal {signature}")
            elif className and name in qtapi.properties(className):
                self._report(node, f"{className}.{name} is a value and cannot be called")
            if ast.unparse(node.func).startswith(("qt.", "ctk.", "slicer.qMRML")) and node.keywords:
                self._report(node, "constructors and functions of Qt take no keyword arguments")
        elif isinstance(node.func, ast.Name) and node.func.id == "isinstance":
            if ast.unparse(node.args[1]).startswith(("qt.", "ctk.", "slicer.qMRML")):
                self._report(node, "isinstance does not tell classes of Qt apart in PythonQt")
        self.generic_visit(node)

    def _classOf(self, node: ast.expr) -> str | None:
        alias = self._aliases.get(ast.unparse(node))
        if alias:
            return alias
        if isinstance(node, ast.Attribute) and _isUi(node.value):
            return self._widgets.get(node.attr)
        return None

    @staticmethod
    def _constructed(node: ast.expr) -> str | None:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = ast.unparse(node.func.value)
            if owner in ("qt", "ctk", "slicer") and node.func.attr in qtapi.classes():
                return node.func.attr
        return None

    def _report(self, node: ast.AST, text: str) -> None:
        self.problems.append(f"{self._file}:{node.lineno}: {text}")


def _isUi(node: ast.expr) -> bool:
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return name in ("ui", "_ui")
