"""Classical ways to sharpen a frame, as baselines that a network has to beat."""

from __future__ import annotations

import numpy as np
from scipy import fft
from skimage import filters, restoration

# Of the split gradient; sets the pace, not the limit.
_PENALTY = 1.0


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
    values, psf = _checked(frame), _checked_psf(psf)
    _check_positive("Balance", balance)
    low, high = values.min(), values.max()
    if low == high:
        return values
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
    values, psf = _checked(frame), _checked_psf(psf)
    _check_iterations(iterations)
    low, high = values.min(), values.max()
    if low == high:
        return values.astype(np.float32)
    # What is wrong outside reaches inwards by one kernel radius per convolution, but fades quickly.
    padded, inner = _reflected((values - low) / (high - low) + 1, psf)
    restored = restoration.richardson_lucy(padded, psf, num_iter=int(iterations), clip=False)[inner]
    return ((restored - 1) * (high - low) + low).astype(np.float32)


def total_variation(frame: np.ndarray, psf: np.ndarray, weight: float = 0.003, iterations: int = 20) -> np.ndarray:
    """Deconvolution with a known point spread function that keeps the total variation of the result low.

    Minimises 0.5 |psf * x - frame|^2 + weight * sum |grad x| over x by the alternating direction method of
    multipliers with the gradient split off (Y. Wang, J. Yang, W. Yin, Y. Zhang, SIAM J. Imaging Sci. 1 (2008)
    248-272, doi 10.1137/080724265): each step is exact, in Fourier space for x and by shrinking for its gradient.
    The frame is extended by reflection first, because the transform takes it as periodic.

    Args:
        frame: (rows, cols), optical density or logarithms of the intensity; any sign.
        psf: (k, l), odd sides, sums to 1.
        weight: of the total variation, in the unit of the frame, above 0; larger is smoother.
        iterations: at least 1; stopping early is smoother and often nearer the truth than the minimum itself.

    Returns:
        (rows, cols) float32.

    Raises:
        ValueError: one sentence, if frame, kernel or number are not usable.
    """
    values, psf = _checked(frame), _checked_psf(psf)
    _check_positive("Weight", weight)
    _check_iterations(iterations)
    padded, inner = _reflected(values - values.mean(), psf)
    penalty = np.float32(_PENALTY)
    transfer = _transfer(psf, padded.shape)
    steps = [_transfer(kernel, padded.shape) for kernel in (np.array([[1.0], [-1], [0]]), np.array([[1.0, -1, 0]]))]
    blurred_back = np.conj(transfer) * fft.rfft2(padded)
    normal = np.abs(transfer) ** 2 + penalty * sum(np.abs(step) ** 2 for step in steps)
    gradient = np.zeros((2, *padded.shape), np.float32)
    multiplier = np.zeros_like(gradient)
    for _ in range(int(iterations)):
        back = sum(np.conj(step) * fft.rfft2(part) for step, part in zip(steps, gradient - multiplier, strict=True))
        spectrum = (blurred_back + penalty * back) / normal
        multiplier += np.stack([fft.irfft2(step * spectrum, s=padded.shape) for step in steps])
        length = np.maximum(np.hypot(*multiplier), np.float32(1e-12))
        gradient = multiplier * np.maximum(1 - np.float32(weight) / (penalty * length), 0)
        multiplier -= gradient
    return (fft.irfft2(spectrum, s=padded.shape)[inner] + values.mean()).astype(np.float32)


def _transfer(kernel: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Transfer function complex64 (rows, cols // 2 + 1) of a kernel whose middle is the origin."""
    whole = np.zeros(shape, np.float32)
    whole[: kernel.shape[0], : kernel.shape[1]] = kernel
    return fft.rfft2(np.roll(whole, [-(side // 2) for side in kernel.shape], axis=(0, 1)))


def _reflected(frame: np.ndarray, psf: np.ndarray) -> tuple[np.ndarray, tuple[slice, slice]]:
    """The frame extended by reflection to sides that transform fast, and where the frame lies in it."""
    margins = []
    for side, kernel in zip(frame.shape, psf.shape, strict=True):
        before = 3 * kernel
        margins.append((before, fft.next_fast_len(side + 2 * before, real=True) - side - before))
    padded = np.pad(frame, margins, mode="reflect")
    return padded, tuple(slice(m, m + side) for (m, _), side in zip(margins, frame.shape, strict=True))


def _check_iterations(iterations: int) -> None:
    if isinstance(iterations, bool) or iterations != int(iterations) or iterations < 1:
        raise ValueError(f"Iterations must be a whole number of at least 1, not {iterations!r}.")


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
