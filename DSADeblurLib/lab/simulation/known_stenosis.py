"""One vessel of a tree narrowed by a known degree, where little else lies about it: to try measuring on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from DSADeblurLib.lab.simulation.tubes import Tube, View

# Vessels are drawn as discs, which fill narrowings that are shorter than these are wide.
_PLATEAU_MM, _SLOPE_MM, _NORMAL_MM = 2.0, 1.5, 3.0
# What lies over the narrow part counts for so much more.
_NARROW = 4.0
_DIAMETERS_MM, _EDGE_PX, _NEAR_MM = (1.5, 3.0), 12, 2.0


@dataclass(frozen=True)
class KnownStenosis:
    """Where a vessel is narrowed, and how.

    Attributes:
        points: (row, column) in pixels of normal vessel before it, of its middle and of normal vessel behind it.
        normal_mm: diameter of the vessel there without it.
        least_mm: its least diameter.
        magnified: what millimetres at the isocentre are too many or too few by, because the vessel lies elsewhere.
    """

    points: tuple[tuple[float, float], ...]
    normal_mm: float
    least_mm: float
    magnified: float

    @property
    def percent(self) -> float:
        """The degree of the stenosis, by NASCET too: the vessel has hardly another width behind it."""
        return 100 * (1 - self.least_mm / self.normal_mm)


def with_known_stenosis(vessels: Sequence[Tube], view: View, lost: float) -> tuple[list[Tube], KnownStenosis | None]:
    """Narrow one vessel.

    Args:
        vessels: of a tree.
        view: in which the place is looked for.
        lost: the part of the diameter that is taken away, 0 for none.

    Returns:
        All vessels, and the stenosis; None where no vessel has room for it.
    """
    reach = _PLATEAU_MM / 2 + _SLOPE_MM
    found: list[tuple[float, int, float]] = []
    pixels = [view.project(tube.points_mm)[0] for tube in vessels]
    owners = np.repeat(np.arange(len(vessels)), [len(one) for one in pixels])
    areas = np.concatenate([tube.radii_mm for tube in vessels]) ** 2
    tree, near = cKDTree(np.concatenate(pixels)), _NEAR_MM * float(view.magnification(0.0)) / view.spacing_mm

    def crowd(index: int, where: np.ndarray) -> float:
        close = np.array(sorted(set().union(*tree.query_ball_point(pixels[index][where], near))))
        return float(np.sum(areas[close[owners[close] != index]]))

    for index, tube in enumerate(vessels if lost > 0 else ()):
        way = _way(tube)
        if not _DIAMETERS_MM[0] <= 2 * tube.radii_mm.mean() <= _DIAMETERS_MM[1]:
            continue
        for middle in np.arange(reach + _NORMAL_MM, way[-1] - reach - _NORMAL_MM, 1.0):
            away = np.abs(way - middle)
            whole, narrow = away <= reach + _NORMAL_MM, away <= reach
            part = pixels[index][whole]
            if (part >= _EDGE_PX).all() and (part <= np.array(view.shape) - 1 - _EDGE_PX).all():
                found.append((crowd(index, whole) + _NARROW * crowd(index, narrow), index, float(middle)))
    if not found:
        return list(vessels), None
    _least, index, middle = min(found)
    tube, way = vessels[index], _way(vessels[index])
    depth = np.clip((reach - np.abs(way - middle)) / _SLOPE_MM, 0, 1)
    narrowed = replace(tube, radii_mm=tube.radii_mm * (1 - lost * (1 - np.cos(np.pi * depth)) / 2))
    at = middle + (reach + _NORMAL_MM) * np.array([-1.0, 0.0, 1.0])
    points = np.column_stack([np.interp(at, way, axis) for axis in pixels[index].T])
    normal = 2 * float(np.interp(middle, way, tube.radii_mm))
    depth_mm = float(np.interp(middle, way, tube.points_mm[:, 2]))
    stenosis = KnownStenosis(
        tuple((round(float(row), 2), round(float(column), 2)) for row, column in points),
        round(normal, 3),
        round(normal * (1 - lost), 3),
        round(float(view.magnification(depth_mm) / view.magnification(0.0)), 4),
    )
    return [narrowed if one is tube else one for one in vessels], stenosis


def _way(tube: Tube) -> np.ndarray:
    return np.append(0.0, np.cumsum(np.linalg.norm(np.diff(tube.points_mm, axis=0), axis=1)))
