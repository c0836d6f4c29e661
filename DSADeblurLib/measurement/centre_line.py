"""The middle line of a vessel between a user's points: the darkest way through the image, then to parts of a pixel."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import interpolate, ndimage

from DSADeblurLib.measurement.cross_section import Aim, Unmeasurable, aim_at
from DSADeblurLib.measurement.width import Splined
from DSADeblurLib.steps import Steps, finished
from DSADeblurLib.xa.subtraction.registration import needing_skimage

_MARGIN_PX = 32
_SIGMAS_PX = (1.5, 3.0, 6.0)
# How much dearer a step is far from any vessel than in the middle of the clearest.
_CONTRAST = 30.0
_LEAST_POINTS = 8
# A way beside all ridges for longer than this is looked for in a wider part as well.
_NO_RIDGE, _BESIDE_PX = 0.15, 20
# Ridges and ways are looked for in parts of the image of about this many pixels; through more, by a stop every so many.
_PART_PIXELS, _STOP_CELLS = 30_000, 12


@dataclass(frozen=True)
class CentreLine:
    """Places along a vessel, evenly spaced.

    Attributes:
        points: (n, 2) rows and columns.
        across: (n, 2) unit vectors at right angles to the line.
        arc: (n,) way from the first point in pixels.
        widths: (n,) rough full width in pixels; NaN where no vessel was found.
    """

    points: np.ndarray
    across: np.ndarray
    arc: np.ndarray
    widths: np.ndarray

    def thinned(self, most: int) -> CentreLine:
        """Every so many of the places, about so many at most."""
        every = slice(None, None, max(1, math.ceil(len(self.arc) / most)))
        return CentreLine(self.points[every], self.across[every], self.arc[every], self.widths[every])

    def aim(self, index: int) -> Aim:
        """Where to measure at one of the places; its width is that of the vessel about it where none was found."""
        known = np.flatnonzero(np.isfinite(self.widths))
        width = np.interp(index, known, self.widths[known]) if known.size else 3.0
        (row, column), (down, right) = self.points[index], self.across[index]
        return Aim((float(row), float(column)), (float(down), float(right)), float(width))


def find_centre_line(image: np.ndarray, points: np.ndarray, step: float) -> CentreLine:
    """As `find_centre_line_in_steps`, all at once."""
    return finished(find_centre_line_in_steps(image, points, step))


def find_centre_line_in_steps(image: np.ndarray, points: np.ndarray, step: float) -> Steps[CentreLine]:
    """Follow a vessel along some points.

    Args:
        image: (rows, columns), values in which absorbers add up, lower in vessels.
        points: (k, 2) rows and columns, in order along the vessel, at least two; they may lie beside its middle.
        step: distance of the places in pixels.

    Returns:
        The line, at the end of a generator whose steps are short.

    Raises:
        Unmeasurable: the points lie outside of the image, or the line would be too short.
        XAReadError: scikit-image is not installed.
        ValueError: points or step cannot be used.
    """
    points = np.asarray(points, dtype=float)
    if points.ndim != 2 or points.shape[1] != 2 or len(points) < 2 or not np.isfinite(points).all() or not step > 0:
        raise ValueError("A centre line needs at least two points (row, column) and a step above 0.")
    if (points < 0).any() or (points > np.array(image.shape) - 1).any():
        raise Unmeasurable("The points do not lie in the image.")
    way = yield from _darkest_way(image, points)
    line = _spaced(way, 1.0)
    if len(line) < _LEAST_POINTS:
        raise Unmeasurable("The curve is too short to follow a vessel.")
    splined = Splined(image)
    for smoothing in (2.0, 1.0):
        centred, widths = yield from _on_the_middle(splined, _smoothed(line, smoothing))
        line = _spaced(_smoothed(centred, 0.25), 1.0)
    places = _spaced(line, step)
    arc = step * np.arange(len(places))
    across = _across(places)
    # Widths were found a pixel apart, nearly so along the new line.
    share = np.linspace(0, 1, len(widths))
    known = np.isfinite(widths)
    nearest = np.round(np.linspace(0, len(widths) - 1, len(places))).astype(int)
    found = np.interp(np.linspace(0, 1, len(places)), share[known], widths[known]) if known.any() else np.nan
    return CentreLine(places, across, arc, np.where(known[nearest], found, np.nan))


def darkest_way(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The way of pixels (n, 2) through all points in which a dark ridge is left as little as possible."""
    return finished(_darkest_way(image, points))


def _darkest_way(image: np.ndarray, points: np.ndarray) -> Steps[np.ndarray]:
    # As far as a half circle from point to point reaches.
    margin = max(_MARGIN_PX, math.ceil(np.hypot(*np.diff(points, axis=0).T).max() / 2))
    way, beside = yield from _way_within(image, points, margin)
    if beside > _BESIDE_PX:
        # An occlusion, or a vessel that bends further away and comes back.
        wider, still = yield from _way_within(image, points, 3 * margin)
        if still < beside / 2:
            return wider
    return way


def _way_within(image: np.ndarray, points: np.ndarray, margin: int) -> Steps[tuple[np.ndarray, int]]:
    """The way through the part of the image so far about the points, and how many of its pixels lie on no ridge."""
    with needing_skimage("Following a vessel"):
        from skimage.filters import sato
    low = np.maximum(np.floor(points.min(axis=0)).astype(int) - margin, 0)
    high = np.ceil(points.max(axis=0)).astype(int) + margin + 1
    part = np.asarray(image[low[0] : high[0], low[1] : high[1]], dtype=np.float64)
    ridge = np.zeros_like(part)
    for sigma in _SIGMAS_PX:
        # The filter reaches over eight of its sigmas.
        reach, count = math.ceil(8 * sigma) + 4, max(1, _PART_PIXELS // part.shape[1])
        for start in range(0, len(part), count):
            above = min(start, reach)
            rows = sato(part[start - above : start + count + reach], sigmas=(sigma,), black_ridges=True)
            band = ridge[start : start + count]
            np.maximum(band, rows[above : above + count], out=band)
            yield
    ridge = np.clip(ridge / max(float(np.percentile(ridge, 98)), 1e-12), 0, 1)
    yield
    stops = np.clip(np.rint(points - low).astype(int), 0, np.array(part.shape) - 1)
    way = [stops[:1]]
    for first, last in zip(stops, stops[1:], strict=False):
        way.append((yield from _route(ridge, first, last))[1:])
    found = np.concatenate(way)
    return found + low, int(np.sum(ridge[tuple(found.T)] < _NO_RIDGE))


def _route(ridge: np.ndarray, first: np.ndarray, last: np.ndarray) -> Steps[np.ndarray]:
    """The way (n, 2) from one pixel to another; through many pixels first roughly, then from stop to stop."""
    from skimage.graph import route_through_array
    from skimage.measure import block_reduce

    factor = math.ceil(math.sqrt(ridge.size / _PART_PIXELS))
    rough = block_reduce(ridge, factor, np.mean) if factor > 1 else ridge
    way = np.array(route_through_array(1 / (1 / _CONTRAST + rough), first // factor, last // factor)[0]).reshape(-1, 2)
    yield
    if factor == 1:
        return way
    stops = [first]
    for cell in np.maximum(way[_STOP_CELLS:-1:_STOP_CELLS] * factor - factor, 0):
        within = ridge[cell[0] : cell[0] + 3 * factor, cell[1] : cell[1] + 3 * factor]
        stops.append(cell + np.unravel_index(within.argmax(), within.shape))
    fine = [first[None]]
    for start, stop in zip(stops, [*stops[1:], last], strict=True):
        low = np.maximum(np.minimum(start, stop) - _MARGIN_PX, 0)
        high = np.maximum(start, stop) + _MARGIN_PX
        part = yield from _route(ridge[low[0] : high[0], low[1] : high[1]], start - low, stop - low)
        fine.append(part[1:] + low)
    return np.concatenate(fine)


def _on_the_middle(image: Splined, line: np.ndarray) -> Steps[tuple[np.ndarray, np.ndarray]]:
    """Each point of a line moved across onto the vessel's middle, (n, 2), and its rough widths (n,)."""
    across, shifts, widths = _across(line), np.full(len(line), np.nan), np.full(len(line), np.nan)
    for k in range(0, len(line), 2):
        yield
        try:
            aim = aim_at(image, tuple(line[k]), tuple(across[k]), 6.0)
        except Unmeasurable:
            continue
        shifts[k], widths[k] = np.dot(np.subtract(aim.point, line[k]), across[k]), aim.width
    known = np.isfinite(shifts)
    if not known.any():
        raise Unmeasurable("No vessel was found along the curve.")
    every = np.arange(len(line))
    steady = ndimage.median_filter(np.interp(every, every[known], shifts[known]), 5, mode="nearest")
    # What lies between two places that were looked at is not unknown.
    near = ndimage.binary_dilation(known) if known.any() else known
    spread = np.where(near, np.interp(every, every[known], widths[known]), np.nan)
    return line + steady[:, None] * across, spread


def _smoothed(line: np.ndarray, deviation: float) -> np.ndarray:
    """A cubic spline whose distance from the points has this standard deviation in pixels."""
    arc = _arc(line)
    keep = np.append(True, np.diff(arc) > 1e-9)
    arc, line = arc[keep], line[keep]
    spline, _ = interpolate.splprep(line.T, u=arc, s=2 * len(line) * deviation**2, k=min(3, len(line) - 1))
    return np.transpose(interpolate.splev(arc, spline))


def _spaced(line: np.ndarray, step: float) -> np.ndarray:
    """Points a step apart along a line."""
    arc = _arc(line)
    keep = np.append(True, np.diff(arc) > 1e-9)
    count = int(math.floor(arc[-1] / step)) + 1
    curve = (
        interpolate.CubicSpline(arc[keep], line[keep]) if keep.sum() > 3 else interpolate.interp1d(arc, line, axis=0)
    )
    return curve(step * np.arange(count))


def _arc(line: np.ndarray) -> np.ndarray:
    return np.append(0.0, np.cumsum(np.hypot(*np.diff(line, axis=0).T)))


def _across(line: np.ndarray) -> np.ndarray:
    tangent = np.gradient(line, axis=0)
    tangent /= np.maximum(np.hypot(*tangent.T), 1e-12)[:, None]
    return np.column_stack((-tangent[:, 1], tangent[:, 0]))
