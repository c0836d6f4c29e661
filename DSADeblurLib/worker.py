"""The child process the Slicer panel talks to: JSON lines on stdin and stdout, frames in .npy files.

Run as `python -m DSADeblurLib.worker [PID]`. It stays warm between jobs and ends when stdin closes, or when its parent
or the process PID is gone.

Messages to the worker, one JSON object per line:
  {"type": "deblur", "job", "run": {"frames", "files", "note"}, "request", "output", "keep", "first"}
  {"type": "recombine", "job", "kept", "request", "output"}, all frames with other controls
  {"type": "trust", "job", "kept", "used", "output"}, where a result shows what the data do not explain
  {"type": "check", "job"}, whether a trial tile can be deblurred
  {"type": "cancel", "job"}
  {"type": "shutdown"}
Messages from it:
  {"type": "ready", "protocol", "version", "engines", "pid"}
  {"type": "alive"}, every few seconds of a job
  {"type": "stage", "job", "stage", "frames"}, see `follower.Follower`; before its stages 'reading'
  {"type": "frame", "job", "index", "number", "original"}, one that can be read from the output
  {"type": "progress", "job", "done", "total", "seconds_left"}
  {"type": "notice", "job", "message"}
  {"type": "finished", "job", "output", "used", "relationship", "subtraction", "notices", "kept"}
  {"type": "finished", "job", "output"}, after a recombination
  {"type": "finished", "job", "output", "trust"}, after a look at trust
  {"type": "finished", "job", "engine", "reason"}, after a check
  {"type": "cancelled", "job"}
  {"type": "error", "job", "message", "choice", "details"}
`job` is any string of the caller. `frames` and `output` are paths of .npy files of shape (n, rows, columns); `files`
are the DICOM files that they were read from, or none, and `note` then says why, see `xa.loaded_frames.loaded_run`.
`request` is `DeblurRequest.as_dict`, `used` is `used.Used.as_dict`, `trust` is `restoration.trust.Trust.as_dict`,
`subtraction` is `SubtractionPlan.as_dict` or null. `keep` names a folder for what other controls need, see
`DSADeblurLib.kept`, or may be left out; `kept` is that folder, or null where it was not filled. `choice` names that of
the request which is at fault, `details` is a traceback; both may be empty. `first` is the number of the frame that is
restored first, or null; see `follower.Follower`, also for stages and frames. Everything but reading the node happens
here: header, planning, subtraction, restoration.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from DSADeblurLib.errors import DSADeblurError
from DSADeblurLib.extras import is_installed
from DSADeblurLib.parent_process import when_gone

if TYPE_CHECKING:
    from DSADeblurLib.restoration.package import Model

PROTOCOL = 6
ENGINE_MISSING = "Neither OpenVINO nor PyTorch is installed; install one of them by the button in the DSADeblur module."
# After the inbox has closed nobody reads the result: a tile in work gets this long to end, then the process goes.
_GRACE_SECONDS = 5.0
_PROGRESS_INTERVAL = 0.1
_HEARTBEAT_SECONDS = 5.0


class Inbox:
    """What came in on stdin: a queue of jobs, and the set of jobs that were cancelled meanwhile.

    Lines are read by a thread of their own, so that a cancel is seen while a tile is being computed.
    """

    def __init__(self, lines: Iterable[str], on_closed: Callable[[], None] = lambda: None) -> None:
        self._lines = lines
        self._on_closed = on_closed
        self._jobs: queue.Queue[dict | None] = queue.Queue()
        self._cancelled: set[str] = set()
        self.closed = threading.Event()

    def start(self) -> None:
        """Begin to read."""
        threading.Thread(target=self._read, name="stdin", daemon=True).start()

    def next(self) -> dict | None:
        """Wait for the next message; None at the end."""
        return self._jobs.get()

    def is_cancelled(self, job: str) -> bool:
        """True when the job was cancelled, or when nobody listens any more."""
        return self.closed.is_set() or job in self._cancelled

    def close(self) -> None:
        """Nobody listens any more: no job is begun after this, and the one in work is cancelled."""
        self.closed.set()
        self._jobs.put(None)
        self._on_closed()

    def _read(self) -> None:
        try:
            for line in self._lines:
                if not line.strip():
                    continue
                message = _parse(line)
                if message.get("type") == "cancel":
                    self._cancelled.add(str(message.get("job")))
                elif message.get("type") == "shutdown":
                    break
                else:
                    self._jobs.put(message)
        except (OSError, ValueError):
            pass
        finally:
            self.close()


def _parse(line: str) -> dict:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return {"type": "unreadable"}
    return message if isinstance(message, dict) else {"type": "unreadable"}


class Worker:
    """Takes jobs from an inbox until it closes and answers through `send`.

    Args:
        inbox: where jobs come from.
        send: takes one message (a dictionary).
    """

    def __init__(self, inbox: Inbox, send: Callable[[dict], None]) -> None:
        self._inbox = inbox
        self._send = send
        self._models: dict[str, Model] = {}

    def run(self) -> int:
        """Work until the inbox closes.

        Returns:
            The exit status: 0, or 1 when the libraries needed are not there.
        """
        try:
            ready = _ready_message()
        except DSADeblurError as error:
            self._send({"type": "error", "job": None, "message": str(error)})
            return 1
        self._send(ready)
        while (message := self._inbox.next()) is not None:
            job = str(message.get("job"))
            known = {
                "deblur": self._deblur,
                "recombine": self._recombine,
                "trust": self._trust,
                "check": self._check,
            }
            do = known.get(str(message.get("type")))
            if do is None:
                text = f"The worker does not know the message {message.get('type')!r}."
                self._send({"type": "error", "job": message.get("job"), "message": text})
                continue
            try:
                with _heartbeat(self._send):
                    do(job, message)
            except Exception as error:  # the process outlives a bad job
                if _is_cancellation(error):
                    self._send({"type": "cancelled", "job": job})
                    continue
                expected = isinstance(error, (DSADeblurError, ValueError, OSError))
                if not expected:
                    traceback.print_exc()
                details, choice = "" if expected else traceback.format_exc(), getattr(error, "choice", "")
                told = {"message": _sentence(error), "choice": choice, "details": details}
                self._send({"type": "error", "job": job, **told})
        return 0

    def _check(self, job: str, _message: dict) -> None:
        """Deblur a trial tile with the default model, and say what did it."""
        from DSADeblurLib.request import DEFAULT_MODEL
        from DSADeblurLib.restoration.selection import Engines

        _, selection = Engines().start(self._model(DEFAULT_MODEL), "cpu", "auto", "auto")
        engine, reason = selection.engine
        self._send({"type": "finished", "job": job, "engine": engine, "reason": reason})

    def _deblur(self, job: str, message: dict) -> None:
        self._tell_stage(job, "reading")
        from DSADeblurLib.follower import Follower
        from DSADeblurLib.frame_file import FrameFile
        from DSADeblurLib.pipeline import deblur_loaded
        from DSADeblurLib.request import DeblurRequest
        from DSADeblurLib.restoration.deblur import DeblurCancelled
        from DSADeblurLib.xa.loaded_frames import loaded_run

        if self._inbox.is_cancelled(job):
            raise DeblurCancelled("Cancelled before it began.")
        kinds = {"run": object, "request": object, "output": str, "keep": str | None, "first": int | None}
        run, choices, output, keep, first = _parts({"keep": None, "first": None, **message}, kinds)
        frames_path, files, note = _parts(run, {"frames": str, "files": list, "note": str})
        _parts(files, dict.fromkeys(range(len(files)), str))
        request = DeblurRequest.from_dict(choices)
        model = self._model(request.model)
        with FrameFile.open(frames_path) as frames:
            result = deblur_loaded(
                frames,
                loaded_run(frames, files, request.facts, note),
                model,
                Path(output),
                request,
                keep=keep and Path(keep),
                follower=Follower(
                    first,
                    lambda stage, frames: self._tell_stage(job, stage, frames),
                    lambda index, number, original: self._send(
                        {"type": "frame", "job": job, "index": index, "number": number}
                        | {"original": original and str(original)}
                    ),
                ),
                progress=_Progress(job, self._send),
                is_cancelled=lambda: self._inbox.is_cancelled(job),
            )
        for notice in result.notices:
            self._send({"type": "notice", "job": job, "message": notice})
        self._send(
            {
                "type": "finished",
                "job": job,
                "output": output,
                "used": result.used.as_dict(),
                "relationship": result.relationship,
                "subtraction": None if result.plan is None else result.plan.as_dict(),
                "notices": list(result.notices),
                "kept": keep if result.kept else None,
            }
        )

    def _tell_stage(self, job: str, stage: str, frames: int = 0) -> None:
        self._send({"type": "stage", "job": job, "stage": stage, "frames": frames})

    def _recombine(self, job: str, message: dict) -> None:
        from DSADeblurLib.kept import recombine
        from DSADeblurLib.request import DeblurRequest

        kept, choices, output = _parts(message, {"kept": str, "request": object, "output": str})
        recombine(
            kept,
            DeblurRequest.from_dict(choices).restoration,
            Path(output),
            progress=_Progress(job, self._send),
            is_cancelled=lambda: self._inbox.is_cancelled(job),
        )
        self._send({"type": "finished", "job": job, "output": output})

    def _trust(self, job: str, message: dict) -> None:
        from DSADeblurLib.kept import trust_of
        from DSADeblurLib.used import Used

        kept, used, output = _parts(message, {"kept": str, "used": object, "output": str})
        trust = trust_of(
            kept,
            Used.from_dict(used),
            Path(output),
            progress=_Progress(job, self._send),
            is_cancelled=lambda: self._inbox.is_cancelled(job),
        )
        self._send({"type": "finished", "job": job, "output": output, "trust": trust.as_dict()})

    def _model(self, name: str) -> Model:
        """A package, kept after the first use: loading and its self-test cost more than a frame."""
        if name not in self._models:
            from DSADeblurLib.restoration.package import load_model

            self._models.clear()
            self._models[name] = load_model(name)
        return self._models[name]


def _parts(message: Any, kinds: Mapping[Any, Any]) -> list[Any]:
    """The parts of a message that must be there, each of its kind. Raises ValueError where it has another form."""
    try:
        parts = [message[name] for name in kinds]
    except (KeyError, TypeError) as error:
        raise ValueError("The job lacks a part that it needs; restart Slicer.") from error
    if not all(map(isinstance, parts, kinds.values())):
        raise ValueError("A part of the job is of another kind than it should be; restart Slicer.")
    return parts


@contextlib.contextmanager
def _heartbeat(send: Callable[[dict], None]) -> Iterator[None]:
    """Say every few seconds that the process is alive, however long a tile takes."""
    ended = threading.Event()

    def beat() -> None:
        with contextlib.suppress(OSError):  # nobody listens any more, which others notice too
            while not ended.wait(_HEARTBEAT_SECONDS):
                send({"type": "alive"})

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


class _Progress:
    """Turns tile counts into progress messages, not more than ten a second."""

    def __init__(self, job: str, send: Callable[[dict], None]) -> None:
        self._job = job
        self._send = send
        self._begun: float | None = None
        self._last = -_PROGRESS_INTERVAL

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        # What comes before the first tile tells nothing about those that follow.
        self._begun = now if self._begun is None else self._begun
        if done < total and now - self._last < _PROGRESS_INTERVAL:
            return
        self._last = now
        left = (now - self._begun) / done * (total - done) if done else None
        message = {"type": "progress", "job": self._job, "done": int(done), "total": int(total), "seconds_left": left}
        self._send(message)


def _ready_message() -> dict:
    """What begins a conversation. Raises DSADeblurError where there is nothing that runs a network."""
    from DSADeblurLib import __version__

    engines = [engine for engine in ("openvino", "torch") if is_installed(engine)]
    if not engines:
        raise DSADeblurError(ENGINE_MISSING)
    return {"type": "ready", "protocol": PROTOCOL, "version": __version__, "engines": engines, "pid": os.getpid()}


def _sentence(error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError):
        return f"The Python package {error.name!r} is not installed; install it for the Python that Slicer uses."
    return str(error) or type(error).__name__


def _is_cancellation(error: Exception) -> bool:
    from DSADeblurLib.restoration.deblur import DeblurCancelled

    return isinstance(error, DeblurCancelled)


def _claim_stdout() -> TextIO:
    """Keep stdout for the protocol alone; whatever else prints, also from C code, goes to stderr."""
    protocol = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8", newline="\n", buffering=1)
    sys.stdout.flush()
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    sys.stdout = sys.stderr
    return protocol


def _exit_after_grace() -> None:
    timer = threading.Timer(_GRACE_SECONDS, os._exit, args=(0,))
    timer.daemon = True
    timer.start()


def main() -> int:
    """Entry point of the process."""
    protocol = _claim_stdout()
    lock = threading.Lock()

    def send(message: dict) -> None:
        with lock:
            # ASCII keeps the lines readable whatever the code page of the other side is.
            protocol.write(json.dumps(message, ensure_ascii=True) + "\n")
            protocol.flush()

    inbox = Inbox(sys.stdin, on_closed=_exit_after_grace)
    inbox.start()
    when_gone(inbox.close, int(sys.argv[1]) if len(sys.argv) > 1 else None)
    try:
        return Worker(inbox, send).run()
    except BrokenPipeError:  # the parent has gone
        return 0


if __name__ == "__main__":
    status = main()
    # A thread may still read stdin, and libraries may hang in what they do at the end of Python.
    sys.stderr.flush()
    os._exit(status)
