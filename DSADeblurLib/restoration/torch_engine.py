"""Runs a network with PyTorch, on the CPU or a GPU, and finds out what these can do."""

from __future__ import annotations

import contextlib
import copy
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from DSADeblurLib.restoration.engine import EngineError, Estimator, OutOfMemory, free_memory_budget
from DSADeblurLib.restoration.network import RestorationNetwork

# How PyTorch says it without a class of its own: the CPU on Linux and macOS, the CPU on Windows, cuDNN and cuBLAS, the
# driver, and cuDNN when none of its algorithms gets the memory that it works in.
_OUT_OF_MEMORY = (
    "can't allocate memory", "not enough memory", "ALLOC_FAILED", "out of memory", "unable to find an engine",
)  # fmt: skip
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class TorchEngine:
    """Runs a copy of a network with PyTorch.

    Half precision is autocast: convolutions run in it, and the network's global skip adds in float32. Weights
    are channels-last, which PyTorch's convolutions prefer on CPUs and GPUs alike.
    """

    name = "torch"

    def __init__(self, network: nn.Module, device: str = "cpu", precision: str = "float32") -> None:
        """
        Raises:
            OutOfMemory: the device has no memory for the weights.
        """
        self.device = device
        self.precision = precision
        self._pinned: tuple[torch.Tensor, torch.Tensor] | None = None
        try:
            # PyTorch's types lack the memory format.
            self._network = copy.deepcopy(network).eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
            return
        except (RuntimeError, MemoryError) as error:
            message = _lack_of_memory(error)
            if not message:
                raise
        _free_cached(device)
        raise OutOfMemory(message)

    def run(self, tile: np.ndarray, blur_condition: np.ndarray | None = None) -> np.ndarray:
        """Restore one tile.

        Args:
            tile: (frames, h, w) float32, normalised, or (h, w) for one frame.
            blur_condition: (CONDITION_SIZE,) for a modulated network; by default it estimates it from the tile.

        Returns:
            (h, w) float32, normalised, a new array.

        Raises:
            OutOfMemory: the device has no memory for this tile; what it held is freed.
        """
        try:
            given = (
                None
                if blur_condition is None
                else torch.tensor(np.asarray(blur_condition, np.float32)[None], device=self.device)
            )
            with torch.inference_mode(), self._autocast():
                if self.device == "cuda":
                    with true_float32():
                        return self._run_on_gpu(tile, given)
                return self._forward(_as_batch(tile), given).numpy()
        except (RuntimeError, MemoryError) as error:
            message = _lack_of_memory(error)
            if not message:
                raise
        # Outside the except block the traceback no longer holds the tensors of the failed run.
        given = None
        self._pinned = None
        _free_cached(self.device)
        raise OutOfMemory(message)

    def memory_budget(self) -> int:
        """Bytes that one tile may take: half of what is free on a GPU, on a CPU see `free_memory_budget`."""
        if self.device == "cuda" and torch.cuda.is_available():
            # What PyTorch keeps of an earlier run is as good as free, and the driver does not know.
            kept = torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
            return (torch.cuda.mem_get_info()[0] + kept) // 2
        return free_memory_budget()

    def _autocast(self):
        if self.precision == "float32":
            return contextlib.nullcontext()
        return torch.autocast(self.device, dtype=_DTYPES[self.precision])

    def _forward(self, batch: torch.Tensor, blur_condition: torch.Tensor | None) -> torch.Tensor:
        return self._network(batch, blur_condition)[0, 0]

    def _run_on_gpu(self, tile: np.ndarray, blur_condition: torch.Tensor | None) -> np.ndarray:
        # Page-locked buffers are copied by the GPU itself; they are kept, because making them is slow.
        batch = _as_batch(tile)
        if self._pinned is None or self._pinned[0].shape != batch.shape:
            self._pinned = (torch.empty_like(batch).pin_memory(), torch.empty(tile.shape[-2:]).pin_memory())
        upload, download = self._pinned
        upload.copy_(batch)
        download.copy_(self._forward(upload.to(self.device, non_blocking=True), blur_condition), non_blocking=True)
        torch.cuda.synchronize()
        return download.numpy().copy()


def torch_estimator(network: RestorationNetwork) -> Estimator:
    """The estimator of a modulated network, in float32 on the CPU."""

    def estimate(frame: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return network.estimator(torch.from_numpy(frame)[None, None])[0].numpy()

    return estimate


def true_float32() -> contextlib.AbstractContextManager:
    """Within, a GPU's convolutions in float32 are no TF32, whose eleven bits of a frame are not enough for the first
    filters: they would cost more than float16 in all that follow."""
    return torch.backends.cudnn.flags(enabled=True, benchmark=torch.backends.cudnn.benchmark, allow_tf32=False)


def _lack_of_memory(error: Exception) -> str:
    """What PyTorch says of it in one line; nothing where the error is another one."""
    if not isinstance(error, (torch.cuda.OutOfMemoryError, MemoryError)):
        if not any(words in str(error) for words in _OUT_OF_MEMORY):
            return ""
    return str(error).splitlines()[0] if str(error) else "out of memory"


def _free_cached(device: str) -> None:
    if device == "cuda" and torch.cuda.is_available():
        torch.cuda.empty_cache()


def _as_batch(tile: np.ndarray) -> torch.Tensor:
    # A copy: torch warns of read-only arrays, and the caller's array stays its own.
    return torch.from_numpy(np.array(tile, dtype=np.float32, order="C").reshape(1, -1, *tile.shape[-2:]))


def probe_kernel(device: str, convolve: Callable = functional.conv2d) -> bool:
    """Whether a small convolution on the device gives the values that the CPU gives.

    The numbers are small integers, so every precision, TF32 included, must give exactly the same.
    """
    generator = torch.Generator().manual_seed(1)
    frame = torch.randint(-2, 3, (1, 8, 32, 32), generator=generator).float()
    weight = torch.randint(-1, 2, (8, 8, 3, 3), generator=generator).float()
    expected = functional.conv2d(frame, weight, padding=1)
    return torch.equal(convolve(frame.to(device), weight.to(device), padding=1).cpu(), expected)


def probe_cuda() -> str:
    """The name of the GPU, after a kernel has run on it and gave the right values.

    A driver that is too old or a GPU that this PyTorch has no kernels for is only found out by running one.

    Raises:
        EngineError: why the GPU cannot be used, as a clause without a full stop.
    """
    if torch.version.cuda is None and torch.version.hip is None:
        raise EngineError("this PyTorch was built without GPU support")
    if not torch.cuda.is_available():
        raise EngineError("no GPU with a working driver was found")
    if not probe_kernel("cuda"):
        raise EngineError("the GPU computed a test convolution wrongly")
    return torch.cuda.get_device_name()


def cpu_has_fast_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 in hardware (AVX512-BF16 or AMX)."""
    with contextlib.suppress(AttributeError, RuntimeError):  # the functions differ between PyTorch versions
        if hasattr(torch.cpu, "get_capabilities"):
            features = torch.cpu.get_capabilities()
            return bool(features.get("avx512_bf16") or features.get("amx_bf16"))
        return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    return False


def bfloat16_pays(device: torch.device | str, clock: Callable[[], float] = time.perf_counter) -> bool:
    """Whether convolutions are faster in bfloat16 than in float32 on this device; on a CPU that is tried out.

    Some processors have the instructions, and need more time for them than for those of float32.
    """
    device = torch.device(device)
    if device.type != "cpu":
        return True
    if not cpu_has_fast_bfloat16():
        return False
    seconds = {}
    for kind in (torch.float32, torch.bfloat16):
        frames = torch.ones(4, 32, 64, 64, dtype=kind).to(memory_format=torch.channels_last)
        weight = torch.ones(32, 32, 3, 3, dtype=kind)
        rounds = []
        for _ in range(8):
            begun = clock()
            functional.conv2d(frames, weight, padding=1)
            rounds.append(clock() - begun)
        seconds[kind] = min(rounds)
    return seconds[torch.bfloat16] < 0.8 * seconds[torch.float32]
