"""Anatomy and devices: what a detector can take, bones with edges, the same again from the same seed."""

import numpy as np
import pytest

from DSADeblurLib.lab.simulation.anatomy import STYLES, random_anatomy
from DSADeblurLib.lab.simulation.bones import body_bones, head_bones, hollow
from DSADeblurLib.lab.simulation.devices import random_devices, random_line, shifted
from DSADeblurLib.lab.simulation.scene import SLAB_EDGES_MM
from DSADeblurLib.lab.simulation.tubes import View, draw_tubes
from DSADeblurLib.lab.simulation.vessels import random_arteries

pytestmark = pytest.mark.slow

VIEW = View((200, 240), 0.6, 1100.0, 750.0)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("seed", range(5))
def test_contrast_suits_a_detector(style, seed):
    first, second = (random_anatomy(np.random.default_rng(seed), VIEW, SLAB_EDGES_MM, style) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    total = first.sum(axis=0)
    assert first.shape == (3, *VIEW.shape) and first.dtype == np.float32
    assert total.min() >= -1e-3
    low, high = np.percentile(total, (1, 99))
    assert 0.05 < high - low < 4


def test_a_hollow_bone_is_darkest_at_its_walls():
    y = np.linspace(-80, 80, 300)
    bone = hollow(np.column_stack((0 * y, y, 0 * y)), np.full(300, 10.0), 2.0)
    profile = draw_tubes(bone, VIEW, np.array([]))[0, 100]
    middle = profile[118:122].mean()
    assert profile.max() > 1.2 * middle > 0


@pytest.mark.parametrize("make", [head_bones, body_bones])
def test_bones_lie_in_the_field(make):
    seen = [draw_tubes(make(np.random.default_rng(s), VIEW), VIEW, SLAB_EDGES_MM).any() for s in range(6)]
    assert np.mean(seen) > 0.8


def test_devices_are_drawn_and_stents_lie_in_vessels():
    drawn, stents = 0, 0
    for seed in range(14):
        rng = np.random.default_rng(seed)
        arteries = random_arteries(rng, VIEW)
        devices = random_devices(rng, VIEW, arteries)
        image = draw_tubes([*devices.still, *devices.loose], VIEW, SLAB_EDGES_MM)
        drawn += image.any()
        assert image.min() > -0.2
        wires = [tube for tube in devices.still if tube.radii_mm[0] < 0.1 and len(tube.radii_mm) > 20]
        for wire in wires[:1]:
            stents += 1
            gaps = [np.linalg.norm(v.points_mm - wire.points_mm[0], axis=1).min() / v.radii_mm.max() for v in arteries]
            assert min(gaps) < 3 or wire.radii_mm[0] >= 0.1
    assert drawn > 8 and stents > 0


def test_lines_enter_from_outside_and_shifting_moves_all():
    line = random_line(np.random.default_rng(4), VIEW)
    half = np.array(VIEW.field_mm[::-1]) / 2
    assert np.any(np.abs(line[0, :2]) > half)
    devices = random_devices(np.random.default_rng(0), VIEW, [])
    every = [*devices.still, *devices.loose]
    moved = shifted(every, np.array([1.0, 2.0, 0.0]))
    assert all(np.allclose(b.points_mm - a.points_mm, [1, 2, 0]) for a, b in zip(every, moved, strict=True))
