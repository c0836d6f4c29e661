"""The automatic mask: found despite noise, motion and flicker, refused where no frame can be the mask."""

from functools import cache

import numpy as np
import pytest

from DSADeblurLib.lab.simulation.runs import SimulationOptions, simulate_run
from DSADeblurLib.physics.acquisition import shift_frame
from DSADeblurLib.xa import XAReadError, read_run
from DSADeblurLib.xa.subtraction.mask_choice import MOST_MASK_FRAMES, find_mask_frames

pytestmark = pytest.mark.slow

_MASKS = 3


@cache
def _run(seed, quanta=3e3):
    return simulate_run(SimulationOptions(seed=seed, frames=9, size=256, quanta=quanta, mask_frames=_MASKS)).frames


def _drifting(frames, step):
    path = np.cumsum(np.random.default_rng(1).normal(0, step, (len(frames), 2)), axis=0)
    return np.stack([shift_frame(frame, tuple(place)) for frame, place in zip(frames, path, strict=True)])


def _as_they_are(frames):
    return frames


def _moving(frames):
    return _drifting(frames, 0.6)


def _flickering(frames):
    return frames * (1 + 0.1 * np.sin(2.1 * np.arange(len(frames))))[:, None, None]


def _settling(frames):
    return np.concatenate([frames[:1] * 0.3, frames[1:]])


@pytest.mark.parametrize("change", [_as_they_are, _moving, _flickering, _settling])
@pytest.mark.parametrize("seed", [2, 3, 5])
def test_frames_before_the_contrast_agent_are_found(seed, change):
    found = find_mask_frames(change(_run(seed)), "LIN")
    expected = (2, 3) if change is _settling else (1, 2, 3)
    assert found.frames == expected
    assert found.note == (
        f"Mask frames {', '.join(map(str, expected))} chosen automatically: contrast agent arrives after frame 3."
    )


@pytest.mark.parametrize("offset", [-2.0, 0.0, 5.0])
def test_an_offset_of_log_values_changes_nothing(offset):
    frames = np.log(np.maximum(_run(2), 1)) + offset
    assert find_mask_frames(frames, "LOG").frames == (1, 2, 3)
    assert find_mask_frames(-frames, "LOG", log_slope=-1.0).frames == (1, 2, 3)


def test_the_last_of_many_frames_but_not_the_very_last():
    frames = _run(2)
    early = frames[np.arange(12) % _MASKS]
    found = find_mask_frames(np.concatenate([early, frames[_MASKS:]]), "LIN")
    assert len(found.frames) == MOST_MASK_FRAMES and found.frames[-1] == 10
    assert found.note.endswith("contrast agent arrives after frame 12.")
    assert find_mask_frames(frames, "LIN", most=1).frames == (1,)


@pytest.mark.parametrize("seed", [2, 3, 5])
@pytest.mark.parametrize("moving", [False, True])
def test_a_run_without_contrast_agent_is_refused(seed, moving):
    frames = _run(seed)[np.arange(9) % _MASKS]
    with pytest.raises(XAReadError, match="No arrival of contrast agent is seen in this run; give the numbers of the"):
        find_mask_frames(_drifting(frames, 1.0) if moving else frames, "LIN")


@pytest.mark.parametrize("seed", [2, 3, 5])
def test_contrast_agent_from_the_first_frame_on_is_refused(seed):
    with pytest.raises(XAReadError, match="Contrast agent is seen from the first frame on, so that no frame can be"):
        find_mask_frames(_run(seed)[_MASKS:][::-1], "LIN")
    with pytest.raises(XAReadError, match="give the numbers of the mask frames"):
        find_mask_frames(_run(seed)[-3:], "LIN")


def test_one_frame_and_empty_frames():
    with pytest.raises(XAReadError, match="single frame"):
        find_mask_frames(_run(2)[:1], "LIN")
    with pytest.raises(XAReadError, match="No arrival of contrast agent"):
        find_mask_frames(np.zeros((5, 64, 64), np.uint16), "LIN")


def test_coronary_cine_in_which_the_heart_beats(real_data):
    """Frame 19 is the first in which the artery is seen to fill."""
    frames = read_run(real_data / "coronary_96f_jpegbaseline.dcm").frames
    found = find_mask_frames(frames, "LIN")
    assert len(found.frames) == MOST_MASK_FRAMES and 10 <= found.frames[-1] < 18
