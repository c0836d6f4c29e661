"""Shutters and collimators of a header: which pixels X-rays reached (PS3.3 C.7.6.11, C.8.7.3)."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw
from pydicom.dataset import Dataset

from DSADeblurLib.xa.file.elements import numbers_of, printable, texts_of

_SIDES = ("UpperHorizontalEdge", "LowerHorizontalEdge", "LeftVerticalEdge", "RightVerticalEdge")
_MAX_VERTICES = 1024
# Rows and columns are 16-bit numbers; what lies further out is no position in an image.
_MAX_POSITION = 65536
_LEAST_EXPOSED = 0.01


@dataclass(frozen=True)
class ExposedArea:
    """The area that one shutter or collimator leaves to the X-rays, in 1-based pixel positions.

    `values` are the upper, lower, left and right edge of a RECTANGULAR one, row, column and radius of a CIRCULAR one,
    and row, column, row, ... of the vertices of a POLYGONAL one.
    """

    device: str
    shape: str
    values: tuple[float, ...]

    def covers(self, rows: int, columns: int) -> np.ndarray:
        """Return the pixels inside the area.

        Args:
            rows, columns: of the frame.

        Returns:
            bool (rows, columns).

        Source: PS3.3 C.7.6.11, C.8.7.3.
        """
        if self.shape == "POLYGONAL":
            picture = Image.new("1", (columns, rows))
            points = [(column - 1, row - 1) for row, column in zip(self.values[::2], self.values[1::2], strict=True)]
            ImageDraw.Draw(picture).polygon(points, fill=1, outline=1)
            return np.array(picture, dtype=bool)
        row, column = np.arange(1, rows + 1)[:, None], np.arange(1, columns + 1)[None]
        if self.shape == "CIRCULAR":
            middle_row, middle_column, radius = self.values
            return (row - middle_row) ** 2 + (column - middle_column) ** 2 <= radius**2
        upper, lower, left, right = self.values
        # The edges themselves are covered: so edges at 0 and one behind the last pixel hide nothing (C.8.7.3.1.1).
        return (row > upper) & (row < lower) & (column > left) & (column < right)


def read_exposed_areas(dataset: Dataset) -> tuple[tuple[ExposedArea, ...], tuple[str, ...]]:
    """Return the area that each shape of shutter and collimator leaves, and warnings about those that are unusable."""
    areas, warnings = [], []
    for device in ("Shutter", "Collimator"):
        for shape in texts_of(dataset, f"{device}Shape"):
            values = _values(dataset, device, shape)
            if values is None:
                warnings.append(f"{device} shape '{printable(shape, 16)}' unusable; it is not taken into account.")
            else:
                areas.append(ExposedArea(device, shape, values))
    return tuple(areas), tuple(warnings)


def _values(dataset: Dataset, device: str, shape: str) -> tuple[float, ...] | None:
    if shape == "RECTANGULAR":
        edges = [numbers_of(dataset, f"{device}{side}") for side in _SIDES]
        values = tuple(one[0] for one in edges if one is not None and len(one) == 1)
        if len(values) < len(edges):
            return None
        usable = values[0] < values[1] and values[2] < values[3]
    elif shape == "CIRCULAR":
        center = numbers_of(dataset, f"CenterOfCircular{device}") or ()
        radius = numbers_of(dataset, f"RadiusOfCircular{device}") or ()
        values = (*center, *radius)
        usable = len(center) == 2 and len(radius) == 1 and radius[0] > 0
    elif shape == "POLYGONAL":
        values = numbers_of(dataset, f"VerticesOfThePolygonal{device}") or ()
        usable = len(values) % 2 == 0 and 6 <= len(values) <= 2 * _MAX_VERTICES
    else:
        return None
    return values if usable and all(abs(one) <= _MAX_POSITION for one in values) else None


def exposed_pixels(areas: tuple[ExposedArea, ...], rows: int, columns: int) -> np.ndarray | None:
    """Return the pixels inside every exposed area.

    Args:
        areas: of all shutters and collimators.
        rows, columns: of the frame.

    Returns:
        bool (rows, columns). None when nothing is covered, and when less than a hundredth is left: then the header is
        wrong, not the image.
    """
    exposed = np.ones((rows, columns), dtype=bool)
    for area in areas:
        exposed &= area.covers(rows, columns)
    share = exposed.mean()
    return exposed if _LEAST_EXPOSED <= share < 1 else None
