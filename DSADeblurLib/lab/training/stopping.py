"""What ends a training before its last step: a signal, the end of its time, or whoever called it."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator


class TrainingStopped(Exception):
    """The time was over before the first step; the message says so in one sentence."""


class Stop:
    """Whether a training has to end now, and why.

    Args:
        minutes: that it may take; None for as long as it needs.
        is_cancelled: asked once a step.
        began: reading of `time.monotonic` from which the minutes count; by default now.
    """

    def __init__(self, minutes: float | None, is_cancelled: Callable[[], bool], began: float | None = None) -> None:
        began = time.monotonic() if began is None else began
        self._until = None if minutes is None else began + 60 * minutes
        self._is_cancelled = is_cancelled
        self._signal = ""

    def signalled(self) -> bool:
        """Whether a signal came within `keeping`: whoever sent it waits."""
        return bool(self._signal)

    def cause(self) -> str | None:
        """Why to end now, as a clause, or None."""
        if self._signal:
            return f"{self._signal} came"
        if self._is_over():
            return "its time was over"
        return "it was cancelled" if self._is_cancelled() else None

    def check(self) -> None:
        """For the work before the first step, of which each part is kept by itself.

        Raises:
            TrainingStopped: the time is over.
        """
        if self._is_over():
            raise TrainingStopped(
                "The time was over before the first step, while training data was made; resume with more of it."
            )

    def _is_over(self) -> bool:
        return self._until is not None and time.monotonic() > self._until

    @contextlib.contextmanager
    def keeping(self) -> Iterator[None]:
        """Within, the first SIGTERM or SIGINT is only noted, so that no step is cut in two; a second one ends the
        process as it would have without."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        former = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

        def restore() -> None:
            for number, handler in former.items():
                signal.signal(number, handler)

        def note(number: int, _) -> None:
            self._signal = signal.Signals(number).name
            restore()

        for number in former:
            signal.signal(number, note)
        try:
            yield
        finally:
            restore()
