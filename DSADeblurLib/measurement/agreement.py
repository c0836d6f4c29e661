"""Agreement of two ways of measuring the same vessels: bias and its limits, correlation, variation, and a test.

Formulas, for differences d of n pairs, with mean and standard deviation s:

bias and limits     mean and mean -+ 1.96 s (J. M. Bland, D. G. Altman, Lancet 327 (1986) 307-310). The interval of the
                    mean is that of Student's t; those of the limits are exact, by the noncentral t distribution
                    (A. Carkeet, Optom Vis Sci 92 (2015) e71-e80).
ICC                 two-way, of single measurements: (A,1) for absolute agreement, (C,1) for consistency, with the
                    intervals of K. O. McGraw, S. P. Wong, Psychol Methods 1 (1996) 30-46.
variation           of one measurement of a pair, sqrt(mean(d^2) / 2), as a part of the mean of all.
Wilcoxon            the two-sided signed-rank test of paired values, by scipy: whether one reads more than the other.
slope               of d against the mean of the pair, by least squares, and its probability when there is none.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np
from scipy import stats

from DSADeblurLib.measurement.stenosis import Range

CONFIDENCE = 0.95
LEAST_PAIRS = 3
_LIMITS = 1.96


@dataclass(frozen=True)
class Agreement:
    """How far two ways of measuring agree; the second less the first, in the unit of the values.

    Attributes:
        count: pairs; `left_out`: those of which one value is missing.
        bias: mean difference.
        deviation: standard deviation of the differences.
        lower, upper: limits of agreement.
        icc_agreement, icc_consistency: intraclass correlations; NaN where all vessels are alike.
        variation: coefficient of variation within pairs.
        wilcoxon: probability of such differences if neither reads more; 1 where all are 0.
        slope, slope_probability: of the difference against the mean.
    """

    count: int
    left_out: int
    bias: Range
    deviation: float
    lower: Range
    upper: Range
    icc_agreement: Range
    icc_consistency: Range
    variation: float
    wilcoxon: float
    slope: float
    slope_probability: float

    def in_rows(self) -> list[tuple[str, str]]:
        """Name and text of each figure, for a table."""
        left_out = f" ({self.left_out} left out)" if self.left_out else ""
        return [
            ("pairs", f"{self.count}{left_out}"),
            ("bias", _text(self.bias)),
            ("standard deviation", f"{self.deviation:.3g}"),
            ("lower limit of agreement", _text(self.lower)),
            ("upper limit of agreement", _text(self.upper)),
            ("ICC(A,1), agreement", _text(self.icc_agreement)),
            ("ICC(C,1), consistency", _text(self.icc_consistency)),
            ("coefficient of variation", f"{100 * self.variation:.2f} %"),
            ("Wilcoxon, p", f"{self.wilcoxon:.3g}"),
            ("slope against the mean", f"{self.slope:.3g} (p {self.slope_probability:.2g})"),
        ]

    def as_dict(self) -> dict:
        """JSON-able values; what is not a number is None."""

        def plain(value):
            if isinstance(value, tuple):
                return [plain(one) for one in value]
            return None if isinstance(value, float) and not math.isfinite(value) else value

        return {name: plain(value) for name, value in asdict(self).items()}


def compare(first: np.ndarray, second: np.ndarray) -> Agreement:
    """Compare paired measurements.

    Args:
        first, second: (n,) of the same vessels, for instance on the original and on the deblurred frame. Pairs of which
            a value is not finite are left out.

    Raises:
        ValueError: fewer than three pairs, or unlike shapes.
    """
    first, second = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(f"Agreement needs two rows of values of one length, not {first.shape} and {second.shape}.")
    whole = np.isfinite(first) & np.isfinite(second)
    if whole.sum() < LEAST_PAIRS:
        raise ValueError(f"Agreement needs at least {LEAST_PAIRS} pairs, not {whole.sum()}.")
    left_out = int((~whole).sum())
    first, second = first[whole], second[whole]
    difference, mean = second - first, (first + second) / 2
    count, bias, deviation = len(first), float(difference.mean()), float(difference.std(ddof=1))
    margin = deviation / math.sqrt(count) * float(stats.t.ppf((1 + CONFIDENCE) / 2, count - 1))
    inner, outer = (deviation * factor for factor in _limit_factors(count))
    limit = _LIMITS * deviation
    agreement, consistency = intraclass(np.column_stack((first, second)))
    slope = stats.linregress(mean, difference) if np.ptp(mean) > 0 else None
    return Agreement(
        count,
        left_out,
        Range(bias, bias - margin, bias + margin),
        deviation,
        Range(bias - limit, bias - outer, bias - inner),
        Range(bias + limit, bias + inner, bias + outer),
        agreement,
        consistency,
        float(np.sqrt(np.mean(difference**2) / 2) / abs(mean.mean())) if mean.mean() else math.nan,
        float(stats.wilcoxon(first, second).pvalue) if difference.any() else 1.0,
        math.nan if slope is None else float(slope.slope),
        math.nan if slope is None else float(slope.pvalue),
    )


def _text(one: Range) -> str:
    return f"{one.value:.3g} ({one.low:.3g} to {one.high:.3g})"


def _limit_factors(count: int) -> tuple[float, float]:
    """How many standard deviations from the bias the interval of a limit begins and ends."""
    noncentral = _LIMITS * math.sqrt(count)
    ends = stats.nct.ppf([(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], count - 1, noncentral) / math.sqrt(count)
    return float(ends[0]), float(ends[1])


def intraclass(values: np.ndarray) -> tuple[Range, Range]:
    """ICC(A,1) and ICC(C,1) with their intervals, from the mean squares of rows, columns and error.

    Args:
        values: (n, k) of n vessels by k ways of measuring, none missing.
    """
    n, k = values.shape
    rows, columns = k * values.mean(axis=1).var(ddof=1), n * values.mean(axis=0).var(ddof=1)
    residual = values - values.mean(axis=1, keepdims=True) - values.mean(axis=0) + values.mean()
    inner = (n - 1) * (k - 1)
    error = float(np.sum(residual**2) / inner)
    if rows == 0:
        return (Range(math.nan, math.nan, math.nan),) * 2
    error = max(error, 1e-15 * rows)
    tail = (1 + CONFIDENCE) / 2
    ratio = rows / error
    ends = ratio, ratio / stats.f.ppf(tail, n - 1, inner), ratio * stats.f.ppf(tail, inner, n - 1)
    consistency = Range(*(float((one - 1) / (one + k - 1)) for one in ends))
    # The numbers of McGraw and Wong's table 7.
    value = (rows - error) / (rows + (k - 1) * error + k / n * (columns - error))
    a, b = k * value, n * (1 + (k - 1) * value) - k * value
    freedom = (a * columns + b * error) ** 2 / ((a * columns) ** 2 / (k - 1) + (b * error) ** 2 / inner)
    below, above = stats.f.ppf(tail, n - 1, freedom), stats.f.ppf(tail, freedom, n - 1)
    common = k * columns + (k * n - k - n) * error
    low = n * (rows - below * error) / (below * common + n * rows)
    high = n * (above * rows - error) / (common + n * above * rows)
    return Range(float(value), float(low), float(high)), consistency
