"""Veins drain towards their sinus: late there, early in the thin ends."""

import numpy as np
import pytest

from DSADeblurLib.lab.simulation.tubes import View
from DSADeblurLib.lab.simulation.veins import random_veins

VIEW = View((256, 256), 0.6, 1100.0, 750.0)


@pytest.mark.parametrize("seed", range(4))
def test_blood_comes_from_the_thin_ends(seed):
    veins = random_veins(np.random.default_rng(seed), VIEW)
    assert all(tube.arrival_s.min() >= 0 for tube in veins)
    radii = np.array([tube.radii_mm.mean() for tube in veins])
    arrival = np.array([tube.arrival_s.mean() for tube in veins])
    thin = radii < np.median(radii)
    assert arrival[thin].mean() < arrival[~thin].mean()


def test_blood_flows_from_a_branch_into_the_next():
    veins = random_veins(np.random.default_rng(1), VIEW)
    starts = {tuple(t.points_mm[-1]): t for t in veins}
    joined = [(starts[tuple(t.points_mm[0])], t) for t in veins if tuple(t.points_mm[0]) in starts]
    assert joined
    for nearer, farther in joined:
        assert nearer.arrival_s[-1] == pytest.approx(farther.arrival_s[0])
        assert farther.arrival_s[-1] < farther.arrival_s[0]
