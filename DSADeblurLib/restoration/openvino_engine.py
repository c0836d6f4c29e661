"""Runs an exported network with OpenVINO on the CPU."""

from __future__ import annotations

import numpy as np
import torch

from DSADeblurLib.restoration.architecture import Architecture
from DSADeblurLib.restoration.engine import EngineError, OutOfMemory, free_memory_budget
from DSADeblurLib.restoration.export import Export

_HINTS = {"float32": "f32", "bfloat16": "bf16"}
# How OpenVINO and oneDNN say it; there is no class of its own.
_OUT_OF_MEMORY = ("bad_alloc", "allocate", "out of memory")


class OpenVINOEngine:
    """Runs an export in float32 or bfloat16; the global skip adds in float32 outside the graph.

    One compiled graph of free height and width serves every tile: it is as fast as one compiled for a fixed shape,
    and tiles at a border have other shapes. As many threads as PyTorch has; nothing is written to disk.
    """

    name = "openvino"
    device = "cpu"

    def __init__(self, export: Export, architecture: Architecture, precision: str = "float32") -> None:
        """
        Raises:
            EngineError: one sentence: OpenVINO is not installed, or cannot use the export.
        """
        if precision not in _HINTS:
            raise EngineError(f"OpenVINO runs float32 or bfloat16, not {precision}; choose one of them or auto.")
        self.precision = precision
        self._architecture = architecture
        try:
            import openvino

            core = openvino.Core()
            self._compiled = core.compile_model(
                core.read_model(export.graph, export.weights),
                "CPU",
                {
                    "INFERENCE_PRECISION_HINT": _HINTS[precision],
                    "PERFORMANCE_HINT": "LATENCY",
                    "INFERENCE_NUM_THREADS": torch.get_num_threads(),
                },
            )
        except Exception as error:  # an installation can be broken in many ways; each means: not this engine
            cause = (str(error).strip().splitlines() or [type(error).__name__])[-1].rstrip(". ")
            raise EngineError(f"OpenVINO cannot be used, because {cause}; choose the engine torch.") from error
        self._request = self._compiled.create_infer_request()

    def run(self, tile: np.ndarray) -> np.ndarray:
        """(h, w) or (frames, h, w) float32, normalised, sides multiples of the network's, to a new (h, w) float32.

        Raises:
            OutOfMemory: there is no memory for this tile.
            ValueError: one sentence, if the shape does not fit.
        """
        frames, multiple = self._architecture.frames, self._architecture.multiple
        stack = np.ascontiguousarray(tile, dtype=np.float32).reshape(-1, *tile.shape[-2:])
        if len(stack) != frames or any(side % multiple for side in stack.shape[1:]):
            raise ValueError(f"Tiles must be {frames} x h x w, h and w multiples of {multiple}, not {stack.shape}.")
        try:
            correction = self._request.infer([stack[None]], share_inputs=True)[0][0, 0]
        except (RuntimeError, MemoryError) as error:
            if isinstance(error, RuntimeError) and not any(words in str(error) for words in _OUT_OF_MEMORY):
                raise
            message = str(error).splitlines()[-1] if str(error) else "out of memory"
            self._request = self._compiled.create_infer_request()  # a failed one keeps what it holds
            raise OutOfMemory(message) from None
        return stack[frames // 2] + correction if self._architecture.global_skip else correction.copy()

    def memory_budget(self) -> int:
        """Bytes that one tile may take, see `engine.free_memory_budget`."""
        return free_memory_budget()
