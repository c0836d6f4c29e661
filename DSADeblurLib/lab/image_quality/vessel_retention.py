"""How much of a thin faint vessel is left after processing: one is put in, and looked for in what comes out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

# A Gaussian profile of this full width at half maximum has a standard deviation of 1.
_FULL_WIDTH = 2 * np.sqrt(2 * np.log(2))
# Structure wider than this does not count as noise.
_NOISE_PX = 3.0
# Between the centre lines of two vessels, in widths: what is looked for must not be the neighbour.
_APART = 4.0
_MARGIN_PX = 12.0
# Full width at half maximum of a vessel's profile, that of a blurred one in a frame, and the length of its centre line.
_WIDTH_PX, _LENGTH_PX = 2.8, 70.0
# For each of them.
_TRIALS = 200


def noise_level(frame: np.ndarray) -> float:
    """Standard deviation of a frame's noise, by the median absolute deviation of its fine structure.

    Vessels are a small part of the pixels, so they hardly count. Noise correlated over more than a few pixels is
    underestimated.

    Args:
        frame: (rows, columns), any numeric type.
    """
    values = np.asarray(frame, dtype=np.float64)
    fine = values - ndimage.gaussian_filter(values, _NOISE_PX)
    return float(1.4826 * np.median(np.abs(fine - np.median(fine))))


def bent_vessels(
    rng: np.random.Generator,
    shape: tuple[int, int],
    count: int,
    width: float = _WIDTH_PX,
    length: float = _LENGTH_PX,
) -> list[np.ndarray]:
    """Thin vessels, each bent along a circle, that do not touch each other.

    Args:
        rng: where they lie and how they bend.
        shape: (rows, columns), at least one and a half lengths.
        count: how many.
        width: full width at half maximum of their profile in pixels.
        length: of their centre line in pixels.

    Returns:
        `count` pictures (rows, columns) float32, 0 outside the vessel and 1 on its centre line.

    Raises:
        ValueError: one sentence, if there is not room for so many.
    """
    if min(shape) < 1.5 * length:
        raise ValueError(f"Frames of {shape[0]} x {shape[1]} are too small for vessels of {length:g} pixels.")
    taken, found, trials = np.zeros(shape, bool), [], 0
    while len(found) < count:
        trials += 1
        if trials > _TRIALS:
            raise ValueError(f"There is no room for {count} vessels in frames of {shape[0]} x {shape[1]} pixels.")
        distance = _distance(_centre_line(rng, shape, length), shape, _APART * width)
        if taken[np.isfinite(distance)].any():
            continue
        taken |= np.isfinite(distance)
        found.append(np.exp(-0.5 * (distance * (_FULL_WIDTH / width)) ** 2).astype(np.float32))
        trials = 0
    return found


def retention(
    process: Callable[[np.ndarray], np.ndarray],
    frames: np.ndarray,
    vessels: list[np.ndarray],
    contrasts: Sequence[float],
) -> np.ndarray:
    """What is left of vessels put into frames at several contrasts, each measured on its own shape.

    The frames are processed with and without them, all at once, and the difference d projected on the shape v of each:
    <d, v> / (contrast <v, v>). 1 is a vessel as strong as it was put in, 0 one that is gone. A vessel that comes out
    sharper has less under its old shape than it should, so 1 is never too easily reached.

    Args:
        process: from `frames` to one frame (rows, columns).
        frames: (..., rows, columns) in values in which absorbers add up, lower inside vessels.
        vessels: pictures of `bent_vessels`.
        contrasts: of their centre lines, in the frame's values, positive for dark vessels.

    Returns:
        (len(contrasts), len(vessels)) float64.
    """
    together, without = np.sum(vessels, axis=0, dtype=np.float32), np.asarray(process(frames), np.float64)
    left = np.empty((len(contrasts), len(vessels)))
    for row, contrast in zip(left, contrasts, strict=True):
        change = without - np.asarray(process(frames - np.float32(contrast) * together), np.float64)
        row[:] = [np.vdot(change, one) / (contrast * np.vdot(one, one)) for one in vessels]
    return left


def _centre_line(rng: np.random.Generator, shape: tuple[int, int], length: float) -> np.ndarray:
    """Points (n, 2), half a pixel apart, of an arc that lies in the frame."""
    along = np.arange(0, length, 0.5) - length / 2
    direction, bend = rng.uniform(0, 2 * np.pi), rng.uniform(-1, 1) * np.pi / length
    angles = direction + bend * along
    steps = np.stack((np.sin(angles), np.cos(angles)), axis=1) * 0.5
    points = np.cumsum(steps, axis=0)
    low, size = points.min(axis=0), np.ptp(points, axis=0)
    return points - low + rng.uniform(_MARGIN_PX, np.array(shape) - size - _MARGIN_PX)


def _distance(points: np.ndarray, shape: tuple[int, int], reach: float) -> np.ndarray:
    """Distance of every pixel to the nearest of the points; infinite beyond the reach."""
    low = np.maximum(np.floor(points.min(axis=0) - reach), 0).astype(int)
    high = np.minimum(np.ceil(points.max(axis=0) + reach) + 1, shape).astype(int)
    box = tuple(map(slice, low, high))
    distance = np.full(shape, np.inf)
    distance[box] = cKDTree(points).query(np.moveaxis(np.mgrid[box], 0, -1), distance_upper_bound=reach)[0]
    return distance
