"""A study that readers see through is told so."""

import numpy as np
import pytest
from scipy import stats

from DSADeblurLib.study.blinding import blinding_of


def test_seen_through():
    found = blinding_of(np.array([1.0] * 14 + [0.0] * 2 + [np.nan] * 4))
    assert found[:3] == (14, 2, 4) and "NOT BLIND" in found.verdict
    assert found.p == pytest.approx(stats.binomtest(14, 16).pvalue) and found.bang == pytest.approx(12 / 20)


def test_guessed_and_not_asked():
    assert "is not shown" in blinding_of(np.array([1.0] * 5 + [0.0] * 5)).verdict
    assert "is not shown" in blinding_of(np.array([0.0] * 16)).verdict  # always wrong is no knowledge of this kind
    assert "is not known" in blinding_of(np.array([])).verdict
    assert "is not known" in blinding_of(np.array([np.nan])).verdict
