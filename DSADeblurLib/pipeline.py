"""From an XA file to a derived XA object: read, subtract, restore, write. The shell and the demo use it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from DSADeblurLib import __version__
from DSADeblurLib.frame_file import FrameFile
from DSADeblurLib.frames import LazyFrames
from DSADeblurLib.restoration.settings import DeblurSettings
from DSADeblurLib.xa import (
    Provenance,
    Run,
    SubtractionPlan,
    UserFacts,
    for_subtraction,
    plan_subtraction,
    read_run,
    subtract,
    write_derived,
)

# The first is the default: `python -m DSADeblurLib.lab.evaluation.order` measures both.
ORDERS = ("subtract-first", "deblur-first")
PICTURES = ("png", "gif", "mp4")


@dataclass(frozen=True)
class RunOptions:
    """What a user may say about one run besides the restoration's settings.

    `subtract` is one of `xa.planning.MODES`; `mask_frames` (counted from 1) imply subtraction; `mask_shift`,
    `flip_shift` and `registration` are those of `xa.plan_subtraction`; `order` is one of ORDERS. The fields of
    `xa.UserFacts` stand for missing or wrong header values. Where the settings give no width of the blur, `blur` says
    what is believed: auto (the header, and without one the frames), header or frames. `compression` is that of
    `xa.write_derived`; `pictures` are kinds of PICTURES, which are written beside the result.
    """

    subtract: str = "auto"
    mask_frames: tuple[int, ...] | None = None
    focal_spot_mm: float | None = None
    magnification: float | None = None
    detector_spacing_mm: float | None = None
    relationship: str | None = None
    blur: str = "auto"
    mask_shift: tuple[float, float] | None = None
    flip_shift: bool = False
    registration: str = "none"
    order: str = ORDERS[0]
    polarity: str | None = None
    frames_in_file: bool = False
    compression: str = "none"
    pictures: tuple[str, ...] = ()

    def read(self, path: Path) -> Run:
        """Read a run with what the user says about it; raises XAReadError."""
        return read_run(path, **{one.name: getattr(self, one.name) for one in fields(UserFacts)})

    def plan(self, run: Run) -> SubtractionPlan | None:
        """How this run is subtracted, or None; raises XAReadError."""
        return plan_subtraction(
            run,
            self.subtract,
            self.mask_frames,
            frames=run.frames,
            mask_shift=self.mask_shift,
            flip_shift=self.flip_shift,
            registration=self.registration,
        )

    def as_dict(self) -> dict:
        """For the manifest."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()}


@dataclass(frozen=True)
class Prepared:
    """What the network is given: frames (n, rows, columns), what their values mean, and their numbers in the run.

    `exposed` is the part that no shutter covers, bool (rows, columns), or None for all. `plan` is there where the
    restored frames are still to be subtracted; then the numbers are of the differences.
    """

    frames: object
    settings: DeblurSettings
    relationship: str | None
    bits_stored: int | None
    frame_numbers: tuple[int, ...]
    plan: SubtractionPlan | None = None
    exposed: np.ndarray | None = None


class _Floating(LazyFrames):
    """Stored frames as float32, so that what becomes of them is not rounded before it is subtracted."""

    def __init__(self, frames) -> None:
        self._frames, self.shape, self.dtype = frames, tuple(frames.shape), np.dtype(np.float32)

    def frame(self, index: int) -> np.ndarray:
        return np.asarray(self._frames[index], dtype=np.float32)


def prepare(
    frames,
    relationship: str | None,
    bits_stored: int | None,
    plan: SubtractionPlan | None,
    settings: DeblurSettings,
    order: str = ORDERS[0],
    exposed: np.ndarray | None = None,
) -> Prepared:
    """Subtract if there is a plan, and bring the user's frame range, which counts the run's frames, into terms of it.

    With a plan, `frames` and `relationship` are those of `xa.for_subtraction`; `exposed` is `RunHeader.exposed`. With
    the order 'deblur-first' mask and contrast frames are left native here, to be subtracted by `restore`.

    Raises:
        ValueError: no contrast frame lies in the range, or the order is unknown.
        XAReadError: the plan does not fit the frames.
    """
    if order not in ORDERS:
        raise ValueError(f"The order must be one of {', '.join(ORDERS)}, not {order!r}.")
    if plan is None:
        numbers = tuple(range(1, len(frames) + 1))
        return Prepared(frames, settings, relationship, bits_stored, numbers, exposed=exposed)
    if settings.frames is not None:
        plan, settings = plan.between(*settings.frames), replace(settings, frames=None)
    subtracted = subtract(frames, plan, relationship)
    if order == "subtract-first":
        return Prepared(subtracted, settings, None, None, plan.contrast_frames, exposed=exposed)
    used = [*plan.mask_frames, *(one for number in plan.contrast_frames for one in plan.averaged(number))]
    settings = replace(settings, frames=(min(used), max(used)))
    return Prepared(_Floating(frames), settings, relationship, None, plan.contrast_frames, plan, exposed)


def prepare_run(run: Run, settings: DeblurSettings, options: RunOptions) -> tuple[Prepared, SubtractionPlan | None]:
    """What the network is given of a run, and how it is subtracted.

    Raises:
        XAReadError, ValueError: one sentence, if the options do not fit the run.
    """
    if options.blur != "frames":
        settings = settings.told(run.acquisition.removable_blur_px())
        if settings.blur_px is None and options.blur == "header":
            raise ValueError("The header does not say how wide the blur is; give the focal spot and the magnification.")
    plan = options.plan(run)
    stored, relationship = run.frames, run.relationship
    if plan is not None:
        stored, relationship = for_subtraction(run, stored)
    exposed = run.exposed()
    return prepare(stored, relationship, run.bits_stored, plan, settings, options.order, exposed=exposed), plan


def restore(ready: Prepared, model, path: Path, *, progress=None, is_cancelled=None):
    """Restore prepared frames into a new .npy file, frame by frame, so that memory does not grow with the run.

    Args:
        ready: from `prepare`.
        model: from `restoration.package.load_model`.
        path: of the file, (k, rows, columns): the frames' integer type, or float32 where they were subtracted.
        progress, is_cancelled: as for `restoration.deblur.deblur`.

    Returns:
        The `DeblurResult`, its frame numbers counted in the run, its frames no longer readable.

    Raises:
        DeblurError, DeblurCancelled, ValueError: one sentence each; then the file is incomplete or absent.
    """
    if ready.plan is not None:
        return _restore_then_subtract(ready, model, path, progress, is_cancelled)
    from DSADeblurLib.restoration.deblur import deblur

    count = len(ready.frames)
    first, last = ready.settings.frames or (1, count)
    if last > count:
        raise ValueError(f"Frames {first} to {last} were asked for, but the run has {count}.")
    with FrameFile.create(path, (last - first + 1, *ready.frames.shape[1:]), ready.frames.dtype) as out:
        result = deblur(
            ready.frames,
            model,
            ready.settings,
            relationship=ready.relationship,
            bits_stored=ready.bits_stored,
            exposed=ready.exposed,
            progress=progress,
            is_cancelled=is_cancelled,
            out=out,
        )
    numbers = tuple(int(ready.frame_numbers[number - 1]) for number in result.frame_numbers)
    return replace(result, frame_numbers=numbers, frames=None)


def _restore_then_subtract(ready: Prepared, model, path: Path, progress, is_cancelled):
    """Restore mask and contrast frames into a file aside, then their differences into `path`."""
    from DSADeblurLib.restoration.deblur import DeblurCancelled

    plan, aside = ready.plan, Path(path).with_name(Path(path).name + ".native")
    native = replace(ready, plan=None, frame_numbers=tuple(range(1, len(ready.frames) + 1)))
    try:
        result = restore(native, model, aside, progress=progress, is_cancelled=is_cancelled)
        with FrameFile.open(aside) as frames:
            subtracted = subtract(frames, plan.counted_from(ready.settings.frames[0]), ready.relationship)
            with FrameFile.create(path, subtracted.shape, subtracted.dtype) as out:
                for index, frame in enumerate(subtracted):
                    if is_cancelled is not None and is_cancelled():
                        raise DeblurCancelled("Cancelled while subtracting.")
                    out[index] = frame
    finally:
        aside.unlink(missing_ok=True)
    return replace(result, frame_numbers=plan.contrast_frames)


def deblur_run(
    run: Run,
    model,
    output: Path,
    settings: DeblurSettings,
    options: RunOptions,
    *,
    progress: Callable[[int, int], None] | None = None,
    is_cancelled: Callable[[], bool] | None = None,
):
    """Restore one run and write the derived object to `output`.

    Returns:
        The `DeblurResult` as `restore` gives it.

    Raises:
        XAReadError, XAWriteError, DeblurError, DeblurCancelled, ValueError: one sentence each.
    """
    ready, plan = prepare_run(run, settings, options)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".dsadeblur-") as scratch:
        path = Path(scratch) / "frames.npy"
        result = restore(ready, model, path, progress=progress, is_cancelled=is_cancelled)
        provenance = Provenance(
            model_name=result.model_name,
            model_sha256=result.model_sha256,
            software_version=__version__,
            settings=", ".join(_settings_in_words(result, ready)),
            assumed=run.acquisition.assumed(),
        )
        with FrameFile.open(path) as frames:
            # Pictures appear last, but are made first: then `write_derived` sees whether the source changed until now.
            pictures = _write_pictures(
                path.with_name(output.name), options.pictures, run, frames, result.frame_numbers, plan
            )
            write_derived(
                output,
                run,
                frames,
                frame_numbers=result.frame_numbers,
                provenance=provenance,
                plan=plan,
                compression=options.compression,
            )
        for picture in pictures:
            os.replace(picture, output.with_name(picture.name))
    return result


class _Originals(LazyFrames):
    """The original frames that belong to restored ones, subtracted where those are."""

    def __init__(self, run: Run, numbers: Sequence[int], plan: SubtractionPlan | None) -> None:
        self._frames, self._indices = run.frames, [number - 1 for number in numbers]
        if plan is not None:
            frames, relationship = for_subtraction(run, run.frames)
            self._frames = subtract(frames, plan.between(numbers[0], numbers[-1]), relationship)
            self._indices = range(len(numbers))
        self.shape, self.dtype = (len(numbers), *self._frames.shape[1:]), self._frames.dtype

    def frame(self, index: int) -> np.ndarray:
        return self._frames[self._indices[index]]


def _write_pictures(output: Path, kinds: Sequence[str], run: Run, frames, numbers: Sequence[int], plan) -> list[Path]:
    from DSADeblurLib.pictures import write_gif, write_mp4, write_png

    originals = _Originals(run, numbers, plan)
    times = None if run.times is None else run.times[np.array(numbers) - 1]
    paths = [output.with_suffix("." + kind) for kind in kinds]
    for kind, path in zip(kinds, paths, strict=True):
        if kind == "png":
            middle = len(numbers) // 2
            write_png(path, originals[middle], frames[middle])
        else:
            {"gif": write_gif, "mp4": write_mp4}[kind](path, originals, frames, times=times)
    return paths


def _settings_in_words(result, ready: Prepared) -> list[str]:
    words = [ready.settings.controls_in_words(), f"{result.precision} on {result.device} by {result.engine}"]
    if result.blur_px is not None:
        words.append("blur {:.1f} x {:.1f} px".format(*result.blur_px))
    if ready.plan is not None:
        words.append("deblurred before subtraction")
    return words
