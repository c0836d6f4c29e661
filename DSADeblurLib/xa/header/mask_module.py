"""The Mask Module of a header (PS3.3 C.7.6.10): read, checked, and never trusted to be consistent."""

from dataclasses import dataclass, replace

from pydicom.dataset import Dataset

from DSADeblurLib.xa.file.elements import integers_of, items_of, numbers_of, printable, raw_text, text_of, texts_of

OPERATIONS = ("NONE", "AVG_SUB", "TID", "REV_TID")
MOVED = "C-arm moved during the run; static mask invalid."
# One item for each frame of a long run is legal; more are not worth the time that a hostile file could take.
_MOST_ITEMS = 400


@dataclass(frozen=True)
class MaskItem:
    """One item of the Mask Subtraction Sequence. Frame numbers are 1-based, `ranges` are inclusive pairs.

    `shift` is (rows, columns) with the standard's signs: positive moves the mask toward the lower row and toward
    the left column. `offset` is the TID Offset. `problems` says, one sentence each, why the item cannot be used.
    """

    operation: str
    mask_frames: tuple[int, ...] = ()
    ranges: tuple[tuple[int, int], ...] = ()
    averaging: int = 1
    shift: tuple[float, float] = (0.0, 0.0)
    offset: int = 1
    problems: tuple[str, ...] = ()

    @property
    def usable(self) -> bool:
        """True when the item describes a subtraction that can be done."""
        return self.operation != "NONE" and not self.problems

    @property
    def static(self) -> bool:
        """True when one mask serves all frames, which a C-arm that moves makes invalid."""
        return self.operation == "AVG_SUB"

    def masks_of(self, frame: int) -> tuple[int, ...]:
        """Return the numbers of the mask frames of a contrast frame; they may not exist (PS3.3 C.7.6.10.1.1)."""
        if self.operation == "TID":
            return (frame - self.offset,)
        if self.operation == "REV_TID":
            first = self.ranges[0][0]
            return ((first - self.offset) - (frame - first),)
        return self.mask_frames

    def contrast_frames(self, frames: int) -> tuple[int, ...]:
        """Return the 1-based frames the item covers, in order: those whose average and whose mask exist."""
        named = self.named_frames(frames)
        if self.static:
            return named
        return tuple(one for one in named if 1 <= self.masks_of(one)[0] <= frames)

    def named_frames(self, frames: int) -> tuple[int, ...]:
        """Return the frames that the ranges name and whose average exists; without ranges all of these."""
        last = frames - self.averaging + 1
        named: list[int] = []
        for first, end in sorted(self.ranges or ((1, last),)):
            named += range(max(first, named[-1] + 1 if named else 1), min(end, last) + 1)
        return tuple(named)


@dataclass(frozen=True)
class MaskModule:
    """Every item of the Mask Subtraction Sequence, and the recommended viewing mode ('NAT', 'SUB' or '')."""

    items: tuple[MaskItem, ...]
    viewing_mode: str = ""

    @property
    def usable(self) -> tuple[MaskItem, ...]:
        """The items that describe a subtraction that can be done, in order; empty where the device gave no mask."""
        return tuple(item for item in self.items if item.usable)

    @property
    def problems(self) -> tuple[str, ...]:
        """Every problem of every item, each once."""
        return tuple(dict.fromkeys(problem for item in self.items for problem in item.problems))


def read_mask_module(dataset: Dataset, frames: int) -> tuple[MaskModule | None, tuple[str, ...]]:
    """Return the mask module, None when there is none, and warnings about it.

    Args:
        dataset: the header.
        frames: how many the run has.

    Source: PS3.3 C.7.6.10.
    """
    sequence = items_of(dataset, "MaskSubtractionSequence")
    if not sequence:
        return None, ()
    items = tuple(_read_item(item, frames) for item in sequence[:_MOST_ITEMS])
    module = MaskModule(items, text_of(dataset, "RecommendedViewingMode"))
    warnings = list(module.problems)
    if len(sequence) > _MOST_ITEMS:
        warnings.append(f"The header has {len(sequence)} mask items; only the first {_MOST_ITEMS} are used.")
    covered: set[int] = set()
    overlap = False
    for item in module.usable:
        contrast = item.contrast_frames(frames)
        overlap = overlap or not covered.isdisjoint(contrast)
        covered.update(contrast)
        warnings += _left_out(item, contrast, frames)
    if overlap:
        warnings.append("Mask items overlap; using the first where they do.")
    moving = "DYNAMIC" in (text_of(dataset, "PositionerMotion"), text_of(dataset, "TableMotion"))
    if moving and any(item.static for item in module.usable):
        warnings.append(MOVED)
    return module, tuple(warnings)


def _left_out(item: MaskItem, contrast: tuple[int, ...], frames: int) -> list[str]:
    """Say which frames a range names although their mask does not exist."""
    missing = sorted(set(item.named_frames(frames)) - set(contrast)) if item.ranges else []
    if not missing:
        return []
    which = f"frame {missing[0]} is" if len(missing) == 1 else f"frames {missing[0]} to {missing[-1]} are"
    return [f"Mask frame {item.masks_of(missing[0])[0]} does not exist; contrast {which} left out."]


def _read_item(item: Dataset, frames: int) -> MaskItem:
    operation = text_of(item, "MaskOperation")
    if operation not in OPERATIONS:
        problem = f"Unknown mask operation '{printable(operation, 16)}'; showing native frames."
        return MaskItem(operation, problems=(problem,))
    masks = integers_of(item, "MaskFrameNumbers")
    # Devices write mask frame 0 where they have no mask.
    if operation == "NONE" or (operation == "AVG_SUB" and masks == (0,)):
        return MaskItem("NONE")
    ranges, problems = _ranges(item, frames)
    if operation == "AVG_SUB":
        masks, offset = _masks(item, masks, frames, problems), 1
    else:
        masks, offset = (), _offset(item, operation, problems)
    if operation == "REV_TID" and not problems:
        starts = [first for first, _ in ranges]
        if not ranges:
            problems.append("Mask operation REV_TID needs a frame range.")
        elif starts != sorted(set(starts)):
            problems.append("Mask ranges of REV_TID are not in increasing order.")
    counts = integers_of(item, "ContrastFrameAveraging")
    averaging = 1 if counts == () else (counts or (0,))[0]
    if not 1 <= averaging <= frames:
        problems.append(f"Contrast frame averaging '{raw_text(item, 'ContrastFrameAveraging')}' unusable.")
        averaging = 1
    read = MaskItem(operation, masks, ranges, averaging, _shift(item, problems), offset, tuple(problems))
    if not problems and not read.contrast_frames(frames):
        return replace(read, problems=("The mask applies to no frame.",))
    return read


def _masks(item: Dataset, masks: tuple[int, ...] | None, frames: int, problems: list[str]) -> tuple[int, ...]:
    if not masks:
        problems.append(
            "Mask frame numbers missing."
            if masks == ()
            else f"Mask frame numbers '{raw_text(item, 'MaskFrameNumbers')}' unusable."
        )
        return ()
    problems += [f"Mask frame {one} does not exist." for one in masks if not 1 <= one <= frames]
    return tuple(dict.fromkeys(masks))


def _offset(item: Dataset, operation: str, problems: list[str]) -> int:
    """Return the TID Offset; an empty one is 1 (PS3.3 Table C.7-16)."""
    values = integers_of(item, "TIDOffset")
    if values == ():
        return 1
    if values is None or len(values) != 1:
        problems.append(f"TID offset '{raw_text(item, 'TIDOffset')}' unusable.")
        return 1
    if values[0] == 0 and operation == "TID":
        problems.append("TID offset 0 would subtract each frame from itself.")
    return values[0]


def _ranges(item: Dataset, frames: int) -> tuple[tuple[tuple[int, int], ...], list[str]]:
    values = integers_of(item, "ApplicableFrameRange")
    if values is None or len(values) % 2:
        return (), [f"Mask range '{raw_text(item, 'ApplicableFrameRange')}' is not a list of frame pairs."]
    pairs = tuple(zip(values[::2], values[1::2], strict=True))
    problems = [
        f"Mask range {first}-{last} outside 1..{frames}." for first, last in pairs if not 1 <= first <= last <= frames
    ]
    return (() if problems else pairs), problems


def _shift(item: Dataset, problems: list[str]) -> tuple[float, float]:
    # The standard has one pair for all mask frames; more pairs belong to separately shifted masks.
    values = numbers_of(item, "MaskSubPixelShift")
    if values == ():
        return 0.0, 0.0
    if values is None or len(values) != 2:
        several = values is not None and len(texts_of(item, "MaskSubPixelShift")) != 2
        problems.append("Mask shift is not one pair of numbers." if several else "Mask shift is not a number.")
        return 0.0, 0.0
    return values[0], values[1]
