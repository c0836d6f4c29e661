"""Where and how precisely a network is run: device, precision, memory for a tile, and the engine of PyTorch."""

from __future__ import annotations

import contextlib
import copy
import math
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from DSADeblurLib.errors import DSADeblurError
from DSADeblurLib.free_memory import available_bytes
from DSADeblurLib.restoration.architecture import Architecture

MEBIBYTE = 2**20
_CPU_BUDGET = 768 * MEBIBYTE
_LARGEST_CPU_BUDGET = 4096 * MEBIBYTE
# How PyTorch says it without a class of its own: the CPU on Linux and macOS, the CPU on Windows, cuDNN and cuBLAS, the
# driver, and cuDNN when none of its algorithms gets the memory that it works in.
_OUT_OF_MEMORY = (
    "can't allocate memory", "not enough memory", "ALLOC_FAILED", "out of memory", "unable to find an engine",
)  # fmt: skip
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class EngineError(DSADeblurError):
    """The device or precision asked for cannot be used; the message is one sentence."""


class OutOfMemory(RuntimeError):
    """A tile did not fit into the memory of the device; a smaller tile may."""


class Choice(NamedTuple):
    """What was chosen ('cpu', 'cuda', 'float32', ...), and one sentence why."""

    value: str
    reason: str


class Engine(Protocol):
    """Runs a network on one tile at a time; `name` is torch or openvino."""

    name: str
    device: str
    precision: str

    def run(self, tile: np.ndarray, blur_condition: np.ndarray | None = None) -> np.ndarray:
        """Restore one tile.

        Args:
            tile: (frames, h, w) float32, normalised, or (h, w) for one frame.
            blur_condition: (CONDITION_SIZE,) for a modulated network, see `network.Modulation`.

        Returns:
            (h, w) float32, normalised.

        Raises:
            OutOfMemory: there is no memory for this tile.
        """

    def memory_budget(self) -> int:
        """Bytes that one tile may take."""


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


def choose_device(request: str = "auto", probe: Callable[[], str] = probe_cuda) -> Choice:
    """The device to run on.

    Args:
        request: 'auto', 'cpu' or 'cuda'.
        probe: returns the GPU's name or raises with the cause; tests hand in their own.

    Raises:
        EngineError: one sentence, if 'cuda' was asked for and cannot be used.
    """
    if request == "cpu":
        return Choice("cpu", "The CPU was asked for.")
    if request not in ("auto", "cuda"):
        raise EngineError(f"Device must be auto, cpu or cuda, not {request!r}.")
    try:
        name = probe()
    except Exception as error:  # drivers fail in many ways; each of them means: not this device
        cause = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(". ")
        if request == "cuda":
            raise EngineError(f"The GPU cannot be used, because {cause}; choose the CPU.") from error
        return Choice("cpu", f"The CPU is used, because {cause}.")
    return Choice("cuda", f"{name} passed a test convolution.")


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


def choose_precision(request: str, device: str, fast_bfloat16: Callable[[], bool] = cpu_has_fast_bfloat16) -> Choice:
    """The precision of the convolutions.

    Args:
        request: 'auto', 'float32', 'bfloat16' or 'float16'.
        device: 'cpu' or 'cuda'.
        fast_bfloat16: whether the CPU has it in hardware; tests hand in their own.

    Raises:
        EngineError: one sentence, if the device cannot do what was asked for.
    """
    if request == "float16" and device == "cpu":
        raise EngineError("float16 needs the GPU; choose float32, bfloat16 or auto.")
    if request in _DTYPES:
        return Choice(request, f"{request} was asked for.")
    if request != "auto":
        raise EngineError(f"Precision must be auto, float32, bfloat16 or float16, not {request!r}.")
    if device == "cuda":
        return Choice("float16", "GPUs run float16 fastest.")
    if fast_bfloat16():
        return Choice("bfloat16", "This processor has fast bfloat16.")
    return Choice("float32", "This processor has no fast bfloat16.")


def free_memory_budget(free: Callable[[], int | None] = available_bytes) -> int:
    """Bytes that one tile may take on the CPU: half of what is free, at most 4 GiB; 768 MiB where nobody knows.

    Args:
        free: bytes that are free, or None; tests hand in their own.
    """
    available = free()
    return _CPU_BUDGET if available is None else min(available // 2, _LARGEST_CPU_BUDGET)


def bytes_per_pixel(architecture: Architecture, precision: str) -> int:
    """Memory that one input pixel takes at the widest place of the network, in bytes.

    Some full-resolution float32 copies come on top.

    Args:
        architecture: of the network.
        precision: of its convolutions, 'float32', 'bfloat16' or 'float16'.
    """
    width = 4 if precision == "float32" else 2
    return math.ceil(architecture.channels_alive * width) + 4 * 8


def automatic_tile(
    shape: tuple[int, int], architecture: Architecture, precision: str, budget: int, halo: int
) -> int | None:
    """The side of the tiles that fit into memory.

    Args:
        shape: (rows, cols) of the frame.
        architecture: of the network.
        precision: of its convolutions.
        budget: bytes that one tile may take.
        halo: pixels that a tile reads beyond its core.

    Returns:
        Pixels, a multiple of 64, at least 64; None where the whole frame fits.
    """
    cost = bytes_per_pixel(architecture, precision)
    if shape[0] * shape[1] * cost <= budget:
        return None
    largest = max((int((budget / cost) ** 0.5) - 2 * halo) // 64 * 64, 64)
    # As many tiles as the largest would need, but all of about the same size.
    longest = max(shape)
    return -(-longest // -(-longest // largest) // 64) * 64


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
