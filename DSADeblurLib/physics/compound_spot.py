"""Focal spots put together from several: rings, and pairs of unequal spots that no single profile describes.

CompoundSpot(parts)                 parts: (weight, x_mm, y_mm, FocalSpot), ...
    .otf(fu, fv) -> complex ndarray
    .psf(magnification, spacing_mm) -> float32 (odd, odd), sums to 1
    .half_extent_mm() -> (x, y)     .equivalent_widths_mm() -> (x, y)     .scaled(factor) -> CompoundSpot
ring_spot(diameter_mm, line_mm) -> CompoundSpot
unequal_spots(distance_mm, share, size_mm, rotation_deg) -> CompoundSpot
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from DSADeblurLib.physics.focal_spot import FocalSpot, as_frequencies, checked_spacing

# Gaussians of which a ring is made: their spacing stays below their width.
_RING_PARTS = 24
_POINTS_PER_SIDE = 128


@dataclass(frozen=True)
class CompoundSpot:
    """A weighted sum of focal spots, usable wherever a FocalSpot is.

    parts: (weight, x_mm, y_mm, spot) each, weights above 0; x and y place the part's image on the detector, in units
    of the spot plane (that image is turned by half a turn against the anode). Weights are normalised to 1 and the
    centre of mass is moved to the origin, so that the blur does not shift a frame. Raises ValueError without parts
    or for weights not above 0.
    """

    parts: tuple[tuple[float, float, float, FocalSpot], ...]

    def __post_init__(self) -> None:
        if not self.parts or not all(weight > 0 for weight, *_ in self.parts):
            raise ValueError("A compound focal spot needs parts with weights above 0.")
        total = math.fsum(weight for weight, *_ in self.parts)
        x_mm = math.fsum(weight * x for weight, x, _, _ in self.parts) / total
        y_mm = math.fsum(weight * y for weight, _, y, _ in self.parts) / total
        centred = tuple((weight / total, x - x_mm, y - y_mm, spot) for weight, x, y, spot in self.parts)
        object.__setattr__(self, "parts", centred)

    def otf(self, fu, fv) -> np.ndarray:
        """Return the complex OTF at spot-plane frequencies (see `FocalSpot.otf`); otf(0, 0) = 1."""
        fu, fv = as_frequencies(fu, fv)
        return sum(
            weight * spot.otf(fu, fv) * (np.exp(-2j * np.pi * x * fu) * np.exp(-2j * np.pi * y * fv))
            for weight, x, y, spot in self.parts
        )

    def half_extent_mm(self) -> tuple[float, float]:
        """Return half the size (x, y) in mm of the centred box that holds every part."""
        extents = [(abs(x), abs(y), *spot.half_extent_mm()) for _, x, y, spot in self.parts]
        return max(e[0] + e[2] for e in extents), max(e[1] + e[3] for e in extents)

    def equivalent_widths_mm(self) -> tuple[float, float]:
        """Return the widths (x, y) in mm of the rectangle of the same variance along both axes."""
        squares = np.zeros(2)
        for weight, x, y, spot in self.parts:
            squares += weight * (12.0 * np.square((x, y)) + np.square(spot.equivalent_widths_mm()))
        x, y = np.sqrt(squares)
        return float(x), float(y)

    def scaled(self, factor: float) -> CompoundSpot:
        """Return the spot `factor` times as large."""
        return CompoundSpot(tuple((w, x * factor, y * factor, spot.scaled(factor)) for w, x, y, spot in self.parts))

    def psf(self, magnification: float, spacing_mm) -> np.ndarray:
        """Return the spot's image at the detector as a kernel, (odd, odd) float32 (see `FocalSpot.psf`)."""
        scale = float(magnification) - 1.0
        row_mm, col_mm = checked_spacing(spacing_mm)
        half_x, half_y = (scale * half for half in self.half_extent_mm())
        columns, rows = (max(0, math.ceil(half / size - 0.5)) for half, size in ((half_x, col_mm), (half_y, row_mm)))
        x_edges = (np.arange(2 * columns + 2) - columns - 0.5) * col_mm
        y_edges = (np.arange(2 * rows + 2) - rows - 0.5) * row_mm
        kernel = np.zeros((2 * rows + 1, 2 * columns + 1))
        for weight, x, y, spot in self.parts:
            points = scale * (spot.source_points(_POINTS_PER_SIDE, _POINTS_PER_SIDE) + (x, y))
            kernel += weight * np.histogram2d(points[:, 1], points[:, 0], bins=(y_edges, x_edges))[0]
        return (kernel / kernel.sum()).astype(np.float32)


def ring_spot(diameter_mm: float, line_mm: float) -> CompoundSpot:
    """Return a ring (a hollow emission pattern) of this mean diameter, its line Gaussian with FWHM `line_mm`."""
    angles = 2.0 * np.pi * np.arange(_RING_PARTS) / _RING_PARTS
    spot, radius = FocalSpot(line_mm, line_mm, "gaussian"), 0.5 * diameter_mm
    return CompoundSpot(tuple((1.0, float(radius * np.cos(a)), float(radius * np.sin(a)), spot) for a in angles))


def unequal_spots(distance_mm: float, share: float, size_mm: float, rotation_deg: float = 0.0) -> CompoundSpot:
    """Return two square spots of `size_mm`, `distance_mm` apart along `rotation_deg`; the first has `share` of all.

    Raises ValueError unless 0 < share < 1.
    """
    if not 0 < share < 1:
        raise ValueError(f"The first spot's share must lie between 0 and 1, not {share}.")
    spot, angle = FocalSpot(size_mm, size_mm, "rectangle", rotation_deg), math.radians(rotation_deg)
    far = (distance_mm * math.cos(angle), distance_mm * math.sin(angle))
    return CompoundSpot(((share, 0.0, 0.0, spot), (1.0 - share, *far, spot)))
