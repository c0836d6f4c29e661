"""What is timed: a convolution's largest rate, and one frame by every engine and precision, as callables."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from DSADeblurLib.extras import is_installed
from DSADeblurLib.restoration.architecture import RDNArchitecture
from DSADeblurLib.restoration.build_network import build_network
from DSADeblurLib.restoration.card import ModelCard, list_models
from DSADeblurLib.restoration.conversion import export_network
from DSADeblurLib.restoration.network import RestorationNetwork, operations_per_pixel
from DSADeblurLib.restoration.openvino_engine import OpenVINOEngine
from DSADeblurLib.restoration.package import Model, load_model
from DSADeblurLib.restoration.torch_engine import TorchEngine

# Channels and side of square convolutions, of about the same work each; which is fastest depends on the caches.
_FLOOR_SHAPES = ((32, 512), (64, 256), (128, 128), (256, 64))
_FLOOR_LAYERS = 4
# Dense networks as the feasibility of this project was judged by: small and middle, in low-resolution space.
_REFERENCES = {
    "rdn-s (untrained)": RDNArchitecture(features=32, growth=16),
    "rdn-m (untrained)": RDNArchitecture(features=64, growth=32),
}
_TORCH_TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Row:
    """Something that is timed.

    `run` does it once and returns the seconds it took; `operations` are its multiplications and additions.
    """

    name: str
    engine: str
    precision: str
    operations: float
    run: Callable[[], float]


def models(names: list[str] | None) -> list[Model]:
    """Bundled models and untrained dense networks, or those of the names."""
    found = [load_model(card.folder) for card in list_models()]
    for name, architecture in _REFERENCES.items():
        torch.manual_seed(0)
        network = build_network(architecture).eval().requires_grad_(False)
        nn.init.normal_(network.last.weight, std=0.05)
        card = ModelCard(name, architecture.as_dict(), "", {}, {}, {}, "", ())
        export = export_network(network) if is_installed("openvino") else None
        found.append(Model(card, network.architecture, "", lambda network=network: network, export))
    return [model for model in found if not names or any(model.card.name.startswith(name) for name in names)]


def _blur_condition(network: RestorationNetwork) -> np.ndarray | None:
    """What a modulated network is told of the blur; a run is looked at for it once, not frame by frame."""
    return np.array((4.0, 4.0, 0.2), np.float32) if network.architecture.modulated else None


def _as_batch(blur_condition: np.ndarray | None) -> torch.Tensor | None:
    return None if blur_condition is None else torch.from_numpy(blur_condition)[None]


def floor_rows() -> list[Row]:
    """Plain convolutions with nothing between them, by every engine, precision and shape."""
    rows = []
    for channels, side in _FLOOR_SHAPES:
        layers = [nn.Conv2d(channels, channels, 3, padding=1) for _ in range(_FLOOR_LAYERS)]
        stack = nn.Sequential(*layers).requires_grad_(False)
        work = _FLOOR_LAYERS * 2 * 9 * channels**2 * side**2
        x = torch.randn(1, channels, side, side)
        for precision in ("float32", "bfloat16"):
            rows.append(Row("floor", "torch", precision, work, _torch_stack(stack, x, precision)))
            if is_installed("openvino"):
                rows.append(Row("floor", "openvino", precision, work, _openvino_stack(stack, x, precision)))
    return rows


def frame_rows(model: Model, side: int) -> list[Row]:
    """One frame by PyTorch as it comes (eager float32) and by every engine and precision there is."""
    network, name = model.network, model.card.name
    work = operations_per_pixel(network) * side**2
    shape = (network.architecture.frames, side, side)
    tile = np.random.default_rng(0).normal(0, 0.2, shape).astype(np.float32)
    blur_condition = _blur_condition(network)
    rows = [Row(name, "eager", "float32", work, _eager(network, tile))]
    for precision in ("float32", "bfloat16"):
        rows.append(
            Row(name, "torch", precision, work, _timed(TorchEngine(network, "cpu", precision), tile, blur_condition))
        )
        if model.export is not None and is_installed("openvino"):
            engine = OpenVINOEngine(model.export, network.architecture, precision)
            rows.append(Row(name, "openvino", precision, work, _timed(engine, tile, blur_condition)))
    return rows


def _seconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def _timed(engine, tile: np.ndarray, blur_condition: np.ndarray | None) -> Callable[[], float]:
    return lambda: _seconds(lambda: engine.run(tile, blur_condition))


def _eager(network: RestorationNetwork, tile: np.ndarray) -> Callable[[], float]:
    batch, blur_condition = torch.from_numpy(tile)[None], _as_batch(_blur_condition(network))

    def run() -> float:
        with torch.inference_mode():
            return _seconds(lambda: network(batch, blur_condition))

    return run


def _torch_stack(stack: nn.Sequential, x: torch.Tensor, precision: str) -> Callable[[], float]:
    kind = _TORCH_TYPES[precision]
    layers = copy.deepcopy(stack).to(kind).to(memory_format=torch.channels_last)
    values = x.to(kind).contiguous(memory_format=torch.channels_last)

    def run() -> float:
        with torch.inference_mode():
            return _seconds(lambda: layers(values))

    return run


def _openvino_stack(stack: nn.Sequential, x: torch.Tensor, precision: str) -> Callable[[], float]:
    from DSADeblurLib.restoration.installed import import_openvino

    openvino = import_openvino()
    graph = openvino.convert_model(stack, example_input=x)
    hints = {"INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[precision]}
    hints["INFERENCE_NUM_THREADS"] = torch.get_num_threads()
    request = openvino.Core().compile_model(graph, "CPU", hints).create_infer_request()
    values = x.numpy()
    return lambda: _seconds(lambda: request.infer([values], share_inputs=True))
