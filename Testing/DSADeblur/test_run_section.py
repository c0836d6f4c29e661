"""The states of the panel: what each allows and says, and that none is without a way on."""

from __future__ import annotations

import pytest
import qtemu
import samples
import slicer
from fakerunner import FakeRunner
from scenes import load


@pytest.fixture
def panel(gui, monkeypatch, tmp_path):
    """The open module with a run, and a worker that the test plays."""
    from DSADeblurScene.input import browserForSequence

    widget = gui.openModule()
    FakeRunner.made.clear()
    monkeypatch.setattr(widget.logic._client, "_makeRunner", FakeRunner)
    node = load(tmp_path / "a.dcm", mask_frames=(1, 2), contrast_range=(3, 6))
    browserForSequence(node).SetSelectedItemNumber(0)
    widget._parameterNode.inputNode = node
    return widget


def state(widget) -> str:
    return widget.runSection.state.name


def shortcut(button) -> str:
    return button.shortcut.toString()


def job() -> str:
    return FakeRunner.made[-1].sent[-1]["job"]


def test_every_state_has_a_way_on_and_words(panel):
    from DSADeblurPanel.run_section import State, looks

    table = looks()
    assert set(table) == set(State) and all(look.words for look in table.values())
    for one, look in table.items():
        # The end of a cancellation comes by itself: the worker is killed when it does not answer.
        assert look.canPress or look.canChoose or one is State.CANCELLING
        assert look.canBegin is (look.canPress and not look.cancels)


def test_from_no_run_to_done(gui, panel):
    ui, node = panel.ui, panel._parameterNode.inputNode
    panel._parameterNode.inputNode = None
    assert state(panel) == "NO_RUN" and not ui.applyButton.enabled and not ui.previewButton.enabled
    assert ui.planLabel.text.startswith("Select a run") and ui.inputSelector.enabled and ui.sampleButton.enabled
    panel._parameterNode.inputNode = node
    assert state(panel) == "READY" and ui.applyButton.enabled and shortcut(ui.applyButton) == "Ctrl+Return"
    ui.applyButton.click()
    assert state(panel) == "STARTING" and ui.applyButton.text == "Cancel" and shortcut(ui.applyButton) == "Esc"
    assert not ui.inputSelector.enabled and not ui.outputSelector.enabled and not ui.previewButton.enabled
    said = set()
    for stage, frames in (("reading", 0), ("planning", 0), ("engines", 2), ("frames", 2)):
        FakeRunner.made[-1].say(type="stage", job=job(), stage=stage, frames=frames)
        said.add(ui.statusLabel.text)
    assert state(panel) == "STARTING" and len(said) == 4
    FakeRunner.made[-1].say(type="progress", job=job(), done=3, total=4, seconds_left=3.0)
    assert state(panel) == "RUNNING" and "frame 2 of 2" in ui.statusLabel.text and "3 s left" in ui.progressBar.format
    ui.applyButton.click()
    assert state(panel) == "CANCELLING" and not ui.applyButton.enabled
    ended = job()
    FakeRunner.made[-1].say(type="cancelled", job=ended)
    assert state(panel) == "READY" and ui.statusLabel.text == "Cancelled." and ui.inputSelector.enabled


def test_what_is_missing_is_said_beside_the_button(panel, monkeypatch):
    panel.engineSection.problem = "Nothing is installed."
    panel._update()
    assert state(panel) == "NOT_INSTALLED" and panel.ui.planLabel.text == "Nothing is installed."
    assert not panel.ui.applyButton.enabled and panel.ui.modelComboBox.enabled
    panel.engineSection.problem = ""
    panel._update()
    assert state(panel) == "READY"


def test_a_failure_gives_the_field_at_fault_the_focus_and_the_log(gui, panel):
    ui = panel.ui
    ui.applyButton.click()
    text = "Mask frame 9 does not exist."
    FakeRunner.made[-1].say(type="error", job=job(), message=text, choice="mask_frames", details="Traceback: there")
    assert state(panel) == "FAILED" and ui.statusLabel.text == text and ui.errorIconLabel.visible
    assert ui.detailsButton.visible and ui.applyButton.enabled and ui.applyButton.text == "Apply"
    assert not ui.subtractionCollapsibleButton.collapsed
    assert qtemu.unwrap(gui.parent).focusWidget() is qtemu.unwrap(ui.maskFramesLineEdit)
    # The next attempt clears it.
    ui.applyButton.click()
    assert state(panel) == "STARTING" and not ui.errorIconLabel.visible and not ui.detailsButton.visible


def test_a_worker_that_dies_leaves_its_last_words(panel):
    panel.ui.applyButton.click()
    FakeRunner.made[-1].end(3, "first line\nlast line\n")
    assert state(panel) == "FAILED" and "Its last words: last line" in panel.ui.statusLabel.text
    assert panel.runSection._details == "first line\nlast line\n"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda ui: setattr(ui.frameRangeLineEdit, "text", "9-3"), "frameRangeLineEdit"),
        (lambda ui: setattr(ui.tileSpinBox, "value", 8), "tileSpinBox"),
        (lambda ui: setattr(ui.magnificationSpinBox, "value", 0.5), "magnificationSpinBox"),
        (lambda ui: setattr(ui.maskShiftLineEdit, "text", "far"), "maskShiftLineEdit"),
        (lambda ui: setattr(ui.blurLineEdit, "text", "wide"), "blurLineEdit"),
    ],
)
def test_a_choice_that_is_not_usable_gets_the_focus(gui, panel, change, field):
    change(panel.ui)
    panel.ui.applyButton.click()
    assert state(panel) == "FAILED" and FakeRunner.made == []
    assert qtemu.unwrap(gui.parent).focusWidget() is qtemu.unwrap(getattr(panel.ui, field))


def test_every_choice_that_an_error_can_name_has_a_field(panel):
    from DSADeblurLib.request import DeblurRequest
    from DSADeblurPanel.fields import fieldOf

    shown = {name for name, option in DeblurRequest.every_option().items() if option.in_panel}
    assert {name for name in shown if fieldOf(panel.ui, name) is None} == set()
    assert fieldOf(panel.ui, "pictures") is None


def test_keys_step_through_the_frames(gui, panel):
    from DSADeblurScene.input import shownIndex

    ui, node = panel.ui, panel._parameterNode.inputNode
    assert (shortcut(ui.previousFrameButton), shortcut(ui.nextFrameButton)) == ("Alt+Left", "Alt+Right")
    assert shownIndex(node) == 0
    ui.previousFrameButton.click()
    assert shownIndex(node) == 0
    ui.nextFrameButton.click()
    ui.nextFrameButton.click()
    assert shownIndex(node) == 2
    for _frame in range(9):
        ui.nextFrameButton.click()
    assert shownIndex(node) == 5


def test_apply_is_seen_without_scrolling(gui, panel):
    """On a screen of 1080 lines about 900 are left for the panel."""
    font, before = gui.qtApplication.font(), gui.qtApplication.font()
    font.setPixelSize(12)
    gui.qtApplication.setFont(font)
    try:
        for width in (320, 460):
            root, button = qtemu.unwrap(gui.parent), qtemu.unwrap(panel.ui.applyButton)
            root.resize(width, root.layout().totalHeightForWidth(width))
            gui.turnEventLoop()
            assert button.mapTo(root, button.rect().bottomLeft()).y() < 900
    finally:
        gui.qtApplication.setFont(before)


def test_a_preview_is_of_the_frame_that_is_shown(panel):
    """Where that is a mask frame, of the nearest that will be deblurred."""
    for steps, number in ((0, 3), (4, 5)):
        for _step in range(steps):
            panel.ui.nextFrameButton.click()
        panel.ui.previewButton.click()
        assert FakeRunner.made[-1].sent[-1]["request"]["frame_range"] == [number, number]
        FakeRunner.made[-1].say(type="cancelled", job=job())
    volume = slicer.util.addVolumeFromArray(samples.vessel_frames(5))
    panel._parameterNode.inputNode = volume
    panel.ui.previewButton.click()
    # A stack that no view shows has a middle.
    assert FakeRunner.made[-1].sent[-1]["request"]["frame_range"] == [3, 3]
