"""Diameter of a vessel at a cross section, by four methods, each with its interval.

half maximum
    Distance of the points at half of the vessel's height, times 2 / sqrt 3: that is the diameter of a round vessel
    without blur, whose chord is half its diameter long there. Reads wide where the blur is as wide as the vessel.
derivative
    Distance of the edges, each the mean of where the first derivative of the flank and, outside of that, the second is
    greatest, as J. H. C. Reiber et al., Circulation 71 (1985) 280-288, weigh them; Gaussian derivatives of one pixel.
    The steepest points alone lie inside of a round vessel, by half of the blur. Reads wide where the blur is as wide
    as the vessel.
densitometric
    From the area under the density, which blur leaves nearly as it is: 4 area / (pi height) of an elliptical
    lumen one of whose axes lies along the beam and shows as height; where the density of the contrast agent is
    known from other places of the vessel, the diameter of the circle of the same area (R. A. Nichols et al.,
    Circulation 69 (1984) 512-522). The first reads wide where blur lowers the height, the second not; both trust that
    contrast agent is mixed evenly, and the beam not hardened.
model fit
    Of the cylinder of `cylinder_fit`, blurred by the run's own blur. Unbiased where blur and round lumen hold; the
    interval covers the noise and what is not known of the blur. Of a vessel much narrower than the blur the profile
    does not tell the width: then there is no number, unless the density is known.

All have 95 % intervals of the noise. Those of the first three reach to the interval of the model fit where the blur is
known, and so cover what blur adds; without it they cover the noise alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import interpolate, ndimage

from DSADeblurLib.measurement.calibration import Calibration, Length, Measured
from DSADeblurLib.measurement.cross_section import (
    HALF_OF_CYLINDER,
    STEP,
    Aim,
    CrossSection,
    Image,
    Point,
    Unmeasurable,
    aim_across,
    cross_section,
    densities,
    profile_at,
)
from DSADeblurLib.measurement.cylinder_fit import KnownDensity, Problem, fit_all, fit_cylinders
from DSADeblurLib.measurement.line_spread import SystemBlur
from DSADeblurLib.physics.detector import Detector

HALF_MAXIMUM, DERIVATIVE, DENSITOMETRIC, MODEL_FIT = "half maximum", "derivative", "densitometric", "model fit"
METHODS = (HALF_MAXIMUM, DERIVATIVE, DENSITOMETRIC, MODEL_FIT)
BLUR_UNKNOWN = "The blur of the run is not known."
BLUR_HIDES = "The blur hides the width of so narrow a vessel."
BLUR_TOO_WIDE = "The vessel shows narrower than the blur of the run would make it: check focal spot and magnification."
NO_EDGES = "The flanks of the vessel are not clear."
NO_BLUR = SystemBlur((0, 0), Detector())
# Of a normal distribution, both sides.
CONFIDENT = 1.96
_EDGE_PX = 1.0


@dataclass(frozen=True)
class Diameter:
    """A diameter in pixels, measured along `direction` (row, column), with its interval; NaN and a reason if not.

    noise: how far below the value the interval of the noise alone reaches.
    """

    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    direction: Point = (0.0, 1.0)
    reason: str = ""
    noise: float = math.nan

    def measured(self, calibration: Calibration) -> Measured | None:
        """The diameter as this calibration has it, both intervals joined at their ends; None if not measured."""
        if not math.isfinite(self.value):
            return None
        low, value, high = (self._length(one).measured(calibration) for one in (self.low, self.value, self.high))
        return replace(value, low=low.low, high=high.high)

    def _length(self, pixels: float) -> Length:
        return Length(pixels * self.direction[0], pixels * self.direction[1])


@dataclass(frozen=True)
class Section:
    """What was measured at one place.

    Attributes:
        section: the profile and its fit, to be drawn; None where there is no vessel to be told from its surroundings.
        blur: that the fit was made with, None where it is unknown or cannot be.
        density: of the contrast agent, where it is known from elsewhere.
        reason: why there is no section, or no blur.
    """

    section: CrossSection | None = None
    blur: SystemBlur | None = None
    density: KnownDensity | None = None
    reason: str = ""

    @cached_property
    def diameters(self) -> Mapping[str, Diameter]:
        """By method; each is measured when it is asked for."""
        return _Diameters(self)

    @property
    def area(self) -> float:
        """Under the vessel's density, in pixels; NaN if not measured. Its ratios are those of cross sections."""
        return math.nan if self.section is None else self.section.fit.vessels[0].area

    @property
    def area_error(self) -> float:
        """Standard deviation of the area."""
        if self.section is None:
            return math.nan
        fit, diameter = self.section.fit, max(self.section.fit.vessels[0].diameter, 1.0)
        wrong = 0.0 if self.blur is None else self.blur.width_error(diameter) / CONFIDENT
        # What is shown wider at the same height has a larger area.
        return math.hypot(math.sqrt(fit.covariance[2, 2]), wrong * self.area / diameter)

    @classmethod
    def unmeasured(cls, reason: str) -> Section:
        return cls(reason=reason)


class _Diameters(Mapping[str, Diameter]):
    def __init__(self, section: Section) -> None:
        self._section = section
        self._known: dict[str, Diameter] = {}

    def __getitem__(self, method: str) -> Diameter:
        if method not in self._known:
            self._known[method] = self._measured(method)
        return self._known[method]

    def __iter__(self) -> Iterator[str]:
        return iter(_MEASURES)

    def __len__(self) -> int:
        return len(_MEASURES)

    def _measured(self, method: str) -> Diameter:
        one = self._section
        if one.section is None:
            return Diameter(reason=one.reason)
        try:
            if method == MODEL_FIT and one.blur is None:
                raise Unmeasurable(one.reason)
            value, low, high = _MEASURES[method](one.section, one.blur, one.density)
        except Unmeasurable as reason:
            return Diameter(reason=str(reason))
        noise = value - low
        if one.blur is not None:
            error = one.blur.width_error(value)
            low, high = value - math.hypot(noise, error), value + math.hypot(high - value, error)
            if method != MODEL_FIT:
                fitted = self[MODEL_FIT]
                low, high = min(low, fitted.low), max(high, fitted.high)
                if not math.isfinite(fitted.value):
                    low = 0.0
        return Diameter(value, max(low, 0.0), high, one.section.aim.direction, noise=noise)


def measure_line(
    image: np.ndarray, first: Point, last: Point, blur: SystemBlur | None = None, averaging: float = 5.0
) -> Section:
    """Measure the vessel that a line was drawn across; see `cross_section.aim_across` for the arguments.

    The line need not lie at right angles, nor the vessel in its middle.

    Args:
        image: (rows, columns), values in which absorbers add up, lower in vessels.
        first, last: ends of the line (row, column).
        blur: of this image.
        averaging: length in pixels along the vessel that is averaged.
    """
    try:
        return measure_at(image, aim_across(image, first, last), blur, averaging)
    except Unmeasurable as reason:
        return Section.unmeasured(str(reason))


def measure_at(
    image: Image,
    aim: Aim,
    blur: SystemBlur | None = None,
    averaging: float = 5.0,
    density: KnownDensity | None = None,
) -> Section:
    """Measure a vessel where it was found, for instance on another frame: the original and what was made of it.

    Args:
        image, blur, averaging: as for `measure_line`.
        aim: from `aim_across`.
        density: of the contrast agent in this vessel, where other places of it tell.
    """
    sections = measure_all(image, [aim], blur, averaging)
    return (sections if density is None else with_density(sections, density))[0]


def measure_all(
    image: Image, aims: Sequence[Aim], blur: SystemBlur | None = None, averaging: float = 5.0
) -> list[Section]:
    """As `measure_at`, at many places at once, in less time than one by one."""
    image, sections = densities(image), {}
    problems: dict[int, Problem] = {}
    for i, aim in enumerate(aims):
        try:
            problems[i] = profile_at(image, aim, averaging)
        except Unmeasurable as reason:
            sections[i] = Section.unmeasured(str(reason))
    # A blur that is wider than what is seen explains nothing; the other methods do without it.
    for used, unfitted in ((blur, BLUR_UNKNOWN), (None, BLUR_TOO_WIDE)) if blur else ((None, BLUR_UNKNOWN),):
        left = [i for i in problems if i not in sections or sections[i].section is None]
        for i, fit in zip(left, fit_all([problems[i] for i in left], used or NO_BLUR), strict=True):
            try:
                found = cross_section(image, aims[i], problems[i], fit, averaging)
                sections[i] = Section(found, used, reason="" if used else unfitted)
            except Unmeasurable as reason:
                sections[i] = Section.unmeasured(str(reason))
    return [sections[i] for i in range(len(aims))]


def with_density(sections: Sequence[Section], density: KnownDensity) -> list[Section]:
    """The same places measured with what is known of the contrast agent's density."""
    refitted = list(sections)
    for fits in (True, False):
        found = {i: one.section for i, one in enumerate(sections) if one.section and (one.blur is not None) is fits}
        blur = next((sections[i].blur for i in found), None)
        again = fit_all([one.problem for one in found.values()], blur or NO_BLUR, density)
        for (i, one), fit in zip(found.items(), again, strict=True):
            refitted[i] = replace(sections[i], section=replace(one, fit=fit), density=density)
    return refitted


_Interval = tuple[float, float, float]
"""Value, low and high."""


def _half_maximum(section: CrossSection, blur: SystemBlur | None, density: KnownDensity | None) -> _Interval:
    height, top = _height(section)
    curve = interpolate.CubicSpline(section.positions, section.clean)
    crossings = curve.solve(height / 2, extrapolate=False)
    below, above = crossings[crossings < top], crossings[crossings > top]
    if not (below.size and above.size):
        raise Unmeasurable(NO_EDGES)
    ends = np.array([below.max(), above.min()])
    slopes = np.abs(curve(ends, 1))
    # Noise moves each flank, and noise at the top the level of both.
    error = section.fit.noise * math.sqrt(np.sum(1 / slopes**2) + np.sum(1 / slopes) ** 2 / 4)
    return _scaled(float(np.diff(ends)[0]), error, 1 / HALF_OF_CYLINDER)


def _derivative(section: CrossSection, blur: SystemBlur | None, density: KnownDensity | None) -> _Interval:
    vessel, width = section.fit.vessels[0], _EDGE_PX / STEP
    reach = max(vessel.diameter, section.aim.width) + 2 * _EDGE_PX
    ends, variance = [], 0.0
    for side in (-1, 1):
        distance, foot = side * (section.positions - vessel.centre), 0.0
        for order, sign in ((1, -side), (2, 1)):
            curve, noise = (
                sign * ndimage.gaussian_filter1d(values, width, order=order)
                for values in (section.clean, section.fit.residual)
            )
            place, bend = _summit(curve, (distance >= foot) & (distance <= reach))
            foot = float(distance[round(place)])
            ends.append(side * (section.positions[0] + STEP * place))
            # Where a curve has its summit, noise of its slope moves the place.
            variance += float(np.var(np.gradient(noise))) * (STEP / bend) ** 2 / 4
    return _scaled(sum(ends) / 2, math.sqrt(variance))


def _summit(curve: np.ndarray, where: np.ndarray) -> tuple[float, float]:
    """Place of the greatest value in samples, and the second derivative there."""
    k = int(np.where(where, curve, -np.inf).argmax())
    if not 0 < k < curve.size - 1 or curve[k] <= 0:
        raise Unmeasurable(NO_EDGES)
    before, here, after = curve[k - 1 : k + 2]
    bend = before - 2 * here + after
    if bend >= 0:
        raise Unmeasurable(NO_EDGES)
    return k + float(np.clip(0.5 * (before - after) / bend, -1, 1)), float(bend)


def _densitometric(section: CrossSection, blur: SystemBlur | None, density: KnownDensity | None) -> _Interval:
    fit = section.fit
    # Of the density itself, not of the fitted cylinder: a lumen need not be round.
    area = float(np.sum(section.clean) * STEP)
    relative = math.sqrt(fit.covariance[2, 2]) / abs(area)
    if area <= 0:
        raise Unmeasurable(NO_EDGES)
    if density is not None:
        diameter = 2 * math.sqrt(area / (math.pi * density.value))
        return _scaled(diameter, diameter / 2 * math.hypot(relative, density.deviation / density.value))
    height, _ = _height(section)
    diameter = 4 * area / (math.pi * height)
    return _scaled(diameter, diameter * math.hypot(relative, fit.noise / height))


def _model_fit(section: CrossSection, blur: SystemBlur | None, density: KnownDensity | None) -> _Interval:
    if blur is None:
        raise Unmeasurable(BLUR_UNKNOWN)
    fit = section.fit
    vessel, error = fit.vessels[0], CONFIDENT * math.sqrt(fit.covariance[1, 1])
    if vessel.square <= error:
        raise Unmeasurable(BLUR_HIDES)
    squares = [vessel.square]
    for end in blur.ends:
        squares.append(fit_cylinders(section.problem, end, density).vessels[0].square)
    low, high = min(squares) - error, max(squares) + error
    return vessel.diameter, 2 * math.sqrt(max(low, 0.0)), 2 * math.sqrt(high)


_MEASURES = {
    HALF_MAXIMUM: _half_maximum,
    DERIVATIVE: _derivative,
    DENSITOMETRIC: _densitometric,
    MODEL_FIT: _model_fit,
}


def _height(section: CrossSection) -> tuple[float, float]:
    """The vessel's height, smoothed by a tenth of its width so that noise does not raise it, and where it is."""
    smooth = ndimage.gaussian_filter1d(section.clean, 0.1 * section.aim.width / STEP)
    near = np.abs(section.positions - section.fit.vessels[0].centre) <= max(section.aim.width, 2.0)
    k = int(np.where(near, smooth, -np.inf).argmax())
    if smooth[k] <= 0:
        raise Unmeasurable(NO_EDGES)
    return float(smooth[k]), float(section.positions[k])


def _scaled(value: float, error: float, factor: float = 1.0) -> _Interval:
    margin = CONFIDENT * error
    return factor * value, factor * max(value - margin, 0.0), factor * (value + margin)
