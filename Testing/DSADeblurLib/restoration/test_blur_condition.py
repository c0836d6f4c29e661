"""The blur condition lies between header and frames, nearer to what is surer, and says how sure it is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from DSADeblurLib.restoration.blur_condition import (
    CAUTION,
    CONDITION_SPREADS,
    HEADER_SPREAD,
    MOST_OF_HEADER,
    SMALLEST_PX,
    _hypotheses,
    assumed_blur,
    combine_header_and_estimate,
    estimate_blur,
    header_is_doubtful,
)

pytestmark = pytest.mark.hypothesis
WIDTHS = st.floats(0, 20)
SPREADS = st.floats(*CONDITION_SPREADS)


def test_without_a_header_frames_tell_alone():
    assert combine_header_and_estimate(np.array([2.0, 3.0, 0.4]), None) == pytest.approx((2, 3, 0.4))


@given(WIDTHS, WIDTHS, SPREADS, WIDTHS, WIDTHS)
def test_between_header_and_frames(rows, columns, spread, header_rows, header_columns):
    blur_condition = combine_header_and_estimate(np.array([rows, columns, spread]), (header_rows, header_columns))
    assert blur_condition.dtype == np.float32 and CONDITION_SPREADS[0] <= blur_condition[2] <= CONDITION_SPREADS[1]
    for width, ends in zip(blur_condition[:2], ((rows, header_rows), (columns, header_columns)), strict=True):
        # No more than a focal spot can have done.
        assert min(*ends, MOST_OF_HEADER * ends[1]) - 1e-4 <= width <= min(max(ends), MOST_OF_HEADER * ends[1]) + 1e-4


@given(WIDTHS, SPREADS, st.one_of(st.none(), WIDTHS), st.floats(0.01, 0.99))
def test_caution_goes_with_the_level_and_with_what_is_unsure(width, spread, header, level):
    header_px = None if header is None else (header, header)

    def told(level, spread=spread):
        return combine_header_and_estimate(np.array([width, width, spread]), header_px, level)[0]

    assert told(level) <= told(min(level + 0.1, 0.99)) + 1e-5
    if header is None and level < 0.5:
        assert told(level, min(1.5 * spread, 1.0)) <= told(level) + 1e-5


def test_the_expectile_is_what_samples_have():
    estimated, header = np.array([3.0, 3.0, 0.3]), (5.0, 5.0)
    right, wrong, trust = _hypotheses(estimated, header)
    rng = np.random.default_rng(1)
    of_right = rng.random(400_000) < trust
    means = np.where(of_right, right.logarithms[0], wrong.logarithms[0])
    samples = rng.normal(means, np.sqrt(np.where(of_right, right.variance, wrong.variance)))
    found = combine_header_and_estimate(estimated, header, 0.1)[0]
    assert np.log(found + SMALLEST_PX) == pytest.approx(stats.expectile(samples, 0.1), abs=3e-3)


def test_caution_is_for_what_no_header_that_is_believed_says():
    sharp = np.array([2.0, 2.0, 0.1])
    for header, level in (((2.1, 2.1), 0.5), ((4.5, 4.5), CAUTION), (None, CAUTION)):
        np.testing.assert_array_equal(assumed_blur(sharp, header), combine_header_and_estimate(sharp, header, level))
    assert assumed_blur(sharp, None)[0] < 2 and assumed_blur(sharp, (2.1, 2.1))[0] > 2


def test_what_else_is_soft_is_not_the_focal_spots_blur():
    # Geometry and frames of a real phantom whose detector and processing blur more than its focal spot.
    combined = combine_header_and_estimate(np.array([2.8, 2.8, 0.3]), (0.45, 0.45))
    assert combined[:2] == pytest.approx(0.9)


def test_the_surer_counts_for_more():
    rows = [
        combine_header_and_estimate(np.array([3.0, 3.0, spread]), (4.0, 4.0))[0]
        for spread in (0.05, HEADER_SPREAD, 0.6)
    ]
    assert rows[0] < 3.2 < rows[1] < 3.8 < rows[2] < 4


def test_what_agrees_is_surer_than_either():
    assert combine_header_and_estimate(np.array([3.0, 3.0, HEADER_SPREAD]), (3.0, 3.0))[2] < HEADER_SPREAD


def test_a_wrong_header_is_found_out_by_sharp_frames_only():
    sharp, dull = (np.array([2.0, 2.0, spread]) for spread in (0.1, 0.8))
    assert header_is_doubtful(sharp, (4.5, 4.5)) and not header_is_doubtful(dull, (4.5, 4.5))
    assert (
        combine_header_and_estimate(sharp, (4.5, 4.5))[0] < 2.2 and combine_header_and_estimate(dull, (4.5, 4.5))[0] > 4
    )
    assert not header_is_doubtful(sharp, (2.1, 2.1))


def test_a_run_is_seen_by_the_median_of_some_frames(make_model):
    model = make_model(kind="unet", modulated=True)
    frames = np.random.default_rng(2).normal(size=(5, 48, 64)).astype(np.float32)
    read = []

    def take(index):
        read.append(index)
        return frames[index]

    estimated = estimate_blur(take, len(frames), model.estimator)
    each = np.array([estimate_blur(lambda _, index=index: frames[index], 1, model.estimator) for index in read])
    assert len(set(read)) == 3
    np.testing.assert_allclose(estimated, np.median(each, axis=0), rtol=1e-6)
