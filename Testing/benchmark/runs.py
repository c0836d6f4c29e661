"""Whole runs: the time of each stage, what overlaps, peak memory, and cost against frames and pixels."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from DSADeblurLib.frame_file import FrameFile
from DSADeblurLib.request import DeblurSettings
from DSADeblurLib.restoration.deblur import deblur
from DSADeblurLib.restoration.network import RestorationNetwork
from DSADeblurLib.restoration.normalisation import fit_normalisation, from_working, to_working
from DSADeblurLib.restoration.package import Model, load_model
from DSADeblurLib.restoration.selection import Engines


class _Stopwatch:
    """Adds up the seconds of a method, whichever thread calls it."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self, run, *arguments):
        started = time.perf_counter()
        try:
            return run(*arguments)
        finally:
            self.seconds += time.perf_counter() - started


class _Frames:
    """A frame file whose reads and writes are timed."""

    def __init__(self, file: FrameFile) -> None:
        self._file, self.shape, self.dtype = file, file.shape, file.dtype
        self.reading, self.writing = _Stopwatch(), _Stopwatch()

    def __len__(self) -> int:
        return len(self._file)

    def __getitem__(self, index):
        return self.reading(self._file.__getitem__, index)

    def __setitem__(self, index, frame) -> None:
        self.writing(self._file.__setitem__, index, frame)


class _TimedEngine:
    """An engine whose runs are timed."""

    def __init__(self, engine, watch: _Stopwatch) -> None:
        self._engine, self._watch = engine, watch
        self.name, self.device, self.precision = engine.name, engine.device, engine.precision

    def run(self, tile, told=None):
        return self._watch(self._engine.run, tile, told)

    def memory_budget(self) -> int:
        return self._engine.memory_budget()


class _TimedEngines(Engines):
    def start(self, *arguments):
        engine, selection = super().start(*arguments)
        object.__setattr__(self, "watch", _Stopwatch())
        return _TimedEngine(engine, self.watch), selection


def stages(model: Model, count: int, side: int, device: str = "cpu") -> dict:
    """Seconds of each stage of a run of `count` frames on the engine that is chosen, and of the run as a whole."""
    engines = _TimedEngines()
    engines.start(model, device, "auto", "auto")  # the trial is not part of a run
    with tempfile.TemporaryDirectory() as folder:
        source_file = _stored_run(Path(folder), count, side)
        with FrameFile.open(source_file) as stored:
            with FrameFile.create(Path(folder) / "out.npy", stored.shape, stored.dtype) as written:
                source, out = _Frames(stored), _Frames(written)
                started = time.perf_counter()
                result = deblur(
                    source, model, DeblurSettings(device=device), relationship="LIN", out=out, engines=engines
                )
                wall = time.perf_counter() - started
                there, back = _conversions(stored, result.normalisation)
    seconds = {
        "read": source.reading.seconds,
        "to network values": there * count,
        "inference": engines.watch.seconds,
        "to stored values": back * count,
        "write": out.writing.seconds,
    }
    return {
        "model": model.card.name,
        "engine": f"{result.engine} {result.precision}",
        "reason": result.engine_reason,
        "frames": count,
        "side": side,
        "tile": result.tile,
        "stages": seconds,
        "sum": sum(seconds.values()),
        "wall": wall,
    }


def scaling(model: Model, counts: list[int], sides: list[int], rounds: int) -> dict:
    """Median seconds by number of frames (at the smallest side) and by side (one frame), in turns."""
    engines = Engines()
    cases = [("frames", count, sides[0]) for count in counts] + [("side", 1, side) for side in sides]
    taken: dict = {case: [] for case in cases}
    for case in cases:
        _deblur_noise(model, *case[1:], engines)
    for _ in range(rounds):
        for case in cases:
            started = time.perf_counter()
            _deblur_noise(model, *case[1:], engines)
            taken[case].append(time.perf_counter() - started)
    median = {case: float(np.median(seconds)) for case, seconds in taken.items()}
    return {
        "frames": {count: median["frames", count, sides[0]] for count in counts},
        "side": {side: median["side", 1, side] for side in sides},
    }


def batches(network: RestorationNetwork, counts: list[int], sides: list[int], rounds: int) -> dict:
    """Median seconds a frame where so many go through the network at once, by side, in turns: bfloat16, channels-last.

    A batch pays where it is faster than one frame after the other.
    """
    cases = [(side, count) for side in sides for count in counts]
    taken: dict = {case: [] for case in cases}
    told = torch.tensor([[4.0, 4.0, 0.2]]) if network.architecture.modulated else None
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        for _ in range(rounds + 1):
            for side, count in cases:
                frames = torch.zeros(count, network.architecture.frames, side, side)
                frames = frames.contiguous(memory_format=torch.channels_last)
                started = time.perf_counter()
                network(frames, None if told is None else told.expand(count, -1))
                taken[side, count].append((time.perf_counter() - started) / count)
    found: dict = {side: {} for side in sides}
    for (side, count), seconds in taken.items():
        found[side][count] = float(np.median(seconds[1:]))
    return found


def peak_memory(model: Model, engine: str, count: int, side: int) -> float:
    """MiB that a process of its own has at most while it restores `count` frames."""
    with tempfile.TemporaryDirectory() as folder:
        source = _stored_run(Path(folder), count, side)
        arguments = [str(model.card.folder), engine, str(source), str(Path(folder) / "out.npy")]
        done = subprocess.run([sys.executable, __file__, *arguments], capture_output=True, text=True, check=True)
    return float(done.stdout)


def _deblur_noise(model: Model, count: int, side: int, engines: Engines) -> None:
    frames = np.random.default_rng(0).normal(0, 0.1, (1, side, side)).astype(np.float32)
    frames = np.broadcast_to(frames, (count, side, side))
    deblur(frames, model, DeblurSettings(device="cpu"), out=_Nowhere((count, side, side)), engines=engines)


class _Nowhere:
    dtype = np.dtype(np.float32)

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.shape = shape

    def __setitem__(self, index, frame) -> None:
        pass


def _stored_run(folder: Path, count: int, side: int) -> Path:
    """A run of intensities in 16 bits."""
    path, rng = folder / "in.npy", np.random.default_rng(0)
    frame = rng.integers(500, 4000, (side, side), dtype=np.uint16)
    with FrameFile.create(path, (count, side, side), np.uint16) as file:
        for index in range(count):
            file[index] = frame + index
    return path


def _conversions(frames: FrameFile, scale) -> tuple[float, float]:
    """Median seconds to bring one frame to network values, and back."""
    there, back, frame = [], [], frames[0]
    scale = scale or fit_normalisation(frames, "LIN")
    for _ in range(7):
        started = time.perf_counter()
        values = scale.apply(to_working(frame, "LIN"))
        there.append(time.perf_counter() - started)
        started = time.perf_counter()
        from_working(scale.invert(values), "LIN", frame.dtype, 16)
        back.append(time.perf_counter() - started)
    return float(np.median(there)), float(np.median(back))


def _in_a_process_of_its_own(folder: str, engine: str, source: str, target: str) -> None:
    model = load_model(folder)
    model = model if engine == "openvino" else replace(model, export=None)
    with FrameFile.open(source) as frames, FrameFile.create(target, frames.shape, frames.dtype) as out:
        deblur(frames, model, DeblurSettings(device="cpu", engine=engine), relationship="LIN", out=out)
    print(_peak_of_this_process())


def _peak_of_this_process() -> float:
    """MiB. What Linux says through `resource` begins with the peak of the parent process."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1]) / 2**10
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    _in_a_process_of_its_own(*sys.argv[1:])
