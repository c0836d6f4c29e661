"""Lines that the data do not explain are found, others are not, and what lies beyond the limit is what it should be."""

import json

import numpy as np
import pytest
from scipy import fft, ndimage

from DSADeblurLib.restoration.controls import reblurred
from DSADeblurLib.restoration.normalisation import Aperture
from DSADeblurLib.restoration.trust import (
    UNEXPLAINED,
    Place,
    Trust,
    TrustWatch,
    beyond_limit,
    places_of,
    unexplained,
)

BLUR = (2.5, 3.0)
NOISE = 0.01
SHAPE = (200, 221)


def line(row, low, high, width=1.0):
    picture = np.zeros(SHAPE, np.float32)
    picture[row, low:high] = 1
    return ndimage.gaussian_filter(picture, width) * (width * np.sqrt(2 * np.pi))


def blurred(frame):
    return reblurred(frame.astype(np.float32), BLUR, Aperture(None))


VESSEL, FALSE = -0.2 * line(60, 20, 200), -0.05 * line(140, 60, 160)
FRAME = (blurred(VESSEL) + np.random.default_rng(2).normal(0, NOISE, SHAPE)).astype(np.float32)


def test_a_line_that_is_not_in_the_data_is_found_and_one_that_is_is_not():
    assert (unexplained(FRAME, blurred(VESSEL))[58:63, 30:190] > UNEXPLAINED).mean() < 0.05
    response = unexplained(FRAME, blurred(VESSEL + FALSE))
    assert response.shape == SHAPE and response.dtype == np.float32
    assert (response[139:142, 70:150] > UNEXPLAINED).mean() > 0.9
    assert (response[58:63, 30:190] > UNEXPLAINED).mean() < 0.05
    first = max(places_of(response, 3), key=lambda place: place.strength)
    assert first.frame == 3 and abs(first.row - 140) <= 3 and 55 <= first.column <= 165


def test_a_vessel_that_was_left_out_is_not_called_invented():
    response = unexplained(FRAME, np.zeros(SHAPE, np.float32))
    assert (response > UNEXPLAINED).sum() == 0


def test_the_unit_of_the_values_changes_nothing():
    claimed = blurred(VESSEL + FALSE)
    np.testing.assert_array_equal(unexplained(32 * FRAME, 32 * claimed), unexplained(FRAME, claimed))
    assert places_of(np.zeros(SHAPE, np.float32), 1) == []


def test_what_a_spot_of_this_width_lets_through():
    waves = np.arange(256)

    def share(width, *frequencies):
        picture = np.sum([np.cos(2 * np.pi * f * waves) for f in frequencies], axis=0)[None].repeat(256, axis=0)
        return beyond_limit(np.abs(fft.rfft2(picture)) ** 2, 256, (1.0, width))

    # 1 / 4 of a cycle per pixel is the first zero of a spot of 4 pixels.
    assert share(4.0, 0.21875) < 0.01 and share(4.0, 0.28125) > 0.99
    assert share(4.0, 0.125, 0.375) == pytest.approx(0.5, abs=1e-6)
    assert share(4.0, 0.125, 0.5) == pytest.approx(2 / 3, abs=1e-6)  # a wave at the last frequency has no negative
    assert beyond_limit(np.zeros((64, 33)), 64, BLUR) == 0


def test_a_watched_run():
    """Two frames of a run of which the second has a false line."""
    watch = TrustWatch(None)
    nothing = np.zeros(SHAPE, bool)
    watch(0, FRAME, VESSEL, blurred(VESSEL), nothing)
    alone = watch.trust([7], BLUR)
    watch(1, FRAME, VESSEL + FALSE, blurred(VESSEL + FALSE), nothing)
    both = watch.trust([7, 9], BLUR)
    assert len(alone.places) < len(both.places) and alone.unexplained < both.unexplained
    assert both.places[0].frame == 9 and abs(both.places[0].row - 140) <= 3
    assert 0 < both.beyond < 1
    values = json.loads(json.dumps(both.as_dict()))
    assert values["count"] == len(both.places) and values["sentence"] == both.in_words()
    assert TrustWatch(None).trust([], None) == Trust((), 0.0, 0.0)


def test_one_sentence():
    words = Trust((), 0.0, 0.2).in_words()
    assert words.startswith("No line of the result contradicts the data; 20 % of the sharpening is finer")
    words = Trust((Place(7, 30, 40, 5.0), Place(4, 10, 20, 2.0)), 0.01, 0.2).in_words()
    assert words.startswith("At 2 places in 2 frames") and "frame 7 at row 30, column 40" in words
