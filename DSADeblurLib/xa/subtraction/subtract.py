"""Digital subtraction in log intensity (PS3.3 C.7.6.10, PS3.4 N.2.5): differences computed one frame at a time."""

from collections.abc import Iterable

import numpy as np
from scipy import ndimage

from DSADeblurLib.errors import XAReadError
from DSADeblurLib.lazy_frames import Frames, LazyFrames, MappedFrames
from DSADeblurLib.physics.acquisition import log_intensity
from DSADeblurLib.request import RELATIONSHIPS
from DSADeblurLib.xa.header.header import RELATIONSHIP_MISSING, RunHeader
from DSADeblurLib.xa.subtraction import registration
from DSADeblurLib.xa.subtraction.plan import PlannedMask, SubtractionPlan

# Interpolation of the shifted mask blurs it and so biases deblurring; quintic splines blur least (0.92 of white noise
# at half a pixel, against 0.87 for cubic and 0.71 for bilinear).
_SPLINE_ORDER = 5


class SubtractedFrames(LazyFrames):
    """D = ln Ic - ln Im as a lazy, read-only float32 array of shape (k, rows, columns); vessels are negative.

    LIN values are intensities, ln(max(v, 1)). LOG and DISP values are differences of stored values, LOG multiplied by
    the plan's `log_slope` when it is known; see `is_quantitative`. `frame_numbers` are the 1-based contrast frames. At
    most two masks are kept in memory: the mean used last, and it moved.
    """

    def __init__(self, frames: Frames, plan: SubtractionPlan, relationship: str | None) -> None:
        if relationship not in RELATIONSHIPS:
            raise XAReadError(RELATIONSHIP_MISSING)
        count, rows, columns = frames.shape
        for mask in plan.masks:
            for number in mask.frames:
                if not 1 <= number <= count:
                    raise XAReadError(f"Mask frame {number} does not exist.")
            for number in mask.contrast_frames:
                if not 1 <= number <= count - mask.averaging + 1:
                    raise XAReadError(f"Contrast frame {number} does not exist.")
        self.plan, self.relationship, self._frames = plan, relationship, frames
        self.frame_numbers = plan.contrast_frames
        self.shape, self.dtype = (len(self.frame_numbers), rows, columns), np.dtype(np.float32)
        self._masks = {number: mask for mask in plan.masks for number in mask.contrast_frames}
        self._mean: tuple[tuple[int, ...], np.ndarray] | None = None
        self._moved: tuple[tuple, np.ndarray] | None = None
        self._found: dict[int, tuple[float, float]] = {}

    def frame(self, index: int) -> np.ndarray:
        """Return difference `index`, float32."""
        contrast, mask = self._pair(index)
        return (contrast - mask).astype(np.float32)

    def mask(self, index: int) -> np.ndarray:
        """Return the averaged, shifted and registered log mask that difference `index` is taken from, float32."""
        return self._pair(index)[1].astype(np.float32)

    def shift(self, index: int) -> tuple[float, float]:
        """Return the plan's and the found shift of the mask of difference `index` together, with the plan's signs."""
        if self.plan.registration != "none":
            self._pair(index)
        number = self.frame_numbers[index]
        return self._found.get(number, self._masks[number].shift)

    def _pair(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        number = self.frame_numbers[index]
        planned = self._masks[number]
        contrast = self._log_mean(range(number, number + planned.averaging))
        if self.plan.registration == "none":
            return contrast, self._mask(planned, planned.shift)
        if number not in self._found:
            down, left = planned.shift
            down, right = registration.find_shift(self._mask(planned, (0.0, 0.0)), contrast, (down, -left))
            self._found[number] = (down, -right)
        mask = self._mask(planned, self._found[number])
        if self.plan.registration == "deformation":
            field = registration.find_deformation(mask, contrast)
            mask = mask if field is None else registration.deformed(mask, field)
        return contrast, mask

    def _mask(self, planned: PlannedMask, shift: tuple[float, float]) -> np.ndarray:
        if self._mean is None or self._mean[0] != planned.frames:
            self._mean = (planned.frames, self._log_mean(planned.frames))
        if shift == (0.0, 0.0):
            return self._mean[1]
        key = (planned.frames, shift)
        if self._moved is None or self._moved[0] != key:
            down, left = shift
            moved = ndimage.shift(self._mean[1], (down, -left), order=_SPLINE_ORDER, mode="nearest")
            self._moved = (key, moved)
        return self._moved[1]

    def _log_mean(self, numbers: Iterable[int]) -> np.ndarray:
        slope = self.plan.log_slope if self.relationship == "LOG" else None
        return log_mean(self._frames, numbers, self.relationship, slope)


def for_subtraction(header: RunHeader, frames: Frames) -> tuple[Frames, str | None]:
    """Return the frames (n, rows, columns) to be subtracted, and their Pixel Intensity Relationship.

    Display values go through the Modality LUT, which leads back to linear intensity, where the header has one, and are
    float32 then; everything else is subtracted as it is stored. Values without a header that nobody explains are taken
    like values for display.

    Args:
        header: of the run.
        frames: as they are stored, (n, rows, columns).

    Source: PS3.3 C.8.7.1.1.2.
    """
    if header.relationship == "DISP" and header.to_linear is not None:
        return MappedFrames(frames, header.to_linear.of, np.float32), "LIN"
    return frames, header.relationship if header.has_file else header.relationship or "DISP"


def is_quantitative(header: RunHeader, plan: SubtractionPlan) -> bool:
    """Tell whether differences of this run are optical densities (natural logarithm)."""
    if header.relationship == "DISP":
        return header.to_linear is not None
    return header.relationship == "LIN" or (header.relationship == "LOG" and plan.log_slope is not None)


def log_mean(
    frames: Frames, numbers: Iterable[int], relationship: str | None, log_slope: float | None = None
) -> np.ndarray:
    """Return ln of the mean of some frames, float64 (rows, columns).

    Args:
        frames: (n, rows, columns), of any number type; the cast comes first, because unsigned differences wrap.
        numbers: of the frames, counted from 1.
        relationship: LIN values are intensities, ln(max(v, 1)); LOG and DISP values are taken as they are.
        log_slope: change of ln intensity per stored unit that LOG values are multiplied by, None where it is unknown.

    Source: PS3.3 C.8.7.1.1.2.
    """
    numbers = tuple(numbers)
    total = np.zeros(frames.shape[1:])
    for number in numbers:
        total += frames[number - 1]
    total /= len(numbers)
    if relationship == "LIN":
        return log_intensity(total)
    return total if relationship != "LOG" or log_slope is None else total * log_slope


def subtract(frames: Frames, plan: SubtractionPlan, relationship: str | None) -> SubtractedFrames:
    """Return the lazily subtracted frames of a native run, float32 (len(plan.contrast_frames), rows, columns).

    Args:
        frames: any array-like of shape (n, rows, columns), of integers or floating numbers.
        plan: masks and contrast frames, counted from 1.
        relationship: what the values mean, LIN, LOG or DISP.

    Raises:
        XAReadError: one sentence, when the plan names frames that do not exist or the relationship is unknown.

    Source: PS3.3 C.7.6.10.1.1.
    """
    return SubtractedFrames(frames, plan, relationship)
