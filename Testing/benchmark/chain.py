"""The whole chain as a user calls it: a file read, subtracted, deblurred and written, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from DSADeblurLib.extras import is_installed
from DSADeblurLib.lab.simulation.xa_object import write_simulated_run

_MASKS = 2
# PyTorch is hidden as it is hidden from a process that does not have it.
_COMMAND = "import sys\n{hide}from DSADeblurLib.cli import main\nsys.exit(main())"
_HIDE = "sys.modules['torch'] = None\n"


def chains(model: str, counts: tuple[int, int], side: int) -> list[dict]:
    """Seconds of subtracted runs of two lengths by each engine; the difference tells what a frame takes.

    Args:
        model: name of a bundled one.
        counts: frames of the two runs.
        side: rows and columns.

    Returns:
        An entry for each engine: its name, whether PyTorch was there, seconds of the shorter run, ms a further frame.
    """
    ways = [("torch", True)] if is_installed("torch") else []
    ways += [("openvino", hidden) for hidden in (True, False)] if is_installed("openvino") else []
    found = []
    with tempfile.TemporaryDirectory() as folder:
        runs = [_run(Path(folder) / f"{count}.dcm", count, side) for count in counts]
        for engine, with_torch in ways:
            short, long = (_seconds(run, model, engine, with_torch) for run in runs)
            each = (long - short) / (counts[1] - counts[0])
            found.append({"engine": engine, "PyTorch": with_torch, "seconds": short, "ms a frame": 1000 * each})
    return found


def _run(path: Path, count: int, side: int) -> Path:
    rng = np.random.default_rng(0)
    frame = rng.normal(2000, 30, (side, side))
    frames = np.stack([frame + rng.normal(0, 5) for _ in range(count)]).astype(np.uint16)
    write_simulated_run(
        path, frames, frame_time_ms=250.0, focal_spot_mm=1.0, sid_mm=1100.0, sod_mm=733.0,
        imager_pixel_spacing_mm=0.2, mask_frames=range(1, _MASKS + 1),
    )  # fmt: skip
    return path


def _seconds(run: Path, model: str, engine: str, with_torch: bool) -> float:
    code = _COMMAND.format(hide="" if with_torch else _HIDE)
    choices = ["--model", model, "--engine", engine, "--device", "cpu", "--subtract", "always"]
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-c", code, "deblur", str(run), "--output", out, *choices]
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        return time.perf_counter() - started
