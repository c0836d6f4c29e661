"""The group of the panel: what it shows, and that views, clock and Slicer's own menu agree with it."""

from __future__ import annotations

import pytest
import slicer
from results import deblurred
from scenes import load

MASKED = {"mask_frames": (1, 2), "contrast_range": (3, 6)}


@pytest.fixture
def panel(gui, tmp_path):
    """The open module with a result."""
    widget = gui.openModule()
    widget._parameterNode.inputNode = load(tmp_path / "a.dcm", **MASKED)
    widget._parameterNode.derivedNode = deblurred(widget._parameterNode.inputNode)
    gui.turnEventLoop()
    return widget


def choose(panel, kind) -> None:
    from DSADeblurScene.layouts import CompareView

    panel.ui.compareViewComboBox.currentIndex = list(CompareView).index(CompareView[kind])


def isShown(gui, panel, kind) -> bool:
    from DSADeblurScene.layouts import CompareView

    return gui.processEvents(lambda: panel.logic.compareViews.kind is CompareView[kind])


def test_button_shows_the_chosen_view_and_another_choice_follows(gui, panel):
    ui, views = panel.ui, panel.logic.compareViews
    assert [ui.compareViewComboBox.itemText(i) for i in range(ui.compareViewComboBox.count)] == [
        "Original | deblurred",
        "Original | deblurred | change",
        "Swipe",
        "Flicker",
    ]
    choose(panel, "SWIPE")
    gui.turnEventLoop()
    assert views.kind is None and not ui.flickerSlider.enabled
    ui.compareButton.click()
    assert isShown(gui, panel, "SWIPE") and views.derived is panel._parameterNode.derivedNode
    choose(panel, "FLICKER")
    assert isShown(gui, panel, "FLICKER") and ui.flickerSlider.enabled and ui.flickerCheckBox.enabled
    choose(panel, "CHANGE")
    assert isShown(gui, panel, "CHANGE") and not ui.flickerSlider.enabled


def test_clock_and_space_bar_agree_with_the_panel(gui, panel):
    from DSADeblurScene.layouts import BOTH

    ui, views = panel.ui, panel.logic.compareViews
    choose(panel, "FLICKER")
    ui.compareButton.click()
    assert isShown(gui, panel, "FLICKER") and views._changesPerSecond == 1
    ui.flickerSlider.value = 2.5
    assert views._changesPerSecond == 2.5
    gui.layoutManager.sliceWidget(BOTH).sliceView().userPresses("space")
    assert not ui.flickerCheckBox.checked and views._changesPerSecond == 0
    ui.flickerCheckBox.checked = True
    assert views._changesPerSecond == 2.5


def test_slicers_layout_menu_agrees_with_the_panel(gui, panel):
    from DSADeblurScene.layouts import LAYOUT_IDS, CompareView, registerLayouts

    registerLayouts()
    gui.layoutLogic.GetLayoutNode().SetViewArrangement(LAYOUT_IDS[CompareView.FLICKER])
    assert isShown(gui, panel, "FLICKER")
    assert panel.ui.compareViewComboBox.currentText == "Flicker" and panel.ui.flickerSlider.enabled


def test_peak_opacification_is_labelled_too(gui, panel):
    choose(panel, "SWIPE")
    panel.ui.compareButton.click()
    assert isShown(gui, panel, "SWIPE")
    panel.ui.peakButton.click()
    assert isShown(gui, panel, "PAIR")
    gui.turnEventLoop()
    labels = [overlay._left.GetInput() for overlay in panel.logic.compareViews._overlays]
    assert labels == [
        "ORIGINAL\npeak opacification",
        "AI-DEBLURRED, RESEARCH USE ONLY\npeak opacification",
    ]


def test_error_is_told(gui, panel):
    from DSADeblurScene.derived import ATTRIBUTE

    panel._parameterNode.derivedNode.SetAttribute(ATTRIBUTE + "Subtraction", "{}")
    panel.ui.compareButton.click()
    assert gui.processEvents(lambda: not panel.compareSection._slices.isBusy)
    assert panel.ui.errorIconLabel.visible and panel.ui.statusLabel.text


def test_nothing_to_compare(gui, panel):
    slicer.mrmlScene.RemoveNode(panel._parameterNode.inputNode)
    panel._update()
    assert not panel.ui.compareButton.enabled and panel.ui.compareButton.toolTip == "Deblur a run first."
