"""The OpenVINO form of a network beside its weights: made when the package is, hash-checked before it is parsed.

`python -m DSADeblurLib.restoration.export FOLDER ...` makes it again for packages that exist.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import torch
from torch import nn

from DSADeblurLib.errors import DSADeblurError
from DSADeblurLib.regular_file import read_regular
from DSADeblurLib.restoration.card import EXPORT_FILES, LARGEST_WEIGHTS, ModelCard
from DSADeblurLib.restoration.network import CONDITION_SIZE, RestorationNetwork


class ExportError(DSADeblurError):
    """The export of a package cannot be used; the message is one sentence, and PyTorch still can run the model."""


@dataclass(frozen=True)
class Export:
    """An OpenVINO intermediate representation, verified: the graph (XML) and its weights."""

    graph: bytes
    weights: bytes

    def hashes(self, sha256: str) -> dict[str, str]:
        """What the card says of it: the hash of each file, and that of the weights it was made from."""
        contents = zip(EXPORT_FILES, (self.graph, self.weights), strict=True)
        return {**{name: _hash(data) for name, data in contents}, "made_from": sha256}


def openvino_is_installed() -> bool:
    """Whether OpenVINO is there; it is not imported for this."""
    return find_spec("openvino") is not None


def import_openvino() -> ModuleType:
    """OpenVINO without its telemetry, for which it would send each use over the network, from a fork of this process.

    The fork closes stdin first, and if a thread of this process reads that, the fork waits for its lock for ever.

    Raises:
        ImportError: OpenVINO is not installed.
    """
    # None is how Python itself marks a module that cannot be found; OpenVINO then does without.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


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

    Raises:
        ImportError: OpenVINO is not installed.
    """
    openvino = import_openvino()

    frames, side = network.architecture.frames, 8 * network.multiple
    with warnings.catch_warnings():
        # OpenVINO traces with torch.jit, which warns of its age and of shapes that become constants.
        warnings.simplefilter("ignore")
        example = (torch.zeros(1, frames, side, side), torch.ones(1, CONDITION_SIZE))[
            : 1 + network.architecture.modulated
        ]
        graph = openvino.convert_model(_Correction(network).eval(), example_input=example, verbose=False)
    shapes = [[1, frames, -1, -1], [1, CONDITION_SIZE]]
    graph.reshape(dict(zip(graph.inputs, shapes, strict=False)))
    _keep_in_float32(graph)
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in EXPORT_FILES]
        openvino.save_model(graph, paths[0], compress_to_fp16=False)
        return Export(*(path.read_bytes() for path in paths))


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


def read_export(folder: Path, card: ModelCard) -> Export | None:
    """The export of a package.

    Args:
        folder: of the package.
        card: of the package.

    Returns:
        The export, verified; None if the card names none.

    Raises:
        ExportError: one sentence: a file is missing or changed, or was made from other weights.
    """
    if not card.openvino:
        return None
    if card.openvino.get("made_from") != card.sha256:
        raise ExportError(f"The OpenVINO export of model {card.name!r} was made from other weights; PyTorch is used.")
    try:
        export = Export(*(read_regular(folder / name, LARGEST_WEIGHTS) for name in EXPORT_FILES))
    except OSError:
        raise ExportError(f"The OpenVINO export of model {card.name!r} cannot be read; PyTorch is used.") from None
    if export.hashes(card.sha256) != card.openvino:
        raise ExportError(
            f"The OpenVINO export of model {card.name!r} is not that of its card (SHA-256 differs); PyTorch is used."
        )
    return export


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
