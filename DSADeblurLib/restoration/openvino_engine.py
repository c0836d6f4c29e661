"""Runs an exported network with OpenVINO on the CPU."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import numpy as np

from DSADeblurLib.restoration.architecture import Architecture
from DSADeblurLib.restoration.engine import EngineError, Estimator, OutOfMemory, free_memory_budget, threads
from DSADeblurLib.restoration.export import Export
from DSADeblurLib.restoration.installed import import_openvino

_HINTS = {"float32": "f32", "bfloat16": "bf16"}
# How OpenVINO and oneDNN say it; there is no class of its own.
_OUT_OF_MEMORY = ("bad_alloc", "allocate", "out of memory")
# The trial's tile and the whole frame.
_FIXED_SHAPES = 2


@contextlib.contextmanager
def _usable() -> Iterator[None]:
    """Installations can be broken in many ways, and graphs too; each means: not this engine."""
    try:
        yield
    except Exception as error:
        cause = (str(error).strip().splitlines() or [type(error).__name__])[-1].rstrip(". ")
        raise EngineError(f"OpenVINO cannot be used, because {cause}; choose the engine torch.") from error


def openvino_estimator(graph: bytes, weights: bytes) -> Estimator:
    """The estimator of a modulated network, in float32; its graph is compiled with free sides.

    Raises:
        EngineError: one sentence: OpenVINO is not installed, or cannot use the graph.
    """
    with _usable():
        core = import_openvino().Core()
        hints = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads()}
        compiled = core.compile_model(core.read_model(graph, weights), "CPU", hints)

    def estimate(frame: np.ndarray) -> np.ndarray:
        return compiled.create_infer_request().infer([frame[None, None]])[0][0].copy()

    return estimate


class OpenVINOEngine:
    """Runs an export in float32 or bfloat16; the global skip adds in float32 outside the graph.

    The graph is compiled for the first shapes of a run, which takes a few hundredths less time and a third less memory,
    and once more with free sides for all others: tiles at a border are of many shapes. As many threads as PyTorch
    has; nothing is written to disk. Inputs are handed over by position: the names that tracing gives them, such as
    `told` for the blur condition in older exports, do not matter.
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
        hints = {
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads(),
        }
        with _usable():
            core = import_openvino().Core()
            self._graph = core.read_model(export.graph, export.weights)
            if (len(self._graph.inputs), len(self._graph.outputs)) != (1 + architecture.modulated, 1):
                raise ValueError("its graph is not that of such a network")
            self._compile = lambda graph: core.compile_model(graph, "CPU", hints)
            self._free = self._compile(self._graph)
        self._requests: dict = {}
        self._met: set = set()
        self._turn = threading.Lock()  # an inference request serves one at a time

    def begin_run(self) -> None:
        """Another run comes: what the last one did not need is let go."""
        with self._turn:
            self._requests = {key: request for key, request in self._requests.items() if key in self._met}
            self._met = set()

    def run(self, tile: np.ndarray, blur_condition: np.ndarray | None = None) -> np.ndarray:
        """Restore one tile.

        Args:
            tile: (frames, h, w) float32, normalised, or (h, w) for one frame; sides are multiples of the network's.
            blur_condition: (CONDITION_SIZE,) for a modulated network, whose estimator is a graph of its own.

        Returns:
            (h, w) float32, normalised, a new array.

        Raises:
            OutOfMemory: there is no memory for this tile.
            ValueError: one sentence, if the shape does not fit or the blur condition is missing.
        """
        frames, multiple = self._architecture.frames, self._architecture.multiple
        stack = np.ascontiguousarray(tile, dtype=np.float32).reshape(-1, *tile.shape[-2:])
        if len(stack) != frames or any(side % multiple for side in stack.shape[1:]):
            raise ValueError(f"Tiles must be {frames} x h x w, h and w multiples of {multiple}, not {stack.shape}.")
        inputs = [stack[None]]
        if self._architecture.modulated:
            if blur_condition is None:
                raise ValueError("A modulated network needs to be told the blur.")
            inputs.append(np.asarray(blur_condition, np.float32)[None])
        with self._turn:
            try:
                correction = self._request(stack.shape).infer(inputs, share_inputs=True)[0][0, 0]
            except (RuntimeError, MemoryError) as error:
                if isinstance(error, RuntimeError) and not any(words in str(error) for words in _OUT_OF_MEMORY):
                    raise
                message = str(error).splitlines()[-1] if str(error) else "out of memory"
                self._requests.clear()  # a failed one keeps what it holds
                raise OutOfMemory(message) from None
            return stack[frames // 2] + correction if self._architecture.global_skip else correction.copy()

    def _request(self, shape: tuple[int, int, int]):
        """The inference request for a shape, one for all beyond the first shapes of a run."""
        if len(self._met) < _FIXED_SHAPES:
            self._met.add(shape)
        key = shape if shape in self._met else None
        if key not in self._requests:
            compiled = self._free
            if key is not None:
                graph = self._graph.clone()
                graph.reshape({graph.inputs[0]: [1, *shape]})
                compiled = self._compile(graph)
            self._requests[key] = compiled.create_infer_request()
        return self._requests[key]

    def memory_budget(self) -> int:
        """Bytes that one tile may take, see `engine.free_memory_budget`."""
        return free_memory_budget()
