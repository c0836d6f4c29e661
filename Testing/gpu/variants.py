"""One network in every way that a GPU may run it, and plain convolutions: what `benchmark.py` times, as callables."""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from DSADeblurLib.restoration.network import EntryConvolution, RestorationNetwork
from DSADeblurLib.restoration.package import vessels_on_a_slope
from DSADeblurLib.restoration.torch_engine import TorchEngine, true_float32

TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
CONDITION = np.array((4.0, 4.0, 0.2), np.float32)
# Channels and side of square convolutions; which is fastest depends on the caches.
FLOOR_SHAPES = ((32, 1024), (64, 1024), (64, 512), (128, 512), (256, 256))
_FLOOR_LAYERS = 4
_WARM_UP = 3


def median_seconds(run: Callable[[], object], device: str, rounds: int) -> float:
    """Of so many calls after a warm-up; on a GPU between events, so that it is the GPU's own time."""
    taken = []
    for turn in range(_WARM_UP + rounds):
        if device == "cuda":
            before, after = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            before.record()
            run()
            after.record()
            after.synchronize()
            seconds = before.elapsed_time(after) / 1000
        else:
            started = time.perf_counter()
            run()
            seconds = time.perf_counter() - started
        if turn >= _WARM_UP:
            taken.append(seconds)
    return statistics.median(taken)


def plain_convolutions(device: str, precision: str, channels: int, side: int) -> tuple[Callable[[], object], float]:
    """A stack of convolutions with nothing between them, and its operations."""
    layers = [nn.Conv2d(channels, channels, 3, padding=1) for _ in range(_FLOOR_LAYERS)]
    place = {"device": device, "dtype": TYPES[precision]}
    stack = nn.Sequential(*layers).requires_grad_(False).to(**place).to(memory_format=torch.channels_last)
    x = torch.randn(1, channels, side, side, **place).contiguous(memory_format=torch.channels_last)
    return _inference(lambda: stack(x)), _FLOOR_LAYERS * 2 * 9 * channels**2 * side**2


def tile_for(network: RestorationNetwork, side: int) -> np.ndarray:
    """Frames as a run has them, never zeros: those run faster than anything real."""
    return vessels_on_a_slope((network.architecture.frames, side, side), depth=0.6, noise=0.03, seed=1)


def engine_with_copies(network: RestorationNetwork, device: str, precision: str, side: int) -> Callable[[], object]:
    """A tile from memory and back, as a run has it."""
    engine, tile = TorchEngine(network, device, precision), tile_for(network, side)
    blur_condition = CONDITION if network.architecture.modulated else None
    return lambda: engine.run(tile, blur_condition)


def forward(
    network: RestorationNetwork,
    device: str,
    precision: str,
    side: int,
    *,
    channels_last: bool = True,
    cast_once: bool = False,
    compiler: str | None = None,
) -> Callable[[], object]:
    """The network alone, on what lies on the device.

    Args:
        network: copied.
        device: 'cuda' or 'cpu'.
        precision: by autocast below float32.
        side: of the frame in pixels.
        channels_last: the order of the weights in memory.
        cast_once: the weights of convolutions are kept in half precision, where autocast casts them at each call.
        compiler: of torch.compile; None for none.
    """
    there = copy.deepcopy(network).eval().to(device)
    there = there.to(memory_format=torch.channels_last) if channels_last else there
    kind = TYPES[precision]
    if cast_once:
        for part in there.modules():
            if isinstance(part, nn.Conv2d) and not isinstance(part, EntryConvolution):
                part.to(kind)
    if compiler:
        there = torch.compile(there, backend=compiler, dynamic=False)
    batch = torch.from_numpy(tile_for(network, side))[None].to(device)
    arguments = (torch.from_numpy(CONDITION)[None].to(device),) if network.architecture.modulated else ()

    def run():
        # The cache of cast weights would outlive the capture of a graph.
        with torch.autocast(device, kind, enabled=precision != "float32", cache_enabled=False):
            return there(batch, *arguments)

    return _inference(run)


def recorded(run: Callable[[], object]) -> Callable[[], object]:
    """What `run` launches, as one CUDA graph; warmed up on a stream of its own, as PyTorch asks for."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    return graph.replay


def _inference(run: Callable[[], object]) -> Callable[[], object]:
    def call():
        with torch.inference_mode(), true_float32():
            return run()

    return call
