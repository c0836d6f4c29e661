"""Means with bootstrap intervals over frames."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
RESAMPLES = 1000


class Estimate(NamedTuple):
    """A mean and the interval that holds it with `CONFIDENCE`; NaN where nothing was measured."""

    value: float
    low: float = math.nan
    high: float = math.nan


def estimate(values: np.ndarray) -> Estimate:
    """The mean of values with its percentile interval over resampled values.

    The same values always give the same interval.

    Args:
        values: (n,). What is not finite is left out: a frame without an edge has no edge figure.

    Returns:
        Mean and interval in the unit of the values; with fewer than two of them the interval is unknown.
    """
    values = np.asarray(values, dtype=np.float64)
    values = values[np.isfinite(values)]
    if values.size == 0:
        return Estimate(math.nan)
    mean = float(np.mean(values))
    if values.size < 2:
        return Estimate(mean)
    if np.ptp(values) == 0:
        return Estimate(mean, mean, mean)
    rng = np.random.default_rng(0)
    found = stats.bootstrap(
        (values,), np.mean, n_resamples=RESAMPLES, confidence_level=CONFIDENCE, method="percentile", rng=rng
    )
    return Estimate(mean, *map(float, found.confidence_interval))
