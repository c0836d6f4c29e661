"""Restore a run: frame by frame, tile by tile, with progress, cancelling and a way out when memory is short."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from DSADeblurLib.restoration.engine import (
    Choice,
    Engine,
    Engines,
    OutOfMemory,
    automatic_tile,
    choose_device,
    choose_precision,
)
from DSADeblurLib.restoration.normalisation import (
    Normalisation,
    fit_normalisation,
    from_working,
    stored_limits,
    to_working,
)
from DSADeblurLib.restoration.package import Model
from DSADeblurLib.restoration.settings import DeblurSettings
from DSADeblurLib.restoration.tiles import SMALLEST_READ, Tile, pad_to_multiple, plan_tiles

SMALLEST_RETRY_TILE = 64
"""Tiles are not halved below this side when memory is short: the halo would be most of the work."""


class DeblurCancelled(Exception):
    """The caller asked to stop; frames finished so far may lie in `out`."""


class DeblurError(RuntimeError):
    """The run cannot be restored; the message is one sentence."""


@dataclass(frozen=True)
class DeblurResult:
    """What came out, and how.

    Attributes:
        frames: array-like (k, rows, cols): `out`, or a new array.
        frame_numbers: the k frames, counted from 1 in the frames given.
        device: 'cpu' or 'cuda', where the last tile ran.
        precision: of the convolutions there.
        tile: side of the tiles in pixels at the end; None for whole frames.
        seconds: wall time of the call.
        notices: sentences a user should see, for instance that the GPU's memory was too small.
        device_reason, precision_reason: one sentence each, why they were chosen.
        model_name, model_sha256: the model that did it.
        normalisation: the scale of the run; None where strength 0 needed none.
    """

    frames: object
    frame_numbers: tuple[int, ...]
    device: str
    precision: str
    tile: int | None
    seconds: float
    notices: tuple[str, ...]
    device_reason: str
    precision_reason: str
    model_name: str
    model_sha256: str
    normalisation: Normalisation | None


def deblur(
    frames_or_run,
    model: Model,
    settings: DeblurSettings | None = None,
    *,
    relationship: str | None = None,
    bits_stored: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    is_cancelled: Callable[[], bool] | None = None,
    out=None,
    engines: Engines | None = None,
) -> DeblurResult:
    """Remove focal-spot blur from the frames of a run.

    Args:
        frames_or_run: array-like (n, rows, cols), read one frame at a time, or a run with the attributes `frames`,
            `relationship` and `bits_stored`, which then stand for the arguments of these names.
        model: from `package.load_model`.
        settings: choices of the user; the defaults if None.
        relationship: LIN, LOG, DISP, or None for optical density, see `normalisation.to_working`.
        bits_stored: integer results are clipped to this many bits; None for all bits of the type.
        progress: called with the tiles done and the tiles in all, at the start and after every tile. When memory
            runs short the frame is begun again with smaller tiles and the total changes.
        is_cancelled: asked before every tile.
        out: takes frames by `out[i] = frame`, i from 0 for the first frame chosen; None for a new array.
        engines: how devices are probed and engines built.

    Returns:
        The result. Integer frames keep their type, rounded and clipped; floating frames give float32. With strength
        0 the frames are copied as they are.

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
    normalisation = _fit(frames, relationship) if settings.strength > 0 else None
    restorer = _Restorer(model, settings, shape[1:], engines or Engines())
    restorer.watch(len(chosen), progress, is_cancelled)
    for i, index in enumerate(chosen):
        frame = np.asarray(frames[index])
        if settings.strength == 0:
            restorer.skip_frame(i)
            out[i] = frame.astype(dtype, copy=False)
            continue
        working = to_working(frame, relationship)
        if not np.isfinite(working).all():
            raise DeblurError(f"Frame {index + 1} holds values that are not finite; export the run again.")
        restored = normalisation.invert(restorer.restore(normalisation.apply(working), i, index + 1))
        if settings.strength < 1:
            restored = working + np.float32(settings.strength) * (restored - working)
        out[i] = from_working(restored, relationship, dtype, bits_stored)
    return DeblurResult(
        frames=out,
        frame_numbers=tuple(index + 1 for index in chosen),
        device=restorer.device.value,
        precision=restorer.precision.value,
        tile=restorer.tile,
        seconds=time.perf_counter() - started,
        notices=tuple(restorer.notices),
        device_reason=restorer.device.reason,
        precision_reason=restorer.precision.reason,
        model_name=model.card.name,
        model_sha256=model.sha256,
        normalisation=normalisation,
    )


class _Restorer:
    """The tiles of one run on one engine, which gives way to smaller tiles and then to the CPU."""

    def __init__(self, model: Model, settings: DeblurSettings, shape: tuple[int, int], engines: Engines) -> None:
        self._network = model.network
        self._settings = settings
        self._engines = engines
        self._shape = shape
        self._factor = model.network.multiple
        self._halo = model.network.receptive_radius
        self._padded = tuple(side + -side % self._factor for side in shape)
        self.notices: list[str] = []
        self._tiles: tuple[Tile, ...] = ()
        self._engine: Engine | None = None
        self._start(choose_device(settings.device, engines.probe), settings.precision)

    def _start(self, device: Choice, precision: str) -> None:
        self._engine = None  # frees its memory before the next one is built
        self.device = device
        self.precision = choose_precision(precision, device.value)
        # Strength 0 needs no network; the device is still checked, so that a wrong choice is told in any case.
        if self._settings.strength > 0:
            self._engine = self._engines.build(self._network, device.value, self.precision.value)
        self._use_tile(self._settings.tile or self._automatic_tile())

    def _automatic_tile(self) -> int | None:
        if self._engine is None:
            return None
        budget = self._engine.memory_budget()
        return automatic_tile(self._padded, self._network.architecture, self.precision.value, budget, self._halo)

    def _use_tile(self, tile: int | None) -> None:
        self.tile = None if tile is None or tile >= max(self._padded) else tile
        self._tiles = plan_tiles(self._padded, self.tile, self._halo, self._factor)

    def watch(self, frames: int, progress: Callable | None, is_cancelled: Callable | None) -> None:
        """Report to these from now on, and that nothing is done yet."""
        self._frames, self._progress, self._is_cancelled = frames, progress, is_cancelled
        self._report(0, 0)

    def skip_frame(self, position: int) -> None:
        """Count a frame that needs no work."""
        self._stop_if_cancelled()
        self._report(position + 1, 0)

    def restore(self, frame: np.ndarray, position: int, number: int) -> np.ndarray:
        """Normalised frame (rows, cols) float32 to the same; `position` counts progress, `number` names it."""
        padded = pad_to_multiple(frame, self._factor)
        while True:
            try:
                restored = self._run_tiles(padded, position)
                break
            except OutOfMemory as error:
                message = str(error)
            # Outside the except block nothing holds the failed tile any more.
            self._give_way(message)
        if not np.isfinite(restored).all():
            if self.precision.value == "float32":
                raise DeblurError(f"Network produced invalid values in frame {number}.")
            # float16 ends at 65504, which a pixel far outside the run's normal range can pass inside the network.
            reason = f"Half precision was not enough for frame {number}; float32 is used from there on."
            self.notices.append(reason)
            self._start(self.device, "float32")
            return self.restore(frame, position, number)
        return restored[: self._shape[0], : self._shape[1]]

    def _run_tiles(self, padded: np.ndarray, position: int) -> np.ndarray:
        restored = np.empty_like(padded)
        for done, tile in enumerate(self._tiles, start=1):
            self._stop_if_cancelled()
            restored[tile.core] = self._engine.run(padded[tile.read])[tile.keep]
            self._report(position, done)
        return restored

    def _give_way(self, message: str) -> None:
        """Halve the tile; below the smallest leave the GPU for the CPU; there is nothing below the CPU."""
        half = (self.tile or max(self._padded)) // 2
        if half >= SMALLEST_RETRY_TILE:
            self._use_tile(half)
            place = "GPU" if self.device.value == "cuda" else "computer"
            self.notices.append(f"The memory of the {place} was too small; tiles of {half} pixels are used.")
        elif self.device.value == "cuda":
            reason = "The memory of the GPU was too small even for small tiles; the CPU is used."
            self.notices.append(reason)
            # float16 is not for the CPU, whatever was asked for.
            precision = self._settings.precision
            self._start(Choice("cpu", reason), "auto" if precision == "float16" else precision)
        else:
            raise DeblurError(f"This computer has too little free memory ({message}); close other programs.")

    def _stop_if_cancelled(self) -> None:
        if self._is_cancelled is not None and self._is_cancelled():
            raise DeblurCancelled("The restoration was cancelled.")

    def _report(self, frames_done: int, tiles_done: int) -> None:
        if self._progress is not None:
            per_frame = len(self._tiles)
            self._progress(frames_done * per_frame + tiles_done, self._frames * per_frame)


def _checked_frames(frames, bits_stored: int | None) -> tuple[tuple[int, int, int], np.dtype]:
    shape = tuple(int(side) for side in getattr(frames, "shape", ()))
    if len(shape) != 3 or shape[0] < 1:
        raise ValueError(f"Frames must have the shape (n, rows, cols) with n at least 1, not {shape}.")
    if min(shape[1:]) < SMALLEST_READ:
        raise ValueError(f"Frames must have at least {SMALLEST_READ} rows and columns, not {shape[1]} x {shape[2]}.")
    dtype = np.dtype(frames.dtype)
    if dtype.kind not in "iuf":
        raise ValueError(f"Frames must hold whole or floating numbers, not {dtype}.")
    if dtype.kind in "iu":
        stored_limits(dtype, bits_stored)
    return shape, dtype


def _chosen_frames(count: int, settings: DeblurSettings) -> range:
    first, last = settings.frames or (1, count)
    if last > count:
        raise ValueError(f"Frames {first} to {last} were asked for, but the run has {count}.")
    return range(first - 1, last)


def _checked_out(out, shape: tuple[int, int, int], dtype: np.dtype):
    if out is None:
        return np.empty(shape, dtype)
    if tuple(getattr(out, "shape", shape)) != shape or not np.can_cast(dtype, getattr(out, "dtype", dtype)):
        raise ValueError(f"The place for the result must have shape {shape} and hold {dtype}.")
    return out


def _fit(frames, relationship: str | None) -> Normalisation:
    try:
        return fit_normalisation(frames, relationship)
    except ValueError as error:
        raise DeblurError(str(error)) from error
