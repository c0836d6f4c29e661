"""Starts the worker process and passes lines to and from it. This file needs no Qt."""

from __future__ import annotations

import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import IO, Protocol, cast

from slicer.i18n import tr as _

WORKER_MODULE = "DSADeblurLib.worker"
STDERR_LINES = 20
STOP_SECONDS = 2.0


class WorkerRunner(Protocol):
    """A process that takes and gives lines of text.

    `onLine(line)` is called for each line of its output, `onExit(status, stderrTail)` once when it has ended;
    both on the thread that owns the runner. `status` is the exit status, None after a crash.
    """

    def start(self, onLine: Callable[[str], None], onExit: Callable[[int | None, str], None]) -> None:
        """Start the process.

        Raises:
            OSError, RuntimeError: if that is not possible; `onExit` is not called then.
        """

    def send(self, line: str) -> None: ...

    def isRunning(self) -> bool: ...

    def stop(self) -> None:
        """Close the process's stdin, and kill it where it does not end soon."""

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        """Call something on the thread that owns the runner, after some time, whether the process still runs or not."""

    def wait(self, seconds: float) -> None:
        """Deliver what arrives within some time; where an event loop delivers, this does nothing."""


def killWorker(pid: int) -> None:
    """Kill a worker by its number, for the process that was started may be but a launcher."""
    try:
        os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))  # what Windows calls so ends a process at once
    except OSError:
        pass  # it is gone


def pythonExecutable() -> str:
    """The Python of Slicer as a program of its own; sys.executable when Python itself is running.

    Raises:
        RuntimeError: one sentence, if it is not found.
    """
    # Slicer puts PythonSlicer on the PATH, and finds it there itself (slicer.util.executePythonModule).
    found = shutil.which("PythonSlicer")
    if found:
        return found
    if Path(sys.executable).stem.lower().startswith("python"):
        return sys.executable
    raise RuntimeError(_("PythonSlicer was not found; reinstall Slicer."))


def workerArguments() -> list[str]:
    """Arguments of the Python program; the worker ends with this process, whose child may be but a launcher."""
    return ["-u", "-m", WORKER_MODULE, str(os.getpid())]


def workerEnvironment() -> dict[str, str]:
    """What to set in the environment of the process, beside what this process has."""
    import DSADeblurLib

    library = str(Path(DSADeblurLib.__file__).resolve().parent.parent)
    paths = [library, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {"PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)), "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}


class SubprocessRunner:
    """A runner for code without an event loop: call `wait` to let lines through."""

    def __init__(self, program: str | None = None, arguments: list[str] | None = None) -> None:
        self._program = program
        self._arguments = arguments
        self._process: subprocess.Popen | None = None
        self._events: queue.Queue = queue.Queue()

    def start(self, onLine: Callable[[str], None], onExit: Callable[[int | None, str], None]) -> None:
        self._onLine, self._onExit = onLine, onExit
        self._events = queue.Queue()
        tail: deque[str] = deque(maxlen=STDERR_LINES)
        process = self._process = subprocess.Popen(
            [self._program or pythonExecutable(), *(self._arguments or workerArguments())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            env={**os.environ, **workerEnvironment()},
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),  # Windows alone has it
        )
        # All three are there, because pipes were asked for.
        self._stdin = cast(IO[str], process.stdin)
        stdout, stderr = cast(IO[str], process.stdout), cast(IO[str], process.stderr)
        errors = threading.Thread(target=lambda: tail.extend(stderr), daemon=True)
        errors.start()
        events = self._events

        def read() -> None:
            for line in stdout:
                events.put(line)
            status = process.wait()
            errors.join(STOP_SECONDS)
            events.put((status if status >= 0 else None, "".join(tail)))

        threading.Thread(target=read, daemon=True).start()

    def send(self, line: str) -> None:
        if self._process is None:
            return
        try:
            self._stdin.write(line + "\n")
            self._stdin.flush()
        except (OSError, ValueError):
            # The process has just ended; its exit is reported by `wait`.
            pass

    def isRunning(self) -> bool:
        return self._process is not None

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        try:
            self._stdin.close()
        except OSError:
            pass
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        timer = threading.Timer(seconds, self._events.put, (call,))
        timer.daemon = True
        timer.start()

    def wait(self, seconds: float) -> None:
        try:
            event = self._events.get(timeout=seconds)
        except queue.Empty:
            return
        if callable(event):
            event()
        elif isinstance(event, str):
            self._onLine(event)
        elif self._process is not None:
            self._process = None
            self._onExit(*event)
