"""What focal spot and detector make of a thin line: the run's blur, projected on the direction of a profile."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace

import numpy as np
from scipy import fft

from DSADeblurLib.physics.detector import Detector
from DSADeblurLib.physics.focal_spot import TARGET_SPOT_MM, FocalSpot, expected_width_mm
from DSADeblurLib.physics.geometry import blur_in_pixels
from DSADeblurLib.xa.header.facts import Acquisition

# The width that a header predicts is off by 15 % on average, because IEC 60336 allows a nominal spot that much.
HEADER_ERROR = 0.15
# Of deblurred frames, such that intervals of simulated vessels of all sizes hold the truth in 19 of 20; chosen on
# validation frames: `make measure SET=validation`.
DEBLURRED_WIDTH_ERROR_PX, DEBLURRED_SQUARE_ERROR_PX2 = 0.25, 3.5
_PERIOD = 4096
# The standard deviation of a uniform spot of width 1, and the half width of a Gaussian of standard deviation 1.
_DEVIATION, _HALF_WIDTH = 12**-0.5, (8 * np.log(2)) ** 0.5


@dataclass(frozen=True)
class SystemBlur:
    """The blur of a run's frames: of the focal spot in the vessels' plane, and of the detector.

    The spot is taken as a Gaussian, as the two controls take it: its shape and rotation no tag tells.

    Attributes:
        spot_px: width (rows, columns) in pixels, of the rectangle of the same variance; (0, 0) for none.
        detector: with the size of a pixel at the detector. Its glare is not followed: over the length of a profile it
            is a background.
        relative_error: how far `spot_px` may be off either way, as a part of it, with 95 % confidence.
        width_error_px: how far any vessel may show wider or narrower than by this blur, because a network that is no
            filter made the image, with 95 % confidence.
        square_error_px2: how much, in the same sense, the square of what blur is left may be off. The narrower a vessel
            the more that moves its width.
    """

    spot_px: tuple[float, float]
    detector: Detector = Detector()
    relative_error: float = 0.0
    width_error_px: float = 0.0
    square_error_px2: float = 0.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.spot_px).all() and min(self.spot_px) >= 0 and 0 <= self.relative_error < np.inf):
            raise ValueError(f"A blur needs widths and an error of at least 0, not {self.spot_px}.")

    def width_error(self, diameter: float) -> float:
        """How far a vessel of this diameter in pixels may show wider or narrower, with 95 % confidence, in pixels."""
        return math.hypot(self.width_error_px, self.square_error_px2 / max(diameter, 1.0))

    def scaled(self, factor: float) -> SystemBlur:
        """The blur by a spot `factor` times as large, whose width is certain."""
        return replace(self, spot_px=(factor * self.spot_px[0], factor * self.spot_px[1]), relative_error=0.0)

    @property
    def ends(self) -> tuple[SystemBlur, ...]:
        """The narrowest and the widest blur that the error allows; none where the width is certain."""
        error = self.relative_error
        return () if error == 0 else (self.scaled(max(1 - error, 0.0)), self.scaled(1 + error))

    def line_spread(self, direction: tuple[float, float], step: float) -> np.ndarray:
        """The spread of a line at right angles to a direction.

        Args:
            direction: (row, column), of unit length.
            step: distance of the samples in pixels.

        Returns:
            (n,) float64 with n odd, the middle at no distance; sums to 1.
        """
        return _line_spread(self.spot_px, self.detector, tuple(direction), step)


def run_blurs(acquisition: Acquisition, sharpness: float = 1.0) -> tuple[SystemBlur, SystemBlur] | None:
    """The blur of a run and of its deblurred frames, as the header predicts them in the isocentre's plane.

    Args:
        acquisition: the facts of the run.
        sharpness: the control; with 1 the spot that networks restore to is what remains.

    Returns:
        None where focal spot, magnification or pixel size are not known.
    """
    spot, factor, spacing = (
        acquisition.focal_spot.value,
        acquisition.magnification.value,
        acquisition.imager_pixel_spacing.value,
    )
    if spot is None or factor is None or spacing is None:
        return None
    detector = Detector(spacing_mm=spacing)
    blurs = []
    usual, target = expected_width_mm(spot), TARGET_SPOT_MM
    left = (max(usual**2 - target**2, 0.0) * (1 - sharpness) + min(usual, target) ** 2) ** 0.5
    for width in (usual, left):
        rows, columns = (blur_in_pixels(width, factor, one) for one in spacing)
        blurs.append(SystemBlur((rows, columns), detector, 2 * HEADER_ERROR))
    return blurs[0], deblurred_blur(blurs[1])


def deblurred_blur(left: SystemBlur) -> SystemBlur:
    """The blur that is meant to be left in deblurred frames, with what networks err by."""
    return replace(left, width_error_px=DEBLURRED_WIDTH_ERROR_PX, square_error_px2=DEBLURRED_SQUARE_ERROR_PX2)


@functools.lru_cache(maxsize=512)
def _line_spread(spot_px, detector: Detector, direction: tuple[float, float], step: float) -> np.ndarray:
    """By the transfer function along the direction: a projection in the image is a slice of its spectrum."""
    row_mm, column_mm = detector.spacing_mm
    frequency = fft.rfftfreq(_PERIOD, step)
    fv, fu = frequency * direction[0], frequency * direction[1]
    transfer = replace(detector, glare_fraction=0.0).mtf(fu / column_mm, fv / row_mm)
    rows, columns = (max(_DEVIATION * _HALF_WIDTH * width, 1e-6) for width in spot_px)
    transfer = transfer * FocalSpot(columns, rows, "gaussian").otf(fu, fv)
    spread = fft.fftshift(fft.irfft(transfer, _PERIOD))[1:]
    return spread / spread.sum()
