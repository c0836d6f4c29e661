"""Harm counts patients, and its limit is exact."""

import numpy as np
import pytest
from scipy import stats

from DSADeblurLib.study.harm import harm_of


def test_none_of_twenty_is_the_known_limit():
    """Nothing in n: 1 - 0.05 ** (1 / n), about 3 / n."""
    assert harm_of(np.full(20, 3), np.arange(20)).upper == pytest.approx(1 - 0.05 ** (1 / 20), abs=1e-12)


def test_the_limit_is_that_of_the_beta_distribution():
    levels = np.array([1, 2, 2, *[4] * 37])
    assert harm_of(levels, np.arange(40)) == pytest.approx((40, 3, 0.075, stats.beta.ppf(0.95, 4, 37)), abs=1e-9)


def test_a_patient_counts_once():
    levels, patients = np.array([2, 5, 1, 4]), np.array(["a", "a", "a", "b"])
    assert harm_of(levels, patients)[:3] == (2, 1, 0.5)
