"""The OpenVINO form of a network beside its weights: made when the package is, hash-checked before it is parsed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from DSADeblurLib.errors import DSADeblurError
from DSADeblurLib.regular_file import read_regular
from DSADeblurLib.restoration.card import ESTIMATOR_FILES, EXPORT_FILES, LARGEST_WEIGHTS, ModelCard


class ExportError(DSADeblurError):
    """The export of a package cannot be used; the message is one sentence, and PyTorch still can run the model."""


@dataclass(frozen=True)
class Export:
    """OpenVINO intermediate representations, verified: each a graph (XML) and its weights.

    Attributes:
        graph, weights: of the network.
        estimator: graph and weights of the blur estimator that a modulated network brings; None for others.
    """

    graph: bytes
    weights: bytes
    estimator: tuple[bytes, ...] | None = None

    def files(self) -> dict[str, bytes]:
        """Their contents by name."""
        names = (*EXPORT_FILES, *(ESTIMATOR_FILES if self.estimator else ()))
        return dict(zip(names, (self.graph, self.weights, *(self.estimator or ())), strict=True))

    def hashes(self, sha256: str) -> dict[str, str]:
        """What the card says of it: the hash of each file, and that of the weights it was made from."""
        return {**{name: _hash(data) for name, data in self.files().items()}, "made_from": sha256}


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
    estimates = bool(card.architecture.get("modulated"))
    if estimates != (ESTIMATOR_FILES[0] in card.openvino):
        raise ExportError(f"The OpenVINO export of model {card.name!r} has no estimator of blur; PyTorch is used.")
    try:
        graph, weights = (read_regular(folder / name, LARGEST_WEIGHTS) for name in EXPORT_FILES)
        estimator = tuple(read_regular(folder / name, LARGEST_WEIGHTS) for name in ESTIMATOR_FILES if estimates)
        export = Export(graph, weights, estimator or None)
    except OSError:
        raise ExportError(f"The OpenVINO export of model {card.name!r} cannot be read; PyTorch is used.") from None
    if export.hashes(card.sha256) != card.openvino:
        raise ExportError(
            f"The OpenVINO export of model {card.name!r} is not that of its card (SHA-256 differs); PyTorch is used."
        )
    return export


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
