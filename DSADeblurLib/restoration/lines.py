"""Where a frame shows lines that stand out of its noise: vessels and wires, faint ones too.

A bank of oriented filters looks for lines some ten pixels long. What is well above the noise is a line, and so is what
is a little above it and connected to that: noise is connected over a few pixels, a vessel over its length.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import fft, ndimage

# Of the frame at half its size: standard deviations across and along the line, directions, how far they
# reach, and what is slower than any line.
_ACROSS_PX, _ALONG_PX, _DIRECTIONS, MARGIN_PX, _SLOW_PX = 1.0, 4.0, 12, 24, 8.0
# Responses in standard deviations of their noise, the largest of all directions: what is a line if it is connected to
# one that surely is. Of a frame of noise alone one percent is then taken for lines. Chosen on simulated validation
# frames, see STUDY.md.
_LEAST, _SURE = 2.5, 4.5
# A strong line answers beyond its sides: what is weaker than this part of a neighbour so near is not one of its own.
_PART, _NEAR_PX = 0.2, 15
# The median of the largest response in noise alone.
_MEDIAN = 1.794
# This part of the largest noise is none, and this percentage of the rest is too quiet to tell what noise is.
_NOTHING, _QUIETEST = 1e-3, 25
# Structure wider than this does not count as noise; how far around a pixel its noise is looked at; what is above so
# many median absolute deviations is not noise.
_FINE_PX, _NEIGHBOURHOOD_PX, _OUTLIER = 2.0, 24.0, 6.0


def line_map(frame: np.ndarray) -> np.ndarray:
    """Where a frame shows lines, whether darker or brighter than what is around them.

    Args:
        frame: (rows, columns) float32, finite, in values in which absorbers add up.

    Returns:
        (rows, columns) float32 from 0 (noise or nothing) to 1 (a line), with soft ends.
    """
    return softened(line_mask(frame))


def softened(mask: np.ndarray) -> np.ndarray:
    """The map of a mask of `line_mask`; it costs far less than to look for the lines again."""
    return ndimage.gaussian_filter(mask.astype(np.float32), 1.0)


def line_mask(frame: np.ndarray) -> np.ndarray:
    """As `line_map`, but with hard ends: bool (rows, columns)."""
    rows, columns = frame.shape
    half = half_size(frame)
    response = _significance(half)
    response[response < _PART * ndimage.maximum_filter(response, _NEAR_PX)] = 0
    # As hysteresis thresholding in scikit-image, which the worker process does without.
    parts, count = ndimage.label(response > _LEAST)
    sure = np.zeros(count + 1, bool)
    sure[parts[response > _SURE]] = True
    lines = sure[parts]
    full = lines.repeat(2, axis=0).repeat(2, axis=1)[:rows, :columns]
    # To the edges of the line, whose ridge this is.
    return ndimage.binary_dilation(full, np.ones((3, 3), bool))


def half_size(frame: np.ndarray) -> np.ndarray:
    """A frame (rows, columns) at half its size, means of 2 x 2 pixels; the last row or column counts twice if odd."""
    rows, columns = frame.shape
    even = np.pad(frame, ((0, rows % 2), (0, columns % 2)), mode="edge")
    return even.reshape(len(even) // 2, 2, -1, 2).mean(axis=(1, 3))


def _significance(frame: np.ndarray) -> np.ndarray:
    """The largest response of all directions, in standard deviations of its noise there."""
    spectrum, strongest = spectrum_of(frame), np.zeros_like(frame)
    for one in filter_bank(frame.shape):
        np.maximum(strongest, np.abs(response_of(spectrum, one, frame.shape)), out=strongest)
    noise = local_noise(frame)
    strongest /= noise
    # How strong the noise of this run is in these filters is told by the half of the frame that shows the least. Where
    # hardly anything varies, outside the patient or under a shutter, rounding and not noise is what there is.
    varies = noise > _NOTHING * noise.max()
    typical = np.median(strongest[noise >= np.percentile(noise[varies], _QUIETEST)]) if varies.any() else 0.0
    return strongest * (_MEDIAN / max(float(typical), np.finfo(np.float32).tiny))


def spectrum_of(frame: np.ndarray) -> np.ndarray:
    """The spectrum of a frame (rows, columns) float32, for `response_of`."""
    # Fourier transforms take the opposite edges of a frame for neighbours; without its slow part it can end in nothing.
    return fft.rfft2(np.pad(frame - ndimage.gaussian_filter(frame, _SLOW_PX, mode="nearest"), MARGIN_PX))


def response_of(spectrum: np.ndarray, one: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """What a filter of `filter_bank` says of a frame of this shape: float32, positive for a line of higher values."""
    wider = tuple(side + 2 * MARGIN_PX for side in shape)
    return fft.irfft2(spectrum * one, s=wider)[(slice(MARGIN_PX, -MARGIN_PX),) * 2]


def local_noise(frame: np.ndarray) -> np.ndarray:
    """The standard deviation of the fine structure around each pixel; strong lines are left out."""
    fine = frame - ndimage.gaussian_filter(frame, _FINE_PX)
    limit = _OUTLIER * np.median(np.abs(fine))
    local = ndimage.gaussian_filter(np.minimum(fine**2, limit**2), _NEIGHBOURHOOD_PX)
    # A part without any noise, such as one that a shutter covers, shows no lines for it.
    return np.sqrt(np.maximum(local, 1e-4 * limit**2 + np.finfo(np.float32).tiny))


@lru_cache(maxsize=2)
def filter_bank(shape: tuple[int, int]) -> np.ndarray:
    """Transfer functions for frames of this shape: second derivative across, smoothing along; float32."""
    rows, columns = (
        2 * np.pi * frequency(side + 2 * MARGIN_PX)
        for frequency, side in zip((fft.fftfreq, fft.rfftfreq), shape, strict=True)
    )
    rows, columns = rows[:, None], columns[None]
    angles = np.pi * np.arange(_DIRECTIONS)[:, None, None] / _DIRECTIONS
    across = columns * np.cos(angles) + rows * np.sin(angles)
    along = rows * np.cos(angles) - columns * np.sin(angles)
    bank = across**2 * np.exp(-0.5 * ((across * _ACROSS_PX) ** 2 + (along * _ALONG_PX) ** 2))
    return bank.astype(np.float32)
