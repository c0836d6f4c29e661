"""The CUDA path on a GPU. Where there is none the same checks run on the processor, so that none is run unseen."""

import contextlib
import json
import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from DSADeblurLib.lab.training.batched_operators import SPOT_SIZE
from DSADeblurLib.lab.training.checkpoint import load_checkpoint, save_checkpoint
from DSADeblurLib.lab.training.data_parallel import Process
from DSADeblurLib.lab.training.pool import Patches
from DSADeblurLib.lab.training.recipes import COMPACT
from DSADeblurLib.lab.training.trainer import Session
from DSADeblurLib.request import DeblurRequest, DeblurSettings
from DSADeblurLib.restoration.deblur import DeblurCancelled, deblur
from DSADeblurLib.restoration.device_choice import choose_device
from DSADeblurLib.restoration.engine import Choice
from DSADeblurLib.restoration.package import vessels_on_a_slope
from DSADeblurLib.restoration.selection import TOLERANCES, trial_tile
from DSADeblurLib.restoration.torch_engine import TorchEngine, probe_kernel

pytestmark = [pytest.mark.cuda, pytest.mark.slow]
ROOT = Path(__file__).resolve().parents[2]
# The network's own output, so that nothing hides how far off it is.
ON_GPU = DeblurSettings(device="cuda", engine="torch", noise_reduction=1.0, uniform_noise_reduction=True)
TOLD = np.array((4.0, 4.0, 0.2), np.float32)


def frames_of(count: int, side: int) -> np.ndarray:
    """Optical densities, each frame with noise of its own."""
    return 1 + vessels_on_a_slope((count, side, side), depth=0.6, noise=0.03, seed=1)


def told_to(network) -> np.ndarray | None:
    return TOLD if network.architecture.modulated else None


def assert_close(found: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    """As the trial of engines judges, see `selection.TOLERANCES`."""
    assert found.shape == expected.shape and np.isfinite(found).all()
    difference = np.abs(found - expected) / np.ptp(expected)
    assert np.percentile(difference, 99) <= tolerance and difference.max() <= 3 * tolerance


def test_a_kernel_that_computes_rightly_makes_the_device_usable(gpu):
    assert probe_kernel(gpu.device)
    expected = Choice("cuda", f"{gpu.name} passed a test convolution.")
    assert choose_device("auto", gpu.engines().probe) == choose_device("cuda", gpu.engines().probe) == expected


@pytest.mark.parametrize("precision", TOLERANCES)
def test_every_model_gives_what_float32_on_the_processor_gives(gpu, model, precision):
    tile, told = trial_tile(model.architecture), told_to(model.network)
    expected = TorchEngine(model.network).run(tile, told)
    assert_close(gpu.engine(model.network, precision).run(tile, told), expected, TOLERANCES[precision])


def test_left_to_itself_a_run_takes_the_gpu_in_float16(gpu, compact):
    result = deblur(frames_of(2, gpu.side), compact, engines=gpu.engines())
    assert (result.device, result.engine, result.precision, result.notices) == ("cuda", "torch", "float16", ())


def test_tiles_give_what_the_whole_frame_gives(gpu, model):
    frames = frames_of(2, gpu.side)
    whole = deblur(frames, model, ON_GPU, engines=gpu.engines())
    tiled = deblur(frames, model, replace(ON_GPU, tile=gpu.side // 2), engines=gpu.engines())
    assert whole.tile is None and tiled.tile == gpu.side // 2
    assert_close(tiled.frames, whole.frames, TOLERANCES["float16"])


def test_tiles_become_smaller_until_they_fit(gpu, compact):
    side = max(4 * gpu.side, 384)  # a quarter with its halo is less than the whole
    frames, told = frames_of(1, side), told_to(compact.network)
    whole = deblur(frames, compact, ON_GPU, engines=gpu.engines())
    engine = gpu.engine(compact.network, "float16")
    # Between what the whole frame takes and what a quarter of its side with the halo takes.
    read = side // 4 + 2 * compact.network.receptive_radius
    large, small = (gpu.peak_of(engine, frames[0, :size, :size], told) for size in (side, read))
    del engine
    with gpu.limited((large + 3 * small) // 4):
        result = deblur(frames, compact, ON_GPU, engines=gpu.engines())
    assert result.device == "cuda" and result.tile in (side // 2, side // 4, side // 8)
    assert result.notices[0] == f"The memory of the GPU was too small; tiles of {side // 2} pixels are used."
    assert_close(result.frames, whole.frames, TOLERANCES["float16"])
    assert deblur(frames, compact, ON_GPU, engines=gpu.engines()).tile is None  # the limit has gone


LEFT = "The memory of the GPU was too small even for small tiles; the CPU is used."


def test_a_gpu_without_memory_for_any_tile_is_left(gpu, compact):
    """Its memory ends when the weights are there."""
    frames = frames_of(1, gpu.side)
    with contextlib.ExitStack() as stack:

        def build(network, precision):
            engine = gpu.engine(network, precision)
            stack.enter_context(gpu.limited(torch.cuda.memory_allocated() if gpu.is_real else 0))
            return engine

        result = deblur(frames, compact, ON_GPU, engines=gpu.engines(build))
    assert result.device == "cpu" and result.notices[-1] == LEFT and result.precision != "float16"
    whole = deblur(frames, compact, ON_GPU, engines=gpu.engines())
    assert_close(result.frames, whole.frames, TOLERANCES["bfloat16"])


def test_a_gpu_without_memory_for_the_weights_is_left(gpu, compact, monkeypatch):
    frames = frames_of(1, gpu.side)
    if not gpu.is_real:

        def to(*_, **__):
            monkeypatch.undo()
            raise torch.cuda.OutOfMemoryError("CUDA out of memory.")

        monkeypatch.setattr(torch.nn.Module, "to", to)
    with gpu.limited(torch.cuda.memory_allocated() if gpu.is_real else 2**40):
        result = deblur(frames, compact, ON_GPU, engines=gpu.engines())
    assert result.device == "cpu" and result.notices == (LEFT,)


def test_a_pixel_beyond_float16_gives_way_to_float32(gpu, compact):
    frames = frames_of(2, gpu.side)
    frames[1, 20, 20] = 1e7
    result = deblur(frames, compact, ON_GPU, engines=gpu.engines())
    assert result.notices[-1] == "Half precision was not enough for frame 2; float32 is used from there on."
    assert (result.device, result.precision) == ("cuda", "float32") and np.isfinite(result.frames).all()


def test_progress_counts_every_tile_and_a_cancel_ends_within_one(gpu, compact):
    frames, settings = frames_of(2, gpu.side), replace(ON_GPU, tile=gpu.side // 2)
    seen = []
    deblur(frames, compact, settings, engines=gpu.engines(), progress=lambda *told: seen.append(told))
    assert seen == [(done, 8) for done in range(9)]
    seen.clear()
    with pytest.raises(DeblurCancelled):
        deblur(
            frames, compact, settings, engines=gpu.engines(),
            progress=lambda *told: seen.append(told), is_cancelled=lambda: len(seen) > 3,
        )  # fmt: skip
    assert seen == [(done, 8) for done in range(4)]


def test_memory_does_not_grow_from_run_to_run(gpu, compact):
    held = []
    for _ in range(3):
        result = deblur(frames_of(2, gpu.side), compact, ON_GPU, engines=gpu.engines())
        assert result.tile is None
        del result
        held.append(gpu.held())
    assert held[1] == held[2]  # the first run brings libraries that keep something for themselves


def test_a_training_learns_and_its_checkpoint_is_read_back(gpu, tmp_path):
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(8, 1, 64, 64)).astype(np.float32)
    spots = np.zeros((8, SPOT_SIZE), np.float32)
    patches = Patches(inputs, 0.5 * inputs, np.full((8, 2), 4, np.float32), np.tile(TOLD, (8, 1)), spots)
    process = Process(device=torch.device(gpu.device))
    session, again = (Session(COMPACT, process) for _ in range(2))
    before = [value.clone() for value in session.network.parameters()]
    assert np.isfinite([session.learn(patches) for _ in range(3)]).all()
    changed = [not torch.equal(a, b) for a, b in zip(before, session.network.parameters(), strict=True)]
    assert any(changed)
    states = [(one.network, one.average, one.optimizer) for one in (session, again)]
    save_checkpoint(tmp_path / "kept", *states[0], 3, 1.0, COMPACT)
    assert load_checkpoint(tmp_path / "kept", *states[1], COMPACT) == (3, 1.0)
    for name, value in session.network.state_dict().items():
        assert torch.equal(value, again.network.state_dict()[name]), name
    assert np.isfinite(again.learn(patches))


def test_the_worker_process_runs_on_it(gpu, compact, tmp_path):
    frames = (1000 * frames_of(3, gpu.side)).clip(1, 4095).astype(np.uint16)
    np.save(tmp_path / "in.npy", frames)
    request = DeblurRequest.of(
        device=gpu.device, engine="torch", noise_reduction=1.0, uniform_noise_reduction=True, relationship="LIN"
    )
    job = {
        "type": "deblur", "job": "a", "request": request.as_dict(), "output": str(tmp_path / "out.npy"),
        "run": {"frames": str(tmp_path / "in.npy"), "files": [], "note": ""},
    }  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "DSADeblurLib.worker"], env=environment, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    hung = threading.Timer(600, process.kill)
    hung.start()
    try:
        ready = json.loads(process.stdout.readline())
        assert ready["type"] == "ready" and "torch" in ready["engines"]
        process.stdin.write(json.dumps(job) + "\n")
        process.stdin.flush()
        told = []
        while not told or told[-1]["type"] not in ("finished", "error"):
            told.append(json.loads(process.stdout.readline()))
        process.stdin.close()
        assert process.wait(600) == 0
    finally:
        hung.cancel()
        process.kill()
        process.wait()
    assert told[-1]["type"] == "finished" and told[-1]["used"]["device"] == gpu.device
    counts = [(one["done"], one["total"]) for one in told if one["type"] == "progress"]
    assert counts == sorted(counts) and counts[-1] == (3, 3)
    here = deblur(frames, compact, ON_GPU, relationship="LIN", engines=gpu.engines())
    assert_close(np.load(tmp_path / "out.npy").astype(float), here.frames.astype(float), 2 * TOLERANCES["bfloat16"])
