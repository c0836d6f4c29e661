"""A cross section of a vessel: found on a profile, told from its background and neighbours, or why that cannot be."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import ndimage, signal, stats

from DSADeblurLib.measurement.cylinder_fit import Cylinder, CylinderFit, Problem
from DSADeblurLib.measurement.width import Splined, profile_across

Point = tuple[float, float]
Image = np.ndarray | Splined

STEP = 0.5
"""Distance of a profile's samples in pixels."""
NO_VESSEL = "No vessel stands out from the noise here."
TOO_FAINT = "The vessel is too faint for the noise here."
AT_THE_EDGE = "The vessel lies at the edge of the frame: its background is not seen on both sides."
OVERLAPPED = "Another vessel crosses here or lies too near."
_CLEAR, _FAINT = 5.0, 4.0
# A chord is half the diameter long at 0.866 of the radius.
HALF_OF_CYLINDER = math.sqrt(3) / 2
# Background that is looked at, and the least of it that must be seen, on each side.
_BACKGROUND_PX, _LEAST_BACKGROUND_PX = 12.0, 3.0
_NEIGHBOURS, _NEIGHBOUR_PX = 2, 8.0
# The standard deviation of normal numbers whose median absolute deviation is 1.
_NORMAL_MAD = 1.4826
_MISFIT, _OVERLAP = 0.1, 1.3
_NOT_SQUARE_DEG = 50.0
# The logarithm of what 16 bits hold is 11.1.
_LARGEST_LOG, _SMALL, _EVERY = 12.0, 0.05, 4


class Unmeasurable(ValueError):
    """Something cannot be measured here; the message is one sentence for the user."""


class Aim(NamedTuple):
    """Where a vessel is measured: a point on its middle (row, column), the unit vector across it, its rough width."""

    point: Point
    direction: Point
    width: float


@dataclass(frozen=True)
class CrossSection:
    """A vessel on a profile of n samples.

    Attributes:
        aim: where.
        positions: (n,) pixels from the aim's point, along its direction.
        values: (n,) density, higher in vessels.
        fit: background, neighbours and the vessel as a cylinder.
        clean: (n,) the vessel's own density.
    """

    aim: Aim
    positions: np.ndarray
    values: np.ndarray
    fit: CylinderFit

    @property
    def problem(self) -> Problem:
        """To be fitted once more, from here."""
        return Problem(self.positions, self.values, self.fit.vessels, self.aim.direction)

    @property
    def clean(self) -> np.ndarray:
        return self.values - self.fit.background - self.fit.neighbours


def aim_across(image: Image, first: Point, last: Point) -> Aim:
    """Find the vessel that a line was drawn across, and the direction at right angles to it.

    Args:
        image: (rows, columns), values in which absorbers add up, lower in vessels.
        first, last: ends of the line (row, column); it may end at the walls of the vessel or far from them.

    Raises:
        Unmeasurable: there is no vessel under the line.
        ValueError: the line has no length.
    """
    across = np.subtract(last, first)
    length = float(np.hypot(*across))
    if not 0 < length < math.inf:
        raise ValueError("A line across a vessel must be longer than nothing.")
    point, direction = np.add(first, last) / 2, across / length
    aim = _found(image, point, direction, 1.25 * length + _BACKGROUND_PX, length / 2)
    for _ in range(2):
        aim = _squared(image, aim)
    if abs(float(np.dot(aim.direction, direction))) < math.cos(math.radians(_NOT_SQUARE_DEG)):
        raise Unmeasurable("The line does not lie across a vessel.")
    return aim


def aim_at(image: Image, point: Point, direction: Point, within: float) -> Aim:
    """Find the vessel within so many pixels of a point, along a unit vector across it.

    Raises:
        Unmeasurable: there is none.
    """
    return _found(image, np.asarray(point, float), np.asarray(direction, float), within + _BACKGROUND_PX * 2, within)


def densities(image: Image) -> Splined:
    """Values for `profile_at` and `cross_section`, small enough to be optical densities.

    Blur acts on intensities, so that the model needs natural logarithms of them. Values that range over more than any
    detector tells apart are on another scale in which absorbers add up, such as stored logarithms or grey values; they
    are made so small that logarithms do not matter.

    Args:
        image: (rows, columns), values in which absorbers add up; a `Splined` stays as it is.
    """
    if isinstance(image, Splined):
        return image
    some = np.asarray(image)[::_EVERY, ::_EVERY]
    extent = float(np.ptp(some[np.isfinite(some)], axis=None)) if some.size else 0.0
    return Splined(image, _SMALL / extent if extent > _LARGEST_LOG else 1.0)


def profile_at(image: Image, aim: Aim, averaging: float = 5.0) -> Problem:
    """The profile of the vessel at an aim, with as many neighbours as matter, to be fitted.

    Args:
        image: from `densities`; another frame than the aim was found on may be given.
        aim: where.
        averaging: length along the vessel in pixels that is averaged.

    Raises:
        Unmeasurable: one of the sentences of this file.
    """
    half = 0.6 * aim.width + max(0.35 * aim.width, _BACKGROUND_PX)
    half = 2 * STEP * math.ceil(half / STEP / 2)
    # Neighbours whose flanks reach in are known by their peaks farther out.
    beyond = max(0.5 * aim.width, _NEIGHBOUR_PX)
    values = -profile_across(image, aim.point, aim.direction, 2 * (half + beyond), STEP, averaging)
    positions, values = _seen(STEP * (np.arange(values.size) - values.size // 2), values)
    margin = 0.6 * aim.width + _LEAST_BACKGROUND_PX
    if values.size == 0 or positions[0] > -margin or positions[-1] < margin:
        raise Unmeasurable(AT_THE_EDGE)
    peaks = _peaks(values)
    near = np.abs(positions[0] + STEP * peaks.middle) < max(aim.width / 2, 2.0)
    if not near.any():
        raise Unmeasurable(NO_VESSEL)
    main = int(np.flatnonzero(near)[peaks.prominence[near].argmax()])
    others = sorted((k for k in range(len(peaks.at)) if k != main), key=lambda k: -peaks.prominence[k])
    start = [peaks.cylinder(k, positions) for k in (main, *others[:_NEIGHBOURS])]
    near = np.abs(positions) <= half
    return Problem(positions[near], values[near], start, aim.direction)


def cross_section(image: Image, aim: Aim, problem: Problem, fit: CylinderFit, averaging: float = 5.0) -> CrossSection:
    """What a fitted profile shows.

    Args:
        image, aim, averaging: as for `profile_at`.
        problem: from there; fit: of it.

    Raises:
        Unmeasurable: one of the sentences of this file.
    """
    positions, values = problem.positions, problem.profile
    vessel, error = fit.vessels[0], math.sqrt(max(fit.covariance[2, 2], 0.0))
    if vessel.area < _FAINT * error:
        raise Unmeasurable(TOO_FAINT)
    height = float(np.max(values - fit.background - fit.neighbours))
    rough = float(np.sqrt(np.mean(fit.residual**2)))
    misfit = rough > _MISFIT * height and rough > 3 * _sample_noise(values)
    if abs(vessel.centre) > max(aim.width, 3.0) or misfit or _denser_than_around(image, aim, averaging, height):
        raise Unmeasurable(OVERLAPPED)
    return CrossSection(aim, positions, values, fit)


class _Peaks(NamedTuple):
    """Peaks of a profile: sample, prominence, full width at half prominence and its middle in samples, each (n,)."""

    at: np.ndarray
    prominence: np.ndarray
    width: np.ndarray
    middle: np.ndarray

    def cylinder(self, k: int, positions: np.ndarray) -> Cylinder:
        diameter = max(self.width[k] * STEP / HALF_OF_CYLINDER, 1.0)
        area = np.pi / 4 * diameter * self.prominence[k]
        return Cylinder(float(positions[0] + STEP * self.middle[k]), 0.8 * diameter**2 / 4, float(area))


def _peaks(values: np.ndarray) -> _Peaks:
    smooth = ndimage.gaussian_filter1d(values, 1 / STEP)
    least = _CLEAR * _sample_noise(values) + 1e-6 * float(np.ptp(values))
    index, found = signal.find_peaks(smooth, prominence=max(least, 1e-9))
    bases = found["prominences"], found["left_bases"], found["right_bases"]
    widths, _, left, right = signal.peak_widths(smooth, index, 0.5, bases)
    return _Peaks(index, found["prominences"], widths, (left + right) / 2)


def _sample_noise(values: np.ndarray) -> float:
    """Standard deviation of the noise, roughly, by what changes from pixel to pixel: about two thirds of it does."""
    fast = values - ndimage.gaussian_filter1d(values, 1 / STEP)
    return 1.5 * _NORMAL_MAD * float(np.median(np.abs(fast - np.median(fast))))


def _denser_than_around(image: Image, aim: Aim, averaging: float, height: float) -> bool:
    """Whether the vessel is much higher here than on both sides along it, as where two vessels lie over each other."""
    along = np.array([aim.direction[1], -aim.direction[0]])
    heights, noise = [], 0.0
    for offset in (-1, 1):
        point = _moved(aim.point, along, offset * (1.5 * aim.width + averaging / 2))
        line = -profile_across(image, point, aim.direction, 2.4 * aim.width + 8, STEP, averaging)
        if not np.isfinite(line).all():
            return False
        middle = np.abs(np.arange(line.size) - line.size // 2) * STEP <= 0.6 * aim.width
        heights.append(float(line[middle].max() - (line[0] + line[-1]) / 2))
        noise = max(noise, _sample_noise(line))
    return height > max(_OVERLAP * max(heights), max(heights) + _CLEAR * noise)


def _seen(positions: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The stretch about the middle that lies in the image."""
    gaps = np.flatnonzero(~np.isfinite(values))
    middle = values.size // 2
    start = gaps[gaps <= middle].max(initial=-1) + 1
    stop = gaps[gaps >= middle].min(initial=values.size)
    return positions[start:stop], values[start:stop]


def _found(image: Image, point: np.ndarray, direction: np.ndarray, reach: float, within: float) -> Aim:
    values = -profile_across(image, tuple(point), tuple(direction), 2 * reach, STEP, 5.0)
    positions, values = _seen(STEP * (np.arange(values.size) - values.size // 2), values)
    if values.size < 8:
        raise Unmeasurable(AT_THE_EDGE)
    peaks = _peaks(values)
    place = positions[0] + STEP * peaks.middle
    likely = peaks.prominence * np.clip(1 - 0.5 * np.abs(place) / within, 0, None) * (np.abs(place) <= within)
    if not likely.any():
        raise Unmeasurable(NO_VESSEL)
    best = int(likely.argmax())
    return Aim(_moved(point, direction, place[best]), _pair(direction), float(peaks.width[best] * STEP))


def _squared(image: Image, aim: Aim) -> Aim:
    """The aim turned at right angles to the middles of the vessel on neighbouring lines, and moved onto them."""
    along = np.array([aim.direction[1], -aim.direction[0]])
    reach = max(4, round(0.7 * aim.width))
    offsets = np.linspace(-reach, reach, 9)
    middles = []
    for offset in offsets:
        line = -profile_across(image, _moved(aim.point, along, offset), aim.direction, 2.4 * aim.width + 8, STEP, 3.0)
        middles.append(_middle(line, aim.width))
    known = np.isfinite(middles)
    if known.sum() < 5:
        return aim
    slope, shift, *_ = stats.theilslopes(np.array(middles)[known], offsets[known], method="joint")
    turn = math.atan(slope)
    across = np.asarray(aim.direction) * math.cos(turn) - along * math.sin(turn)
    return Aim(_moved(aim.point, aim.direction, shift), _pair(across), aim.width * math.cos(turn))


def _middle(values: np.ndarray, width: float) -> float:
    """Where the upper half of the peak about the middle of a profile has its centroid; NaN where it has none."""
    if not np.isfinite(values).all():
        return math.nan
    smooth = ndimage.gaussian_filter1d(values, 1 / STEP)
    positions = STEP * (np.arange(values.size) - values.size // 2)
    near = np.flatnonzero(np.abs(positions) <= 0.75 * width + 1)
    top = near[smooth[near].argmax()]
    upper = smooth - (smooth[top] + np.percentile(smooth, 10)) / 2
    labels, _ = ndimage.label(upper > 0)
    weight = np.where(labels == labels[top], upper, 0.0)
    return float(weight @ positions / weight.sum()) if weight.sum() > 0 else math.nan


def _moved(point, direction, distance: float) -> Point:
    return _pair(np.asarray(point) + float(distance) * np.asarray(direction))


def _pair(vector) -> Point:
    return float(vector[0]), float(vector[1])
