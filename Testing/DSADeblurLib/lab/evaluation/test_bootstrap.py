"""Intervals hold the mean as often as they say, and what was not measured does not count."""

import math

import numpy as np
import pytest

from DSADeblurLib.lab.evaluation.bootstrap import estimate


def test_the_interval_holds_the_true_mean_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    values = [rng.normal(3.0, 2.0, 30) for _ in range(100)]
    found = [estimate(one) for one in values]
    assert 85 <= sum(e.low <= 3.0 <= e.high for e in found) <= 100
    width = np.mean([e.high - e.low for e in found])
    assert width == pytest.approx(2 * 1.96 * 2 / math.sqrt(30), rel=0.15)
    assert estimate(values[0]) == found[0]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0, math.nan, 3.0, math.inf], (2.0, 1.0, 3.0)),
        ([math.nan], (math.nan, math.nan, math.nan)),
        ([2.5], (2.5, math.nan, math.nan)),
        ([2.0] * 5, (2.0, 2.0, 2.0)),
    ],
)
def test_what_is_not_finite_is_left_out_and_one_value_has_no_interval(values, expected):
    assert estimate(np.array(values)) == pytest.approx(expected, nan_ok=True)
