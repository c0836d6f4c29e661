"""What became of one run: the entry of the manifest, and whether it still holds."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields
from pathlib import Path

from DSADeblurLib.pipeline import PICTURES

SUFFIX = "_deblurred.dcm"
RESULTS = (SUFFIX, *(SUFFIX.replace("dcm", kind) for kind in PICTURES))


@dataclass(frozen=True)
class Job:
    """One run to be done: the absolute path of its file, and the name of its result without `SUFFIX`."""

    input: str
    key: str


@dataclass(frozen=True)
class Outcome:
    """One file looked at: what became of it. `error` is None when all went well; `skipped` says why a file that is
    whole is nothing to be deblurred.

    `software`, `model`, `model_sha256` and `settings` say what was asked. Sizes are in bytes, the time of the input's
    last change in nanoseconds; by these a later call sees whether the result still is that of this input.
    """

    input: str
    output: str | None = None
    software: str | None = None
    model: str | None = None
    model_sha256: str | None = None
    settings: dict = field(default_factory=dict)
    frames: list[int] = field(default_factory=list)
    seconds: float | None = None
    error: str | None = None
    skipped: str | None = None
    warnings: list[str] = field(default_factory=list)
    input_bytes: int | None = None
    input_changed_ns: int | None = None
    output_bytes: int | None = None

    @property
    def succeeded(self) -> bool:
        """Whether there is a result."""
        return self.error is None and self.skipped is None

    @classmethod
    def from_dict(cls, values: object) -> Outcome | None:
        """Inverse of `vars`, for what a file says; None if that is no outcome. Unknown names are left out."""
        if not isinstance(values, dict) or not isinstance(values.get("input"), str):
            return None
        known = {one.name for one in fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in known})

    def asked(self) -> dict:
        """What makes two results of one input the same."""
        return {name: getattr(self, name) for name in ("software", "model", "model_sha256", "settings")}

    def still_holds(self, folder: Path, asked: dict) -> bool:
        """Whether this is the good result of what is asked now: same input, and its output is there in full."""
        if not self.succeeded or not isinstance(self.output, str) or self.asked() != asked:
            return False
        try:
            there = os.stat(folder / Path(self.output).name).st_size
            return self.output_bytes == there and input_identity(self.input) == self.identity()
        except (OSError, ValueError):
            return False

    def identity(self) -> dict:
        """What was noted of the input before it was read."""
        return {"input_bytes": self.input_bytes, "input_changed_ns": self.input_changed_ns}


def input_identity(path: str) -> dict:
    """Size and time of the last change of a file; raises OSError."""
    status = os.stat(path)
    return {"input_bytes": status.st_size, "input_changed_ns": status.st_mtime_ns}
