"""What an evaluation finds: one long table of figures, all of it simulated, and its views for JSON, CSV and cards.

The table has one row for each figure. Its columns are

    table      "vessels", "detection", "frames", "paper" (body phantoms), "wrong header", "margins", "widths", "edges",
               "noise", "thin", "still"
    measure    what was measured, as a card calls it: "psnr_gain", "mtf50" ...
    kind       "native" or "subtracted"
    noise      a level of `sets.NOISE`, NOISE_FREE or the paper's
    condition  the blur of frames, the contrast of vessels, the direction of edges
    method     a model, a classical method, INPUT, TRUTH or PERFECT_DENOISER
    against    of margins, the classical method with the best mean
    at         where on a curve: cycles per pixel, diameter in mm, contrast over noise
    value, low, high   the figure, and its 95 % interval where it has one
    n          how many frames or takes of a phantom it is of
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd

from DSADeblurLib.atomic_write import atomic_write
from DSADeblurLib.lab.evaluation.bootstrap import Estimate
from DSADeblurLib.lab.evaluation.extent import Plan
from DSADeblurLib.lab.evaluation.grid import ALL_TRAINED, TRAINED
from DSADeblurLib.lab.image_quality.quality import DATA_RANGE
from DSADeblurLib.lab.simulation.sets import PAPER_DATA_RANGE
from DSADeblurLib.request import CONTROLS

NAMES = ("table", "measure", "kind", "noise", "condition", "method", "against")
NUMBERS = ("at", "value", "low", "high", "n")
# Measures that a card holds with their intervals, and as curves.
_WITH_INTERVAL = ("psnr", "psnr_gain", "edge_gain", "ssim", "ssim_gain", "error_px")
_CURVES = ("by_diameter_px",)
_COUNTS = ("below",)
_OF_FRAMES = dict(kind="kind", noise="noise", condition="blur", trained="trained_blur", method="method", n="frames")
_OF_MARGINS = dict(kind="kind", noise="noise", condition="blur", method="model", against="against", n="frames")
_OF_WIDTHS = dict(noise="noise", condition="contrast", method="method")


def rows_of(measures: dict[str, float | Estimate], **names) -> list[dict]:
    """A row of the long table for each measure; `names` are the values of other columns."""
    found = {measure: one if isinstance(one, Estimate) else Estimate(one) for measure, one in measures.items()}
    return [{**names, "measure": measure, **one._asdict()} for measure, one in found.items()]


def curve_rows(measure: str, at: Iterable[float], values: Iterable[float], **names) -> list[dict]:
    """A row of the long table for each point of a curve."""
    return [
        {**names, "measure": measure, "at": float(x), "value": float(value)}
        for x, value in zip(at, values, strict=True)
    ]


def long_table(rows: Iterable[dict]) -> pd.DataFrame:
    """The table of rows that name the columns they have; a name that is missing is empty, a number NaN."""
    nameless = dict.fromkeys(NAMES, "")
    return pd.DataFrame([nameless | row for row in rows], columns=[*NAMES, *NUMBERS])


def select(figures: pd.DataFrame, **names) -> pd.DataFrame:
    """The rows that have this value, or one of these values, in each column."""
    for column, wanted in names.items():
        figures = figures[figures[column].isin([wanted] if isinstance(wanted, str) else list(wanted))]
    return figures


@dataclass(frozen=True)
class Evaluation:
    """What `dsadeblur evaluate` finds.

    Attributes:
        plan: how much was measured, and the controls that the models were run at.
        models: name (which stands for it in all tables), sha256, frames_in, parameters, engine and precision of each.
        choices: kind, noise, family, setting, psnr and at_edge of each classical method as tuned: see `methods.Tuned`.
        figures: the long table.
        targets: model, name, wanted, found, worst (of all frames, where there are frames) and reached of each target.
    """

    plan: Plan
    models: tuple[dict, ...]
    choices: tuple[dict, ...]
    figures: pd.DataFrame
    targets: pd.DataFrame

    def about(self) -> dict:
        """What the figures are of; `frames` is how many scenes each condition has, `size` their sides."""
        names = ("split", "frames", "size", *CONTROLS)
        ranges = {"data_range": DATA_RANGE, "paper_data_range": PAPER_DATA_RANGE}
        return {name: getattr(self.plan, name) for name in names} | ranges

    def for_card(self, name: str) -> dict:
        """What goes into one model's card: its figures, the input's and the classical methods', all blurs together."""
        (model,) = (model for model in self.models if model["name"] == name)
        others = [model["name"] for model in self.models if model["name"] != name]
        figures = self.figures[~self.figures["method"].isin(others)]
        figures = figures.assign(trained=figures["condition"].isin(TRAINED))
        figures = figures[~figures["trained"] | (figures["condition"] == ALL_TRAINED)]
        return {
            "model": name,
            "model_sha256": model["sha256"],
            **self.about(),
            "rows": _records(select(figures, table="frames"), _OF_FRAMES),
            "paper": _records(select(figures, table="paper"), _OF_FRAMES),
            "margins": _records(select(figures, table="margins", condition=ALL_TRAINED), _OF_MARGINS),
            "widths": _records(select(figures, table="widths"), _OF_WIDTHS),
            "targets": select(self.targets, model=name).to_dict("records"),
        }

    def as_dict(self) -> dict:
        """For JSON: `about`, models, choices, and the rows of both tables, without what is empty or not finite."""
        return {
            "data": "simulated",
            **self.about(),
            "models": self.models,
            "choices": self.choices,
            "figures": [
                {name: value for name, value in row.items() if _is_there(value)}
                for row in self.figures.to_dict("records")
            ],
            "targets": self.targets.to_dict("records"),
        }

    def save(self, folder: Path) -> list[Path]:
        """Write evaluation.json and figures.csv, and figures.parquet where there is pyarrow.

        Args:
            folder: is made.

        Returns:
            Their paths.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        written = [folder / "evaluation.json", folder / "figures.csv"]
        with atomic_write(written[0], replace=True) as unfinished:
            unfinished.write_text(json.dumps(self.as_dict(), indent=1, allow_nan=False) + "\n", encoding="utf-8")
        with atomic_write(written[1], replace=True) as unfinished:
            self.figures.to_csv(unfinished, index=False)
        if find_spec("pyarrow"):
            written.append(folder / "figures.parquet")
            with atomic_write(written[-1], replace=True) as unfinished:
                self.figures.to_parquet(unfinished)
        return written


def _plain(value):
    """A scalar of Python, which JSON takes."""
    return value.item() if isinstance(value, np.generic) else value


def _is_there(value) -> bool:
    return math.isfinite(value) if isinstance(value, float) else value != ""


def _records(figures: pd.DataFrame, names: dict[str, str]) -> list[dict]:
    """One record for each combination of the columns in `names`, which gives them a card's words."""
    records = []
    for key, part in figures.groupby(list(names), sort=False):
        record = dict(zip(names.values(), map(_plain, key), strict=True))
        for measure, rows in part.groupby("measure", sort=False):
            value, low, high = rows[["value", "low", "high"]].iloc[0].tolist()
            if measure in _WITH_INTERVAL:
                record[measure] = {"mean": value, "low": low, "high": high}
            elif measure in _CURVES:
                record[measure] = rows["value"].tolist()
            else:
                record[measure] = int(value) if measure in _COUNTS else value
        records.append(record)
    return records
