"""A step that needs no network: it writes its input backwards, in two halves, and notes what it does.

As a program it does one batch: batchsteps.py INPUT OUTPUT LOG [resume] [workers=N] [scheduler=ADDRESS] [gate=FILE]
[together=N] [strength=X]
"""

import errno
import json
import os
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from DSADeblurLib.batch import HIDDEN, MANIFEST, SUFFIX, Batch, Outcome, run_batch
from DSADeblurLib.parent_process import when_gone

PATIENCE = 600  # seconds after which a test has failed, on the busiest machine too


@dataclass(frozen=True)
class Backwards:
    """Waits in the middle of a run until the file `gate` exists and so many processes have begun, if so told.

    Every process notes its number and the run in `log`, at the beginning and at the end of each run. Inputs that
    contain the word fail give an error, such with the word die end the process, with the word full they fill the disk.
    """

    log: str
    gate: str | None = None
    together: int = 1
    strength: float = 1.0

    def fingerprint(self) -> dict:
        return {"software": "1", "model_sha256": "00", "request": {"strength": self.strength}}

    def __call__(self, files, output, progress=None, threads=None) -> Outcome:
        source = files[0]
        self._note("begin", source, threads)
        data = b"".join(path.read_bytes() for path in files)[::-1]
        with open(output, "wb", buffering=0) as file:
            file.write(data[: len(data) // 2])
            until(lambda: self.gate is None or os.path.exists(self.gate))
            until(lambda: self.together == 1 or len(processes_begun(Path(self.log))) >= self.together)
            if b"eid" in data:
                os._exit(9)
            if b"lluf" in data:
                raise OSError(errno.ENOSPC, "No space left on device")
            file.write(data[len(data) // 2 :])
        self._note("end", source, threads)
        error = "This run cannot be done." if b"liaf" in data else None
        used = None if error else {"model": "backwards", "frame_numbers": [1], "seconds": 0.0}
        return Outcome(str(source), **self.fingerprint(), used=used, error=error)

    def _note(self, what: str, source: Path, threads) -> None:
        line = json.dumps({"what": what, "run": str(source), "pid": os.getpid(), "threads": threads}) + "\n"
        descriptor = os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(descriptor, line.encode())
        os.close(descriptor)


def until(condition, patience: float = PATIENCE) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.002)


def notes(log: Path, what: str) -> list[dict]:
    """The lines of a log, complete ones only."""
    lines = log.read_text().splitlines(keepends=True) if log.exists() else []
    return [note for line in lines if line.endswith("\n") and (note := json.loads(line))["what"] == what]


def processes_begun(log: Path) -> set[int]:
    """The processes that have begun a run."""
    return {note["pid"] for note in notes(log, "begin")}


def times_done(log: Path) -> Counter:
    """How often each run came to its end."""
    return Counter(note["run"] for note in notes(log, "end"))


def recorded(out: Path) -> set[str]:
    """The inputs that manifest or records say are done well."""
    files = [*(out / HIDDEN / "runs").glob("*.json")]
    entries = [json.loads(path.read_text()) for path in files]
    if (out / MANIFEST).exists():
        entries += json.loads((out / MANIFEST).read_text())["runs"]
    return {entry["input"] for entry in entries if entry["error"] is None}


def check_nothing_is_half_written(out: Path) -> None:
    """Whatever is visible is whole: each result is an input backwards, each entry of the manifest has its result."""
    for path in out.glob(f"*{SUFFIX}") if out.exists() else ():
        data = path.read_bytes()
        assert len(data) == 3000 and data == data[:4] * 750
    if (out / MANIFEST).exists():
        for entry in json.loads((out / MANIFEST).read_text())["runs"]:
            assert Path(entry["output"]).read_bytes() == Path(entry["input"]).read_bytes()[::-1]


def check_all_done(out: Path, inputs: Path) -> None:
    """Each input has its result, the manifest lists all of them once and in order, and nothing else is left."""
    manifest = json.loads((out / MANIFEST).read_text())
    assert manifest["waiting"] == 0
    assert [entry["input"] for entry in manifest["runs"]] == sorted(map(str, inputs.rglob("*.dcm")))
    assert len({entry["output"] for entry in manifest["runs"]}) == len(manifest["runs"])
    check_nothing_is_half_written(out)
    assert len(list(out.iterdir())) == len(manifest["runs"]) + 1


def main() -> int:
    when_gone(lambda: os._exit(1))  # the test was killed
    source, out, log, *more = sys.argv[1:]
    told = dict(word.partition("=")[::2] for word in more)
    step = Backwards(log, told.get("gate"), int(told.get("together", 1)), float(told.get("strength", 1)))
    batch = Batch("resume" in told, int(told.get("workers", 1)), told.get("scheduler"))
    outcomes = run_batch([source], Path(out), step, batch)
    return int(any(outcome.error for outcome in outcomes))


if __name__ == "__main__":
    import batchsteps  # so that other processes know the step by a name that they can import

    try:
        raise SystemExit(batchsteps.main())
    except KeyboardInterrupt:
        print("Cancelled.", file=sys.stderr)
        raise SystemExit(130) from None
