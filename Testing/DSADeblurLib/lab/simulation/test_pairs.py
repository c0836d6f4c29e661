"""Pairs: what differs between them is the focal spot and the noise, nothing else."""

from dataclasses import replace

import numpy as np
import pytest

from DSADeblurLib.lab.simulation.effects import Aperture, Effects, Tone
from DSADeblurLib.lab.simulation.pairs import KINDS, MICRO_SPOT, Conditions, acquire_pair
from DSADeblurLib.lab.simulation.scene import Scene
from DSADeblurLib.lab.simulation.tubes import View
from DSADeblurLib.physics.detector import Detector
from DSADeblurLib.physics.focal_spot import FocalSpot


@pytest.fixture(scope="module")
def scene():
    return patient(moments=1)


def patient(moments, size=256):
    """A bone with a hard edge in tissue, and crossing vessels into which the contrast agent runs."""
    rows, columns = np.indices((size, size)) / size
    static, iodine = np.zeros((3, size, size), np.float32), np.zeros((moments, 3, size, size), np.float32)
    static[1] = 2 - 1.5 * np.hypot(rows - 0.5, columns - 0.5)
    static[0] = 0.8 * (np.hypot(rows - 0.7, columns - 0.4) < 0.2)
    for slab, slope, width in ((0, 0.9, 4.0), (1, -0.5, 2.5), (2, 0.2, 1.5)):
        distance = size * (rows - 0.45 - slope * (columns - 0.5)) / np.hypot(1, slope)
        vessel = np.sqrt(np.maximum(1 - (distance / width) ** 2, 0)) * 0.2 * width
        for moment in range(moments):
            arrived = 1 / (1 + np.exp(20 * (columns - 0.6 - 0.1 * (moment - moments // 2))))
            iodine[moment, slab] = vessel * arrived
    return Scene(View((size, size), 0.15, 1100.0, 1100.0 / 1.5), static, iodine)


def conditions(scene, **changes):
    spacing = (scene.view.spacing_mm,) * 2
    usual = Conditions(MICRO_SPOT, Detector(spacing_mm=spacing, bits=16, electronic_noise_quanta=0.0), 1e9, 4)
    return replace(usual, **changes)


@pytest.mark.parametrize("kind", KINDS)
def test_micro_spot_without_noise_is_the_truth(scene, kind):
    pair = acquire_pair(scene, conditions(scene), kind, np.random.default_rng(0))
    # Half a digital number at 16 bits, seen through the logarithm where little gets through.
    assert np.sqrt(np.mean((pair.frame - pair.truth) ** 2)) < 2e-3


@pytest.mark.parametrize("kind", KINDS)
def test_large_spot_blurs_and_keeps_the_mean(scene, kind):
    sharp = acquire_pair(scene, conditions(scene), kind, np.random.default_rng(0))
    blurred = acquire_pair(scene, conditions(scene, spot=FocalSpot(1.2, 1.6)), kind, np.random.default_rng(0))
    np.testing.assert_allclose(sharp.truth, blurred.truth, atol=1e-3)
    assert np.abs(np.diff(blurred.degraded)).mean() < 0.95 * np.abs(np.diff(blurred.truth)).mean()
    assert np.exp(blurred.degraded).mean() == pytest.approx(np.exp(blurred.truth).mean(), rel=2e-3)


def test_noise_falls_with_the_root_of_dose(scene):
    spread = []
    for quanta in (4e3, 64e3):
        pair = acquire_pair(scene, conditions(scene, quanta=quanta), "subtracted", np.random.default_rng(1))
        spread.append(np.median(np.abs(pair.frame - pair.truth)))
    assert spread[0] / spread[1] == pytest.approx(4.0, rel=0.15)


def test_subtraction_removes_what_stands_still_and_motion_brings_it_back(scene):
    still = acquire_pair(scene, conditions(scene), "subtracted", np.random.default_rng(2))
    moved = acquire_pair(scene, conditions(scene, motion_px=(0.7, -0.4)), "subtracted", np.random.default_rng(2))
    empty = scene.iodine.sum(axis=(0, 1)) == 0
    far = empty & (np.abs(still.truth) < 1e-3)
    assert np.abs(still.truth[empty]).mean() < 0.01
    assert np.abs(moved.truth[far]).mean() > 3 * np.abs(still.truth[far]).mean()


def test_unknown_kind_is_refused(scene):
    with pytest.raises(ValueError, match="Unknown kind of frame"):
        acquire_pair(scene, conditions(scene), "colour", np.random.default_rng(0))


@pytest.fixture(scope="module")
def moving():
    """A scene of five moments in which the contrast agent runs in."""
    return patient(moments=5, size=96)


@pytest.mark.parametrize("kind", KINDS)
def test_the_middle_moment_does_not_depend_on_the_others(moving, kind):
    usual = conditions(moving, quanta=1e4, drift_px=(0.3, 0.1), motion_px=(0.5, 0.0))
    middle = Scene(moving.view, moving.static, moving.iodine[2:3])
    one, five = (acquire_pair(scene, usual, kind, np.random.default_rng(3)) for scene in (middle, moving))
    assert five.degraded.shape == (5, 96, 96) and one.degraded.shape == (1, 96, 96)
    np.testing.assert_array_equal(five.frame, one.frame)
    np.testing.assert_array_equal(five.truth, one.truth)


def test_moments_have_noise_of_their_own_and_share_the_mask(scene):
    still = Scene(scene.view, scene.static, np.repeat(scene.iodine, 3, axis=0))
    noisy = conditions(scene, quanta=2e3, mask_frames=1)
    covariance = {}
    for kind in KINDS:
        pair = acquire_pair(still, noisy, kind, np.random.default_rng(4))
        noise = (pair.degraded - pair.truth)[:, 20:-20, 20:-20].reshape(3, -1)
        covariance[kind] = np.corrcoef(noise)[0, 1]
    # Mask and contrast frame are as noisy as each other: half the variance of a subtracted frame is the mask's.
    assert covariance["native"] == pytest.approx(0, abs=0.05)
    assert covariance["subtracted"] == pytest.approx(0.5, abs=0.08)


def test_drift_moves_the_other_moments_and_not_the_middle(scene):
    still = Scene(scene.view, scene.static, np.repeat(scene.iodine, 3, axis=0))
    pair = acquire_pair(still, conditions(scene, drift_px=(2.0, -1.0), noise_free=True), "native", None)
    inside = np.s_[10:-10, 10:-10]
    after = np.roll(pair.degraded[1], (2, -1), (0, 1))[inside]
    assert np.abs(pair.degraded[2][inside] - after).mean() < 0.1 * np.abs(pair.degraded[1][inside] - after).mean()
    np.testing.assert_allclose(pair.frame, pair.truth, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_without_noise_and_blur_nothing_is_left_to_restore(scene, kind):
    shutter = Aperture(blades=((0.0, 0.7),))
    effects = Effects(overexposed=0.05, collimator=shutter, zoom=1.3, tone=Tone(exponent=0.5, bits=16))
    pair = acquire_pair(scene, conditions(scene, noise_free=True, effects=effects), kind, None)
    # A quarter of a step of 16 bits is the mean of what rounding leaves.
    assert np.abs(pair.frame - pair.truth).mean() < 2e-4


def test_overexposed_pixels_are_cut_in_both(scene):
    pair = acquire_pair(scene, conditions(scene, effects=Effects(overexposed=0.1)), "native", np.random.default_rng(5))
    most = np.log(2**16 - 1)
    assert pair.truth.max() == pytest.approx(most) and pair.frame.max() == pytest.approx(most)
    assert np.mean(pair.truth > most - 1e-5) == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize("kind", KINDS)
def test_a_shutter_is_flat_outside_and_a_collimator_noisy(scene, kind):
    blade = Aperture(blades=((0.0, 0.5),), leak=0.02)
    spread = {}
    for name in ("shutter", "collimator"):
        taken = conditions(scene, quanta=1e4, effects=Effects(**{name: blade}))
        pair = acquire_pair(scene, taken, kind, np.random.default_rng(6))
        outside = (pair.frame - pair.truth)[:, -40:]
        spread[name] = outside.std(), (pair.frame - pair.truth)[:, :40].std()
    assert spread["shutter"][0] == 0 < spread["shutter"][1]
    assert spread["collimator"][0] > 2 * spread["collimator"][1]


def test_only_the_degraded_frame_is_sharpened(scene):
    plain, sharpened = (
        acquire_pair(scene, conditions(scene, effects=effects), "subtracted", np.random.default_rng(7))
        for effects in (Effects(), Effects(sharpening=(1.5, 1.0)))
    )
    np.testing.assert_array_equal(plain.truth, sharpened.truth)
    assert np.abs(np.diff(sharpened.frame)).mean() > 1.15 * np.abs(np.diff(plain.frame)).mean()
