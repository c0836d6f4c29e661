"""Whether harm can be excluded: how many patients were judged worse, and how many more there may be."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
# The levels that say that the deblurred image is worse.
HARMFUL = 2


class Harm(NamedTuple):
    """Patients, those of them with a run judged worse, their share, and its upper limit."""

    patients: int
    harmed: int
    share: float
    upper: float


def harm_of(levels: np.ndarray, patients: np.ndarray) -> Harm:
    """Count the patients of whom any run was judged worse, whoever judged it.

    The limit is the exact one-sided 95 % limit of Clopper and Pearson: harm as frequent as a margin is excluded where
    the limit lies below it.

    Args:
        levels: (n,), of 1 to 5.
        patients: (n,).
    """
    everyone, harmed = len(np.unique(patients)), len(np.unique(patients[levels <= HARMFUL]))
    if everyone == 0:
        return Harm(0, 0, np.nan, np.nan)
    test = stats.binomtest(harmed, everyone, alternative="less")
    return Harm(everyone, harmed, harmed / everyone, float(test.proportion_ci(CONFIDENCE, method="exact").high))
