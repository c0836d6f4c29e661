"""Frame times survive, up to rounding that does not add up."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from DSADeblurLib.pictures import PictureError
from DSADeblurLib.pictures.timing import durations_of, rounded


def test_durations():
    durations, notes = durations_of(4, [0, 0.1, 0.25, 0.75])
    np.testing.assert_allclose(durations, [0.1, 0.15, 0.5, 0.5])
    assert notes == ()
    durations, notes = durations_of(3, None)
    assert durations.tolist() == [0.1] * 3 and "no times; they play at 10 frames per second" in notes[0]
    assert durations_of(1, [0.0]) == (np.array([0.1]), ())


@given(st.lists(st.floats(0.02, 2), min_size=1, max_size=300))
def test_rounding_does_not_add_up(durations):
    durations = np.array(durations)
    ends = np.cumsum(rounded(durations, 0.01, 1)) * 0.01
    assert np.abs(ends - np.cumsum(durations)).max() <= 0.005 + 1e-9


@pytest.mark.parametrize("times", [[0, 1], [0, 2, 1], [0, np.nan, 1], [[0, 1, 2]]])
def test_times_that_do_not_fit(times):
    with pytest.raises(PictureError, match="do not fit 3 frames, or do not ascend"):
        durations_of(3, times)


def test_no_frame():
    with pytest.raises(PictureError, match="no frame to be shown"):
        durations_of(0, None)
