"""Planning: the fast p is the analysis's p, Holm is statsmodels', and more cases have more power."""

from itertools import product

import numpy as np
import pytest

from DSADeblurLib.request import RequestError
from DSADeblurLib.study.level_tests import signed_rank
from DSADeblurLib.study.sample_size import Expected, holm, plan_cases, signed_rank_of_counts


@pytest.mark.parametrize("counts", list(product((0, 1, 3), repeat=4)))
def test_p_of_counts_is_the_analysis(counts):
    differences = np.repeat([-2, -1, 1, 2, 0], (*counts, 4))
    wanted = signed_rank(differences, np.arange(len(differences))).p
    assert signed_rank_of_counts(*counts) == pytest.approx(wanted, abs=1e-12)


def test_holm_is_statsmodels():
    judge = pytest.importorskip("statsmodels.stats.multitest", reason="statsmodels is not installed")
    p = np.random.default_rng(0).random((5, 8)) ** 3
    wanted = [judge.multipletests(one, method="holm")[1] for one in p]
    assert holm(p) == pytest.approx(np.array(wanted), abs=1e-12)


@pytest.mark.slow
def test_a_plan_finds_the_fewest_cases():
    table, needed = plan_cases(Expected((2, 8, 35, 40, 15)), simulations=200)
    rows = {row["cases"]: row for row in table}
    assert rows[needed]["every_reader"] >= 0.8 > rows[needed - 1]["every_reader"]
    assert all(row["one_reader"] >= row["every_reader"] for row in table)
    more = plan_cases(Expected((2, 8, 35, 40, 15)), power=0.95, simulations=200)[1]
    fewer = plan_cases(Expected((1, 4, 25, 45, 25)), simulations=200)[1]
    assert fewer < needed < more


def test_no_effect_needs_more_cases_than_there_are():
    table, needed = plan_cases(Expected((5, 20, 50, 20, 5), groups=1), simulations=50)
    assert needed is None and table[-1]["cases"] == 500


@pytest.mark.parametrize("shares", [(1, 2, 3), (0, 0, 0, 0, 0), (-1, 1, 1, 1, 1)])
def test_impossible_expectations(shares):
    with pytest.raises(RequestError, match="shares of levels are five"):
        plan_cases(Expected(shares))
