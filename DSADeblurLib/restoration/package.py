"""Model packages: weights, card and a test case in one folder; only a package that passes its test is used."""

from __future__ import annotations

import functools
import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from DSADeblurLib.regular_file import read_regular
from DSADeblurLib.restoration.architecture import SMALLEST_SIDE, Architecture
from DSADeblurLib.restoration.blur_condition import estimate_blur
from DSADeblurLib.restoration.card import (
    LARGEST_WEIGHTS,
    TEST_INPUT_FILE,
    TEST_OUTPUT_FILE,
    WEIGHTS_FILE,
    ModelCard,
    ModelError,
    find_model,
    read_card,
)
from DSADeblurLib.restoration.engine import EngineError, Estimator
from DSADeblurLib.restoration.export import Export, ExportError, read_export
from DSADeblurLib.restoration.installed import problem_of
from DSADeblurLib.restoration.openvino_engine import OpenVINOEngine, openvino_estimator
from DSADeblurLib.restoration.tiles import pad_to_multiple
from DSADeblurLib.restoration.weights import read_weights

if TYPE_CHECKING:
    from DSADeblurLib.restoration.network import RestorationNetwork

_LARGEST_TEST_SIDE = 1024
_LARGEST_TEST = 2**26


@dataclass(frozen=True, eq=False)
class Model:
    """A network that passed its self-test, with its card and the hash of its weights.

    Attributes:
        card: facts about it.
        architecture: of the network.
        sha256: of the weights.
        make_network: builds it for PyTorch.
        export: its verified form for OpenVINO, if the package has one.
        notices: why an export could not be used.
    """

    card: ModelCard
    architecture: Architecture
    sha256: str
    make_network: Callable[[], RestorationNetwork] = field(repr=False)
    export: Export | None = field(default=None, repr=False)
    notices: tuple[str, ...] = ()

    @functools.cached_property
    def network(self) -> RestorationNetwork:
        """For PyTorch, weights in float32 on the CPU; built when it is first asked for.

        Raises:
            EngineError: one sentence: PyTorch cannot be used.
        """
        if problem := problem_of("torch"):
            raise EngineError(f"{problem}; choose the engine openvino or auto.")
        return self.make_network()

    @functools.cached_property
    def estimator(self) -> Estimator:
        """Of a modulated network, run by PyTorch where that is installed, else by OpenVINO.

        Raises:
            EngineError: one sentence: neither can be used.
        """
        if problem_of("torch") and self.export is not None and self.export.estimator is not None:
            return openvino_estimator(*self.export.estimator)
        network = self.network
        from DSADeblurLib.restoration.torch_engine import torch_estimator

        return torch_estimator(network)


def load_model(name_or_folder: str | Path) -> Model:
    """A verified model: the hash of the weights is that of the card, and the self-test gives the stored output.

    The test is run by PyTorch where that is installed, else by OpenVINO.

    Args:
        name_or_folder: name of a model that comes with DSADeblur, or the folder of any model package.

    Raises:
        ModelError: one sentence, if anything is missing, damaged or unknown.
        EngineError: one sentence, if there is neither PyTorch nor OpenVINO.
    """
    folder = find_model(name_or_folder)
    card = read_card(folder)
    data = _read(folder / WEIGHTS_FILE, card, LARGEST_WEIGHTS)
    sha256 = hashlib.sha256(data).hexdigest()
    if sha256 != card.sha256:
        raise ModelError(
            f"The weights of model {card.name!r} are not those of its card (SHA-256 differs); install it again."
        )
    try:
        architecture = Architecture.from_dict(card.architecture)
    except (ValueError, TypeError) as error:
        raise ModelError(f"Model {card.name!r} cannot be used: {error}") from error
    export: Export | None = None
    notices: tuple[str, ...] = ()
    try:
        export = read_export(folder, card)
    except ExportError as error:
        notices = (str(error),)
    model = Model(card, architecture, sha256, _builder(data, architecture, card), export, notices)
    _self_test(model, folder)
    return model


def _read(path: Path, card: ModelCard, largest: int) -> bytes:
    try:
        return read_regular(path, largest)
    except FileNotFoundError:
        raise ModelError(f"Model {card.name!r} is incomplete: {path.name} is missing; install it again.") from None
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}.") from error


def _builder(data: bytes, architecture: Architecture, card: ModelCard) -> Callable[[], RestorationNetwork]:
    """What makes the network of these weights, whose number is right."""
    misfit = f"The weights of model {card.name!r} do not fit its architecture; install it again."
    try:
        weights = read_weights(data)
        if card.parameters != sum(values.size for values in weights.values()):
            raise ValueError("the number of weights differs")
    except ValueError as error:
        raise ModelError(misfit) from error

    def build() -> RestorationNetwork:
        from DSADeblurLib.restoration.build_network import network_with

        try:
            return network_with(architecture, weights)
        except (RuntimeError, ValueError) as error:
            raise ModelError(misfit) from error

    return build


def _self_test(model: Model, folder: Path) -> None:
    card, frames = model.card, model.architecture.frames
    test_input, expected = (_read_test(folder / name, card) for name in (TEST_INPUT_FILE, TEST_OUTPUT_FILE))
    if expected.ndim != 2 or test_input.shape != (expected.shape if frames == 1 else (frames, *expected.shape)):
        raise ModelError(
            f"The self-test of model {card.name!r} is damaged: {TEST_INPUT_FILE} and {TEST_OUTPUT_FILE} do not fit "
            "in shape; install it again."
        )
    difference = np.abs(_output(model, test_input) - expected).max()
    # Written so that NaN fails as well.
    if not difference <= card.self_test_tolerance:
        raise ModelError(
            f"Model {card.name!r} failed its self-test: the output differs by {difference:.2g}, "
            f"allowed is {card.self_test_tolerance:.2g}; do not use it on this computer."
        )


def _output(model: Model, frames: np.ndarray) -> np.ndarray:
    """What the network makes of frames with any sides, in float32 on the CPU, told the blur by its own estimator."""
    if not (without_torch := problem_of("torch")):
        from DSADeblurLib.restoration.torch_engine import TorchEngine

        return TorchEngine(model.network).run(frames)
    if without_openvino := problem_of("openvino"):
        raise EngineError(f"{without_torch}, and {without_openvino}; install one of them: pip install openvino.")
    if model.export is None:
        cause = (model.notices or (f"Model {model.card.name!r} brings no OpenVINO export;",))[0].split(";")[0]
        raise EngineError(f"{cause}, and {without_torch}; install it: pip install torch.")
    architecture, stack = model.architecture, frames.reshape(-1, *frames.shape[-2:])
    middle = stack[len(stack) // 2]
    told = estimate_blur(lambda _: middle, 1, model.estimator) if architecture.modulated else None
    padded = np.stack([pad_to_multiple(frame, architecture.multiple) for frame in stack])
    output = OpenVINOEngine(model.export, architecture).run(padded, told)
    return output[: stack.shape[1], : stack.shape[2]]


def _read_test(path: Path, card: ModelCard) -> np.ndarray:
    data = _read(path, card, _LARGEST_TEST)
    try:
        values = np.load(io.BytesIO(data), allow_pickle=False)
    except Exception as error:  # numpy parses the header with Python's tokenizer, which has its own errors
        raise ModelError(f"The self-test file {path} cannot be read; install the model again.") from error
    usable = isinstance(values, np.ndarray) and values.dtype == np.float32 and values.ndim in (2, 3)
    if not usable or not SMALLEST_SIDE <= min(values.shape[-2:]) <= max(values.shape) <= _LARGEST_TEST_SIDE:
        raise ModelError(f"The self-test file {path} must hold float32 frames; install the model again.")
    return values


def vessels_on_a_slope(shape: tuple[int, int, int], depth: float, noise: float, seed: int) -> np.ndarray:
    """Normalised frames (frames, rows, cols) float32: two dark vessels, the wide one of this depth, and white noise."""
    rows, cols = np.meshgrid(*(np.linspace(-1, 1, side) for side in shape[1:]), indexing="ij")
    vessels = np.exp(-((rows - 0.4 * cols) ** 2) / 0.01) + 0.5 * np.exp(-((cols + 0.5 * rows**2) ** 2) / 0.002)
    grain = np.random.default_rng(seed).normal(scale=noise, size=shape)
    return (0.2 * rows - depth * vessels + grain).astype(np.float32)
