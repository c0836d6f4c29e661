"""From stored pixel values to the numbers the network sees, and back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RELATIONSHIPS = ("LIN", "LOG", "DISP", None)
_FITTED_FRAMES = 8
# 512 x 512 samples give the percentiles far more precisely than the network needs them.
_SAMPLES_PER_FRAME = 512 * 512


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
        return np.log(np.maximum(values, np.float32(1)))
    return values


def from_working(frame: np.ndarray, relationship: str | None, dtype: object, bits_stored: int | None) -> np.ndarray:
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


def stored_limits(dtype: object, bits_stored: int | None) -> tuple[int, int]:
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


def fit_normalisation(frames, relationship: str | None = None) -> Normalisation:
    """The scale of a run, from up to 8 evenly spaced frames; the same for every tile and frame.

    Args:
        frames: array-like (n, rows, cols), read frame by frame; n at least 1.
        relationship: as for `to_working`.

    Returns:
        offset: median of the working values; scale: their 0.5 to 99.5 percentile range, or 1 where that is 0.

    Raises:
        ValueError: one sentence, if there is no frame or a value is not finite.
    """
    count = len(frames)
    if count == 0:
        raise ValueError("The run has no frames to restore.")
    chosen = np.unique(np.linspace(0, count - 1, min(count, _FITTED_FRAMES)).round().astype(int))
    samples = []
    for index in chosen:
        frame = np.asarray(frames[int(index)])
        # A regular grid of samples: deterministic, and not a copy of the run.
        step = max(1, int(np.sqrt(frame.size / _SAMPLES_PER_FRAME)))
        samples.append(to_working(frame[::step, ::step], relationship).ravel())
    low, median, high = np.percentile(np.concatenate(samples), (0.5, 50, 99.5))
    if not np.isfinite((low, median, high)).all():
        raise ValueError("The frames hold values that are not finite; export the run again.")
    scale = float(high - low)
    return Normalisation(offset=float(median), scale=scale if scale > 0 else 1.0)


def _check_relationship(relationship: str | None) -> None:
    if relationship not in RELATIONSHIPS:
        raise ValueError(f"Pixel intensity relationship must be LIN, LOG, DISP or none, not {relationship!r}.")
