"""manifest.json: every run looked at, composed from what earlier batches left and the records of all processes."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable

from DSADeblurLib.atomic_write import put_in_place
from DSADeblurLib.batch.folder import OutputFolder, Plan, key_of, outcomes_in, read_json
from DSADeblurLib.batch.outcome import INTERRUPTED, Outcome, folded

MANIFEST = "manifest.json"
# A manifest of thousands of runs takes a while to write: at most this part of the time goes into it.
_SHARE = 1 / 10


def read_manifest(folder: OutputFolder) -> list[Outcome]:
    """The outcomes that the manifest lists; none if it is missing or damaged."""
    manifest = read_json(folder.path / MANIFEST)
    runs = manifest.get("runs") if isinstance(manifest, dict) else None
    return outcomes_in(runs if isinstance(runs, list) else [])


def set_foreign_manifest_aside(folder: OutputFolder) -> None:
    """Rename a file of the manifest's name that is none, or is damaged. Within `OutputFolder.changing`.

    Raises ValueError where a folder has that name.
    """
    path = folder.path / MANIFEST
    if not os.path.lexists(path) or path.is_symlink():
        return  # writing replaces a link itself
    if path.is_dir():
        raise ValueError(f"{path} is a folder; rename it, or choose another output folder.")
    manifest = read_json(path)
    if isinstance(manifest, dict) and isinstance(manifest.get("runs"), list):
        return
    number = 1
    while os.path.lexists(aside := folder.path / f"{MANIFEST}.{number}"):
        number += 1
    put_in_place(path, aside, replace=False)


def newest(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """The last word on each result and, for inputs that nothing later speaks of, on why there is none."""
    last: dict[tuple[str, str], Outcome] = {}
    for outcome in outcomes:
        without = ("", outcome.input)
        name = (folded(outcome.key), "") if outcome.key is not None else without
        for one in (without, name):
            last.pop(one, None)
        last[name] = outcome
    return list(last.values())


class Manifest:
    """Writes the manifest of a folder; remembers the records that it has read."""

    def __init__(self, folder: OutputFolder) -> None:
        self._folder = folder
        self._read: dict[str, tuple[tuple[int, int], Outcome | None]] = {}
        self._next = 0.0

    def write(self) -> None:
        """Compose it anew. Within `OutputFolder.changing`. Raises OSError; then the older one stays."""
        began = time.monotonic()
        plan, done = self._folder.plan() or Plan({}, {}), self._outcomes()
        order = {key: number for number, key in enumerate(plan.runs.values())}
        records = [one for key in sorted(done, key=lambda key: order.get(key, -1)) if (one := done[key]) is not None]
        earlier = [outcome for outcome in plan.earlier if outcome.key is not None or outcome.input not in plan.runs]
        runs = [vars(outcome) for outcome in newest([*earlier, *records]) if not self._is_under_way(outcome)]
        waiting = sum(not _is_done(done.get(key), plan.fingerprint) for key in order)
        self._folder.write(self._folder.path / MANIFEST, {"runs": runs, "waiting": waiting})
        now = time.monotonic()
        self._next = now + (now - began) / _SHARE

    def write_now_and_then(self) -> None:
        """As `write`, after each run, but not so often that it would take more than a small part of the time."""
        if time.monotonic() >= self._next:
            with self._folder.changing():
                self.write()

    def _is_under_way(self, outcome: Outcome) -> bool:
        return outcome.error == INTERRUPTED and outcome.key is not None and self._folder.is_claimed(outcome.key)

    def _outcomes(self) -> dict[str, Outcome | None]:
        """The records, by the runs' keys; only those that changed are read again."""
        found = {}
        for entry in self._folder.records():
            status = entry.stat(follow_symlinks=False)
            stamp = (status.st_mtime_ns, status.st_ino)
            before = self._read.get(entry.name)
            if before is None or before[0] != stamp:
                before = (stamp, self._folder.recorded(key_of(entry)))
            found[entry.name] = before
        self._read = found
        return {name.removesuffix(".json"): outcome for name, (_, outcome) in found.items()}


def _is_done(outcome: Outcome | None, fingerprint: dict) -> bool:
    return outcome is not None and outcome.error != INTERRUPTED and outcome.fingerprint() == fingerprint
