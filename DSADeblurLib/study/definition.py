"""The definition of a study: what a reader's copy holds, and nothing that tells arm from arm."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from DSADeblurLib import __version__
from DSADeblurLib.regular_file import sha256_of
from DSADeblurLib.request import RequestError
from DSADeblurLib.study.canonical import digest, read_with_digest, with_digest
from DSADeblurLib.study.protocol import Protocol

FORMAT, VERSION = "DSADeblur reader study", 1
DEFINITION, IMAGES, ANSWERS, CLOSED = "definition.json", "images", "answers", "closed.json"


@dataclass(frozen=True)
class Mark:
    """Where the vessel lies that is asked about: frame from 1, row and column in pixels from 0."""

    frame: int
    row: float
    column: float


@dataclass(frozen=True)
class Item:
    """One thing shown and asked about.

    Attributes:
        name: of the item.
        case: of whose run it is.
        images: one image, or two in an order that says nothing.
        training: its answers do not count.
        repeat_of: the item that this one repeats, for the agreement of a reader with himself.
        question: shown beside it.
        mark: see there.
    """

    name: str
    case: str
    images: tuple[str, ...]
    training: bool = False
    repeat_of: str | None = None
    question: str = ""
    mark: Mark | None = None

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Item:
        """Inverse of `asdict`."""
        mark = None if values["mark"] is None else Mark(**values["mark"])
        return cls(**{**values, "images": tuple(values["images"]), "mark": mark})


@dataclass(frozen=True)
class Definition:
    """A study as it was created; nothing in it changes afterwards.

    Attributes:
        study: its random name.
        title: for people.
        protocol: see there.
        seed: of repeats, orders and sides; it says nothing about the arms.
        harm_margin: share of levels 1 and 2 from which on harm is not excluded.
        images: SHA-256 of each image's file, by its random name.
        items: in no order that matters.
        key_sha256: of the key, which lies elsewhere.
        software: that created it.
    """

    study: str
    title: str
    protocol: Protocol
    seed: int
    harm_margin: float
    images: dict[str, str]
    items: tuple[Item, ...]
    key_sha256: str
    software: str = __version__

    def as_dict(self) -> dict[str, Any]:
        """Values of JSON's types by name."""
        own = {name: getattr(self, name) for name in ("study", "title", "seed", "harm_margin", "images")}
        items = [{**asdict(item), "images": list(item.images)} for item in self.items]
        return {
            **{"format": FORMAT, "version": VERSION, **own, "protocol": self.protocol.as_dict(), "items": items},
            **{"key_sha256": self.key_sha256, "software": self.software},
        }

    @property
    def sha256(self) -> str:
        """The hash that answers refer to."""
        return digest(self.as_dict())

    def item(self, name: str) -> Item:
        """The item of that name. Raises KeyError."""
        return {item.name: item for item in self.items}[name]

    def write(self, folder: Path) -> None:
        """Write it into a study's folder. Raises OSError."""
        (folder / DEFINITION).write_text(with_digest(self.as_dict()), encoding="utf-8")


def read_definition(folder: Path) -> Definition:
    """Read the definition of a study's folder.

    Raises:
        RequestError: one sentence, where there is none, or it was changed.
    """
    values = read_with_digest(Path(folder) / DEFINITION, FORMAT, VERSION)
    try:
        own = ("study", "title", "seed", "harm_margin", "images", "key_sha256", "software")
        protocol, items = Protocol.from_dict(values["protocol"]), tuple(map(Item.from_dict, values["items"]))
        return Definition(**{name: values[name] for name in own}, protocol=protocol, items=items)
    except (KeyError, TypeError) as error:
        raise RequestError(f"{folder} is no study of this software: {DEFINITION} lacks {error}.") from error


def image_path(folder: Path, image: str) -> Path:
    """Where an image lies in a study's folder."""
    return Path(folder) / IMAGES / f"{image}.dcm"


def changed_images(folder: Path, definition: Definition) -> list[str]:
    """Names of the images that are missing or no longer what they were."""
    return [one for one, sha256 in definition.images.items() if sha256_of(image_path(folder, one)) != sha256]
