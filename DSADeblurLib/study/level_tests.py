"""Tests of levels against the middle one, and of differences against none: the paper's, and ones that fit the data."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import stats

from DSADeblurLib.measurement.stenosis import Range
from DSADeblurLib.study.protocol import MIDDLE

CONFIDENCE = 0.95


class Tested(NamedTuple):
    """A test statistic and its two-sided p; NaN where there is nothing to be tested."""

    statistic: float
    p: float


def paper_test(levels: np.ndarray) -> Tested:
    """The paper's Mann-Whitney U of levels against the middle level, as it can be understood.

    The n levels are compared with a second sample of n times the middle level: U counts the pairs in which the first is
    larger, and half of the equal ones. p is two-sided, from the normal approximation with correction for ties and for
    continuity (scipy.stats.mannwhitneyu, method="asymptotic").

    The second sample is no sample: it does not vary, and its ties make the assumed variance too small. So where better
    and worse are equally likely the test rejects more often than 5 %; `make null-studies` prints how often.

    Args:
        levels: (n,), whole numbers from 1 to 5.
    """
    if len(levels) == 0:
        return Tested(np.nan, np.nan)
    middle = np.full(len(levels), MIDDLE)
    found = stats.mannwhitneyu(levels, middle, alternative="two-sided", method="asymptotic", use_continuity=True)
    # Where all are equal the variance is 0, and nothing speaks against equality.
    return Tested(float(found.statistic), 1.0 if np.isnan(found.pvalue) else float(found.pvalue))


def signed_rank(differences: np.ndarray, patients: np.ndarray) -> Tested:
    """Wilcoxon's signed-rank test against 0, exact also with ties and with several runs of a patient.

    Zeros are left out (Wilcoxon), tied magnitudes get their mean rank. Under the null hypothesis each patient's
    differences may as well have the other sign, all at once; the two-sided p is twice the smaller tail of the
    distribution over all these signs, at most 1. With one run a patient and without ties this is the usual exact test.

    Args:
        differences: (n,), for instance levels less the middle one.
        patients: (n,), whose each is.

    Returns:
        The sum of ranks of patients who are positive on balance, and p.
    """
    patients, differences = patients[differences != 0], differences[differences != 0]
    if len(differences) == 0:
        return Tested(0.0, 1.0)
    ranks = np.rint(2 * stats.rankdata(np.abs(differences))).astype(int) * np.sign(differences).astype(int)
    return _by_flipping(_sums(ranks, patients), scale=0.5)


def sign_test(differences: np.ndarray, patients: np.ndarray) -> Tested:
    """The exact sign test: patients who are better on balance among those who are not equal, against one half.

    Args, Returns: as `signed_rank`; the statistic is the number of patients who are better.
    """
    sums = _sums(np.sign(differences).astype(int), patients)
    better, worse = int((sums > 0).sum()), int((sums < 0).sum())
    if better + worse == 0:
        return Tested(0.0, 1.0)
    return Tested(float(better), float(stats.binomtest(better, better + worse).pvalue))


def hodges_lehmann(differences: np.ndarray) -> Range:
    """The pseudomedian and its interval: the median of all means of two, and such means at the exact test's quantiles.

    As wilcox.test of R does without ties; with them the interval is conservative. For one run a patient.

    Args:
        differences: (n,).

    Source: Hollander, Wolfe, Chicken 2014, Nonparametric Statistical Methods, 3.2 and 3.3.
    """
    count = len(differences)
    if count == 0:
        return Range(np.nan, np.nan, np.nan)
    means = np.sort(walsh_means(differences))
    tail = np.cumsum(_sign_distribution(np.arange(1, count + 1)))
    quantile = max(int(np.searchsorted(tail, (1 - CONFIDENCE) / 2)), 1)
    return Range(float(np.median(means)), float(means[quantile - 1]), float(means[len(means) - quantile]))


def walsh_means(values: np.ndarray) -> np.ndarray:
    """The means of all pairs of values, each with itself too, (n (n + 1) / 2,)."""
    first, second = np.triu_indices(len(values))
    return (values[first] + values[second]) / 2


def exact_share(count: int, of: int) -> Range:
    """A share with its Clopper-Pearson interval; NaN of none."""
    if of == 0:
        return Range(np.nan, np.nan, np.nan)
    interval = stats.binomtest(count, of).proportion_ci(CONFIDENCE, method="exact")
    return Range(count / of, float(interval.low), float(interval.high))


def _sums(values: np.ndarray, patients: np.ndarray) -> np.ndarray:
    _, place = np.unique(patients, return_inverse=True)
    return np.bincount(place, weights=values).astype(int)


def _by_flipping(sums: np.ndarray, scale: float) -> Tested:
    sums = sums[sums != 0]
    if len(sums) == 0:
        return Tested(0.0, 1.0)
    positive = int(sums[sums > 0].sum())
    distribution = _sign_distribution(np.abs(sums))
    tails = distribution[: positive + 1].sum(), distribution[positive:].sum()
    return Tested(scale * positive, float(min(1.0, 2 * min(tails))))


def _sign_distribution(sizes: np.ndarray) -> np.ndarray:
    """Chance of each sum of the sizes that get a plus, each with one half: (sum + 1,)."""
    distribution = np.zeros(int(sizes.sum()) + 1)
    distribution[0] = 1.0
    for size in sizes:
        distribution[size:] += distribution[:-size].copy()
        distribution *= 0.5
    return distribution
