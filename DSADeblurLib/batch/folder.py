"""The output folder of a batch: who is at work in it, which runs are claimed, and the record of each run done.

All of it lies in one hidden folder, which goes when the last process is done:

    folder.lock     held while the plan, the manifest or the list of processes changes
    plan.json       what is asked, the name of each run's result, and what earlier batches left in the output folder
    processes/      one lock a process at work
    claims/         one lock a run in work
    work/           one folder a run in work, for everything unfinished
    runs/           one record a run that is done, failed ones included

Locks are the operating system's (by the package filelock): a process that dies loses them, however it dies, on network
file systems with locks also those of another computer. So what has no living owner is told without a doubt.

Others may be able to write in the output folder, and it may come from elsewhere: nothing in the hidden folder is read,
written or removed through a link. Links for the folders and for folder.lock are refused, others are removed themselves.
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
from dataclasses import dataclass, field, replace
from pathlib import Path

from filelock import FileLock, Timeout

from DSADeblurLib.atomic_write import atomic_write, is_plain_file, is_plain_folder, put_in_place
from DSADeblurLib.batch.outcome import INTERRUPTED, RESULTS, SUFFIX, Job, Outcome, is_key
from DSADeblurLib.errors import DSADeblurError
from DSADeblurLib.regular_file import read_regular

HIDDEN = ".dsadeblur"
# A manifest of a hundred thousand runs.
_LARGEST_JSON = 2**28
_FOLDERS = ("processes", "claims", "work", "runs")
_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


class OutputFull(DSADeblurError):
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
    """What is asked of every run (`Outcome.fingerprint`), the key of each input, and what earlier batches left."""

    fingerprint: dict
    runs: dict[str, str]
    earlier: list[Outcome] = field(default_factory=list)


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
        if not isinstance(values, dict) or not all(
            isinstance(values.get(name), dict) for name in ("fingerprint", "runs")
        ):
            return None
        if not all(map(is_key, values["runs"].values())):
            return None
        earlier = values.get("earlier")
        return Plan(values["fingerprint"], values["runs"], outcomes_in(earlier if isinstance(earlier, list) else []))

    def write_plan(self, plan: Plan) -> None:
        """Within `changing`."""
        self.write(self.plan_file, {**vars(plan), "earlier": [vars(outcome) for outcome in plan.earlier]})

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """Be the only process that changes what is common to all; waits for its turn.

        Raises ValueError where links are in the way; then nothing is written.
        """
        self._refuse_links()
        self._hidden.mkdir(parents=True, exist_ok=True)
        lock = self._hidden / "folder.lock"
        # To remove it, as is done with other locks, could take it from a process that just made it anew.
        if not is_plain_file(lock, or_nothing=True, one_name=True):
            raise _in_the_way(lock)
        with FileLock(lock):
            for name in _FOLDERS:
                (self._hidden / name).mkdir(parents=True, exist_ok=True)
            self._refuse_links()
            yield

    def _refuse_links(self) -> None:
        for path in (self._hidden, *(self._hidden / name for name in _FOLDERS)):
            if not is_plain_folder(path, or_nothing=True):
                raise _in_the_way(path)

    def has_claims(self) -> bool:
        """Whether a living process has a run in its hands. Within `changing`, after `sweep`.

        It may be a cluster's worker whose client was killed.
        """
        return any((self._hidden / "claims").iterdir())

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
        self._refuse_links()
        lock = FileLock(self._claim(key))
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

    def is_claimed(self, key: str) -> bool:
        """Whether a process is at this run, or died at it since the last `sweep`."""
        return os.path.lexists(self._claim(key))

    def _claim(self, key: str) -> Path:
        return self._hidden / "claims" / f"{key}.lock"

    def work(self, key: str) -> Path:
        """A folder for what is unfinished of a run. Within `claimed`."""
        self._refuse_links()
        path = self._hidden / "work" / key
        if not is_plain_folder(path):
            path.unlink(missing_ok=True)
            path.mkdir()
        return path

    def sweep(self) -> None:
        """Remove what killed processes left unfinished. Within `changing`."""
        claims = [path for path in (self._hidden / "claims").iterdir() if not _removed_as_no_lock(path)]
        left = {path.name for path in (self._hidden / "work").iterdir()}
        left |= {path.name.removesuffix(".lock") for path in claims}
        for key in filter(is_key, left):
            with self.claimed(key, wait=False):
                pass

    def _clear(self, key: str) -> None:
        path = self._hidden / "work" / key
        if not all(map(is_plain_folder, (self._hidden, path.parent))):
            return
        if is_plain_folder(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                path.unlink()

    def record(self, key: str) -> Path:
        """The file that says what became of a run."""
        return self._hidden / "runs" / f"{key}.json"

    def records(self) -> Iterator[os.DirEntry]:
        """The files of all records; `key_of` gives their runs."""
        with os.scandir(self._hidden / "runs") as entries:
            yield from (entry for entry in entries if entry.name.endswith(".json"))

    def outcome(self, job: Job, fingerprint: dict) -> Outcome | None:
        """What became of a run for what is asked now, if any process of this batch did it."""
        outcome = self.recorded(job.key)
        if (
            outcome is None
            or outcome.all_files != job.files
            or outcome.fingerprint() != fingerprint
            or outcome.error == INTERRUPTED
        ):
            return None
        # Who died at a run could not note what its input was.
        return outcome if outcome.input_bytes is None or outcome.is_of_what_lies_there() else None

    def recorded(self, key: str) -> Outcome | None:
        """What the record of a run says; None if it is missing or damaged."""
        values = read_json(self.record(key))
        return None if values is None else Outcome.from_dict(values)

    def keep(self, key: str, outcome: Outcome, output: Path | None = None, replaces: bool = False) -> Outcome:
        """Write the record of a run, and move its output into place with it. Within `claimed`.

        Pictures lie beside the output under its name and are moved with it. `replaces` says whether they may replace
        others of the same names; pictures of the older result are gone then. Returns what was written.

        Raises:
            FileExistsError: they may not, and one is there; then nothing has changed.
            OSError: they cannot be moved.
        """
        before = self.recorded(key)
        if output is None:
            if before is not None and before.error is not None:
                outcome = replace(outcome, output=before.output)  # what lies there still is not good
            self._record(key, outcome)
            return outcome
        # What was put in place when the process was killed is this input's own, though nothing else says so.
        replaces |= (
            before is not None
            and (before.key, before.input) == (key, outcome.input)
            and (before.identity() == outcome.identity())
        )
        pictures = [path for path in output.parent.glob(f"{glob.escape(output.stem)}.*") if path != output]
        targets = {path: self.path / path.name for path in (output, *pictures)}
        for path, target in () if replaces else targets.items():
            if os.path.lexists(target):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path, None, target)
        # From here on no earlier word on what lies there is believed: a result without its record is made again.
        self._record(key, replace(outcome, error=INTERRUPTED))
        if replaces:
            older = {self.path / f"{key}{suffix}" for suffix in RESULTS} - set(targets.values())
            targets |= {path: self.work(key) / path.name for path in older if is_plain_file(path)}
        placed = []
        try:
            for path, target in targets.items():
                put_in_place(path, target, replace=replaces)
                placed.append(target)
        except OSError:
            if not replaces:
                for path in placed:
                    path.unlink()
            if not (replaces and placed):
                self._record(key, before)
            raise
        self._record(key, outcome)
        return outcome

    def _record(self, key: str, outcome: Outcome | None) -> None:
        if outcome is None:
            self.record(key).unlink(missing_ok=True)
        else:
            _write(self.record(key), vars(outcome), self.work(key))

    def write(self, path: Path, values: dict) -> None:
        """Write a JSON file that is whole at any time; on failure the older one stays. Within `changing`."""
        _write(path, values, self._hidden)

    def leave(self, lock: FileLock) -> None:
        """End what `enter` began; the last one to go clears up. Within `changing`, when the manifest is whole."""
        _remove_and_release(lock)
        if self.is_in_use():
            return
        self.sweep()
        if not self.has_claims():
            shutil.rmtree(self._hidden, ignore_errors=True)


def key_of(entry: os.DirEntry) -> str:
    """The run of a record's file."""
    return entry.name.removesuffix(".json")


def _write(path: Path, values: dict, folder: Path) -> None:
    """Write a JSON file in `folder`, of the same file system, and move it to `path`."""
    # It is not forced onto the disk: what a failing computer loses is done again, and that costs less than to wait for
    # the disk after each run. File names may hold bytes that are no characters.
    text = json.dumps(values, indent=1, ensure_ascii=False) + "\n"
    with atomic_write(path, replace=True, folder=folder) as unfinished:
        unfinished.write_text(text, encoding="utf-8", errors="surrogateescape")


def read_json(path: Path) -> object:
    """What a JSON file holds; None if it is missing, a link or damaged."""
    try:
        data = read_regular(path, _LARGEST_JSON) if is_plain_file(path) else b""
        return json.loads(data.decode("utf-8", "surrogateescape"))
    except (OSError, ValueError, RecursionError):
        return None


def outcomes_in(values: list) -> list[Outcome]:
    """The outcomes among what a file lists."""
    return [outcome for outcome in map(Outcome.from_dict, values) if outcome is not None]


def _in_the_way(path: Path) -> ValueError:
    return ValueError(f"{path} is a link or of another kind than it should be; remove it, then call again.")


def _removed_as_no_lock(path: Path) -> bool:
    """Remove a link where a lock should be: the package would empty the file behind a hard link. Within `changing`."""
    if is_plain_file(path, or_nothing=True, one_name=True):
        return False
    path.unlink()
    return True


def _removed_unless_held(path: Path) -> bool:
    if _removed_as_no_lock(path):
        return True
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
