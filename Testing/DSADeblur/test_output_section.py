"""Where a result goes: a new node unless an earlier result of the same run is chosen; previews do not stay."""

from __future__ import annotations

import pytest
import slicer
from results import deblurred
from scenes import fingerprint, load

pytestmark = pytest.mark.slow
MASKED = {"mask_frames": (1, 2), "contrast_range": (3, 6)}


@pytest.fixture
def panel(gui, tiny_model, tmp_path):
    """The open module with the small network and a run chosen, on the CPU."""
    widget = gui.openModule()
    widget._parameterNode.inputNode = load(tmp_path / "a.dcm", **MASKED)
    widget._parameterNode.request.model = tiny_model
    widget.ui.deviceComboBox.currentIndex = 1
    return widget


def press(gui, panel, button):
    button.click()
    assert gui.processEvents(lambda: panel.runSection.isIdle and not panel.compareSection._slices.isBusy)
    assert panel.ui.statusLabel.text.startswith("Done"), panel.ui.statusLabel.text
    return panel._parameterNode.derivedNode


def offered(selector) -> list[str]:
    import qtemu

    combo = qtemu.unwrap(selector)._combo
    qtemu.unwrap(selector)._refresh()
    return [combo.itemText(i) for i in range(combo.count())]


def test_new_by_default_and_replaced_when_chosen(gui, panel, tmp_path):
    from DSADeblurScene.derived import FULL, resultsOf

    ui, source = panel.ui, panel._parameterNode.inputNode
    assert offered(ui.outputSelector) == ["Create new"]
    assert ui.outputNameLineEdit.placeholderText == f"{source.GetName()} deblurred"
    first = press(gui, panel, ui.applyButton)
    ui.outputNameLineEdit.text = "second"
    second = press(gui, panel, ui.applyButton)
    assert resultsOf(source, FULL) == [first, second] and second.GetName() == "second"
    # The volume that shows a result's frames is none, nor is what is made of it.
    assert sorted(offered(ui.outputSelector)) == sorted(["Create new", first.GetName(), "second"])
    ui.outputNameLineEdit.text = ""
    ui.outputSelector.setCurrentNode(second)
    assert ui.outputNameLineEdit.placeholderText == "second"
    kept = fingerprint(first)
    renewed = press(gui, panel, ui.applyButton)
    assert resultsOf(source, FULL) == [first, renewed] and renewed.GetName() == "second"
    assert ui.outputSelector.currentNode() is renewed and fingerprint(first) == kept
    # Another run has no such result.
    panel._parameterNode.inputNode = load(tmp_path / "b.dcm", **MASKED)
    assert ui.outputSelector.currentNode() is None and panel._parameterNode.outputNode is None


def test_a_result_of_another_run_is_not_taken(panel, tmp_path):
    foreign = deblurred(load(tmp_path / "b.dcm", **MASKED))
    panel._parameterNode.outputNode = foreign
    assert panel._parameterNode.outputNode is None and panel.outputSection.place(panel._parameterNode).replaces is None


def test_a_preview_is_shown_and_goes_with_apply(gui, panel):
    from DSADeblurScene.derived import PREVIEW, resultsOf
    from DSADeblurScene.input import browserForSequence

    ui, source = panel.ui, panel._parameterNode.inputNode
    browserForSequence(source).SetSelectedItemNumber(4)
    preview = press(gui, panel, ui.previewButton)
    assert preview.GetAttribute("DSADeblur.FrameNumbers") == "5" and preview.GetNumberOfDataNodes() == 1
    assert browserForSequence(source).GetSelectedItemNumber() == 4
    assert gui.layoutLogic.GetLayoutNode().GetViewArrangement() > 100
    assert offered(ui.outputSelector) == ["Create new"]
    # It has told how long the run will take.
    panel._update()
    assert ui.planLabel.text.startswith("CPU, about ")
    full = press(gui, panel, ui.applyButton)
    assert resultsOf(source, PREVIEW) == [] and full.GetNumberOfDataNodes() == 4
    # A later one is shown and follows the sliders, but takes nothing away from the result.
    ui.previewButton.click()
    assert gui.processEvents(lambda: panel.runSection.isIdle)
    (preview,) = resultsOf(source, PREVIEW)
    assert panel._parameterNode.derivedNode is full and panel.logic.live.resultOf(source) is preview
    ui.sharpnessSlider.value = 0.5
    assert gui.processEvents(lambda: panel.runSection.isIdle)
    assert panel._parameterNode.derivedNode is full
    slicer.mrmlScene.RemoveNode(preview)
    assert panel.logic.live.resultOf(source) is full


def test_an_earlier_result_that_is_chosen_is_the_one_that_is_worked_with(gui, panel):
    first = press(gui, panel, panel.ui.applyButton)
    second = press(gui, panel, panel.ui.applyButton)
    assert panel._parameterNode.derivedNode is second
    panel.ui.outputSelector.setCurrentNode(first)
    assert panel._parameterNode.derivedNode is first
    panel.ui.outputSelector.setCurrentNode(None)
    assert panel._parameterNode.derivedNode is first
