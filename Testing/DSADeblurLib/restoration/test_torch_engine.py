"""The engine of PyTorch computes what the network does, and a lack of memory has a name of its own."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from DSADeblurLib.restoration import torch_engine
from DSADeblurLib.restoration.engine import EngineError, OutOfMemory
from DSADeblurLib.restoration.torch_engine import (
    TorchEngine,
    bfloat16_pays,
    probe_cuda,
    probe_kernel,
)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this computer has a GPU")
def test_the_real_probe_refuses_a_computer_without_gpu():
    with pytest.raises(EngineError, match="GPU"):
        probe_cuda()


def test_the_probe_kernel_passes_right_and_fails_wrong_arithmetic():
    assert probe_kernel("cpu")
    assert not probe_kernel("cpu", convolve=lambda x, w, padding: functional.conv2d(x, w, padding=padding) + 1)


def test_the_engine_runs_its_own_copy_in_every_precision(make_network):
    network = make_network().train()
    tile = np.random.default_rng(2).normal(size=(41, 50)).astype(np.float32)
    tile.setflags(write=False)
    with torch.no_grad():
        expected = network(torch.tensor(tile)[None, None])[0, 0].numpy()
    np.testing.assert_allclose(TorchEngine(network).run(tile), expected, atol=1e-5)
    half = TorchEngine(network, "cpu", "bfloat16").run(tile)
    assert half.dtype == np.float32
    difference = np.abs(half - expected).max()
    assert 0 < difference < 0.05 * np.abs(expected - tile).max()
    assert network.training


class Failing(nn.Module):
    """Raises what it is given."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def forward(self, x, blur_condition=None):
        raise self.error


@pytest.mark.parametrize(
    "error",
    [
        torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 8 GiB"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes."),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("GET was unable to find an engine to execute this computation"),
        MemoryError(),
    ],
)
def test_every_lack_of_memory_has_one_name(error):
    with pytest.raises(OutOfMemory):
        TorchEngine(Failing(error)).run(np.zeros((16, 16), np.float32))


def test_a_lack_of_memory_for_the_weights_is_one_too(make_network, monkeypatch):
    def to(*_, **__):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory.")

    network = make_network()
    monkeypatch.setattr(type(network), "to", to)
    with pytest.raises(OutOfMemory, match="CUDA out of memory"):
        TorchEngine(network)


def test_float32_is_no_tf32_within_a_run_on_a_gpu(make_network, monkeypatch):
    before, seen = torch.backends.cudnn.allow_tf32, []

    def run(*_):
        seen.append(torch.backends.cudnn.allow_tf32)

    on_gpu = TorchEngine(make_network())
    on_gpu.device = "cuda"
    monkeypatch.setattr(on_gpu, "_run_on_gpu", run)
    on_gpu.run(np.zeros((16, 16), np.float32))
    assert seen == [False] and torch.backends.cudnn.allow_tf32 == before


def test_what_pytorch_keeps_of_a_gpu_is_free(make_network, monkeypatch):
    """Otherwise a second run would take smaller tiles than the first."""
    for name, value in (("is_available", True), ("mem_get_info", (600, 1000)), ("memory_reserved", 300)):
        monkeypatch.setattr(torch.cuda, name, lambda value=value: value)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda: 100)
    on_gpu = TorchEngine(make_network())
    on_gpu.device = "cuda"
    assert on_gpu.memory_budget() == 400


def test_a_real_lack_of_memory_is_recognised():
    class Huge(nn.Module):
        def forward(self, x, blur_condition=None):
            return torch.empty(2**60, dtype=torch.uint8)

    with pytest.raises(OutOfMemory):
        TorchEngine(Huge()).run(np.zeros((16, 16), np.float32))


def test_other_errors_pass_through():
    with pytest.raises(RuntimeError, match="broken") as error:
        TorchEngine(Failing(RuntimeError("broken"))).run(np.zeros((16, 16), np.float32))
    assert not isinstance(error.value, OutOfMemory)


@pytest.mark.parametrize("numbers", [{"frames": 3}, {"kind": "unet", "frames": 5}])
def test_several_frames_give_the_middle_one(make_network, numbers):
    network = make_network(**numbers)
    torch.nn.init.zeros_(network.last.weight)
    stack = np.random.default_rng(4).normal(size=(numbers["frames"], 33, 40)).astype(np.float32)
    np.testing.assert_array_equal(TorchEngine(network).run(stack), stack[numbers["frames"] // 2])


@pytest.mark.parametrize(("half_time", "pays"), [(0.4, True), (0.9, False), (2.0, False)])
def test_bfloat16_pays_where_it_is_faster_by_the_clock(half_time, pays, monkeypatch):
    """Some processors have its instructions, and are slower with them."""
    monkeypatch.setattr(torch_engine, "cpu_has_fast_bfloat16", lambda: True)
    ticks = iter([t for seconds in (1.0, half_time) for _ in range(8) for t in (0.0, seconds)])
    assert bfloat16_pays("cpu", clock=lambda: next(ticks)) is pays


def test_bfloat16_is_not_tried_without_its_instructions(monkeypatch):
    monkeypatch.setattr(torch_engine, "cpu_has_fast_bfloat16", lambda: False)
    assert not bfloat16_pays("cpu", clock=lambda: pytest.fail("tried"))
    assert bfloat16_pays("cuda")
