"""What is told lies between header and frames, nearer to what is surer, and says how sure it is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from DSADeblurLib.restoration.blur_condition import header_is_doubtful, what_is_seen, what_to_tell
from DSADeblurLib.restoration.network import HEADER_SPREAD, TOLD_SPREADS

pytestmark = pytest.mark.hypothesis
WIDTHS = st.floats(0, 20)
SPREADS = st.floats(*TOLD_SPREADS)


def test_without_a_header_frames_tell_alone():
    assert what_to_tell(np.array([2.0, 3.0, 0.4]), None) == pytest.approx((2, 3, 0.4))


@given(WIDTHS, WIDTHS, SPREADS, WIDTHS, WIDTHS)
def test_between_header_and_frames(rows, columns, spread, header_rows, header_columns):
    told = what_to_tell(np.array([rows, columns, spread]), (header_rows, header_columns))
    assert told.dtype == np.float32 and TOLD_SPREADS[0] <= told[2] <= TOLD_SPREADS[1]
    for width, ends in zip(told[:2], ((rows, header_rows), (columns, header_columns)), strict=True):
        assert min(ends) - 1e-4 <= width <= max(ends) + 1e-4


def test_the_surer_counts_for_more():
    rows = [what_to_tell(np.array([3.0, 3.0, spread]), (4.0, 4.0))[0] for spread in (0.05, HEADER_SPREAD, 0.6)]
    assert rows[0] < 3.2 < rows[1] < 3.8 < rows[2] < 4


def test_what_agrees_is_surer_than_either():
    assert what_to_tell(np.array([3.0, 3.0, HEADER_SPREAD]), (3.0, 3.0))[2] < HEADER_SPREAD


def test_a_wrong_header_is_found_out_by_sharp_frames_only():
    sharp, dull = (np.array([2.0, 2.0, spread]) for spread in (0.1, 0.8))
    assert header_is_doubtful(sharp, (4.5, 4.5)) and not header_is_doubtful(dull, (4.5, 4.5))
    assert what_to_tell(sharp, (4.5, 4.5))[0] < 2.2 and what_to_tell(dull, (4.5, 4.5))[0] > 4
    assert not header_is_doubtful(sharp, (2.1, 2.1))


def test_a_run_is_seen_by_the_median_of_some_frames(make_model):
    model = make_model(kind="unet", modulated=True)
    frames = np.random.default_rng(2).normal(size=(5, 48, 64)).astype(np.float32)
    read = []

    def take(index):
        read.append(index)
        return frames[index]

    seen = what_is_seen(take, len(frames), model)
    each = np.array([what_is_seen(lambda _, index=index: frames[index], 1, model) for index in read])
    assert len(set(read)) == 3
    np.testing.assert_allclose(seen, np.median(each, axis=0), rtol=1e-6)
