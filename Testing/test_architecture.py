"""The house: product and laboratory apart, no circles, no name twice, every file says what it is for."""

import ast
import importlib
from collections import Counter
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LIBRARY = sorted((ROOT / "DSADeblurLib").rglob("*.py"))
SOURCES = [*LIBRARY, *sorted((ROOT / "DSADeblur").rglob("*.py"))]
# What a floor may import; a file in none of them may import them all.
FLOORS = {
    "physics": {"physics"},
    "xa": {"xa", "physics"},
    "restoration": {"restoration", "physics"},
    "measurement": {"measurement", "physics", "xa"},
    "pictures": {"pictures"},
    "study": {"study", "batch", "measurement", "restoration", "xa", "physics"},
}


def module_of(path: Path) -> str:
    """DSADeblurLib.xa.run for DSADeblurLib/xa/run.py; a package is named without __init__."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(path): path for path in LIBRARY}


def imported(path: Path) -> set[str]:
    """Modules of the library that a file imports, anywhere in it but for types alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = [
        node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
    ]
    skipped = {id(inner) for node in typing_only for inner in ast.walk(node)}
    found = set()
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} is a relative import"
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (inside & set(MODULES)) or {node.module}
    return found & set(MODULES)


GRAPH = {module: imported(path) - {module} for module, path in MODULES.items()}


def floor_of(module: str) -> str:
    return (module.split(".") + [""])[1]


def test_what_scripts_import_is_there():
    """The type checker does not see the scripts of `Testing`, and some of them run where there is a GPU only."""
    pytest.importorskip("torch", reason="torch is not installed")
    missing = []
    for path in sorted((ROOT / "Testing").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "DSADeblurLib":
                module = importlib.import_module(node.module)
                names = [alias.name for alias in node.names if f"{node.module}.{alias.name}" not in MODULES]
                missing += [f"{path.name}: {node.module}.{name}" for name in names if not hasattr(module, name)]
    assert not missing


def test_there_is_something_to_check():
    assert len(LIBRARY) > 100 and sum(map(len, GRAPH.values())) > 300


def test_the_product_does_not_know_the_laboratory():
    knowing = {
        module
        for module, others in GRAPH.items()
        if floor_of(module) != "lab" and any(floor_of(other) == "lab" for other in others)
    }
    # Its verbs are reached from the shell, when they are called.
    assert knowing == {"DSADeblurLib.cli"}
    tree = ast.parse(MODULES["DSADeblurLib.cli"].read_text(encoding="utf-8"))
    at_file_scope = {node.module for node in tree.body if isinstance(node, ast.ImportFrom)}
    assert not any(name.startswith("DSADeblurLib.lab") for name in at_file_scope)
    for path in SOURCES:
        if path.is_relative_to(ROOT / "DSADeblur"):
            assert not any(floor_of(name) == "lab" for name in imported(path)), path


def test_nothing_uses_the_doors():
    for module, others in GRAPH.items():
        assert "DSADeblurLib.worker" not in others, module
        if module != "DSADeblurLib.__main__":
            assert "DSADeblurLib.cli" not in others, module


@pytest.mark.parametrize("floor", FLOORS)
def test_floors_import_downwards(floor):
    for module, others in GRAPH.items():
        if floor_of(module) == floor:
            upward = {floor_of(other) for other in others if (ROOT / "DSADeblurLib" / floor_of(other)).is_dir()}
            assert upward - {""} <= FLOORS[floor], module


def test_there_are_no_circles():
    # A package's face hands on the names of its files: it belongs to no circle of their own.
    files = {module: others for module, others in GRAPH.items() if MODULES[module].name != "__init__.py"}
    try:
        TopologicalSorter(files).prepare()
    except CycleError as error:
        pytest.fail(f"These import each other: {' -> '.join(error.args[1])}")


def test_no_file_name_occurs_twice():
    names = Counter(path.name for path in LIBRARY if path.name != "__init__.py")
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_file_says_what_it_is_for_and_is_short(path):
    text = path.read_text(encoding="utf-8")
    docstring = ast.get_docstring(ast.parse(text))
    first = (docstring or "").split("\n")[0]
    assert first.endswith((".", ":")) or len(first) > 20, "the first line says what the file is for"
    assert len(text.splitlines()) <= 470, "a file that long has more than one purpose"
