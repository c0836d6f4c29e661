"""Agreement before other libraries and published examples."""

import numpy as np
import pytest
from scipy import stats

from DSADeblurLib.study.reader_agreement import WEIGHTS, ac2, kappa, weights_of


def two_readers(seed, count=60):
    rng = np.random.default_rng(seed)
    first = rng.integers(1, 6, count)
    return first, np.clip(first + rng.integers(-1, 2, count), 1, 5)


@pytest.mark.parametrize("weighting", WEIGHTS)
@pytest.mark.parametrize("seed", range(3))
def test_kappa_is_statsmodels(seed, weighting):
    judge = pytest.importorskip("statsmodels.stats.inter_rater", reason="statsmodels is not installed")
    first, second = two_readers(seed)
    table = np.zeros((5, 5))
    np.add.at(table, (first - 1, second - 1), 1)
    theirs = judge.cohens_kappa(table, wt=weighting, return_results=False)
    ours = kappa(first, second, np.arange(60), 5, weighting, 200)
    assert ours.value == pytest.approx(theirs, abs=1e-9) and ours.low < ours.value < ours.high


@pytest.mark.parametrize(
    ("readers", "weighting", "theirs"),
    [(2, "linear", 0.69788), (2, "quadratic", 0.88089), (3, "linear", 0.17296), (3, "quadratic", 0.22888)],
)
def test_ac2_is_irrcacs(readers, weighting, theirs):
    """As irrCAC 0.4.4 has it of the same ratings, to five digits; it needs an older SciPy than this project."""
    first, second = two_readers(5)
    ratings = np.column_stack([first, second, two_readers(6)[0]]).astype(float)[:, :readers]
    ratings[:7, 1] = np.nan
    assert ac2(ratings, np.arange(60), 5, weighting, 200).value == pytest.approx(theirs, abs=1e-5)


def test_kappa_of_a_table_by_hand():
    """Two by two, 40 of 50 the same, each reader half and half: (0.8 - 0.5) / 0.5."""
    first = np.array([1] * 25 + [2] * 25)
    second = np.array([1] * 20 + [2] * 5 + [2] * 20 + [1] * 5)
    assert kappa(first, second, np.arange(50), 2, "linear", 100).value == pytest.approx(0.6)
    assert ac2(np.column_stack([first, second]), np.arange(50), 2, "linear", 100).value == pytest.approx(0.6)


def test_ac2_does_not_fall_apart_where_all_say_the_same():
    """Gwet 2008: 118 times both say yes, 5 and 2 times one does, 0 times none: kappa about 0, AC1 0.94."""
    first, second = np.array([2] * 118 + [2] * 5 + [1] * 2), np.array([2] * 118 + [1] * 5 + [2] * 2)
    assert kappa(first, second, np.arange(125), 2, "linear", 100).value == pytest.approx(-0.0234, abs=5e-5)
    assert ac2(np.column_stack([first, second]), np.arange(125), 2, "linear", 100).value == pytest.approx(
        0.9408, abs=5e-5
    )


def test_weights_are_one_on_the_diagonal_and_zero_at_the_ends():
    assert weights_of(3, "quadratic").tolist() == [[1, 0.75, 0], [0.75, 1, 0.75], [0, 0.75, 1]]


def test_an_interval_over_patients_is_wider_than_one_over_their_runs():
    first, second = (np.repeat(one, 4) for one in two_readers(1, 30))
    clustered = kappa(first, second, np.repeat(np.arange(30), 4), 5, "linear", 1000)
    naive = kappa(first, second, np.arange(120), 5, "linear", 1000)
    assert clustered.high - clustered.low > 1.5 * (naive.high - naive.low)


def test_the_interval_is_scipys_bca():
    first, second = two_readers(2)

    def same(one, other, axis):
        return (one == other).mean(axis=axis)

    theirs = stats.bootstrap((first, second), same, paired=True, n_resamples=20_000, rng=1).confidence_interval
    from DSADeblurLib.study.clustered import bootstrapped

    counts = np.column_stack([first == second, np.ones(60)])
    ours = bootstrapped(counts, lambda sums: sums[:, 0] / sums[:, 1], 20_000)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.02)
