"""Noise power spectrum of flat regions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft

# Side of the regions in pixels.
_ROI = 64


@dataclass(frozen=True)
class NoisePower:
    """Noise power spectrum.

    Attributes:
        frequency: (n,) cycles per pixel, means over rings from 0 to the Nyquist frequency.
        power: (n,) mean over each ring, in (unit of the frames)^2 pixel^2; without the axes, where trends lie. The
            first ring is too low, because part of it is taken for shading.
        variance: of a pixel, by Parseval's theorem.
    """

    frequency: np.ndarray
    power: np.ndarray
    variance: float


def noise_power(frames: np.ndarray) -> NoisePower:
    """Noise power spectrum: squared transforms of regions of 64 x 64 pixels that overlap by half, averaged.

    A plane of second order is taken from each region first, so that shading does not count as noise; what it takes
    of the noise itself, 6 of 64^2 degrees of freedom, is given back on average.

    Args:
        frames: (n, rows, cols) of a flat object; several takes make the spectrum smoother.

    Raises:
        ValueError: one sentence, if the frames are smaller than a region or not finite.

    Source:
        IEC 62220-1.
    """
    frames = np.asarray(frames, dtype=np.float64)
    if frames.ndim != 3 or len(frames) == 0 or min(frames.shape[1:]) < _ROI or not np.isfinite(frames).all():
        raise ValueError(f"Noise is measured in finite frames (n, rows, cols) of {_ROI} or more, not {frames.shape}.")
    windows = np.lib.stride_tricks.sliding_window_view(frames, (_ROI, _ROI), axis=(1, 2))
    regions = windows[:, :: _ROI // 2, :: _ROI // 2].reshape(-1, _ROI * _ROI)
    y, x = (axis.ravel() for axis in np.indices((_ROI, _ROI)) / _ROI - 0.5)
    basis = np.linalg.qr(np.stack((np.ones_like(x), x, y, x * x, x * y, y * y), axis=1))[0]
    residual = regions - (regions @ basis) @ basis.T
    power = np.abs(fft.fft2(residual.reshape(-1, _ROI, _ROI), workers=1)) ** 2
    spectrum = power.mean(axis=0) / (_ROI * _ROI - basis.shape[1])
    return NoisePower(*_radial(spectrum), float(spectrum.mean()))


def _radial(spectrum: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    lines = fft.fftfreq(_ROI)
    radius = np.hypot(lines[:, None], lines)
    ring = np.floor(radius / 0.5 * (_ROI // 4)).astype(int)
    used = (lines[:, None] != 0) & (lines != 0) & (ring < _ROI // 4)
    number, total, middle = (np.bincount(ring[used], weights) for weights in (None, spectrum[used], radius[used]))
    filled = number > 0
    return middle[filled] / number[filled], total[filled] / number[filled]
