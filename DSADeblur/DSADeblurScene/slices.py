"""Does long work on the main thread in slices, between which the application handles other events."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Generator

import qt

from DSADeblurScene.slot import slot

_SLICE_SECONDS = 0.02


class Slices:
    """One piece of work at a time; a new one, or `stop`, drops the one before.

    Args:
        showError: told of an error that nobody expected; see `slot`.
    """

    def __init__(self, showError: Callable[[str, str], None] | None = None) -> None:
        self.showError = showError
        self._steps: Generator | None = None

    @property
    def isBusy(self) -> bool:
        """Whether work is under way."""
        return self._steps is not None

    def run(self, steps: Generator) -> None:
        """Work a generator off as the event loop turns."""
        self.stop()
        self._steps = steps
        qt.QTimer.singleShot(0, lambda: self._slice(steps))

    def stop(self) -> None:
        """Nothing more is done; the generator's `finally` runs."""
        steps, self._steps = self._steps, None
        # It may be one of its own steps that stops it.
        if steps is not None and inspect.getgeneratorstate(steps) != inspect.GEN_RUNNING:
            steps.close()

    @slot
    def _slice(self, steps: Generator) -> None:
        if steps is not self._steps:
            return
        end = time.perf_counter() + _SLICE_SECONDS
        try:
            while time.perf_counter() < end:
                next(steps)
                if steps is not self._steps:
                    return
        except BaseException as error:
            if steps is self._steps:
                self._steps = None
            if isinstance(error, StopIteration):
                return
            raise
        qt.QTimer.singleShot(0, lambda: self._slice(steps))
