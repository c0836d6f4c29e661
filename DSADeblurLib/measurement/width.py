"""Full width at half maximum of vessels, from profiles across them."""

from __future__ import annotations

import math

import numpy as np
from scipy import interpolate, ndimage

# Quintic, because a Gaussian vessel of sigma 1.5 pixels is widened by 0.13 pixels with linear interpolation,
# by 0.005 with cubic and by 0.0005 with quintic splines.
_ORDER = 5
# A spline is fitted to the neighbourhood only; sixteen pixels away its influence is about 1e-6.
_INFLUENCE, _TILE = 16, 32
_LEAST_SAMPLES = 8
_CLEAR = 5.0
_RIVAL = 0.75


class Splined:
    """An image for many profiles near each other: what its splines need is computed once for each part of it.

    Args:
        image: (rows, columns).
        scale: what its values are multiplied by.
    """

    def __init__(self, image: np.ndarray, scale: float = 1.0) -> None:
        self._image, self._scale = np.asarray(image), scale
        self.shape = self._image.shape
        self._coefficients = np.zeros(self.shape)
        self._known = np.zeros([-(-side // _TILE) for side in self.shape], bool)

    def at(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Values at places of any shape, NaN outside of the image."""
        inside = (rows >= 0) & (rows <= self.shape[0] - 1) & (columns >= 0) & (columns <= self.shape[1] - 1)
        values = np.full(rows.shape, np.nan)
        if inside.any():
            places = np.stack((rows[inside], columns[inside]))
            low = np.maximum(places.min(axis=1).astype(int) - _ORDER, 0)
            high = places.max(axis=1).astype(int) + _ORDER + 1
            self._learn(low // _TILE, (high - 1) // _TILE + 1)
            window = self._coefficients[low[0] : high[0], low[1] : high[1]]
            values[inside] = ndimage.map_coordinates(
                window, places - low[:, None], order=_ORDER, mode="mirror", prefilter=False
            )
        return values

    def _learn(self, first: np.ndarray, last: np.ndarray) -> None:
        """Compute the coefficients of some tiles."""
        for tile in np.argwhere(~self._known[first[0] : last[0], first[1] : last[1]]) + first:
            low, high = tile * _TILE, (tile + 1) * _TILE
            start = np.maximum(low - _INFLUENCE, 0)
            part = self._scale * np.asarray(self._image[tuple(map(slice, start, high + _INFLUENCE))], dtype=np.float64)
            found = ndimage.spline_filter(part, _ORDER, mode="mirror")[tuple(map(slice, low - start, high - start))]
            self._coefficients[tuple(map(slice, low, high))] = found
            self._known[tuple(tile)] = True


def profile_across(
    image: np.ndarray | Splined,
    point: tuple[float, float],
    direction: tuple[float, float],
    length: float = 40.0,
    step: float = 0.25,
    averaging: float = 5.0,
) -> np.ndarray:
    """Values along a line through a point, averaged over parallel lines one pixel apart.

    Args:
        image: (rows, cols), bright or dark vessels.
        point: (row, col) in pixels, the middle of the profile; pixel centres are whole numbers.
        direction: (row, col), any length, along the profile, that is across the vessel.
        length: of the profile in pixels.
        step: distance of the samples in pixels.
        averaging: width in pixels, along the vessel, that is averaged; 0 for one line.

    Returns:
        (n,) float64 with n odd and `point` in its middle; NaN where a line leaves the image.

    Raises:
        ValueError: one sentence, if an argument is not usable.
    """
    image = image if isinstance(image, Splined) else Splined(image)
    across = _unit(direction)
    if len(image.shape) != 2:
        raise ValueError(f"A profile needs an image of shape (rows, cols), not {image.shape}.")
    if not (0 < step < length < math.inf and 0 <= averaging < math.inf and np.isfinite(point).all()):
        raise ValueError("A profile needs a finite point, 0 < step < length and an averaging width of at least 0.")
    half, lines = int(length / 2 / step), int(averaging / 2)
    s = np.arange(-half, half + 1) * step
    t = np.arange(-lines, lines + 1, dtype=float)[:, None]
    values = image.at(point[0] + s * across[0] + t * across[1], point[1] + s * across[1] - t * across[0])
    return values.mean(axis=0)


def vessel_width(
    image: np.ndarray,
    point_rc: tuple[float, float],
    tangent_rc: tuple[float, float],
    *,
    length: float = 40.0,
    step: float = 0.25,
    averaging: float = 5.0,
) -> float:
    """Full width at half maximum of a dark vessel in pixels.

    Args:
        image: (rows, cols), optical density or logarithms, lower inside vessels.
        point_rc: (row, col) on the vessel; it may lie off the axis by up to a quarter of `length`.
        tangent_rc: (row, col), any length, along the vessel.
        length, step, averaging: as for `profile_across`; the profile must reach the background on both sides.

    Returns:
        Pixels; NaN when there is no clear peak, see `peak_width`, or the profile leaves the image.

    Raises:
        ValueError: one sentence, if an argument is not usable.
    """
    tangent = _unit(tangent_rc)
    profile = profile_across(image, point_rc, (tangent[1], -tangent[0]), length, step, averaging)
    width, centre = peak_width(-profile, step)
    reach = (profile.size - 1) * step / 2
    return width if abs(centre - reach) <= length / 4 else math.nan


def peak_width(profile: np.ndarray, spacing: float = 1.0) -> tuple[float, float]:
    """Full width at half maximum of the one peak of a profile, and where the peak is.

    The base line is the straight line through the means of the outer tenths, so that offset and slope of the
    background do not matter. The profile between the samples is a cubic spline.

    Args:
        profile: (n,), n at least 8, with an upright peak; give `-profile` for a dark vessel.
        spacing: distance of the samples.

    Returns:
        (width, position of the maximum from the first sample), both in the unit of `spacing`. NaN when there is no
        clear peak: not above five standard deviations of the outer tenths, not back to half its height on both sides,
        or a second peak of three quarters of its height. A Gaussian of standard deviation s has a width of 2.355 s, the
        projection of a cylinder one of 0.866 of its diameter.

    Raises:
        ValueError: one sentence, if an argument is not usable.
    """
    values = np.asarray(profile, dtype=np.float64)
    if values.ndim != 1 or values.size < _LEAST_SAMPLES:
        raise ValueError(f"A profile needs at least {_LEAST_SAMPLES} samples in one row, not {values.shape}.")
    if not 0 < spacing < math.inf:
        raise ValueError(f"The spacing must be above 0, not {spacing!r}.")
    nothing = (math.nan, math.nan)
    if not np.isfinite(values).all():
        return nothing
    positions = np.arange(values.size, dtype=float)
    level, noise = _base_line(values)
    values = values - level
    curve = interpolate.CubicSpline(positions, values)
    top, height = _maximum(curve, values)
    # The rounding of float32 input is noise as well.
    noise = max(noise, 1e-6 * (np.abs(level).max() + height))
    if height <= _CLEAR * noise:
        return nothing
    crossings = curve.solve(height / 2, extrapolate=False)
    below, above = crossings[crossings < top], crossings[crossings > top]
    if below.size == 0 or above.size == 0:
        return nothing
    left, right = below.max(), above.min()
    if values[(positions < left) | (positions > right)].max(initial=-math.inf) > _RIVAL * height:
        return nothing
    return float((right - left) * spacing), float(top * spacing)


def _base_line(values: np.ndarray) -> tuple[np.ndarray, float]:
    """The line through the means of the outer tenths, (n,), and the standard deviation of these tenths around it."""
    count = max(values.size // 10, 2)
    positions = np.arange(values.size, dtype=float)
    ends = np.r_[0:count, values.size - count : values.size]
    first, last = values[:count].mean(), values[-count:].mean()
    middle = (count - 1) / 2
    slope = (last - first) / (values.size - 1 - 2 * middle)
    level = first + slope * (positions - middle)
    return level, float(np.std(values[ends] - level[ends]))


def _maximum(curve: interpolate.CubicSpline, values: np.ndarray) -> tuple[float, float]:
    """Position and height of the spline's maximum next to the largest sample."""
    largest = int(values.argmax())
    turning = curve.derivative().roots(extrapolate=False)
    turning = turning[np.abs(turning - largest) <= 1]
    candidates = np.r_[float(largest), turning[np.isfinite(turning)]]
    heights = curve(candidates)
    best = int(heights.argmax())
    return float(candidates[best]), float(heights[best])


def _unit(direction: tuple[float, float]) -> np.ndarray:
    vector = np.asarray(direction, dtype=np.float64)
    size = np.linalg.norm(vector) if vector.shape == (2,) else math.nan
    if not 0 < size < math.inf:
        raise ValueError(f"A direction must be two numbers (row, col) that are not both 0, not {direction!r}.")
    return vector / size
