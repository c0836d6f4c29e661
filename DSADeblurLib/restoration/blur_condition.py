"""The blur condition of a modulated network: header and frames, each weighed by how far it can be trusted."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import special

from DSADeblurLib.lazy_frames import evenly_spaced
from DSADeblurLib.restoration.engine import Estimator

CONDITION_SIZE = 3
CONDITION_SCALE = (8.0, 8.0, 1.0)
# Mean errors of the logarithms of widths: the range that networks have met in training, and that of a right header on
# validation frames, because IEC 60336 allows a nominal spot that much.
CONDITION_SPREADS = 0.05, 1.0
HEADER_SPREAD = 0.15
# Widths are learned as logarithms, from here on down as sums: nobody can tell nothing from a tenth of a pixel.
SMALLEST_PX = 0.5
# An estimator takes sides that are multiples of this many pixels.
ESTIMATED_MULTIPLE = 16
# What a focal spot can do beyond its nominal blur in the isocentre's plane: IEC 60336 allows half as much again, and
# vessels nearer to the tube are magnified more. Wider blur is that of something else.
MOST_OF_HEADER = 2.0
# An odd number, evenly spaced over the run.
_FRAMES = 3
# One header in ten is taken to be wrong, and then by a factor of two as a rule.
WRONG, WRONG_SPREAD = 0.1, math.log(2)
# A width that is too large costs several times what one costs that is too small by the same factor. Where no header is
# believed, this expectile of what may be true is taken; chosen by the edges of 32 validation scenes.
CAUTION = 0.25
# The standard deviation of a normal distribution whose mean absolute error is 1.
_DEVIATION = math.sqrt(math.pi / 2)
_ROOT = math.sqrt(2 * math.pi)


def estimate_blur(read: Callable[[int], np.ndarray], count: int, estimate: Estimator) -> np.ndarray:
    """The blur of a run as the model's estimator finds it, the median of some frames.

    One for the whole run and all tiles: spot and geometry do not change between frames.

    Args:
        read: gives the normalised frame (rows, columns) float32 of an index from 0.
        count: number of frames, at least 1.
        estimate: looks at one frame.

    Returns:
        (CONDITION_SIZE,) float32, see `network.Modulation`.
    """
    estimated = []
    for index in evenly_spaced(count, _FRAMES):
        frame = read(index)
        below, right = (-side % ESTIMATED_MULTIPLE for side in frame.shape)
        estimated.append(estimate(np.pad(frame, ((0, below), (0, right)), mode="edge")))
    return np.median(estimated, axis=0).astype(np.float32)


def told_blur(given_px: tuple[float, float] | None, header_px: tuple[float, float] | None = None) -> np.ndarray | None:
    """The blur condition of widths (rows, columns) in pixels that are taken as they are; None where there are none.

    Args:
        given_px: by the user, who knows.
        header_px: by the header, whose focal spot is a nominal one.

    Returns:
        (CONDITION_SIZE,) float64, the widths as they were given; see `network.Modulation`.
    """
    widths, spread = (header_px, HEADER_SPREAD) if given_px is None else (given_px, CONDITION_SPREADS[0])
    return None if widths is None else np.array((*widths, spread))


def assumed_blur(estimated: np.ndarray, header_px: tuple[float, float] | None) -> np.ndarray:
    """What network and controls take: `combine_header_and_estimate`, with caution where no header is believed.

    Args:
        estimated, header_px: see there.

    Returns:
        (CONDITION_SIZE,) float32, see `network.Modulation`.
    """
    believed = header_px is not None and not header_is_doubtful(estimated, header_px)
    return combine_header_and_estimate(estimated, header_px, 0.5 if believed else CAUTION)


def combine_header_and_estimate(
    estimated: np.ndarray, header_px: tuple[float, float] | None, level: float = 0.5
) -> np.ndarray:
    """The blur condition of a run from its header and its estimate, each weighed by its error.

    A tag can be wrong: the more the two differ, the more likely that is, and the less the header counts. But more than
    MOST_OF_HEADER times its width is not taken for the focal spot's blur.

    Args:
        estimated: (CONDITION_SIZE,) widths (rows, columns) in pixels and the mean error of their logarithms.
        header_px: widths (rows, columns) in pixels by the header; None for the estimate alone.
        level: which expectile of the widths that may be true; at 0.5 their mean, from which networks learn.

    Returns:
        (CONDITION_SIZE,) float32, see `network.Modulation`.
    """
    if header_px is None:
        logarithms, variance = np.log(np.asarray(estimated[:2], float) + SMALLEST_PX), _variance(estimated[2])
        right, trust = _Mean(logarithms, variance), 1.0
        alone, spread = right, float(estimated[2])
    else:
        right, alone, trust = _hypotheses(estimated, header_px)
        between = float(np.mean(right.logarithms - alone.logarithms))
        variance = trust * right.variance + (1 - trust) * alone.variance + trust * (1 - trust) * between**2
        spread = float(np.clip(math.sqrt(variance) / _DEVIATION, *CONDITION_SPREADS))
    told = [
        _expectile(level, trust, (one, right.variance), (other, alone.variance))
        for one, other in zip(right.logarithms, alone.logarithms, strict=True)
    ]
    widths = np.maximum(np.exp(told) - SMALLEST_PX, 0)
    if header_px is not None:
        widths = np.minimum(widths, MOST_OF_HEADER * np.asarray(header_px))
    return np.array((*widths, spread), np.float32)


def _expectile(level: float, share: float, first: tuple[float, float], second: tuple[float, float]) -> float:
    """Of two normal distributions (mean, variance), the first with this share: what lies above counts `level`, what
    lies below 1 - `level`, each by its distance."""
    shares = np.array((share, 1 - share))
    means, deviations = np.array((first[0], second[0])), np.sqrt((first[1], second[1]))
    mean = value = float(shares @ means)
    # The mean with these weights, again and again (Newey and Powell, Econometrica 55 (1987) 819-847).
    for _ in range(200):
        z = (value - means) / deviations
        below = special.ndtr(z)
        share_below, part = shares @ below, shares @ (means * below - deviations * np.exp(-(z**2) / 2) / _ROOT)
        last, value = value, level * (mean - part) + (1 - level) * part
        value = float(value / (level * (1 - share_below) + (1 - level) * share_below))
        if abs(value - last) < 1e-9:
            break
    return value


def _variance(spread: float) -> float:
    return (_DEVIATION * float(spread)) ** 2


def header_is_doubtful(estimated: np.ndarray, header_px: tuple[float, float]) -> bool:
    """Whether the header is more likely wrong than right, by the estimate.

    Args:
        estimated, header_px: as for `combine_header_and_estimate`.
    """
    return _hypotheses(estimated, header_px)[2] < 0.5


class _Mean(NamedTuple):
    """Header and estimate averaged: ln(width + SMALLEST_PX), (2,), and their variance."""

    logarithms: np.ndarray
    variance: float


def _hypotheses(estimated: np.ndarray, header_px: tuple[float, float]) -> tuple[_Mean, _Mean, float]:
    """The mean if the header is right, the mean if it is wrong, and the probability that it is right."""
    widths, error = np.asarray(estimated[:2], float), _variance(estimated[2])
    in_frames, in_header = (np.log(np.asarray(width, float) + SMALLEST_PX) for width in (widths, header_px))
    difference = float(np.mean(in_header - in_frames))
    means, likelihoods = [], []
    for spread, share in ((HEADER_SPREAD, 1 - WRONG), (WRONG_SPREAD, WRONG)):
        variance = _variance(spread)
        weight = error / (error + variance)
        means.append(_Mean(weight * in_header + (1 - weight) * in_frames, error * variance / (error + variance)))
        both = error + variance
        likelihoods.append(share * math.exp(-(difference**2) / (2 * both)) / math.sqrt(both))
    return means[0], means[1], likelihoods[0] / sum(likelihoods)
