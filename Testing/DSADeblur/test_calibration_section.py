"""The panel's section on lengths: what can be chosen, what is listed, and what becomes of it with the scene."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import slicer
from lines import drawLine, expected, label, movePoint
from scenes import load


@pytest.fixture
def panel(gui):
    return gui.openModule()


@pytest.fixture
def run(panel, tmp_path):
    """(ui, shown volume of the chosen run)."""
    source = load(tmp_path / "a.dcm", spacing=(0.3, 0.2))
    panel.ui.inputSelector.setCurrentNode(source)
    from DSADeblurScene.input import shownVolume

    return panel.ui, shownVolume(source)


def entries(ui) -> list[str]:
    return [ui.calibrationComboBox.itemText(i) for i in range(ui.calibrationComboBox.count)]


def choose(ui, text: str) -> None:
    ui.calibrationComboBox.currentIndex = entries(ui).index(text)


def test_kinds_are_those_of_the_header(panel, tmp_path, run):
    ui, _volume = run
    assert entries(ui) == [
        "patient plane, SID/SOD (default)",
        "detector plane",
        "Catheter of known size",
        "Known distance",
        "Pixels",
    ]
    assert "mm per pixel" in ui.calibrationLabel.text and "No line lies on this run" in ui.lengthsLabel.text
    panel.ui.inputSelector.setCurrentNode(load(tmp_path / "b.dcm", geometry=False, instance_number=2))
    assert entries(ui)[0] == "detector plane (default)" and "No magnification is known" in ui.calibrationLabel.text
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
    panel.ui.inputSelector.setCurrentNode(volume)
    assert entries(ui) == [] and not ui.calibrationComboBox.enabled and "holds no pixels" in ui.calibrationLabel.text
    slicer.util.updateVolumeFromArray(volume, np.zeros((1, 20, 20), np.uint8))
    panel.ui.inputSelector.setCurrentNode(None)
    panel.ui.inputSelector.setCurrentNode(volume)
    assert entries(ui) == ["uncalibrated (default)", "Catheter of known size", "Known distance"]
    panel.ui.inputSelector.setCurrentNode(None)
    assert entries(ui) == [] and ui.calibrationLabel.text == "" == ui.lengthsLabel.text


@pytest.mark.slow
def test_lengths_are_listed_and_follow_the_calibration(panel, run, tmp_path):
    ui, volume = run
    line = drawLine(volume, (10, 10), (30, 25), "<stenosis>")
    assert "&lt;stenosis&gt;" in ui.lengthsLabel.text and expected(20, 15, tmp_path).text in ui.lengthsLabel.text
    choose(ui, "detector plane")
    assert panel._parameterNode.calibration == "detector"
    assert expected(20, 15, tmp_path, "detector").text in ui.lengthsLabel.text
    assert "larger" not in label(line) and label(line).endswith("detector plane")
    assert "smaller by the magnification" in ui.calibrationLabel.text
    choose(ui, "Pixels")
    assert " px (" in ui.lengthsLabel.text and " mm" not in ui.lengthsLabel.text
    choose(ui, "patient plane, SID/SOD (default)")
    assert panel._parameterNode.calibration == "" and label(line) == expected(20, 15, tmp_path).text


def test_reference_fields_are_seen_when_they_count(panel, run, tmp_path):
    ui, volume = run
    fields = (ui.referenceLineSelector, ui.frenchSizeSpinBox, ui.knownDistanceSpinBox)
    line = drawLine(volume, (10, 10), (16, 18), "wire")
    shown = {}
    for text in entries(ui):
        choose(ui, text)
        shown[text] = [field.visible for field in fields]
    assert shown.pop("Catheter of known size") == [True, True, False]
    assert shown.pop("Known distance") == [True, False, True]
    assert len(shown) == 3 and not any(map(any, shown.values()))
    choose(ui, "Catheter of known size")
    assert "Choose the reference line" in ui.calibrationLabel.text and " px (" in ui.lengthsLabel.text
    assert "The header tells" not in ui.calibrationLabel.text
    assert ui.referenceLineLabel.text == "Line across it:" and ui.frenchSizeSpinBox.value == 5
    ui.referenceLineSelector.setCurrentNode(line)
    assert label(line).startswith("1.7 mm") and "catheter of known size" in ui.lengthsLabel.text
    ui.frenchSizeSpinBox.value = 6
    assert label(line).startswith("2.0 mm")
    choose(ui, "Known distance")
    ui.knownDistanceSpinBox.value = 12.5
    assert label(line).startswith("12.5 mm") and ui.referenceLineLabel.text == "Line along it:"


def test_contradictory_tags_warn(panel, tmp_path):
    source = load(tmp_path / "a.dcm", extra={"EstimatedRadiographicMagnificationFactor": "1.2"})
    panel.ui.inputSelector.setCurrentNode(source)
    assert "Magnification tags disagree" in panel.ui.calibrationLabel.text
    assert "patient plane, ERMF" in entries(panel.ui)


def test_what_the_user_says_of_the_geometry_counts(panel, run, tmp_path):
    ui, volume = run
    line = drawLine(volume, (10, 10), (30, 25))
    ui.magnificationSpinBox.value = 1.25
    assert entries(ui)[0] == "patient plane, magnification given by the user (default)"
    # 20 rows of 0.3 mm and 15 columns of 0.2 mm at the detector.
    assert label(line).startswith("5.4 mm (") and label(line).endswith("given by the user")
    node = slicer.util.addVolumeFromArray(np.zeros((1, 48, 64), np.uint8))
    ui.inputSelector.setCurrentNode(node)
    assert entries(ui)[0] == "uncalibrated (default)"
    ui.detectorSpacingSpinBox.value = 0.25
    other = drawLine(node, (10, 10), (30, 25), "without a file")
    assert "given by the user" in entries(ui)[0] and label(other).startswith("5.0 mm (")
    assert "No DICOM header" in ui.calibrationLabel.text and label(line).endswith("mm")


def test_lines_are_watched_while_the_panel_is_left(gui, panel, run, tmp_path):
    ui, volume = run
    choose(ui, "detector plane")
    gui.leaveModule()
    line = drawLine(volume, (10, 10), (30, 25))
    assert label(line) == expected(20, 15, tmp_path, "detector").text
    movePoint(line, volume, 30, 40)
    assert label(line) == expected(20, 30, tmp_path, "detector").text


def test_choices_are_saved_with_the_scene(gui, panel, run, tmp_path):
    ui, volume = run
    line = drawLine(volume, (10, 10), (16, 18), "wire")
    choose(ui, "Known distance")
    ui.referenceLineSelector.setCurrentNode(line)
    ui.knownDistanceSpinBox.value = 12.5
    ui.frenchSizeSpinBox.value = 7.5
    text = label(line)
    gui.leaveModule()
    gui.saveScene(tmp_path / "scene.mrb")
    gui.loadScene(tmp_path / "scene.mrb")
    line = slicer.util.getNode("wire")
    assert label(line) == text
    # Not entered: a line that is moved is measured all the same.
    from DSADeblurScene.input import shownVolume

    volume = shownVolume(slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSequenceNode"))
    other = drawLine(volume, (10, 10), (22, 26), "twice as long")
    assert label(other).startswith("25.0 mm") and label(other).endswith("known distance")
    panel.enter()
    assert ui.calibrationComboBox.currentText == "Known distance" and ui.frenchSizeSpinBox.value == 7.5
    assert ui.referenceLineSelector.currentNode() is line and ui.knownDistanceSpinBox.value == 12.5
    assert label(line) == text


def test_a_kind_that_this_run_does_not_have(panel, run, tmp_path):
    ui, volume = run
    line = drawLine(volume, (10, 10), (30, 25))
    panel._parameterNode.calibration = "from a later version"
    assert "from a later version" in ui.calibrationLabel.text and "default is used" in ui.calibrationLabel.text
    assert ui.calibrationComboBox.currentIndex == 0 and label(line) == expected(20, 15, tmp_path).text
    assert panel._parameterNode.calibration == "from a later version"


def test_scene_closed_and_module_reloaded(gui, panel, run, tmp_path):
    from DSADeblurScene.line_labels import isLabelled

    ui, volume = run
    line = drawLine(volume, (10, 10), (30, 25))
    widget = gui.reloadModule()
    assert label(line) == expected(20, 15, tmp_path).text
    assert widget.ui.lengthsLabel.text.count("<b>") == 1
    movePoint(line, volume, 30, 40)
    assert label(line) == expected(20, 30, tmp_path).text
    gui.closeScene()
    assert widget.ui.lengthsLabel.text == "" and entries(widget.ui) == []
    new = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsLineNode", "new")
    assert not isLabelled(new)


def test_removed_run(panel, run):
    ui, volume = run
    line = drawLine(volume, (10, 10), (30, 25))
    slicer.mrmlScene.RemoveNode(ui.inputSelector.currentNode())
    assert label(line).endswith("mm") and "SID" not in label(line) and "<b>" not in ui.lengthsLabel.text


def test_a_loaded_scene_with_labels_opens_the_panel_unseen(gui, panel, run, tmp_path):
    ui, volume = run
    drawLine(volume, (10, 10), (30, 25))
    gui.saveScene(tmp_path / "scene.mrb")
    asked = []
    slicer.modules.dsadeblur = SimpleNamespace(widgetRepresentation=lambda: asked.append(True))
    from DSADeblurScene.line_labels import watchLoadedScenes

    watchLoadedScenes()
    gui.loadScene(tmp_path / "scene.mrb")
    assert asked == [True]
    gui.closeScene()
    gui.saveScene(tmp_path / "empty.mrb")
    gui.loadScene(tmp_path / "empty.mrb")
    assert asked == [True]
