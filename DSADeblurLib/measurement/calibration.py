"""From pixels to millimetres: every length names the plane it holds for and carries the interval that follows.

    choices(acquisition) -> Choices               all that a header allows, best first, and why
    catheter(french, width, acquisition)          from a catheter of known French size
    known_distance(millimetres, length, acquisition)
    uncalibrated(aspect)
    Length(rows_px, columns_px, uncertainty_px).measured(calibration) -> Measured, whose text is for the user

Intervals. A pixel of the detector, `p` wide, shows p SOD / SID of an object SOD from the source (PS3.3 10.7.1), so the
size of a pixel in the patient changes by p / SID for each millimetre of depth. Objects are taken to lie within 50 mm of
the plane that is calibrated. To this come the rounding of the tags, the disagreement of tags that speak of the same
plane, and the user's error of measuring. Ranges are combined at their ends (interval arithmetic): nothing is assumed
about how errors are distributed or that they are independent, so an interval holds whenever its parts hold, and it is
wider than one of errors that are independent. Not covered: distances that do not lie parallel to the detector (they
show shorter; widths of vessels do not), headers none of whose tags is true, and sides of oblong pixels whose ratio is
not as it is written.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

from DSADeblurLib.xa.file.elements import as_written
from DSADeblurLib.xa.header.facts import Acquisition, Pair
from DSADeblurLib.xa.header.magnifications import (
    COARSEST_SPACING_MM,
    FIDUCIAL,
    MAGNIFICATION_RANGE,
    OBJECT_DEPTH_MM,
    SID_SOD,
    SPACINGS,
    TAG,
    USER,
    Magnification,
    disagreeing,
    plane_range,
    range_in_depth,
    shortest_sid,
)

PIXELS = "uncalibrated"
LABELS = {
    "user": "patient plane, magnification given by the user",
    "sid-sod": "patient plane, SID/SOD",
    "ermf": "patient plane, ERMF",
    "fiducial": "patient plane, calibrated pixel spacing (fiducial)",
    "geometry": "patient plane, calibrated pixel spacing (geometry)",
    "spacing": "patient plane, calibrated pixel spacing (type not stated)",
    "catheter": "patient plane, catheter of known size",
    "known-distance": "patient plane, known distance",
    "detector": "detector plane",
    PIXELS: "uncalibrated",
}
"""What each kind of calibration is called beside a number."""

FRENCH_RANGE = (1.0, 40.0)
MM_PER_FRENCH = 1 / 3
_KIND_OF_SOURCE = {USER: "user", SID_SOD: "sid-sod", TAG: "ermf"}
# A calibration object in the patient is better than the isocentre, and both are better than a tag of unknown descent.
_ORDER = ("user", "fiducial", "sid-sod", "ermf", "geometry", "spacing", "detector", PIXELS)
_WHY = {
    "user": "The user gave the magnification.",
    "fiducial": "Pixels were calibrated on an object of known size in the patient.",
    "sid-sod": "The header tells both distances of the isocentre.",
    "ermf": "The header tells a magnification, but not both distances behind it.",
    "geometry": "The device calibrated the pixel spacing by its geometry; distances and magnification are not told.",
    "spacing": "The pixel spacing was calibrated; distances and magnification are not told.",
    "detector": "No magnification is known: lengths are those of shadows on the detector, larger than in the patient.",
    PIXELS: "The header tells no pixel size.",
}


@dataclass(frozen=True)
class Calibration:
    """Size of a pixel as (rows, columns): the distance of neighbouring rows and that of neighbouring columns.

    Attributes:
        kind: a key of `LABELS`.
        size, low, high: mm per pixel, the value and its interval; for `PIXELS` the unit is the width of a column.
        notes: sentences on what it holds for and what speaks against it.
    """

    kind: str
    size: Pair
    low: Pair
    high: Pair
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in LABELS:
            raise ValueError(f"Unknown kind of calibration '{self.kind}'; use one of {', '.join(LABELS)}.")
        for low, size, high in zip(self.low, self.size, self.high, strict=True):
            if not (0 <= low <= size <= high < math.inf and size > 0):
                raise ValueError(f"A pixel of {size:g} mm cannot lie between {low:g} and {high:g} mm.")

    @property
    def label(self) -> str:
        """What the lengths are, for the user: 'patient plane, SID/SOD'."""
        return LABELS[self.kind]

    @property
    def unit(self) -> str:
        return "px" if self.kind == PIXELS else "mm"

    @property
    def text(self) -> str:
        """One line: '0.101 x 0.101 mm per pixel (0.0937-0.108 x 0.0937-0.108), patient plane, SID/SOD'."""
        if self.kind == PIXELS:
            return self.label
        ranges = " x ".join(f"{low:.3g}-{high:.3g}" for low, high in zip(self.low, self.high, strict=True))
        return f"{self.size[0]:.3g} x {self.size[1]:.3g} mm per pixel ({ranges}), {self.label}"

    def as_dict(self) -> dict:
        """Return plain, JSON-able values."""
        return {
            "kind": self.kind,
            "label": self.label,
            "unit": self.unit,
            "size": list(self.size),
            "low": list(self.low),
            "high": list(self.high),
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class Choices:
    """All calibrations that a header allows, best first; the first is the default, `why` says so in a sentence."""

    calibrations: tuple[Calibration, ...]
    why: str

    @property
    def default(self) -> Calibration:
        return self.calibrations[0]

    def of_kind(self, kind: str) -> Calibration | None:
        """Return the calibration of a kind, None where the header does not allow it."""
        return next((one for one in self.calibrations if one.kind == kind), None)

    def rows(self) -> list[tuple[str, str, str]]:
        """Return (label, millimetres per pixel with interval, notes) for a table, the default first."""
        return [
            (one.label, one.text.partition(",")[0] if one.unit == "mm" else "", " ".join(one.notes))
            for one in self.calibrations
        ]

    def as_dict(self) -> dict:
        """Return plain, JSON-able values."""
        return {
            "default": self.default.kind,
            "why": self.why,
            "calibrations": [one.as_dict() for one in self.calibrations],
        }


@dataclass(frozen=True)
class Measured:
    """A figure for the user: value, interval, unit ('mm' or 'px') and what it is."""

    value: float
    low: float
    high: float
    unit: str
    label: str = ""

    @property
    def text(self) -> str:
        """'2.1 mm (1.8-2.5), patient plane, SID/SOD'. The interval is rounded outwards, so that it still holds."""
        shown = f"{_rounded(self.value, ROUND_HALF_EVEN, self)} {self.unit}"
        if self.low < self.high:
            shown += f" ({_rounded(self.low, ROUND_FLOOR, self)}-{_rounded(self.high, ROUND_CEILING, self)})"
        return f"{shown}, {self.label}" if self.label else shown


@dataclass(frozen=True)
class Length:
    """A distance in the image: (rows, columns) in pixels, and how much its ends may be off together, in pixels."""

    rows_px: float
    columns_px: float
    uncertainty_px: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.rows_px) and math.isfinite(self.columns_px) and 0 <= self.uncertainty_px < math.inf):
            raise ValueError("A length needs finite numbers of pixels and an uncertainty of at least 0.")

    @classmethod
    def between(cls, first: Pair, second: Pair, uncertainty_px: float = 0.0) -> Length:
        """Return the distance of two points (row, column), each of which may be off by `uncertainty_px`."""
        return cls(second[0] - first[0], second[1] - first[1], 2 * uncertainty_px)

    def measured(self, calibration: Calibration) -> Measured:
        """Return the length as this calibration has it."""
        low = self._scaled(calibration.low) - self.uncertainty_px * max(calibration.low)
        high = self._scaled(calibration.high) + self.uncertainty_px * max(calibration.high)
        return Measured(self._scaled(calibration.size), max(low, 0.0), high, calibration.unit, calibration.label)

    def _scaled(self, size: Pair) -> float:
        return math.hypot(self.rows_px * size[0], self.columns_px * size[1])


def choices(acquisition: Acquisition) -> Choices:
    """Return every calibration that the header of a run, and a magnification given by the user, allow.

    Order: the user's magnification; pixels calibrated on a fiducial; SID/SOD; ERMF; spacing calibrated by geometry or
    in a way not told; the detector's plane; pixels.
    """
    found = [_spacing_calibration(acquisition), _detector(acquisition), uncalibrated(acquisition.pixel_aspect)]
    spacing = acquisition.imager_pixel_spacing.value
    if spacing is not None:
        found += [
            _patient_plane(spacing, acquisition, one) for one in acquisition.magnifications if one.source != SPACINGS
        ]
    ordered = sorted(filter(None, found), key=lambda one: _ORDER.index(one.kind))
    return Choices(tuple(ordered), _WHY[ordered[0].kind])


def catheter(french: float, width: Length, acquisition: Acquisition, depth_mm: float = OBJECT_DEPTH_MM) -> Calibration:
    """Return the calibration by a catheter of known outer size, 3 French = 1 mm, and its measured width.

    Args:
        french: its size.
        width: across it, with the uncertainty of measuring.
        acquisition: the facts of the run.
        depth_mm: how far before or behind the catheter the vessels may lie; 0 where it lies in the vessel that is
            measured.

    Raises:
        ValueError: one sentence, when French size, width or depth are not usable.
    """
    if not FRENCH_RANGE[0] <= french <= FRENCH_RANGE[1]:
        raise ValueError(f"A French size lies between {FRENCH_RANGE[0]:g} and {FRENCH_RANGE[1]:g}, not {french:g}.")
    return _by_object("catheter", "catheter", french * MM_PER_FRENCH, width, acquisition, depth_mm)


def known_distance(
    millimetres: float, length: Length, acquisition: Acquisition, depth_mm: float = OBJECT_DEPTH_MM
) -> Calibration:
    """Return the calibration by two points whose distance in the patient is known, for instance marks on a wire.

    Args:
        millimetres: their distance in the patient.
        length: between them in the image, with the uncertainty of marking them.
        acquisition: the facts of the run.
        depth_mm: as for `catheter`.

    Raises:
        ValueError: one sentence, when one of them is not usable.
    """
    if not 0 < millimetres < math.inf:
        raise ValueError(f"A known distance must be a positive number of mm, not {millimetres:g}.")
    made = _by_object("known-distance", "known distance", millimetres, length, acquisition, depth_mm)
    note = "The known distance must lie parallel to the detector: otherwise lengths come out too large."
    return Calibration(made.kind, made.size, made.low, made.high, (*made.notes, note))


def uncalibrated(aspect: float = 1.0) -> Calibration:
    """Return pixels: lengths in widths of a column. `aspect` is the height of a pixel over its width."""
    if not 0 < aspect < math.inf:
        raise ValueError(f"The aspect of a pixel must be a positive number, not {aspect!r}.")
    notes = () if aspect == 1 else ("Pixels are not square: lengths are in widths of a column.",)
    return Calibration(PIXELS, (aspect, 1.0), (aspect, 1.0), (aspect, 1.0), notes)


def _detector(acquisition: Acquisition) -> Calibration | None:
    spacing = acquisition.imager_pixel_spacing
    if spacing.value is None:
        return None
    low, high = _ends(spacing.value)
    notes = ("Lengths in the patient are smaller by the magnification.", *_assumed_pixels(acquisition))
    return Calibration("detector", spacing.value, low, high, notes)


def _patient_plane(spacing: Pair, acquisition: Acquisition, used: Magnification) -> Calibration:
    """Detector pixels over the magnification, within 50 mm of the plane that it holds for."""
    near, far = _in_patient(spacing, acquisition, used)
    notes = [f"Holds at the isocentre; the interval covers objects within {OBJECT_DEPTH_MM:g} mm of it."]
    if used.source == USER:
        notes = [
            f"The interval covers objects within {OBJECT_DEPTH_MM:g} mm of the plane of magnification {used.value:g}."
        ]
    elif disagreeing([one for one in acquisition.magnifications if one.source != USER]):
        notes.append("Magnification tags disagree; the interval covers them all.")
    notes += [*_assumed_sid(acquisition), *_assumed_pixels(acquisition)]
    return Calibration(_KIND_OF_SOURCE[used.source], _times(spacing, 1 / used.value), near, far, tuple(notes))


def _spacing_calibration(acquisition: Acquisition) -> Calibration | None:
    """Pixel Spacing as the device calibrated it; None where it did not, or not plausibly."""
    size, spacing = acquisition.pixel_spacing.value, acquisition.imager_pixel_spacing.value
    used = next((one for one in acquisition.magnifications if one.source == SPACINGS), None)
    if size is None or (used is None and spacing is not None):
        return None
    if used is None or spacing is None:
        low, high = _in_depth(acquisition, *_ends(size), OBJECT_DEPTH_MM)
    else:
        low, high = _in_patient(spacing, acquisition, used)
    kind = acquisition.calibration_type
    plane = "fiducial" if kind == FIDUCIAL else "isocentre"
    notes = (
        f"Holds at the {plane}; the interval covers objects within {OBJECT_DEPTH_MM:g} mm of it.",
        *_assumed_sid(acquisition),
    )
    return Calibration(kind.lower() or "spacing", size, low, high, notes)


def _by_object(
    kind: str, name: str, millimetres: float, length: Length, acquisition: Acquisition, depth_mm: float
) -> Calibration:
    """Calibration by an object of known size: only the ratio of a pixel's height and width comes from the header."""
    if not 0 <= depth_mm < math.inf:
        raise ValueError(f"The depth must be at least 0 mm, not {depth_mm:g}.")
    aspect = acquisition.pixel_aspect
    pixels = length.measured(uncalibrated(aspect))
    if not pixels.low > 0:
        raise ValueError(
            f"The {name} is {pixels.value:.3g} pixels wide or long, which is not more than the "
            f"uncertainty of measuring it."
        )
    size, low, high = (
        (millimetres / one * aspect, millimetres / one) for one in (pixels.value, pixels.high, pixels.low)
    )
    notes = [f"Holds at the {name}; the interval covers objects within {depth_mm:g} mm of it."]
    notes += _doubts(name, acquisition, size, low, high)
    low, high = _in_depth(acquisition, low, high, depth_mm)
    return Calibration(kind, size, low, high, (*notes, *(_assumed_sid(acquisition) if depth_mm else ())))


def _doubts(name: str, acquisition: Acquisition, size: Pair, low: Pair, high: Pair) -> list[str]:
    """Sentences on what the header has against the size of a pixel at an object of known size."""
    spacing = acquisition.imager_pixel_spacing.value
    if spacing is None:
        return []
    used = spacing[1] / size[1]
    if not MAGNIFICATION_RANGE[0] < used <= MAGNIFICATION_RANGE[1]:
        return [f"Geometry implausible: the {name} gives magnification {used:.3g}; check its size."]
    if acquisition.magnifications:
        near, far = _in_patient(spacing, acquisition, acquisition.magnifications[0])
        if high[1] < near[1] or low[1] > far[1]:
            return [
                f"The {name} gives magnification {used:.3g}, the header {acquisition.magnification.value:.3g}: "
                f"they do not fit."
            ]
    return []


def _in_patient(spacing: Pair, acquisition: Acquisition, used: Magnification) -> tuple[Pair, Pair]:
    """Smallest and largest pixel in the patient that the tags on the plane of `used` allow, within 50 mm of it."""
    low, high = _ends(spacing)
    far, near = range_in_depth(plane_range(used, acquisition.magnifications), acquisition.sid.value)
    return _times(low, 1 / near), _times(high, 1 / far)


def _in_depth(acquisition: Acquisition, low: Pair, high: Pair, depth_mm: float) -> tuple[Pair, Pair]:
    """Widen the range of a pixel in one plane by what it grows and shrinks within `depth_mm`: p / SID for each mm.

    Without Imager Pixel Spacing p is at most the calibrated pixel times the greatest plausible magnification.
    """
    spacing = acquisition.imager_pixel_spacing.value
    detector = _ends(spacing)[1] if spacing else _times(high, MAGNIFICATION_RANGE[1])
    steps = _times(detector, depth_mm / shortest_sid(acquisition.sid.value))
    rows, columns = (max(one - step, 0.0) for one, step in zip(low, steps, strict=True))
    least = rows, columns
    # Nothing lies behind the detector, where the pixel is that of the detector.
    rows, columns = (max(min(one + step, end), one) for one, step, end in zip(high, steps, detector, strict=True))
    return least, (rows, columns)


def _ends(spacing: Pair) -> tuple[Pair, Pair]:
    rows, columns = (as_written(one, COARSEST_SPACING_MM) for one in spacing)
    return (rows[0], columns[0]), (rows[1], columns[1])


def _times(pair: Pair, factor: float) -> Pair:
    return pair[0] * factor, pair[1] * factor


def _assumed_sid(acquisition: Acquisition) -> tuple[str, ...]:
    if acquisition.sid.value is not None:
        return ()
    return (f"The source to detector distance is unknown; at least {shortest_sid(None):g} mm is assumed.",)


def _assumed_pixels(acquisition: Acquisition) -> tuple[str, ...]:
    if acquisition.imager_pixel_spacing.origin != "assumed":
        return ()
    return (f"The size of a pixel is assumed: {acquisition.imager_pixel_spacing.note}.",)


def _rounded(number: float, rounding: str, shown: Measured) -> str:
    """One decimal, two below 1, none from 100."""
    if math.isinf(number):
        return "any" if number > 0 else "-any"
    decimals = 0 if shown.value >= 100 else 2 if shown.value < 1 else 1
    return str(Decimal(repr(float(number))).quantize(Decimal(1).scaleb(-decimals), rounding))
