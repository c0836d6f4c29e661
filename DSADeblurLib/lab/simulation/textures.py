"""Random fields without a scale of their own: what tissue, marrow and blush look like in projection."""

from __future__ import annotations

import numpy as np
from scipy import fft, ndimage, sparse

BORDER = 3


def random_texture(rng: np.random.Generator, shape: tuple[int, int], slope: float, largest_px: float) -> np.ndarray:
    """A random field (rows, columns) float32 of unit variance with power spectrum 1/f^slope, flat below 1/largest."""
    fv, fu = fft.fftfreq(shape[0])[:, None], fft.rfftfreq(shape[1])[None, :]
    frequency = np.sqrt(fv**2 + fu**2 + largest_px**-2).astype(np.float32)
    spectrum = fft.rfft2(rng.standard_normal(shape, dtype=np.float32))
    field = fft.irfft2(spectrum * frequency ** (-slope / 2), s=shape)
    return (field / field.std()).astype(np.float32)


def smooth_texture(
    rng: np.random.Generator, shape: tuple[int, int], slope: float, largest_px: float, coarse: int
) -> np.ndarray:
    """The same without what is finer than about two steps of a grid `coarse` times coarser, and as much faster."""
    small = tuple(-(-n // coarse) + 2 for n in shape)
    return spread(random_texture(rng, small, slope, largest_px / coarse), coarse, shape)


def spread(coarse: np.ndarray, factor: int, shape: tuple[int, int]) -> np.ndarray:
    """A field on a grid `factor` times coarser, smoothly on all pixels: float32 (rows, columns) of `shape`."""
    if factor == 1:
        return coarse[: shape[0], : shape[1]]
    # Continued beyond its border with the slope that it has there.
    padded = np.pad(coarse, BORDER, mode="reflect", reflect_type="odd")
    smooth = ndimage.spline_filter(padded, order=3, output=np.float32, mode="mirror")
    down, across = (_spline_matrix(np.arange(n) / factor + BORDER, m) for n, m in zip(shape, padded.shape, strict=True))
    return np.ascontiguousarray((across @ (down @ smooth).T).T)


def _spline_matrix(positions: np.ndarray, count: int) -> sparse.csr_matrix:
    """Cubic B-spline weights (positions, count) of coefficients at 0 .. count - 1."""
    base = np.floor(positions).astype(int)
    nodes = base[:, None] + np.arange(-1, 3)
    distance = np.abs(positions[:, None] - nodes)
    weight = np.where(distance < 1, 2 / 3 - distance**2 + distance**3 / 2, (2 - distance).clip(0) ** 3 / 6)
    rows = np.repeat(np.arange(len(positions)), 4)
    entries = (weight.ravel().astype(np.float32), (rows, nodes.ravel()))
    return sparse.csr_matrix(entries, shape=(len(positions), count))
