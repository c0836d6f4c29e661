"""A new result is shown at once, beside its original, at a frame that it has; and only by the panel."""

from __future__ import annotations

import json

import numpy as np
import pytest
import samples
import slicer
from scenes import derive, ijkToRas, load

from DSADeblurLib.steps import finished

pytestmark = pytest.mark.slow

MASKED = {"mask_frames": (1, 2), "contrast_range": (3, 6)}
# The vessel of the sample frames fills until the last one: here the fourth frame is the fullest.
FULLEST = 4
ORDER = [0, 1, 2, 5, 4, 3]


def bolus() -> np.ndarray:
    return samples.vessel_frames()[ORDER]


def subtractedResult(path, numbers=(3, 4, 5, 6), frames=None, **options):
    """(source, derived node, differences of the source in the order of the derived frames)."""
    from DSADeblurLib.xa import plan_subtraction, read_run, subtract

    source = load(path, bolus() if frames is None else frames, **{**MASKED, **options})
    run = read_run(path)
    plan = plan_subtraction(run)
    everything = subtract(run.frames, plan, run.relationship)
    differences = np.stack([everything[plan.contrast_frames.index(number)] for number in numbers])
    texts = {"Subtraction": json.dumps(plan.as_dict()), "Relationship": run.relationship}
    return source, derive(source, differences * np.float32(1.5), numbers, True, **texts), differences


def arrangement(host) -> int:
    return host.layoutLogic.GetLayoutNode().GetViewArrangement()


def seenIn(tag: str) -> np.ndarray:
    """(rows, cols), the whole slice that a view shows of a stack or sequence."""
    logic = slicer.app.applicationLogic().GetSliceLogicByLayoutName(tag)
    volume = logic.GetBackgroundLayer().GetVolumeNode()
    pixels = slicer.util.arrayFromVolume(volume)
    # The third index of the slice's place in the volume.
    place = np.linalg.inv(ijkToRas(volume)) @ (*ras(logic.GetSliceNode()), 1)
    return pixels[int(np.clip(np.rint(place[2]), 0, len(pixels) - 1))]


def ras(sliceNode) -> list[float]:
    return [sliceNode.GetSliceToRAS().GetElement(row, 3) for row in range(3)]


@pytest.mark.parametrize("stack", [False, True])
def test_subtracted_result_is_shown_where_contrast_is_most(gui, views, tmp_path, stack):
    from DSADeblurScene.first_look import showResultInSteps
    from DSADeblurScene.input import browserForSequence
    from DSADeblurScene.layouts import LAYOUT_IDS, VIEWS, CompareView

    source, derived, differences = subtractedResult(tmp_path / "a.dcm", stack=stack)
    at = FULLEST - 3
    finished(showResultInSteps(views, derived))
    assert arrangement(gui) == LAYOUT_IDS[CompareView.PAIR]
    if not stack:
        assert browserForSequence(source).GetSelectedItemNumber() == FULLEST - 1
    assert np.array_equal(seenIn(VIEWS[0]), differences[at])
    assert np.array_equal(seenIn(VIEWS[1]), differences[at] * np.float32(1.5))
    window = views._frames.original.GetDisplayNode()
    assert window is views._frames.deblurred.GetDisplayNode()
    assert window.GetWindowLevelMin() < differences[at].min()


def test_native_result_stays_at_the_users_frame_or_goes_to_the_middle(views, tmp_path):
    from DSADeblurScene.first_look import showResultInSteps
    from DSADeblurScene.input import browserForSequence, shownVolume
    from DSADeblurScene.layouts import VIEWS

    frames = bolus()
    source = load(tmp_path / "a.dcm", frames)
    derived, browser = derive(source, frames[1:5] // 2, range(2, 6)), browserForSequence(source)
    for user, shown in ((2, 2), (0, 3), (5, 3)):
        browser.SetSelectedItemNumber(user)
        finished(showResultInSteps(views, derived))
        assert browser.GetSelectedItemNumber() == shown
        assert np.array_equal(seenIn(VIEWS[0]), frames[shown])
        assert np.array_equal(seenIn(VIEWS[1]), frames[shown] // 2)
    displays = [shownVolume(node).GetDisplayNode() for node in (source, derived)]
    assert displays[0].GetWindowLevelMin() == displays[1].GetWindowLevelMin()


def test_native_stack_is_shown_in_its_middle(views, tmp_path):
    from DSADeblurScene.first_look import showResultInSteps
    from DSADeblurScene.layouts import VIEWS

    frames = bolus()
    source = load(tmp_path / "a.dcm", frames, stack=True)
    finished(showResultInSteps(views, derive(source, frames[:3] // 2, (1, 2, 3))))
    assert np.array_equal(seenIn(VIEWS[0]), frames[1]) and np.array_equal(seenIn(VIEWS[1]), frames[1] // 2)


def test_fullest_frame_of_a_simulated_run(host, tmp_path):
    """What is found on the noisy, blurred run is what the simulation's own truth says."""
    from DSADeblurLib.lab.simulation.runs import SimulationOptions, simulate_run
    from DSADeblurScene.first_look import frameToShow

    run = simulate_run(SimulationOptions(seed=2, frames=8, size=96))
    order = [0, 1, 2, 5, 7, 6, 4, 3]
    logarithms = np.log(np.maximum(run.truth[order], 1).astype(float))
    fullest = 1 + int(np.argmin((logarithms - logarithms[0]).sum(axis=(1, 2))))
    _source, derived, _ = subtractedResult(
        tmp_path / "a.dcm", range(3, 9), run.frames[order], mask_frames=run.mask_numbers, contrast_range=(3, 8)
    )
    assert frameToShow(derived) == fullest == 5


def test_offset_of_a_whole_frame_is_no_contrast(host):
    from DSADeblurScene.first_look import mostOpacified
    from DSADeblurScene.input import readInput

    rng = np.random.default_rng(4)
    frames = rng.normal(0, 0.02, (5, 200, 300)).astype(np.float32)
    frames[1] -= 3
    frames[2, :, 100:120] -= 0.5
    frames[3, :, 100:120] -= 0.4
    node = slicer.util.addVolumeFromArray(frames)
    assert mostOpacified(readInput(node).frames) == 2


def selected(source) -> int:
    from DSADeblurScene.input import browserForSequence

    return browserForSequence(source).GetSelectedItemNumber()


def test_panel_shows_the_result_and_scripts_leave_the_layout_alone(gui, tmp_path, tiny_model):
    widget = gui.openModule()
    from DSADeblurScene.input import browserForSequence, readInput, shownVolume
    from DSADeblurScene.layouts import LAYOUT_IDS, CompareView

    source = load(tmp_path / "a.dcm", bolus(), **MASKED)
    before = arrangement(gui)
    widget.logic.process(source, tiny_model, device="cpu")
    assert arrangement(gui) == before and selected(source) == 0
    widget._parameterNode.inputNode, widget._parameterNode.request.model = source, tiny_model
    widget.ui.deviceComboBox.currentIndex = 1
    widget.ui.applyButton.click()
    assert gui.processEvents(lambda: widget.runSection.isIdle)
    assert widget.ui.statusLabel.text.startswith("Done"), widget.ui.statusLabel.text
    derived = widget._parameterNode.derivedNode
    assert gui.processEvents(lambda: arrangement(gui) == LAYOUT_IDS[CompareView.PAIR])
    value = browserForSequence(source).GetMasterSequenceNode().GetNthIndexValue(selected(source))
    assert value in readInput(derived).indexValues
    assert shownVolume(derived).GetImageData().GetNumberOfPoints() > 0
