"""What an evaluation finds: tables of numbers, all of it simulated, and how they are written as JSON."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

from DSADeblurLib.atomic_write import atomic_write
from DSADeblurLib.lab.evaluation.bootstrap import Estimate
from DSADeblurLib.lab.evaluation.frames import Margin, Row
from DSADeblurLib.lab.evaluation.grid import ALL_TRAINED
from DSADeblurLib.lab.evaluation.methods import Tuned

JSON_FILE = "evaluation.json"


@dataclass(frozen=True)
class EvaluatedModel:
    """A model that was evaluated; `name` stands for it in all tables."""

    name: str
    sha256: str
    frames_in: int
    parameters: int
    engine: str
    precision: str


@dataclass(frozen=True)
class Choice:
    """The setting of a classical method chosen on validation frames."""

    kind: str
    noise: str
    tuned: Tuned


@dataclass(frozen=True)
class Widths:
    """Vessel widths in the phantom: mean absolute error in pixels over vessels of 0.3-2 mm, what remains of the
    input's, the share of vessels not seen, and the mean error at each diameter (positive: too wide)."""

    noise: str
    contrast: str
    method: str
    error_px: Estimate
    ratio: float
    missed: float
    by_diameter_px: tuple[float, ...]


@dataclass(frozen=True)
class Edge:
    """MTF of the mean of several results: where it falls to 50 and 10 %, in cycles per pixel and over the input's,
    and its values at `frequency`."""

    noise: str
    edge: str
    method: str
    mtf50: float
    mtf10: float
    gain50: float
    gain10: float
    frequency: tuple[float, ...]
    modulation: tuple[float, ...]


@dataclass(frozen=True)
class Noise:
    """Standard deviation of a pixel where there is no object, over the input's, and the radial noise power."""

    noise: str
    method: str
    std: float
    ratio: float
    frequency: tuple[float, ...]
    power: tuple[float, ...]


@dataclass(frozen=True)
class Thin:
    """Thin vessels of one contrast-to-noise ratio: see `phantoms.Visibility`."""

    noise: str
    cnr: float
    method: str
    missed: Estimate
    false: Estimate
    invented: Estimate
    kept: Estimate


@dataclass(frozen=True)
class Still:
    """Background of a still run: flicker and single-frame noise relative to the input's, see `phantoms.Stillness`."""

    noise: str
    method: str
    flicker: float
    noise_kept: float


@dataclass(frozen=True)
class Target:
    """What a model is to reach, what it reached, and the worst frame where there are frames."""

    model: str
    name: str
    wanted: str
    found: str
    worst: str
    reached: bool


@dataclass(frozen=True)
class CardFigures:
    """What goes into one model's card."""

    model: str
    model_sha256: str
    split: str
    frames: int
    size: int
    sharpness: float
    noise_reduction: float
    data_range: float
    rows: tuple[Row, ...]
    paper: tuple[Row, ...]
    paper_data_range: float
    margins: tuple[Margin, ...]
    widths: tuple[Widths, ...]
    targets: tuple[Target, ...]


@dataclass(frozen=True)
class Evaluation:
    """What `dsadeblur evaluate` finds.

    `frames` is how many scenes each condition has, `size` their sides; `sharpness` and `noise_reduction` are those
    that the models were run at; `rows` are all conditions but the body phantoms
    of `paper`, whose figures have a data range of their own; `misled` are models without a header and with wrong ones.
    """

    models: tuple[EvaluatedModel, ...]
    split: str
    frames: int
    size: int
    sharpness: float
    noise_reduction: float
    data_range: float
    choices: tuple[Choice, ...]
    rows: tuple[Row, ...]
    paper: tuple[Row, ...]
    paper_data_range: float
    margins: tuple[Margin, ...]
    misled: tuple[Row, ...]
    widths: tuple[Widths, ...]
    edges: tuple[Edge, ...]
    noise: tuple[Noise, ...]
    thin: tuple[Thin, ...]
    still: tuple[Still, ...]
    targets: tuple[Target, ...]

    def warnings(self) -> tuple[str, ...]:
        """Sentences about classical methods that may be better than they look."""
        return tuple(
            f"{c.tuned.family} on {c.kind} frames at {c.noise} noise was tuned to an end of its grid "
            f"({', '.join(c.tuned.at_edge)}); it may be better than it looks."
            for c in self.choices
            if c.tuned.at_edge
        )

    def for_card(self, name: str) -> CardFigures:
        """The figures of one model, with the input's and the classical methods', the ranges of blur together."""
        (model,) = (model for model in self.models if model.name == name)
        others = {model.name for model in self.models} - {name}

        def kept(rows):
            return tuple(row for row in rows if row.method not in others)

        rows = kept(row for row in self.rows if row.blur == ALL_TRAINED or not row.trained_blur)
        return CardFigures(
            model.name,
            model.sha256,
            self.split,
            self.frames,
            self.size,
            self.sharpness,
            self.noise_reduction,
            self.data_range,
            rows,
            kept(self.paper),
            self.paper_data_range,
            tuple(m for m in self.margins if m.model == name and m.blur == ALL_TRAINED),
            kept(self.widths),
            tuple(t for t in self.targets if t.model == name),
        )

    def as_dict(self) -> dict:
        """For JSON: what is not finite is None."""
        return _finite({"data": "simulated", **asdict(self), "warnings": list(self.warnings())})

    def save(self, folder: Path) -> Path:
        """Write evaluation.json into a folder, which is made; returns its path."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / JSON_FILE
        with atomic_write(path, replace=True) as unfinished:
            unfinished.write_text(json.dumps(self.as_dict(), indent=1, allow_nan=False) + "\n", encoding="utf-8")
        return path


def _finite(value):
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
