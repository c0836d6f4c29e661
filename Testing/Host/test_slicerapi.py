"""Calls of Slicer that Slicer would refuse are found, and no stand-in takes more than what it stands for."""

from __future__ import annotations

import ast

import hostpaths
import pytest
import slicerapi

TESTS = sorted([*hostpaths.HOST.glob("*.py"), *(hostpaths.ROOT / "Testing" / "DSADeblur").glob("*.py")])


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "from SampleData import SampleDataLogic as S\nS.registerCustomSampleDataSource(sampleDescription='a')",
            "'sampleD",
        ),
        ("slicer.util.pip_install('a', no_such=True)", "unexpected keyword"),
        ("slicer.util.loadUI()", "missing a required argument"),
        ("slicer.util.loadUi('a')", "not in the table"),
        ("from slicer.util import nothing\nnothing('a')", "not in the table"),
        ("slicer.app.temporaryPath()", "cannot be called"),
        ("slicer.app.connect('startUp()', f)", "no signal startUp()"),
        ("slicer.modules.sequences.logics()", "not in the table"),
        ("slicer.util.pip_install(**choices)", "cannot be checked"),
        ("from DICOMLib import DICOMUtils\nDICOMUtils.importDicom('a', 'b', True, 4)", "too many positional"),
        ("import PyTorchUtils\nPyTorchUtils.PyTorchUtilsLogic().installTorch(askConfirm=True)", "unexpected keyword"),
        ("database = getattr(slicer, 'dicomDatabase', None)\ndatabase.fileForInstances('1')", "not in the table"),
    ],
)
def test_seeded_errors_are_found(tmp_path, line, expected):
    path = tmp_path / "seeded.py"
    path.write_text(f"import slicer\n\n{line}\n", encoding="utf-8")
    problems = slicerapi.checkCalls(path)
    assert len(problems) == 1 and expected in problems[0], problems


@pytest.mark.parametrize(
    ("fake", "expected"),
    [
        (lambda *arguments: None, "takes anything"),
        (lambda **arguments: None, "takes anything"),
        (lambda folder, copyFiles: None, "no parameter folder"),
        (lambda dicomDataDir, copyFiles: None, "another place"),
        (lambda dicomDataDir=None: None, "be left out"),
        (lambda: None, "does not take dicomDataDir"),
    ],
)
def test_stand_in_that_takes_more_is_refused(monkeypatch, fake, expected):
    problems = slicerapi.checkFake("DICOMLib.DICOMUtils.importDicom", fake)
    assert any(expected in problem for problem in problems), problems
    with pytest.raises(TypeError):
        slicerapi.replace(monkeypatch, "DICOMLib.DICOMUtils.importDicom", fake)


def test_stand_ins_of_the_host_take_no_more():
    pytest.importorskip("slicer_core", reason="slicer-core is not installed")
    import dicomhost
    import mrmlhost
    import sampledata
    import slicerpy

    assert slicerapi.checkClass("slicer.app", mrmlhost.Application, forTests=("emit",)) == []
    assert slicerapi.checkClass("slicer.dicomDatabase", dicomhost.DicomDatabase, forTests=("addFile", "paths")) == []
    assert slicerapi.checkClass("DICOMLib.DICOMUtils", dicomhost.DicomUtils) == []
    assert slicerapi.checkClass("SampleData.SampleDataLogic", sampledata.SampleDataLogic) == []
    assert slicerapi.checkFake("SampleData.downloadSample", sampledata.downloadSample) == []
    for name in ("translate", "tr"):
        assert slicerapi.checkFake(f"slicer.i18n.{name}", getattr(slicerpy, name)) == []
    for suffix in ("", "Widget", "Logic", "Test"):
        name = f"ScriptedLoadableModule{suffix}"
        assert slicerapi.checkClass(f"slicer.ScriptedLoadableModule.{name}", getattr(slicerpy, name)) == []


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_what_is_Slicers_is_replaced_only_by_what_was_checked(path):
    """Values may be set; functions go through `slicerapi.replace`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".setattr") and len(node.args) == 3:
            name = f"{ast.unparse(node.args[0])}.{getattr(node.args[1], 'value', '')}"
            assert slicerapi.names().get(name) is None, f"{path.name}:{node.lineno}: {name}"
