"""How right diameters and stenoses are, on original and deblurred frames of simulated vessels: `make measure`.

    python -m DSADeblurLib.lab.evaluation.vessel_measuring --output out/measure

With `--static FOLDER` real runs in which nothing moves are measured instead, see `static_measuring`. Without it this
writes every single value (values.csv), bias and spread of each method (measure.csv) and a plot, and prints a table.
Lines are drawn across healthy parts of vessels as users draw them, off the middle and not at right angles; lesions are
measured along a curve. What is measured on the deblurred frame is the same markup as on the original.
"""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from DSADeblurLib.lab.evaluation import static_measuring
from DSADeblurLib.lab.evaluation.phantoms import quanta_of
from DSADeblurLib.lab.simulation.narrowed import NarrowedPhantom, NarrowedVessel, narrowed_phantom
from DSADeblurLib.lab.simulation.phantom import NOMINAL_SPOT_MM
from DSADeblurLib.lab.simulation.sets import NOISE, generator
from DSADeblurLib.measurement.centre_line import find_centre_line
from DSADeblurLib.measurement.course import STEP_MM, measure_course
from DSADeblurLib.measurement.cross_section import Unmeasurable, aim_across
from DSADeblurLib.measurement.diameter import METHODS, Section, measure_at
from DSADeblurLib.measurement.line_spread import HEADER_ERROR, SystemBlur, deblurred_blur
from DSADeblurLib.measurement.stenosis import find_stenosis
from DSADeblurLib.physics.detector import Detector
from DSADeblurLib.physics.focal_spot import TARGET_SPOT_MM, expected_width_mm, removable_blur_in_pixels
from DSADeblurLib.physics.geometry import blur_in_pixels
from DSADeblurLib.request import DEFAULT_MODEL, DeblurSettings
from DSADeblurLib.restoration.deblur import deblur
from DSADeblurLib.restoration.package import load_model

STENOSES = (0.0, 0.3, 0.5, 0.7, 0.9, 0.95)
HEADERS = (1.0, 0.5, 2.0)
"""Factors by which the blur that the header predicts is wrong; wrong ones at one degree of stenosis only."""
WRONG_AT = 0.5
NARROWED_MM = (1.0, 2.0, 4.0)
"""Vessels whose lesions are measured."""
NOISE_REDUCTIONS = (DeblurSettings().noise_reduction, 0.0)
ORIGINAL = "original"
LINES_MM, CURVE_MM = np.array([-16.0, -10.0, 10.0, 16.0]), np.array([-6.0, 0.0, 6.0])
"""Where lines and curves lie, from the lesion."""
_SEED = 1_000_016
_TURN, _ASIDE_PX = math.radians(8), 1.5
SIZES = {"0.3-0.4 mm": (0.3, 0.45), "0.5-0.7 mm": (0.45, 0.95), "1-5 mm": (0.95, 9.0)}

TARGETS = {
    "1-5 mm: |bias| <= 0.05, SD <= 0.10": ("diameter", (1.0, 5.0), 0.05, 0.10),
    "0.5-0.7 mm: |bias| <= 0.08, SD <= 0.15": ("diameter", (0.5, 0.7), 0.08, 0.15),
    "stenosis: |bias| <= 2 points": ("stenosis", (1.0, 5.0), 2.0, math.inf),
}
"""What is measured of which vessels in mm, and the largest bias and spread."""
COVERAGE = "stenosis: 90-99 % of intervals hold"


@dataclass(frozen=True)
class Case:
    """One frame, and what the header says of its blur."""

    noise: str
    stenosis: float
    curved: bool
    header: float


def cases(stenoses: tuple[float, ...] = STENOSES) -> list[Case]:
    """All frames that are measured."""
    found = [Case(*key, 1.0) for key in itertools.product(NOISE, stenoses, (False, True))]
    return found + [Case(noise, WRONG_AT, False, factor) for noise in NOISE for factor in HEADERS[1:]]


def measure_case(case: Case, model: str = DEFAULT_MODEL, split: str = "test") -> list[dict]:
    """Values of a frame: what was measured (diameter in mm or stenosis in %), by method and image, and the truth."""
    phantom = _phantom(case.stenosis, case.curved)
    number = list(NOISE).index(case.noise), round(100 * case.stenosis), int(case.curved)
    rng = generator(split, _SEED, *number)
    frame = phantom.take(quanta_of(case.noise), rng)
    images = dict(_images(phantom, frame, case.header, model))
    rows = []
    for vessel in phantom.vessels:
        rows += _lines(phantom, vessel, images, rng)
        if vessel.diameter_mm in NARROWED_MM:
            rows += _curve(phantom, vessel, images)
    facts = {"noise": case.noise, "stenosis": case.stenosis, "curved": case.curved, "header": case.header}
    return [{**facts, **row} for row in rows]


@cache
def _phantom(stenosis: float, curved: bool) -> NarrowedPhantom:
    return narrowed_phantom(stenosis, curved)


def _images(
    phantom: NarrowedPhantom, frame: np.ndarray, header: float, model: str
) -> Iterator[tuple[str, tuple[np.ndarray, SystemBlur]]]:
    """The original and the deblurred frames by name, and the blur that the header predicts for each."""
    magnification, spacing = float(phantom.view.magnification(0.0)), phantom.view.spacing_mm
    detector = Detector(spacing_mm=spacing)
    width = header * blur_in_pixels(expected_width_mm(NOMINAL_SPOT_MM), magnification, spacing)
    yield ORIGINAL, (frame, SystemBlur((width, width), detector, 2 * HEADER_ERROR))
    removable = header * removable_blur_in_pixels(NOMINAL_SPOT_MM, magnification, spacing)
    left = blur_in_pixels(TARGET_SPOT_MM, magnification, spacing)
    for reduction in NOISE_REDUCTIONS:
        settings = DeblurSettings(device="cpu", engine="torch", noise_reduction=reduction)
        restored = deblur(frame[None], load_model(model), settings, header_px=(removable, removable)).frames[0]
        blur = deblurred_blur(SystemBlur((left, left), detector, 2 * HEADER_ERROR))
        yield f"deblurred, n {reduction:g}", (restored, blur)


def _lines(phantom: NarrowedPhantom, vessel: NarrowedVessel, images: dict, rng: np.random.Generator) -> list[dict]:
    rows = []
    for middle, way in zip(*phantom.along(vessel, LINES_MM), strict=True):
        angle, aside = rng.uniform(-_TURN, _TURN), rng.uniform(-_ASIDE_PX, _ASIDE_PX)
        turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        half = 0.8 * vessel.diameter_mm * phantom.pixels_per_mm + 3
        across = turn @ (-way[1], way[0])
        middle = middle + aside * across
        try:
            aim = aim_across(images[ORIGINAL][0], tuple(middle - half * across), tuple(middle + half * across))
        except Unmeasurable as reason:
            sections = {name: Section.unmeasured(str(reason)) for name in images}
        else:
            sections = {name: measure_at(image, aim, blur) for name, (image, blur) in images.items()}
        scale = 1 / phantom.pixels_per_mm
        rows += [
            {
                "measure": "diameter",
                "truth": vessel.diameter_mm,
                "diameter": vessel.diameter_mm,
                "image": name,
                "method": method,
                "value": scale * one.value,
                "low": scale * one.low,
                "high": scale * one.high,
                "reason": one.reason,
            }
            for name, section in sections.items()
            for method, one in section.diameters.items()
        ]
    return rows


def _curve(phantom: NarrowedPhantom, vessel: NarrowedVessel, images: dict) -> list[dict]:
    points, _ = phantom.along(vessel, CURVE_MM)
    line = find_centre_line(images[ORIGINAL][0], points, STEP_MM * phantom.pixels_per_mm)
    rows = []
    for name, (image, blur) in images.items():
        course = measure_course(image, line, blur)
        for method in METHODS:
            found = find_stenosis(course, method)
            parts = {"stenosis": found and found.percent, "area stenosis": found and found.area}
            if method == METHODS[0]:
                parts["densitometric stenosis"] = found and found.densitometric
            for measure, part in parts.items():
                value, low, high = part or (math.nan,) * 3
                left = 1 - vessel.stenosis
                truth = 100 * (1 - left if measure == "stenosis" else 1 - left**2)
                row = {"measure": measure, "truth": truth, "diameter": vessel.diameter_mm, "image": name}
                rows.append({**row, "method": method, "value": value, "low": low, "high": high, "reason": ""})
    return rows


def summary(values: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Bias, standard deviation, share not measured and share of intervals that hold the truth, of groups of values."""
    error = values["value"] - values["truth"]
    holds = ((values["low"] <= values["truth"]) & (values["truth"] <= values["high"])).where(error.notna())
    groups = values.assign(error=error, missing=error.isna(), holds=holds.astype(float)).groupby(by, sort=False)
    return groups.agg(
        bias=("error", "mean"),
        sd=("error", "std"),
        missing=("missing", "mean"),
        covered=("holds", "mean"),
        n=("error", "size"),
    ).reset_index()


def print_summary(values: pd.DataFrame, console: Console) -> None:
    """Print bias and standard deviation of all methods, by noise and size of vessels, for right and wrong headers."""
    values = values.assign(size=_sizes(values["diameter"]), header=values["header"].map("x {:g}".format))
    for header, part in values.groupby("header", sort=False):
        title = (
            "Simulated; bias ± SD of diameters in mm and stenoses in %; share of 95 % intervals that hold the truth; "
            f"(not measured); blur by the header {header}"
        )
        table = Table(title=title, title_justify="left")
        for heading in ("noise", "method", "image", *SIZES, "stenosis %", "densitometric %"):
            table.add_column(heading, justify="left" if heading in ("noise", "method", "image") else "right")
        for number, (key, group) in enumerate(part.groupby(["noise", "method", "image"], sort=False), 1):
            cells = [group[(group["measure"] == "diameter") & (group["size"] == size)] for size in SIZES]
            cells += [group[group["measure"] == measure] for measure in ("stenosis", "densitometric stenosis")]
            table.add_row(*key, *map(_cell, cells))
            if number % (len(METHODS) * part["image"].nunique()) == 0:
                table.add_section()
        console.print(table)


def print_targets(values: pd.DataFrame, console: Console) -> None:
    """Print by method and image whether the targets are met with a right header, all noise and degrees together."""
    table = Table(
        title="Targets, simulated, all noise levels; - where more than half was not measured", title_justify="left"
    )
    for heading in ("method", "image", *TARGETS, COVERAGE):
        table.add_column(heading)
    right = values[values["header"] == 1]
    for key, group in right.groupby(["method", "image"], sort=False):
        cells = []
        for measure, (low, high), bias, sd in TARGETS.values():
            part = group[(group["measure"] == measure) & group["diameter"].between(low, high)]
            error = (part["value"] - part["truth"]).dropna()
            met = abs(error.mean()) <= bias and error.std() <= sd
            words = f"{'met' if met else 'missed'}: {error.mean():+.2f} ± {error.std():.2f}"
            cells.append(words if 2 * len(error) >= len(part) else "-")
        share = float(summary(group[group["measure"] == "stenosis"], ["measure"])["covered"].iloc[0])
        cells.append(f"{'met' if 0.9 <= share <= 0.99 else 'missed'}: {100 * share:.1f} %")
        table.add_row(*key, *cells)
    console.print(table)


def draw(values: pd.DataFrame, path: Path) -> None:
    """Draw bias with standard deviation, of diameters against diameter and of stenoses against degree, by noise."""
    right = values[values["header"] == 1]
    figure = Figure(figsize=(16, 14), layout="constrained")
    axes = figure.subplots(len(METHODS), 2 * len(NOISE), sharex="col", squeeze=False)
    panels = [(noise, measure) for measure in ("diameter", "stenosis") for noise in NOISE]
    for (row, method), (column, (noise, measure)) in itertools.product(enumerate(METHODS), enumerate(panels)):
        part = right[(right["method"] == method) & (right["noise"] == noise) & (right["measure"] == measure)]
        part = summary(part, ["image", "truth"])
        for image, line in part.groupby("image", sort=False):
            axes[row, column].errorbar(line["truth"], line["bias"], line["sd"], label=image, capsize=2, alpha=0.8)
        axes[row, column].axhline(0, color="black", linewidth=0.5)
        limits = (-0.4, 0.4) if measure == "diameter" else (-30, 30)
        axes[row, column].set(title=f"{method}, {noise}", ylim=limits)
        if measure == "diameter":
            axes[row, column].set_xscale("log")
            axes[row, column].set_xticks((0.3, 0.5, 1, 2, 5), ("0.3", "0.5", "1", "2", "5"), minor=False)
            axes[row, column].minorticks_off()
        if row == len(METHODS) - 1:
            axes[row, column].set_xlabel("diameter mm" if measure == "diameter" else "stenosis %")
    for row in axes:
        row[0].set_ylabel("bias mm")
        row[len(NOISE)].set_ylabel("bias %")
    axes[0, 0].legend()
    figure.savefig(path, dpi=100)


def _sizes(diameters: pd.Series) -> pd.Series:
    edges = [low for low, _ in SIZES.values()]
    return pd.Series(np.array(list(SIZES))[np.searchsorted(edges, diameters + 0.01) - 1], index=diameters.index)


def _cell(group: pd.DataFrame) -> str:
    error = group["value"] - group["truth"]
    if not error.notna().any():
        return "-" if group.empty else "(100 %)"
    digits = 2 if group["measure"].iloc[0] == "diameter" else 1
    holds = (group["low"] <= group["truth"]) & (group["truth"] <= group["high"])
    share = f"; {100 * holds[error.notna()].mean():.0f} %"
    missing = f" ({100 * error.isna().mean():.0f} %)" if error.isna().any() else ""
    return f"{error.mean():+.{digits}f} ± {error.std():.{digits}f}{share}{missing}"


def main(arguments: list[str] | None = None) -> int:
    """Entry point of the command."""
    parser = argparse.ArgumentParser(prog=f"python -m {__spec__.name}", description=__doc__.split("\n")[0])
    parser.add_argument("--model", default=DEFAULT_MODEL, help="default %(default)s")
    parser.add_argument("--set", choices=("validation", "test"), default="test", help="default %(default)s")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="processes")
    parser.add_argument("--stenoses", type=float, nargs="+", default=STENOSES, metavar="PART", help="0 to 1")
    parser.add_argument(
        "--output", type=Path, default=Path("out/measure"), metavar="FOLDER", help="for tables and plot"
    )
    parser.add_argument("--static", type=Path, metavar="FOLDER", help="of real runs in which nothing moves")
    options = parser.parse_args(arguments)
    if options.static is not None:
        measured = static_measuring.measure_static(options.static, load_model(options.model))
        options.output.mkdir(parents=True, exist_ok=True)
        measured.to_csv(options.output / "static.csv", index=False)
        static_measuring.print_precision(measured, Console(width=150))
        return 0
    todo = cases(tuple(options.stenoses))
    with ProcessPoolExecutor(options.workers, initializer=_one_thread) as pool:
        found = list(
            tqdm(pool.map(partial(measure_case, model=options.model, split=options.set), todo), total=len(todo))
        )
    values = pd.DataFrame(itertools.chain.from_iterable(found))
    options.output.mkdir(parents=True, exist_ok=True)
    values.to_csv(options.output / "values.csv", index=False)
    by = ["measure", "noise", "header", "method", "image", "truth"]
    summary(values, by).to_csv(options.output / "measure.csv", index=False, float_format="%.4f")
    draw(values, options.output / "measure.png")
    console = Console(width=220)
    print_summary(values, console)
    print_targets(values, console)
    return 0


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


if __name__ == "__main__":
    raise SystemExit(main())
