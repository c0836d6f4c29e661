"""Timings of this machine as ratios, in one interleaved run: `make benchmark`.

Every engine and precision on one frame of 1024 x 1024, against PyTorch as it comes (eager float32) and against the
floor: the time the network's operations would take at the largest rate of plain convolutions measured in the same
run. Then the whole chain by each engine, the stages of a long run, peak memory, and cost against frames and pixels.
Medians throughout; the load of the machine is recorded, and ratios of a loaded machine mean little. The figures of a
GPU come from `make gpu`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import warnings
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import torch
from chain import chains
from rich.console import Console
from rich.table import Table
from rows import Row, floor_rows, frame_rows, models
from runs import batches, peak_memory, scaling, stages
from tqdm import tqdm

from DSADeblurLib import __version__
from DSADeblurLib.extras import is_installed
from DSADeblurLib.restoration.installed import import_openvino


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--models", nargs="*", help="names, or beginnings of names; all without")
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=50, help="of the run whose stages are timed")
    parser.add_argument("--output", type=Path, default=Path("out/benchmark.json"))
    options = parser.parse_args()
    # torch.jit, which OpenVINO traces with, warns of its age.
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    console = Console(width=120)
    chosen = models(options.models)
    if not chosen:
        raise SystemExit("There is no model of that name.")
    report: dict = {"machine": machine(), "load before": os.getloadavg()}

    rows = floor_rows() + [row for model in chosen for row in frame_rows(model, options.side)]
    report["frame"], report["floor GFLOP/s"] = ratios(rows, timed(rows, options.rounds))
    print_frames(console, report)

    bundled = [model for model in chosen if model.card.folder is not None]
    if bundled:
        model = bundled[0]
        with console.status("The whole chain...") as status:
            report["chain"] = chains(model.card.name, (4, 24), options.side)
            status.update("Stages of a run...")
            report["stages"] = stages(model, options.frames, options.side)
            status.update("Frames at once...")
            report["batches"] = batches(model.network, [1, 2, 4], [256, 512, 1024], options.rounds)
            status.update("More frames, larger frames...")
            report["scaling"] = scaling(model, [5, 10, 20, 40], [256, 512, 1024, 2048], 3)
            status.update("Memory...")
            engines = ["torch", *(["openvino"] if model.export is not None and is_installed("openvino") else [])]
            report["peak MiB"] = {
                f"{engine}, {count} frames": peak_memory(model, engine, count, options.side)
                for engine in engines
                for count in (5, 25)
            }
        print_runs(console, report)
    report["load after"] = os.getloadavg()
    console.print(f"Load before and after: {report['load before'][0]:.1f}, {report['load after'][0]:.1f}")
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    console.print(f"Written to {options.output}")
    return 0


def machine() -> dict:
    """What the timings depend on."""
    names = [line.split(":")[1].strip() for line in _cpuinfo() if line.startswith("model name")]
    versions = {"torch": str(torch.__version__), "dsadeblur": __version__}
    if is_installed("openvino"):
        versions["openvino"] = import_openvino().get_version()
    return {
        "processor": names[0] if names else platform.processor(),
        "threads": torch.get_num_threads(),
        "system": platform.platform(),
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        **versions,
    }


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def timed(rows: list[Row], rounds: int) -> list[float]:
    """Median seconds of each, taken in turns after one round to warm up."""
    taken: list[list[float]] = [[] for _ in rows]
    for turn in tqdm(range(rounds + 1), desc="rounds of frames", unit="round"):
        for row, seconds in zip(rows, taken, strict=True):
            seconds.append(row.run())
        if turn == 0:
            taken = [[] for _ in rows]
    return [float(np.median(seconds)) for seconds in taken]


def ratios(rows: list[Row], seconds: list[float]) -> tuple[list[dict], dict[str, float]]:
    """One entry a frame row: milliseconds, times faster than eager, times slower than the floor of its precision."""
    floor: dict[str, float] = {}
    for row, took in zip(rows, seconds, strict=True):
        if row.name == "floor":
            floor[row.precision] = max(floor.get(row.precision, 0), row.operations / took)
    eager = {row.name: took for row, took in zip(rows, seconds, strict=True) if row.engine == "eager"}
    entries = [
        {
            "model": row.name,
            "engine": row.engine,
            "precision": row.precision,
            "GFLOP": row.operations / 1e9,
            "ms": 1000 * took,
            "faster than eager": eager[row.name] / took,
            "above floor": took * floor[row.precision] / row.operations,
        }
        for row, took in zip(rows, seconds, strict=True)
        if row.name != "floor"
    ]
    return entries, {precision: rate / 1e9 for precision, rate in floor.items()}


def print_frames(console: Console, report: dict) -> None:
    """The table of engines and precisions."""
    rates = ", ".join(f"{precision} {rate:.0f} GFLOP/s" for precision, rate in report["floor GFLOP/s"].items())
    table = Table(title=f"One frame; floor: {rates}")
    for heading in ("model", "engine", "precision"):
        table.add_column(heading)
    for heading in ("GFLOP", "ms", "x faster than eager", "x above floor"):
        table.add_column(heading, justify="right")
    for entry in report["frame"]:
        numbers = f"{entry['GFLOP']:.1f}", f"{entry['ms']:.1f}", f"{entry['faster than eager']:.2f}"
        table.add_row(entry["model"], entry["engine"], entry["precision"], *numbers, f"{entry['above floor']:.2f}")
    console.print(table)


def print_runs(console: Console, report: dict) -> None:
    """The whole chain, stages, scaling and memory."""
    run, scales = report["stages"], report["scaling"]
    for entry in report["chain"]:
        there = "with" if entry["PyTorch"] else "without"
        console.print(
            f"the whole chain by {entry['engine']}, {there} PyTorch there: {entry['seconds']:.1f} s for 4 frames, "
            f"{entry['ms a frame']:.0f} ms for each further one"
        )
    console.print(f"{run['frames']} frames of {run['side']}, {run['model']}, {run['engine']}: {run['reason']}")
    for stage, seconds in run["stages"].items():
        console.print(f"  {stage:18} {seconds:8.2f} s")
    console.print(f"  all, one by one    {run['sum']:8.2f} s\n  as it ran          {run['wall']:8.2f} s")
    per_frame = ", ".join(f"{count}: {1000 * took / int(count):.1f}" for count, took in scales["frames"].items())
    console.print(f"ms a frame by number of frames: {per_frame}")
    per_pixel = ", ".join(f"{side}: {1e9 * took / int(side) ** 2:.0f}" for side, took in scales["side"].items())
    console.print(f"ns a pixel by side of the frame: {per_pixel}")
    for side, taken in report["batches"].items():
        each = ", ".join(f"{count}: {1000 * took:.1f}" for count, took in taken.items())
        console.print(f"ms a frame of {side} by frames at once, torch bfloat16: {each}")
    console.print("peak MiB: " + ", ".join(f"{name}: {peak:.0f}" for name, peak in report["peak MiB"].items()))


if __name__ == "__main__":
    sys.exit(main())
