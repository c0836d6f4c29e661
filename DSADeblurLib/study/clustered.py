"""Intervals by the bootstrap over patients: all runs, readers and arms of a patient are drawn together."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

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
    """A statistic of summed counts with its percentile interval over resampled patients.

    Args:
        counts: (p, ...) of p patients, whose sum the statistic needs and no more.
        statistic: gives (b,) of sums (b, ...); NaN where it is not defined.
        resamples: how many.
        seed: of the drawing; the same gives the same interval.

    Returns:
        NaN as interval with fewer than two patients, or where it is seldom defined.
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
    low, high = np.quantile(values, ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2))
    return Range(value, float(low), float(high))


def resampled_rows(patients: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rows of as many patients as there are, drawn with replacement: all rows of each, (m,)."""
    names, place = np.unique(patients, return_inverse=True)
    rows = [np.flatnonzero(place == number) for number in range(len(names))]
    return np.concatenate([rows[number] for number in rng.integers(len(names), size=len(names))])
