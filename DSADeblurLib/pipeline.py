"""From an XA file to a derived XA object: read, subtract, restore, write. The shell and the demo use it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from DSADeblurLib import __version__
from DSADeblurLib.framefile import FrameFile
from DSADeblurLib.restoration.settings import DeblurSettings
from DSADeblurLib.xa import (
    Provenance,
    Run,
    SubtractionPlan,
    plan_subtraction,
    subtract,
    write_derived,
)


@dataclass(frozen=True)
class RunOptions:
    """What a user may say about one run besides the restoration's settings.

    `subtract` is auto, always or never; `mask_frames` (counted from 1) imply subtraction; `focal_spot_mm`,
    `magnification` and `relationship` (LIN, LOG or DISP) stand for missing or wrong header values. Where the settings
    give no width of the blur, `blur` says what is believed: auto (the header, and without one the frames), header or
    frames.
    """

    subtract: str = "auto"
    mask_frames: tuple[int, ...] | None = None
    focal_spot_mm: float | None = None
    magnification: float | None = None
    relationship: str | None = None
    blur: str = "auto"

    def as_dict(self) -> dict:
        """For the manifest."""
        return {**vars(self), "mask_frames": None if self.mask_frames is None else list(self.mask_frames)}


@dataclass(frozen=True)
class Prepared:
    """What the network is given: frames (n, rows, columns), what their values mean, and their numbers in the run."""

    frames: object
    settings: DeblurSettings
    relationship: str | None
    bits_stored: int | None
    frame_numbers: tuple[int, ...]


def prepare(
    frames, relationship: str | None, bits_stored: int | None, plan: SubtractionPlan | None, settings: DeblurSettings
) -> Prepared:
    """Subtract if there is a plan, and bring the user's frame range, which counts the run's frames, into terms of it.

    Raises:
        ValueError: no contrast frame lies in the range.
        XAReadError: the plan does not fit the frames.
    """
    if plan is None:
        return Prepared(frames, settings, relationship, bits_stored, tuple(range(1, len(frames) + 1)))
    if settings.frames is not None:
        first, last = settings.frames
        chosen = tuple(number for number in plan.contrast_frames if first <= number <= last)
        if not chosen:
            raise ValueError(f"No contrast frame lies between frames {first} and {last}; choose another range.")
        plan, settings = replace(plan, contrast_frames=chosen), replace(settings, frames=None)
    return Prepared(subtract(frames, plan, relationship), settings, None, None, plan.contrast_frames)


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
            progress=progress,
            is_cancelled=is_cancelled,
            out=out,
        )
    numbers = tuple(int(ready.frame_numbers[number - 1]) for number in result.frame_numbers)
    return replace(result, frame_numbers=numbers, frames=None)


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
    if options.blur != "frames":
        settings = settings.told(run.acquisition.removable_blur_px())
        if settings.blur_px is None and options.blur == "header":
            raise ValueError("The header does not say how wide the blur is; give the focal spot and the magnification.")
    plan = plan_subtraction(run, options.subtract, options.mask_frames)
    ready = prepare(run.frames, run.relationship, run.bits_stored, plan, settings)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".dsadeblur-") as scratch:
        path = Path(scratch) / "frames.npy"
        result = restore(ready, model, path, progress=progress, is_cancelled=is_cancelled)
        provenance = Provenance(
            model_name=result.model_name,
            model_sha256=result.model_sha256,
            software_version=__version__,
            settings=", ".join(_settings_in_words(result, settings)),
            assumed=run.acquisition.assumed(),
        )
        with FrameFile.open(path) as frames:
            write_derived(output, run, frames, frame_numbers=result.frame_numbers, provenance=provenance, plan=plan)
    return result


def _settings_in_words(result, settings: DeblurSettings) -> list[str]:
    words = [f"strength {settings.strength:g}", f"{result.precision} on {result.device} by {result.engine}"]
    if result.blur_px is not None:
        words.append("blur {:.1f} x {:.1f} px".format(*result.blur_px))
    return words
