"""Writes model packages, see `package`; needs PyTorch."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import safetensors.torch
import torch

from DSADeblurLib.atomic_write import atomic_folder
from DSADeblurLib.extras import is_installed
from DSADeblurLib.restoration.build_network import build_network
from DSADeblurLib.restoration.card import (
    CARD_FILE,
    TEST_INPUT_FILE,
    TEST_OUTPUT_FILE,
    WEIGHTS_FILE,
    ModelCard,
    ModelError,
)
from DSADeblurLib.restoration.conversion import export_network
from DSADeblurLib.restoration.export import Export, ExportError, read_export
from DSADeblurLib.restoration.network import RestorationNetwork
from DSADeblurLib.restoration.package import load_model, vessels_on_a_slope
from DSADeblurLib.restoration.torch_engine import TorchEngine

_TEST_SHAPE = (61, 67)


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
    weights = safetensors.torch.save(state, metadata={"format": "pt"})
    sha256 = hashlib.sha256(weights).hexdigest()
    fresh = build_network(network.architecture)
    fresh.load_state_dict(state)
    export = export_network(fresh) if is_installed("openvino") else _former_export(card, sha256)
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
        for name, data in (export.files() if export else {}).items():
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


def _test_input(frames: int) -> np.ndarray:
    """Normalised frames with odd sides: dark vessels on a slope, and noise. (61, 67), or (frames, 61, 67), float32."""
    values = vessels_on_a_slope((frames, *_TEST_SHAPE), depth=1.0, noise=0.05, seed=20221143168)
    return values[0] if frames == 1 else values
