"""From a network of PyTorch to its OpenVINO form, see `export`."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

import torch
from torch import nn

from DSADeblurLib.restoration.blur_condition import CONDITION_SIZE, ESTIMATED_MULTIPLE
from DSADeblurLib.restoration.export import Export
from DSADeblurLib.restoration.installed import import_openvino
from DSADeblurLib.restoration.network import RestorationNetwork


class _Correction(nn.Module):
    """What the network adds to the middle frame; the sum is left to the engine, which does it in float32."""

    def __init__(self, network: RestorationNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor, blur_condition: torch.Tensor | None = None) -> torch.Tensor:
        return self.network.correction(x, blur_condition)


def export_network(network: RestorationNetwork) -> Export:
    """Convert a network with OpenVINO, its weights in float32.

    Args:
        network: on the CPU.

    Returns:
        A graph from (1, frames, H, W), height and width free, and for a modulated network a second input
        (1, CONDITION_SIZE), the blur condition, to the network's correction (1, 1, H, W), without the global skip.
        For a modulated network a second graph, its estimator's, from (1, 1, H, W) to (1, CONDITION_SIZE).

    Raises:
        ImportError: OpenVINO is not installed.
    """
    frames, side, modulated = network.architecture.frames, 8 * network.multiple, network.architecture.modulated
    shapes = [[1, frames, side, side], [1, CONDITION_SIZE]][: 1 + modulated]
    graph = _converted(_Correction(network), shapes)
    _keep_in_float32(graph)
    side = 4 * ESTIMATED_MULTIPLE
    return Export(*_saved(graph), _saved(_converted(network.estimator, [[1, 1, side, side]])) if modulated else None)


def _converted(module: nn.Module, shapes: list[list[int]]):
    """The graph of a module from inputs of these shapes, the sides of the first one free."""
    with warnings.catch_warnings():
        # OpenVINO traces with torch.jit, which warns of its age and of shapes that become constants.
        warnings.simplefilter("ignore")
        example = tuple(torch.ones(shape) for shape in shapes)
        graph = import_openvino().convert_model(module.eval(), example_input=example, verbose=False)
    graph.reshape(dict(zip(graph.inputs, [[*shapes[0][:2], -1, -1], *shapes[1:]], strict=True)))
    return graph


def _saved(graph) -> tuple[bytes, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "graph.xml"
        import_openvino().save_model(graph, path, compress_to_fp16=False)
        return path.read_bytes(), path.with_suffix(".bin").read_bytes()


def _keep_in_float32(graph) -> None:
    """Nothing is rounded to bfloat16 up to and with the first convolution, nor in what is made of the blur condition:
    `network.EntryConvolution` and `network.Modulation` have it so.

    OpenVINO heeds the mark in what it reads from files: https://github.com/openvinotoolkit/openvino/pull/21440. It
    loses that of a padding of the newer operation set, because it converts it into one of the first.
    """
    openvino = import_openvino()

    for operation in graph.get_ordered_ops():
        if operation.get_type_name() == "Pad":
            frames, begins, ends = (value.get_source_output() for value in operation.inputs()[:3])
            padding = openvino.opset1.pad(frames, begins, ends, operation.get_attributes()["pad_mode"])
            openvino.utils.replace_node(operation, padding)
    operations = [one for one in graph.get_ordered_ops() if one.get_type_name() not in ("Parameter", "Constant")]
    entry = next(at for at, one in enumerate(operations) if one.get_type_name() == "Convolution")
    of_condition = {parameter.get_friendly_name() for parameter in graph.get_parameters()[1:]}
    for at, operation in enumerate(operations):
        sources = [value.get_source_output().get_node() for value in operation.inputs()]
        variable = {one.get_friendly_name() for one in sources if one.get_type_name() != "Constant"}
        if variable and variable <= of_condition:
            of_condition.add(operation.get_friendly_name())
        if at <= entry or operation.get_friendly_name() in of_condition:
            operation.get_rt_info()["precise_0"] = ""
