"""Modulation transfer function from the image of a slanted edge."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage, signal, stats

# Pixels on either side of the edge that count, and bins in a pixel.
_REACH, _OVERSAMPLING = 32.0, 4
_ZERO_PADDING = 4


@dataclass(frozen=True)
class Mtf:
    """Modulation (n,) at spatial frequencies (n,) in cycles per pixel, rising from 0, where the modulation is 1."""

    frequency: np.ndarray
    modulation: np.ndarray

    def frequency_at(self, level: float) -> float:
        """The lowest frequency in cycles per pixel at which the modulation falls to `level`; NaN if it never does."""
        below = np.flatnonzero(self.modulation <= level)
        if below.size == 0 or below[0] == 0:
            return math.nan
        i = int(below[0])
        ends = slice(i - 1, i + 1)
        return float(np.interp(level, self.modulation[ends][::-1], self.frequency[ends][::-1]))


def edge_mtf(image: np.ndarray) -> Mtf:
    """Presampled MTF of whatever made this image of one straight edge, slanted against the pixels.

    The edge is located in every line of the image, a straight line is fitted to the
    places, the pixels are sorted by their distance from it into bins finer than a pixel (the edge spread function),
    and the differences between the bins (the line spread function) are windowed and transformed. What binning and
    differencing take away is given back. Defined for linear systems; for a network it describes how an edge of this
    contrast comes out, at this noise, and no other.

    Args:
        image: (rows, cols), one edge from top to bottom or from left to right, 1 to 15 degrees from the pixel grid;
            noise is best averaged away before.

    Returns:
        The MTF across the edge, up to 1 cycle per pixel, twice the Nyquist frequency.

    Raises:
        ValueError: one sentence, if the image has no such edge or has less than 64 pixels a side.

    Source:
        ISO 12233; IEC 62220-1.
    """
    image = np.asarray(image, dtype=np.float64)
    if image.ndim != 2 or not np.isfinite(image).all() or min(image.shape) < 2 * _REACH:
        raise ValueError(f"The image of an edge must be finite and at least {2 * _REACH:g} pixels wide and high.")
    if image.min() == image.max():
        raise ValueError("The image has no edge.")
    blurred = ndimage.gaussian_filter(image, 2.0)
    if np.abs(np.diff(blurred, axis=0)).sum() > np.abs(np.diff(blurred, axis=1)).sum():
        image = image.T
    offset, slope = _edge_line(image)
    if not math.tan(math.radians(0.9)) < abs(slope) < math.tan(math.radians(16)):
        raise ValueError(f"The edge must be slanted by 1 to 15 degrees, not {math.degrees(math.atan(slope)):.1f}.")
    rows, cols = np.indices(image.shape)
    distance = (cols - offset - slope * rows) * math.cos(math.atan(slope))
    line_spread = np.diff(_edge_spread(image, distance))
    line_spread *= signal.windows.tukey(line_spread.size, 0.5)
    spectrum = np.abs(np.fft.rfft(line_spread, _ZERO_PADDING * line_spread.size))
    frequency = np.fft.rfftfreq(_ZERO_PADDING * line_spread.size, 1 / _OVERSAMPLING)
    kept = frequency <= 1
    # Means over bins and differences between bins each multiply by the sinc of one bin.
    correction = np.sinc(frequency[kept] / _OVERSAMPLING) ** 2
    return Mtf(frequency[kept], spectrum[kept] / spectrum[0] / correction)


def _edge_line(image: np.ndarray) -> tuple[float, float]:
    """Column of the edge in row 0 and its change per row."""
    change = np.diff(image, axis=1)
    change *= np.sign(np.median(change.sum(axis=1)))
    rows = np.arange(image.shape[0], dtype=float)
    positions = np.arange(change.shape[1]) + 0.5
    rough = ndimage.gaussian_filter(change, (4.0, 2.0)).argmax(axis=1) + 0.5
    fit = stats.theilslopes(rough, rows)
    offset, slope = float(fit.intercept), float(fit.slope)
    for _ in range(2):
        near = np.clip(1 - np.abs(positions - (offset + slope * rows)[:, None]) / (_REACH / 2), 0, None)
        # Flat-topped, so that the window does not pull the centroid of a wide edge towards its own middle.
        weight = np.minimum(2 * near, 1) * change
        total = weight.sum(axis=1)
        used = total > 0.5 * np.median(total)
        if used.sum() < 8:
            raise ValueError("The image has no edge.")
        slope, offset = np.polyfit(rows[used], (weight @ positions)[used] / total[used], 1)
    return float(offset), float(slope)


def _edge_spread(image: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """Mean of the pixels in bins of distance within _REACH of it; bins that no pixel fell into are interpolated."""
    bins = np.floor((distance + _REACH) * _OVERSAMPLING).astype(int)
    count = int(2 * _REACH * _OVERSAMPLING)
    inside = (bins >= 0) & (bins < count)
    number = np.bincount(bins[inside], minlength=count)
    total = np.bincount(bins[inside], weights=image[inside], minlength=count)
    filled = np.flatnonzero(number)
    return np.interp(np.arange(count), filled, total[filled] / number[filled])
