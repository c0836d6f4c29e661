"""The model card: what a network is, what it was trained on, how good it is and what it is not for. Needs no torch."""

from __future__ import annotations

import json
import logging
import re
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path

from DSADeblurLib import paths
from DSADeblurLib.errors import DSADeblurError
from DSADeblurLib.regular_file import read_regular

CARD_FILE = "card.json"
WEIGHTS_FILE = "model.safetensors"
TEST_INPUT_FILE = "test_input.npy"
TEST_OUTPUT_FILE = "test_output.npy"
EXPORT_FILES = ("openvino.xml", "openvino.bin")
ESTIMATOR_FILES = ("estimator.xml", "estimator.bin")
FORMAT_VERSION = 1
LARGEST_WEIGHTS = 2**30
"""Bytes; the largest network here has some ten million."""
_LARGEST_CARD = 2**22

_logger = logging.getLogger(__name__)


class ModelError(DSADeblurError):
    """A model package cannot be used; the message is one sentence for the user."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "model")


@dataclass(frozen=True)
class ModelCard:
    """Facts about a model, stored as card.json beside its weights.

    Attributes:
        name: of the model, as shown and as asked for.
        architecture: numbers that rebuild the network, see `architecture.Architecture`.
        description: one or two sentences.
        training: data, schedule, seeds, software.
        physics_range: focal spots, magnifications, pixel spacings and noise that the training covered.
        metrics: measured quality, each with the command that measured it.
        licence: of the weights.
        limits: what the model is not for, one sentence each.
        sha256: of model.safetensors, 64 hexadecimal digits.
        parameters: number of weights.
        created: ISO 8601 date.
        self_test_tolerance: largest allowed difference to test_output.npy, in the network's normalised values.
        openvino: SHA-256 of each file of the OpenVINO export, two for the network and two for an estimator, and under
            `made_from` that of the weights it was made from; empty without an export.
        format_version: of this card.
    """

    name: str
    architecture: dict
    description: str
    training: dict
    physics_range: dict
    metrics: dict
    licence: str
    limits: tuple[str, ...]
    sha256: str = ""
    parameters: int = 0
    created: str = ""
    self_test_tolerance: float = 1e-4
    openvino: dict = field(default_factory=dict)
    format_version: int = FORMAT_VERSION
    folder: Path | None = field(default=None, compare=False)

    def as_dict(self) -> dict:
        """The facts as a JSON-able dictionary."""
        values = asdict(self)
        values["limits"] = list(self.limits)
        del values["folder"]
        return values


_KINDS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "name": (str, "text"),
    "architecture": (dict, "a table"),
    "description": (str, "text"),
    "training": (dict, "a table"),
    "physics_range": (dict, "a table"),
    "metrics": (dict, "a table"),
    "licence": (str, "text"),
    "limits": (list, "a list of sentences"),
    "sha256": (str, "text"),
    "parameters": (int, "a whole number"),
    "created": (str, "text"),
    "self_test_tolerance": ((int, float), "a number"),
    "openvino": (dict, "a table"),
    "format_version": (int, "a whole number"),
}


def read_card(folder: str | Path) -> ModelCard:
    """The card of a model package; weights are not read.

    Raises:
        ModelError: one sentence, if it is missing or malformed.
    """
    folder = Path(folder)
    path = folder / CARD_FILE
    try:
        values = json.loads(read_regular(path, _LARGEST_CARD).decode("utf-8"), parse_constant=_refuse_constant)
    except FileNotFoundError:
        raise ModelError(f"There is no model in {folder}: {CARD_FILE} is missing.") from None
    except OSError as error:
        raise ModelError(f"The model card {path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:  # malformed JSON and malformed UTF-8 are ValueErrors
        raise ModelError(f"The model card {path} is damaged; install the model again.") from error
    return _checked(values, path)


def list_models(folder: str | Path | None = None) -> list[ModelCard]:
    """The cards of the model packages in a folder, sorted by name; by default of those that come with DSADeblur.

    A package whose card cannot be used is left out and named in the log, so that it does not hide the others.
    """
    folder = paths.models_folder() if folder is None else Path(folder)
    cards = []
    for path in sorted(folder.glob(f"*/{CARD_FILE}")):
        try:
            cards.append(read_card(path.parent))
        except ModelError as error:
            _logger.warning("%s", error)
    return sorted(cards, key=lambda card: card.name)


def find_model(name_or_folder: str | Path, models: str | Path | None = None) -> Path:
    """The folder of a model package, given its name or the folder itself.

    Raises:
        ModelError: one sentence that names the known models, if there is none.
    """
    if isinstance(name_or_folder, str):
        cards = list_models(models)
        for card in cards:
            if card.folder is not None and name_or_folder in (card.name, card.folder.name):
                return card.folder
    folder = Path(name_or_folder)
    if folder.is_dir():
        return folder
    known = ", ".join(card.name for card in list_models(models)) or "none"
    raise ModelError(f"There is no model {str(name_or_folder)!r}; known models: {known}.")


def _checked(values: object, path: Path) -> ModelCard:
    if not isinstance(values, dict):
        raise ModelError(f"The model card {path} is damaged; install the model again.")
    version = values.get("format_version", FORMAT_VERSION)
    if version != FORMAT_VERSION:
        raise ModelError(f"The model card {path} has format {version!r}; this version of DSADeblur reads 1.")
    required = {f.name for f in fields(ModelCard) if f.default is f.default_factory is MISSING}
    required |= {"sha256", "parameters"}
    for name in sorted(required - set(values)):
        raise ModelError(f"The model card {path} lacks {name!r}; install the model again.")
    for name, value in values.items():
        if name not in _KINDS:
            raise ModelError(f"The model card {path} has an unknown entry {name!r}.")
        kind, words = _KINDS[name]
        if not isinstance(value, kind) or isinstance(value, bool):
            raise ModelError(f"The model card {path} must give {name!r} as {words}.")
    if not all(isinstance(limit, str) for limit in values["limits"]):
        raise ModelError(f"The model card {path} must give 'limits' as a list of sentences.")
    if not values["name"].strip():
        raise ModelError(f"The model card {path} gives no name.")
    if not _is_hash(values["sha256"]):
        raise ModelError(f"The model card {path} must give 'sha256' as 64 hexadecimal digits.")
    export = values.get("openvino")
    needed = {*EXPORT_FILES, "made_from"}
    known = export and (set(export) in (needed, needed | {*ESTIMATOR_FILES}) and all(map(_is_hash, export.values())))
    if export and not known:
        raise ModelError(
            f"The model card {path} must give 'openvino' as the SHA-256 of {' and '.join(EXPORT_FILES)}, "
            "and of the weights they were made from."
        )
    if not 0 < values.get("self_test_tolerance", 1e-4) <= 0.01:
        raise ModelError(f"The model card {path} must give a 'self_test_tolerance' above 0 and at most 0.01.")
    return ModelCard(**{**values, "limits": tuple(values["limits"])}, folder=path.parent)


def _is_hash(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value) is not None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
