"""manifest.json: every run looked at, composed from the records of all processes."""

from __future__ import annotations

import time

from DSADeblurLib.batch.folder import OutputFolder, Plan, key_of, read_json
from DSADeblurLib.batch.outcome import Outcome

MANIFEST = "manifest.json"
# A manifest of thousands of runs takes a while to write: at most this part of the time goes into it.
_SHARE = 1 / 10


def read_manifest(folder: OutputFolder) -> list[Outcome]:
    """The outcomes that the manifest lists; none if it is missing or damaged."""
    manifest = read_json(folder.path / MANIFEST)
    runs = manifest.get("runs") if isinstance(manifest, dict) else None
    outcomes = map(Outcome.from_dict, runs if isinstance(runs, list) else [])
    return [outcome for outcome in outcomes if outcome is not None]


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
        wanted = [done.get(key) for key in plan.runs.values()]
        runs = [vars(outcome) for outcome in wanted if outcome is not None and outcome.asked() == plan.asked]
        values = {"runs": runs, "waiting": len(wanted) - len(runs)}
        self._folder.write(self._folder.path / MANIFEST, values)
        now = time.monotonic()
        self._next = now + (now - began) / _SHARE

    def write_now_and_then(self) -> None:
        """As `write`, after each run, but not so often that it would take more than a small part of the time."""
        if time.monotonic() >= self._next:
            with self._folder.changing():
                self.write()

    def _outcomes(self) -> dict[str, Outcome | None]:
        """The records, by the runs' keys; only those that changed are read again."""
        found = {}
        for entry in self._folder.records():
            status = entry.stat()
            stamp = (status.st_mtime_ns, status.st_ino)
            before = self._read.get(entry.name)
            if before is None or before[0] != stamp:
                before = (stamp, Outcome.from_dict(read_json(self._folder.record(key_of(entry)))))
            found[entry.name] = before
        self._read = found
        return {name.removesuffix(".json"): outcome for name, (_, outcome) in found.items()}
