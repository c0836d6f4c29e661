"""Views of a whole subtracted run for display: peak opacification, and the anatomical background blended back in."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


def peak_opacification(frames: Iterable[np.ndarray]) -> np.ndarray:
    """The darkest value that each pixel has in a run: all vessels that contrast agent ever filled, in one picture.

    Args:
        frames: differences (rows, cols), negative in vessels, taken one at a time.

    Returns:
        (rows, cols) float32, the minimum over time.

    Raises:
        ValueError: one sentence, if there is no frame or frames differ in shape.
    """
    peak = None
    for frame in frames:
        frame = np.asarray(frame, dtype=np.float32)
        if peak is None:
            peak = frame.copy()
        elif frame.shape != peak.shape:
            raise ValueError(f"Frames of a run have one shape, not {peak.shape} and {frame.shape}.")
        else:
            np.minimum(peak, frame, out=peak)
    if peak is None:
        raise ValueError("Peak opacification needs at least one frame.")
    return peak


def with_background(difference: np.ndarray, log_mask: np.ndarray, fraction: float) -> np.ndarray:
    """The difference with a part of the anatomy: ln Ic - (1 - fraction) ln Im, its mean brightness unchanged.

    Args:
        difference: (rows, cols), D = ln Ic - ln Im.
        log_mask: (rows, cols), the mask it was taken from, see `xa.SubtractedFrames.mask`.
        fraction: 0 shows the difference, 1 the contrast frame; 'anatomical background' is stated as per cent of it.

    Returns:
        (rows, cols) float32, for display only.

    Raises:
        ValueError: one sentence, if the fraction is not from 0 to 1 or the shapes differ.
    """
    if not 0 <= fraction <= 1:
        raise ValueError(f"The background's fraction must be from 0 to 1, not {fraction:g}.")
    difference, log_mask = (np.asarray(frame, dtype=np.float32) for frame in (difference, log_mask))
    if difference.shape != log_mask.shape:
        raise ValueError(f"Difference and mask must have one shape, not {difference.shape} and {log_mask.shape}.")
    return difference + np.float32(fraction) * (log_mask - log_mask.mean(dtype=np.float64).astype(np.float32))
