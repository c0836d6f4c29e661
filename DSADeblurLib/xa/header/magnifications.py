"""Every magnification that a header tells, with the range that its tags leave open, and where they contradict."""

from dataclasses import dataclass

from DSADeblurLib.physics import geometry
from DSADeblurLib.request import MAGNIFICATION_RANGE
from DSADeblurLib.xa.file.elements import as_written

# Judgements for C-arm angiography. Values outside are treated as missing, never corrected.
MAGNIFICATION_TOLERANCE = 0.05
# How far from the isocentre vessels are taken to lie: no tag says where they are.
OBJECT_DEPTH_MM = 50.0
# Where the header has no source to detector distance: the shortest of C-arms is about 850 mm.
SHORTEST_SID_MM = 800.0
# The largest units in which devices write distances, magnifications and pixel sizes.
COARSEST_DISTANCE_MM, COARSEST_MAGNIFICATION, COARSEST_SPACING_MM = 1.0, 0.1, 0.001
USER, SID_SOD, TAG, SPACINGS = "user", "SID / SOD", "estimated magnification tag", "imager / calibrated pixel spacing"
FIDUCIAL = "FIDUCIAL"

Pair = tuple[float, float]


@dataclass(frozen=True)
class Magnification:
    """Magnification of one plane and the range that the rounding of its tags leaves. `source` is one of USER, SID_SOD,
    TAG and SPACINGS; `isocentre` tells whether it is that of the isocentre's plane."""

    value: float
    low: float
    high: float
    source: str
    isocentre: bool = True


def read_magnifications(
    sid: float | None,
    sod: float | None,
    ermf: float | None,
    imager: Pair | None,
    calibrated: Pair | None,
    calibration_type: str,
    warnings: list[str],
) -> tuple[Magnification, ...]:
    """Return the plausible magnifications, most trusted first: SID / SOD, the ERMF tag, ratio of the pixel spacings.

    Args:
        sid, sod: distances of the source to detector and object in mm.
        ermf: Estimated Radiographic Magnification Factor.
        imager: Imager Pixel Spacing (row, column) in mm.
        calibrated: Pixel Spacing (row, column) in mm where it was calibrated.
        calibration_type: GEOMETRY, FIDUCIAL or ''.
        warnings: to which is added what is not plausible or contradicts the first.

    Source: PS3.3 C.8.7.5, 10.7.1.
    """
    found = []
    if sid and sod:
        if sod >= sid:
            warnings.append(
                f"Geometry implausible: the object at {sod:g} mm is not between source and detector at {sid:g} mm."
            )
        else:
            near, far = as_written(sod, COARSEST_DISTANCE_MM)
            short, long = as_written(sid, COARSEST_DISTANCE_MM)
            found.append(Magnification(geometry.magnification(sid, sod), short / far, long / near, SID_SOD))
    if ermf:
        found.append(Magnification(ermf, *as_written(ermf, COARSEST_MAGNIFICATION), TAG))
    if imager and calibrated:
        found += _from_spacings(imager, calibrated, calibration_type, warnings)
    plausible = []
    for one in found:
        # 1 itself is what some devices write for "not calculated" and would mean no blur at all.
        if MAGNIFICATION_RANGE[0] < one.value <= MAGNIFICATION_RANGE[1]:
            plausible.append(one)
        else:
            warnings.append(
                f"Geometry implausible: magnification {one.value:.3g} ({one.source}) is outside "
                f"{MAGNIFICATION_RANGE[0]:g}-{MAGNIFICATION_RANGE[1]:g}."
            )
    warnings += [
        f"Magnification tags disagree ({plausible[0].value:.3g} vs {other.value:.3g})."
        for other in disagreeing(plausible)
    ]
    return tuple(plausible)


def given_magnification(value: float) -> Magnification:
    """Return the user's magnification, believed to its last digit."""
    return Magnification(value, *as_written(value, COARSEST_MAGNIFICATION), USER)


def disagreeing(found: list[Magnification] | tuple[Magnification, ...]) -> list[Magnification]:
    """Return those that contradict the first by more than 5 %. Only magnifications of one plane can contradict."""
    if not found or not found[0].isocentre:
        return []
    limit = MAGNIFICATION_TOLERANCE * found[0].value
    return [one for one in found[1:] if one.isocentre and abs(one.value - found[0].value) > limit]


def plane_range(used: Magnification, found: tuple[Magnification, ...]) -> Pair:
    """Return the range of the magnification of the plane of `used`: the hull of all that the header says of it.

    Tags of one plane that differ cannot all be right, and nothing tells which one is. The hull holds the truth when
    at least one of them is right to its last digit, whatever the others are. The user's value stands alone.
    """
    alike = [used]
    if used.source != USER and used.isocentre:
        alike += [one for one in found if one.isocentre and one.source != USER]
    return max(1.0, min(one.low for one in alike)), max(one.high for one in alike)


def range_in_depth(plane: Pair, sid: float | None) -> Pair:
    """Return the range of the magnification within `OBJECT_DEPTH_MM` of a plane; `sid` in mm, None for unknown."""
    return geometry.magnification_in_depth(*plane, shortest_sid(sid), OBJECT_DEPTH_MM)


def shortest_sid(sid: float | None) -> float:
    """Return the shortest source to detector distance in mm that the header's value, or its absence, allows."""
    return as_written(sid, COARSEST_DISTANCE_MM)[0] if sid else SHORTEST_SID_MM


def _from_spacings(imager: Pair, calibrated: Pair, kind: str, warnings: list[str]) -> list[Magnification]:
    rows, columns = (one / other for one, other in zip(imager, calibrated, strict=True))
    if abs(rows - columns) > MAGNIFICATION_TOLERANCE * rows:
        warnings.append(
            f"Geometry implausible: Imager Pixel Spacing and Pixel Spacing give magnification {rows:.3g} "
            f"for rows and {columns:.3g} for columns."
        )
        return []
    ends = []
    for one, other in zip(imager, calibrated, strict=True):
        (low, high), (small, large) = (as_written(value, COARSEST_SPACING_MM) for value in (one, other))
        ends += [low / large, high / small]
    return [Magnification(rows, min(ends), max(ends), SPACINGS, isocentre=kind != FIDUCIAL)]
