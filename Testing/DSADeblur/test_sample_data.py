"""The bundled run is offered in the Sample Data module, and arrives as a run."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import dicomhost
import numpy as np
import pytest
import sampledata
import samples
import slicer
import slicerapi
from scenes import allFrames


@pytest.fixture
def offered(gui, monkeypatch, tmp_path):
    """Pixels of a bundled run; the application has started."""
    import DSADeblurLib.paths

    folder, pixels = tmp_path / "bundled", samples.vessel_frames(3)
    folder.mkdir()
    samples.write_run(folder / "bundled.dcm", pixels)
    (folder / "facts.json").write_text("{}", encoding="utf-8")
    monkeypatch.setattr(DSADeblurLib.paths, "sample_data_folder", lambda: folder)
    monkeypatch.setitem(sys.modules, "SampleData", sampledata.install())
    utils = dicomhost.DicomUtils(tmp_path / "storage")
    monkeypatch.setitem(sys.modules, "DICOMLib", SimpleNamespace(DICOMUtils=utils))
    gui.openModule()
    slicer.app.emit("startupCompleted()")
    return pixels


def test_button_loads_a_sequence_with_its_header(offered):
    from DSADeblurLib.request import UserFacts
    from DSADeblurScene.input import readInput
    from DSADeblurScene.run_file import loadedRun

    [shown] = sampledata.click("DSA Deblur", "bundled")
    run = readInput(slicer.mrmlScene.GetNodeByID(shown))
    assert run.isSequence and np.array_equal(allFrames(run), offered)
    assert loadedRun(run, UserFacts()).run.has_file


def test_script_gets_a_stack_that_the_module_takes(offered):
    import SampleData

    from DSADeblurScene.input import readInput

    run = readInput(SampleData.downloadSample("bundled"))
    assert not run.isSequence and np.array_equal(allFrames(run), offered)


def test_no_database_is_one_sentence_in_a_window(offered, monkeypatch):
    shown = []
    slicerapi.replace(monkeypatch, "slicer.app.testingEnabled", lambda: False)
    slicerapi.replace(monkeypatch, "slicer.util.errorDisplay", lambda text, **kwargs: shown.append(text))
    slicer.dicomDatabase = None
    with pytest.raises(RuntimeError, match="no DICOM database"):
        sampledata.click("DSA Deblur", "bundled")
    assert len(shown) == 1 and "open the DICOM module once" in shown[0]


def test_button_of_the_panel_loads_and_chooses_the_run(gui, offered):
    ui = gui.widget.ui
    assert ui.sampleButton.visible
    ui.sampleButton.click()
    assert gui.widget._parameterNode.inputNode.IsA("vtkMRMLSequenceNode") and not ui.sampleButton.visible
    assert (
        np.array_equal(allFrames(gui.widget._parameterNode.inputNode), offered)
        and "3 frames of" in ui.summaryLabel.text
    )


def test_button_of_the_panel_tells_what_is_missing(gui, offered):
    slicer.dicomDatabase = None
    gui.widget.ui.sampleButton.click()
    ui = gui.widget.ui
    assert "open the DICOM module once" in ui.statusLabel.text and ui.errorIconLabel.visible and ui.sampleButton.visible
