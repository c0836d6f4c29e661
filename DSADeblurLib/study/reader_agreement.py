"""How far readers agree with each other and with themselves: weighted kappa, and Gwet's AC2."""

from __future__ import annotations

import numpy as np

from DSADeblurLib.measurement.stenosis import Range
from DSADeblurLib.study.clustered import bootstrapped, by_patient

WEIGHTS = {"linear": 1, "quadratic": 2}


def weights_of(categories: int, weighting: str) -> np.ndarray:
    """How far two categories agree, (q, q): 1 on the diagonal, 0 for the two ends."""
    places = np.arange(categories)
    return 1 - (np.abs(places[:, None] - places) / (categories - 1)) ** WEIGHTS[weighting]


def kappa(
    first: np.ndarray, second: np.ndarray, patients: np.ndarray, categories: int, weighting: str, resamples: int
) -> Range:
    """Cohen's weighted kappa with its interval over patients.

    Args:
        first, second: (n,), categories from 1.
        patients: (n,).
        categories: their number.
        weighting: a word of `WEIGHTS`.
        resamples: of the bootstrap.

    Source: Cohen 1968, doi:10.1037/h0026256.
    """
    tables = np.zeros((len(first), categories, categories))
    tables[np.arange(len(first)), first - 1, second - 1] = 1
    weights = weights_of(categories, weighting)

    def statistic(sums: np.ndarray) -> np.ndarray:
        shares = sums / sums.sum(axis=(1, 2), keepdims=True)
        by_chance = shares.sum(axis=2)[:, :, None] * shares.sum(axis=1)[:, None, :]
        observed, expected = (shares * weights).sum(axis=(1, 2)), (by_chance * weights).sum(axis=(1, 2))
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(expected < 1, (observed - expected) / (1 - expected), np.nan)

    return bootstrapped(by_patient(patients, tables), statistic, resamples)


def ac2(ratings: np.ndarray, patients: np.ndarray, categories: int, weighting: str, resamples: int) -> Range:
    """Gwet's AC2 of two or more readers with its interval over patients.

    Unlike kappa it does not fall apart where nearly all say the same.

    Args:
        ratings: (n, readers), categories from 1, NaN where one did not judge.
        patients, categories, weighting, resamples: as for `kappa`.

    Source: Gwet 2014, Handbook of Inter-Rater Reliability, 4th ed., chapters 4 and 5.
    """
    chosen = (ratings[:, :, None] == np.arange(1, categories + 1)).sum(axis=1).astype(float)
    count = chosen.sum(axis=1)
    chosen, count, patients = chosen[count > 0], count[count > 0], patients[count > 0]
    weights = weights_of(categories, weighting)
    several = count > 1
    with np.errstate(invalid="ignore", divide="ignore"):
        agreeing = (chosen * (chosen @ weights - 1)).sum(axis=1) / (count * (count - 1))
    rows = [np.where(several, agreeing, 0), several, np.ones(len(count)), *(chosen / count[:, None]).T]

    def statistic(sums: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore", divide="ignore"):
            observed, shares = sums[:, 0] / sums[:, 1], sums[:, 3:] / sums[:, 2:3]
            expected = weights.sum() / (categories * (categories - 1)) * (shares * (1 - shares)).sum(axis=1)
            return (observed - expected) / (1 - expected)

    return bootstrapped(by_patient(patients, np.array(rows).T), statistic, resamples)
