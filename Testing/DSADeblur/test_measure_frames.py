"""The frames that are measured on: which, in what values, with what blur, and when they count as changed."""

from __future__ import annotations

import numpy as np
import pytest
import samples
import slicer
from results import deblurred
from scenes import load

POINTS = np.array([[10.0, 10.0, 3.0], [20.0, 10.0, 3.0]])


def framesOf(source, derived=None):
    from DSADeblurScene.lengths import measuredRun
    from DSADeblurScene.measure_frames import MeasuredFrames

    return MeasuredFrames(measuredRun(source), derived)


def show(source, number: int) -> None:
    from DSADeblurScene.input import browserForSequence

    browserForSequence(source).SetSelectedItemNumber(number - 1)
    slicer.modules.sequences.logic().UpdateAllProxyNodes()


@pytest.mark.parametrize("stack", [False, True])
@pytest.mark.parametrize("masks", [(), (1, 2)])
def test_original_and_deblurred_are_alike(host, tmp_path, stack, masks):
    source = load(tmp_path / "a.dcm", stack=stack, mask_frames=masks, contrast_range=(3, 6) if masks else None)
    derived = deblurred(source, sharpness=0.5)
    if not stack:
        show(source, 4)
    frames = framesOf(source, derived)
    pair = frames.pair(POINTS)
    assert pair.number == 4 and pair.problem == "" and pair.controls == "sharpness 0.5, noise reduction 0.5"
    original, sharp = frames.pictures(pair)
    stored = samples.vessel_frames().astype(float)
    if masks:
        truth = np.log(np.maximum(stored[3], 1)) - np.log(stored[:2].mean(axis=0))
        assert sharp.values == pytest.approx(1.25 * original.values, abs=1e-5)
    else:
        truth = np.log(np.maximum(stored[3], 1))
        assert sharp.values == pytest.approx(original.values + np.log(0.75), abs=0.02)
    assert original.values == pytest.approx(truth, abs=1e-5)
    # What is left of the blur is less than what there was, and both are of the focal spot of the header.
    assert 0 < sharp.blur.spot_px[0] < original.blur.spot_px[0]
    assert frames.pictures(pair)[0] is original


def test_without_a_result(host, tmp_path):
    source, other = load(tmp_path / "a.dcm"), load(tmp_path / "b.dcm", instance_number=2)
    show(source, 2)
    for derived in (None, source, deblurred(other)):
        frames = framesOf(source, derived)
        pair = frames.pair(POINTS)
        assert (pair.number, pair.controls, pair.model, pair.problem) == (2, "", "", "")
        assert len(frames.pictures(pair)) == 1


def test_frames_that_cannot_be_measured_say_why(host, tmp_path):
    source = load(tmp_path / "a.dcm", mask_frames=(1, 2), contrast_range=(3, 6))
    show(source, 1)
    assert "not deblurred" in framesOf(source, deblurred(source)).pair(POINTS).problem
    show(source, 0)
    assert "No frame" in framesOf(source).pair(POINTS).problem


def test_a_frame_that_changes_is_another_one(host, tmp_path):
    from DSADeblurScene.derived import renewFrame

    source = load(tmp_path / "a.dcm")
    derived = deblurred(source)
    show(source, 4)
    frames = framesOf(source, derived)
    before = frames.pair(POINTS)
    assert (
        frames.pair(POINTS) == before
        and framesOf(source, derived).pair(POINTS).identity != framesOf(source).pair(POINTS).identity
    )
    renewFrame(derived, 3, np.zeros((48, 64), np.uint16))
    assert frames.pair(POINTS).identity != before.identity
    show(source, 5)
    assert frames.pair(POINTS).number == 5
