"""Pairs: what differs between them is the focal spot and the noise, nothing else."""

from dataclasses import replace

import numpy as np
import pytest

from DSADeblurLib.physics.detector import Detector
from DSADeblurLib.physics.focal_spot import FocalSpot
from DSADeblurLib.simulation.pairs import KINDS, MICRO_SPOT, Conditions, acquire_pair, random_conditions
from DSADeblurLib.simulation.scene import Injection, random_scene
from DSADeblurLib.simulation.sets import SceneCache, generator, held_out_pair


@pytest.fixture(scope="module")
def scene():
    return random_scene(np.random.default_rng(11), (256, 256))


def conditions(scene, **changes):
    spacing = (scene.view.spacing_mm,) * 2
    usual = Conditions(MICRO_SPOT, Detector(spacing_mm=spacing, bits=16, electronic_noise_quanta=0.0), 1e9, 4)
    return replace(usual, **changes)


@pytest.mark.parametrize("kind", KINDS)
def test_micro_spot_without_noise_is_the_truth(scene, kind):
    pair = acquire_pair(scene, conditions(scene), kind, np.random.default_rng(0))
    # Half a digital number at 16 bits, seen through the logarithm where little gets through.
    assert np.sqrt(np.mean((pair.degraded - pair.truth) ** 2)) < 2e-3


@pytest.mark.parametrize("kind", KINDS)
def test_large_spot_blurs_and_keeps_the_mean(scene, kind):
    sharp = acquire_pair(scene, conditions(scene), kind, np.random.default_rng(0))
    blurred = acquire_pair(scene, conditions(scene, spot=FocalSpot(1.2, 1.6)), kind, np.random.default_rng(0))
    np.testing.assert_array_equal(sharp.truth, blurred.truth)
    assert np.abs(np.diff(blurred.degraded)).mean() < 0.95 * np.abs(np.diff(blurred.truth)).mean()
    assert np.exp(blurred.degraded).mean() == pytest.approx(np.exp(blurred.truth).mean(), rel=2e-3)


def test_noise_falls_with_the_root_of_dose(scene):
    spread = []
    for quanta in (4e3, 64e3):
        pair = acquire_pair(scene, conditions(scene, quanta=quanta), "subtracted", np.random.default_rng(1))
        spread.append(np.median(np.abs(pair.degraded - pair.truth)))
    assert spread[0] / spread[1] == pytest.approx(4.0, rel=0.15)


def test_subtraction_removes_what_stands_still_and_motion_brings_it_back(scene):
    still = acquire_pair(scene, conditions(scene), "subtracted", np.random.default_rng(2))
    moved = acquire_pair(scene, conditions(scene, motion_px=(0.7, -0.4)), "subtracted", np.random.default_rng(2))
    empty = scene.iodine.sum(axis=0) == 0
    far = empty & (np.abs(still.truth) < 1e-3)
    assert np.abs(still.truth[empty]).mean() < 0.01
    assert np.abs(moved.truth[far]).mean() > 3 * np.abs(still.truth[far]).mean()


def test_unknown_kind_is_refused(scene):
    with pytest.raises(ValueError, match="Unknown kind of frame"):
        acquire_pair(scene, conditions(scene), "colour", np.random.default_rng(0))


def test_sets_are_disjoint_and_repeatable():
    numbers = {split: generator(split, 3).integers(1 << 62) for split in ("train", "validation", "test", "sample")}
    assert len(set(numbers.values())) == 4
    first, second = (held_out_pair("validation", 1, "native", size=128)[0] for _ in range(2))
    np.testing.assert_array_equal(first.degraded, second.degraded)
    with pytest.raises(ValueError, match="Unknown set"):
        generator("holiday", 1)


def test_random_conditions_stay_in_range(scene):
    rng = np.random.default_rng(3)
    for _ in range(50):
        drawn = random_conditions(rng, scene, (1e3, 1e5))
        assert 1e3 <= drawn.quanta <= 1e5
        # Full width at half maximum; IEC's length limit for a nominal 1.2 is 2.4 mm.
        assert 0.2 < drawn.spot.width_mm <= 1.7 and drawn.spot.length_mm <= 2.5


def test_cache_gives_the_scene_it_was_asked_for(tmp_path):
    cache = SceneCache(tmp_path, 2, size=96)
    whole = random_scene(generator("train", 1), (96, 96))
    part = cache.region(1, slice(10, 50), slice(20, 70))
    assert part.view == whole.view
    np.testing.assert_allclose(part.static, whole.static[:, 10:50, 20:70], rtol=1e-3, atol=1e-3)
    assert not list(tmp_path.glob("*.part"))


def test_injection_arrives_in_order():
    injection = Injection(arrival_mm=50.0, front_mm=10.0, length_mm=200.0)
    concentration = injection.concentration(np.array([0.0, 50.0, 100.0]))
    assert concentration[0] > 0.99 and concentration[1] == pytest.approx(0.5, abs=0.01) and concentration[2] < 0.01
