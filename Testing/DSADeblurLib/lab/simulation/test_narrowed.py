"""Narrowed vessels have the diameters that they are asked for."""

import numpy as np
import pytest

from DSADeblurLib.lab.simulation.narrowed import NarrowedVessel, narrowed_phantom


@pytest.mark.parametrize("curved", [False, True])
@pytest.mark.parametrize(("down", "left"), [(0.0, 0.4), (0.9, 0.4), (2.5, 1.0), (8.0, 1.0)])
def test_the_longest_way_and_the_area_across_are_those_of_a_circle(curved, down, left):
    vessel = NarrowedVessel(1.0, 3.0, 0.6, curved)
    slope = float(vessel.right_mm(np.array([down]), 1)[0])
    across = np.linspace(-3, 3, 3001)
    turn = np.hypot(1, slope)
    middle = vessel.right_mm(np.array([down]))[0]
    chord = vessel.chord_mm(middle + across / turn, down - across * slope / turn)
    assert chord.max() == pytest.approx(3.0 * left, rel=1e-3)
    assert np.trapezoid(chord, across) == pytest.approx(np.pi / 4 * (3.0 * left) ** 2, rel=2e-3)


@pytest.mark.slow
def test_a_frame_shows_the_vessels_where_they_are():
    phantom = narrowed_phantom(0.5, True, size=512)
    frame = phantom.take(1e6, np.random.default_rng(0))
    for vessel in phantom.vessels[4:]:
        (middle, far), _ = phantom.along(vessel, np.array([0.0, 12.0]))
        there, narrow = (frame[tuple(np.rint(point).astype(int))] for point in (far, middle))
        assert there < narrow < -0.05
        assert narrow == pytest.approx(there / 2, rel=0.3)
