"""What a machine with a GPU is asked for, within a given time: `make gpu`. Plain Python, and no network.

Tests, benchmark and training run one after the other, each in a process group of its own that is ended at its bound,
and each writes what it finds at once. On the processor (`--device cpu`) everything runs in small, as a rehearsal.

Files of the folder, at most eight, each below 16 MiB: summary.json (how each stage ended), log.txt (all that was
printed), benchmark.json, training.jsonl (the training's log), gains.json and model.tar.gz, the model package; a package
that is larger comes in parts, which `cat model.tar.gz.*` joins.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
WHEELS = ROOT / "wheels"
# What is too large to be carried along.
EXPECTED = ("torch", "numpy", "scipy", "skimage", "PIL")
STAGE_SECONDS = 120.0
STAGE_SHARE = 0.3
# For validating and packaging what was trained, at most a quarter of all.
AFTER_SECONDS = 60.0
# Between being asked to end and being ended.
GRACE_SECONDS = 5.0
LARGEST_FILE = 15 * 2**20
LARGEST_PARTS = 3


@dataclass(frozen=True)
class Size:
    """Arguments that decide how much the stages do."""

    tests: tuple[str, ...] = ()
    benchmark: tuple[str, ...] = ()
    gains: tuple[str, ...] = ()


WHOLE = Size()
SMALL = Size(
    benchmark=("--side", "64", "--rounds", "1", "--frames", "3"), gains=("--scenes", "1", "--size", "192"),
)  # fmt: skip
# As good as nothing, but by every stage.
SMALLEST = Size(
    tests=("-k", "kernel or weights"),
    benchmark=("--side", "32", "--rounds", "1", "--frames", "2", "--models", "paper-small"),
    gains=("--scenes", "1", "--size", "96"),
)


@dataclass
class Outcome:
    """How a stage ended: 'well', or what went wrong in a few words; and what is worth a line."""

    stage: str
    ended: str
    seconds: float
    words: list[str] = field(default_factory=list)


class Stages:
    """The stages of one call, and what they share: when it ends, where results go, and what Python finds."""

    def __init__(self, options: argparse.Namespace, scratch: Path, began: float) -> None:
        self.options, self.scratch = options, scratch
        self.total = 60 * options.minutes
        self.ends = began + self.total
        self.out: Path = options.out
        self.log = self.out / "log.txt"
        self.outcomes: list[Outcome] = []
        paths = [str(scratch / "site"), str(ROOT), os.environ.get("PYTHONPATH", "")]
        self.environment = {
            **os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1",
            "DSADEBLUR_DEVICE": options.device, "TMPDIR": str(scratch),
        }  # fmt: skip
        self.size = SMALLEST if options.smallest else WHOLE if options.device == "cuda" else SMALL

    def left(self) -> float:
        """Seconds until everything has to have ended, with something kept for the end itself."""
        return self.ends - time.monotonic() - 2.0

    def bound(self) -> float:
        """Seconds of a stage that is not the training."""
        return max(0.0, min(STAGE_SECONDS, STAGE_SHARE * self.total, self.left()))

    def setup(self) -> tuple[str, list[str]]:
        """Packages that this Python lacks, from the wheels."""
        absent = [name for name in EXPECTED if importlib.util.find_spec(name) is None]
        if absent:
            return f"this Python lacks {', '.join(absent)}", []
        wheels = lacking(WHEELS)
        if not wheels:
            return "well", ["nothing is lacking"]
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-compile"]
        ended, _ = self.run([*command, "--target", self.scratch / "site", *wheels], self.bound())
        return ended, [wheel.name.split("-")[0] for wheel in wheels]

    def tests(self) -> tuple[str, list[str]]:
        """The checks of the CUDA path."""
        command = [sys.executable, "-m", "pytest", HERE / "test_cuda.py", "--confcutdir", HERE, "-q"]
        ended, lines = self.run([*command, "-p", "no:cacheprovider", "--durations=5", *self.size.tests], self.bound())
        return ended, lines[-1:]

    def benchmark(self) -> tuple[str, list[str]]:
        """Times of every model, and the targets."""
        output = self.out / "benchmark.json"
        bound = self.bound()
        command = [sys.executable, HERE / "benchmark.py", "--device", self.options.device, "--output", output]
        ended, _ = self.run([*command, "--seconds", bound - 2 * GRACE_SECONDS, *self.size.benchmark], bound)
        found = read_json(output)
        words = [f"{one['what']}: {one['found']:.3g}" for one in found.get("targets", [])]
        return ended, words + [f"failed: {one['what']}: {one['why']}" for one in found.get("failures", [])]

    def training(self) -> tuple[str, list[str]]:
        """As long a training as the time allows, its package, and its gains beside those of others."""
        after = min(AFTER_SECONDS, self.total / 4)
        learning, folder = self.left() - after, self.scratch / "training"
        if learning < 5:
            return "no time was left", []
        python = [sys.executable, "-m", "DSADeblurLib.cli", "train", "--recipe", self.options.recipe]
        command = [
            *python, "--output", folder, "--device", self.options.device, "--minutes", f"{learning / 60:.3f}",
            "--workers", max(1, min(16, (os.cpu_count() or 1) - 1)), *self.options.train_options,
        ]  # fmt: skip
        gains = self.out / "gains.json"
        compare = [sys.executable, HERE / "gains.py", "--device", self.options.device, "--output", gains]
        with self.group([*compare, *self.size.gains], stdin=subprocess.PIPE) as comparing:
            # A training that is asked to end leaves a package, if it is given a little time for it.
            ended, lines = self.run(command, self.left() - after / 4, grace=after / 4)
            if (folder / "log.jsonl").is_file():
                shutil.copyfile(folder / "log.jsonl", self.out / "training.jsonl")
            model = b""
            if (folder / "model" / "card.json").is_file():
                pack(folder / "model", self.out)
                model = f"{folder / 'model'}\n".encode()
            elif ended == "well":
                ended = "there is no model package"
            with contextlib.suppress(subprocess.TimeoutExpired, OSError):
                comparing.communicate(model, timeout=max(0.0, self.left()))
        words = [line for line in lines if line.startswith(("Stopped early", "dsadeblur:"))]
        return ended, words + mean_gains(read_json(gains))

    def do(self, name: str) -> None:
        """One stage, which may fail in any way; how it ended is written at once."""
        began = time.monotonic()
        with open(self.log, "a", encoding="utf-8") as log:
            log.write(f"\n===== {name}, {self.left():.0f} s left\n")
        try:
            ended, words = getattr(self, name)()
        except (OSError, ValueError, tarfile.TarError) as error:
            ended, words = f"{type(error).__name__}: {error}", []
        outcome = Outcome(name, ended, round(time.monotonic() - began, 1), words)
        self.outcomes.append(outcome)
        print(f"{name}: {ended}, {outcome.seconds:.0f} s", *(f"    {word}" for word in words), sep="\n", flush=True)
        shorten(self.log)
        values = {"options": vars(self.options), "stages": [asdict(one) for one in self.outcomes]}
        text = json.dumps(values, indent=1, default=str)
        (self.out / "summary.json").write_text(text + "\n", encoding="utf-8")

    def run(self, command: list, seconds: float, grace: float = GRACE_SECONDS) -> tuple[str, list[str]]:
        """A command with its children, ended after so many seconds: how it ended, and the lines that it printed."""
        before, grace = self.log.stat().st_size, min(grace, seconds / 3)
        with self.group(command) as process:
            try:
                code = process.wait(max(0.1, seconds - grace))
                ended = "well" if code == 0 else f"failed ({code})"
            except subprocess.TimeoutExpired:
                end(process, signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(grace)
                ended = f"stopped after {seconds:.0f} s"
        with open(self.log, "rb") as log:
            log.seek(before)
            text = log.read().decode(errors="replace")
        return ended, [line for line in re.split(r"[\r\n]+", text) if line.strip()]

    @contextlib.contextmanager
    def group(self, command: list, stdin: int = subprocess.DEVNULL):
        """A process that leads a group of its own, of which nothing is left afterwards."""
        with open(self.log, "ab") as log:
            process = subprocess.Popen(
                [str(word) for word in command], cwd=ROOT, env=self.environment, stdin=stdin, stdout=log,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        try:
            yield process
        finally:
            end(process, signal.SIGKILL)
            # What hangs in the driver of a GPU cannot even be killed; it is not waited for.
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(1)


def end(process: subprocess.Popen, number: int) -> None:
    """Send a signal to its group, whether or not the leader is still there."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def lacking(folder: Path) -> list[Path]:
    """The wheels whose packages this Python does not have, or only in a version that is too old."""
    text = (HERE / "wheels.txt").read_text(encoding="utf-8")
    least = {name: _numbers(version) for name, version in re.findall(r"^([\w-]+)>=([\d.]+)$", text, re.MULTILINE)}
    found = []
    for wheel in sorted(folder.glob("*.whl")):
        name = wheel.name.split("-")[0]
        try:
            if _numbers(metadata.version(name)) < least.get(name.replace("_", "-").lower(), ()):
                found.append(wheel)
        except metadata.PackageNotFoundError:
            found.append(wheel)
    return found


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.split("+")[0]))


def pack(package: Path, out: Path) -> None:
    """The package as model.tar.gz, in parts where it is too large for one file; ValueError for too many."""
    path = out / "model.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(package, "model")
    if path.stat().st_size <= LARGEST_FILE:
        return
    data = path.read_bytes()
    path.unlink()
    parts = [data[first : first + LARGEST_FILE] for first in range(0, len(data), LARGEST_FILE)]
    if len(parts) > LARGEST_PARTS:
        raise ValueError(f"The model package has {len(data) / 2**20:.0f} MiB, which is too large to be brought back.")
    for number, part in enumerate(parts, start=1):
        (out / f"{path.name}.{number}").write_bytes(part)


def shorten(log: Path) -> None:
    """Keep the end of a log that has become too long."""
    if log.stat().st_size > LARGEST_FILE:
        log.write_bytes(log.read_bytes()[-LARGEST_FILE // 2 :])


def read_json(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def mean_gains(found: dict) -> list[str]:
    """A line a model: the mean over the conditions, without those near edges."""
    lines = []
    for name, entry in found.items():
        gains = [gain for condition, gain in entry["psnr_gain_db"].items() if not condition.endswith(" edge")]
        lines.append(f"gain of {name}: {sum(gains) / len(gains):+.2f} dB")
    return lines


def main(arguments: list[str] | None = None) -> int:
    began = time.monotonic()
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", required=True, type=float, help="everything ends within this time")
    parser.add_argument("--device", required=True, choices=("cuda", "cpu"))
    parser.add_argument("--recipe", required=True, help="of the training")
    parser.add_argument("--out", required=True, type=Path, help="folder for the results")
    parser.add_argument("--smallest", action="store_true", help="do as good as nothing, but by every stage")
    parser.add_argument("train_options", nargs="*", help="further options of the training, after --")
    options = parser.parse_args(arguments)
    options.out = options.out.resolve()
    options.out.mkdir(parents=True, exist_ok=True)
    for name in ("summary.json", "log.txt", "benchmark.json", "training.jsonl", "gains.json"):
        (options.out / name).unlink(missing_ok=True)
    for former in options.out.glob("model.tar.gz*"):
        former.unlink()

    def over(number, _):
        raise SystemExit(f"{signal.Signals(number).name}: what was found so far is in {options.out}.")

    # Whoever stops this call, and its own clock, end what runs.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
        signal.signal(number, over)
    signal.setitimer(signal.ITIMER_REAL, max(1.0, 60 * options.minutes))
    with tempfile.TemporaryDirectory(prefix="dsadeblur-gpu-", ignore_cleanup_errors=True) as scratch:
        stages = Stages(options, Path(scratch), began)
        stages.log.touch()
        for name in ("setup", "tests", "benchmark", "training"):
            stages.do(name)
            if name == "setup" and stages.outcomes[-1].ended != "well":
                break
    signal.setitimer(signal.ITIMER_REAL, 0)
    seconds = time.monotonic() - began
    print(f"{seconds:.0f} of {60 * options.minutes:.0f} s; results in {options.out}")
    return 0 if all(one.ended == "well" for one in stages.outcomes) and len(stages.outcomes) == 4 else 1


if __name__ == "__main__":
    sys.exit(main())
