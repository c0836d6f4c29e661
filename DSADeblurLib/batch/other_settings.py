"""What was made with other settings goes into folders of its own: nobody finds results of two settings in one."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

from DSADeblurLib.atomic_write import is_plain_file, put_in_place
from DSADeblurLib.batch.folder import OutputFolder
from DSADeblurLib.batch.manifest import MANIFEST
from DSADeblurLib.batch.outcome import RESULTS, Outcome

ASIDE = "other-settings-"


def set_other_settings_aside(
    folder: OutputFolder, left: list[Outcome], fingerprint: dict
) -> tuple[list[Outcome], list[str]]:
    """Move results of other settings, and their pictures, aside. Within `OutputFolder.changing`.

    Args:
        folder: of the batch.
        left: what earlier batches left there.
        fingerprint: of the settings that stay, see `Outcome.fingerprint`.

    Returns:
        What is left of them, and a sentence for each folder that was made. Failures alone are forgotten.

    Raises:
        OSError: they cannot be moved; what was moved by then is listed in both manifests.
    """
    groups: dict[str, list[Outcome]] = {}
    for outcome in left:
        if outcome.fingerprint() != fingerprint:
            groups.setdefault(json.dumps(outcome.fingerprint(), sort_keys=True), []).append(outcome)
    sentences = []
    for outcomes in groups.values():
        keys = [outcome.key for outcome in outcomes if outcome.key is not None]
        if keys:
            aside = _move(folder, outcomes, keys)
            sentences.append(f"Of {len(keys)} runs there were results of other settings; they are in {aside} now.")
    return [outcome for outcome in left if outcome.fingerprint() == fingerprint], sentences


def _move(folder: OutputFolder, outcomes: list[Outcome], keys: list[str]) -> Path:
    number = 1
    while os.path.lexists(aside := folder.path / f"{ASIDE}{number}"):
        number += 1
    aside.mkdir()
    moved = [
        one if one.key is None else replace(one, output=str(aside / Path(one.output or "").name)) for one in outcomes
    ]
    # First of all, so that whatever is killed, each result is listed where it lies.
    folder.write(aside / MANIFEST, {"runs": [vars(outcome) for outcome in moved], "waiting": 0})
    for name in (f"{key}{suffix}" for key in keys for suffix in RESULTS):
        if is_plain_file(folder.path / name):
            put_in_place(folder.path / name, aside / name, replace=False)
    return aside
