"""The key of a study: which image is which arm, and whose. It lies apart from what a reader opens."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from DSADeblurLib.atomic_write import atomic_write
from DSADeblurLib.request import RequestError
from DSADeblurLib.study.canonical import digest, read_with_digest, with_digest
from DSADeblurLib.study.definition import Definition

FORMAT, VERSION = "DSADeblur reader study key", 1


@dataclass(frozen=True)
class KeyArm:
    """An arm: its name, what was asked for it and by which model; the first one of a study is the original."""

    name: str
    request: dict[str, Any]
    model: str
    model_sha256: str


@dataclass(frozen=True)
class KeyCase:
    """A case: whose run, and the arm of each image; `used` says by arm what was used for it."""

    name: str
    patient: str
    group: str
    files: tuple[str, ...]
    sha256: str
    images: dict[str, str]
    used: dict[str, dict]


@dataclass(frozen=True)
class StudyKey:
    """All of a key; `secret` makes its hash unguessable and seals a closed study."""

    study: str
    secret: str
    arms: tuple[KeyArm, ...]
    cases: tuple[KeyCase, ...]

    @property
    def original(self) -> str:
        """The arm that the others are compared with."""
        return self.arms[0].name

    def as_dict(self) -> dict[str, Any]:
        """Values of JSON's types by name."""
        cases = [{**asdict(one), "files": list(one.files)} for one in self.cases]
        arms = [asdict(one) for one in self.arms]
        return {
            **{"format": FORMAT, "version": VERSION, "study": self.study, "secret": self.secret},
            **{"arms": arms, "cases": cases},
        }

    @property
    def sha256(self) -> str:
        """The hash that the definition names."""
        return digest(self.as_dict())

    def case(self, name: str) -> KeyCase:
        """The case of that name. Raises KeyError."""
        return {one.name: one for one in self.cases}[name]

    def write(self, path: Path) -> None:
        """Write it to a new file that only its owner may read. Raises OSError, FileExistsError too."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path, replace=False) as unfinished:
            os.chmod(unfinished, 0o600)
            unfinished.write_text(with_digest(self.as_dict()), encoding="utf-8")


def default_key_path(folder: Path) -> Path:
    """Where the key of a study's folder lies, if nothing else is said: beside it."""
    folder = Path(os.path.abspath(folder))
    return folder.with_name(f"{folder.name}-key.json")


def read_key(path: Path, definition: Definition) -> StudyKey:
    """Read the key of a study.

    Raises:
        RequestError: one sentence, where there is none, it was changed, or it is that of another study.
    """
    values = read_with_digest(path, FORMAT, VERSION)
    try:
        arms = tuple(KeyArm(**one) for one in values["arms"])
        cases = tuple(KeyCase(**{**one, "files": tuple(one["files"])}) for one in values["cases"])
        key = StudyKey(values["study"], values["secret"], arms, cases)
    except (KeyError, TypeError) as error:
        raise RequestError(f"{path} is no key of this software: {error}.") from error
    if key.sha256 != definition.key_sha256:
        raise RequestError(f"{path} is the key of another study.")
    return key
