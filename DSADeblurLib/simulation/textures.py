"""Random fields without a scale of their own: what tissue, marrow and blush look like in projection."""

from __future__ import annotations

import numpy as np
from scipy import fft, ndimage


def random_texture(rng: np.random.Generator, shape: tuple[int, int], slope: float, largest_px: float) -> np.ndarray:
    """A random field (rows, columns) float32 of unit variance with power spectrum 1/f^slope, flat below 1/largest."""
    fv, fu = fft.fftfreq(shape[0])[:, None], fft.rfftfreq(shape[1])[None, :]
    frequency = np.sqrt(fv**2 + fu**2 + largest_px**-2).astype(np.float32)
    spectrum = fft.rfft2(rng.standard_normal(shape, dtype=np.float32))
    field = fft.irfft2(spectrum * frequency ** (-slope / 2), s=shape)
    return (field / field.std()).astype(np.float32)


def spread(coarse: np.ndarray, factor: int, shape: tuple[int, int]) -> np.ndarray:
    """A field on a grid `factor` times coarser, smoothly on all pixels: float32 (rows, columns) of `shape`."""
    if factor == 1:
        return coarse[: shape[0], : shape[1]]
    rows, columns = (np.linspace(0, (n - 1) / factor, n) for n in shape)
    smooth = ndimage.spline_filter(coarse, order=3, output=np.float32, mode="nearest")
    # Separable: a cubic spline's four neighbours along each axis as one small matrix product.
    return (_spline_matrix(rows, coarse.shape[0]) @ smooth @ _spline_matrix(columns, coarse.shape[1]).T).astype(
        np.float32
    )


def _spline_matrix(positions: np.ndarray, count: int) -> np.ndarray:
    """Cubic B-spline weights (positions, count) of coefficients at 0 .. count - 1, held at the border."""
    matrix = np.zeros((len(positions), count), np.float32)
    base = np.floor(positions).astype(int)
    for offset in (-1, 0, 1, 2):
        distance = np.abs(positions - (base + offset))
        weight = np.where(distance < 1, 2 / 3 - distance**2 + distance**3 / 2, (2 - distance).clip(0) ** 3 / 6)
        np.add.at(matrix, (np.arange(len(positions)), (base + offset).clip(0, count - 1)), weight)
    return matrix
