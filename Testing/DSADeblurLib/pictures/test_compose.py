"""The picture is the frames, in one window, and always says what it is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from DSADeblurLib.pictures import PictureError, display_window, side_by_side
from DSADeblurLib.pictures.compose import LARGEST, SMALLEST


def _halves(picture):
    grey = np.asarray(picture)
    width = (grey.shape[1] - 4) // 2
    return grey[:, :width], grey[:, width + 4 :]


def _labelled(size, value):
    """Return the deblurred half on an even background, and where the label's box is."""
    frame = np.full((size, size), float(value))
    return _halves(side_by_side(frame, frame, (0, 255)))


@pytest.mark.parametrize("size", [64, 128, 256, 300, 512, 1024, 1500])
def test_label_can_be_read_on_any_background(size):
    (left, white), (_, black), (_, grey) = (_labelled(size, value) for value in (255, 0, 127))
    # The box of the label is what is the same on white, black and grey.
    same = (white == black) & (black == grey)
    rows, columns = np.nonzero(same[len(same) // 2 :])
    box = white[len(same) // 2 :][rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert same[len(same) // 2 :][rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].mean() > 0.99
    # White letters on black, over most of the width, at least ten pixels high.
    assert box.shape[1] > 0.85 * white.shape[1] and box.shape[0] >= 10
    assert box.min() == 0 and box.max() == 255 and 0.1 < (box > 127).mean() < 0.5
    assert (left[len(left) // 2 :] == 255).all()


@given(st.integers(2, 90), st.integers(2, 90), st.floats(-50, 50), st.floats(0.1, 99))
def test_both_halves_are_shown_in_the_same_window(rows, columns, low, width):
    rng = np.random.default_rng(1)
    frame = rng.uniform(low - width, low + 2 * width, (rows, columns))
    left, right = _halves(side_by_side(frame, frame, (low, low + width)))
    factor = -(-SMALLEST // columns)
    expected = np.clip(np.rint((frame - low) * (255 / width)), 0, 255).repeat(factor, 0).repeat(factor, 1)
    # Away from the words the pixels are the frame's, each repeated.
    shown = left[: expected.shape[0]]
    away = np.ones(shown.shape, bool)
    away[:40, :120] = False
    assert (shown == expected)[away].all()
    middle = slice(30, max(30, rows * factor - 40))
    assert (right[middle, 120:] == left[middle, 120:]).all()


def test_large_frames_become_smaller_and_sides_are_even():
    picture = side_by_side(np.zeros((1501, 1333)), np.ones((1501, 1333)), (0, 1))
    assert max(picture.size[1], (picture.size[0] - 4) // 2) == LARGEST
    assert picture.size[0] % 2 == picture.size[1] % 2 == 0
    assert side_by_side(np.zeros((301, 257)), np.zeros((301, 257)), (0, 1)).size == (518, 302)


def test_values_that_are_none():
    frame = np.array([[np.nan, np.inf], [-np.inf, 0.5]], np.float32)
    left, _ = _halves(side_by_side(frame, frame, (0, 1)))
    assert (left[100, -1], left[-1, 0], left[-1, -1]) == (255, 0, 128)
    assert display_window([frame]) == (0.5, 1.5)


def test_window_is_that_of_the_whole_run(runs):
    frames, _ = runs(100)
    low, high = display_window(frames)
    values = np.concatenate([frames[index].ravel() for index in range(100)])
    np.testing.assert_allclose((low, high), np.percentile(values, (0.5, 99.5)), atol=0.02 * np.ptp(values))
    assert len(set(frames.asked[:24])) == 24


def test_frames_that_do_not_fit():
    with pytest.raises(PictureError, match="are not frames of one size"):
        side_by_side(np.zeros((4, 5)), np.zeros((5, 4)), (0, 1))
    for frames in ([], [np.full((2, 2), np.nan)]):
        with pytest.raises(PictureError, match="no frame with values"):
            display_window(frames)
