"""Restore a run: frames are read with their neighbours, restored one after the other, and written."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from DSADeblurLib.lazy_frames import Frames
from DSADeblurLib.request import DEFAULT_MODEL, DeblurSettings
from DSADeblurLib.restoration.architecture import SMALLEST_SIDE
from DSADeblurLib.restoration.blur_condition import (
    MOST_OF_HEADER,
    assumed_blur,
    estimate_blur,
    header_is_doubtful,
    told_blur,
)
from DSADeblurLib.restoration.controls import apply_controls
from DSADeblurLib.restoration.normalisation import (
    Aperture,
    Normalisation,
    fit_normalisation,
    from_working,
    stored_limits,
    to_working,
)
from DSADeblurLib.restoration.package import Model, load_model
from DSADeblurLib.restoration.restorer import DeblurCancelled, DeblurError, Restorer
from DSADeblurLib.restoration.selection import Engines
from DSADeblurLib.restoration.stream import WriteBehind, read_ahead
from DSADeblurLib.restoration.tiles import pad_to_multiple

__all__ = ["DeblurCancelled", "DeblurError", "DeblurResult", "deblur"]

_ENGINES = Engines()


@dataclass(frozen=True)
class DeblurResult:
    """What came out, and how.

    Attributes:
        frames: (k, rows, cols): `out`, or a new array; None where they lie in a file.
        frame_numbers: the k frames, counted from 1 in the frames given.
        device: 'cpu' or 'cuda', where the last tile ran.
        engine: 'torch' or 'openvino', what ran it.
        precision: of the convolutions there.
        tile: side of the tiles in pixels at the end; None for whole frames.
        seconds: wall time of the call.
        notices: sentences a user should see, for instance that the GPU's memory was too small.
        device_reason, engine_reason, precision_reason: why they were chosen, in a sentence or two.
        model_name, model_sha256: the model that did it.
        normalisation: the scale of the run; None where nothing was to be changed.
        blur_px: width of the blur in rows and columns, in pixels, of the model's blur condition, and that the controls
            took; None where neither needed it.
        blur_estimated_px: the same as an estimator finds it in the frames; None where none was asked.
    """

    frames: Frames | None
    frame_numbers: tuple[int, ...]
    device: str
    engine: str
    precision: str
    tile: int | None
    seconds: float
    notices: tuple[str, ...]
    device_reason: str
    engine_reason: str
    precision_reason: str
    model_name: str
    model_sha256: str
    normalisation: Normalisation | None
    blur_px: tuple[float, float] | None
    blur_estimated_px: tuple[float, float] | None


def deblur(
    frames_or_run,
    model: Model,
    settings: DeblurSettings | None = None,
    *,
    relationship: str | None = None,
    bits_stored: int | None = None,
    exposed: np.ndarray | None = None,
    header_px: tuple[float, float] | None = None,
    progress: Callable[[int, int], None] | None = None,
    is_cancelled: Callable[[], bool] | None = None,
    keep: Callable[[int, np.ndarray, np.ndarray, np.ndarray, np.ndarray], object] | None = None,
    out=None,
    begin_with: int | None = None,
    stage: Callable[[str, int], object] = lambda name, frames: None,
    engines: Engines | None = None,
) -> DeblurResult:
    """Remove focal-spot blur from the frames of a run.

    Args:
        frames_or_run: array-like (n, rows, cols), read one frame at a time and in a thread of its own, or a run with
            the attributes `frames`, `relationship` and `bits_stored`, which then stand for the arguments of these
            names. A network of several frames sees the neighbours of each, also those outside the range chosen; at
            the ends of the run the last frame stands for what is missing.
        model: from `package.load_model`.
        settings: choices of the user; the defaults if None.
        relationship: LIN, LOG, DISP, or None for optical density, see `normalisation.to_working`.
        bits_stored: integer results are clipped to this many bits; None for all bits of the type.
        exposed: bool (rows, cols), False where a shutter or collimator covers the frames; these pixels are restored
            like others, but neither scale nor blur is estimated from them. None where nothing is covered.
        header_px: width of the blur (rows, columns) in pixels as focal spot and magnification say it; None where they
            are not known. Whether it counts is a choice of the settings.
        progress: called with the tiles done and the tiles in all, at the start and after every tile. When memory
            runs short the frame is begun again with smaller tiles and the total changes.
        is_cancelled: asked before every tile.
        keep: called for each frame with what other controls need, in the thread that fills `out`: its place there, the
            frame as it came, the network's output, K of that, and the mask of `lines.line_mask`, all (rows, cols).
            Not called where nothing is changed.
        out: takes frames by `out[i] = frame` in a thread of its own, i from 0 for the first frame chosen; None for a
            new array. It must not be what the frames are read from.
        begin_with: place in `out` of the frame that is restored first; those next to it follow. None for one after the
            other.
        stage: called when engines are tried, with 'engines', and when restoring begins, with 'frames'; both times with
            the number of frames chosen.
        engines: how devices are probed and engines built, timed and remembered.

    Returns:
        The result. Integer frames keep their type, rounded and clipped; floating frames give float32. With sharpness
        and noise reduction 0 the frames are copied as they are.

    Raises:
        DeblurCancelled: `is_cancelled` returned true.
        DeblurError: one sentence: a frame is not finite, the network's output is not, or memory does not suffice.
        EngineError: one sentence: the device or precision asked for cannot be used.
        ValueError: one sentence: frames, range or `out` do not fit.
    """
    started = time.perf_counter()
    settings = settings or DeblurSettings()
    frames = frames_or_run
    if hasattr(frames_or_run, "frames") and hasattr(frames_or_run, "relationship"):
        frames = frames_or_run.frames
        relationship, bits_stored = frames_or_run.relationship, frames_or_run.bits_stored
    shape, source_dtype = _checked_frames(frames, bits_stored)
    chosen = _chosen_frames(shape[0], settings)
    dtype = source_dtype if source_dtype.kind in "iu" else np.dtype(np.float32)
    out = _checked_out(out, (len(chosen), *shape[1:]), dtype)
    if out is frames:
        raise ValueError("The place for the result must not be the frames themselves.")
    if exposed is not None and exposed.shape != shape[1:]:
        raise ValueError(f"The exposed part of shape {exposed.shape} does not fit frames of {shape[1:]}.")
    aperture = Aperture(exposed)
    normalisation = None if settings.changes_nothing else _fit(frames, relationship, aperture)
    # Nothing asks for a scale where nothing is changed.
    scale = normalisation or Normalisation(offset=0.0, scale=1.0)
    blur_condition = estimated = None

    def normalised(index: int) -> np.ndarray:
        return scale.apply(aperture.filled(_working(np.asarray(frames[index]), index, relationship)))

    modulated, assumed = model.architecture.modulated, header_px if settings.blur == "auto" else None
    if normalisation is not None and (modulated or settings.needs_blur or keep is not None):
        # Without an estimator of its own a network leaves it at the header's width where there is one.
        header_alone = header_px if settings.blur == "header" else None if modulated else assumed
        blur_condition = told_blur(settings.blur_px, header_alone)
        if blur_condition is None:
            estimated = estimate_blur(normalised, shape[0], (model if modulated else _estimating_model()).estimator)
            blur_condition = assumed_blur(estimated, assumed)
    blur_px = None if blur_condition is None else _widths(blur_condition)
    told = blur_condition.astype(np.float32) if modulated and blur_condition is not None else None
    stage("engines", len(chosen))
    restorer = Restorer(model, settings, shape[1:], engines or _ENGINES, told)
    if estimated is not None and assumed is not None and header_is_doubtful(estimated, assumed):
        sentence = (
            "The frames look blurred by {:.1f} x {:.1f} pixels, but {:.1f} x {:.1f} follow from focal spot and "
            "magnification; check these values.".format(*estimated[:2], *assumed)
        )
        if float(np.mean(estimated[:2])) > MOST_OF_HEADER * float(np.mean(assumed)):
            sentence += f" Only {MOST_OF_HEADER:g} times that is removed; choose the blur of the frames for all of it."
        restorer.notices.append(sentence)
    stage("frames", len(chosen))
    restorer.watch(len(chosen), progress, is_cancelled)

    def write(position: int, restored: np.ndarray, read: _Read) -> None:
        kept = None if keep is None else functools.partial(keep, position, read.frame)
        values = apply_controls(read.working, scale.invert(restored), settings, blur_px, aperture, kept)
        out[position] = from_working(values, relationship, dtype, bits_stored)

    if settings.changes_nothing:
        for position, index in enumerate(chosen):
            restorer.skip_frame(position)
            out[position] = np.asarray(frames[index]).astype(dtype, copy=False)
    else:
        windows = read_ahead(_windows(frames, _in_order(chosen, begin_with), model, relationship, scale))
        with contextlib.closing(windows), WriteBehind() as writer:
            for done, (index, window) in enumerate(windows):
                restored = restorer.restore([read.padded for read in window], done, index + 1)
                writer.submit(write, index - chosen.start, restored, window[len(window) // 2])
    return DeblurResult(
        frames=out,
        frame_numbers=tuple(index + 1 for index in chosen),
        device=restorer.device.value,
        engine=restorer.engine.value,
        precision=restorer.precision.value,
        tile=restorer.tile,
        seconds=time.perf_counter() - started,
        notices=tuple(restorer.notices),
        device_reason=restorer.device.reason,
        engine_reason=restorer.engine.reason,
        precision_reason=restorer.precision.reason,
        model_name=model.card.name,
        model_sha256=model.sha256,
        normalisation=normalisation,
        blur_px=blur_px,
        blur_estimated_px=None if estimated is None else _widths(estimated),
    )


class _Read(NamedTuple):
    """A frame as it came, in working values, and normalised with sides that are multiples of the network's."""

    frame: np.ndarray
    working: np.ndarray
    padded: np.ndarray


def _in_order(chosen: range, begin_with: int | None) -> Sequence[int]:
    """Indices of the frames as they are restored: outwards from one of them, or one after the other."""
    if begin_with is None:
        return chosen
    first = chosen[begin_with]
    return sorted(chosen, key=lambda index: (abs(index - first), index < first))


def _windows(
    frames, order: Sequence[int], model: Model, relationship: str | None, normalisation: Normalisation
) -> Iterator[tuple[int, list[_Read]]]:
    """The index of every frame, and the frames that the network takes to restore it; neighbours are read once."""
    radius, last = model.architecture.frames // 2, len(frames) - 1
    held: dict[int, _Read] = {}
    for index in order:
        needed = [min(max(neighbour, 0), last) for neighbour in range(index - radius, index + radius + 1)]
        for neighbour in dict.fromkeys(needed):
            known = held.pop(neighbour, None)
            held[neighbour] = known or _read(frames, neighbour, model, relationship, normalisation)
        # Outwards in turn, a frame has neighbours in common with the last but one.
        for neighbour in list(held)[: -2 * len(needed)]:
            del held[neighbour]
        yield index, [held[neighbour] for neighbour in needed]


def _read(frames, index: int, model: Model, relationship: str | None, normalisation: Normalisation) -> _Read:
    frame = np.asarray(frames[index])
    working = _working(frame, index, relationship)
    return _Read(frame, working, pad_to_multiple(normalisation.apply(working), model.architecture.multiple))


def _working(frame: np.ndarray, index: int, relationship: str | None) -> np.ndarray:
    working = to_working(frame, relationship)
    if not np.isfinite(working).all():
        raise DeblurError(f"Frame {index + 1} holds values that are not finite; export the run again.")
    return working


@functools.cache
def _estimating_model() -> Model:
    """The model whose estimator finds the blur where the one at work has none."""
    return load_model(DEFAULT_MODEL)


def _widths(blur_condition: np.ndarray) -> tuple[float, float]:
    return float(blur_condition[0]), float(blur_condition[1])


def _checked_frames(frames, bits_stored: int | None) -> tuple[tuple[int, int, int], np.dtype]:
    shape = tuple(int(side) for side in getattr(frames, "shape", ()))
    if len(shape) != 3 or shape[0] < 1:
        raise ValueError(f"Frames must have the shape (n, rows, cols) with n at least 1, not {shape}.")
    if min(shape[1:]) < SMALLEST_SIDE:
        raise ValueError(f"Frames must have at least {SMALLEST_SIDE} rows and columns, not {shape[1]} x {shape[2]}.")
    dtype = np.dtype(frames.dtype)
    if dtype.kind not in "iuf":
        raise ValueError(f"Frames must hold whole or floating numbers, not {dtype}.")
    if dtype.kind in "iu":
        stored_limits(dtype, bits_stored)
    return shape, dtype


def _chosen_frames(count: int, settings: DeblurSettings) -> range:
    first, last = settings.frame_range or (1, count)
    if last > count:
        raise ValueError(f"Frames {first} to {last} were asked for, but the run has {count}.")
    return range(first - 1, last)


def _checked_out(out, shape: tuple[int, int, int], dtype: np.dtype):
    if out is None:
        return np.empty(shape, dtype)
    if tuple(getattr(out, "shape", shape)) != shape or not np.can_cast(dtype, getattr(out, "dtype", dtype)):
        raise ValueError(f"The place for the result must have shape {shape} and hold {dtype}.")
    return out


def _fit(frames, relationship: str | None, aperture: Aperture) -> Normalisation:
    try:
        return fit_normalisation(frames, relationship, aperture)
    except ValueError as error:
        raise DeblurError(str(error)) from error
