"""What an engine is: it runs a network on tiles of NumPy arrays; and how large a tile memory allows."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np

from DSADeblurLib.errors import DSADeblurError
from DSADeblurLib.free_memory import available_bytes
from DSADeblurLib.restoration.architecture import Architecture

MEBIBYTE = 2**20
_CPU_BUDGET = 768 * MEBIBYTE
_LARGEST_CPU_BUDGET = 4096 * MEBIBYTE


class EngineError(DSADeblurError):
    """The engine, device or precision asked for cannot be used; the message is one sentence."""


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


class Estimator(Protocol):
    """Finds the blur of a frame with the estimator of a modulated network."""

    def __call__(self, frame: np.ndarray) -> np.ndarray:
        """(rows, columns) float32, normalised, sides multiples of ESTIMATED_MULTIPLE, to (CONDITION_SIZE,) float32."""


def use_threads(count: int) -> None:
    """Take so many threads of the processor for networks, in engines that are built from now on."""
    os.environ["OMP_NUM_THREADS"] = str(count)  # what PyTorch looks at when it is imported
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(count)


def threads() -> int:
    """Threads of the processor that networks may take; 0 for as many as an engine takes by itself."""
    if torch := sys.modules.get("torch"):
        return torch.get_num_threads()
    count = os.environ.get("OMP_NUM_THREADS", "")
    return int(count) if count.isdecimal() else 0


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
