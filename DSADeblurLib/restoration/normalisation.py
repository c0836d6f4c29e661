"""From stored pixel values to the numbers the network sees, and back."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike
from scipy import ndimage

from DSADeblurLib.lazy_frames import Frames, evenly_spaced
from DSADeblurLib.physics.acquisition import log_intensity

RELATIONSHIPS = ("LIN", "LOG", "DISP", None)
_FITTED_FRAMES = 8
# Wider than vessels and blur, narrower than bones: what is slower than this does not count as detail.
DETAIL_PX = 33


@dataclass(frozen=True)
class Normalisation:
    """One linear scale for a whole run: the network sees (working - offset) / scale."""

    offset: float
    scale: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.offset) and np.isfinite(self.scale) and self.scale > 0):
            raise ValueError(
                f"Normalisation needs a finite offset and a positive scale, not {self.offset!r} and {self.scale!r}."
            )

    def apply(self, frame: np.ndarray) -> np.ndarray:
        """Working values, any shape, to network values: float32 of the same shape."""
        return (np.asarray(frame, dtype=np.float32) - np.float32(self.offset)) / np.float32(self.scale)

    def invert(self, frame: np.ndarray) -> np.ndarray:
        """Network values, any shape, to working values: float32 of the same shape."""
        return np.asarray(frame, dtype=np.float32) * np.float32(self.scale) + np.float32(self.offset)


def to_working(frame: np.ndarray, relationship: str | None) -> np.ndarray:
    """Stored values to the domain in which absorbers add up.

    Args:
        frame: any shape, integers or floating.
        relationship: Pixel Intensity Relationship (0028,1040). LIN is proportional to the X-ray intensity and
            becomes ln(max(v, 1)); LOG, DISP and None (optical density) are taken as they are.

    Returns:
        float32 of the same shape.
    """
    _check_relationship(relationship)
    values = np.asarray(frame, dtype=np.float32)
    if relationship == "LIN":
        return log_intensity(values)
    return values


def from_working(frame: np.ndarray, relationship: str | None, dtype: DTypeLike, bits_stored: int | None) -> np.ndarray:
    """Inverse of `to_working`.

    Args:
        frame: float32, any shape, working values.
        relationship: as for `to_working`.
        dtype: of the stored values; integers are rounded and clipped, floating types give float32.
        bits_stored: clip to this many bits; None for all bits of the type.

    Returns:
        `dtype` if that is an integer type, else float32, of the same shape.
    """
    _check_relationship(relationship)
    values = np.asarray(frame, dtype=np.float32)
    if relationship == "LIN":
        # Beyond exp(80) every integer type is at its end already, and float32 does not overflow.
        values = np.exp(np.minimum(values, np.float32(80)))
    dtype = np.dtype(dtype)
    if dtype.kind not in "iu":
        return values
    low, high = stored_limits(dtype, bits_stored)
    # float64, because float32 cannot tell the largest 32-bit integers apart.
    return np.clip(np.rint(values.astype(np.float64)), low, high).astype(dtype)


def stored_limits(dtype: DTypeLike, bits_stored: int | None) -> tuple[int, int]:
    """Smallest and largest value that `bits_stored` bits of an integer type can hold.

    Raises:
        ValueError: one sentence, if the type has not that many bits.
    """
    dtype = np.dtype(dtype)
    available = dtype.itemsize * 8
    bits = available if bits_stored is None else int(bits_stored)
    if not 1 <= bits <= available:
        raise ValueError(f"Bits stored must be from 1 to {available} for {dtype} pixels, not {bits_stored}.")
    if dtype.kind == "i":
        return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    return 0, 2**bits - 1


class Aperture:
    """The part of the frames that X-rays reach. What shutters and collimators cover says nothing of contrast, and
    their edges are sharper or more blurred than those of the object.

    Args:
        exposed: bool (rows, columns), True where X-rays reach; None for everywhere, and all False counts as that.
    """

    def __init__(self, exposed: np.ndarray | None = None) -> None:
        self._exposed = exposed if exposed is not None and exposed.any() and not exposed.all() else None

    def inside(self, frame: np.ndarray) -> np.ndarray:
        """The exposed values of (rows, columns), any shape."""
        return frame if self._exposed is None else frame[self._exposed]

    def filled(self, frame: np.ndarray) -> np.ndarray:
        """(rows, columns) with every covered pixel as its nearest exposed one, so that the cover leaves no edge."""
        return frame if self._exposed is None else frame[self._nearest]

    def covered_as(self, frame: np.ndarray, rest: np.ndarray) -> np.ndarray:
        """(rows, columns): `frame` where X-rays do not reach, `rest` where they do."""
        return rest if self._exposed is None else np.where(self._exposed, rest, frame)

    @functools.cached_property
    def _nearest(self) -> tuple[np.ndarray, np.ndarray]:
        covered = ~np.asarray(self._exposed)
        rows, columns = ndimage.distance_transform_edt(covered, return_distances=False, return_indices=True)
        return rows, columns


def fit_normalisation(
    frames: Frames, relationship: str | None = None, aperture: Aperture | None = None
) -> Normalisation:
    """The scale of a run, from up to 8 evenly spaced frames; the same for every tile and frame.

    Args:
        frames: array-like (n, rows, cols), read frame by frame; n at least 1.
        relationship: as for `to_working`.
        aperture: what counts of the frames; by default everything.

    Returns:
        offset: median of the working values; scale: the 0.5 to 99.5 percentile range of their detail, which is what
        differs from the mean of its neighbourhood, or 1 where that is 0. Bones and tissue make native frames range
        over several times what subtracted ones do, but the edges that blur changes are as high in both.

    Raises:
        ValueError: one sentence, if there is no frame or a value is not finite.
    """
    count, aperture = len(frames), aperture or Aperture()
    if count == 0:
        raise ValueError("The run has no frames to restore.")
    medians, lows, highs = [], [], []
    for index in evenly_spaced(count, _FITTED_FRAMES):
        working = to_working(np.asarray(frames[index]), relationship)
        if not np.isfinite(working).all():
            raise ValueError(f"Frame {index + 1} holds values that are not finite; export the run again.")
        least, median, most = np.percentile(aperture.inside(working), (0.05, 50, 99.95))
        medians.append(median)
        # A single broken pixel would else stand out of the means of all its neighbours. Sums along rows and columns
        # lose digits in float32.
        working = np.clip(aperture.filled(working), least, most, dtype=np.float64)
        detail = working - ndimage.uniform_filter(working, DETAIL_PX, mode="nearest")
        low, high = np.percentile(aperture.inside(detail), (0.5, 99.5))
        lows.append(low)
        highs.append(high)
    median, scale = float(np.mean(medians)), float(np.mean(highs) - np.mean(lows))
    # Rounding leaves a little detail in a frame that has none.
    smallest = 1e-9 * max(1.0, abs(median))
    return Normalisation(offset=median, scale=scale if scale > smallest else 1.0)


def _check_relationship(relationship: str | None) -> None:
    if relationship not in RELATIONSHIPS:
        raise ValueError(f"Pixel intensity relationship must be LIN, LOG, DISP or none, not {relationship!r}.")
