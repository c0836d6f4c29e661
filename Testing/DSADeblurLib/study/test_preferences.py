"""Bradley and Terry's model before a published table and a logistic regression."""

from itertools import combinations

import numpy as np
import pytest

from DSADeblurLib.study.preferences import bradley_terry, worths

# Baseball 1987, American League East: wins of row over column (Agresti, Categorical Data Analysis, table 10.10).
# Baltimore, Cleveland, Boston, New York, Toronto, Detroit, Milwaukee.
WINS = np.array(
    [
        [0, 7, 1, 3, 1, 4, 2],
        [6, 0, 6, 6, 5, 4, 4],
        [12, 7, 0, 7, 6, 2, 6],
        [10, 7, 6, 0, 6, 8, 6],
        [12, 8, 7, 7, 0, 6, 4],
        [9, 9, 11, 5, 7, 0, 6],
        [11, 9, 7, 7, 9, 7, 0],
    ],
    dtype=float,
)


def test_worths_of_the_published_table():
    found = bradley_terry(WINS[None], added=0)[0]
    assert found == pytest.approx([0, 0.684, 1.108, 1.248, 1.294, 1.436, 1.581], abs=5e-4)


def test_worths_are_those_of_a_logistic_regression():
    sm = pytest.importorskip("statsmodels.api", reason="statsmodels is not installed")
    design, won = [], []
    for one, other in combinations(range(7), 2):
        row = np.zeros(7)
        row[one], row[other] = 1, -1
        design.append(row[1:])
        won.append([WINS[one, other], WINS[other, one]])
    theirs = sm.GLM(np.array(won), np.array(design), family=sm.families.Binomial()).fit(tol=1e-12).params
    assert bradley_terry(WINS[None], added=0)[0, 1:] == pytest.approx(theirs, abs=1e-6)


def test_an_arm_that_always_wins_has_a_finite_place():
    first, second = np.array(["b", "c", "c"] * 10), np.array(["a", "a", "b"] * 10)
    found = worths(["a", "b", "c"], first, second, np.ones(30), np.arange(30), 200)
    assert list(found) == ["b", "c"] and 0 < found["b"].value < found["c"].value < 10
    assert found["c"].low <= found["c"].value <= found["c"].high


def test_draws_leave_arms_equal():
    first, second = np.array(["b"] * 8), np.array(["a"] * 8)
    assert worths(["a", "b"], first, second, np.full(8, 0.5), np.arange(8), 100)["b"] == pytest.approx((0, 0, 0))
