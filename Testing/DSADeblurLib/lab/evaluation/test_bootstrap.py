"""Intervals hold the mean as often as they say, and what was not measured does not count."""

import math

import numpy as np
import pytest

from DSADeblurLib.lab.evaluation.bootstrap import estimate


def test_the_interval_holds_the_true_mean_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    found = [estimate(rng.normal(3.0, 2.0, 30)) for _ in range(100)]
    assert 85 <= sum(e.low <= 3.0 <= e.high for e in found) <= 100
    width = np.mean([e.high - e.low for e in found])
    assert width == pytest.approx(2 * 1.96 * 2 / math.sqrt(30), rel=0.15)


def test_what_is_not_finite_is_left_out():
    assert estimate(np.array([1.0, math.nan, 3.0, math.inf])).mean == 2.0
    assert math.isnan(estimate(np.array([math.nan])).mean)


def test_one_value_has_no_interval_and_equal_values_a_point():
    one = estimate(np.array([2.5]))
    assert one.mean == 2.5 and math.isnan(one.low) and math.isnan(one.high)
    assert estimate(np.full(5, 2.0)) == estimate(np.full(9, 2.0))


def test_the_same_values_give_the_same_interval():
    values = np.random.default_rng(1).normal(size=20)
    assert estimate(values) == estimate(values) and estimate(values, np.median).mean == np.median(values)
