"""The area under the curve of grades is the chance of a higher grade."""

import numpy as np
import pytest
from scipy import stats

from DSADeblurLib.study.grading_curve import vgc_area


def test_the_area_is_mann_whitneys_u():
    rng = np.random.default_rng(0)
    reference, tested = rng.integers(1, 6, 40), rng.integers(2, 6, 40)
    grades, is_tested = np.concatenate([reference, tested]), np.repeat([False, True], 40)
    area = vgc_area(grades, is_tested, np.tile(np.arange(40), 2), 5, 500)
    assert area.value == pytest.approx(stats.mannwhitneyu(tested, reference).statistic / 1600, abs=1e-12)
    assert area.low < area.value < area.high


def test_equal_arms_have_half_of_the_area():
    grades = np.tile([1, 2, 3, 4, 5], 2)
    area = vgc_area(grades, np.repeat([False, True], 5), np.tile(np.arange(5), 2), 5, 200)
    assert area == pytest.approx((0.5, 0.5, 0.5))


def test_the_curve_by_trapezoids():
    """Points of the curve (share of grades at or above each, both arms), as they are drawn."""
    reference, tested = np.array([1, 1, 2, 3]), np.array([2, 3, 3, 3])
    above = [[(one >= grade).mean() for grade in (4, 3, 2, 1)] for one in (reference, tested)]
    area = vgc_area(np.concatenate([reference, tested]), np.repeat([False, True], 4), np.tile(np.arange(4), 2), 3, 200)
    assert area.value == pytest.approx(np.trapezoid(above[1], above[0]))
