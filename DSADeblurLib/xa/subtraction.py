"""Digital subtraction in log intensity (PS3.3 C.7.6.10, PS3.4 N.2.5): a plan, and frames computed one at a time."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from DSADeblurLib.xa.errors import XAReadError
from DSADeblurLib.xa.header import RELATIONSHIP_MISSING, RELATIONSHIPS, RunHeader
from DSADeblurLib.xa.lazy import LazyFrames

MODES = ("auto", "always", "never")
# Interpolation of the shifted mask blurs it and so biases deblurring; quintic splines blur least (0.92 of white noise
# at half a pixel, against 0.87 for cubic and 0.71 for bilinear).
_SPLINE_ORDER = 5


@dataclass(frozen=True)
class SubtractionPlan:
    """Which frames are subtracted from which. Frame numbers are 1-based.

    `shift` is (rows, columns) with the standard's signs: positive toward the lower row and toward the left column.
    `averaging` frames starting at each contrast frame are averaged. `log_slope` is d ln(intensity) per stored unit of
    a LOG image, None when unknown. `notes` are sentences for the user.
    """

    mask_frames: tuple[int, ...]
    contrast_frames: tuple[int, ...]
    shift: tuple[float, float] = (0.0, 0.0)
    averaging: int = 1
    operation: str = "AVG_SUB"
    log_slope: float | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.operation != "AVG_SUB":
            raise ValueError(f"operation must be AVG_SUB, not {self.operation!r}")
        if not self.mask_frames or not self.contrast_frames:
            raise ValueError("a plan needs at least one mask frame and one contrast frame")
        if not all(math.isfinite(one) for one in self.shift) or len(self.shift) != 2:
            raise ValueError("Mask shift is not a number.")
        if self.averaging < 1:
            raise ValueError("contrast frame averaging must be at least 1")

    def as_dict(self) -> dict:
        """Return plain, JSON-able values."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()}

    @classmethod
    def from_dict(cls, values: dict) -> "SubtractionPlan":
        """Return the plan that `as_dict` described. Raises ValueError or TypeError on anything else."""
        values = dict(values)
        for name in ("mask_frames", "contrast_frames"):
            values[name] = tuple(int(one) for one in values[name])
        values["shift"] = tuple(float(one) for one in values.get("shift", (0.0, 0.0)))
        values["notes"] = tuple(str(one) for one in values.get("notes", ()))
        values["averaging"] = int(values.get("averaging", 1))
        return cls(**values)


def plan_subtraction(
    header: RunHeader, mode: str = "auto", mask_frames: Iterable[int] | None = None
) -> SubtractionPlan | None:
    """Decide whether and how a run is subtracted; None means that its frames are used as they are.

    'auto' subtracts native runs with a usable averaging mask of a C-arm that stood still; 'always' insists and raises
    XAReadError when that is not possible; 'never' returns None. `mask_frames` (1-based) are the user's choice and
    imply subtraction. A run that is subtracted already is never subtracted again.
    """
    if mode not in MODES:
        raise ValueError(f"mode must be one of {MODES}, not {mode!r}")
    chosen = tuple(int(one) for one in mask_frames) if mask_frames is not None else ()
    insists = mode == "always" or bool(chosen)
    if mode == "never":
        return None
    if header.subtracted:
        if insists:
            raise XAReadError("This series looks already subtracted; deblur it without subtraction.")
        return None
    item = header.mask.usable if header.mask is not None else None
    if not insists and (item is None or header.moved or header.relationship is None):
        return None
    if header.relationship is None:
        raise XAReadError(RELATIONSHIP_MISSING)
    for number in chosen:
        if not 1 <= number <= header.number_of_frames:
            raise XAReadError(f"Mask frame {number} does not exist.")
    if item is None and not chosen:
        problems = header.mask.problems if header.mask is not None else ()
        reason = problems[0].split(";")[0].rstrip(".") if problems else "This run has no usable mask"
        raise XAReadError(f"{reason}; give the numbers of the mask frames.")
    if header.number_of_frames == 1:
        raise XAReadError("A single frame cannot be subtracted; a run with a mask frame is needed.")

    notes = []
    if header.moved:
        notes.append("C-arm moved during the run; static mask invalid.")
    if header.relationship == "DISP":
        notes.append("Stored values are for display: the difference is not quantitative.")
    elif header.relationship == "LOG" and header.log_slope is None:
        notes.append("The scale of the logarithmic values is unknown: the difference is relative.")
    frames = header.number_of_frames
    if chosen:
        # The user's mask replaces the header's, and with it the shift that belonged to that mask.
        covered = item.contrast_frames(frames) if item is not None else tuple(range(1, frames + 1))
        averaging, shift, masks = (item.averaging if item is not None else 1), (0.0, 0.0), chosen
    else:
        covered, averaging, shift, masks = item.contrast_frames(frames), item.averaging, item.shift, item.mask_frames
    if abs(shift[0]) >= header.image_rows or abs(shift[1]) >= header.image_columns:
        raise XAReadError(f"Mask shift of {shift[0]:g}, {shift[1]:g} pixels is larger than the image.")
    return SubtractionPlan(masks, covered, shift, averaging, log_slope=header.log_slope, notes=tuple(notes))


class SubtractedFrames(LazyFrames):
    """D = ln Ic - ln Im as a lazy, read-only float32 array of shape (k, rows, columns); vessels are negative.

    LIN values are intensities, ln(max(v, 1)). LOG and DISP values are differences of stored values, LOG multiplied by
    the plan's `log_slope` when it is known. `quantitative` tells whether the unit is optical density (natural log).
    `mask` is the averaged and shifted log mask, float32; `frame_numbers` are the 1-based contrast frames.
    """

    def __init__(self, frames: Sequence[np.ndarray], plan: SubtractionPlan, relationship: str) -> None:
        if relationship not in RELATIONSHIPS:
            raise XAReadError(RELATIONSHIP_MISSING)
        count, rows, columns = frames.shape
        for number in plan.mask_frames:
            if not 1 <= number <= count:
                raise XAReadError(f"Mask frame {number} does not exist.")
        last = count - plan.averaging + 1
        for number in plan.contrast_frames:
            if not 1 <= number <= last:
                raise XAReadError(f"Contrast frame {number} does not exist.")
        self.plan, self.relationship, self._frames = plan, relationship, frames
        self.frame_numbers = plan.contrast_frames
        self.shape, self.dtype = (len(plan.contrast_frames), rows, columns), np.dtype(np.float32)
        self.quantitative = relationship == "LIN" or (relationship == "LOG" and plan.log_slope is not None)
        self._log_mask = self._shifted(self._log_mean(plan.mask_frames))
        self.mask = self._log_mask.astype(np.float32)

    def frame(self, index: int) -> np.ndarray:
        """Return difference `index`, float32."""
        first = self.frame_numbers[index]
        contrast = self._log_mean(range(first, first + self.plan.averaging))
        return (contrast - self._log_mask).astype(np.float32)

    def _log_mean(self, numbers: Iterable[int]) -> np.ndarray:
        """Return ln of the mean of frames `numbers`, float64; the cast comes first, unsigned differences wrap."""
        numbers = tuple(numbers)
        total = np.zeros(self.shape[1:])
        for number in numbers:
            total += self._frames[number - 1]
        total /= len(numbers)
        if self.relationship == "LIN":
            return np.log(np.maximum(total, 1.0))
        slope = self.plan.log_slope if self.relationship == "LOG" else None
        return total if slope is None else total * slope

    def _shifted(self, mask: np.ndarray) -> np.ndarray:
        down, left = self.plan.shift
        if down == 0 and left == 0:
            return mask
        return ndimage.shift(mask, (down, -left), order=_SPLINE_ORDER, mode="nearest")


def subtract(frames: Sequence[np.ndarray], plan: SubtractionPlan, relationship: str) -> SubtractedFrames:
    """Return the lazily subtracted frames of a native run, float32 (len(plan.contrast_frames), rows, columns).

    `frames` is any array-like of shape (n, rows, columns) with integer values. Source: PS3.3 C.7.6.10.1.1.
    Raises XAReadError when the plan names frames that do not exist or the relationship is unknown.
    """
    return SubtractedFrames(frames, plan, relationship)
