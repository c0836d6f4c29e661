"""Intervals by the bootstrap over patients: all runs, readers and arms of a patient are drawn together."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import stats

from DSADeblurLib.measurement.stenosis import Range

CONFIDENCE = 0.95
_AT_ONCE = 500


def by_patient(patients: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Add up what is counted of each run to what is counted of each patient.

    Args:
        patients: (n,), whose each run is.
        counts: (n, ...).

    Returns:
        (p, ...) of p patients.
    """
    names, place = np.unique(patients, return_inverse=True)
    sums = np.zeros((len(names), *counts.shape[1:]))
    np.add.at(sums, place, counts)
    return sums


def bootstrapped(
    counts: np.ndarray, statistic: Callable[[np.ndarray], np.ndarray], resamples: int, seed: int = 0
) -> Range:
    """A statistic of summed counts with its interval over resampled patients, corrected for bias and skew (BCa).

    Args:
        counts: (p, ...) of p patients, whose sum the statistic needs and no more.
        statistic: gives (b,) of sums (b, ...); NaN where it is not defined.
        resamples: how many.
        seed: of the drawing; the same gives the same interval.

    Returns:
        NaN as interval with fewer than two patients, or where it is seldom defined.

    Source: Efron 1987, doi:10.1080/01621459.1987.10478410.
    """
    value = float(statistic(counts.sum(axis=0)[None])[0])
    if len(counts) < 2:
        return Range(value, np.nan, np.nan)
    rng, found = np.random.default_rng(seed), []
    for begin in range(0, resamples, _AT_ONCE):
        drawn = rng.multinomial(len(counts), np.full(len(counts), 1 / len(counts)), min(_AT_ONCE, resamples - begin))
        found.append(statistic(np.tensordot(drawn, counts, axes=1)))
    values = np.concatenate(found)
    values = values[~np.isnan(values)]
    if len(values) < resamples / 2:
        return Range(value, np.nan, np.nan)
    without_one = statistic(counts.sum(axis=0) - counts)
    low, high = np.quantile(values, _corrected_tails(value, values, without_one))
    return Range(value, float(low), float(high))


def _corrected_tails(value: float, values: np.ndarray, without_one: np.ndarray) -> np.ndarray:
    """Which quantiles of the resampled values are the ends; the plain ones where nothing varies on one side."""
    tails = np.array([(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    below = (np.mean(values < value) + np.mean(values <= value)) / 2
    if not 0 < below < 1:
        return tails
    differences = np.nanmean(without_one) - without_one[~np.isnan(without_one)]
    spread = (differences**2).sum() ** 1.5
    acceleration = (differences**3).sum() / (6 * spread) if spread > 0 else 0.0
    bias = stats.norm.ppf(below)
    z = bias + stats.norm.ppf(tails)
    return stats.norm.cdf(bias + z / (1 - acceleration * z))


def resampled_rows(patients: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rows of as many patients as there are, drawn with replacement: all rows of each, (m,)."""
    names, place = np.unique(patients, return_inverse=True)
    rows = [np.flatnonzero(place == number) for number in range(len(names))]
    return np.concatenate([rows[number] for number in rng.integers(len(names), size=len(names))])
