"""Degrees of stenosis as the trials define them, and of a measured vessel; neck and dome of an aneurysm.

    percent = 100 (1 - least lumen / reference)

nascet     the reference is the normal artery distal of the stenosis, where its walls run parallel (N Engl J Med 325
           (1991) 445-453); behind a near occlusion the artery is narrowed too, and the figure comes out too low.
ecst       the reference is the probable original lumen at the stenosis itself (Lancet 351 (1998) 1379-1387).
wasid      the reference is the normal artery proximal of it; if that is diseased, the distal one; if both are, the
           feeding artery (O. B. Samuels et al., AJNR 21 (2000) 643-646).

Ratios need no calibration: all lengths of one vessel are taken in one unit. A reference narrower than the least lumen
gives a negative figure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import ndimage, stats

from DSADeblurLib.measurement.course import VesselCourse

# A narrowing begins where the diameter has fallen this much below the reference, or as much as the noise.
_BEGINS = 0.1
_ROUNDS = 8
# Places in a row that must show no contrast agent to be an occlusion, and those that make a normal diameter.
_LEAST_GAP, _LEAST_NORMAL = 5, 5


class Range(NamedTuple):
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float

    def __truediv__(self, other: Range) -> Range:
        """The quotient, its interval by the ends: nothing is assumed about how errors depend on each other."""
        high = self.high / other.low if other.low > 0 else math.inf
        return Range(self.value / other.value, self.low / other.high, high)


def certain(value: float) -> Range:
    """A figure without an interval of its own."""
    return Range(value, value, value)


def percent_stenosis(least: Range, reference: Range) -> Range:
    """100 (1 - least / reference), for diameters or for areas; an occlusion has a least lumen of 0.

    Raises:
        ValueError: the reference is not above 0, or the least lumen below it.
    """
    if not (0 < reference.value < math.inf and 0 <= least.value < math.inf):
        raise ValueError("A stenosis needs a reference above 0 and a least lumen of at least 0.")
    left = least / reference
    return Range(*(100 * (1 - part) for part in (left.value, left.high, left.low)))


def nascet(least: Range, distal: Range) -> Range:
    """Per cent by the normal artery distal of the stenosis."""
    return percent_stenosis(least, distal)


def ecst(least: Range, original: Range) -> Range:
    """Per cent by the probable original lumen at the stenosis."""
    return percent_stenosis(least, original)


def wasid(
    least: Range, proximal: Range | None = None, distal: Range | None = None, feeding: Range | None = None
) -> tuple[Range, str]:
    """Per cent by the first reference that is normal, and which that is; None for one that is diseased.

    Raises:
        ValueError: there is no reference.
    """
    for name, reference in (("proximal", proximal), ("distal", distal), ("feeding artery", feeding)):
        if reference is not None:
            return percent_stenosis(least, reference), name
    raise ValueError("WASID needs a normal diameter proximal or distal of the stenosis, or of the feeding artery.")


@dataclass(frozen=True)
class Stenosis:
    """The narrowest place of a vessel; lengths in pixels, degrees in per cent.

    Attributes:
        index: of the least lumen among the places.
        first, last: places where the narrowing begins and ends.
        least: diameter there; 0 for an occlusion, its interval up to what would still be seen.
        reference: (n,) the interpolated line of the normal diameter.
        original: the reference at the least lumen.
        proximal, distal: mean normal diameters before and behind the narrowing, None where none is seen.
        length: of the narrowing, from where the diameter falls a tenth below the reference to where it returns.
        percent: by the interpolated reference, which is the one of ECST.
        nascet, wasid: None where their reference is not seen.
        wasid_reference: which one WASID took.
        area: by the cross section of round lumina.
        densitometric: by the area under the density, whatever the lumen's shape; None where it is not known.
        occluded: no contrast agent shows.
    """

    index: int
    first: int
    last: int
    least: Range
    reference: np.ndarray
    original: Range
    proximal: Range | None
    distal: Range | None
    length: float
    percent: Range
    nascet: Range | None
    wasid: Range | None
    wasid_reference: str
    area: Range
    densitometric: Range | None
    occluded: bool


def find_stenosis(course: VesselCourse, method: str) -> Stenosis | None:
    """The stenosis of a vessel measured in the direction of the flow; None where too little of it could be measured.

    Args:
        course: from `measure_course`.
        method: one of `diameter.METHODS`.
    """
    found = course.diameters(method)
    areas = course.areas
    # Where wider places tell the density, the area that could just be seen is a diameter.
    least_seen = np.sqrt(4 * areas[:, 2] / (np.pi * course.density.value)) if course.density else areas[:, 2] * np.inf
    gap = _between(np.isfinite(found[:, 0])) & ndimage.binary_opening(course.empty, np.ones(_LEAST_GAP))
    found[gap] = np.column_stack((np.zeros((gap.sum(), 2)), least_seen[gap], np.zeros(gap.sum())))
    return stenosis_of(course.arc, found, areas)


def stenosis_of(arc: np.ndarray, diameters: np.ndarray, areas: np.ndarray | None = None) -> Stenosis | None:
    """The stenosis of measured diameters.

    The reference is a straight line through the diameters that are not narrowed, found by turns: what lies below the
    line about the least lumen is left out, and the line drawn again.

    Args:
        arc: (n,) way along the vessel in the direction of the flow.
        diameters: (n, 4) value, low, high, and how far down the noise alone reaches; NaN where not measured, 0 where
            the vessel is occluded.
        areas: (n, 3) under the density, with the same meaning; None where they are not known.

    Returns:
        None where fewer than five normal diameters were measured, or they say nothing of the place of the least.
    """
    arc, diameters = np.asarray(arc, float), np.asarray(diameters, float)
    value = diameters[:, 0]
    known = np.isfinite(value)
    if known.sum() <= _LEAST_NORMAL:
        return None
    narrow = np.zeros(len(arc), bool)
    steady = _steady(value)
    index = int(np.nanargmin(steady))
    for _ in range(_ROUNDS):
        normal = known & ~narrow
        if normal.sum() < _LEAST_NORMAL:
            return None
        slope, level, *_ = stats.theilslopes(value[normal], arc[normal], method="joint")
        reference = level + slope * arc
        # Diameters of which half lie on each side of the line spread by its noise.
        noise = float(stats.median_abs_deviation((value - reference)[normal], scale="normal"))
        left = steady / np.maximum(reference, 1e-9)
        index = int(np.nanargmin(left))
        below = ~(left >= 1 - max(_BEGINS, noise / max(float(np.median(reference)), 1e-9)))
        labels, _ = ndimage.label(below | ~known)
        found = labels == labels[index] if labels[index] else np.arange(len(arc)) == index
        if (found == narrow).all():
            break
        narrow = found
    first, last = np.flatnonzero(narrow)[[0, -1]]
    normal = known & ~narrow
    spread = float(np.std((value - reference)[normal], ddof=1))
    # What is not noise is not less for many places.
    down, up = (
        float(np.median(np.maximum(sign * (ends - value) - diameters[:, 3], 0.0)[normal]))
        for sign, ends in ((-1, diameters[:, 1]), (1, diameters[:, 2]))
    )
    before, behind = (_mean(some, down, up) for some in (value[:first], value[last + 1 :]))
    least = _least(diameters, steady, index)
    middle = float(reference[index])
    if not middle > 0:
        return None
    error = 1.96 * spread * math.sqrt(1 / normal.sum() + _lever(arc, normal, index))
    original = Range(middle, max(middle - error - down, 0.0), middle + error + up)
    densitometric = None if areas is None else _densitometric(arc, np.asarray(areas, float), normal, index)
    distal = None if behind is None else nascet(least, behind)
    by_wasid, used = (None, "") if before is behind is None else wasid(least, before, behind)
    squares = [Range(*(one**2 for one in length)) for length in (least, original)]
    return Stenosis(
        index,
        int(first),
        int(last),
        least,
        reference,
        original,
        before,
        behind,
        float(arc[last] - arc[first]),
        ecst(least, original),
        distal,
        by_wasid,
        used,
        percent_stenosis(*squares),
        densitometric,
        occluded=bool(least.value == 0),
    )


@dataclass(frozen=True)
class Aneurysm:
    """Neck and dome, in one unit, and the ratio of dome to neck."""

    neck: Range
    dome: Range

    @property
    def ratio(self) -> Range:
        """Dome over neck.

        Raises:
            ValueError: the neck is not above 0.
        """
        if not self.neck.value > 0:
            raise ValueError("The neck of an aneurysm must be wider than nothing.")
        return self.dome / self.neck


def _least(diameters: np.ndarray, steady: np.ndarray, index: int) -> Range:
    """The mean of the places about the least that may be as narrow, with an interval as long as theirs.

    The least of many places alone is the one whose error is the largest: it comes out too narrow.
    """
    value, noise = diameters[:, 0], diameters[:, 3]
    # Beyond an occlusion nothing is as narrow.
    alike = value - noise <= steady[index] if steady[index] > 0 else value == 0
    labels, _ = ndimage.label(alike)
    about = labels == labels[index] if labels[index] else np.arange(len(value)) == index
    return Range(*map(float, diameters[about, :3].mean(axis=0)))


def _densitometric(arc: np.ndarray, areas: np.ndarray, normal: np.ndarray, index: int) -> Range | None:
    """Per cent of the cross section, by a straight reference line of its own."""
    normal = normal & np.isfinite(areas[:, 0])
    if normal.sum() < _LEAST_NORMAL or not np.isfinite(areas[index]).all():
        return None
    slope, level, *_ = stats.theilslopes(areas[normal, 0], arc[normal], method="joint")
    middle = float(level + slope * arc[index])
    spread = float(np.std(areas[normal, 0] - level - slope * arc[normal], ddof=1))
    error = 1.96 * spread * math.sqrt(1 / normal.sum() + _lever(arc, normal, index))
    if middle <= 0:
        return None
    return percent_stenosis(Range(*map(float, areas[index])), Range(middle, max(middle - error, 0.0), middle + error))


def _lever(arc: np.ndarray, normal: np.ndarray, index: int) -> float:
    """What the distance from the middle of the normal places adds to the variance of a straight line."""
    centred = arc[normal] - arc[normal].mean()
    return float((arc[index] - arc[normal].mean()) ** 2 / max(centred @ centred, 1e-12))


def _mean(values: np.ndarray, down: float, up: float) -> Range | None:
    values = values[np.isfinite(values)]
    if values.size < _LEAST_NORMAL:
        return None
    mean, error = float(values.mean()), 1.96 * float(values.std(ddof=1)) / math.sqrt(values.size)
    return Range(mean, max(mean - error - down, 0.0), mean + error + up)


def _steady(values: np.ndarray) -> np.ndarray:
    """The median of three neighbours; a single place that was measured wrong is no stenosis."""
    padded = np.pad(values, 1, mode="edge")
    three = np.stack((padded[:-2], padded[1:-1], padded[2:]))
    known = np.isfinite(three).any(axis=0)
    return np.where(np.isfinite(values) & known, np.nanmedian(np.where(known, three, 0.0), axis=0), np.nan)


def _between(known: np.ndarray) -> np.ndarray:
    """Places that have known ones before and behind them."""
    return np.logical_or.accumulate(known) & np.logical_or.accumulate(known[::-1])[::-1] & ~known
