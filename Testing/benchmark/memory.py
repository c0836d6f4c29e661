"""Peak resident memory of reading, subtracting and writing a long run, each case in a fresh process.

Exit code 1 when a case fails or needs 1 GB or more.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path

from rich.console import Console
from rich.table import Table
from source import write_source

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 1e9
SOURCES = ("uncompressed", "jpeg-ls")
COMPRESSIONS = ("none", "jpeg-ls", "jpeg-2000", "rle")

# What one process does. The true peak is kept by Linux only; elsewhere the samples taken between frames have to do.
SCRIPT = """
import pathlib, re, sys
sys.path.insert(0, sys.argv[1])
import psutil
from DSADeblurLib.xa import Provenance, plan_subtraction, read_run, subtract, write_derived
source, target, kind, compression = sys.argv[2:]
run = read_run(source)
plan, frames, numbers = None, run.frames, range(1, run.number_of_frames + 1)
if kind == "subtracted":
    plan = plan_subtraction(run, "always")
    frames, numbers = subtract(run.frames, plan, run.relationship), plan.contrast_frames
write_derived(target, run, frames, frame_numbers=numbers, provenance=Provenance("memory", "", "0"), plan=plan,
              compression=compression)
status = pathlib.Path("/proc/self/status")
true = re.search(r"VmHWM:\\s+(\\d+) kB", status.read_text()) if status.exists() else None
info = psutil.Process().memory_info()
print(int(true[1]) * 1024 if true else getattr(info, "peak_wset", info.rss))
"""


def peak_of(source: Path, target: Path, kind: str, compression: str) -> int | str:
    """Return the peak resident memory in bytes of one process, or why it failed."""
    command = [sys.executable, "-c", SCRIPT, ROOT, source, target, kind, compression]
    done = subprocess.run([str(one) for one in command], capture_output=True, text=True)
    return int(done.stdout) if done.returncode == 0 else done.stderr.strip().splitlines()[-1]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--size", type=int, default=1024, help="rows and columns")
    chosen = parser.parse_args(arguments)
    data = chosen.frames * chosen.size**2 * 2
    table = Table(
        "source",
        "result",
        "compression",
        "peak memory",
        "seconds",
        "file",
        title=f"{chosen.frames} frames of {chosen.size} x {chosen.size} at 16 bit, {data / 1e6:.0f} MB",
    )
    too_much = 0
    with tempfile.TemporaryDirectory() as folder:
        for syntax in SOURCES:
            source, target = Path(folder) / f"{syntax}.dcm", Path(folder) / "derived.dcm"
            write_source(source, chosen.frames, chosen.size, syntax)
            for kind, compression in product(("native", "subtracted"), COMPRESSIONS):
                started = time.perf_counter()
                peak = peak_of(source, target, kind, compression)
                seconds = f"{time.perf_counter() - started:.0f}"
                if isinstance(peak, str):
                    table.add_row(syntax, kind, compression, f"[red]failed: {peak}[/red]", seconds, "")
                    too_much += 1
                    continue
                colour = "green" if peak < LIMIT else "red"
                too_much += peak >= LIMIT
                table.add_row(
                    syntax,
                    kind,
                    compression,
                    f"[{colour}]{peak / 1e6:.0f} MB[/{colour}]",
                    seconds,
                    f"{target.stat().st_size / 1e6:.0f} MB",
                )
                target.unlink()
            source.unlink()
    Console(width=None if sys.stdout.isatty() else 120).print(table)
    return 1 if too_much else 0


if __name__ == "__main__":
    sys.exit(main())
