"""Cone-beam formulas: magnification, its range in depth, and the size of the focal-spot blur."""

import math


def _positive(value: float, name: str) -> float:
    number = float(value)
    if not math.isfinite(number) or number <= 0:
        raise ValueError(f"{name} must be a positive number, not {value!r}.")
    return number


def _magnification(value: float) -> float:
    number = _positive(value, "Magnification")
    if number < 1:
        raise ValueError(f"Magnification must be at least 1, not {value!r}.")
    return number


def magnification(sid_mm: float, sod_mm: float) -> float:
    """Return SID / SOD, the magnification of an object at `sod_mm` from the source (dimensionless, > 1).

    Source: DICOM PS3.3 C.8.7.5, Estimated Radiographic Magnification Factor. Raises ValueError when a distance is
    not positive or the object does not lie between source and detector.
    """
    sid, sod = _positive(sid_mm, "Source to detector distance"), _positive(sod_mm, "Source to object distance")
    if sod >= sid:
        raise ValueError(
            f"The source to object distance ({sod:g} mm) must be less than the source to detector "
            f"distance ({sid:g} mm)."
        )
    return sid / sod


def magnification_in_depth(low: float, high: float, sid_mm: float, depth_mm: float) -> tuple[float, float]:
    """Return the lowest and highest magnification of objects up to `depth_mm` before and behind a plane.

    The plane's own magnification lies between `low` and `high`, the detector `sid_mm` from the source or farther. From
    M = SID / SOD follows 1/M' = 1/M + z / SID for an object z farther from the source, so that z counts the less, the
    longer SID is. No object lies behind the detector (M' < 1). Raises ValueError when objects would reach the source.
    """
    sid, first, last = _positive(sid_mm, "Source to detector distance"), _magnification(low), _magnification(high)
    if not first <= last or not 0 <= depth_mm < sid / last:
        raise ValueError(
            f"Magnifications of {low:g} to {high:g} and {depth_mm:g} mm of depth do not fit a source to "
            f"detector distance of {sid:g} mm."
        )
    return max(1.0, 1.0 / (1.0 / first + depth_mm / sid)), 1.0 / (1.0 / last - depth_mm / sid)


def blur_at_detector_mm(spot_mm: float, magnification: float) -> float:
    """Return f (M - 1): the width in mm, at the detector, of the shadow a focal spot of width f casts of a point."""
    return _positive(spot_mm, "Focal spot") * (_magnification(magnification) - 1.0)


def blur_in_object_mm(spot_mm: float, magnification: float) -> float:
    """Return f (1 - 1/M): the same blur in mm, scaled back to the object plane."""
    return _positive(spot_mm, "Focal spot") * (1.0 - 1.0 / _magnification(magnification))


def blur_in_pixels(spot_mm: float, magnification: float, spacing_mm: float) -> float:
    """Return f (M - 1) / spacing: the blur at the detector in pixels of `spacing_mm` (imager pixel spacing)."""
    return blur_at_detector_mm(spot_mm, magnification) / _positive(spacing_mm, "Pixel spacing")
