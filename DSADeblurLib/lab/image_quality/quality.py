"""How close a restored frame is to a known truth, over the whole frame and where the edges are."""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage
from skimage import feature, metrics

DATA_RANGE = 1.0
"""What figures of this project are stated for: an optical density of 1, in log intensity, whatever the frame."""

# Pixels from a truth edge that count as near it.
_EDGE_DISTANCE = 3.0


def psnr(test: np.ndarray, truth: np.ndarray, *, data_range: float) -> float:
    """Peak signal-to-noise ratio in dB: 10 log10(data_range^2 / mean squared error); infinite for equal frames.

    Args:
        test, truth: same shape, any number of dimensions.
        data_range: the peak, in the unit of the frames. It is asked for because the figure means nothing without it:
            halving it takes 6 dB away.

    Raises:
        ValueError: one sentence, if shapes differ or the range is not above 0.
    """
    test, truth = _checked(test, truth, data_range)
    return _decibels((test - truth) ** 2, data_range)


def ssim(test: np.ndarray, truth: np.ndarray, *, data_range: float) -> float:
    """Structural similarity, mean over the frame, with a Gaussian window of 1.5 pixels.

    Args:
        test, truth: (rows, cols), both sides at least 11.
        data_range: span of values in the unit of the frames.

    Raises:
        ValueError: one sentence, if shapes do not fit or the range is not above 0.

    Source:
        Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli, IEEE Trans. Image Process. 13 (2004) 600-612.
    """
    test, truth = _checked(test, truth, data_range)
    if test.ndim != 2 or min(test.shape) < 11:
        raise ValueError(f"Structural similarity needs a frame of at least 11 x 11 pixels, not {test.shape}.")
    return float(
        metrics.structural_similarity(
            truth, test, data_range=data_range, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
    )


def edge_psnr(test: np.ndarray, truth: np.ndarray, *, data_range: float, edge_mask: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB of the pixels near edges, where deblurring shows and denoising does not.

    Args:
        test, truth: (rows, cols).
        data_range: as for `psnr`.
        edge_mask: (rows, cols) bool, the pixels that count, of `near_edges`.

    Returns:
        dB; NaN if there is no such pixel.

    Raises:
        ValueError: one sentence, if shapes do not fit or the range is not above 0.
    """
    test, truth = _checked(test, truth, data_range)
    if edge_mask.shape != truth.shape:
        raise ValueError(f"The edge mask must have the frame's shape {truth.shape}, not {edge_mask.shape}.")
    return _decibels((test - truth)[edge_mask] ** 2, data_range) if edge_mask.any() else math.nan


def near_edges(truth: np.ndarray, *, data_range: float) -> np.ndarray:
    """Pixels at most 3 pixels from an edge of a noise-free frame.

    Edges are Canny's, after smoothing by one pixel; one begins where the frame changes by 1 % of the data range per
    pixel and goes on down to 0.4 %.

    Args:
        truth: (rows, cols).
        data_range: as for `psnr`.

    Returns:
        (rows, cols) bool.
    """
    truth = np.asarray(truth, dtype=np.float64)
    # skimage's gradient is Sobel's sum of differences, 8 times the change per pixel.
    scaled = truth / data_range
    edges = feature.canny(scaled, sigma=1.0, low_threshold=8 * 0.004, high_threshold=8 * 0.01, mode="nearest")
    if not edges.any():
        return edges
    return ndimage.distance_transform_edt(~edges) <= _EDGE_DISTANCE


def _decibels(squared_error: np.ndarray, data_range: float) -> float:
    error = float(np.mean(squared_error))
    return math.inf if error == 0 else float(10 * np.log10(data_range**2 / error))


def _checked(test: np.ndarray, truth: np.ndarray, data_range: float) -> tuple[np.ndarray, np.ndarray]:
    test, truth = np.asarray(test, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    if test.shape != truth.shape or test.size == 0:
        raise ValueError(f"The frames must have the same shape, not {test.shape} and {truth.shape}.")
    if not 0 < data_range < np.inf:
        raise ValueError(f"The data range must be above 0, not {data_range!r}.")
    return test, truth
