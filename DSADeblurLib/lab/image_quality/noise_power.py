"""Noise power spectrum of flat regions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft


@dataclass(frozen=True)
class NoisePower:
    """Noise power spectrum.

    Attributes:
        frequency: (n,) cycles per pixel, means over rings from 0 to the Nyquist frequency.
        power: (n,) mean over each ring, in (unit of the frames)^2 pixel^2; without the axes, where trends lie. The
            first ring is too low, because part of it is taken for shading.
        spectrum: (roi, roi) in two dimensions, zero frequency first; its mean is the variance.
    """

    frequency: np.ndarray
    power: np.ndarray
    spectrum: np.ndarray

    @property
    def variance(self) -> float:
        """Variance of a pixel, by Parseval's theorem."""
        return float(self.spectrum.mean())


def noise_power(frames: np.ndarray, *, roi: int = 64) -> NoisePower:
    """Noise power spectrum after IEC 62220-1: squared transforms of regions that overlap by half, averaged.

    A plane of second order is taken from each region first, so that shading does not count as noise; what it takes
    of the noise itself, 6 of roi^2 degrees of freedom, is given back on average.

    Args:
        frames: (n, rows, cols) or (rows, cols) of a flat object; several takes make the spectrum smoother.
        roi: side of the regions in pixels, at least 16.

    Raises:
        ValueError: one sentence, if the frames are smaller than a region or not finite.
    """
    frames = np.asarray(frames, dtype=np.float64)
    frames = frames[None] if frames.ndim == 2 else frames
    if frames.ndim != 3 or frames.size == 0 or not np.isfinite(frames).all():
        raise ValueError(f"Noise is measured in finite frames (n, rows, cols), not {frames.shape}.")
    if not 16 <= roi <= min(frames.shape[1:]):
        raise ValueError(f"A region must have 16 pixels or more and fit into the frame, not {roi}.")
    windows = np.lib.stride_tricks.sliding_window_view(frames, (roi, roi), axis=(1, 2))
    regions = windows[:, :: roi // 2, :: roi // 2].reshape(-1, roi * roi)
    basis = _second_order(roi)
    residual = regions - (regions @ basis) @ basis.T
    power = np.abs(fft.fft2(residual.reshape(-1, roi, roi), workers=1)) ** 2
    spectrum = power.mean(axis=0) / (roi * roi - basis.shape[1])
    frequency, radial = _radial(spectrum)
    return NoisePower(frequency, radial, spectrum)


def _second_order(roi: int) -> np.ndarray:
    """Orthonormal columns (roi^2, 6) that span the polynomials of second order over a region."""
    y, x = (axis.ravel() for axis in np.indices((roi, roi)) / roi - 0.5)
    return np.linalg.qr(np.stack((np.ones_like(x), x, y, x * x, x * y, y * y), axis=1))[0]


def _radial(spectrum: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    roi = spectrum.shape[0]
    lines = fft.fftfreq(roi)
    radius = np.hypot(lines[:, None], lines)
    off_axes = (lines[:, None] != 0) & (lines != 0)
    count = roi // 4
    ring = np.floor(radius / 0.5 * count).astype(int)
    used = off_axes & (ring < count)
    number = np.bincount(ring[used], minlength=count)
    total = np.bincount(ring[used], weights=spectrum[used], minlength=count)
    middle = np.bincount(ring[used], weights=radius[used], minlength=count)
    filled = number > 0
    return middle[filled] / number[filled], total[filled] / number[filled]
