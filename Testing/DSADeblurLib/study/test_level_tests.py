"""The tests of levels before scipy, R's documented examples and enumeration."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from DSADeblurLib.study.level_tests import exact_share, hodges_lehmann, paper_test, sign_test, signed_rank, walsh_means

# Hamilton depression scale before and after therapy, Hollander and Wolfe 1973, table 3.1: R's example of wilcox.test.
BEFORE = np.array([1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30])
AFTER = np.array([0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29])


def levels_of(seed, count):
    return np.random.default_rng(seed).integers(1, 6, count)


@pytest.mark.parametrize("seed", range(5))
def test_the_papers_test_is_scipys(seed):
    levels = levels_of(seed, 20)
    scipys = stats.mannwhitneyu(levels, np.full(20, 3), alternative="two-sided", method="asymptotic")
    found = paper_test(levels)
    assert found.statistic == scipys.statistic == 20 * ((levels > 3).sum() + (levels == 3).sum() / 2)
    assert found.p == pytest.approx(scipys.pvalue, abs=1e-9)


def test_the_papers_test_by_hand():
    """18 of 20 better, 2 equal: U = 20 (18 + 1) = 380, the mean 200, variance and p by the formulas."""
    levels = np.array([4] * 10 + [5] * 8 + [3] * 2)
    ties = sum(t**3 - t for t in (10, 8, 22))
    deviation = np.sqrt(20 * 20 / 12 * (41 - ties / (40 * 39)))
    z = (380 - 200 - 0.5) / deviation
    assert paper_test(levels) == pytest.approx((380, 2 * stats.norm.sf(z)), abs=1e-12)
    assert paper_test(np.full(20, 3)) == (200, 1.0)


@pytest.mark.parametrize("seed", range(4))
def test_signed_rank_is_the_distribution_over_all_signs(seed):
    differences = levels_of(seed, 9) - 3
    kept = differences[differences != 0]
    ranks = stats.rankdata(np.abs(kept))
    found = signed_rank(differences, np.arange(9))
    sums = np.array([(ranks * signs).sum() for signs in product((0, 1), repeat=len(kept))])
    observed = ranks[kept > 0].sum()
    p = min(1, 2 * min((sums <= observed).mean(), (sums >= observed).mean()))
    assert found == pytest.approx((observed, p), abs=1e-12)
    scipys = stats.wilcoxon(kept, method=stats.PermutationMethod(n_resamples=np.inf))
    assert found.p == pytest.approx(scipys.pvalue, abs=1e-9)


def test_signed_rank_without_ties_is_scipys_exact_test_and_rs():
    differences = BEFORE - AFTER
    found = signed_rank(differences, np.arange(9))
    assert found.statistic == 40 and found.p == pytest.approx(0.0390625, abs=1e-12)  # R: V = 40, one-sided 0.01953
    assert found.p == pytest.approx(stats.wilcoxon(differences, method="exact").pvalue, abs=1e-9)


def test_runs_of_a_patient_change_sign_together():
    """Three patients with two runs each: 8 signs, not 64."""
    differences, patients = np.array([1, 1, 2, 1, 1, 2]), np.array(["a", "a", "b", "b", "c", "c"])
    assert signed_rank(differences, patients).p == pytest.approx(2 / 8)
    assert sign_test(differences, patients).p == pytest.approx(2 / 8)
    assert signed_rank(differences, np.arange(6)).p == pytest.approx(2 / 64)


def test_nothing_but_equal_is_no_evidence():
    zeros = np.zeros(5)
    assert signed_rank(zeros, np.arange(5)) == sign_test(zeros, np.arange(5)) == (0.0, 1.0)
    assert np.isnan(paper_test(np.array([])).p)


@pytest.mark.parametrize("seed", range(3))
def test_sign_test_is_binomial(seed):
    differences = levels_of(seed, 30) - 3
    better, decided = (differences > 0).sum(), (differences != 0).sum()
    found = sign_test(differences, np.arange(30))
    assert found == pytest.approx((better, stats.binomtest(better, decided).pvalue), abs=1e-9)


def test_hodges_lehmann_of_the_published_example():
    """Hollander and Wolfe, examples 3.3 and 3.4: -0.46, and -0.786 to -0.010 at 96.1 %."""
    found = hodges_lehmann(AFTER - BEFORE)
    assert found.value == pytest.approx(-0.46, abs=1e-9)
    assert (found.low, found.high) == pytest.approx((-0.786, -0.010), abs=1e-9)


def test_walsh_means_are_of_all_pairs():
    assert sorted(walsh_means(np.array([1.0, 3.0, 7.0]))) == [1, 2, 3, 4, 5, 7]


def test_an_exact_share_is_clopper_and_pearsons():
    share = exact_share(3, 20)
    assert share.value == 0.15
    assert (share.low, share.high) == pytest.approx((stats.beta.ppf(0.025, 3, 18), stats.beta.ppf(0.975, 4, 17)))
    assert np.isnan(exact_share(0, 0).value)
