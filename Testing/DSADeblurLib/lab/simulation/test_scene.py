"""Scenes: repeatable, the same middle moment however many moments, moments that differ, and every style drawn."""

import numpy as np
import pytest

from DSADeblurLib.lab.simulation.scene import (
    SLAB_EDGES_MM,
    STYLES,
    Scene,
    body_phantom_scene,
    random_scene,
    random_view,
)

pytestmark = pytest.mark.slow

SHAPE = (96, 128)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("seed", range(4))
def test_middle_moment_does_not_depend_on_the_number_of_moments(style, seed):
    one, five = (random_scene(np.random.default_rng(seed), SHAPE, moments, style) for moments in (1, 5))
    assert one.moments == 1 and five.moments == 5 and one.view == five.view
    assert one.iodine.shape == (1, len(SLAB_EDGES_MM) + 1, *SHAPE) and one.iodine.dtype == np.float32
    np.testing.assert_array_equal(one.static, five.static)
    np.testing.assert_allclose(one.iodine[0], five.iodine[2], atol=2e-5)


def test_moments_differ_in_most_patients():
    changes = []
    for seed in range(10):
        scene = random_scene(np.random.default_rng(seed), SHAPE, 3, "patient")
        changes.append(np.abs(scene.iodine[2] - scene.iodine[0]).sum() / np.abs(scene.iodine).sum())
    assert np.median(changes) > 0.01


def test_lines_integrals_are_finite_and_let_something_through():
    for seed in range(12):
        scene = random_scene(np.random.default_rng(seed), SHAPE)
        assert scene.static.dtype == scene.iodine.dtype == np.float32
        total = scene.static.sum(axis=0)
        assert np.isfinite(scene.static).all() and np.isfinite(scene.iodine).all()
        assert np.median(total) < 8 and total.min() > -1


def test_phases_differ_between_scenes():
    filled = [(random_scene(np.random.default_rng(s), SHAPE).iodine.sum(axis=(0, 1)) > 0.01).mean() for s in range(12)]
    assert np.ptp(filled) > 0.2


def test_body_phantom_holds_no_contrast_agent_but_bones():
    scene = body_phantom_scene(np.random.default_rng(3), SHAPE)
    assert not scene.iodine.any()
    assert np.ptp(scene.static.sum(axis=0)) > 0.2


def test_what_cannot_be_is_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="odd number of moments"):
        random_scene(rng, SHAPE, 2)
    with pytest.raises(ValueError, match="Unknown style"):
        random_scene(rng, SHAPE, style="holiday")
    with pytest.raises(ValueError, match="odd moments"):
        Scene(random_view(rng, (8, 8)), np.zeros((3, 8, 8)), np.zeros((2, 3, 8, 8)))
