"""The one road of shell and panel from a run to its restored frames: plan, subtract, normalise, restore, write."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from DSADeblurLib import __version__
from DSADeblurLib.atomic_write import own_folder
from DSADeblurLib.follower import NOBODY, FollowedFile, Follower
from DSADeblurLib.frame_file import FrameFile
from DSADeblurLib.kept import Keeper, Kept
from DSADeblurLib.lazy_frames import Frames, LazyFrames, MappedFrames, chosen_frames
from DSADeblurLib.request import LARGEST_BLUR_PX, MARKED, DeblurRequest, DeblurSettings, RequestError
from DSADeblurLib.used import Used
from DSADeblurLib.xa import (
    Provenance,
    Run,
    SubtractionPlan,
    check_derived,
    for_subtraction,
    plan_subtraction,
    subtract,
    write_derived,
)

if TYPE_CHECKING:
    from DSADeblurLib.restoration.deblur import DeblurResult
    from DSADeblurLib.restoration.package import Model
    from DSADeblurLib.xa.loaded_frames import LoadedRun

Progress = Callable[[int, int], None]
IsCancelled = Callable[[], bool]
Keep = Callable[[int, np.ndarray, np.ndarray, np.ndarray, np.ndarray], object]


@dataclass(frozen=True)
class Prepared:
    """What the network is given of a run.

    Attributes:
        frames: array-like (n, rows, columns).
        settings: of the restoration, the frame range counted in `frames`.
        relationship, bits_stored: what their values mean, see `restoration.deblur.deblur`.
        frame_numbers: of `frames`, or of the differences that are still to be made, in the run.
        plan: how the run is subtracted; None where it is not.
        subtract_after: the restored frames are still to be subtracted by the plan.
        exposed: bool (rows, columns), the part that no shutter covers; None for all.
        header_px: see `restoration.deblur.deblur`.
        notes: sentences about the subtraction that a user should see.
    """

    frames: Frames
    settings: DeblurSettings
    relationship: str | None
    bits_stored: int | None
    frame_numbers: tuple[int, ...]
    plan: SubtractionPlan | None = None
    subtract_after: bool = False
    exposed: np.ndarray | None = None
    header_px: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()

    @property
    def frame_range(self) -> tuple[int, int]:
        """First and last of `frames` that are restored, from 1."""
        return self.settings.frame_range or (1, len(self.frames))

    @property
    def result_numbers(self) -> tuple[int, ...]:
        """Of the frames of the result, in the run."""
        if self.plan is not None:
            return tuple(self.plan.contrast_frames)
        first, last = self.frame_range
        return self.frame_numbers[first - 1 : last]


def prepare(run: Run, request: DeblurRequest) -> Prepared:
    """Plan the subtraction and make what the network is given; nothing is computed yet but what planning looks at.

    With the order 'deblur-first' mask and contrast frames are left native, to be subtracted by `restore`.

    Raises:
        XAReadError, RequestError, ValueError: one sentence, if the request does not fit the run.
    """
    settings, options = request.restoration, request.subtraction
    count = len(run.frames)
    if settings.frame_range is not None and settings.frame_range[1] > count:
        first, last = settings.frame_range
        raise RequestError(f"Frames {first} to {last} were asked for, but the run has {count}.", "frame_range")
    header_px = run.acquisition.removable_blur_px() if settings.blur in ("auto", "header") else None
    if header_px is not None:
        header_px = min(header_px[0], LARGEST_BLUR_PX), min(header_px[1], LARGEST_BLUR_PX)
    elif settings.blur == "header":
        text = "The header does not say how wide the blur is; give the focal spot and the magnification."
        raise RequestError(text, "focal_spot_mm")
    plan = plan_subtraction(
        run,
        options.subtract,
        options.mask_frames,
        frames=run.frames,
        mask_shift=options.mask_shift,
        flip_shift=options.flip_shift,
        registration=options.registration,
    )
    prepared = partial(Prepared, exposed=run.exposed(), header_px=header_px, notes=plan.notes if plan else ())
    if plan is None:
        numbers, vain = tuple(range(1, count + 1)), options.of_a_subtraction()
        notes = (f"Nothing is subtracted, so there is no use for: {', '.join(vain)}.",) if vain else ()
        return prepared(run.frames, settings, run.relationship, run.bits_stored, numbers, notes=notes)
    frames, relationship = for_subtraction(run, run.frames)
    if settings.frame_range is not None:
        plan, settings = plan.between(*settings.frame_range), replace(settings, frame_range=None)
    subtracted = subtract(frames, plan, relationship)
    if options.order == "subtract-first":
        return prepared(subtracted, settings, None, None, plan.contrast_frames, plan)
    needed = [*plan.mask_frames, *(one for number in plan.contrast_frames for one in plan.averaged(number))]
    settings = replace(settings, frame_range=(min(needed), max(needed)))
    # As float32, so that what becomes of them is not rounded before it is subtracted.
    floating, numbers = MappedFrames(frames, np.asarray, np.float32), plan.contrast_frames
    return prepared(floating, settings, relationship, None, numbers, plan, subtract_after=True)


def restore(
    ready: Prepared,
    model: Model,
    path: Path,
    *,
    keep: Keep | None = None,
    shown: Kept | None = None,
    follower: Follower = NOBODY,
    progress: Progress | None = None,
    is_cancelled: IsCancelled | None = None,
) -> tuple[Used, tuple[str, ...]]:
    """Restore prepared frames into a new .npy file, frame by frame, so that memory does not grow with the run.

    Args:
        ready: from `prepare`.
        model: from `restoration.package.load_model`.
        path: of the file, (k, rows, columns): the frames' integer type, or float32 where they were subtracted.
        keep: as for `restoration.deblur.deblur`; not called where the restored frames are still to be subtracted.
        shown: how native frames are written; None for as they are restored.
        follower: see there.
        progress, is_cancelled: as for `restoration.deblur.deblur`.

    Returns:
        What was used, and sentences that a user should see.

    Raises:
        DeblurError, DeblurCancelled, ValueError: one sentence each; then the file is incomplete or absent.
    """
    if ready.subtract_after and ready.plan is not None:
        result = _restore_then_subtract(ready, ready.plan, model, path, follower, progress, is_cancelled)
    else:
        result = _restore(ready, model, path, follower, progress, is_cancelled, keep, shown)
    return _used(result, ready), (*ready.notes, *result.notices)


def _restore(
    ready: Prepared,
    model: Model,
    path: Path,
    follower: Follower,
    progress: Progress | None,
    is_cancelled: IsCancelled | None,
    keep: Keep | None = None,
    shown: Kept | None = None,
) -> DeblurResult:
    from DSADeblurLib.restoration.deblur import deblur

    first, last = ready.frame_range
    numbers, begin_with = ready.frame_numbers[first - 1 : last], None
    if follower.number is not None:
        begin_with = numbers.index(follower.number) if follower.number in numbers else len(numbers) // 2
    shape, dtype = (len(numbers), *ready.frames.shape[1:]), ready.frames.dtype
    with FrameFile.create(path, shape, dtype if shown is None or shown.dtype is None else shown.dtype) as file:
        out = FollowedFile(file, dtype, shown, lambda position: follower.frame(position, int(numbers[position]), None))
        result = deblur(
            ready.frames,
            model,
            ready.settings,
            relationship=ready.relationship,
            bits_stored=ready.bits_stored,
            exposed=ready.exposed,
            header_px=ready.header_px,
            progress=progress,
            is_cancelled=is_cancelled,
            keep=keep,
            out=out,
            begin_with=begin_with,
            stage=follower.stage,
        )
    return replace(result, frame_numbers=tuple(map(int, numbers)), frames=None)


def _restore_then_subtract(
    ready: Prepared,
    plan: SubtractionPlan,
    model: Model,
    path: Path,
    follower: Follower,
    progress: Progress | None,
    is_cancelled: IsCancelled | None,
) -> DeblurResult:
    """Restore mask and contrast frames into another file, then their differences into `path`."""
    from DSADeblurLib.restoration.deblur import DeblurCancelled

    native_path = Path(path).with_name(Path(path).name + ".native")
    native = replace(ready, frame_numbers=tuple(range(1, len(ready.frames) + 1)))
    try:
        result = _restore(native, model, native_path, Follower(stage=follower.stage), progress, is_cancelled)
        with FrameFile.open(native_path) as frames:
            subtracted = subtract(frames, plan.counted_from(ready.frame_range[0]), ready.relationship)
            with FrameFile.create(path, subtracted.shape, subtracted.dtype) as out:
                for index, frame in enumerate(subtracted):
                    if is_cancelled is not None and is_cancelled():
                        raise DeblurCancelled("Cancelled while subtracting.")
                    out[index] = frame
    finally:
        native_path.unlink(missing_ok=True)
    return replace(result, frame_numbers=plan.contrast_frames)


def _used(result: DeblurResult, ready: Prepared) -> Used:
    told = "given" if ready.settings.blur_px is not None else "geometry" if ready.header_px is not None else ""
    sources = (told, "frames" if result.blur_estimated_px is not None else "")
    return Used(
        software=__version__,
        model=result.model_name,
        model_sha256=result.model_sha256,
        device=result.device,
        engine=result.engine,
        precision=result.precision,
        tile=result.tile,
        blur_px=result.blur_px,
        blur_source="" if result.blur_px is None else " and ".join(filter(None, sources)),
        mask_frames=() if ready.plan is None else ready.plan.mask_frames,
        frame_numbers=result.frame_numbers,
        seconds=round(result.seconds, 3),
    )


def provenance(request: DeblurRequest, used: Used, assumed: Sequence[str] = ()) -> Provenance:
    """What a derived object says of the making.

    Args:
        assumed: phrases about values that did not come from the header, from `Acquisition.assumed`.
    """
    words = f"{request.in_words()}, {used.in_words()}"
    return Provenance(used.model, used.model_sha256, used.software, words, tuple(assumed))


def deblur_run(
    run: Run,
    model: Model,
    output: Path,
    request: DeblurRequest,
    *,
    comparable: bool = False,
    progress: Progress | None = None,
    is_cancelled: IsCancelled | None = None,
) -> tuple[Used, tuple[str, ...]]:
    """Restore one run and write the derived object to `output`, and the pictures asked for beside it.

    Several `comparable` results of a run are stored with one scale and one window, those of its originals.

    Returns:
        As `restore`.

    Raises:
        XAReadError, XAWriteError, DeblurError, DeblurCancelled, ValueError: one sentence each.
    """
    from DSADeblurLib.restoration.trust import TrustWatch

    ready = prepare(run, request)
    check_derived(run, ready.result_numbers, plan=ready.plan, compression=request.result.compression)
    output.parent.mkdir(parents=True, exist_ok=True)
    with own_folder(output.parent) as scratch:
        path = scratch / "frames.npy"
        watch = TrustWatch(ready.relationship) if request.result.trust else None
        used, notices = restore(ready, model, path, keep=watch, progress=progress, is_cancelled=is_cancelled)
        if watch is not None:
            trust = watch.trust(used.frame_numbers, used.blur_px)
            used, notices = replace(used, trust=trust.as_dict()), (*notices, trust.in_words())
        with FrameFile.open(path) as frames:
            # Pictures appear last, but are made first: then `write_derived` sees whether the source changed until now.
            pictures = _write_pictures(
                path.with_name(output.name), request.result.pictures, run, frames, used, ready.plan
            )
            write_derived(
                output,
                run,
                frames,
                frame_numbers=used.frame_numbers,
                provenance=provenance(request, used, run.acquisition.assumed()),
                plan=ready.plan,
                compression=request.result.compression,
                scale_of=_originals(run, used.frame_numbers, ready.plan) if comparable else None,
            )
        for picture in pictures:
            os.replace(picture, output.with_name(picture.name))
    return used, (*notices, *run.remarks())


@dataclass(frozen=True)
class Restored:
    """What became of a run whose frames another program holds.

    Attributes:
        used: see there.
        notices: sentences that a user should see.
        plan: how it was subtracted; None where it was not.
        relationship: what the values of its frames mean, as they were subtracted.
        kept: whether what other controls need was kept.
    """

    used: Used
    notices: tuple[str, ...]
    plan: SubtractionPlan | None
    relationship: str | None
    kept: bool = False


def deblur_loaded(
    frames: FrameFile,
    loaded: LoadedRun,
    model: Model,
    path: Path,
    request: DeblurRequest,
    *,
    keep: Path | None = None,
    follower: Follower = NOBODY,
    progress: Progress | None = None,
    is_cancelled: IsCancelled | None = None,
) -> Restored:
    """Restore a run into a new .npy file (k, rows, columns), for the program that holds its frames.

    Native results have type and values as that program reads them, differences are float32 optical densities.

    Args:
        frames: as the other program holds them.
        loaded: what they are, from `xa.loaded_frames.loaded_run`.
        model, follower, progress, is_cancelled: as for `restore`.
        path: of the file; it is complete at the end, and gone after an error.
        keep: folder that is made for what other controls need, see `kept`. There is none afterwards where nothing is
            changed, where the order is 'deblur-first', and where there is no room.

    Raises:
        XAReadError, DeblurError, DeblurCancelled, ValueError: one sentence each.
    """
    run, rule = loaded.run, loaded.rule
    follower.stage("planning", 0)
    ready = prepare(run, request)
    kept = Kept(ready.relationship, ready.bits_stored)
    if ready.plan is None and rule is not None and (rule.changes_values or rule.dtype != frames.dtype):
        kept = replace(kept, slope=rule.slope, intercept=rule.intercept, dtype=frames.dtype.str)
    keeper: Keeper | None = None

    def tell_subtracted(position: int, number: int, _original) -> None:
        if keeper is not None and not keeper.failed:
            follower.frame(position, number, keeper.frames)

    seen = follower if ready.plan is None else replace(follower, frame=tell_subtracted)
    with contextlib.ExitStack() as opened:
        opened.enter_context(_gone_after_an_error(path))
        if keep is not None and not ready.subtract_after and not ready.settings.changes_nothing:
            first, last = ready.frame_range
            shape = (last - first + 1, *ready.frames.shape[1:])
            keeper = opened.enter_context(Keeper(keep, shape, ready.frames.dtype, kept))
        used, notices = restore(
            ready,
            model,
            path,
            keep=keeper,
            shown=kept,
            follower=seen,
            progress=progress,
            is_cancelled=is_cancelled,
        )
    relationship = run.relationship if ready.plan is None else for_subtraction(run, run.frames)[1]
    notices = tuple(filter(None, (loaded.note, *notices, *run.remarks())))
    return Restored(used, notices, ready.plan, relationship, keeper is not None and not keeper.failed)


@contextlib.contextmanager
def _gone_after_an_error(path: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        # Whoever follows may just be reading it; then it goes with the folder.
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        raise


def _originals(run: Run, numbers: Sequence[int], plan: SubtractionPlan | None) -> LazyFrames:
    """The original frames that belong to restored ones, subtracted where those are."""
    if plan is None:
        return chosen_frames(run.frames, [number - 1 for number in numbers])
    frames, relationship = for_subtraction(run, run.frames)
    return subtract(frames, plan.between(numbers[0], numbers[-1]), relationship)


def _write_pictures(
    output: Path,
    kinds: Sequence[str],
    run: Run,
    frames: FrameFile,
    used: Used,
    plan: SubtractionPlan | None,
) -> list[Path]:
    from DSADeblurLib.pictures import write_gif, write_marked_png, write_mp4, write_png

    numbers = used.frame_numbers
    originals = _originals(run, numbers, plan)
    times = None if run.times is None else run.times[np.array(numbers) - 1]
    paths = [output.with_suffix("." + kind) for kind in kinds]
    for kind, path in zip(kinds, paths, strict=True):
        if kind == "png":
            middle = len(numbers) // 2
            write_png(path, originals[middle], frames[middle])
        else:
            {"gif": write_gif, "mp4": write_mp4}[kind](path, originals, frames, times=times)
    if used.trust is not None and used.trust["places"]:
        places, path = used.trust["places"], output.with_suffix(MARKED)
        index = numbers.index(places[0]["frame"])
        marks = [(place["row"], place["column"]) for place in places if place["frame"] == numbers[index]]
        paths.append(write_marked_png(path, originals[index], frames[index], marks))
    return paths
