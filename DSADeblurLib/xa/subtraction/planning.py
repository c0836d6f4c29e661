"""Decide whether and how a run is subtracted: what the header says, what the user says, what the frames show."""

from collections.abc import Iterable
from dataclasses import replace

from DSADeblurLib.errors import XAReadError
from DSADeblurLib.lazy_frames import Frames
from DSADeblurLib.request import REGISTRATIONS, SUBTRACTION_MODES
from DSADeblurLib.xa.header.header import RELATIONSHIP_MISSING, RunHeader
from DSADeblurLib.xa.header.mask_module import MOVED, MaskItem
from DSADeblurLib.xa.subtraction.mask_choice import find_mask_frames
from DSADeblurLib.xa.subtraction.plan import PlannedMask, SubtractionPlan
from DSADeblurLib.xa.subtraction.registration import residual
from DSADeblurLib.xa.subtraction.subtract import for_subtraction, subtract

# Less than this part is noise of the comparison.
_CLEARLY_LESS = 0.95


def plan_subtraction(
    header: RunHeader,
    mode: str = "auto",
    mask_frames: Iterable[int] | None = None,
    *,
    frames: Frames | None = None,
    mask_shift: tuple[float, float] | None = None,
    flip_shift: bool = False,
    registration: str = "none",
) -> SubtractionPlan | None:
    """Decide whether and how a run is subtracted; None means that its frames are used as they are.

    Args:
        header: of the run.
        mode: 'auto' subtracts native runs whose header has a usable mask, unless that is one static mask of a C-arm
            that moved; it never guesses a mask, because a run without one may not be meant to be subtracted. 'always'
            insists and raises when the header has no mask. 'find' insists as well, and where the header has no mask
            takes the frames before contrast arrives. 'never' returns None.
        mask_frames: the user's mask (1-based), instead of the header's; implies subtraction.
        frames: the native frames (n, rows, columns). 'find' needs them; with them a shift of the header is checked.
        mask_shift: the user's shift of the mask (rows, columns), with the standard's signs, instead of the header's.
        flip_shift: turn both signs of the header's shift round, for a device that means the opposite.
        registration: one of `plan.REGISTRATIONS`, done when the frames are computed.

    Raises:
        XAReadError: one sentence: what was asked for cannot be done. A run that was subtracted already is not
            subtracted again; one that only looks so is where the user insists.
    """
    if mode not in SUBTRACTION_MODES:
        raise ValueError(f"mode must be one of {SUBTRACTION_MODES}, not {mode!r}")
    if registration not in REGISTRATIONS:
        raise ValueError(f"registration must be one of {REGISTRATIONS}, not {registration!r}")
    chosen = tuple(int(one) for one in mask_frames) if mask_frames is not None else ()
    insists = mode in ("always", "find") or bool(chosen)
    if mode == "never":
        return None
    if header.subtracted and not (header.subtraction_guessed and insists):
        if insists:
            raise XAReadError("This series was subtracted already; deblur it without subtraction.", "subtract")
        return None
    items = header.mask.usable if header.mask is not None else ()
    if not insists:
        items = tuple(item for item in items if not (item.static and header.moved))
        if not items or header.relationship is None:
            return None
    _check(header, chosen, items, mode)
    relationship = header.relationship
    if frames is not None:
        frames, relationship = for_subtraction(header, frames)
    notes = _notes(header, chosen, items)
    if chosen:
        masks = _user_masks(header, chosen, items)
    elif items:
        masks = _header_masks(header, items, flip_shift)
    else:
        if frames is None:
            raise ValueError("mode 'find' needs the frames of the run")
        found = find_mask_frames(frames, relationship, header.log_slope)
        after = range(found.frames[-1] + 1, header.number_of_frames + 1)
        masks, notes = (PlannedMask(found.frames, tuple(after)),), [*notes, found.note]
    if mask_shift is not None:
        rows, columns = (float(one) for one in mask_shift)
        masks = tuple(replace(mask, shift=(rows, columns)) for mask in masks)
    for mask in masks:
        if abs(mask.shift[0]) >= header.image_rows or abs(mask.shift[1]) >= header.image_columns:
            text = f"Mask shift of {mask.shift[0]:g}, {mask.shift[1]:g} pixels is larger than the image."
            raise XAReadError(text, "mask_shift")
    plan = SubtractionPlan(masks, registration, header.log_slope, tuple(notes))
    if frames is not None and mask_shift is None and (doubt := doubtful_shift(frames, plan, relationship)):
        plan = replace(plan, notes=(*plan.notes, doubt))
    return plan


def doubtful_shift(frames: Frames, plan: SubtractionPlan, relationship: str | None) -> str:
    """Return a sentence when the mask's shift with the other sign leaves less anatomy, '' when all is well.

    Devices do not agree on the signs of the Mask Sub-pixel Shift. The middle contrast frame of the first shifted mask
    is looked at.
    """
    shifted = next((mask for mask in plan.masks if mask.shift != (0.0, 0.0)), None)
    if shifted is None:
        return ""
    number = shifted.contrast_frames[len(shifted.contrast_frames) // 2]
    left = []
    for sign in (1, -1):
        shift = (sign * shifted.shift[0], sign * shifted.shift[1])
        mask = replace(shifted, contrast_frames=(number,), shift=shift)
        one = subtract(frames, SubtractionPlan((mask,), log_slope=plan.log_slope), relationship)
        anatomy = one.mask(0)
        left.append(residual(anatomy, one[0] + anatomy))
    if not left[1] < _CLEARLY_LESS * left[0]:
        return ""
    return (
        f"The mask shift {shifted.shift[0]:g} rows, {shifted.shift[1]:g} columns leaves more of the anatomy than "
        "the opposite shift; try the other sign."
    )


def _check(header: RunHeader, chosen: tuple[int, ...], items: tuple[MaskItem, ...], mode: str) -> None:
    if header.relationship is None and header.has_file:
        raise XAReadError(RELATIONSHIP_MISSING, "relationship")
    for number in chosen:
        if not 1 <= number <= header.number_of_frames:
            raise XAReadError(f"Mask frame {number} does not exist.", "mask_frames")
    if not items and not chosen and mode != "find":
        problems = header.mask.problems if header.mask is not None else ()
        reason = problems[0].split(";")[0].rstrip(".") if problems else "This run has no usable mask"
        raise XAReadError(f"{reason}; give the numbers of the mask frames.", "mask_frames")
    if header.number_of_frames == 1:
        raise XAReadError("A single frame cannot be subtracted; a run with a mask frame is needed.", "subtract")


def _notes(header: RunHeader, chosen: tuple[int, ...], items: tuple[MaskItem, ...]) -> list[str]:
    notes = []
    if header.moved and (chosen or not items or any(item.static for item in items)):
        notes.append(MOVED)
    if header.relationship is None:
        notes.append("Pixel values of unknown meaning were subtracted as they are; the result is not quantitative.")
    elif header.relationship == "DISP" and header.to_linear is None:
        notes.append("Stored values are for display: the difference is not quantitative.")
    elif header.relationship == "LOG" and header.log_slope is None:
        notes.append("The scale of the logarithmic values is unknown: the difference is relative.")
    return notes


def _user_masks(header: RunHeader, chosen: tuple[int, ...], items: tuple[MaskItem, ...]) -> tuple[PlannedMask, ...]:
    """One mask for every frame that the header's items cover, or for all frames. Its shift is not the header's: that
    belonged to other mask frames."""
    if not items:
        return (PlannedMask(chosen, tuple(range(1, header.number_of_frames + 1))),)
    parts = _header_masks(header, items, False)
    by_averaging: dict[int, list[int]] = {}
    for part in parts:
        by_averaging.setdefault(part.averaging, []).extend(part.contrast_frames)
    return tuple(
        PlannedMask(chosen, tuple(sorted(numbers)), averaging=averaging) for averaging, numbers in by_averaging.items()
    )


def _header_masks(header: RunHeader, items: tuple[MaskItem, ...], flip: bool) -> tuple[PlannedMask, ...]:
    """Every contrast frame goes to the first item that covers it, and to others that have the same mask frames."""
    planned: dict[tuple, list[int]] = {}
    taken: set[int] = set()
    for position, item in enumerate(items):
        shift = (-item.shift[0], -item.shift[1]) if flip else item.shift
        for number in item.contrast_frames(header.number_of_frames):
            if number not in taken:
                taken.add(number)
                planned.setdefault((position, item.masks_of(number), shift, item.averaging), []).append(number)
    return tuple(
        PlannedMask(masks, tuple(numbers), shift, averaging)
        for (_, masks, shift, averaging), numbers in planned.items()
    )
