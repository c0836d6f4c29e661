"""Speaks the worker's protocol over a runner: one job at a time, the process kept warm between jobs."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from slicer.i18n import tr as _

from DSADeblurScene.runner import WorkerRunner, killWorker

# A worker that cannot answer, because it was stopped or computes a very large tile, is killed after so long.
CANCEL_SECONDS = 5.0
# It says much more often that it is alive.
SILENCE_SECONDS = 30.0


def _ignore(*_arguments) -> None:
    pass


@dataclass(frozen=True)
class Callbacks:
    """What to call as a job goes on; all on the main thread.

    stage(name, frames) and frame(index, number, original), see DSADeblurLib.follower.Follower; early(EarlyFrames), when
    the first frame of several can be looked at; progress(done, total, secondsLeft or None), notice(text),
    finished(message), cancelled(), and error(text, details="", choice=""): a sentence, what the log says, and the name
    of the choice at fault. Exactly one of the last three ends a job.
    """

    stage: Callable = field(default=_ignore)
    frame: Callable = field(default=_ignore)
    early: Callable = field(default=_ignore)
    progress: Callable = field(default=_ignore)
    notice: Callable = field(default=_ignore)
    finished: Callable = field(default=_ignore)
    cancelled: Callable = field(default=_ignore)
    error: Callable = field(default=_ignore)


class WorkerClient:
    """One worker process and the job it is doing.

    Args:
        makeRunner: gives a fresh WorkerRunner; called again after the process has ended.
    """

    def __init__(self, makeRunner: Callable[[], WorkerRunner]) -> None:
        self._makeRunner = makeRunner
        self._runner: WorkerRunner | None = None
        self._job: str | None = None
        self._callbacks = Callbacks()
        self._count = 0
        self._lastWord = ""
        self._pid: int | None = None
        self._heard = False

    @property
    def isBusy(self) -> bool:
        """Whether a job is under way."""
        return self._job is not None

    def submit(self, request: dict, callbacks: Callbacks) -> str:
        """Send a job (a message without its type and id) and return its id.

        Raises:
            RuntimeError: one sentence, if a job is under way or the process cannot be started.
        """
        if self.isBusy:
            raise RuntimeError(_("A run is being deblurred already; wait for it or cancel it."))
        if self._runner is None or not self._runner.isRunning():
            self._lastWord = ""
            self._runner = self._pid = None
            runner = self._makeRunner()
            try:
                runner.start(self._onLine, self._onExit)
            except OSError as error:
                text = _("The worker process did not start ({error}); restart Slicer, or reinstall it.")
                raise RuntimeError(text.format(error=error)) from error
            self._runner = runner
        self._count += 1
        job = self._job = f"job-{self._count}"
        self._callbacks = callbacks
        self._runner.send(json.dumps({"type": "deblur", "job": job, **request}))
        self._listen(job)
        return job

    def cancel(self) -> None:
        """Ask for the end of the job; its `cancelled` callback follows, if need be when its process is killed."""
        if self._runner is not None and self.isBusy:
            job = self._job
            self._runner.send(json.dumps({"type": "cancel", "job": job}))
            self._runner.later(CANCEL_SECONDS, lambda: self._killUnlessEnded(job))

    def _killUnlessEnded(self, job: str | None) -> None:
        if self._job == job and job is not None:
            logging.debug("The worker does not answer; it is killed.")
            self._kill()
            self.stop()

    def _kill(self) -> None:
        if self._pid is not None:
            killWorker(self._pid)

    def _listen(self, job: str) -> None:
        """Tell the user when nothing has come for a while, and go on; one that is starting says nothing yet."""
        self._heard = False

        def look() -> None:
            if self._job == job:
                if not self._heard and self._pid is not None:
                    text = _("The worker has not answered for {seconds:.0f} seconds; Cancel ends it.")
                    self._callbacks.notice(text.format(seconds=SILENCE_SECONDS))
                self._listen(job)

        if self._runner is not None:
            self._runner.later(SILENCE_SECONDS, look)

    def forget(self) -> None:
        """Drop the job without any further callback and stop the process."""
        self._job = None
        self.stop()

    def stop(self) -> None:
        """End the process; a job under way is reported as cancelled."""
        runner, self._runner, self._pid = self._runner, None, None
        if runner is not None:
            runner.stop()
        self._end("cancelled")

    def wait(self) -> None:
        """Work through messages until the job has ended; for runners without an event loop."""
        while self.isBusy and self._runner is not None:
            self._runner.wait(0.2)

    def _end(self, outcome: str, *arguments) -> None:
        if self._job is None:
            return
        callbacks, self._job, self._callbacks = self._callbacks, None, Callbacks()
        getattr(callbacks, outcome)(*arguments)

    def _onLine(self, line: str) -> None:
        try:
            message = json.loads(line)
            kind, job = message["type"], message.get("job")
        except (ValueError, KeyError, TypeError, AttributeError):
            logging.debug(f"Unreadable line from the worker: {line!r}")
            return
        self._heard = True
        if kind == "alive":
            return
        if kind == "ready":
            self._pid = message.get("pid")
            logging.debug(f"Worker ready: {message}")
        elif kind == "error" and job is None:
            # Nothing can run at all, for instance without PyTorch; the process ends after this.
            self._lastWord = message["message"]
            self._end("error", self._lastWord)
        elif job != self._job or self._job is None:
            logging.debug(f"Message for a job that is gone: {kind}")
        elif kind == "progress":
            self._callbacks.progress(message["done"], message["total"], message["seconds_left"])
        elif kind == "stage":
            self._callbacks.stage(message["stage"], message["frames"])
        elif kind == "frame":
            self._callbacks.frame(message["index"], message["number"], message["original"])
        elif kind == "notice":
            self._callbacks.notice(message["message"])
        elif kind == "finished":
            self._end("finished", message)
        elif kind == "cancelled":
            self._end("cancelled")
        elif kind == "error":
            self._end("error", message["message"], message.get("details", ""), message.get("choice", ""))

    def _onExit(self, status: int | None, stderrTail: str) -> None:
        self._runner = self._pid = None
        if not self.isBusy:
            return
        lines = [line.strip() for line in stderrTail.splitlines() if line.strip()]
        logging.debug(f"The worker ended with status {status}: {stderrTail}")
        how = _("it crashed or was killed") if status is None else _("exit status {status}").format(status=status)
        text = _("The worker process ended unexpectedly ({how}).").format(how=how)
        if lines:
            text += " " + _("Its last words: {words}").format(words=lines[-1])
        self._end("error", self._lastWord or text, stderrTail)
