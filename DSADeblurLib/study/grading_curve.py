"""Visual grading characteristics: the area under the curve of two arms' grades."""

from __future__ import annotations

import numpy as np

from DSADeblurLib.measurement.stenosis import Range
from DSADeblurLib.study.clustered import bootstrapped, by_patient


def vgc_area(grades: np.ndarray, is_tested: np.ndarray, patients: np.ndarray, categories: int, resamples: int) -> Range:
    """The chance that a tested image is graded higher than a reference one, equal ones half, over patients.

    The area under the trapezoids of the curve is this chance; 0.5 says that the arms do not differ.

    Args:
        grades: (n,), from 1.
        is_tested: bool (n,).
        patients: (n,); both arms of a patient are drawn together.
        categories: number of grades.
        resamples: of the bootstrap.

    Source: Båth and Månsson 2007, doi:10.1259/bjr/35012658; bootstrap: Hansson et al. 2016, doi:10.1093/rpd/ncv411.
    """
    counts = np.zeros((len(grades), 2, categories))
    counts[np.arange(len(grades)), is_tested.astype(int), grades - 1] = 1

    def statistic(sums: np.ndarray) -> np.ndarray:
        reference, tested = sums[:, 0], sums[:, 1]
        below = np.cumsum(reference, axis=1) - reference / 2
        with np.errstate(invalid="ignore", divide="ignore"):
            return (tested * below).sum(axis=1) / (tested.sum(axis=1) * reference.sum(axis=1))

    return bootstrapped(by_patient(patients, counts), statistic, resamples)
