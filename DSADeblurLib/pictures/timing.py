"""How long each frame of a film is shown."""

import numpy as np
from numpy.typing import ArrayLike

from DSADeblurLib.errors import PictureError

DEFAULT_RATE = 10.0


def durations_of(count: int, times: ArrayLike | None) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return how long each frame is shown, float64 seconds of shape (count,), and what there is to say about it.

    The last frame is shown as long as the one before it. Without times, or with one frame, it is 10 frames per second.

    Args:
        count: of the frames.
        times: of the frames in seconds, ascending.

    Raises:
        PictureError: one sentence, when the times do not fit the frames.
    """
    if count < 1:
        raise PictureError("There is no frame to be shown.")
    if times is None or count == 1:
        notes = () if count == 1 else (f"The frames have no times; they play at {DEFAULT_RATE:g} frames per second.",)
        return np.full(count, 1.0 / DEFAULT_RATE), notes
    seconds = np.asarray(times, dtype=np.float64)
    if seconds.shape != (count,) or not np.isfinite(seconds).all() or np.any(np.diff(seconds) < 0):
        raise PictureError(f"The {seconds.size} frame times do not fit {count} frames, or do not ascend.")
    steps = np.diff(seconds)
    return np.append(steps, steps[-1]), ()


def rounded(durations: np.ndarray, step: float, least: int) -> np.ndarray:
    """Return durations in whole numbers of steps, int64 (n,).

    The ends of the frames are rounded, not the durations, so that nothing adds up over a long run.

    Args:
        durations: (n,) in seconds.
        step: in seconds.
        least: steps of any frame.
    """
    ends = np.rint(np.concatenate([[0.0], np.cumsum(durations)]) / step).astype(np.int64)
    return np.maximum(np.diff(ends), least)
