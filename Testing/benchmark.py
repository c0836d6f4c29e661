"""Timings on this machine: simulated pairs a second, and deblurring of one 1024 x 1024 frame: `make benchmark`."""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
# Beside this file lies a folder of tests that is called like the library.
sys.path[0] = str(ROOT)
from DSADeblurLib.restoration.deblur import deblur  # noqa: E402
from DSADeblurLib.restoration.package import load_model  # noqa: E402
from DSADeblurLib.restoration.settings import DeblurSettings  # noqa: E402
from DSADeblurLib.simulation.sets import SceneCache, generator  # noqa: E402
from DSADeblurLib.training.batches import training_pair  # noqa: E402
from DSADeblurLib.training.recipes import COMPACT  # noqa: E402


def pairs_a_second(repeats: int = 40) -> float:
    """Pairs of 1024 x 1024 a second on one core, from cached scenes, in regions as training takes them."""
    with tempfile.TemporaryDirectory() as folder:
        cache = SceneCache(Path(folder), 4)
        rng = generator("train", 0, 0)
        for index in range(cache.count):
            cache.region(index, slice(0, 1), slice(0, 1))
        started = time.perf_counter()
        for _ in range(repeats):
            training_pair(cache, COMPACT.region, rng)
        seconds = time.perf_counter() - started
    return repeats * COMPACT.region**2 / 1024**2 / seconds


def milliseconds_a_frame(device: str, precision: str, repeats: int = 5) -> float:
    """Best of several, one frame of 1024 x 1024, bundled model."""
    model = load_model("compact")
    frames = np.random.default_rng(0).normal(0, 0.1, (1, 1024, 1024)).astype(np.float32)
    settings = DeblurSettings(device=device, precision=precision)
    deblur(frames, model, settings)
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        deblur(frames, model, settings)
        times.append(time.perf_counter() - started)
    return 1000 * min(times)


def main() -> int:
    print(f"simulated pairs of 1024 x 1024 a second and core, cached scenes: {pairs_a_second():.1f}")
    devices = ["cpu"] + (["cuda"] if torch.cuda.is_available() else [])
    for device in devices:
        for precision in ("float32", "bfloat16") if device == "cpu" else ("float32", "float16"):
            threads = f", {torch.get_num_threads()} threads" if device == "cpu" else ""
            took = milliseconds_a_frame(device, precision)
            print(f"one frame of 1024 x 1024, compact, {device}{threads}, {precision}: {took:.0f} ms")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
