"""Whether the study was blind: how often readers knew which image was processed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import stats

from DSADeblurLib.measurement.stenosis import Range
from DSADeblurLib.study.level_tests import exact_share

SEEN_THROUGH = 0.05


class Blinding(NamedTuple):
    """What readers believed of items: right, wrong, unsure.

    `share` is of the right among those who decided, with its exact interval, `p` the exact two-sided test against one
    half, `bang` right less wrong over all asked (Bang et al. 2004, doi:10.1016/j.cct.2003.10.016): 0 is blind, 1 seen
    through.
    """

    right: int
    wrong: int
    unsure: int
    share: Range
    p: float
    bang: float

    @property
    def verdict(self) -> str:
        """One sentence for the report."""
        decided = self.right + self.wrong
        if decided == 0:
            return "Nobody said which image he believed processed: whether the study was blind is not known."
        told = f"which image was processed {self.right} of {decided} times"
        if self.p < SEEN_THROUGH and self.right > self.wrong:
            return f"Readers knew {told}, more often than by guessing: THIS STUDY WAS NOT BLIND."
        return f"Readers guessed {told}; that they saw through the blinding is not shown (p = {self.p:.2g})."


def blinding_of(right: np.ndarray) -> Blinding:
    """Count beliefs: (n,) of 1 right, 0 wrong, NaN unsure. Beliefs of one session are taken as independent."""
    good, bad, unsure = int((right == 1).sum()), int((right == 0).sum()), int(np.isnan(right).sum())
    p = float(stats.binomtest(good, good + bad).pvalue) if good + bad else np.nan
    bang = (good - bad) / len(right) if len(right) else np.nan
    return Blinding(good, bad, unsure, exact_share(good, good + bad), p, bang)
