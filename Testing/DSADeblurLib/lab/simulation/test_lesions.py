"""Lesions change what they should and nothing else."""

import numpy as np
import pytest

from DSADeblurLib.lab.simulation import lesions
from DSADeblurLib.lab.simulation.tubes import Tube, View, draw_tubes

VIEW = View((128, 128), 0.2, 1000.0, 700.0)


@pytest.fixture()
def vessel():
    x = np.linspace(-60, 0, 150)
    return Tube(np.column_stack((x, 0 * x, 0 * x)), np.full(150, 1.0), np.ones(150), np.linspace(0, 1, 150))


def test_stenosis_narrows_and_leaves_the_ends(vessel):
    after = lesions.add_stenosis(np.random.default_rng(0), vessel)
    ratio = after.radii_mm / vessel.radii_mm
    assert 0.1 < ratio.min() < 0.75
    assert ratio[[0, -1]] == pytest.approx([1, 1], abs=0.02)
    np.testing.assert_array_equal(after.points_mm, vessel.points_mm)


def test_an_aneurysm_is_a_ball_at_the_end(vessel):
    sac = lesions.aneurysm(np.random.default_rng(1), vessel)[0]
    radius = sac.radii_mm.max()
    assert 1.2 <= radius <= 3.0
    image = draw_tubes([sac], VIEW, np.array([]))[0]
    pixel = VIEW.spacing_mm / VIEW.magnification(sac.points_mm[16, 2])
    assert image.sum() * pixel**2 == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.05)
    assert image.max() == pytest.approx(2 * radius, rel=0.05)


def test_a_nidus_drains_later_than_it_fills(vessel):
    *tangle, vein = lesions.nidus(np.random.default_rng(2), vessel)
    assert min(t.arrival_s.min() for t in tangle) >= vessel.arrival_s[-1]
    assert vein.arrival_s.min() >= max(t.arrival_s.max() for t in tangle)
