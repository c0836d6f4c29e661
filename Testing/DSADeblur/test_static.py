"""Checks without running: widgets and signals exist, imports keep to the arrows, texts can be translated."""

from __future__ import annotations

import ast
import re
import subprocess
import sys

import apicheck
import hostpaths
import pytest
import slicerapi

MODULE_FILES = sorted(hostpaths.MODULE.rglob("*.py"))
LIBRARY_FILES = sorted((hostpaths.ROOT / "DSADeblurLib").rglob("*.py"))
APPLICATION = {"slicer", "vtk", "vtkmodules", "qt", "ctk", "PythonQt", "mrml"}


def imports(path, file_scope=False) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if file_scope else ast.walk(tree)
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or ".")  # `from . import name`
    return names


def test_there_is_something_to_check():
    assert len(MODULE_FILES) > 10 and len(LIBRARY_FILES) > 20


@pytest.mark.parametrize("path", hostpaths.UIS, ids=lambda path: path.name)
def test_ui_file_uses_known_classes_and_properties(path):
    assert apicheck.checkUi(path) == []


@pytest.mark.parametrize("path", MODULE_FILES, ids=lambda path: path.name)
def test_module_uses_known_members_and_signals(path):
    assert apicheck.checkPython(path, *hostpaths.UIS) == []


@pytest.mark.parametrize("path", MODULE_FILES, ids=lambda path: path.name)
def test_module_calls_slicer_as_it_is(path):
    assert slicerapi.checkCalls(path) == []


@pytest.mark.parametrize("path", LIBRARY_FILES, ids=lambda path: path.name)
def test_library_does_not_know_the_application(path):
    assert not {name.split(".")[0] for name in imports(path)} & (APPLICATION | {"DSADeblurScene", "DSADeblurPanel"})


@pytest.mark.parametrize("path", MODULE_FILES, ids=lambda path: path.name)
def test_module_files_import_only_light_things(path):
    # pydicom, scipy and torch are slow to import or absent; what needs them is imported where it is used.
    names = ("frame_file", "lazy_frames", "options", "paths", "request", "steps", "used")
    light = {f"DSADeblurLib.{name}" for name in names}
    allowed = set(sys.stdlib_module_names) | {"numpy", "vtk", "qt", "ctk", "slicer", "DSADeblurScene", "DSADeblurPanel"}
    for name in imports(path, file_scope=True):
        assert name in light | {"DSADeblurLib"} or name.split(".")[0] in allowed, name
    assert not {name.split(".")[0] for name in imports(path)} & {"torch", "skimage", "matplotlib", "safetensors"}


def test_scene_does_not_know_the_panel():
    for path in MODULE_FILES:
        if path.parent.name == "DSADeblurScene":
            assert not any(name.startswith("DSADeblurPanel") for name in imports(path)), path.name


@pytest.mark.parametrize("path", MODULE_FILES, ids=lambda path: path.name)
def test_translated_texts_are_plain_literals(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_":
            assert isinstance(node.args[0], ast.Constant), f"{path.name}:{node.lineno}"
            # A placeholder without a name cannot be put in another order by a translator.
            assert not re.search(r"\{\d*[:}]", node.args[0].value), f"{path.name}:{node.lineno}"


def test_library_imports_where_the_application_is_absent():
    script = (
        "import sys, importlib, pkgutil\n"
        f"blocked = {sorted(APPLICATION | {'torch', 'PySide6'})!r}\n"
        "class Block:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in blocked: raise ModuleNotFoundError(name, name=name)\n"
        "sys.meta_path.insert(0, Block())\n"
        "import DSADeblurLib.xa, DSADeblurLib.restoration, DSADeblurLib.restoration.card, DSADeblurLib.worker\n"
        "import DSADeblurLib.request, DSADeblurLib.frame_file, DSADeblurLib.pipeline\n"
        "assert not set(sys.modules) & set(blocked)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=hostpaths.ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", MODULE_FILES, ids=lambda path: path.name)
def test_what_the_application_calls_is_a_slot(path):
    """An exception that reached the application would only be printed."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    everywhere = [node for one in MODULE_FILES for node in ast.walk(ast.parse(one.read_text(encoding="utf-8")))]
    slots = {
        node.name
        for node in everywhere
        if isinstance(node, ast.FunctionDef) and "slot" in map(ast.unparse, node.decorator_list)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if node.func.attr not in ("connect", "addObserver", "AddObserver", "singleShot"):
            continue
        # AddObserver takes a priority after the function.
        called = node.args[1 if node.func.attr == "AddObserver" else -1]
        # A lambda that calls nothing keeps something until the event loop turns.
        called = called.body if isinstance(called, ast.Lambda) else called
        name = called.func if isinstance(called, ast.Call) else called
        if isinstance(called, ast.Call) or called in node.args:
            assert ast.unparse(name).split(".")[-1] in slots | {"slot"}, f"{path.name}:{node.lineno}"
