"""Linear shift-invariant blur of frames: one operator for simulation, restoration baselines and re-blur checks.

    Blur(transfer, shape_px, spacing_mm, reach_mm, padding='symmetric')
        .apply(frame) -> float32 (rows, cols)       also called as blur(frame)
        .otf -> (padded rows, padded cols // 2 + 1)   the cached transfer function on the rfft2 grid
        .transfer(fu, fv)                           the analytic OTF at detector frequencies, cycles/mm
        first @ second -> Blur                      product of the OTFs
    apply_each(blurs, frame) -> list of float32 (rows, cols)    several blurs of one padded size share a transform
    focal_spot_blur(spot, magnification, shape_px, spacing_mm, padding='symmetric', reach_mm=None) -> Blur
    detector_blur(detector, shape_px, padding='symmetric') -> Blur

`focal_spot_blur` and `detector_blur` keep the operators made last, so calling them again for the same arguments is
free. A frame costs one forward and one inverse real FFT of the padded size.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Literal, get_args

import numpy as np
from scipy import fft

from DSADeblurLib.physics.detector import Detector
from DSADeblurLib.physics.focal_spot import FocalSpot, checked_spacing

Transfer = Callable[[np.ndarray, np.ndarray], np.ndarray]

Padding = Literal["symmetric", "edge"]
PADDINGS: tuple[Padding, ...] = get_args(Padding)


class Blur:
    """Convolution of (rows, cols) frames with a kernel of unit sum, given by its OTF.

    transfer: function (fu, fv) -> OTF at detector frequencies in cycles/mm (fu along columns, fv along rows,
        broadcastable), real for a centro-symmetric kernel, complex otherwise, with transfer(0, 0) = 1.
    shape_px: (rows, cols). spacing_mm: one number or (row, col).
    reach_mm: how far (row, col) the kernel reaches from its centre; the frame is continued at least that far beyond
        its border: 'symmetric' (mirrored, border pixel repeated) or 'edge' (border pixel held).

    Constant frames are returned exactly. With symmetric padding and a kernel that is even in both axes (unrotated
    spots, detectors) the mean is kept as well, to about 1e-6 of the frame's contrast, because mirroring returns what
    leaves; otherwise it is kept up to what crosses the border.
    """

    def __init__(self, transfer: Transfer, shape_px, spacing_mm, reach_mm, padding: Padding = "symmetric") -> None:
        self.transfer = transfer
        self.shape_px = _checked_shape(shape_px)
        self.spacing_mm = checked_spacing(spacing_mm)
        self.reach_mm = (float(reach_mm[0]), float(reach_mm[1]))
        if padding not in PADDINGS:
            raise ValueError(f"Unknown padding '{padding}'; use one of {', '.join(PADDINGS)}.")
        self.padding = padding
        self._pads = tuple(
            _pad_widths(size, reach / spacing)
            for size, reach, spacing in zip(self.shape_px, self.reach_mm, self.spacing_mm, strict=True)
        )

    @property
    def padded_shape(self) -> tuple[int, int]:
        """The FFT's (rows, cols)."""
        rows, cols = (size + sum(pads) for size, pads in zip(self.shape_px, self._pads, strict=True))
        return rows, cols

    @functools.cached_property
    def otf(self) -> np.ndarray:
        """The OTF on the rfft2 grid of the padded frame, float32 or complex64 (padded rows, padded cols // 2 + 1)."""
        rows, cols = self.padded_shape
        # Single precision is that of the frames, and its sines cost a fifth.
        fv = fft.fftfreq(rows, self.spacing_mm[0])[:, None].astype(np.float32)
        fu = fft.rfftfreq(cols, self.spacing_mm[1])[None, :].astype(np.float32)
        values = np.broadcast_to(self.transfer(fu, fv), (rows, cols // 2 + 1))
        return np.ascontiguousarray(values, dtype=np.complex64 if np.iscomplexobj(values) else np.float32)

    def apply(self, frame: np.ndarray) -> np.ndarray:
        """Return the blurred frame, float32 (rows, cols). Raises ValueError when the shape is not shape_px."""
        return apply_each((self,), frame)[0]

    __call__ = apply

    def __matmul__(self, other: Blur) -> Blur:
        """Return the operator whose OTF is the product of both; away from the border the same as one after the other.

        Both must have the same shape, spacing and padding.
        """
        if not isinstance(other, Blur):
            return NotImplemented
        mine, theirs = ((b.shape_px, b.spacing_mm, b.padding) for b in (self, other))
        if mine != theirs:
            raise ValueError(f"Blurs of unlike frames cannot be combined: {mine} and {theirs}.")
        first, second = self.transfer, other.transfer
        reach = tuple(a + b for a, b in zip(self.reach_mm, other.reach_mm, strict=True))
        return Blur(lambda fu, fv: first(fu, fv) * second(fu, fv), self.shape_px, self.spacing_mm, reach, self.padding)

    def _checked(self, frame: np.ndarray) -> np.ndarray:
        frame = np.asarray(frame, dtype=np.float32)
        if frame.shape != self.shape_px:
            raise ValueError(f"This blur was made for frames of {self.shape_px} pixels, not {frame.shape}.")
        return frame

    def _crop(self, padded: np.ndarray) -> np.ndarray:
        (top, _), (left, _) = self._pads
        rows, cols = self.shape_px
        return padded[top : top + rows, left : left + cols]


def apply_each(blurs: Sequence[Blur], frame: np.ndarray) -> list[np.ndarray]:
    """Return the frame blurred by each of `blurs`, float32 (rows, cols); all cost one forward transform together.

    Raises ValueError when the blurs' padded shapes or paddings differ, or the frame's shape is not theirs.
    """
    first = blurs[0]
    if any((blur.padded_shape, blur.padding) != (first.padded_shape, first.padding) for blur in blurs):
        raise ValueError("Only blurs of one padded shape can share a transform.")
    frame = first._checked(frame)
    # The kernel sums to 1, so a constant may be set aside: it comes back exact and float32 keeps its digits.
    level = np.float32(frame.mean(dtype=np.float64))
    spectrum = fft.rfft2(np.pad(frame - level, first._pads, mode=first.padding), workers=1, overwrite_x=True)
    filtered = [fft.irfft2(spectrum * blur.otf, s=first.padded_shape, workers=1, overwrite_x=True) for blur in blurs]
    return [first._crop(image) + level for image in filtered]


def focal_spot_blur(
    spot: FocalSpot, magnification: float, shape_px, spacing_mm, padding: Padding = "symmetric", reach_mm=None
) -> Blur:
    """Return the blur of an object plane at this magnification by the focal spot.

    magnification: M = SID / (source to plane distance), >= 1. The spot's image at the detector is the spot scaled by
    M - 1, so OTF_detector(u, v) = OTF_spot(u (M - 1), v (M - 1)); a width w gives a blur of w (M - 1) mm at the
    detector. The pixel's own aperture is not in it; it belongs to the detector. reach_mm: (row, col) of the padding,
    by default the spot's own reach.
    """
    if not (math.isfinite(magnification) and magnification >= 1):
        raise ValueError(f"The magnification must be 1 or more, not {magnification}.")
    reach_mm = spot_reach_mm(spot, magnification) if reach_mm is None else tuple(reach_mm)
    shape_px, spacing_mm = _checked_shape(shape_px), checked_spacing(spacing_mm)
    return _cached_spot_blur(spot, float(magnification), shape_px, spacing_mm, padding, reach_mm)


def spot_reach_mm(spot: FocalSpot, magnification: float) -> tuple[float, float]:
    """Return how far (row, col) in mm at the detector the spot's blur reaches from its centre."""
    reach_x, reach_y = spot.half_extent_mm()
    return reach_y * (magnification - 1.0), reach_x * (magnification - 1.0)


def detector_blur(detector: Detector, shape_px, padding: Padding = "symmetric") -> Blur:
    """Return the detector's presampling blur (scintillator, aperture, glare) for frames of (rows, cols) pixels."""
    return _cached_detector_blur(detector, _checked_shape(shape_px), padding)


@functools.lru_cache(maxsize=12)
def _cached_spot_blur(spot, magnification, shape_px, spacing_mm, padding: Padding, reach_mm) -> Blur:
    scale = magnification - 1.0
    return Blur(lambda fu, fv: spot.otf(fu * scale, fv * scale), shape_px, spacing_mm, reach_mm, padding)


@functools.lru_cache(maxsize=4)
def _cached_detector_blur(detector, shape_px, padding: Padding) -> Blur:
    return Blur(detector.mtf, shape_px, detector.spacing_mm, detector.reach_mm(), padding)


def _checked_shape(shape_px) -> tuple[int, int]:
    rows, cols = (int(size) for size in shape_px)
    if rows < 1 or cols < 1:
        raise ValueError(f"A frame needs at least one row and one column, not {shape_px}.")
    return rows, cols


def _pad_widths(size: int, reach_px: float) -> tuple[int, int]:
    # Two pixels more than the kernel's reach hold the ringing of sub-pixel kernels off the frame.
    margin = math.ceil(reach_px) + 2
    total = fft.next_fast_len(size + 2 * margin, real=True)
    before = (total - size) // 2
    return before, total - size - before
