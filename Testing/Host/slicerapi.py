"""Arguments that functions of Slicer take, from the table slicer_api.json beside this file, and checks against it.

The table was read from the sources of the commits it names. A function is listed with its parameters, `=` behind those
that may be left out; a value with null; a signal of the application as `slicer.app.connect(<signal>)`.
"""

from __future__ import annotations

import ast
import inspect
import json
from functools import cache
from pathlib import Path

_ROOTS = ("slicer", "SampleData", "ScreenCapture", "DICOMLib", "PyTorchUtils")
# Real classes of slicer-core, in tests as in the application: they refuse by themselves what they do not take.
_REAL = ("slicer.mrmlScene", "slicer.vtk", "slicer.qMRML", "slicer.parameterNodeWrapper")


@cache
def names() -> dict[str, str | None]:
    """Dotted names to their parameters; None for a value."""
    return json.loads(Path(__file__).with_name("slicer_api.json").read_text(encoding="utf-8"))["names"]


@cache
def signature(name: str) -> inspect.Signature:
    """The signature of a function in the table, without `self`."""
    Parameter = inspect.Parameter
    kind, parameters = Parameter.POSITIONAL_OR_KEYWORD, []
    for i, one in enumerate((names()[name] or "").split()):
        stars = len(one) - len(one.lstrip("*"))
        if one == "*":
            kind = Parameter.KEYWORD_ONLY
        else:
            kinds = (kind, Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
            default = None if one.endswith("=") else Parameter.empty
            # The header of a class in C++ may leave a parameter without a name.
            own = one.strip("*=").replace("_", f"_{i}") if one == "_" else one.strip("*=")
            parameters.append(Parameter(own, kinds[stars], default=default))
        kind = Parameter.KEYWORD_ONLY if stars == 1 else kind
    return inspect.Signature(parameters)


def checkFake(name: str, fake) -> list[str]:
    """Sentences about what a stand-in takes that the function of this name does not, and the other way round."""
    if names().get(name) is None:
        return [f"{name} is no function in the table"]
    real, own = list(signature(name).parameters.values()), list(inspect.signature(fake).parameters.values())
    own = [one for one in own if one.name != "self"]
    problems, known = [], {one.name: one for one in real}
    for i, one in enumerate(own):
        if one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD):
            if one.kind not in [other.kind for other in real]:
                problems.append(f"the stand-in of {name} takes anything")
        elif one.kind is not one.POSITIONAL_ONLY and one.name not in known:
            problems.append(f"{name} has no parameter {one.name}")
        elif one.kind is one.POSITIONAL_OR_KEYWORD and (i >= len(real) or real[i].name != one.name):
            problems.append(f"the stand-in of {name} has {one.name} in another place")
    for i, one in enumerate(real):
        named = [other for j, other in enumerate(own) if one.name == other.name or (i == j and j < len(real))]
        if one.default is one.empty and one.kind is one.POSITIONAL_OR_KEYWORD and named:
            if all(other.default is not other.empty for other in named):
                problems.append(f"the stand-in of {name} lets {one.name} be left out")
        elif one.default is one.empty and one.kind is one.POSITIONAL_OR_KEYWORD:
            problems.append(f"the stand-in of {name} does not take {one.name}")
    return problems


def checkClass(name: str, fake: type, forTests: tuple[str, ...] = ()) -> list[str]:
    """The same for every public function of a class or module that stands for one in the table.

    forTests: functions that only tests call.
    """
    problems = []
    for member, value in vars(fake).items():
        function = value.__func__ if isinstance(value, staticmethod) else value
        if inspect.isfunction(function) and not member.startswith("_") and member not in forTests:
            problems += checkFake(f"{name}.{member}", function)
    return problems


def replace(monkeypatch, name: str, fake) -> None:
    """Put a stand-in in the place of a function of Slicer, if it takes no more than that does.

    Raises:
        TypeError: one sentence, if it takes more.
    """
    problems = checkFake(name, fake)
    if problems:
        raise TypeError(problems[0])
    monkeypatch.setattr(name, fake)


def checkCalls(path: str | Path) -> list[str]:
    """Sentences about calls and members of Slicer in a Python file that Slicer does not have."""
    tree, checker = ast.parse(Path(path).read_text(encoding="utf-8")), _Checker(Path(path).name)
    for node in ast.walk(tree):
        checker.learn(node)
    checker.visit(tree)
    return checker.problems


class _Checker(ast.NodeVisitor):
    def __init__(self, fileName: str) -> None:
        self._file = fileName
        self._aliases = {root: root for root in _ROOTS}
        self.problems: list[str] = []

    def learn(self, node: ast.AST) -> None:
        """Names that stand for something of Slicer, wherever they are set in the file."""
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in _ROOTS:
            for one in node.names:
                self._aliases[one.asname or one.name] = f"{node.module}.{one.name}"
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            value = node.value
            if isinstance(value, ast.Call) and ast.unparse(value.func) == "getattr":
                if ast.unparse(value.args[0]) == "slicer" and isinstance(value.args[1], ast.Constant):
                    self._aliases[node.targets[0].id] = f"slicer.{value.args[1].value}"

    def visit_Call(self, node: ast.Call) -> None:
        name = self._name(node.func)
        if name is not None and not self._isValueOfOther(name):
            self._checkCall(node, name)
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self._checkName(node, self._name(node))
        self.generic_visit(node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for one in node.names:
            self._checkName(node, f"{node.module}.{one.name}" if self._aliases.get(one.asname or one.name) else None)

    def _checkName(self, node: ast.AST, name: str | None) -> None:
        if name is None or "." not in name or self._isValueOfOther(name) or name in names():
            return
        # A module, a class or a collection of modules is but the beginning of a name.
        if not any(known.startswith(name + ".") for known in names()):
            self._report(node, f"{name} is not in the table")

    def _checkCall(self, node: ast.Call, name: str) -> None:
        if name not in names():
            return
        if names()[name] is None:
            self._report(node, f"{name} is a value and cannot be called")
            return
        if any(isinstance(one, ast.Starred) for one in node.args) or any(one.arg is None for one in node.keywords):
            self._report(node, f"the arguments of {name} cannot be checked; write them out")
            return
        # A method of a base class is called with the object as its first argument.
        arguments = node.args[1:] if node.args and ast.unparse(node.args[0]) == "self" else node.args
        try:
            signature(name).bind(*arguments, **{one.arg: one for one in node.keywords})
        except TypeError as error:
            self._report(node, f"{name}: {error}")
        if name in ("slicer.app.connect", "slicer.app.disconnect") and isinstance(node.args[0], ast.Constant):
            if f"slicer.app.connect({node.args[0].value})" not in names():
                self._report(node, f"the application has no signal {node.args[0].value}")

    def _name(self, node: ast.expr) -> str | None:
        """The dotted name of an expression that begins with something of Slicer, a constructor's call left out."""
        if isinstance(node, ast.Name):
            return self._aliases.get(node.id)
        if isinstance(node, ast.Call):
            name = self._name(node.func)
            return name if name is not None and name.split(".")[-1][0].isupper() else None
        if isinstance(node, ast.Attribute):
            owner = self._name(node.value)
            if owner is None or node.attr == "__init__":
                return owner
            name = f"{owner}.{node.attr}"
            parts = name.split(".")
            if parts[:2] == ["slicer", "modules"] and len(parts) > 3 and name not in names():
                parts[2] = "*"
            return ".".join(parts)
        return None

    @staticmethod
    def _isValueOfOther(name: str) -> bool:
        return name.startswith(_REAL) or (name.startswith("slicer.modules.") and name.count(".") == 2)

    def _report(self, node: ast.AST, text: str) -> None:
        self.problems.append(f"{self._file}:{node.lineno}: {text}")
