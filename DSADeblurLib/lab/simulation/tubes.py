"""Tubes in space and their path length at the detector: vessels, catheters, wires and coils are all drawn by this."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.interpolate import CubicSpline

from DSADeblurLib.lab.simulation.textures import spread

# Pixels of discs drawn by one product of matrices: bounds the memory at about 100 MB.
ENTRIES_PER_CHUNK = 4_000_000
# Discs wider than this radius are drawn on a grid 2, 4 ... times coarser, so that none has more than so many pixels.
COARSE_ABOVE_PX = 40
COARSENESS = (1, 2, 4, 8)


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

    `content` (n,) scales the attenuation along the tube (1 = the scene's iodine), `arrival_s` (n,) is when blood from
    the inlet gets there.
    """

    points_mm: np.ndarray
    radii_mm: np.ndarray
    content: np.ndarray
    arrival_s: np.ndarray

    @classmethod
    def uniform(cls, points_mm: np.ndarray, radius_mm: float, content: float = 1.0) -> Tube:
        """A tube of one radius and content."""
        count = len(points_mm)
        return cls(points_mm, np.full(count, radius_mm), np.full(count, content), np.zeros(count))


def smooth_line(knots: np.ndarray, step_mm: float = 0.5) -> np.ndarray:
    """Points about `step_mm` apart on a cubic spline through knots (n, 3) in mm."""
    position = np.append(0.0, np.cumsum(np.linalg.norm(np.diff(knots, axis=0), axis=1)))
    return CubicSpline(position, knots)(np.linspace(0, position[-1], max(int(position[-1] / step_mm), 8)))


def draw_tubes(
    tubes: Iterable[Tube], view: View, slab_edges_mm: np.ndarray, weights: Iterable[np.ndarray] | None = None
) -> np.ndarray:
    """Path length in mm through tubes, sorted by depth into slabs.

    A straight tube's chord at distance d from its axis is the way that a disc of its radius, carried along the axis,
    spends over that point. So a tube is drawn as discs, each weighted by the length of axis that it stands for:
    bends, crossings, tapering and vessels seen end-on come out right by themselves, and a body of revolution about
    the beam (a ball) is exact. Discs are averaged over the pixel and keep their area, so that a tube thinner than a
    pixel keeps its integral.

    Args:
        tubes: what to draw.
        view: the projection.
        slab_edges_mm: the inner borders (k - 1,) in mm between k slabs, rising towards the source.
        weights: for each tube a factor (n,) on its path length, or (t, n) for t moments at once; default is its
            content.

    Returns:
        float32 (k, rows, columns), mm times weight; with weights (t, n) float32 (t, k, rows, columns).
    """
    tubes = list(tubes)
    weights = [tube.content for tube in tubes] if weights is None else list(weights)
    moments = [np.ndim(weight) > 1 for weight in weights]
    slabs = len(slab_edges_mm) + 1
    count = len(weights[0]) if any(moments) else 1
    image = np.zeros((count, slabs, *view.shape), np.float32)
    discs = _discs(tubes, weights, view, slab_edges_mm) if tubes else None
    for factor in COARSENESS if tubes else ():
        # Wide tubes need no fine grid: their discs would cover too many of its pixels.
        least = COARSE_ABOVE_PX * factor / 2 if factor > 1 else -np.inf
        most = COARSE_ABOVE_PX * factor if factor < COARSENESS[-1] else np.inf
        chosen = np.flatnonzero((discs.radii > least) & (discs.radii <= most))
        if len(chosen):
            image += _drawn(discs.part(chosen, factor), view.shape, slabs, factor)
    return image if any(moments) else image[0]


@dataclass(frozen=True)
class _Discs:
    """Discs in the image: centres (n, 2) px, radii (n,) px, slab (n,), and weights (n, t) in mm."""

    centres: np.ndarray
    radii: np.ndarray
    slabs: np.ndarray
    weights: np.ndarray

    def part(self, chosen: np.ndarray, factor: int) -> _Discs:
        """Some of the discs, as they lie on a grid `factor` times coarser."""
        centres, radii = self.centres[chosen] / factor, self.radii[chosen] / factor
        return _Discs(centres, radii, self.slabs[chosen], self.weights[chosen])


def _discs(tubes: list[Tube], weights: list[np.ndarray], view: View, slab_edges_mm: np.ndarray) -> _Discs:
    """All tubes' discs that touch the view, at most a pixel apart, half a pixel for thin tubes."""
    points = np.concatenate([tube.points_mm for tube in tubes])
    weight = np.concatenate([np.atleast_2d(weight) for weight in weights], axis=1).astype(np.float32)
    pixels, magnification = view.project(points)
    radii = np.concatenate([tube.radii_mm for tube in tubes]) * magnification / view.spacing_mm
    first = np.arange(len(points) - 1)
    ends = np.cumsum([len(tube.points_mm) for tube in tubes])[:-1] - 1
    margin = np.maximum(radii[:-1], radii[1:]) + 2
    low, high = np.minimum(pixels[:-1], pixels[1:]), np.maximum(pixels[:-1], pixels[1:])
    seen = np.all((high > -margin[:, None]) & (low < np.array(view.shape) + margin[:, None]), axis=1)
    seen &= (weight[:, :-1] != 0).any(axis=0) | (weight[:, 1:] != 0).any(axis=0)
    seen[ends] = False
    first = first[seen]
    length_px = np.linalg.norm(pixels[first + 1] - pixels[first], axis=1)
    length_mm = np.linalg.norm(points[first + 1] - points[first], axis=1)
    thickness = 0.5 * (radii[first] + radii[first + 1])
    count = np.ceil(length_px / (_step(thickness) * np.clip(thickness / COARSE_ABOVE_PX, 1, None))).clip(1).astype(int)
    segment = np.repeat(first, count)
    number = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    t = (number + 0.5) / np.repeat(count, count)

    def between(values: np.ndarray) -> np.ndarray:
        along = t.reshape(-1, *[1] * (values.ndim - 1))
        return values[segment] * (1 - along) + values[segment + 1] * along

    return _Discs(
        between(pixels),
        between(radii),
        np.searchsorted(slab_edges_mm, between(points[:, 2])),
        between(weight.T) * np.repeat(length_mm / count, count)[:, None].astype(np.float32),
    )


def _drawn(discs: _Discs, shape: tuple[int, int], slabs: int, factor: int) -> np.ndarray:
    """What the discs on a grid `factor` times coarser add up to on the whole grid, (t, slabs, rows, columns)."""
    small = shape if factor == 1 else tuple(-(-n // factor) + 2 for n in shape)
    total = np.zeros((slabs * small[0] * small[1], discs.weights.shape[1]), np.float32)
    for chunk in _stamps(discs, small, slabs):
        total += chunk
    image = np.ascontiguousarray(total.T).reshape(-1, slabs, *small)
    if factor == 1:
        return image
    whole = np.zeros((*image.shape[:2], *shape), np.float32)
    for moment, layer in np.ndindex(*image.shape[:2]):
        if image[moment, layer].any():
            whole[moment, layer] = spread(image[moment, layer], factor, shape)
    return whole


def _step(radii_px: np.ndarray) -> np.ndarray:
    """How far apart discs may lie in pixels, and how soft their edges then are."""
    return np.where(radii_px < 2, 0.5, np.clip(radii_px / 16, 1.0, 2.0))


def _stamps(discs: _Discs, shape: tuple[int, int], slabs: int) -> Iterator[np.ndarray]:
    """Images (slabs * rows * columns, t) whose sum is what the discs add up to."""
    reach = np.floor(discs.radii + 0.5 * np.maximum(_step(discs.radii), 1.0) + 0.5).astype(int)
    # Few sizes of stamp: exact for thin vessels, where most of the discs are.
    reach = np.where(reach > 8, np.ceil(reach / 4).astype(int) * 4, reach)
    pending, size = [], 0
    for half in np.unique(reach):
        chosen = np.flatnonzero(reach == half)
        per_call = max(1, ENTRIES_PER_CHUNK // (2 * half + 1) ** 2)
        for start in range(0, len(chosen), per_call):
            part = chosen[start : start + per_call]
            pending.append((*_coverage(discs, part, int(half), shape), discs.weights[part]))
            size += len(part) * (2 * half + 1) ** 2
            if size > ENTRIES_PER_CHUNK:
                yield _summed(pending, slabs * shape[0] * shape[1])
                pending, size = [], 0
    if pending:
        yield _summed(pending, slabs * shape[0] * shape[1])


def _coverage(discs: _Discs, part: np.ndarray, half: int, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """How far each disc covers the (2 half + 1)^2 pixels about it, and these pixels' places, both (n, pixels)."""
    centre = np.rint(discs.centres[part]).astype(np.int32)
    offset = np.arange(-half, half + 1, dtype=np.int32)
    fraction = (discs.centres[part] - centre).astype(np.float32)
    radii = discs.radii[part].astype(np.float32)[:, None, None]
    down, right = (offset[None, :] - fraction[:, axis, None] for axis in (0, 1))
    cover = np.sqrt((down**2)[:, :, None] + (right**2)[:, None, :])
    # Under a pixel's width a disc is spread as a pixel would see it; its area is what remains.
    soft = np.maximum(_step(radii), 1.0).astype(np.float32)
    np.subtract(np.maximum(radii, 0.5) + 0.5 * soft, cover, out=cover)
    cover /= soft
    np.clip(cover, 0, 1, out=cover)
    cover *= np.pi * radii**2 / cover.sum(axis=(1, 2), keepdims=True)
    rows, columns = centre[:, 0, None] + offset, centre[:, 1, None] + offset
    cover *= ((rows >= 0) & (rows < shape[0]))[:, :, None]
    cover *= ((columns >= 0) & (columns < shape[1]))[:, None, :]
    rows = rows.clip(0, shape[0] - 1) + discs.slabs[part].astype(np.int32)[:, None] * np.int32(shape[0])
    places = rows[:, :, None] * np.int32(shape[1]) + columns.clip(0, shape[1] - 1)[:, None, :]
    return cover.reshape(len(part), -1), places.reshape(len(part), -1)


def _summed(pending: list[tuple[np.ndarray, np.ndarray, np.ndarray]], pixels: int) -> np.ndarray:
    """The discs of several (cover, places, weights) as a matrix (pixels, discs) times their weights (discs, t)."""
    entries = np.concatenate([np.full(len(cover), cover.shape[1]) for cover, _, _ in pending])
    starts = np.append(0, np.cumsum(entries)).astype(np.int32)
    cover, places = (np.concatenate([one[index].ravel() for one in pending]) for index in (0, 1))
    weights = np.concatenate([one[2] for one in pending])
    return sparse.csc_matrix((cover, places, starts), shape=(pixels, len(entries))) @ weights
