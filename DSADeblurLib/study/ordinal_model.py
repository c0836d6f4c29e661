"""A cumulative logit model of levels, its intervals by the bootstrap over patients.

statsmodels has no ordinal model with random effects: its OrderedModel takes all answers as independent. So reader,
group and arm are fixed effects here, and what answers of one patient have in common goes into the intervals, for which
patients are drawn with replacement and the model is fitted again.
"""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
from scipy import special, stats

from DSADeblurLib.measurement.stenosis import Range
from DSADeblurLib.study.clustered import CONFIDENCE, resampled_rows

RESAMPLES = 200
_FACTORS = ("arm", "reader", "group")


def ordinal_effects(ratings: pd.DataFrame, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, Range]:
    """Log odds ratios of a higher level, of each factor's values against its first: the first arm in the table, else by
    the alphabet.

    Args:
        ratings: with the columns level, patient, arm, reader and group; factors of one value are left out.
        resamples: of the bootstrap.
        seed: of it.

    Returns:
        By names such as "group AVM against AN"; none where there is no factor, or fewer than two levels occur.
    """
    design = _design(ratings)
    levels, patients = ratings["level"].to_numpy(), ratings["patient"].to_numpy()
    if design.shape[1] == 0 or len(np.unique(levels)) < 2:
        return {}
    found = _fit(levels, design.to_numpy())
    if found is None:
        return {}
    rng, again = np.random.default_rng(seed), []
    for _ in range(resamples if len(np.unique(patients)) > 1 else 0):
        rows = resampled_rows(patients, rng)
        if (one := _fit(levels[rows], design.to_numpy()[rows])) is not None:
            again.append(one)
    tails = ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)
    enough = len(again) > resamples / 2 > 0
    ends = np.quantile(again, tails, axis=0) if enough else np.full((2, len(found)), np.nan)
    return {name: Range(*map(float, one)) for name, one in zip(design, np.column_stack([found, *ends]), strict=True)}


def _design(ratings: pd.DataFrame) -> pd.DataFrame:
    columns = {}
    for factor in _FACTORS:
        values = list(dict.fromkeys(ratings[factor]))
        first, *others = values if factor == "arm" else sorted(values)
        for value in others:
            columns[f"{factor} {value} against {first}"] = (ratings[factor] == value).astype(float).to_numpy()
    return pd.DataFrame(columns, index=ratings.index)


class _Logistic(stats.rv_continuous):
    """As scipy.stats.logistic, without the checks of arguments that take most of the time of a fit."""

    cdf, ppf = staticmethod(special.expit), staticmethod(special.logit)

    def pdf(self, values: np.ndarray) -> np.ndarray:
        """The density."""
        return special.expit(values) * special.expit(-values)


_LOGISTIC = _Logistic(name="logistic")


def _fit(levels: np.ndarray, design: np.ndarray) -> np.ndarray | None:
    """The effects; None where they are not determined, as where a drawn sample lacks a group."""
    from statsmodels.miscmodels.ordinal_model import OrderedModel

    if len(np.unique(levels)) < 2 or np.linalg.matrix_rank(np.column_stack([np.ones(len(design)), design])) <= len(
        design.T
    ):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            fitted = OrderedModel(levels, design, distr=_LOGISTIC).fit(method="bfgs", maxiter=200, disp=False)
        except (np.linalg.LinAlgError, ValueError):
            return None
    return np.asarray(fitted.params[: design.shape[1]]) if fitted.mle_retvals["converged"] else None
