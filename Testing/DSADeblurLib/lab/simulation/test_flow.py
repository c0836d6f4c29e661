"""Contrast agent arrives in order, washes out, and vessels swing about where they are in the middle moment."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from DSADeblurLib.lab.simulation.flow import Injection, random_injection, random_motion, with_streams
from DSADeblurLib.lab.simulation.tubes import Tube, View, draw_tubes

VIEW = View((128, 128), 0.2, 1000.0, 700.0)


@given(seed=st.integers(0, 10_000), time=st.floats(0.0, 8.0))
def test_concentration_is_a_share_and_nothing_comes_before_its_time(seed, time):
    injection = random_injection(np.random.default_rng(seed))
    arrival = np.linspace(0, 6, 50)
    amount = injection.concentration(time, arrival)
    assert np.all((amount >= 0) & (amount <= 1 + injection.pulse))
    assert np.all(amount[arrival > time + 2 * (injection.rise_s + injection.dispersion * arrival)] == 0)


def test_front_passes_and_washes_out():
    injection = Injection(duration_s=2.0, rise_s=0.2, dispersion=0.1)
    assert injection.concentration(1.0, np.array([1.0])) == pytest.approx(0.5, abs=0.01)
    assert injection.concentration(2.0, np.array([1.0])) > 0.9
    assert injection.concentration(6.0, np.array([1.0])) == 0


def vessel(radius):
    x = np.linspace(-30, 30, 100)
    return Tube(np.column_stack((x, 0 * x, 0 * x)), np.full(100, radius), np.ones(100), np.linspace(0, 0.5, 100))


def test_streams_stay_inside_their_vessel_and_thin_vessels_have_none():
    thin, wide = vessel(0.3), vessel(2.0)
    assert with_streams(np.random.default_rng(0), [thin]) == [thin]
    for seed in range(8):
        mixed = with_streams(np.random.default_rng(seed), [wide])
        far = [np.linalg.norm(t.points_mm - wide.points_mm, axis=1) + t.radii_mm for t in mixed]
        assert len(mixed) > 1 and max(f.max() for f in far) < 2.0 * 1.01


def test_streams_make_the_front_uneven_across_the_vessel():
    wide, injection = vessel(2.5), Injection(4.0, 0.1, 0.0)
    mixed = with_streams(np.random.default_rng(3), [wide])
    plain = draw_tubes([wide], VIEW, np.array([]), injection.weights([wide], 0.25))[0, 0]
    streamed = draw_tubes(mixed, VIEW, np.array([]), injection.weights(mixed, 0.25))[0, 0]
    share = np.divide(streamed, plain, out=np.zeros_like(plain), where=plain > 0.5)
    column = share[:, 40][plain[:, 40] > 0.5]
    assert column.max() - column.min() > 0.1


def test_motion_rests_in_the_middle_and_stays_within_its_bound():
    times = np.arange(5) / 7.5
    motion = random_motion(np.random.default_rng(1), VIEW, times, most_px=2.0)
    tube = vessel(1.0)
    assert motion.moved([tube], 2)[0] is tube
    for moment in (0, 1, 3, 4):
        moved = motion.moved([tube], moment)[0].points_mm - tube.points_mm
        pixels = np.linalg.norm(moved, axis=1) * VIEW.magnification(0.0) / VIEW.spacing_mm
        assert 0 < pixels.max() <= 4.0
        # Smooth in space: neighbours 0.6 mm apart move alike.
        assert np.abs(np.diff(pixels)).max() < 0.2
