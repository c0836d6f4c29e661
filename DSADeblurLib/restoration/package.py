"""Model packages: weights, card and a test case in one folder; only a package that passes its test is used."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import torch

from DSADeblurLib.atomic_write import atomic_folder
from DSADeblurLib.regular_file import read_regular
from DSADeblurLib.restoration.architecture import SMALLEST_SIDE, Architecture
from DSADeblurLib.restoration.build_network import build_network
from DSADeblurLib.restoration.card import (
    CARD_FILE,
    EXPORT_FILES,
    LARGEST_WEIGHTS,
    TEST_INPUT_FILE,
    TEST_OUTPUT_FILE,
    WEIGHTS_FILE,
    ModelCard,
    ModelError,
    find_model,
    read_card,
)
from DSADeblurLib.restoration.engine import TorchEngine
from DSADeblurLib.restoration.export import (
    Export,
    ExportError,
    export_network,
    openvino_is_installed,
    read_export,
)
from DSADeblurLib.restoration.network import RestorationNetwork
from DSADeblurLib.restoration.weights import read_weights

_TEST_SHAPE = (61, 67)
_LARGEST_TEST_SIDE = 1024
_LARGEST_TEST = 2**26


@dataclass(frozen=True)
class Model:
    """A network that passed its self-test, with its card and the hash of its weights.

    `export` is its verified form for OpenVINO, if the package has one; `notices` say why one could not be used.
    """

    card: ModelCard
    network: RestorationNetwork
    sha256: str
    export: Export | None = field(default=None, repr=False)
    notices: tuple[str, ...] = ()


def load_model(name_or_folder: str | Path) -> Model:
    """A verified model: the hash of the weights is that of the card, and the self-test gives the stored output.

    Args:
        name_or_folder: name of a model that comes with DSADeblur, or the folder of any model package.

    Raises:
        ModelError: one sentence, if anything is missing, damaged or unknown.
    """
    folder = find_model(name_or_folder)
    card = read_card(folder)
    data = _read(folder / WEIGHTS_FILE, card, LARGEST_WEIGHTS)
    sha256 = hashlib.sha256(data).hexdigest()
    if sha256 != card.sha256:
        raise ModelError(
            f"The weights of model {card.name!r} are not those of its card (SHA-256 differs); install it again."
        )
    network = _network_with(data, card)
    _self_test(network, card, folder)
    try:
        return Model(card, network, sha256, read_export(folder, card))
    except ExportError as error:
        return Model(card, network, sha256, notices=(str(error),))


def save_model(folder: str | Path, network: RestorationNetwork, card: ModelCard) -> ModelCard:
    """Write a model package; an older one in this folder is replaced only when the new one is complete.

    Args:
        folder: of the package.
        network: the trained network, on any device.
        card: its facts; architecture, sha256 and parameters are filled in from the network, an empty date from
            the clock. The OpenVINO export is made when OpenVINO is installed, else kept if it is of these weights.

    Returns:
        The card as written.

    Raises:
        ModelError: one sentence, if the folder holds something else or the network's weights are not finite.
        OSError: if it cannot be written.
    """
    folder = Path(folder).resolve()
    if folder.exists() and not (folder / CARD_FILE).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise ModelError(f"{folder} exists and is not a model package; choose another folder.")
    state = {name: value.detach().float().cpu().contiguous() for name, value in network.state_dict().items()}
    if not all(torch.isfinite(value).all() for value in state.values()):
        raise ModelError("The network has weights that are not finite; train it again.")
    # Only training writes weights; running a model, as Slicer does, needs no package beside torch.
    import safetensors.torch

    weights = safetensors.torch.save(state, metadata={"format": "pt"})
    sha256 = hashlib.sha256(weights).hexdigest()
    fresh = build_network(network.architecture)
    fresh.load_state_dict(state)
    export = export_network(fresh) if openvino_is_installed() else _former_export(card, sha256)
    card = replace(
        card,
        architecture=network.architecture.as_dict(),
        sha256=sha256,
        openvino=export.hashes(sha256) if export else {},
        parameters=sum(value.numel() for value in state.values()),
        created=card.created or datetime.now(timezone.utc).date().isoformat(),
        folder=folder,
    )
    test_input = _test_input(network.architecture.frames)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with atomic_folder(folder) as unfinished:
        (unfinished / WEIGHTS_FILE).write_bytes(weights)
        if export:
            for name, data in zip(EXPORT_FILES, (export.graph, export.weights), strict=True):
                (unfinished / name).write_bytes(data)
        text = json.dumps(card.as_dict(), indent=2, ensure_ascii=False, allow_nan=False)
        (unfinished / CARD_FILE).write_text(text + "\n", encoding="utf-8")
        np.save(unfinished / TEST_INPUT_FILE, test_input, allow_pickle=False)
        np.save(unfinished / TEST_OUTPUT_FILE, TorchEngine(fresh).run(test_input), allow_pickle=False)
        load_model(unfinished)  # what cannot be read back must not replace what could
    return card


def _former_export(card: ModelCard, sha256: str) -> Export | None:
    try:
        return read_export(card.folder, replace(card, sha256=sha256)) if card.folder else None
    except ExportError:
        return None


def _read(path: Path, card: ModelCard, largest: int) -> bytes:
    try:
        return read_regular(path, largest)
    except FileNotFoundError:
        raise ModelError(f"Model {card.name!r} is incomplete: {path.name} is missing; install it again.") from None
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}.") from error


def _network_with(data: bytes, card: ModelCard) -> RestorationNetwork:
    try:
        architecture = Architecture.from_dict(card.architecture)
    except (ValueError, TypeError) as error:
        raise ModelError(f"Model {card.name!r} cannot be used: {error}") from error
    # Counted without memory first: a damaged card could ask for a network of many gigabytes.
    with torch.device("meta"):
        parameters = sum(p.numel() for p in build_network(architecture).parameters())
    try:
        state = read_weights(data)
        if parameters != card.parameters or parameters != sum(value.numel() for value in state.values()):
            raise ValueError("the number of weights differs")
        network = build_network(architecture)
        network.load_state_dict(state, strict=True)
    except (RuntimeError, ValueError) as error:
        raise ModelError(
            f"The weights of model {card.name!r} do not fit its architecture; install it again."
        ) from error
    return network.eval().requires_grad_(False)


def _self_test(network: RestorationNetwork, card: ModelCard, folder: Path) -> None:
    test_input, expected = (_read_test(folder / name, card) for name in (TEST_INPUT_FILE, TEST_OUTPUT_FILE))
    frames = network.architecture.frames
    if expected.ndim != 2 or test_input.shape != (expected.shape if frames == 1 else (frames, *expected.shape)):
        raise ModelError(
            f"The self-test of model {card.name!r} is damaged: {TEST_INPUT_FILE} and {TEST_OUTPUT_FILE} do not fit "
            "in shape; install it again."
        )
    difference = np.abs(TorchEngine(network).run(test_input) - expected).max()
    # Written so that NaN fails as well.
    if not difference <= card.self_test_tolerance:
        raise ModelError(
            f"Model {card.name!r} failed its self-test: the output differs by {difference:.2g}, "
            f"allowed is {card.self_test_tolerance:.2g}; do not use it on this computer."
        )


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


def _test_input(frames: int) -> np.ndarray:
    """Normalised frames with odd sides: dark vessels on a slope, and noise. (61, 67), or (frames, 61, 67), float32."""
    values = vessels_on_a_slope((frames, *_TEST_SHAPE), depth=1.0, noise=0.05, seed=20221143168)
    return values[0] if frames == 1 else values


def vessels_on_a_slope(shape: tuple[int, int, int], depth: float, noise: float, seed: int) -> np.ndarray:
    """Normalised frames (frames, rows, cols) float32: two dark vessels, the wide one of this depth, and white noise."""
    rows, cols = np.meshgrid(*(np.linspace(-1, 1, side) for side in shape[1:]), indexing="ij")
    vessels = np.exp(-((rows - 0.4 * cols) ** 2) / 0.01) + 0.5 * np.exp(-((cols + 0.5 * rows**2) ** 2) / 0.002)
    grain = np.random.default_rng(seed).normal(scale=noise, size=shape)
    return (0.2 * rows - depth * vessels + grain).astype(np.float32)
