"""Runs the worker process with QProcess: Slicer's event loop delivers its lines, and the window stays alive."""

from __future__ import annotations

from collections.abc import Callable

import qt

from DSADeblurScene.runner import STDERR_LINES, STOP_SECONDS, pythonExecutable, workerArguments, workerEnvironment
from DSADeblurScene.slot import slot


class QProcessRunner:
    """The runner of the application; see `runner.WorkerRunner`."""

    def __init__(self, program: str | None = None, arguments: list[str] | None = None) -> None:
        self._program = program
        self._arguments = arguments
        self._process: qt.QProcess | None = None
        self._pending = b""
        self._errors = b""

    def start(self, onLine: Callable[[str], None], onExit: Callable[[int | None, str], None]) -> None:
        program, arguments = self._program or pythonExecutable(), self._arguments or workerArguments()
        self._onLine, self._onExit = onLine, onExit
        self._pending = self._errors = b""
        environment = qt.QProcessEnvironment.systemEnvironment()
        for name, value in workerEnvironment().items():
            environment.insert(name, value)
        process = qt.QProcess()
        process.setProcessEnvironment(environment)
        process.connect("readyReadStandardOutput()", self._readOutput)
        process.connect("readyReadStandardError()", self._readErrors)
        process.connect("finished(int,QProcess::ExitStatus)", self._finished)
        process.start(program, arguments)
        # The program itself is there or not at once; that it then loads libraries is not waited for.
        if not process.waitForStarted():
            raise OSError(f"{program}: {process.errorString()}")
        self._process = process

    def send(self, line: str) -> None:
        if self._process is not None:
            self._process.write((line + "\n").encode("ascii"))

    def isRunning(self) -> bool:
        return self._process is not None

    def stop(self) -> None:
        process = self._release()
        if process is None:
            return
        # The worker ends when its stdin closes. PythonSlicer is a launcher: killing it alone would leave the worker.
        process.closeWriteChannel()
        if not process.waitForFinished(int(1000 * STOP_SECONDS)):
            process.kill()
            process.waitForFinished(int(1000 * STOP_SECONDS))

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        qt.QTimer.singleShot(int(1000 * seconds), slot(call))

    def wait(self, seconds: float) -> None:
        """Nothing to do: the event loop delivers."""

    @slot
    def _readOutput(self) -> None:
        if self._process is None:
            return
        *lines, self._pending = (self._pending + bytes(self._process.readAllStandardOutput().data())).split(b"\n")
        for line in lines:
            # A line may lead to `stop`.
            if self._process is not None:
                self._onLine(line.decode("utf-8", "replace"))

    @slot
    def _readErrors(self) -> None:
        if self._process is not None:
            text = self._errors + bytes(self._process.readAllStandardError().data())
            self._errors = b"\n".join(text.split(b"\n")[-STDERR_LINES:])

    @slot
    def _finished(self, status: int, exitStatus: int) -> None:
        if self._process is None:
            return
        self._readOutput()
        self._readErrors()
        if self._release() is not None:
            crashed = exitStatus != qt.QProcess.NormalExit
            self._onExit(None if crashed else status, self._errors.decode("utf-8", "replace"))

    def _release(self):
        """Let go of the process, and return it; None when that was done before.

        PythonQt deletes it with the last reference, and Qt may still be in one of its methods: in one of its signals,
        which has led here. The event loop's next turn holds one until then.
        """
        process, self._process = self._process, None
        if process is not None:
            qt.QTimer.singleShot(0, lambda: process)
        return process
