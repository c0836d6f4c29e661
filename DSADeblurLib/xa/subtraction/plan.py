"""Which frames are subtracted from which: plain data that crosses process boundaries and is kept in scenes."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from DSADeblurLib.request import REGISTRATIONS, RequestError
from DSADeblurLib.used import listed


@dataclass(frozen=True)
class PlannedMask:
    """One mask and the contrast frames it is subtracted from. Frame numbers are 1-based.

    The mask is the mean of `frames`, moved by `shift`: (rows, columns) in pixels with the standard's signs, positive
    toward the lower row and toward the left column (PS3.3 C.7.6.10.1.2). `averaging` frames starting at each contrast
    frame are averaged before the subtraction.
    """

    frames: tuple[int, ...]
    contrast_frames: tuple[int, ...]
    shift: tuple[float, float] = (0.0, 0.0)
    averaging: int = 1

    def __post_init__(self) -> None:
        if not self.frames or not self.contrast_frames:
            raise ValueError("A plan needs at least one mask frame and one contrast frame.")
        if len(self.shift) != 2 or not all(math.isfinite(one) for one in self.shift):
            raise ValueError("Mask shift is not a number.")
        if self.averaging < 1:
            raise ValueError("Contrast frame averaging must be at least 1.")

    @classmethod
    def from_dict(cls, values: dict) -> "PlannedMask":
        """Return the mask that `SubtractionPlan.as_dict` described."""
        masks, contrast = (tuple(int(one) for one in values.get(name, ())) for name in ("frames", "contrast_frames"))
        rows, columns = values.get("shift", (0.0, 0.0))
        return cls(masks, contrast, (float(rows), float(columns)), int(values.get("averaging", 1)))


@dataclass(frozen=True)
class SubtractionPlan:
    """How a run is subtracted: masks, and what is done to them.

    No contrast frame belongs to two masks. `registration` moves each mask further onto each contrast frame, found from
    the pixels: 'none', 'shift' (one shift for the frame), or 'deformation' (then also a smooth displacement).
    `log_slope` is d ln(intensity) per stored unit of a LOG image, None when unknown. `notes` are sentences for the
    user.
    """

    masks: tuple[PlannedMask, ...]
    registration: str = "none"
    log_slope: float | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.masks:
            raise ValueError("A plan needs at least one mask frame and one contrast frame.")
        if self.registration not in REGISTRATIONS:
            raise ValueError(f"Registration must be one of {REGISTRATIONS}, not {self.registration!r}.")
        numbers = [number for mask in self.masks for number in mask.contrast_frames]
        if len(set(numbers)) != len(numbers):
            raise ValueError("A contrast frame has two masks.")

    @classmethod
    def single(
        cls,
        mask_frames: Sequence[int],
        contrast_frames: Sequence[int],
        shift: tuple[float, float] = (0.0, 0.0),
        averaging: int = 1,
        **more,
    ) -> "SubtractionPlan":
        """Return a plan with one mask for all contrast frames; `more` are further fields of the plan."""
        return cls((PlannedMask(tuple(mask_frames), tuple(contrast_frames), shift, averaging),), **more)

    @property
    def contrast_frames(self) -> tuple[int, ...]:
        """Every frame that is subtracted, ascending; nothing else is part of the result."""
        return tuple(sorted(number for mask in self.masks for number in mask.contrast_frames))

    @property
    def mask_frames(self) -> tuple[int, ...]:
        """Every frame that is part of a mask, each once, in order of use."""
        return tuple(dict.fromkeys(number for mask in self.masks for number in mask.frames))

    def mask_of(self, number: int) -> PlannedMask:
        """Return the mask of a contrast frame.

        Raises:
            KeyError: it has none.
        """
        for mask in self.masks:
            if number in mask.contrast_frames:
                return mask
        raise KeyError(number)

    def averaged(self, number: int) -> range:
        """Return the frames whose mean is the contrast frame `number`."""
        return range(number, number + self.mask_of(number).averaging)

    def between(self, first: int, last: int) -> "SubtractionPlan":
        """Return the plan for the contrast frames from `first` to `last`.

        Raises:
            RequestError: one sentence, where there is none.
        """
        kept = []
        for mask in self.masks:
            numbers = tuple(number for number in mask.contrast_frames if first <= number <= last)
            kept += [replace(mask, contrast_frames=numbers)] if numbers else []
        if not kept:
            text = f"No contrast frame lies between frames {first} and {last}; choose another range."
            raise RequestError(text, "frame_range")
        return replace(self, masks=tuple(kept))

    def counted_from(self, first: int) -> "SubtractionPlan":
        """Return the same plan for a part of the run in which frame `first` is number 1."""

        def counted(numbers: tuple[int, ...]) -> tuple[int, ...]:
            return tuple(number - first + 1 for number in numbers)

        return replace(
            self,
            masks=tuple(
                replace(mask, frames=counted(mask.frames), contrast_frames=counted(mask.contrast_frames))
                for mask in self.masks
            ),
        )

    def describe(self) -> str:
        """Say in one line which masks were used, for the derivation description."""
        first, *others = self.masks
        if not others:
            words = f"mean of mask frames {listed(first.frames)}"
        elif all(len(mask.frames) == 1 for mask in self.masks):
            words = f"each frame has a mask frame of its own, from {listed(self.mask_frames)}"
        else:
            words = "; ".join(
                f"mean of mask frames {listed(mask.frames)} for {listed(mask.contrast_frames)}"
                for mask in self.masks[:4]
            )
        shifts = dict.fromkeys(mask.shift for mask in self.masks)
        words += ", shift " + ", ".join(f"{rows:g} rows {columns:g} columns" for rows, columns in list(shifts)[:4])
        words += f", {max(mask.averaging for mask in self.masks)} contrast frame(s) averaged"
        found = {
            "none": "",
            "shift": ", mask then registered to each frame by one shift",
            "deformation": ", mask then registered to each frame by a shift and a smooth deformation",
        }
        return words + found[self.registration]

    def as_dict(self) -> dict:
        """Return plain, JSON-able values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict) -> "SubtractionPlan":
        """Return the plan that `as_dict` described.

        Raises:
            ValueError, TypeError: it is anything else.
        """
        values = dict(values)
        values["masks"] = tuple(PlannedMask.from_dict(one) for one in values.get("masks", ()))
        values["notes"] = tuple(str(one) for one in values.get("notes", ()))
        return cls(**values)
