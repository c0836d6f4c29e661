"""The output folder of a batch: who is at work in it, which runs are claimed, and the record of each run done.

All of it lies in one hidden folder, which goes when the last process is done:

    folder.lock     held while the plan, the manifest or the list of processes changes
    plan.json       what is asked, and the name of each run's result
    processes/      one lock a process at work
    claims/         one lock a run in work
    work/           one folder a run in work, for everything unfinished
    runs/           one record a run that is done, failed ones included

Locks are the operating system's (by the package filelock): a process that dies loses them, however it dies, on network
file systems with locks also those of another computer. So what has no living owner is told without a doubt.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from DSADeblurLib.batch.outcome import SUFFIX, Job, Outcome

HIDDEN = ".dsadeblur"
_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


class OutputFull(Exception):
    """The disk of the output folder is full. The message is one sentence for the user."""


def is_disk_full(error: BaseException | None) -> bool:
    """Whether a full disk or a used-up quota is behind an exception."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _FULL:
            return True
        error = error.__cause__ or error.__context__
    return False


@dataclass(frozen=True)
class Plan:
    """What is asked of every run (`Outcome.asked`), and the key of each input."""

    asked: dict
    runs: dict[str, str]


class OutputFolder:
    """Paths, locks and records; see the head of this file. Nothing is kept in memory."""

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(os.path.abspath(path))
        self._hidden = self.path / HIDDEN

    def result(self, key: str) -> Path:
        """Where the result of a run goes."""
        return self.path / f"{key}{SUFFIX}"

    @property
    def plan_file(self) -> Path:
        """Where the plan lies."""
        return self._hidden / "plan.json"

    def plan(self) -> Plan | None:
        """The plan of the batch; None if there is none or it is damaged."""
        values = read_json(self.plan_file)
        if not isinstance(values, dict) or not all(isinstance(values.get(name), dict) for name in ("asked", "runs")):
            return None
        return Plan(values["asked"], values["runs"]) if all(map(is_key, values["runs"].values())) else None

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """Be the only process that changes what is common to all; waits for its turn."""
        self._hidden.mkdir(parents=True, exist_ok=True)
        with FileLock(self._hidden / "folder.lock"):
            for name in ("processes", "claims", "work", "runs"):
                (self._hidden / name).mkdir(parents=True, exist_ok=True)
            yield

    def enter(self) -> FileLock:
        """The lock that says that this process is at work, until it is released. Within `changing`."""
        lock = FileLock(self._hidden / "processes" / f"{uuid.uuid4().hex}.lock", thread_local=False)
        lock.acquire(timeout=0)
        return lock

    def is_in_use(self) -> bool:
        """Whether another living process is at work here. Within `changing`, before `enter`."""
        return any(not _removed_unless_held(path) for path in (self._hidden / "processes").iterdir())

    @contextlib.contextmanager
    def claimed(self, key: str, wait: bool) -> Iterator[bool]:
        """Own a run, so that no other process does it; gives whether that came true.

        `wait` waits until whoever has it is done or dead. Afterwards nothing unfinished of the run is left.
        """
        lock = FileLock(self._hidden / "claims" / f"{key}.lock")
        try:
            lock.acquire(timeout=-1 if wait else 0)
        except Timeout:
            yield False
            return
        try:
            self._clear(key)
            yield True
        finally:
            self._clear(key)
            _remove_and_release(lock)

    def work(self, key: str) -> Path:
        """An empty folder for what is unfinished of a run. Within `claimed`."""
        path = self._hidden / "work" / key
        path.mkdir(parents=True, exist_ok=True)
        return path

    def sweep(self) -> None:
        """Remove what killed processes left unfinished."""
        left = {path.name for path in (self._hidden / "work").iterdir()}
        left |= {path.name.removesuffix(".lock") for path in (self._hidden / "claims").iterdir()}
        for key in filter(is_key, left):
            with self.claimed(key, wait=False):
                pass

    def _clear(self, key: str) -> None:
        shutil.rmtree(self._hidden / "work" / key, ignore_errors=True)

    def record(self, key: str) -> Path:
        """The file that says what became of a run."""
        return self._hidden / "runs" / f"{key}.json"

    def records(self) -> Iterator[os.DirEntry]:
        """The files of all records; `key_of` gives their runs."""
        with os.scandir(self._hidden / "runs") as entries:
            yield from (entry for entry in entries if entry.name.endswith(".json"))

    def outcome(self, job: Job, asked: dict) -> Outcome | None:
        """What became of a run for what is asked now, if any process of this batch did it."""
        outcome = Outcome.from_dict(read_json(self.record(job.key)))
        return outcome if outcome and outcome.input == job.input and outcome.asked() == asked else None

    def keep(self, key: str, outcome: Outcome, output: Path | None = None) -> None:
        """Write the record of a run, and move its output into place with it. Within `claimed`. Raises OSError.

        Pictures lie beside the output under its name and are moved first.
        """
        aside = self.work(key) / "record.json"
        _write(aside, vars(outcome))
        # Without its record a result is made again; a record without its result must not be.
        self.record(key).unlink(missing_ok=True)
        if output is not None:
            for picture in output.parent.glob(f"{glob.escape(output.stem)}.*"):
                if picture != output:
                    os.replace(picture, self.path / picture.name)
            os.replace(output, self.result(key))
        os.replace(aside, self.record(key))

    def write(self, path: Path, values: dict) -> None:
        """Write a JSON file that is whole at any time; on failure the older one stays. Within `changing`."""
        aside = self._hidden / "aside.json"
        try:
            _write(aside, values)
            os.replace(aside, path)
        finally:
            aside.unlink(missing_ok=True)

    def leave(self, lock: FileLock) -> None:
        """End what `enter` began; the last one to go clears up. Within `changing`, when the manifest is whole."""
        _remove_and_release(lock)
        if self.is_in_use():
            return
        self.sweep()
        # A claim that is still held is that of a cluster's worker whose client was killed.
        if not any((self._hidden / "claims").iterdir()):
            shutil.rmtree(self._hidden, ignore_errors=True)


def is_key(name: object) -> bool:
    """Whether this can be a run's key: a file name in its folder and nothing else, for folders are removed by it."""
    return isinstance(name, str) and name == os.path.basename(name) and name.strip(".") != ""


def key_of(entry: os.DirEntry) -> str:
    """The run of a record's file."""
    return entry.name.removesuffix(".json")


def _write(path: Path, values: dict) -> None:
    # It is not forced onto the disk: what a failing computer loses is done again, and that costs less than to wait for
    # the disk after each run. File names may hold bytes that are no characters.
    text = json.dumps(values, indent=1, ensure_ascii=False) + "\n"
    path.write_text(text, encoding="utf-8", errors="surrogateescape")


def read_json(path: Path) -> object:
    """What a JSON file holds; None if it is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8", errors="surrogateescape"))
    except (OSError, ValueError, RecursionError):
        return None


def _removed_unless_held(path: Path) -> bool:
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    _remove_and_release(lock)
    return True


def _remove_and_release(lock: FileLock) -> None:
    # In this order: the package tells those who wait for a removed file to make it anew. Windows does not remove what
    # is open, but the package does so there when it releases.
    with contextlib.suppress(OSError):
        os.unlink(lock.lock_file)
    lock.release()
