"""One markup measured on a frame and on what was made of it, at one place: figures for a table, and curves to draw.

A line across a vessel gives a diameter, a curve along one a stenosis, two lines neck and dome of an aneurysm. Pixels
are measured once; method and calibration are chosen afterwards. Pictures are the original, the deblurred frame, and
that at noise reduction 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from DSADeblurLib.measurement.calibration import Calibration, Length, Measured
from DSADeblurLib.measurement.centre_line import CentreLine, find_centre_line_in_steps
from DSADeblurLib.measurement.course import STEP_MM, VesselCourse, measure_course_in_steps
from DSADeblurLib.measurement.cross_section import Aim, Point, aim_across
from DSADeblurLib.measurement.diameter import HALF_MAXIMUM, Diameter, Section, measure_at
from DSADeblurLib.measurement.line_spread import SystemBlur
from DSADeblurLib.measurement.stenosis import Aneurysm, Range, Stenosis, certain, find_stenosis
from DSADeblurLib.steps import Steps

DIAMETER, STENOSIS, LEAST_LUMEN = "diameter", "stenosis", "least lumen"
NECK, DOME, RATIO = "neck", "dome", "dome to neck"
DEFINITIONS = {"NASCET": "nascet", "ECST": "percent", "WASID": "wasid"}
"""Of the degree of a stenosis, and the attributes of a `Stenosis`."""
_PERCENTS = {**DEFINITIONS, "area": "area", "densitometric": "densitometric"}
NO_STENOSIS = "Too little of the vessel could be measured for a reference."
NO_REFERENCE = "No normal vessel is seen where the reference should lie."
_STEP_PX = 2.0
_ROUGH_PLACES = 20
WORSE_MM = {HALF_MAXIMUM: (0.6, 1.2)}
"""Diameters at which `make measure` found errors of a method on simulated deblurred frames that were larger than those
on originals by more than 0.005 mm, at paper-like and at clinical noise."""


@dataclass(frozen=True)
class Picture:
    """A frame: (rows, columns) values in which absorbers add up, lower in vessels; and its blur where that is known."""

    values: np.ndarray
    blur: SystemBlur | None = None


@dataclass(frozen=True)
class Figure:
    """One thing that was measured: what it is, on the original and on the deblurred frame, None where it could not be.

    `unreduced` is that of the deblurred frame at noise reduction 0. `reasons` say why, one for each of the first two,
    "" where there is a number or nothing to measure on.
    """

    name: str
    original: Measured | None = None
    deblurred: Measured | None = None
    reasons: tuple[str, str] = ("", "")
    unreduced: Measured | None = None

    @property
    def difference(self) -> float:
        """Deblurred less original; NaN where one of them is missing."""
        if self.original is None or self.deblurred is None:
            return math.nan
        return self.deblurred.value - self.original.value


@dataclass(frozen=True)
class Plot:
    """Curves over one axis: titles of the axes, (n,) positions, and by name (n,) values, NaN where there are none.

    marks: names of those that are single points.
    """

    title: str
    x_title: str
    y_title: str
    positions: np.ndarray
    curves: dict[str, np.ndarray] = field(default_factory=dict)
    marks: tuple[str, ...] = ()


class Marks(NamedTuple):
    """A stenosis in the image, all (n, 2) rows and columns: the least lumen from wall to wall, and both walls where the
    reference says that they were."""

    least: np.ndarray
    walls: tuple[np.ndarray, np.ndarray]


class Result:
    """What was measured with a markup. This one: nothing, for a reason that is one sentence."""

    def __init__(self, kind: str, reason: str) -> None:
        self.kind, self.reason = kind, reason

    def figures(self, method: str, calibration: Calibration) -> list[Figure]:
        """What was measured by one of `diameter.METHODS`, in units of the calibration."""
        return [Figure(self.kind, reasons=(self.reason, ""))]

    def plot(self, method: str, calibration: Calibration) -> Plot | None:
        """What is to be drawn of it; None where nothing was measured."""
        return None

    def marks(self, method: str) -> Marks | None:
        """What is to be drawn in the image; None where there is no stenosis."""
        return None

    def prepare(self, method: str) -> Steps[None]:
        """Compute what is needed for the figures of a method; a generator whose steps are short."""
        yield from ()

    def with_more(self, picture: Picture) -> Steps[Result]:
        """The same place measured on one more picture; a generator whose steps are short."""
        yield from ()
        return self


class LineResult(Result):
    """A vessel at a line: its `Section` on each picture."""

    def __init__(self, sections: Sequence[Section], aim: Aim | None = None) -> None:
        super().__init__(DIAMETER, "")
        self.sections, self._aim = tuple(sections), aim

    def with_more(self, picture: Picture) -> Steps[Result]:
        yield
        if self._aim is None:
            return self
        return LineResult([*self.sections, measure_at(picture.values, self._aim, picture.blur)], self._aim)

    def figures(self, method: str, calibration: Calibration) -> list[Figure]:
        found = [section.diameters[method] for section in self.sections]
        return [_figure(DIAMETER, [_calibrated(one, calibration) for one in found], [one.reason for one in found])]

    def plot(self, method: str, calibration: Calibration) -> Plot | None:
        """The profile and its fit."""
        known = [one.section for one in self.sections if one.section is not None]
        if not known or self.sections[0].section is None:
            return None
        scale = _scale(known[0].aim.direction, calibration)
        positions, curves = known[0].positions, {}
        for name, section in zip(("original", "deblurred"), self.sections, strict=False):
            if section.section is not None and np.array_equal(section.section.positions, positions):
                curves[name] = section.section.values
                curves[f"{name}, fit"] = section.section.fit.values
        x_title = f"position across the vessel ({calibration.unit})"
        return Plot("Profile", x_title, "density of the vessel", scale * positions, curves)


class CurveResult(Result):
    """A vessel along a curve: its `VesselCourse` on each picture."""

    def __init__(self, courses: Sequence[VesselCourse]) -> None:
        super().__init__(STENOSIS, "")
        self.courses = tuple(courses)
        self._stenoses: dict[str, list[Stenosis | None]] = {}

    def prepare(self, method: str) -> Steps[None]:
        for course in self.courses:
            for section in course.sections:
                section.diameters[method]
                yield
        self.stenoses(method)

    def with_more(self, picture: Picture) -> Steps[Result]:
        course = yield from measure_course_in_steps(picture.values, self.courses[0].line, picture.blur)
        return CurveResult([*self.courses, course])

    def marks(self, method: str) -> Marks | None:
        """Those of the original."""
        one, line = self.stenoses(method)[0], self.courses[0].line
        if one is None:
            return None
        halves = np.array([[-0.5], [0.5]])
        least = line.points[one.index] + halves * one.least.value * line.across[one.index]
        below, above = (line.points + half * one.reference[:, None] * line.across for half in (-0.5, 0.5))
        return Marks(least, (below, above))

    def stenoses(self, method: str) -> list[Stenosis | None]:
        """Of each picture, by one of `diameter.METHODS`."""
        if method not in self._stenoses:
            self._stenoses[method] = [find_stenosis(course, method) for course in self.courses]
        return self._stenoses[method]

    def figures(self, method: str, calibration: Calibration) -> list[Figure]:
        found = self.stenoses(method)
        if not any(found):
            return [_figure(STENOSIS, [None] * len(found), [NO_STENOSIS] * len(found))]
        figures = [self._percent(name, attribute, found) for name, attribute in _PERCENTS.items()]
        lengths: dict[str, list[Measured | None]] = {LEAST_LUMEN: [], "reference": [], "length of the narrowing": []}
        for one in found:
            measured = (None,) * len(lengths) if one is None else self._lengths(one, calibration)
            for name, length in zip(lengths, measured, strict=True):
                lengths[name].append(length)
        missing = ["" if one else NO_STENOSIS for one in found]
        return figures + [_figure(name, values, missing) for name, values in lengths.items()]

    def plot(self, method: str, calibration: Calibration) -> Plot | None:
        """The diameter along the vessel, the reference line, and the least lumen."""
        line = self.courses[0].line
        scales = np.array([_scale(tuple(across), calibration) for across in line.across])
        curves, marks = {}, []
        for name, course, one in zip(("original", "deblurred"), self.courses, self.stenoses(method), strict=False):
            curves[name] = scales * course.diameters(method)[:, 0]
            if one is not None:
                curves[f"{name}, reference"] = scales * one.reference
                least = np.full(len(scales), np.nan)
                least[one.index] = scales[one.index] * one.least.value
                marks.append(f"{name}, least lumen")
                curves[marks[-1]] = least
        unit = calibration.unit
        titles = f"way along the vessel ({unit})", f"diameter ({unit})"
        return Plot("Diameter along the vessel", *titles, self._ways(calibration.size), curves, tuple(marks))

    @staticmethod
    def _percent(name: str, attribute: str, found: list[Stenosis | None]) -> Figure:
        values: list[Measured | None] = []
        for one in found:
            percent: Range | None = None if one is None else getattr(one, attribute)
            values.append(None if percent is None else Measured(*percent, "%"))
        missing = [
            "" if value else NO_STENOSIS if one is None else NO_REFERENCE
            for one, value in zip(found, values, strict=True)
        ]
        return _figure(f"{STENOSIS}, {name}", values, missing)

    def _lengths(self, found: Stenosis, calibration: Calibration) -> list[Measured | None]:
        """Least lumen, reference and length."""
        down, right = self.courses[0].line.across[found.index]
        across = (float(down), float(right))
        lengths = [_calibrated(Diameter(*one, direction=across), calibration) for one in (found.least, found.original)]
        ends = [self._ways(size)[[found.first, found.last]] for size in (calibration.size, calibration.low)]
        value, low = (float(last - first) for first, last in ends)
        high = float(np.diff(self._ways(calibration.high)[[found.first, found.last]])[0])
        return [*lengths, Measured(value, low, high, calibration.unit, calibration.label)]

    def _ways(self, size: tuple[float, float]) -> np.ndarray:
        """(n,) from the first place to each, for pixels of this size."""
        steps = np.hypot(*(np.diff(self.courses[0].line.points, axis=0) * size).T)
        return np.append(0.0, np.cumsum(steps))


class DrawnResult(Result):
    """Neck or dome of an aneurysm as a line was drawn from wall to wall, its ends off by half a pixel each."""

    def __init__(self, kind: str, first: Point, last: Point) -> None:
        super().__init__(kind, "")
        self._length = Length.between(first, last, 0.5)

    def figures(self, method: str, calibration: Calibration) -> list[Figure]:
        return [Figure(self.kind, self._length.measured(calibration))]

    def ratio(self, dome: Result, calibration: Calibration) -> Figure:
        """Of a dome to this neck; an error of the calibration is none of it."""
        sure = replace(calibration, low=calibration.size, high=calibration.size)
        lengths = [one.figures("", sure)[0].original for one in (self, dome)]
        neck, whole = (Range(one.value, one.low, one.high) if one else certain(0.0) for one in lengths)
        if not neck.value > 0:
            return Figure(RATIO, reasons=("The neck is not wider than nothing.", ""))
        return Figure(RATIO, Measured(*Aneurysm(neck, whole).ratio, "times"))


def measure_line_on(pictures: Sequence[Picture], first: Point, last: Point) -> Steps[Result]:
    """Measure the vessel that a line was drawn across; a generator whose steps are short.

    Args:
        pictures: the original and, where there is one, the deblurred frame.
        first, last: ends of the line (row, column).
    """
    try:
        aim = aim_across(pictures[0].values, first, last)
    except ValueError as reason:
        return Result(DIAMETER, str(reason))
    sections = []
    for one in pictures:
        yield
        sections.append(measure_at(one.values, aim, one.blur))
    return LineResult(sections, aim)


def centre_line_on(picture: Picture, points: np.ndarray, calibration: Calibration) -> Steps[CentreLine]:
    """Where a curve is measured; a generator whose steps are short.

    Args:
        picture: the original.
        points: (k, 2) rows and columns, in the direction of the flow.
        calibration: says how many pixels places lie apart.

    Raises:
        Unmeasurable: one sentence, where no vessel can be followed.
    """
    step = STEP_MM / math.sqrt(math.prod(calibration.size)) if calibration.unit == "mm" else _STEP_PX
    return (yield from find_centre_line_in_steps(picture.values, points, step))


def measure_along(pictures: Sequence[Picture], line: CentreLine, roughly: bool = False) -> Steps[CurveResult]:
    """Measure a vessel along its centre line; a generator whose steps are short.

    Args:
        pictures: as for `measure_line_on`.
        line: from `centre_line_on`.
        roughly: at few places, for a first figure however long the vessel is.
    """
    line = line.thinned(_ROUGH_PLACES) if roughly else line
    courses = []
    for one in pictures:
        course = yield from measure_course_in_steps(one.values, line, one.blur)
        courses.append(course)
    return CurveResult(courses)


def worse_deblurred(figures: Sequence[Figure], method: str) -> bool:
    """Whether a diameter is of a size at which this method errs more on deblurred frames than on originals."""
    low, high = WORSE_MM.get(method, (math.inf, 0.0))
    return any(
        one.original.unit == "mm" and low <= one.original.value <= high
        for one in figures
        if one.name in (DIAMETER, LEAST_LUMEN) and one.original is not None and one.deblurred is not None
    )


def _figure(name: str, values: Sequence[Measured | None], reasons: Sequence[str]) -> Figure:
    """Of one to three values."""
    original, deblurred, unreduced = [*values, None, None][:3]
    first, second = [*reasons, ""][:2]
    return Figure(name, original, deblurred, (first, second), unreduced)


def _calibrated(one: Diameter, calibration: Calibration) -> Measured | None:
    """A diameter whose interval may reach up to anything."""
    if math.isfinite(one.high):
        return one.measured(calibration)
    measured = replace(one, high=one.value).measured(calibration)
    return None if measured is None else replace(measured, high=math.inf)


def _scale(direction: tuple[float, float], calibration: Calibration) -> float:
    """Units of the calibration in a pixel's length along a direction."""
    return Length(*direction).measured(calibration).value
