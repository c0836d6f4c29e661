"""Close a study, and check whether anything changed since it was created, or closed."""

from __future__ import annotations

import hmac
import json
import os
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from DSADeblurLib.atomic_write import atomic_write
from DSADeblurLib.errors import DSADeblurError
from DSADeblurLib.regular_file import read_regular, sha256_of
from DSADeblurLib.request import RequestError
from DSADeblurLib.study.answer_file import answer_files, last_answers, read_records
from DSADeblurLib.study.canonical import canonical
from DSADeblurLib.study.definition import CLOSED, Definition, changed_images, read_definition
from DSADeblurLib.study.study_key import StudyKey, read_key

_LARGEST = 2**20


@dataclass(frozen=True)
class Checked:
    """What a check found: what is wrong, and items answered by reader; `closed` is when, None while it is open."""

    problems: list[str]
    answered: dict[str, int]
    items: int
    closed: str | None


def kept_seal_path(key_path: Path) -> Path:
    """Where a second copy of the seal lies, beside the key."""
    return key_path.with_name(f"{key_path.stem}-{CLOSED}")


def close_study(folder: Path, key_path: Path) -> str:
    """Seal the answers as they are; sessions and merges refuse the study from then on.

    The seal is an HMAC with the key's secret over the hashes of definition, key and answers. So nobody without the key
    can change an answer and seal anew, and the copy beside the key shows where a seal was taken away.

    Returns:
        The seal, to be written down.

    Raises:
        RequestError: one sentence; it is closed already, or something is wrong with it.
    """
    definition = read_definition(folder)
    key = read_key(key_path, definition)
    for path in (Path(folder) / CLOSED, kept_seal_path(key_path)):
        if os.path.lexists(path):
            raise RequestError(f"The study is closed already: there is {path}.")
    found = _look(folder, definition)
    if found.problems:
        raise RequestError(found.problems[0])
    if not found.answered:
        raise RequestError("Nobody has answered anything; there is nothing to close.")
    contents = {
        "study": definition.study,
        "definition_sha256": definition.sha256,
        "key_sha256": key.sha256,
        "closed_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "answers_sha256": {reader: sha256_of(path) for reader, path in answer_files(folder).items()},
        "answered": found.answered,
        "items": found.items,
    }
    seal = _seal(contents, key)
    text = json.dumps({**contents, "seal": seal}, indent=1) + "\n"
    for path in (kept_seal_path(key_path), Path(folder) / CLOSED):
        with atomic_write(path, replace=False) as unfinished:
            unfinished.write_text(text, encoding="utf-8")
    return seal


def check_study(folder: Path, key_path: Path | None = None) -> Checked:
    """Look at images, chains of answers and, with the key, at the seal.

    Raises:
        RequestError: the definition is changed or missing, or the key is that of another study.
    """
    definition = read_definition(folder)
    key = None if key_path is None else read_key(key_path, definition)
    found = _look(folder, definition)
    problems = list(found.problems)
    path, kept = Path(folder) / CLOSED, None if key_path is None else kept_seal_path(key_path)
    if not os.path.lexists(path):
        if kept is not None and os.path.lexists(kept):
            problems.append(f"The study was closed, as {kept} says, and {CLOSED} is gone.")
        return Checked(problems, found.answered, found.items, None)
    closed = _read_closed(path)
    now = {reader: sha256_of(one) for reader, one in answer_files(folder).items()}
    then = closed.get("answers_sha256", {})
    for reader in sorted({*now, *then}):
        if now.get(reader) != then.get(reader):
            problems.append(f"The answers of reader {reader} are not those that were closed.")
    if closed.get("definition_sha256") != definition.sha256:
        problems.append("The study that was closed had another definition.")
    if key is not None and kept is not None:
        contents = {name: value for name, value in closed.items() if name != "seal"}
        if not hmac.compare_digest(str(closed.get("seal")), _seal(contents, key)):
            problems.append(f"{CLOSED} was changed, or sealed without the key.")
        if not os.path.lexists(kept) or _read_closed(kept) != closed:
            problems.append(f"{CLOSED} is not the one that lies beside the key.")
    return Checked(problems, found.answered, found.items, closed.get("closed_at"))


def _look(folder: Path, definition: Definition) -> Checked:
    problems, answered = [], {}
    if changed := changed_images(folder, definition):
        problems.append(f"{len(changed)} images are missing or changed: {changed[0]} for instance.")
    for reader, path in answer_files(folder).items():
        try:
            records, rest = read_records(path, definition)
        except (DSADeblurError, OSError) as error:
            problems.append(str(error))
            continue
        if rest:
            problems.append(
                f"The last line of {path.name} is not finished; open a session of {reader}, which heals it."
            )
        answered[reader] = len(last_answers(records))
    return Checked(problems, answered, len(definition.items), None)


def _read_closed(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(read_regular(path, _LARGEST))
        return values if isinstance(values, dict) else {}
    except (OSError, ValueError):
        return {}


def _seal(contents: dict[str, Any], key: StudyKey) -> str:
    return hmac.new(bytes.fromhex(key.secret), canonical(contents), "sha256").hexdigest()
