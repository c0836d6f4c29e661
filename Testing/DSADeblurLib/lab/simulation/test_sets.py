"""Held-out sets and the scene cache: repeatable, disjoint, paired between noise levels."""

import numpy as np
import pytest

from DSADeblurLib.lab.simulation.pairs import KINDS
from DSADeblurLib.lab.simulation.scene import random_scene
from DSADeblurLib.lab.simulation.sets import FOREIGN_BLUR_PX, NOISE, SceneCache, generator, held_out_pair


def test_sets_are_disjoint_and_repeatable():
    numbers = {split: generator(split, 3).integers(1 << 62) for split in ("train", "validation", "test", "sample")}
    assert len(set(numbers.values())) == 4
    first, second = (held_out_pair("validation", 1, "native", size=128)[0] for _ in range(2))
    np.testing.assert_array_equal(first.degraded, second.degraded)
    with pytest.raises(ValueError, match="Unknown set"):
        generator("holiday", 1)


@pytest.mark.parametrize("changes", [dict(kind="colour"), dict(noise="loud")])
def test_unknown_frames_are_refused(changes):
    with pytest.raises(ValueError, match="Unknown frames"):
        held_out_pair(**{"split": "validation", "index": 0, "kind": "native", "size": 64, **changes})


@pytest.mark.parametrize("kind", KINDS)
def test_noise_levels_differ_in_dose_alone(kind):
    drawn = {noise: held_out_pair("validation", 2, kind, noise, size=96) for noise in NOISE}
    truths = [pair.truth - pair.truth.mean() for pair, _, _ in drawn.values()]
    for noise, (_, conditions, scene) in drawn.items():
        low, high = NOISE[noise]
        assert low <= conditions.quanta <= high
        assert conditions.spot == drawn["quiet"][1].spot and conditions.motion_px == drawn["quiet"][1].motion_px
        np.testing.assert_array_equal(scene.iodine, drawn["quiet"][2].iodine)
    # The gain follows the dose, which cuts next to nothing at the dark end.
    np.testing.assert_allclose(truths[0], truths[1], atol=5e-3)
    errors = [np.std(pair.frame - pair.truth) for pair, _, _ in drawn.values()]
    assert errors[0] < errors[1] < errors[2]


def test_moments_change_nothing_in_the_frame_to_restore():
    one, five = (held_out_pair("validation", 3, "subtracted", size=96, moments=m)[0] for m in (1, 5))
    assert five.degraded.shape == (5, 96, 96)
    np.testing.assert_allclose(five.frame, one.frame, atol=1e-5)
    np.testing.assert_allclose(five.truth, one.truth, atol=1e-5)


def test_foreign_spots_have_the_width_that_was_asked_for():
    for index in range(4):
        _, conditions, scene = held_out_pair(
            "validation", index, "native", size=64, blur_px=FOREIGN_BLUR_PX, foreign=True
        )
        scale = (scene.view.magnification(0.0) - 1) / scene.view.spacing_mm
        width = np.sqrt(np.prod(conditions.spot.equivalent_widths_mm())) * scale
        assert FOREIGN_BLUR_PX[0] <= width <= FOREIGN_BLUR_PX[1]


@pytest.mark.parametrize("moments", [1, 3])
def test_cache_gives_the_scene_it_was_asked_for(tmp_path, moments):
    cache = SceneCache(tmp_path, 2, size=96, moments=moments)
    whole = random_scene(generator("train", 1), (96, 96), moments)
    part = cache.region(1, slice(10, 50), slice(20, 70))
    assert part.view == whole.view and part.moments == moments
    np.testing.assert_allclose(part.static, whole.static[:, 10:50, 20:70], rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(part.iodine, whole.iodine[..., 10:50, 20:70], rtol=1e-3, atol=1e-3)
    assert not list(tmp_path.glob("*.part"))
