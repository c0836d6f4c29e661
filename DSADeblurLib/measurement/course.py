"""Diameters and cross sections all along a vessel, with the density of its contrast agent taken from where it shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from DSADeblurLib.measurement.centre_line import CentreLine, find_centre_line
from DSADeblurLib.measurement.cross_section import NO_VESSEL, TOO_FAINT, densities
from DSADeblurLib.measurement.cylinder_fit import KnownDensity
from DSADeblurLib.measurement.diameter import CONFIDENT, Section, measure_all, with_density
from DSADeblurLib.measurement.line_spread import SystemBlur
from DSADeblurLib.steps import Steps, finished

STEP_MM = 0.2
# A place tells the density when its squared radius is known as well as this, and so many must.
_WELL_KNOWN, _LEAST_PLACES = 0.25, 15
# More places at once take less time, and hold up what else waits for longer.
_AT_ONCE = 8
# Contrast agent is mixed no more evenly than this.
_LEAST_SPREAD = 0.05


@dataclass(frozen=True)
class VesselCourse:
    """What was measured at n places along a vessel, from the first point to the last.

    Attributes:
        line: the places.
        sections: n of them, by all methods.
        density: of the contrast agent in it; None where no place tells.
    """

    line: CentreLine
    sections: tuple[Section, ...]
    density: KnownDensity | None

    @property
    def arc(self) -> np.ndarray:
        """(n,) pixels along the vessel."""
        return self.line.arc

    def diameters(self, method: str) -> np.ndarray:
        """(n, 4): value, low, high and reach of the noise alone in pixels; NaN where it could not be measured."""
        found = (section.diameters[method] for section in self.sections)
        return np.array([(one.value, one.low, one.high, one.noise) for one in found])

    @property
    def areas(self) -> np.ndarray:
        """(n, 3): area under the density, low and high; no contrast agent is 0, with the least that would be seen."""
        found = np.array([(one.area, one.area_error) for one in self.sections])
        value, margin = found[:, 0], CONFIDENT * found[:, 1]
        rows = np.column_stack((value, np.maximum(value - margin, 0), value + margin))
        rows[self.empty] = (0.0, 0.0, np.nanmax(np.append(margin, 0.0)))
        return rows

    @property
    def empty(self) -> np.ndarray:
        """(n,) bool: no contrast agent shows there."""
        return np.array([one.section is None and one.reason in (NO_VESSEL, TOO_FAINT) for one in self.sections])


def measure_course(
    image: np.ndarray, line: CentreLine, blur: SystemBlur | None = None, averaging: float = 3.0
) -> VesselCourse:
    """As `measure_course_in_steps`, all at once."""
    return finished(measure_course_in_steps(image, line, blur, averaging))


def measure_course_in_steps(
    image: np.ndarray, line: CentreLine, blur: SystemBlur | None = None, averaging: float = 3.0
) -> Steps[VesselCourse]:
    """Measure at every place of a centre line, for instance on another frame than it was found on.

    Where a vessel is too narrow for its profile to tell the width, the density that wider places show helps: its
    spread along the vessel enters the intervals. A vessel that turns towards the beam looks denser; then it does harm.

    Args:
        image: (rows, columns), values in which absorbers add up, lower in vessels.
        line: from `find_centre_line`.
        blur: of this image; its error is left aside, it moves all widths alike.
        averaging: length in pixels along the vessel that is averaged; what a narrowing shorter than it loses.

    Returns:
        The course, at the end of a generator of steps of some places.
    """
    certain, splined = None if blur is None else blur.scaled(1.0), densities(image)
    aims = [line.aim(k) for k in range(len(line.arc))]
    sections: list[Section] = []
    for k in range(0, len(aims), _AT_ONCE):
        sections += measure_all(splined, aims[k : k + _AT_ONCE], certain, averaging)
        yield
    density = None if certain is None else _density(sections)
    if density is not None:
        for k in range(0, len(aims), _AT_ONCE):
            sections[k : k + _AT_ONCE] = with_density(sections[k : k + _AT_ONCE], density)
            yield
    return VesselCourse(line, tuple(sections), density)


def measure_curve(
    image: np.ndarray, points: np.ndarray, step: float, blur: SystemBlur | None = None, averaging: float = 3.0
) -> VesselCourse:
    """Find the centre line through a user's points and measure along it; see `find_centre_line`, `measure_course`."""
    return measure_course(image, find_centre_line(image, points, step), blur, averaging)


def _density(sections: list[Section]) -> KnownDensity | None:
    fits = [one.section.fit for one in sections if one.section is not None]
    known = [
        fit.vessels[0].density for fit in fits if _WELL_KNOWN * fit.vessels[0].square > fit.covariance[1, 1] ** 0.5
    ]
    if len(known) < _LEAST_PLACES:
        return None
    value = float(np.median(known))
    spread = float(stats.median_abs_deviation(known, scale="normal"))
    return KnownDensity(value, max(spread, _LEAST_SPREAD * value))
