"""Classical ways to sharpen a frame, as baselines that a network has to beat."""

from __future__ import annotations

import numpy as np
from skimage import filters, restoration


def unsharp_mask(frame: np.ndarray, radius: float = 1.5, amount: float = 0.5) -> np.ndarray:
    """Add back `amount` times what a Gaussian of standard deviation `radius` pixels takes away.

    Args:
        frame: (rows, cols), optical density or logarithms of the intensity; any sign.
        radius: pixels, above 0.
        amount: 0 changes nothing.

    Returns:
        (rows, cols) float32.

    Raises:
        ValueError: one sentence, if the frame or a number is not usable.
    """
    values = _checked(frame)
    _check_positive("Radius", radius)
    return filters.unsharp_mask(values, radius, amount, preserve_range=True).astype(np.float32)


def wiener(frame: np.ndarray, psf: np.ndarray, balance: float = 0.1) -> np.ndarray:
    """Wiener-Hunt deconvolution with a known point spread function (skimage.restoration.wiener).

    The Laplacian regularisation leaves the mean alone, so frames of any sign and offset can be given. The frame is
    extended by reflection first, because the filter takes it as periodic.

    Args:
        frame: (rows, cols), optical density or logarithms of the intensity; any sign.
        psf: (k, l), odd sides, sums to 1.
        balance: weight of the regularisation, above 0; larger is smoother.

    Returns:
        (rows, cols) float32.

    Raises:
        ValueError: one sentence, if frame, kernel or number are not usable.
    """
    values, psf = _checked(frame).astype(np.float64), _checked_psf(psf)
    _check_positive("Balance", balance)
    low, high = values.min(), values.max()
    if low == high:
        return values.astype(np.float32)
    padded, inner = _reflected(values - low, psf)
    return (restoration.wiener(padded, psf, balance, clip=False)[inner] + low).astype(np.float32)


def richardson_lucy(frame: np.ndarray, psf: np.ndarray, iterations: int = 20) -> np.ndarray:
    """Richardson-Lucy deconvolution with a known point spread function (skimage.restoration.richardson_lucy).

    The method is for positive data, and frames in optical density are negative in vessels. The frame is moved and
    scaled to values from 1 to 2, and back afterwards: the result does not depend on the frame's offset or scale, and
    the pedestal keeps dark vessels from being pressed against zero. The frame is extended by reflection first,
    because the method takes everything outside as zero.

    Args:
        frame: (rows, cols), optical density or logarithms of the intensity; any sign.
        psf: (k, l), odd sides, sums to 1.
        iterations: at least 1; more is sharper and noisier.

    Returns:
        (rows, cols) float32.

    Raises:
        ValueError: one sentence, if frame, kernel or number are not usable.
    """
    values, psf = _checked(frame).astype(np.float64), _checked_psf(psf)
    if isinstance(iterations, bool) or iterations != int(iterations) or iterations < 1:
        raise ValueError(f"Iterations must be a whole number of at least 1, not {iterations!r}.")
    low, high = values.min(), values.max()
    if low == high:
        return values.astype(np.float32)
    # What is wrong outside reaches inwards by one kernel radius per convolution, but fades quickly.
    padded, inner = _reflected((values - low) / (high - low) + 1, psf)
    restored = restoration.richardson_lucy(padded, psf, num_iter=int(iterations), clip=False)[inner]
    return ((restored - 1) * (high - low) + low).astype(np.float32)


def _reflected(frame: np.ndarray, psf: np.ndarray) -> tuple[np.ndarray, tuple[slice, slice]]:
    """The frame extended by reflection on all sides, and where the frame lies in it."""
    margins = [3 * side for side in psf.shape]
    padded = np.pad(frame, [(margin, margin) for margin in margins], mode="reflect")
    return padded, tuple(slice(m, m + side) for m, side in zip(margins, frame.shape, strict=True))


def _checked(frame: np.ndarray) -> np.ndarray:
    values = np.asarray(frame, dtype=np.float32)
    if values.ndim != 2 or min(values.shape) < 2:
        raise ValueError(f"A frame must have the shape (rows, cols), not {values.shape}.")
    if not np.isfinite(values).all():
        raise ValueError("The frame holds values that are not finite; export the run again.")
    return values


def _checked_psf(psf: np.ndarray) -> np.ndarray:
    kernel = np.asarray(psf, dtype=np.float64)
    if kernel.ndim != 2 or any(side % 2 == 0 for side in kernel.shape):
        raise ValueError(f"The point spread function must have two odd sides, not the shape {kernel.shape}.")
    # Written so that NaN fails as well.
    if not abs(kernel.sum() - 1) < 1e-3:
        raise ValueError(f"The point spread function must sum to 1, not {kernel.sum():.4g}.")
    return kernel


def _check_positive(name: str, value: float) -> None:
    if not 0 < value < np.inf:
        raise ValueError(f"{name} must be above 0, not {value!r}.")
