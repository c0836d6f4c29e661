"""The Mask Module of a header (PS3.3 C.7.6.10): read, checked, and never trusted to be consistent."""

from dataclasses import dataclass

from pydicom.dataset import Dataset

from DSADeblurLib.xa.elements import integers_of, items_of, numbers_of, printable, raw_text, text_of, texts_of

OPERATIONS = ("NONE", "AVG_SUB", "TID", "REV_TID")


@dataclass(frozen=True)
class MaskItem:
    """One item of the Mask Subtraction Sequence. Frame numbers are 1-based, `ranges` are inclusive pairs.

    `shift` is (rows, columns) with the standard's signs: positive moves the mask toward the lower row and toward
    the left column. `problems` says, one sentence each, why the item cannot be used.
    """

    operation: str
    mask_frames: tuple[int, ...] = ()
    ranges: tuple[tuple[int, int], ...] = ()
    averaging: int = 1
    shift: tuple[float, float] = (0.0, 0.0)
    problems: tuple[str, ...] = ()

    def contrast_frames(self, frames: int) -> tuple[int, ...]:
        """Return the 1-based frames the item covers, in order; without ranges all whose average exists."""
        last = frames - self.averaging + 1
        ranges = self.ranges or ((1, last),)
        return tuple(sorted({one for first, end in ranges for one in range(first, min(end, last) + 1)}))


@dataclass(frozen=True)
class MaskModule:
    """Every item of the Mask Subtraction Sequence, and the recommended viewing mode ('NAT', 'SUB' or '')."""

    items: tuple[MaskItem, ...]
    viewing_mode: str = ""

    @property
    def usable(self) -> MaskItem | None:
        """The first averaging mask without a problem."""
        return next((item for item in self.items if item.operation == "AVG_SUB" and not item.problems), None)

    @property
    def problems(self) -> tuple[str, ...]:
        """Every problem of every item, each once."""
        return tuple(dict.fromkeys(problem for item in self.items for problem in item.problems))


def read_mask_module(dataset: Dataset, frames: int) -> tuple[MaskModule | None, tuple[str, ...]]:
    """Return the mask module, None when there is none, and warnings about it."""
    items = tuple(_read_item(item, frames) for item in items_of(dataset, "MaskSubtractionSequence"))
    if not items:
        return None, ()
    module = MaskModule(items, text_of(dataset, "RecommendedViewingMode"))
    warnings = list(module.problems)
    usable = [item for item in items if item.operation == "AVG_SUB" and not item.problems]
    if len(usable) > 1:
        covered = [set(item.contrast_frames(frames)) for item in usable]
        overlap = any(one & other for at, one in enumerate(covered) for other in covered[:at])
        warnings.append("Mask items overlap; using the first." if overlap else "Several mask items; using the first.")
    if usable and "DYNAMIC" in (text_of(dataset, "PositionerMotion"), text_of(dataset, "TableMotion")):
        warnings.append("C-arm moved during the run; static mask invalid.")
    return module, tuple(warnings)


def _read_item(item: Dataset, frames: int) -> MaskItem:
    operation = text_of(item, "MaskOperation")
    if operation not in OPERATIONS:
        problem = f"Unknown mask operation '{printable(operation, 16)}'; showing native frames."
        return MaskItem(operation, problems=(problem,))
    if operation == "NONE":
        return MaskItem(operation)
    if operation in ("TID", "REV_TID"):
        return MaskItem(operation, problems=(f"Mask operation {operation} is not supported yet; "
                                             "showing native frames.",))
    masks = integers_of(item, "MaskFrameNumbers")
    ranges, problems = _ranges(item, frames)
    if not masks:
        problems.append("Mask frame numbers missing." if masks == () else
                        f"Mask frame numbers '{raw_text(item, 'MaskFrameNumbers')}' unusable.")
        masks = ()
    problems += [f"Mask frame {one} does not exist." for one in masks if not 1 <= one <= frames]
    averaging = integers_of(item, "ContrastFrameAveraging")
    averaging = 1 if averaging == () else (averaging or (0,))[0]
    if not 1 <= averaging <= frames:
        problems.append(f"Contrast frame averaging '{raw_text(item, 'ContrastFrameAveraging')}' unusable.")
        averaging = 1
    read = MaskItem(operation, masks, ranges, averaging, _shift(item, problems), tuple(problems))
    if not problems and not read.contrast_frames(frames):
        return MaskItem(operation, masks, ranges, averaging, read.shift, ("The mask applies to no frame.",))
    return read


def _ranges(item: Dataset, frames: int) -> tuple[tuple[tuple[int, int], ...], list[str]]:
    values = integers_of(item, "ApplicableFrameRange")
    if values is None or len(values) % 2:
        return (), [f"Mask range '{raw_text(item, 'ApplicableFrameRange')}' is not a list of frame pairs."]
    pairs = tuple(zip(values[::2], values[1::2], strict=True))
    problems = [f"Mask range {first}-{last} outside 1..{frames}." for first, last in pairs
                if not 1 <= first <= last <= frames]
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
