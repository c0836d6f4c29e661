"""Tubes in space and their path length at the detector: vessels, catheters, wires and coils are all drawn by this."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

# Segments drawn together. Longer chunks waste pixels on their bounding box, shorter ones waste calls.
SEGMENTS_PER_CHUNK = 8
# A vessel that runs along the beam would be endless; its end-on path is limited to this many diameters.
MAX_OBLIQUITY = 4.0


@dataclass(frozen=True)
class View:
    """A perspective view: the world's origin is the isocentre, z points to the source, all lengths in mm.

    `shape` is (rows, columns) of the detector, `spacing_mm` its pixel pitch.
    """

    shape: tuple[int, int]
    spacing_mm: float
    sid_mm: float
    sod_mm: float

    def magnification(self, z_mm: np.ndarray | float) -> np.ndarray | float:
        """Magnification of a plane `z_mm` from the isocentre towards the source."""
        return self.sid_mm / (self.sod_mm - z_mm)

    @property
    def field_mm(self) -> tuple[float, float]:
        """Height and width in mm of what is seen at the isocentre."""
        scale = self.spacing_mm / self.magnification(0.0)
        return self.shape[0] * scale, self.shape[1] * scale

    def project(self, points_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Points (n, 3) as x, y, z -> pixel positions (n, 2) as row, column and magnifications (n,)."""
        magnification = self.magnification(points_mm[:, 2])
        centre = (np.asarray(self.shape) - 1) / 2
        pixels = points_mm[:, 1::-1] * (magnification / self.spacing_mm)[:, None] + centre
        return pixels, magnification


@dataclass(frozen=True)
class Tube:
    """A tube along a line: points (n, 3) mm, radii (n,) mm, and what fills it.

    `content` (n,) scales the attenuation along the tube (1 = the scene's iodine), `distance_mm` (n,) is the way
    the blood has come since the inlet.
    """

    points_mm: np.ndarray
    radii_mm: np.ndarray
    content: np.ndarray
    distance_mm: np.ndarray

    @classmethod
    def uniform(cls, points_mm: np.ndarray, radius_mm: float, content: float = 1.0) -> Tube:
        """A tube of one radius and content."""
        count = len(points_mm)
        return cls(points_mm, np.full(count, radius_mm), np.full(count, content), np.zeros(count))


def draw_tubes(
    tubes: Iterable[Tube], view: View, slab_edges_mm: np.ndarray, weights: Iterable[np.ndarray] | None = None
) -> np.ndarray:
    """Path length in mm through tubes, sorted by depth into slabs.

    Each pixel holds the chord averaged over the pixel's width across the tube, so that a tube thinner than a pixel
    keeps its integral. Path lengths of crossing tubes, and of loops of one tube, add up.

    Args:
        tubes: what to draw.
        view: the projection.
        slab_edges_mm: the inner borders (k - 1,) in mm between k slabs, rising towards the source.
        weights: for each tube a factor (n,) on its path length; default is its content.

    Returns:
        float32 (k, rows, columns), mm times weight.
    """
    image = np.zeros((len(slab_edges_mm) + 1, *view.shape), np.float32)
    tubes = list(tubes)
    weights = [tube.content for tube in tubes] if weights is None else list(weights)
    for tube, weight in zip(tubes, weights, strict=True):
        if np.any(weight):
            _draw_tube(image, tube, weight, view, slab_edges_mm)
    return image


def _draw_tube(image: np.ndarray, tube: Tube, weight: np.ndarray, view: View, slab_edges_mm: np.ndarray) -> None:
    pixels, magnification = view.project(tube.points_mm)
    scale = magnification / view.spacing_mm
    radii = tube.radii_mm * scale
    lengths_3d = np.linalg.norm(np.diff(tube.points_mm, axis=0), axis=1) * scale[:-1]
    lengths_2d = np.linalg.norm(np.diff(pixels, axis=0), axis=1)
    obliquity = np.minimum(lengths_3d / np.maximum(lengths_2d, 1e-6), MAX_OBLIQUITY)
    obliquity = np.append(obliquity, obliquity[-1])
    factor = (weight * np.maximum(obliquity, 1.0) / scale).astype(np.float32)
    tangents = np.gradient(pixels, axis=0)
    last = len(pixels) - 1
    for start in range(0, last, SEGMENTS_PER_CHUNK):
        stop = min(start + SEGMENTS_PER_CHUNK, last)
        if not np.any(weight[start : stop + 1]):
            continue
        slab = int(np.searchsorted(slab_edges_mm, tube.points_mm[(start + stop) // 2, 2]))
        # One segment more on either side, so that neighbours agree on distances where they meet.
        low, high = max(start - 1, 0), min(stop + 1, last)
        part = slice(low, high + 1)
        ends = ((start - low, pixels[start], tangents[start]), (stop - 1 - low, pixels[stop], tangents[stop]))
        _draw_chunk(image[slab], pixels[part], radii[part], factor[part], ends)


def _draw_chunk(image: np.ndarray, pixels: np.ndarray, radii: np.ndarray, factor: np.ndarray, ends: tuple) -> None:
    """Draw between two planes across the tube; `ends` are (segment, point, tangent) of the first and the last."""
    margin = radii.max() + 1.5
    low = np.maximum(np.floor(pixels.min(axis=0) - margin), 0).astype(int)
    high = np.minimum(np.ceil(pixels.max(axis=0) + margin) + 1, image.shape).astype(int)
    if np.any(low >= high):
        return
    rows = np.arange(low[0], high[0], dtype=np.float32)[:, None, None]
    columns = np.arange(low[1], high[1], dtype=np.float32)[None, :, None]
    start = pixels[:-1].astype(np.float32)
    step = np.diff(pixels, axis=0).astype(np.float32)
    squared = np.maximum((step**2).sum(axis=1), 1e-6)
    along = ((rows - start[:, 0]) * step[:, 0] + (columns - start[:, 1]) * step[:, 1]) / squared
    clipped = np.clip(along, 0.0, 1.0)
    distance = (rows - start[:, 0] - clipped * step[:, 0]) ** 2 + (columns - start[:, 1] - clipped * step[:, 1]) ** 2
    nearest = distance.argmin(axis=2)[..., None]
    t = np.take_along_axis(clipped, nearest, 2)[..., 0]
    d = np.sqrt(np.take_along_axis(distance, nearest, 2)[..., 0])
    nearest = nearest[..., 0]
    (first, begin, begin_tangent), (final, end, end_tangent) = ends
    before = (rows[..., 0] - begin[0]) * begin_tangent[0] + (columns[..., 0] - begin[1]) * begin_tangent[1] < 0
    after = (rows[..., 0] - end[0]) * end_tangent[0] + (columns[..., 0] - end[1]) * end_tangent[1] >= 0
    # The planes are shared with the neighbouring chunks: nothing is drawn twice and nothing is left out.
    inside = (d < margin) & ~((nearest <= first) & before) & ~((nearest >= final) & after)
    d, t, nearest = d[inside], t[inside], nearest[inside]
    radius = radii[nearest] * (1 - t) + radii[nearest + 1] * t
    scale = factor[nearest] * (1 - t) + factor[nearest + 1] * t
    chord = _chord_integral(d + 0.5, radius) - _chord_integral(d - 0.5, radius)
    image[low[0] : high[0], low[1] : high[1]][inside] += (scale * chord).astype(np.float32)


def _chord_integral(d: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """Integral from 0 to d of a cylinder's chord 2 sqrt(r^2 - x^2)."""
    d = np.clip(d, -radius, radius)
    return d * np.sqrt(np.maximum(radius**2 - d**2, 0.0)) + radius**2 * np.arcsin(d / radius)
