"""What the header says about the acquisition geometry: every number with where it came from, never a silent default."""

import math
from dataclasses import dataclass

from pydicom.dataset import Dataset

from DSADeblurLib.physics import geometry
from DSADeblurLib.physics.focal_spot import removable_blur_in_pixels
from DSADeblurLib.xa.elements import numbers_of, raw_text
from DSADeblurLib.xa.errors import XAReadError

# Plausible ranges of C-arm angiography; values outside are treated as missing, never corrected.
MAGNIFICATION_RANGE = (1.0, 2.5)
SPACING_RANGE_MM = (0.05, 0.6)
MAX_FOCAL_SPOT_MM = 3.0
MAGNIFICATION_TOLERANCE = 0.05
_OBJECT_DEPTH_MM = 50.0
_ORIGINS = ("header", "user", "assumed", "unknown")


@dataclass(frozen=True)
class Fact:
    """One quantity and its origin: 'header', 'user', 'assumed' or 'unknown' (then the value is None)."""

    value: float | tuple[float, ...] | None
    unit: str
    origin: str
    note: str = ""

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


def unknown(unit: str, note: str = "") -> Fact:
    """Return a fact without a value."""
    return Fact(None, unit, "unknown", note)


@dataclass(frozen=True)
class Acquisition:
    """Acquisition geometry of one run. Pairs are (row, column); blur follows PS3.3 C.8.7.5 and 10.7.1.

    `blur_detector_px` is f (M - 1) / spacing along rows and columns, `blur_object_mm` is f (1 - 1/M).
    """

    focal_spots: Fact
    focal_spot: Fact
    sid: Fact
    sod: Fact
    ermf: Fact
    imager_pixel_spacing: Fact
    magnification: Fact
    blur_detector_px: Fact
    blur_object_mm: Fact
    warnings: tuple[str, ...] = ()

    _LABELS = (
        ("focal_spots", "Focal spots listed"), ("focal_spot", "Focal spot used"),
        ("sid", "Source to detector distance"), ("sod", "Source to object distance"),
        ("ermf", "Estimated magnification tag"), ("imager_pixel_spacing", "Imager pixel spacing (row x column)"),
        ("magnification", "Magnification"), ("blur_detector_px", "Predicted blur at the detector (row x column)"),
        ("blur_object_mm", "Predicted blur in the object"),
    )

    def rows(self) -> list[tuple[str, str, str, str, str]]:
        """Return (label, value, unit, origin, note) for each fact, ready for a table."""
        facts = [(label, getattr(self, name)) for name, label in self._LABELS]
        return [(label, fact.text, fact.unit, fact.origin, fact.note) for label, fact in facts]

    def as_dict(self) -> dict:
        """Return the facts as plain dictionaries and lists."""
        facts = {}
        for name, _ in self._LABELS:
            fact = getattr(self, name)
            value = list(fact.value) if isinstance(fact.value, tuple) else fact.value
            facts[name] = {"value": value, "unit": fact.unit, "origin": fact.origin, "note": fact.note}
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
        named = (("focal spot", self.focal_spot), ("magnification", self.magnification))
        return tuple(f"{name} {fact.text}{' ' + fact.unit if fact.unit else ''} ({fact.origin})"
                     for name, fact in named if fact.origin in ("user", "assumed"))


def read_acquisition(
    dataset: Dataset, focal_spot_mm: float | None = None, magnification: float | None = None
) -> Acquisition:
    """Return the acquisition facts of a data set; user values override the header's.

    Raises XAReadError when a user value is not plausible. Header values that are not plausible are treated as
    missing, with one warning each.
    """
    warnings: list[str] = []
    spots = _focal_spots(dataset, warnings)
    if focal_spot_mm is not None:
        spot = Fact(_user_number(focal_spot_mm, "Focal spot", (0.0, MAX_FOCAL_SPOT_MM), " mm"), "mm", "user")
    elif spots.value:
        spot = Fact(max(spots.value), "mm", "header", "nominal; IEC 60336 allows a larger actual size")
        if len(set(spots.value)) > 1:
            warnings.append(f"Several focal spots listed; using {spot.value:g}.")
    else:
        spot = unknown("mm")

    sid = _single(dataset, "DistanceSourceToDetector", "Source to detector distance", "mm", warnings)
    sod = _single(dataset, "DistanceSourceToPatient", "Source to object distance", "mm", warnings)
    ermf = _single(dataset, "EstimatedRadiographicMagnificationFactor", "Estimated magnification", "", warnings)
    spacing = _pair(dataset, "ImagerPixelSpacing", "Imager Pixel Spacing", SPACING_RANGE_MM, warnings)
    if spacing.value is None:
        warnings.append("No pixel size: blur width set in pixels by user.")
    factor = _magnification(dataset, magnification, sid, sod, ermf, spacing, warnings)
    pixels, in_object = _blur(spot, factor, spacing, sid, sod)
    return Acquisition(spots, spot, sid, sod, ermf, spacing, factor, pixels, in_object, tuple(warnings))


def _user_number(value: float, name: str, limits: tuple[float, float], unit: str = "") -> float:
    number = float(value)
    if not math.isfinite(number) or not limits[0] < number <= limits[1]:
        raise XAReadError(f"{name} {number:g}{unit} given by the user is not between {limits[0]:g} and "
                          f"{limits[1]:g}{unit}.")
    return number


def _unusable(name: str, dataset: Dataset, keyword: str) -> str:
    return f"{name} '{raw_text(dataset, keyword)}' unusable."


def _focal_spots(dataset: Dataset, warnings: list[str]) -> Fact:
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


def _single(dataset: Dataset, keyword: str, name: str, unit: str, warnings: list[str]) -> Fact:
    values = numbers_of(dataset, keyword)
    if values == ():
        return unknown(unit)
    if values is None or len(values) != 1 or values[0] <= 0:
        warnings.append(_unusable(name, dataset, keyword))
        return unknown(unit, "unusable value in the header")
    return Fact(values[0], unit, "header")


def _pair(
    dataset: Dataset, keyword: str, name: str, limits: tuple[float, float] | None, warnings: list[str]
) -> Fact:
    values = numbers_of(dataset, keyword)
    if values == ():
        return unknown("mm")
    if values is None or len(values) != 2 or min(values) <= 0:
        warnings.append(_unusable(name, dataset, keyword))
        return unknown("mm", "unusable value in the header")
    if limits and not all(limits[0] <= one <= limits[1] for one in values):
        warnings.append(f"Geometry implausible: {name} {values[0]:g} x {values[1]:g} mm is outside "
                        f"{limits[0]:g}-{limits[1]:g} mm.")
        return unknown("mm", "implausible value in the header")
    return Fact(values, "mm", "header")


def _magnification(
    dataset: Dataset, given: float | None, sid: Fact, sod: Fact, ermf: Fact, spacing: Fact, warnings: list[str]
) -> Fact:
    """Return M in order of trust: user, SID / SOD, the ERMF tag, ratio of imager to calibrated pixel spacing."""
    if given is not None:
        return Fact(_user_number(given, "Magnification", MAGNIFICATION_RANGE), "", "user")
    candidates: list[tuple[float, str]] = []
    if sid.value and sod.value:
        if sod.value >= sid.value:
            warnings.append(f"Geometry implausible: the object at {sod.value:g} mm is not between source and "
                            f"detector at {sid.value:g} mm.")
        else:
            candidates.append((geometry.magnification(sid.value, sod.value), "SID / SOD"))
    if ermf.value:
        candidates.append((ermf.value, "estimated magnification tag"))
    calibrated = _pair(dataset, "PixelSpacing", "Pixel Spacing", None, warnings)
    # Equal spacings mean that no calibration was done (PS3.3 10.7.1.3).
    if spacing.value and calibrated.value and not math.isclose(spacing.value[0], calibrated.value[0], rel_tol=1e-3):
        candidates.append((spacing.value[0] / calibrated.value[0], "imager / calibrated pixel spacing"))

    plausible = []
    for value, source in candidates:
        # 1 itself is what some devices write for "not calculated" and would mean no blur at all.
        if MAGNIFICATION_RANGE[0] < value <= MAGNIFICATION_RANGE[1]:
            plausible.append((value, source))
        else:
            warnings.append(f"Geometry implausible: magnification {value:.3g} ({source}) is outside "
                            f"{MAGNIFICATION_RANGE[0]:g}-{MAGNIFICATION_RANGE[1]:g}.")
    if not plausible:
        return unknown("")
    used, source = plausible[0]
    if len(plausible) > 1 and plausible[1][1].startswith("estimated"):
        other = plausible[1][0]
        if abs(other - used) > MAGNIFICATION_TOLERANCE * used:
            warnings.append(f"Magnification tags disagree ({used:.3g} vs {other:.3g}).")
            source = f"{source}; the magnification tag says {other:.3g}"
    return Fact(used, "", "header", source)


def _blur(spot: Fact, factor: Fact, spacing: Fact, sid: Fact, sod: Fact) -> tuple[Fact, Fact]:
    if spot.value is None or factor.value is None:
        return unknown("px", "needs focal spot and magnification"), unknown("mm", "needs focal spot and magnification")
    in_object = Fact(geometry.blur_in_object_mm(spot.value, factor.value), "mm", _origin(spot, factor))
    if spacing.value is None:
        return unknown("px", "needs the imager pixel spacing"), in_object
    pixels = tuple(geometry.blur_in_pixels(spot.value, factor.value, one) for one in spacing.value)
    return Fact(pixels, "px", _origin(spot, factor, spacing), _depth_note(spot, spacing, sid, sod)), in_object


def _origin(*facts: Fact) -> str:
    return max((fact.origin for fact in facts), key=_ORIGINS.index)


def _depth_note(spot: Fact, spacing: Fact, sid: Fact, sod: Fact) -> str:
    """Tell how much the blur changes for vessels before and behind the isocentre: tags cannot say where they lie."""
    if not (sid.value and sod.value) or not _OBJECT_DEPTH_MM < sod.value < sid.value - _OBJECT_DEPTH_MM:
        return ""
    near, far = (geometry.blur_in_pixels(spot.value, sid.value / (sod.value + shift), spacing.value[0])
                 for shift in (-_OBJECT_DEPTH_MM, _OBJECT_DEPTH_MM))
    return f"{far:.2f} to {near:.2f} px for objects within {_OBJECT_DEPTH_MM:g} mm of the isocentre"
