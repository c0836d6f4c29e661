"""The tiles of a run on one engine, which gives way to smaller tiles, to float32 and to the CPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from DSADeblurLib.errors import DSADeblurError
from DSADeblurLib.request import DeblurSettings
from DSADeblurLib.restoration.device_choice import choose_device, choose_precision
from DSADeblurLib.restoration.engine import (
    Choice,
    Engine,
    OutOfMemory,
    automatic_tile,
)
from DSADeblurLib.restoration.package import Model
from DSADeblurLib.restoration.selection import Engines
from DSADeblurLib.restoration.tiles import Tile, plan_tiles

SMALLEST_RETRY_TILE = 64
"""Tiles are not halved below this side when memory is short: the halo would be most of the work."""


class DeblurCancelled(Exception):
    """The caller asked to stop; frames finished so far may lie in `out`."""


class DeblurError(DSADeblurError):
    """The run cannot be restored; the message is one sentence."""


class Restorer:
    """The tiles of one run on one engine, which gives way to smaller tiles and then to the CPU."""

    def __init__(
        self,
        model: Model,
        settings: DeblurSettings,
        shape: tuple[int, int],
        engines: Engines,
        blur_condition: np.ndarray | None = None,
    ) -> None:
        self._model = model
        self._blur_condition = blur_condition
        self._settings = settings
        self._engines = engines
        self._shape = shape
        self._multiple = model.architecture.multiple
        self._halo = model.architecture.receptive_radius
        rows, columns = (side + -side % self._multiple for side in shape)
        self._padded = rows, columns
        self.notices: list[str] = []
        self._tiles: tuple[Tile, ...] = ()
        self._engine: Engine | None = None
        if settings.engine == "openvino" and settings.device == "auto":
            device = Choice("cpu", "OpenVINO, which was asked for, runs on the CPU.")
        else:
            device = choose_device(settings.device, engines.probe)
        self._start(device, settings.precision)

    def _start(self, device: Choice, precision: str) -> None:
        self._engine = None  # frees its memory before the next one is built
        self.device = device
        if not self._settings.changes_nothing:
            try:
                started = self._engines.start(self._model, device.value, self._settings.engine, precision)
            except OutOfMemory as error:
                return self._leave_the_gpu(str(error))
            self._engine, selection = started
            self.engine, self.precision = selection.engine, selection.precision
            self.notices += [notice for notice in selection.notices if notice not in self.notices]
        else:
            # No network is needed; device and precision are checked all the same: wrong choices are always refused.
            self.engine = Choice("torch", "Sharpness and noise reduction 0 need no network.")
            self.precision = choose_precision(precision, device.value, self._engines.fast_bfloat16)
        self._use_tile(self._settings.tile or self._automatic_tile())

    def _automatic_tile(self) -> int | None:
        if self._engine is None:
            return None
        budget = self._engine.memory_budget()
        return automatic_tile(self._padded, self._model.architecture, self.precision.value, budget, self._halo)

    def _use_tile(self, tile: int | None) -> None:
        self.tile = None if tile is None or tile >= max(self._padded) else tile
        self._tiles = plan_tiles(self._padded, self.tile, self._halo, self._multiple)

    def watch(self, frames: int, progress: Callable | None, is_cancelled: Callable | None) -> None:
        """Report to these from now on, and that nothing is done yet."""
        self._frames, self._progress, self._is_cancelled = frames, progress, is_cancelled
        self._report(0, 0)

    def skip_frame(self, position: int) -> None:
        """Count a frame that needs no work."""
        self._stop_if_cancelled()
        self._report(position + 1, 0)

    def restore(self, window: Sequence[np.ndarray], position: int, number: int) -> np.ndarray:
        """The middle frame of a window, restored.

        Args:
            window: as many frames as the network takes, normalised float32, their sides multiples of the network's.
            position: counts progress.
            number: names the frame.

        Returns:
            (rows, cols) float32, normalised, without what the sides were padded by.
        """
        while True:
            try:
                restored = self._run_tiles(window, position)
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
            return self.restore(window, position, number)
        return restored[: self._shape[0], : self._shape[1]]

    def _run_tiles(self, window: Sequence[np.ndarray], position: int) -> np.ndarray:
        if self._engine is None:
            raise DeblurError("There is no network where nothing is to be changed.")
        restored = np.empty_like(window[0])
        for done, tile in enumerate(self._tiles, start=1):
            self._stop_if_cancelled()
            stack = np.stack([frame[tile.read] for frame in window])
            restored[tile.core] = self._engine.run(stack, self._blur_condition)[tile.keep]
            self._report(position, done)
        return restored

    def _give_way(self, message: str) -> None:
        """Halve the tile; below the smallest leave the GPU for the CPU; there is nothing below the CPU."""
        half = (self.tile or max(self._padded)) // 2
        if half >= SMALLEST_RETRY_TILE:
            self._use_tile(half)
            place = "GPU" if self.device.value == "cuda" else "computer"
            self.notices.append(f"The memory of the {place} was too small; tiles of {half} pixels are used.")
        else:
            self._leave_the_gpu(message)

    def _leave_the_gpu(self, message: str) -> None:
        if self.device.value != "cuda":
            raise DeblurError(f"This computer has too little free memory ({message}); close other programs.")
        reason = "The memory of the GPU was too small even for small tiles; the CPU is used."
        self.notices.append(reason)
        # float16 is not for the CPU, whatever was asked for.
        precision = self._settings.precision
        self._start(Choice("cpu", reason), "auto" if precision == "float16" else precision)

    def _stop_if_cancelled(self) -> None:
        if self._is_cancelled is not None and self._is_cancelled():
            raise DeblurCancelled("The restoration was cancelled.")

    def _report(self, frames_done: int, tiles_done: int) -> None:
        if self._progress is not None:
            per_frame = len(self._tiles)
            self._progress(frames_done * per_frame + tiles_done, self._frames * per_frame)
