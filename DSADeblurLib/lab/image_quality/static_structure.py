"""How much of the fine structure of an object that does not move is kept, told by its frames alone."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

STRENGTHS = (0.25, 0.5, 1.0, 2.0, np.inf)
"""Limits of the classes of structure, in standard deviations of one frame's noise."""
# Structure wider than this is not fine.
_FINE_PX = 3.0


def structure_kept(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """What processing leaves of fine structure, by its strength.

    Every other frame says where there is structure and which sign it has; the mean of the remaining ones, before and
    after, says how much of it there is. So the noise that makes structure of nothing in the first is not in the second.

    Args:
        before, after: (frames, rows, columns) of a still object, at least four frames, processed one by one.

    Returns:
        (4,) shares for the classes of STRENGTHS, 1 where all is kept; NaN where a class has no structure.

    Raises:
        ValueError: one sentence, if there are too few frames.
    """
    if len(before) < 4 or len(before) != len(after):
        raise ValueError(f"Structure is told from at least four frames before and as many after, not {len(before)}.")
    before, after = np.asarray(before, np.float64), np.asarray(after, np.float64)
    noise = float(np.median(_fine(before).std(axis=0, ddof=1)))
    where, was, now = (_fine(frames).mean(axis=0) for frames in (before[0::2], before[1::2], after[1::2]))
    kept = []
    for low, high in zip(STRENGTHS, STRENGTHS[1:], strict=False):
        signs = np.where((np.abs(where) > low * noise) & (np.abs(where) <= high * noise), np.sign(where), 0.0)
        there = float((signs * was).sum())
        kept.append(float((signs * now).sum()) / there if there > 0 else np.nan)
    return np.array(kept)


def _fine(frames: np.ndarray) -> np.ndarray:
    return frames - ndimage.gaussian_filter(frames, (0, _FINE_PX, _FINE_PX))
