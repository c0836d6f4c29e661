"""What the verb deidentify copies, and the file beside the copies that tells which copy is whose."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

from DSADeblurLib.atomic_write import write_new
from DSADeblurLib.batch.folder import OutputFolder
from DSADeblurLib.batch.manifest import MANIFEST, read_manifest
from DSADeblurLib.request import RequestError


def find_originals(inputs: Iterable[str | os.PathLike], output: str | os.PathLike) -> dict[Path, str]:
    """Return the files to be copied, in order, each with the sentence why it must not be, or "".

    Of a folder with a manifest these are the results that it lists as done and that are still what it tells of; of
    another folder all files *.dcm. A file that is missing is among them, because the others can be copied.

    Args:
        inputs: files and folders.
        output: the folder for the copies, which holds no original.

    Raises:
        RequestError: one sentence, where there is nothing to be copied, or originals lie in `output`.
    """
    found: dict[Path, str] = {}
    for path in map(Path, map(os.path.abspath, inputs)):
        if not path.is_dir():
            found.setdefault(path, "")
        elif (path / MANIFEST).is_file():
            found.update(_listed(OutputFolder(path)))
        else:
            inside = sorted(one for one in path.rglob("*.dcm") if Path(output).resolve() not in one.resolve().parents)
            found.update(dict.fromkeys(inside, ""))
    if not any(map(os.path.lexists, found)):
        raise RequestError("There is no result among the inputs.")
    if any(path.resolve().parent == Path(output).resolve() for path in found):
        raise RequestError(f"{output} holds originals: the copies need a folder of their own.")
    return found


def _listed(folder: OutputFolder) -> dict[Path, str]:
    results = {}
    for outcome in read_manifest(folder):
        if outcome.succeeded and outcome.key is not None:
            path = folder.result(outcome.key)
            other = path.is_file() and not outcome.has_its_output(folder.path)
            results[path] = f"This is not the result that {MANIFEST} tells of; deblur the run again." if other else ""
    return results


class MappingFile:
    """A new file that only its owner may read: one JSON object a line, the original and its copy.

    A line is written as soon as its copy is there, so that also a call that is cut off leaves none without one. Lines
    of JSON, not CSV: a patient's name that begins with = is a formula in a table.

    Args:
        folder: where it lies, under a name that nothing has yet.
        output: the folder of the copies, which is handed on: the file must not lie in it.

    Raises:
        RequestError: one sentence, where it would.
        OSError: it cannot be made.
    """

    def __init__(self, folder: str | os.PathLike, output: str | os.PathLike) -> None:
        inside, outside = Path(output).resolve(), Path(folder).resolve()
        if outside.is_relative_to(inside):
            raise RequestError(f"The mapping tells who the patients are and must not lie in {output}; see --mapping.")
        outside.mkdir(parents=True, exist_ok=True)
        self.path, _ = write_new(outside, f"{inside.name}-mapping", ".jsonl", _make_private)
        self._file = open(self.path, "a", encoding="utf-8", errors="backslashreplace", opener=_open_no_link)
        self._empty = True

    def add(self, mapping: dict) -> None:
        """Append one line. Raises OSError."""
        self._file.write(json.dumps(mapping, ensure_ascii=False) + "\n")
        self._file.flush()
        self._empty = False

    def __enter__(self) -> MappingFile:
        return self

    def __exit__(self, *exception) -> None:
        self._file.close()
        if self._empty:
            self.path.unlink()


def _open_no_link(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0))


def _make_private(path: Path) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
