"""Timings of a GPU, written after each: `make gpu` runs it, on the processor in small for a rehearsal.

The floor is the time that a network's operations take at the largest rate of plain convolutions of the same run. Then
every bundled model on one frame, in every way that a GPU may run it; whole runs from file to file; and how far that is
from the targets.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "Testing" / "benchmark")]

import torch  # noqa: E402
from runs import stages  # noqa: E402
from source import write_source  # noqa: E402
from variants import (  # noqa: E402
    FLOOR_SHAPES,
    engine_with_copies,
    forward,
    median_seconds,
    plain_convolutions,
    recorded,
)

from DSADeblurLib.atomic_write import atomic_write  # noqa: E402
from DSADeblurLib.pipeline import deblur_run  # noqa: E402
from DSADeblurLib.request import DeblurRequest  # noqa: E402
from DSADeblurLib.restoration.device_choice import choose_device  # noqa: E402
from DSADeblurLib.restoration.network import operations_per_pixel  # noqa: E402
from DSADeblurLib.restoration.package import load_model  # noqa: E402
from DSADeblurLib.xa import read_run  # noqa: E402

MODELS = ("compact", "quality", "sequence", "paper-small")
FRAMES_A_SECOND = {"compact": 60, "quality": 15}
ABOVE_FLOOR = 2.0
# For a compiler that may lack a part, or take its time.
COMPILER_SECONDS = 30.0


class Report:
    """What was found so far; the file is written anew after each finding, because the next may be the last."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.found: dict = {"machine": {}, "floor TFLOP/s": {}, "frame": [], "run": [], "targets": [], "failures": []}

    def add(self, part: str, entry: dict) -> None:
        self.found[part].append(entry)
        print(part, *(f"{key} {_short(value)}" for key, value in entry.items()), sep="  ", flush=True)
        self.write()

    def attempt(self, what: str, work: Callable[[], None]) -> None:
        """Do it; what fails on this machine is told, and the rest goes on."""
        try:
            work()
        except Exception as error:  # of the driver, the compiler, the memory: each is a finding
            lines = str(error).strip().splitlines() or [""]
            self.add("failures", {"what": what, "why": f"{type(error).__name__}: {lines[-1][:300]}"})

    def write(self) -> None:
        with atomic_write(self._path, replace=True) as unfinished:
            unfinished.write_text(json.dumps(self.found, indent=1) + "\n", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", required=True, choices=("cuda", "cpu"))
    parser.add_argument("--output", required=True, type=Path, help="JSON file")
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--frames", type=int, default=100, help="of the runs from file to file")
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--seconds", type=float, default=120.0, help="that there are for all of it")
    parser.add_argument("--compiled", metavar="MODEL", help="time this model compiled, print seconds, and end")
    options = parser.parse_args()
    ends = time.monotonic() + options.seconds
    choose_device(options.device)
    half = "float16" if options.device == "cuda" else "float32"
    # Where a processor stands for a GPU, half precision may take longer than all the rest.
    precisions = dict.fromkeys((half, "bfloat16", "float32") if options.device == "cuda" else (half,))
    if options.compiled:
        print(compiled_seconds(options.compiled, options.device, half, options.side, options.rounds))
        return 0
    report = Report(options.output)
    report.found["machine"] = machine(options.device)
    report.attempt("floor", partial(floor, report, options, precisions))
    models = [load_model(name) for name in options.models]
    for model in models:
        frames(report, options, model, half, precisions)
    for model in models:
        report.attempt(f"run {model.card.name}", partial(run, report, options, model))
    targets(report, half)
    for model in models[:2] if options.device == "cuda" else models[-1:]:
        seconds = min(COMPILER_SECONDS, ends - time.monotonic() - 5)
        report.attempt(f"{model.card.name} compiled", partial(compiled, report, options, model, half, seconds))
    report.write()
    return 0 if report.found["frame"] and report.found["run"] else 1


def machine(device: str) -> dict:
    """What the timings depend on."""
    found = {"torch": str(torch.__version__), "processors": os.cpu_count(), "threads": torch.get_num_threads()}
    if device == "cuda":
        properties = torch.cuda.get_device_properties(0)
        found |= {
            "gpu": properties.name, "multiprocessors": properties.multi_processor_count,
            "memory GiB": properties.total_memory / 2**30, "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
        }  # fmt: skip
    return found


def floor(report: Report, options: argparse.Namespace, precisions: Iterable[str]) -> None:
    """The largest rate of plain convolutions in each precision."""
    for precision in precisions:
        for channels, side in FLOOR_SHAPES:
            side = side * options.side // 1024
            stack, operations = plain_convolutions(options.device, precision, channels, side)
            rate = operations / median_seconds(stack, options.device, options.rounds) / 1e12
            best = report.found["floor TFLOP/s"]
            best[precision] = max(best.get(precision, 0.0), rate)
    print("floor TFLOP/s", report.found["floor TFLOP/s"], flush=True)
    report.write()


def frames(report: Report, options: argparse.Namespace, model, half: str, precisions: Iterable[str]) -> None:
    """One frame in every way; the first is what `TorchEngine` does."""
    network, device, side = model.network, options.device, options.side
    here = partial(forward, network, device, side=side)
    ways = {
        (half, "channels-last"): lambda: here(half),
        (half, "with copies"): lambda: engine_with_copies(network, device, half, side),
        (half, "eager"): lambda: here(half, channels_last=False),
        (half, "weights cast once"): lambda: here(half, cast_once=True),
        (half, "graph"): lambda: recorded(here(half)),
        (half, "graph, weights cast once"): lambda: recorded(here(half, cast_once=True)),
        ("bfloat16", "channels-last"): lambda: here("bfloat16"),
        ("float32", "channels-last"): lambda: here("float32"),
    }
    for (precision, way), build in ways.items():
        if precision not in precisions or (way.startswith("graph") and device != "cuda"):
            continue
        report.attempt(
            f"{model.card.name} {precision} {way}",
            lambda precision=precision, way=way, build=build: add_frame(
                report, options, model, precision, way, median_seconds(build(), device, options.rounds)
            ),
        )
    report.attempt(f"{model.card.name} autotuned", partial(autotuned, report, options, model, half))


def autotuned(report: Report, options: argparse.Namespace, model, half: str) -> None:
    """With cuDNN's own trial of its algorithms, whose time counts once for each shape."""
    with torch.backends.cudnn.flags(enabled=True, benchmark=True):
        started = time.perf_counter()
        run = forward(model.network, options.device, half, options.side, cast_once=True)
        run()
        if options.device == "cuda":
            torch.cuda.synchronize()
        first = time.perf_counter() - started
        seconds = median_seconds(run, options.device, options.rounds)
    add_frame(report, options, model, half, "autotuned, weights cast once", seconds, first_call_s=first)


def add_frame(report: Report, options: argparse.Namespace, model, precision: str, way: str, seconds: float, **more):
    operations = operations_per_pixel(model.network) * options.side**2
    rate = report.found["floor TFLOP/s"].get(precision)
    above = seconds * rate * 1e12 / operations if rate else None
    entry = {"model": model.card.name, "precision": precision, "way": way, "ms": 1000 * seconds}
    report.add("frame", {**entry, "GFLOP": operations / 1e9, "above floor": above, **more})


def run(report: Report, options: argparse.Namespace, model) -> None:
    """A run of DICOM frames, read, restored and written: frames a second, where they go, and the GPU's memory."""
    with tempfile.TemporaryDirectory() as folder:
        source, output = Path(folder) / "in.dcm", Path(folder) / "out.dcm"
        write_source(source, options.frames, options.side, "uncompressed")
        for count in (min(3, options.frames), options.frames):  # the first few warm up
            if options.device == "cuda":
                torch.cuda.empty_cache()
                torch.cuda.reset_peak_memory_stats()
            started = time.perf_counter()
            with read_run(source) as opened:
                request = DeblurRequest.of(device=options.device, subtract="never", frame_range=(1, count))
                used, notices = deblur_run(opened, model, output, request)
            seconds = time.perf_counter() - started
    peak = torch.cuda.max_memory_reserved() / 2**20 if options.device == "cuda" else None
    parts = stages(model, options.frames, options.side, options.device)
    report.add("run", {
        "model": model.card.name, "precision": used.precision, "device": used.device, "tile": used.tile,
        "frames": options.frames, "frames a second": options.frames / seconds, "peak MiB": peak,
        "notices": list(notices),
        "ms a frame by part": {part: 1000 * took / options.frames for part, took in parts["stages"].items()},
        "ms a frame without files of DICOM": 1000 * parts["wall"] / options.frames,
    })  # fmt: skip


def compiled(report: Report, options: argparse.Namespace, model, half: str, seconds: float) -> None:
    """In a process of its own, which is ended when it takes too long."""
    command = [
        sys.executable, __file__, "--compiled", model.card.name, "--device", options.device,
        "--output", options.output, "--side", options.side, "--rounds", options.rounds,
    ]  # fmt: skip
    if seconds < 1:
        raise TimeoutError("no time was left")
    try:
        done = subprocess.run([str(one) for one in command], capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"the compiler took more than {seconds:.0f} s") from None
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or ["it died without a word"])[-1])
    add_frame(report, options, model, half, "compiled, weights cast once", float(done.stdout.split()[-1]))


def compiled_seconds(name: str, device: str, half: str, side: int, rounds: int) -> float:
    # In a rehearsal the compiler's front end alone: the rest takes minutes of a processor.
    compiler = "inductor" if device == "cuda" else "aot_eager"
    network = load_model(name).network
    return median_seconds(forward(network, device, half, side, cast_once=True, compiler=compiler), device, rounds)


def targets(report: Report, half: str) -> None:
    """Those of the whole run and of the network, with what was found."""
    speeds = {entry["model"]: entry["frames a second"] for entry in report.found["run"]}
    for name, wanted in FRAMES_A_SECOND.items():
        if name in speeds:
            met = speeds[name] >= wanted
            report.add("targets", {"what": f"{name}, frames a second >= {wanted}", "found": speeds[name], "met": met})
    for name in speeds:
        above = [one["above floor"] for one in report.found["frame"]
                 if (one["model"], one["precision"], one["way"]) == (name, half, "channels-last")]  # fmt: skip
        if above and above[0] is not None:
            what = f"{name}, network above the floor <= {ABOVE_FLOOR:g}"
            report.add("targets", {"what": what, "found": above[0], "met": above[0] <= ABOVE_FLOOR})


def _short(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_short(item)}" for key, item in value.items())
    return f"{value:.3g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.exit(main())
