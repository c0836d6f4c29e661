"""Frames that are given out one by one while an export goes on: progress is told, the window lives, Cancel works."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import slicer
from slicer.i18n import tr as _

from DSADeblurLib.lazy_frames import Frames, MappedFrames
from DSADeblurScene.export_result import Result


class ExportCancelled(Exception):
    """The user, or the end of scene or application, stopped an export; nothing is left of it."""


class Watch:
    """Keeps the application alive while files are written in its own process.

    Args:
        result: what is exported; the export ends when it leaves the scene.
        progress: called with (frames done, frames in all) before each frame.
    """

    def __init__(self, result: Result, progress: Callable[[int, int], None]) -> None:
        self._result = result
        self._progress = progress
        self._done = self._total = 0
        self._cancelled = False

    def cancel(self) -> None:
        """Stop before the next frame."""
        self._cancelled = True

    def expect(self, count: int) -> None:
        """How many frames will be asked for in all."""
        self._total = count

    def step(self) -> None:
        """Called before each frame: the application handles what the user did meanwhile.

        Raises:
            ExportCancelled: `cancel` was called.
            ValueError: one sentence, if the result or its source was removed from the scene.
        """
        if not self._cancelled:
            self._progress(min(self._done, self._total), self._total)
            slicer.app.processEvents()
            self._done += 1
        if self._cancelled:
            raise ExportCancelled
        if not self._result.isInScene():
            raise ValueError(_("The run was removed from the scene; the export was stopped."))


def watched(frames: Frames, watch: Watch) -> MappedFrames:
    """The frames, (n, rows, cols), with `watch.step` called at each one that is read."""

    def step(frame: np.ndarray) -> np.ndarray:
        watch.step()
        return frame

    return MappedFrames(frames, step, frames.dtype)
