"""Means with bootstrap intervals over frames."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
RESAMPLES = 1000


@dataclass(frozen=True)
class Estimate:
    """A mean and the interval that holds it with `CONFIDENCE`; NaN where nothing was measured."""

    mean: float
    low: float
    high: float


def estimate(values: np.ndarray, statistic=np.mean) -> Estimate:
    """A statistic of values (n,) with its percentile interval over resampled values.

    What is not finite is left out: a frame without an edge has no edge figure. With fewer than two values the
    interval is unknown. The same values always give the same interval.
    """
    values = np.asarray(values, dtype=np.float64)
    values = values[np.isfinite(values)]
    if values.size == 0:
        return Estimate(math.nan, math.nan, math.nan)
    middle = float(statistic(values))
    if values.size < 2:
        return Estimate(middle, math.nan, math.nan)
    if np.ptp(values) == 0:
        return Estimate(middle, middle, middle)
    found = stats.bootstrap(
        (values,),
        statistic,
        n_resamples=RESAMPLES,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(0),
    )
    return Estimate(middle, float(found.confidence_interval.low), float(found.confidence_interval.high))
