"""Test objects have the areas and frequencies that they claim, and contrasts that do not go with their size."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from DSADeblurLib.lab.simulation.geometric_objects import bars, disc, edge, star, target_scene_parts
from DSADeblurLib.lab.simulation.tubes import View

PIXEL = 0.05
ROWS, COLUMNS = ((np.arange(400) - 199.5) * PIXEL)[:, None], ((np.arange(400) - 199.5) * PIXEL)[None, :]
VIEW = View((200, 220), 0.15, 1100.0, 750.0)


@given(radius=st.floats(0.3, 8))
def test_a_disc_covers_its_area(radius):
    assert disc(radius)(ROWS, COLUMNS, PIXEL).sum() * PIXEL**2 == pytest.approx(np.pi * radius**2, rel=0.02)


@given(frequency=st.floats(0.6, 5.0), pairs=st.integers(3, 10))
def test_line_pairs_fill_half_of_their_group_at_their_frequency(frequency, pairs):
    image = np.broadcast_to(bars(frequency, pairs, 4.0)(ROWS, COLUMNS, PIXEL), (400, 400))
    extent = min(pairs / frequency, 20.0)
    if pairs / frequency < 19:
        assert image.sum() * PIXEL**2 == pytest.approx(0.5 * extent * 4.0, rel=0.02)
    profile = image[200] - image[200].mean()
    spectrum = np.abs(np.fft.rfft(profile, 8192))
    frequencies = np.fft.rfftfreq(8192, PIXEL)
    near = frequencies > 0.6 * frequency
    assert frequencies[near][spectrum[near].argmax()] == pytest.approx(frequency, rel=0.12)


def test_bars_too_fine_for_the_pixel_fade_to_grey():
    image = bars(20.0, 40, 4.0)(ROWS, COLUMNS, PIXEL)
    assert image[200, 180:220].std() < 0.35
    assert image[200, 180:220].mean() == pytest.approx(0.5, abs=0.05)


def test_half_of_a_star_and_half_of_a_plane_are_covered():
    assert star(20, 8.0)(ROWS, COLUMNS, PIXEL).sum() * PIXEL**2 == pytest.approx(0.5 * np.pi * 64, rel=0.03)
    assert np.broadcast_to(edge(np.inf)(ROWS, COLUMNS, PIXEL), (400, 400)).mean() == pytest.approx(0.5, abs=0.01)


def test_objects_stand_still_and_appear_as_contrast():
    shown = [target_scene_parts(np.random.default_rng(seed), VIEW, 3, 3) for seed in range(5)]
    for static, iodine in shown:
        assert static.shape == (3, *VIEW.shape) and iodine.shape == (3, 3, *VIEW.shape)
        assert np.abs(np.diff(static.sum(axis=0))).max() > 0.01 and iodine.any()
    moved = [np.abs(iodine[2] - iodine[0]).max() for _, iodine in shown]
    assert min(moved) == 0 and max(moved) > 0
