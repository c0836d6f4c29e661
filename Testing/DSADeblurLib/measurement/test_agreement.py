"""Figures of agreement are those of published examples and of other programs."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from DSADeblurLib.measurement.agreement import compare, intraclass

# Peak flow of 17 people by two meters: J. M. Bland, D. G. Altman, Lancet 327 (1986) 307-310.
WRIGHT = np.array([494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427.0])
MINI = np.array([512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451.0])
# Eight wines by four judges: the example of pingouin.intraclass_corr.
WINES = np.array(
    [[1, 2, 0, 1], [1, 3, 3, 2], [3, 8, 1, 4], [6, 4, 3, 3], [6, 5, 5, 6], [7, 5, 6, 2], [8, 7, 7, 9], [9, 9, 9, 8.0]]
)
values = arrays(float, 12, elements=st.floats(0.5, 10, width=32))


def test_bland_and_altman_have_the_same_bias_and_limits():
    found = compare(MINI, WRIGHT)
    assert found.count == 17
    assert (round(found.bias.value, 1), round(found.deviation, 1)) == (-2.1, 38.8)
    assert (round(found.bias.low, 1), round(found.bias.high, 1)) == (-22.0, 17.8)
    assert (found.lower.value, found.upper.value) == pytest.approx((-2.1 - 1.96 * 38.8, -2.1 + 1.96 * 38.8), abs=0.1)


def test_intraclass_correlations_are_those_of_pingouin():
    agreement, consistency = intraclass(WINES)
    assert agreement == pytest.approx((0.72769, 0.43449, 0.92671), abs=1e-5)
    assert consistency == pytest.approx((0.72949, 0.42615, 0.92790), abs=1e-5)


def test_intervals_of_the_limits_hold_the_true_limit_as_often_as_they_say():
    rng = np.random.default_rng(0)
    found = [compare(np.zeros(12), rng.normal(size=12)) for _ in range(500)]
    held = np.mean([one.upper.low <= 1.96 <= one.upper.high for one in found])
    # A standard deviation of the share is 0.01.
    assert 0.92 <= held <= 0.98


@given(values, st.floats(-3, 3))
def test_a_shift_is_a_bias_and_nothing_else(first, shift):
    found = compare(first, first + shift)
    assert found.bias.value == pytest.approx(shift, abs=1e-9)
    assert found.deviation == pytest.approx(0, abs=1e-9)
    if np.ptp(first) > 0.1:
        assert found.icc_consistency.value == pytest.approx(1, abs=1e-6)
        assert found.icc_agreement.value <= 1


@given(values, values)
def test_order_changes_signs_only(first, second):
    one, other = compare(first, second), compare(second, first)
    assert one.bias.value == pytest.approx(-other.bias.value)
    assert one.upper.high == pytest.approx(-other.lower.low)
    assert one.wilcoxon == pytest.approx(other.wilcoxon)
    assert one.variation == pytest.approx(other.variation)


def test_variation_within_pairs_worked_by_hand():
    # Differences of 2, 0 and 2 about a mean of 10: sqrt((4 + 0 + 4) / 3 / 2) / 10.
    found = compare(np.array([9.0, 10, 9]), np.array([11.0, 10, 11]))
    assert found.variation == pytest.approx(math.sqrt(8 / 6) / 10)


def test_pairs_that_lack_a_value_are_left_out_and_counted():
    found = compare(np.array([1.0, 2, 3, np.nan, 5]), np.array([1.0, 2, 3, 4, np.inf]))
    assert (found.count, found.left_out) == (3, 2)
    assert found.wilcoxon == 1.0


def test_vessels_that_are_all_alike_have_no_correlation():
    found = compare(np.ones(5), np.ones(5))
    assert math.isnan(found.icc_agreement.value)
    assert json.loads(json.dumps(found.as_dict(), allow_nan=False))["icc_agreement"] == [None] * 3


@pytest.mark.parametrize(
    ("first", "second", "words"), [([1, 2], [1, 2], "at least 3"), ([1, 2, 3], [1, 2], "one length")]
)
def test_unusable_pairs_are_refused(first, second, words):
    with pytest.raises(ValueError, match=words):
        compare(np.array(first), np.array(second))
