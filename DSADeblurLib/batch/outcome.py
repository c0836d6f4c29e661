"""What became of one run: the entry of the manifest, and whether it still holds."""

from __future__ import annotations

import hashlib
import io
import os
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import get_type_hints

from DSADeblurLib.regular_file import open_regular, sha256_of
from DSADeblurLib.request import MARKED, PICTURES

SUFFIX = "_deblurred.dcm"
_HEAD_BYTES = 2**16
RESULTS = (SUFFIX, SUFFIX.replace(".dcm", MARKED), *(SUFFIX.replace("dcm", kind) for kind in PICTURES))
# The error of a run while its result is put in place: if the process dies then, what lies there belongs to the run,
# but nobody knows whether it is the older result or the new one, nor whether its pictures fit.
INTERRUPTED = "The process was ended while it put the result in place; call again."


@dataclass(frozen=True)
class Job:
    """One run to be done: the absolute paths of its files in order, and the name of its result without `SUFFIX`.

    `replaces` says that a result of that name may be replaced: because it is this input's own, if the input still has
    this `identity` when it is read (as `input_identity`), or whosever it is, where that is None.
    """

    files: tuple[str, ...]
    key: str
    replaces: bool = False
    identity: tuple[int, int, str] | None = None

    @property
    def input(self) -> str:
        """The first file, by which the run goes."""
        return self.files[0]

    def may_replace(self, identity: dict) -> bool:
        """Whether the result of an input that was read with this identity may replace one of the same name."""
        return self.replaces and self.identity in (None, tuple(identity.values()))


@dataclass(frozen=True)
class Outcome:
    """One run looked at: what became of it, the entry of the manifest.

    Attributes:
        input, output: absolute paths; no output where there is no result.
        files: of a run of several one-frame files all of them, in order, `input` first; else none.
        software, model_sha256, request: what was fingerprint, see `fingerprint`.
        used: what was used for the result, see `used.Used`.
        error: one sentence; None when all went well.
        skipped: why a file that is whole is nothing to be deblurred.
        warnings: sentences about the run and its result.
        input_bytes, output_bytes: sizes; what is said of the input is of all its files, one behind the other.
        input_changed_ns: time of the input's last change in nanoseconds, of several files the sum of them.
        input_head_sha256: of the first 64 KiB of each file. By these a later call sees whether the input still is this
            one.
        input_sha256, output_sha256: of the whole files. By them it knows an input that was only touched, and whether
            the result still is the one that was written.
    """

    input: str
    output: str | None = None
    software: str | None = None
    model_sha256: str | None = None
    request: dict = field(default_factory=dict)
    used: dict | None = None
    error: str | None = None
    skipped: str | None = None
    warnings: list[str] = field(default_factory=list)
    input_bytes: int | None = None
    input_changed_ns: int | None = None
    input_head_sha256: str | None = None
    input_sha256: str | None = None
    output_bytes: int | None = None
    output_sha256: str | None = None
    files: list[str] = field(default_factory=list)

    @property
    def all_files(self) -> tuple[str, ...]:
        """The files of the run, one or several, in order."""
        return tuple(self.files) or (self.input,)

    @property
    def succeeded(self) -> bool:
        """Whether there is a result."""
        return self.error is None and self.skipped is None

    @property
    def key(self) -> str | None:
        """The name of its result without `SUFFIX`; None if it names none.

        What has an error and names a result nevertheless tells that what lies there is its own and not good.
        """
        name = os.path.basename(self.output) if isinstance(self.output, str) else ""
        key = name.removesuffix(SUFFIX)
        return key if key != name and is_key(key) else None

    @classmethod
    def from_dict(cls, values: object) -> Outcome | None:
        """Inverse of `vars`, for what a file says; None if that is no outcome. Unknown names are left out."""
        if not isinstance(values, dict):
            return None
        known = {name: value for name, value in values.items() if name in _KINDS}
        if "input" not in known or not all(_is_of(value, _KINDS[name]) for name, value in known.items()):
            return None
        return cls(**known)

    def fingerprint(self) -> dict:
        """What makes two results of one input the same."""
        return {name: getattr(self, name) for name in ("software", "model_sha256", "request")}

    def has_its_output(self, folder: Path) -> bool:
        """Whether the result in the folder is, to the last byte, the one that was written."""
        path = folder / f"{self.key}{SUFFIX}"
        return self.output_bytes == size_of(path) and self.output_sha256 == sha256_of(path) is not None

    def identity(self) -> dict:
        """What was noted of the input before it was read."""
        return {name: getattr(self, name) for name in ("input_bytes", "input_changed_ns", "input_head_sha256")}

    def is_of_what_lies_there(self) -> bool:
        """Whether the input is the file that it was: another one may lie at the same path now."""
        return self.identity() == input_identity(self.all_files) != {}

    def of_what_lies_there(self, verify: bool) -> Outcome | None:
        """This of the file that lies at the path now, if its bytes are those of then; else None.

        A file that was only touched has the same. Of one that was not, no more than the head is read without `verify`.
        """
        now = input_identity(self.all_files)
        touched = now | {"input_changed_ns": self.input_changed_ns} == self.identity() != now
        if now != self.identity() and not touched:
            return None
        if (touched or verify) and self.input_sha256 != sha256_of(*self.all_files):
            return None
        return replace(self, **now)


_KINDS = get_type_hints(Outcome)


def _is_of(value: object, kind) -> bool:
    if kind == list[str]:
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    return isinstance(value, kind)


def size_of(path: Path) -> int | None:
    """The size of a file, or of a link itself; None if there is none."""
    try:
        return os.lstat(path).st_size
    except OSError:
        return None


def input_identity(paths: Sequence[str]) -> dict:
    """Size, time of the last change and hash of the heads of the files of a run; nothing if one is not there.

    Copies may keep times, and runs of one device have one size: whose image it is, is said in the head. Of several
    files the times are added up: the sum changes with each of them.
    """
    size, changed, heads = 0, 0, hashlib.sha256()
    try:
        for path in paths:
            with open_regular(path) as file:
                status = os.fstat(file.fileno())
                heads.update(io.BufferedReader(file).read(_HEAD_BYTES))
            size, changed = size + status.st_size, changed + status.st_mtime_ns
    except (OSError, ValueError):
        return {}
    return {"input_bytes": size, "input_changed_ns": changed, "input_head_sha256": heads.hexdigest()}


def folded(name: str) -> str:
    """The same for all names that Windows or macOS take for the same file."""
    return unicodedata.normalize("NFC", name).casefold()


def is_key(name: object) -> bool:
    """Whether this can be a run's key: a file name in its folder and nothing else, for folders are removed by it."""
    return isinstance(name, str) and name == os.path.basename(name) and name.strip(".") != "" and "\0" not in name
