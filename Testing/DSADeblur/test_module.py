"""The module end to end: its own file and .ui, real MRML, a real worker process."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import sys
import types
from pathlib import Path

import apicheck
import dicomhost
import hostpaths
import numpy as np
import pytest
import samples
import slicer
import slicerapi
from scenes import allFrames, fingerprint, load

pytestmark = pytest.mark.slow


@pytest.fixture
def panel(gui, tiny_model):
    """The open module with the small network chosen, on the CPU.

    Left to themselves, two processes may find different engines fastest, which round differently.
    """
    widget = gui.openModule()
    widget._parameterNode.request.model = tiny_model
    for box in (widget.ui.deviceComboBox, widget.ui.engineComboBox, widget.ui.precisionComboBox):
        box.currentIndex = 1  # the first that is not automatic: CPU, PyTorch, float32
    return widget


def choose(widget, node) -> None:
    widget.ui.inputSelector.setCurrentNode(node)


def idle(widget) -> bool:
    return widget.runSection.isIdle


@pytest.fixture
def underWay(gui, panel, slow_model, tmp_path):
    """The input of a job that runs, and will for longer than a test takes on any machine."""
    source = load(tmp_path / "slow.dcm", frames=samples.vessel_frames(60, 128, 128), frame_time=100)
    choose(panel, source)
    panel._parameterNode.request.model = slow_model
    panel.ui.applyButton.click()
    assert gui.processEvents(lambda: panel.ui.progressBar.value > 0)
    return source


def temporaryFolders() -> list[Path]:
    return list(Path(slicer.app.temporaryPath).glob("dsad-*"))


def test_apply_puts_a_derived_run_beside_the_original(gui, panel, tmp_path, tiny_model):
    source = load(tmp_path / "a.dcm", mask_frames=(1, 2), contrast_range=(3, 6))
    before = fingerprint(source)
    choose(panel, source)
    assert panel._parameterNode.inputNode is source and panel.ui.applyButton.enabled
    assert "0.6 mm" in panel.ui.factsLabel.text and "Predicted blur" in panel.ui.factsLabel.text
    assert panel.ui.sharpnessSlider.value == 1 and panel.ui.noiseReductionSlider.value == 0.5
    panel.ui.sharpnessSlider.value, panel.ui.noiseReductionSlider.value = 0.8, 0.3
    panel.ui.applyButton.click()
    assert panel.ui.applyButton.text == "Cancel" and panel.ui.progressBar.visible
    assert gui.processEvents(lambda: idle(panel))
    assert panel.ui.statusLabel.text.startswith("Done: 4 frames in ")
    assert "Model tiny" in panel.ui.statusLabel.toolTip and "on cpu by torch" in panel.ui.statusLabel.toolTip
    assert panel.ui.applyButton.text == "Apply" and not panel.ui.progressBar.visible
    derived = panel._parameterNode.derivedNode
    same = dict(device="cpu", engine="torch", precision="float32")
    expected = panel.logic.process(source, tiny_model, sharpness=0.8, noise_reduction=0.3, **same)
    assert np.array_equal(allFrames(derived), allFrames(expected))
    # What lets the result follow the controls is kept.
    assert fingerprint(source) == before and len(temporaryFolders()) == 1
    assert panel.ui.compareButton.enabled
    panel.ui.compareButton.click()
    assert gui.processEvents(lambda: panel.logic.compareViews.derived is derived)


def test_frames_are_shown_as_they_are_done(gui, panel, underWay):
    """The frame that is looked at first, then those next to it; nothing of them stays."""
    from DSADeblurScene.input import browserForSequence, shownIndex

    views = panel.logic.compareViews
    assert gui.processEvents(lambda: views._frames is not None and len(views._frames._done) > 2)
    early = views._frames
    # Nothing was looked at: it begins in the middle, and steps there.
    assert list(early._done)[:3] == [31, 32, 30] and shownIndex(underWay) == 30
    pixels = slicer.util.arrayFromVolume(early.deblurred)
    assert early.original is not early.deblurred and np.ptp(pixels) > 0 and idle(panel) is False
    browserForSequence(underWay).SetSelectedItemNumber(59)
    assert "not deblurred yet" in early.labels()[1] and np.ptp(slicer.util.arrayFromVolume(early.deblurred)) == 0
    panel.ui.applyButton.click()
    assert gui.processEvents(lambda: idle(panel) and views.kind is None)


def test_cancel_leaves_the_scene_as_it_was(gui, panel, underWay):
    from DSADeblurScene.input import shownVolume

    layout, views = gui.layoutLogic.GetLayoutNode(), panel.logic.compareViews
    assert gui.processEvents(lambda: views.kind is not None)
    arrangement = views._before[0]
    assert "left" in panel.ui.progressBar.format and " of 60." in panel.ui.statusLabel.text
    panel.ui.applyButton.click()
    assert not panel.ui.applyButton.enabled and "Cancelling" in panel.ui.statusLabel.text
    assert gui.processEvents(lambda: idle(panel))
    assert panel.ui.statusLabel.text == "Cancelled."
    assert temporaryFolders() == [] and gui.processEvents(lambda: views.kind is None)
    assert layout.GetViewArrangement() == arrangement
    left = [slicer.util.getNodesByClass(f"vtkMRML{kind}Node") for kind in ("Volume", "ScalarVolumeDisplay")]
    assert left == [[shownVolume(underWay)], [shownVolume(underWay).GetDisplayNode()]]
    panel.ui.frameRangeLineEdit.text = "1-1"
    panel.ui.applyButton.click()
    assert gui.processEvents(lambda: idle(panel)) and panel.ui.statusLabel.text.startswith("Done")


def test_scene_closed_in_a_job(gui, panel, underWay):
    gui.closeScene()
    assert idle(panel) and "scene was closed" in panel.ui.statusLabel.text and not panel.logic.isBusy
    assert temporaryFolders() == [] and panel._parameterNode is not None
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSequenceNode") == 0
    gui.turnEventLoop()
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSequenceNode") == 0


def test_input_removed_in_a_job(gui, panel, underWay):
    slicer.mrmlScene.RemoveNode(underWay)
    assert gui.processEvents(lambda: idle(panel))
    assert "was removed" in panel.ui.statusLabel.text and temporaryFolders() == []


@pytest.mark.skipif(os.name == "nt", reason="no signals on Windows")
def test_worker_killed_in_a_job(gui, panel, underWay):
    os.kill(panel.logic._client._runner._process.processId(), 9)
    assert gui.processEvents(lambda: idle(panel))
    assert "ended unexpectedly" in panel.ui.statusLabel.text and temporaryFolders() == []
    panel.ui.frameRangeLineEdit.text = "1-1"
    panel.ui.applyButton.click()
    assert gui.processEvents(lambda: idle(panel)) and panel.ui.statusLabel.text.startswith("Done")


def test_application_quits_in_a_job(gui, panel, underWay):
    process = panel.logic._client._runner._process
    slicer.app.emit("aboutToQuit()")
    assert process.state() == 0 and temporaryFolders() == [] and not panel.logic.isBusy


def test_module_reloaded_in_a_job(gui, panel, underWay):
    process, old = panel.logic._client._runner._process, sys.modules["DSADeblurScene.job"]
    torch = sys.modules.get("torch")
    widget = gui.reloadModule()
    assert process.state() == 0 and temporaryFolders() == []
    assert sys.modules["DSADeblurScene.job"] is not old and sys.modules.get("torch") is torch
    assert widget is not panel and widget._parameterNode.inputNode is not None
    widget.ui.frameRangeLineEdit.text = "1-1"
    widget.ui.applyButton.click()
    assert gui.processEvents(lambda: idle(widget)) and widget.ui.statusLabel.text.startswith("Done")


def test_panel_left_and_entered_in_a_job(gui, panel, underWay):
    panel.ui.applyButton.click()
    gui.leaveModule()
    assert gui.processEvents(lambda: idle(panel))
    panel.enter()
    assert panel.ui.applyButton.enabled


def without(monkeypatch, *packages):
    """Hide packages from `find_spec`; gives the set of what is hidden."""
    find, hidden = importlib.util.find_spec, set(packages)
    hide = lambda name, *rest: None if name in hidden else find(name, *rest)  # noqa: E731
    monkeypatch.setattr(importlib.util, "find_spec", hide)
    return hidden


def test_worker_that_cannot_be_started_is_one_sentence(gui, panel, monkeypatch, tmp_path):
    import DSADeblurScene.qprocess_runner as module

    choose(panel, load(tmp_path / "a.dcm"))
    for _attempt in range(2):
        with monkeypatch.context() as patch:
            patch.setattr(module, "pythonExecutable", lambda: "/nowhere/PythonSlicer")
            panel.ui.applyButton.click()
            assert gui.processEvents(lambda: idle(panel))
        told = panel.ui.statusLabel.text
        assert told.startswith("The worker process did not start (/nowhere/PythonSlicer: ") and "\n" not in told
        assert panel.ui.applyButton.enabled and panel.ui.applyButton.text == "Apply" and temporaryFolders() == []
    panel.ui.applyButton.click()
    assert gui.processEvents(lambda: idle(panel)) and panel.ui.statusLabel.text.startswith("Done")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda ui: setattr(ui.maskFramesLineEdit, "text", "one"), "Mask frames must be frame numbers"),
        (lambda ui: setattr(ui.frameRangeLineEdit, "text", "9-3"), "first <= last"),
        (lambda ui: setattr(ui.tileSpinBox, "value", 8), "at least 16"),
        (lambda ui: setattr(ui.magnificationSpinBox, "value", 0.5), "Magnification must be"),
        (lambda ui: setattr(ui.frameRangeLineEdit, "text", "2-9"), "the run has 6"),
        (lambda ui: setattr(ui.subtractionComboBox, "currentIndex", 1), "give the numbers of the mask frames"),
    ],
)
def test_choices_that_do_not_fit_are_told_in_the_status_line(gui, panel, tmp_path, change, words):
    choose(panel, load(tmp_path / "a.dcm"))
    change(panel.ui)
    panel.ui.applyButton.click()
    assert gui.processEvents(lambda: idle(panel))
    assert words in panel.ui.statusLabel.text and temporaryFolders() == []


def test_no_run_no_apply(gui, panel):
    assert not panel.ui.applyButton.enabled and panel.ui.applyButton.toolTip.startswith("Select a run")
    panel.ui.compareButton.click()
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
    choose(panel, volume)
    assert "holds no pixels" in panel.ui.summaryLabel.text
    panel.ui.applyButton.click()
    assert "holds no pixels" in panel.ui.statusLabel.text


def test_node_without_dicom_is_told(gui, panel):
    choose(panel, slicer.util.addVolumeFromArray(samples.vessel_frames(2)))
    assert "No DICOM header" in panel.ui.summaryLabel.text
    panel.ui.applyButton.click()
    assert gui.processEvents(lambda: idle(panel)) and "No DICOM header" in panel.ui.statusLabel.text


def test_choices_become_a_request(gui, panel, tmp_path):
    from DSADeblurLib.request import DeblurRequest
    from DSADeblurPanel.parameters import requestFrom

    choose(panel, load(tmp_path / "a.dcm"))
    model, ui = panel._parameterNode.request.model, panel.ui
    before = DeblurRequest.of(model=model, device="cpu", engine="torch", precision="float32")
    assert requestFrom(panel._parameterNode.request) == before
    ui.maskShiftLineEdit.text, ui.blurLineEdit.text, ui.frameRangeLineEdit.text = "1.25,-0.5", "3", "2-5"
    boxes = (
        ("subtraction", 2),
        ("registration", 1),
        ("order", 1),
        ("polarity", 2),
        ("relationship", 2),
        ("engine", 2),
        ("precision", 2),
    )
    for box, index in boxes:
        getattr(ui, f"{box}ComboBox").currentIndex = index
    ui.focalSpotSpinBox.value, ui.magnificationSpinBox.value, ui.detectorSpacingSpinBox.value = 1.2, 1.4, 0.2
    ui.framesInFileCheckBox.checked = ui.newUIDsCheckBox.checked = True
    ui.tileSpinBox.value = 64
    assert requestFrom(panel._parameterNode.request) == DeblurRequest.of(
        model=model,
        device="cpu",
        engine="openvino",
        precision="bfloat16",
        tile=64,
        frame_range=(2, 5),
        blur=(3.0, 3.0),
        subtract="find",
        registration="shift",
        order="deblur-first",
        mask_shift=(1.25, -0.5),
        focal_spot_mm=1.2,
        magnification=1.4,
        detector_spacing_mm=0.2,
        relationship="LOG",
        polarity="invert",
        frames_in_file=True,
        new_uids=True,
    )
    assert "user" in ui.factsLabel.text and "1.2 " in ui.factsLabel.text


def test_inverted_run_is_asked_about(gui, panel, tmp_path):
    choose(panel, load(tmp_path / "a.dcm", photometric="MONOCHROME1"))
    assert "never inverted silently" in panel.ui.summaryLabel.text
    panel.ui.polarityComboBox.currentIndex = 1
    assert "taken to rise with the X-rays (user)" in panel.ui.summaryLabel.text


def test_choices_are_saved_with_the_scene(gui, panel, tmp_path, tiny_model):
    choose(panel, load(tmp_path / "a.dcm"))
    panel.ui.sharpnessSlider.value, panel.ui.noiseReductionSlider.value = 0.7, 0.3
    panel.ui.maskFramesLineEdit.text = "1-2"
    panel.ui.relationshipComboBox.currentIndex = 2
    panel.ui.maskShiftLineEdit.text = "0.25,0"
    panel.ui.registrationComboBox.currentIndex = 1
    panel.ui.applyButton.click()
    assert gui.processEvents(lambda: idle(panel))
    gui.leaveModule()
    gui.saveScene(tmp_path / "scene.mrb")
    gui.loadScene(tmp_path / "scene.mrb")
    panel.enter()
    assert (panel.ui.sharpnessSlider.value, panel.ui.noiseReductionSlider.value) == (0.7, 0.3)
    assert panel.ui.maskFramesLineEdit.text == "1-2"
    assert panel.ui.maskShiftLineEdit.text == "0.25,0"
    assert panel.ui.registrationComboBox.currentText == "One shift for each frame"
    assert (
        panel.ui.relationshipComboBox.currentText == "Brightness logarithmic in X-rays"
        and panel._parameterNode.request.model == tiny_model
    )
    assert panel.ui.inputSelector.currentNode().GetName() == "5: XA DSA cerebral [1]"
    assert panel.ui.compareButton.enabled
    panel.ui.compareButton.click()
    assert gui.processEvents(lambda: panel.logic.compareViews.derived is panel._parameterNode.derivedNode)


def test_model_folder_is_browsed(gui, monkeypatch, tiny_model, tmp_path):
    import qt

    widget = gui.openModule()
    monkeypatch.setattr(qt.QFileDialog, "getExistingDirectory", lambda parent, caption, directory: str(tmp_path))
    widget.ui.browseModelButton.click()
    assert "card.json is missing" in widget.ui.modelInfoLabel.text and not widget.ui.applyButton.enabled
    monkeypatch.setattr(qt.QFileDialog, "getExistingDirectory", lambda parent, caption, directory: tiny_model)
    widget.ui.browseModelButton.click()
    assert widget._parameterNode.request.model == tiny_model and widget.ui.modelComboBox.currentText == tiny_model
    assert widget.ui.modelInfoLabel.text.startswith("Untrained")
    monkeypatch.setattr(qt.QFileDialog, "getExistingDirectory", lambda parent, caption, directory: "")
    widget.ui.browseModelButton.click()
    assert widget._parameterNode.request.model == tiny_model


def test_every_bound_widget_has_a_parameter(gui):
    gui.openModule()
    own = gui.module.DSADeblurParameterNode.allParameters
    parameters = set(own) - {"request"} | {f"request.{name}" for name in own["request"].kind.allParameters}
    unbound = parameters - set(apicheck.boundParameters(*hostpaths.UIS))
    assert unbound == {"request.model", "derivedNode", "exportFolder", "calibration"}
    assert set(apicheck.boundParameters(*hostpaths.UIS)) <= parameters


def test_description_is_complete(gui):
    gui.openModule()
    told = gui.description.parent
    assert told.title and told.categories and told.contributors and told.icon is not None
    assert "Research use only" in told.helpText and "10.1177/15910199221143168" in told.acknowledgementText


def test_self_test_runs(gui, monkeypatch, tmp_path, tiny_model):
    gui.openModule()
    gui.widget._parameterNode.request.model = tiny_model
    database = dicomhost.DicomUtils(tmp_path / "storage")
    monkeypatch.setitem(sys.modules, "DICOMLib", types.SimpleNamespace(DICOMUtils=database))
    slicerapi.replace(monkeypatch, "slicer.util.saveScene", lambda filename, properties={}: gui.saveScene(filename))
    slicerapi.replace(monkeypatch, "slicer.util.loadScene", lambda filename, properties={}: gui.loadScene(filename))
    told = []
    monkeypatch.setattr(gui.module.DSADeblurTest, "delayDisplay", lambda self, text: told.append(text))
    slicer.selfTests["DSADeblur"](msec=0)
    assert told == ["Test passed"]


def test_self_test_outside_unittest_skips_nothing_loudly(gui, monkeypatch):
    gui.openModule()
    without(monkeypatch, "torch", "openvino")
    told = []
    monkeypatch.setattr(gui.module.DSADeblurTest, "delayDisplay", lambda self, text: told.append(text))
    slicer.selfTests["DSADeblur"](msec=0)
    assert len(told) == 1 and told[0].startswith("Not tested: OpenVINO or PyTorch is needed")


def test_logic_in_a_script(gui, tmp_path, tiny_model):
    gui.openModule()
    logic = gui.module.DSADeblurLogic()
    source, seen = load(tmp_path / "a.dcm"), []
    derived = logic.process(source, tiny_model, device="cpu", frame_range=(2, 3), progress=lambda *p: seen.append(p))
    assert derived.GetNumberOfDataNodes() == 2 and seen[-1][0] == seen[-1][1]
    with pytest.raises(RuntimeError, match="no-such-model"):
        logic.process(source, "no-such-model", device="cpu")
    with pytest.raises(ValueError, match="Strength"):
        logic.process(source, tiny_model, strength=3)
    with pytest.raises(ValueError, match="Select a run"):
        logic.process(None, tiny_model)
    assert temporaryFolders() == []


@pytest.mark.parametrize("name", ["compact", "quality", "sequence", "paper-small"])
def test_bundled_model(gui, tmp_path, name):
    if not (hostpaths.ROOT / "Resources" / "Models" / name / "card.json").exists():
        pytest.skip(f"the model {name} is not bundled in this source tree")
    widget = gui.openModule()
    source = load(tmp_path / "a.dcm", samples.vessel_frames(3, 64, 64), mask_frames=(1,))
    choose(widget, source)
    widget._parameterNode.request.model = name
    widget.ui.deviceComboBox.currentIndex = 1
    assert widget.ui.modelComboBox.currentText == name and widget.ui.modelInfoLabel.text
    widget.ui.applyButton.click()
    assert gui.processEvents(lambda: idle(widget))
    assert widget.ui.statusLabel.text.startswith("Done"), widget.ui.statusLabel.text
    assert np.isfinite(allFrames(widget._parameterNode.derivedNode)).all()
