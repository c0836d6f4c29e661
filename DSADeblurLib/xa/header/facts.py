"""What the header says about the acquisition geometry: every number with where it came from, never a silent default."""

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Generic, TypeVar

from pydicom.dataset import Dataset

from DSADeblurLib.physics import geometry
from DSADeblurLib.physics.focal_spot import iec_60336_limits, removable_blur_in_pixels
from DSADeblurLib.request import MAX_FOCAL_SPOT_MM, SPACING_RANGE_MM, UserFacts
from DSADeblurLib.xa.file.elements import integers_of, numbers_of, raw_text, text_of, texts_of
from DSADeblurLib.xa.header.magnifications import (
    OBJECT_DEPTH_MM,
    SID_SOD,
    USER,
    Magnification,
    disagreeing,
    given_magnification,
    plane_range,
    range_in_depth,
    read_magnifications,
)

# Plausible ranges of C-arm angiography; values outside are treated as missing, never corrected.
SID_RANGE_MM = (400.0, 2500.0)
# How much sides of square pixels may differ when they are worked out from the field of view.
_SQUARE_TOLERANCE = 0.01
_ORIGINS = ("header", "user", "assumed", "unknown")
Pair = tuple[float, float]
Value = TypeVar("Value", float, Pair, tuple[float, ...])


@dataclass(frozen=True)
class Fact(Generic[Value]):
    """One quantity and its origin: 'header', 'user', 'assumed' or 'unknown' (then the value is None).

    `interval` is the range that geometry and tolerances leave: (low, high), or one such pair for each of the values.
    """

    value: Value | None
    unit: str
    origin: str
    note: str = ""
    interval: tuple = ()

    def __post_init__(self) -> None:
        if self.origin not in _ORIGINS:
            raise ValueError(f"origin must be one of {_ORIGINS}, not {self.origin!r}")
        if (self.value is None) != (self.origin == "unknown"):
            raise ValueError("a fact is unknown exactly when it has no value")

    @property
    def text(self) -> str:
        """The value for a table, without its unit."""
        if self.value is None:
            return "unknown"
        values = self.value if isinstance(self.value, tuple) else (self.value,)
        return " x ".join(f"{one:.4g}" for one in values)

    @property
    def text_with_interval(self) -> str:
        """The value as in `text`, and its range in brackets where it has one: '1.53 (1.43-1.64)'."""
        if not self.interval:
            return self.text
        ranges = self.interval if isinstance(self.interval[0], tuple) else (self.interval,)
        return f"{self.text} ({' x '.join(f'{low:.3g}-{high:.3g}' for low, high in ranges)})"


def unknown(unit: str, note: str = "") -> Fact[Any]:
    """Return a fact without a value."""
    return Fact(None, unit, "unknown", note)


@dataclass(frozen=True)
class Acquisition:
    """Acquisition geometry of one run. Pairs are (row, column); blur follows PS3.3 C.8.7.5 and 10.7.1.

    `blur_detector_px` is f (M - 1) / spacing along rows and columns, `blur_object_mm` is f (1 - 1/M), both for the
    least width that IEC 60336 allows. Their intervals reach to its greatest, over 50 mm before and behind the
    isocentre and over all that the tags say of M. `blur_length_px` is the same for the spot's length. Which way the
    spot lies on the frame no tag tells. `magnifications` are all plausible ones, the one in use first.
    `pixel_aspect` is the height of a pixel over its width.
    """

    focal_spots: Fact[tuple[float, ...]]
    focal_spot: Fact[float]
    sid: Fact[float]
    sod: Fact[float]
    ermf: Fact[float]
    imager_pixel_spacing: Fact[Pair]
    magnification: Fact[float]
    blur_detector_px: Fact[Pair]
    blur_object_mm: Fact[float]
    warnings: tuple[str, ...] = ()
    blur_length_px: Fact[Pair] = Fact(None, "px", "unknown")
    pixel_spacing: Fact[Pair] = Fact(None, "mm", "unknown")
    calibration_type: str = ""
    magnifications: tuple[Magnification, ...] = ()
    pixel_aspect: float = 1.0

    _LABELS = (
        ("focal_spots", "Focal spots listed"),
        ("focal_spot", "Focal spot used"),
        ("sid", "Source to detector distance"),
        ("sod", "Source to object distance"),
        ("ermf", "Estimated magnification tag"),
        ("imager_pixel_spacing", "Imager pixel spacing, detector plane (row x column)"),
        ("pixel_spacing", "Calibrated pixel spacing, patient plane (row x column)"),
        ("magnification", "Magnification"),
        ("blur_detector_px", "Predicted blur at the detector (row x column)"),
        ("blur_length_px", "Predicted blur along the spot's length (row x column)"),
        ("blur_object_mm", "Predicted blur in the patient plane"),
    )

    def rows(self) -> list[tuple[str, str, str, str, str]]:
        """Return (label, value, unit, origin, note) for each fact, ready for a table."""
        facts = [(label, getattr(self, name)) for name, label in self._LABELS]
        return [(label, fact.text_with_interval, fact.unit, fact.origin, fact.note) for label, fact in facts]

    def as_dict(self) -> dict:
        """Return the facts as plain dictionaries and lists."""
        facts = {}
        for name, _ in self._LABELS:
            fact = getattr(self, name)
            value = list(fact.value) if isinstance(fact.value, tuple) else fact.value
            facts[name] = {
                "value": value,
                "unit": fact.unit,
                "origin": fact.origin,
                "note": fact.note,
                "interval": [list(one) if isinstance(one, tuple) else one for one in fact.interval],
            }
        return {**facts, "warnings": list(self.warnings)}

    def removable_blur_px(self) -> tuple[float, float] | None:
        """Width (rows, columns) in pixels, in the isocentre's plane, of what the spot blurs more than a small focus.

        See `physics.focal_spot.removable_blur_in_pixels`; None where the header lacks something.
        """
        spot, factor, spacing = self.focal_spot.value, self.magnification.value, self.imager_pixel_spacing.value
        if spot is None or factor is None or spacing is None:
            return None
        rows, columns = (removable_blur_in_pixels(spot, factor, one) for one in spacing)
        return rows, columns

    def assumed(self) -> tuple[str, ...]:
        """Return one phrase per value that did not come from the header, for the derivation description."""
        named = (
            ("focal spot", self.focal_spot),
            ("magnification", self.magnification),
            ("imager pixel spacing", self.imager_pixel_spacing),
        )
        return tuple(
            f"{name} {fact.text}{' ' + fact.unit if fact.unit else ''} ({fact.origin})"
            for name, fact in named
            if fact.origin in ("user", "assumed")
        )


def read_acquisition(dataset: Dataset, user: UserFacts = UserFacts()) -> Acquisition:
    """Return the acquisition facts of a data set; the user's values override the header's.

    Header values that are not plausible are treated as missing, with one warning each.

    Args:
        dataset: the header; with an empty one the facts are the user's alone.
        user: what the user says.

    Source: PS3.3 C.8.7.2, C.8.7.3, C.8.7.5, 10.7.1.
    """
    warnings: list[str] = []
    spots = _focal_spots(dataset, warnings)
    spot: Fact[float]
    if user.focal_spot_mm is not None:
        spot = Fact(user.focal_spot_mm, "mm", "user")
    elif spots.value:
        spot = Fact(max(spots.value), "mm", "header")
        if len(set(spots.value)) > 1:
            warnings.append(f"Several focal spots listed; using {max(spots.value):g}.")
    else:
        spot = unknown("mm")
    spot = _with_actual_size(spot)

    sid = _single(dataset, "DistanceSourceToDetector", "Source to detector distance", "mm", warnings)
    sod = _single(dataset, "DistanceSourceToPatient", "Source to object distance", "mm", warnings)
    ermf = _single(dataset, "EstimatedRadiographicMagnificationFactor", "Estimated magnification", "", warnings)
    if sid.value and not SID_RANGE_MM[0] <= sid.value <= SID_RANGE_MM[1]:
        warnings.append(
            f"Geometry implausible: source to detector distance {sid.value:g} mm is outside "
            f"{SID_RANGE_MM[0]:g}-{SID_RANGE_MM[1]:g} mm."
        )
        sid = unknown("mm", "implausible value in the header")
    spacing = _pair(dataset, "ImagerPixelSpacing", "Imager Pixel Spacing", SPACING_RANGE_MM, warnings)
    if spacing.value is None:
        spacing = _spacing_from_field_of_view(dataset, warnings) or spacing
    if user.detector_spacing_mm is not None:
        spacing = Fact((user.detector_spacing_mm, user.detector_spacing_mm), "mm", "user")
    if spacing.value is None:
        warnings.append("No pixel size: the header cannot say how wide the blur is.")
    calibrated, kind = _calibrated_spacing(dataset, spacing, warnings)
    # Where the user says what holds, contradictions of the tags matter no more.
    doubts: list[str] = []
    found = read_magnifications(sid.value, sod.value, ermf.value, spacing.value, calibrated.value, kind, doubts)
    if user.magnification is None:
        warnings += doubts
    else:
        found = (given_magnification(user.magnification), *found)
    factor = _magnification(found, sid)
    aspect = _pixel_aspect(dataset, spacing, calibrated)
    blur_across, blur_along, blur_in_object = _blur(spot, factor, spacing, found, sid)
    facts = Acquisition(
        focal_spots=spots,
        focal_spot=spot,
        sid=sid,
        sod=sod,
        ermf=ermf,
        imager_pixel_spacing=spacing,
        magnification=factor,
        pixel_spacing=calibrated,
        calibration_type=kind,
        magnifications=found,
        pixel_aspect=aspect,
        blur_detector_px=blur_across,
        blur_length_px=blur_along,
        blur_object_mm=blur_in_object,
    )
    assumed = [f"Assumed {', '.join(facts.assumed())}."] if facts.assumed() else []
    return replace(facts, warnings=(*warnings, *assumed))


def _unusable(name: str, dataset: Dataset, keyword: str) -> str:
    return f"{name} '{raw_text(dataset, keyword)}' unusable."


def _focal_spots(dataset: Dataset, warnings: list[str]) -> Fact[tuple[float, ...]]:
    values = numbers_of(dataset, "FocalSpots")
    if values == ():
        return unknown("mm")
    if values is None or min(values) <= 0:
        warnings.append(_unusable("Focal Spots", dataset, "FocalSpots"))
        return unknown("mm")
    good = tuple(one for one in values if one <= MAX_FOCAL_SPOT_MM)
    for one in values:
        if one > MAX_FOCAL_SPOT_MM:
            # Some files hold micrometres. Dividing by 1000 would be a guess, so the value is only reported.
            warnings.append(f"Focal spot {one:g} mm implausible (µm?).")
    return Fact(good, "mm", "header", "nominal") if good else unknown("mm", "implausible value in the header")


def _single(dataset: Dataset, keyword: str, name: str, unit: str, warnings: list[str]) -> Fact[float]:
    values = numbers_of(dataset, keyword)
    if values == ():
        return unknown(unit)
    if values is None or len(values) != 1 or values[0] <= 0:
        warnings.append(_unusable(name, dataset, keyword))
        return unknown(unit, "unusable value in the header")
    return Fact(values[0], unit, "header")


def _pair(dataset: Dataset, keyword: str, name: str, limits: Pair | None, warnings: list[str]) -> Fact[Pair]:
    values = numbers_of(dataset, keyword)
    if values == ():
        return unknown("mm")
    if values is None or len(values) != 2 or min(values) <= 0:
        warnings.append(_unusable(name, dataset, keyword))
        return unknown("mm", "unusable value in the header")
    if limits and not all(limits[0] <= one <= limits[1] for one in values):
        warnings.append(
            f"Geometry implausible: {name} {values[0]:g} x {values[1]:g} mm is outside {limits[0]:g}-{limits[1]:g} mm."
        )
        return unknown("mm", "implausible value in the header")
    return Fact((values[0], values[1]), "mm", "header")


def _spacing_from_field_of_view(dataset: Dataset, warnings: list[str]) -> Fact[Pair] | None:
    """Return the field of view over the image size (PS3.3 C.8.7.3), or None unless the image shows all of it.

    No tag of XA tells of a zoom. An image counts as uncropped when it is ORIGINAL, its field of view is a rectangle, or
    a circle in a square image, and pixels come out square and plausible.
    """
    shape, sides = text_of(dataset, "FieldOfViewShape"), numbers_of(dataset, "FieldOfViewDimensions")
    rows, columns = ((integers_of(dataset, name) or (0,))[0] for name in ("Rows", "Columns"))
    if not shape or not sides or min(rows, columns) <= 0:
        return None
    if shape == "ROUND" and len(sides) == 1:
        sides = sides * 2
    elif shape != "RECTANGLE" or len(sides) != 2:
        return None
    pair = (sides[0] / rows, sides[1] / columns)
    square = math.isclose(*pair, rel_tol=_SQUARE_TOLERANCE) and (shape == "RECTANGLE" or rows == columns)
    plausible = all(SPACING_RANGE_MM[0] <= one <= SPACING_RANGE_MM[1] for one in pair)
    if not (square and plausible and texts_of(dataset, "ImageType")[:1] == ("ORIGINAL",)):
        return None
    return Fact(pair, "mm", "assumed", "field of view / image size, taken as uncropped")


def _calibrated_spacing(dataset: Dataset, spacing: Fact[Pair], warnings: list[str]) -> tuple[Fact[Pair], str]:
    """Return Pixel Spacing, unknown where it is not calibrated, and Pixel Spacing Calibration Type (PS3.3 10.7.1)."""
    calibrated = _pair(dataset, "PixelSpacing", "Pixel Spacing", None, warnings)
    kind = text_of(dataset, "PixelSpacingCalibrationType")
    kind = kind if kind in ("GEOMETRY", "FIDUCIAL") else ""
    if calibrated.value is None:
        return calibrated, kind
    if spacing.value is None and not kind:
        warnings.append(
            "Pixel Spacing without Imager Pixel Spacing or calibration type: its plane is unknown, it is not used."
        )
        return unknown("mm", "plane unknown"), kind
    # Equal to Imager Pixel Spacing means that nothing was calibrated (PS3.3 10.7.1.3).
    if spacing.value and all(map(partial(math.isclose, rel_tol=1e-3), spacing.value, calibrated.value)):
        return unknown("mm", "not calibrated: equal to the imager pixel spacing"), ""
    return replace(calibrated, note=kind or "calibration type not stated"), kind


def _pixel_aspect(dataset: Dataset, spacing: Fact[Pair], calibrated: Fact[Pair]) -> float:
    pair = spacing.value or calibrated.value or numbers_of(dataset, "PixelAspectRatio")
    return pair[0] / pair[1] if pair and len(pair) == 2 and min(pair) > 0 else 1.0


def _with_actual_size(spot: Fact[float]) -> Fact[float]:
    """Add what IEC 60336 allows an actual spot of this nominal value: from the least width to the greatest length."""
    if spot.value is None or not 0.1 <= spot.value <= 3.0:
        return spot
    width, length = iec_60336_limits(spot.value)
    note = f"nominal; IEC 60336 allows {width[0]:.3g}-{width[1]:.3g} x {length[0]:.3g}-{length[1]:.3g} mm"
    return replace(spot, note=note, interval=(width[0], length[1]))


def _magnification(found: tuple[Magnification, ...], sid: Fact[float]) -> Fact[float]:
    """Return the most trusted M, with its range for vessels within 50 mm of its plane."""
    if not found:
        return unknown("")
    used = found[0]
    interval = range_in_depth(plane_range(used, found), sid.value)
    if used.source == USER:
        return Fact(used.value, "", "user", interval=interval)
    others = [f"{one.source} says {one.value:.3g}" for one in disagreeing(found)]
    return Fact(used.value, "", "header", "; ".join((used.source, *others)), interval)


def _blur(
    spot: Fact[float],
    factor: Fact[float],
    spacing: Fact[Pair],
    found: tuple[Magnification, ...],
    sid: Fact[float],
) -> tuple[Fact[Pair], Fact[Pair], Fact[float]]:
    """Return the three facts on the predicted blur: across and along the spot at the detector, and in the object."""
    if spot.value is None or factor.value is None:
        missing = "needs focal spot and magnification"
        return unknown("px", missing), unknown("px", missing), unknown("mm", missing)
    # Both formulas grow with the spot and with M, so the ends of the ranges give the ends of the blur's range.
    (far, near), used = factor.interval, factor.value
    width, length = iec_60336_limits(spot.value) if spot.interval else ((spot.value, spot.value),) * 2
    in_mm = geometry.blur_in_object_mm
    in_object = Fact(
        in_mm(width[0], used),
        "mm",
        _origin(spot, factor),
        "from the least width to the greatest length",
        (in_mm(width[0], far), in_mm(length[1], near)),
    )
    if spacing.value is None:
        unseen = unknown("px", "needs the imager pixel spacing")
        return unseen, unseen, in_object
    rows_mm, columns_mm = spacing.value

    def at_detector(least: float, greatest: float, note: str = "") -> Fact[Pair]:
        in_px = geometry.blur_in_pixels
        ranges = tuple((in_px(least, far, one), in_px(greatest, near, one)) for one in (rows_mm, columns_mm))
        values = in_px(least, used, rows_mm), in_px(least, used, columns_mm)
        return Fact(values, "px", _origin(spot, factor, spacing), note, ranges)

    across = at_detector(*width, _depth_note(spot.value, rows_mm, found, sid.value))
    return across, at_detector(*length, "its direction on the frame is not told"), in_object


def _origin(*facts: Fact) -> str:
    return max((fact.origin for fact in facts), key=_ORIGINS.index)


def _depth_note(spot_mm: float, rows_mm: float, found: tuple[Magnification, ...], sid_mm: float | None) -> str:
    """Tell how much the blur changes for vessels before and behind the isocentre, were spot and tags exact."""
    if found[0].source != SID_SOD or sid_mm is None:
        return ""
    ends = geometry.magnification_in_depth(found[0].value, found[0].value, sid_mm, OBJECT_DEPTH_MM)
    far, near = (geometry.blur_in_pixels(spot_mm, one, rows_mm) for one in ends)
    return f"{far:.2f} to {near:.2f} px for objects within {OBJECT_DEPTH_MM:g} mm of the isocentre"
