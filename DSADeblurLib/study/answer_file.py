"""The answers of one reader: a file of JSON lines, each on the disk before the next is asked for, chained by hashes."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from DSADeblurLib.atomic_write import is_plain_file
from DSADeblurLib.errors import DSADeblurError
from DSADeblurLib.regular_file import read_regular
from DSADeblurLib.request import RequestError
from DSADeblurLib.study.canonical import canonical
from DSADeblurLib.study.definition import ANSWERS, CLOSED, Definition

_CODE = re.compile(r"[A-Z0-9][A-Z0-9_-]{0,31}")
_LARGEST = 2**28


def reader_code(text: str) -> str:
    """The code by which a reader logs in, in capitals. Raises RequestError where it is none."""
    code = text.strip().upper()
    if _CODE.fullmatch(code) is None:
        raise RequestError(f"A reader's code is of letters, digits, - and _, at most 32, not {text!r}.")
    return code


def answers_path(folder: Path, reader: str) -> Path:
    """Where the answers of a reader lie."""
    return Path(folder) / ANSWERS / f"{reader_code(reader)}.jsonl"


def answer_files(folder: Path) -> dict[str, Path]:
    """The files of all readers by their code."""
    return {path.stem: path for path in sorted((Path(folder) / ANSWERS).glob("*.jsonl"))}


class ChainBroken(DSADeblurError):
    """A file of answers was changed by something else than a session."""


def read_records(path: Path, definition: Definition) -> tuple[list[dict[str, Any]], bytes]:
    """Read a file of answers and check its chain.

    Returns:
        Its lines, and what is left of one that was never finished: a session was killed while it wrote it.

    Raises:
        ChainBroken: one sentence, where a line was changed, added or taken away, or is of another study.
        OSError: it cannot be read.
    """
    contents = read_regular(path, _LARGEST)
    *lines, rest = contents.split(b"\n")
    previous, records = definition.sha256, []
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
            good = isinstance(record, dict) and record["previous"] == previous
        except (ValueError, KeyError):
            good = False
        if not good:
            raise ChainBroken(
                f"Line {number} of {path.name} does not follow from the one before it: the answers were changed, "
                "or are of another study."
            )
        records.append(record)
        previous = hashlib.sha256(line).hexdigest()
    return records, rest


def last_answers(records: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The last answer to each item: a reader may go back and answer again."""
    return {record["item"]: record for record in records if record["kind"] == "answer"}


class AnswerFile:
    """The file of one reader, open to be added to by one session at a time: a context manager.

    A last line that was never finished is taken away and told of in the file and in `healed`.

    Raises:
        RequestError: the study is closed, or another session of this reader is open.
        ChainBroken: see `read_records`.
        OSError: it cannot be made, read or locked.
    """

    def __init__(self, folder: Path, reader: str, definition: Definition) -> None:
        self.path, self.healed = answers_path(folder, reader), 0
        if os.path.lexists(Path(folder) / CLOSED):
            raise RequestError("The study is closed: no answer can be added.")
        self.path.parent.mkdir(exist_ok=True)
        self._lock = _locked(self.path.with_name(f".{self.path.stem}.lock"))
        try:
            self._open(definition, reader_code(reader))
        except BaseException:
            os.close(self._lock)
            raise

    def _open(self, definition: Definition, reader: str) -> None:
        is_new = not os.path.lexists(self.path)
        if not is_plain_file(self.path, or_nothing=True):
            raise RequestError(f"{self.path} is no file; answers are written into a file only.")
        # Never cut at opening: appended to only, but for what was never finished.
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o644)
        try:
            self.records, rest = read_records(self.path, definition)
            end = os.fstat(self._file).st_size - len(rest)
            self._previous = self._hash_of_last(end) if self.records else definition.sha256
            if rest:
                os.ftruncate(self._file, end)
                self.healed = len(rest)
            if is_new:
                _sync_folder(self.path.parent)
            self.append("begin", reader=reader, software=definition.software)
            if rest:
                self.append("healed", bytes=len(rest))
        except BaseException:
            os.close(self._file)
            raise

    def _hash_of_last(self, end: int) -> str:
        last = read_regular(self.path, _LARGEST)[: end - 1].rsplit(b"\n", 1)[-1]
        return hashlib.sha256(last).hexdigest()

    def append(self, kind: str, **values: Any) -> dict[str, Any]:
        """Add one line; it is on the disk when this returns, or not there at all. Raises OSError."""
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        record = {"kind": kind, "at": now, **values, "previous": self._previous}
        line = canonical(record)
        before = os.fstat(self._file).st_size
        try:
            if os.write(self._file, line + b"\n") != len(line) + 1:
                raise OSError(f"The disk is full: the answer was not written to {self.path}.")
            os.fsync(self._file)
        except OSError:
            os.ftruncate(self._file, before)
            raise
        self._previous = hashlib.sha256(line).hexdigest()
        self.records.append(record)
        return record

    def close(self) -> None:
        """Let another session have it."""
        os.close(self._file)
        os.close(self._lock)

    def __enter__(self) -> AnswerFile:
        return self

    def __exit__(self, *_) -> None:
        self.close()


def _locked(path: Path) -> int:
    """A file that this process alone holds, until it is closed or the process dies.

    Without the package filelock, which a computer that only reads studies need not have.

    Raises:
        RequestError: another one holds it.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644)
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise RequestError(f"A session of {path.stem.lstrip('.')} is open already.") from error
    return handle


def _sync_folder(folder: Path) -> None:
    """A new file is there after a power cut only once its folder is on the disk; Windows has no such call."""
    if os.name != "nt":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
