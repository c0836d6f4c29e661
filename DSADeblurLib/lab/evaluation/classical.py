"""Classical ways to sharpen a frame, as baselines that a network has to beat.

All take a frame (rows, cols) float32 in optical density or logarithms of the intensity, of any sign and offset, and the
point spread function (k, l) of odd sides that sums to 1, and return (rows, cols) float32. Those that transform extend
the frame by reflection first, because they take it as periodic or as zero outside.
"""

from __future__ import annotations

import numpy as np
from scipy import fft, ndimage
from skimage import filters, restoration

# Of the split gradient; sets the pace, not the limit.
_PENALTY = np.float32(1)


def unsharp_mask(frame: np.ndarray, psf: np.ndarray, smoothing: float, radius: float, amount: float) -> np.ndarray:
    """Add back what a Gaussian takes away, whatever the point spread function.

    Args:
        frame, psf: see above.
        smoothing: standard deviation in pixels of the Gaussian before, 0 for none.
        radius: that of the Gaussian, above 0.
        amount: 0 changes nothing.
    """
    return filters.unsharp_mask(_smoothed(frame, smoothing), radius, amount, preserve_range=True).astype(np.float32)


def wiener(frame: np.ndarray, psf: np.ndarray, balance: float) -> np.ndarray:
    """Wiener-Hunt deconvolution (skimage.restoration.wiener).

    Args:
        frame, psf: see above. The Laplacian regularisation leaves the mean alone.
        balance: weight of the regularisation, above 0; larger is smoother.
    """
    low = frame.min()
    padded, inner = _reflected(frame - low, psf)
    return (restoration.wiener(padded, psf, balance, clip=False)[inner] + low).astype(np.float32)


def richardson_lucy(frame: np.ndarray, psf: np.ndarray, smoothing: float, iterations: int) -> np.ndarray:
    """Richardson-Lucy deconvolution (skimage.restoration.richardson_lucy).

    The method is for positive data, and frames in optical density are negative in vessels. The frame is moved and
    scaled to values from 1 to 2, and back afterwards: the result does not depend on the frame's offset or scale, and
    the pedestal keeps dark vessels from being pressed against zero.

    Args:
        frame, psf: see above.
        smoothing: standard deviation in pixels of a Gaussian before, which people give it because it amplifies noise.
        iterations: at least 1; more is sharper and noisier.
    """
    values = _smoothed(frame, smoothing)
    low, high = values.min(), values.max()
    if low == high:
        return values
    # What is wrong outside reaches inwards by one kernel radius per convolution, but fades quickly.
    padded, inner = _reflected((values - low) / (high - low) + 1, psf)
    restored = restoration.richardson_lucy(padded, psf, num_iter=iterations, clip=False)[inner]
    return ((restored - 1) * (high - low) + low).astype(np.float32)


def total_variation(frame: np.ndarray, psf: np.ndarray, weight: float, iterations: int) -> np.ndarray:
    """Deconvolution that keeps the total variation of the result low.

    Minimises 0.5 |psf * x - frame|^2 + weight * sum |grad x| over x by the alternating direction method of
    multipliers with the gradient split off: each step is exact, in Fourier space for x and by shrinking for its
    gradient.

    Args:
        frame, psf: see above.
        weight: of the total variation, in the unit of the frame, above 0; larger is smoother.
        iterations: at least 1; stopping early is smoother and often nearer the truth than the minimum itself.

    Source:
        Y. Wang, J. Yang, W. Yin, Y. Zhang, SIAM J. Imaging Sci. 1 (2008) 248-272, doi 10.1137/080724265.
    """
    padded, inner = _reflected(frame - frame.mean(), psf)
    transfer = _transfer(psf, padded.shape)
    steps = [_transfer(kernel, padded.shape) for kernel in (np.array([[1.0], [-1], [0]]), np.array([[1.0, -1, 0]]))]
    blurred_back = np.conj(transfer) * fft.rfft2(padded)
    normal = np.abs(transfer) ** 2 + _PENALTY * sum(np.abs(step) ** 2 for step in steps)
    gradient = np.zeros((2, *padded.shape), np.float32)
    multiplier = np.zeros_like(gradient)
    for _ in range(iterations):
        back = sum(np.conj(step) * fft.rfft2(part) for step, part in zip(steps, gradient - multiplier, strict=True))
        spectrum = (blurred_back + _PENALTY * back) / normal
        multiplier += np.stack([fft.irfft2(step * spectrum, s=padded.shape) for step in steps])
        length = np.maximum(np.hypot(*multiplier), np.float32(1e-12))
        gradient = multiplier * np.maximum(1 - np.float32(weight) / (_PENALTY * length), 0)
        multiplier -= gradient
    return (fft.irfft2(spectrum, s=padded.shape)[inner] + frame.mean()).astype(np.float32)


def _smoothed(frame: np.ndarray, smoothing: float) -> np.ndarray:
    return ndimage.gaussian_filter(frame, smoothing) if smoothing else frame


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
