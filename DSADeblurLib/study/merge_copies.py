"""Join the answers of copies of a study, in which several readers worked."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from DSADeblurLib.atomic_write import atomic_write
from DSADeblurLib.regular_file import read_regular
from DSADeblurLib.request import RequestError
from DSADeblurLib.study.answer_file import answer_files, answers_path, read_records
from DSADeblurLib.study.definition import CLOSED, Definition, read_definition

_LARGEST = 2**28


def merge_copies(folder: Path, copies: Sequence[Path]) -> list[str]:
    """Bring the answers of copies into a study; all is looked at before anything is written.

    Of a reader who worked in several copies one after the other the longest file is taken, if the others are how it
    begins.

    Returns:
        The readers whose answers were added or grew.

    Raises:
        RequestError: one sentence; a copy is of another study, or a reader answered differently in two copies.
        ChainBroken: see `answer_file.read_records`.
    """
    definition = read_definition(folder)
    if os.path.lexists(Path(folder) / CLOSED):
        raise RequestError("The study is closed: no answer can be added.")
    longest: dict[str, tuple[bytes, Path]] = {}
    for copy in (folder, *copies):
        if read_definition(copy).sha256 != definition.sha256:
            raise RequestError(f"{copy} is a copy of another study.")
        for reader, path in answer_files(copy).items():
            lines = _whole_lines(path, definition)
            known, where = longest.get(reader, (b"", path))
            if not (lines.startswith(known) or known.startswith(lines)):
                raise RequestError(f"Reader {reader} answered in {where.parent.parent} and otherwise in {copy}.")
            if len(lines) > len(known):
                longest[reader] = lines, path
    grown = [reader for reader, (_, path) in longest.items() if path != answers_path(folder, reader)]
    for reader in grown:
        with atomic_write(answers_path(folder, reader), replace=True) as unfinished:
            unfinished.write_bytes(longest[reader][0])
    return sorted(grown)


def _whole_lines(path: Path, definition: Definition) -> bytes:
    _, rest = read_records(path, definition)
    contents = read_regular(path, _LARGEST)
    return contents[: len(contents) - len(rest)]
