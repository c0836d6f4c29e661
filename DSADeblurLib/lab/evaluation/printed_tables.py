"""Tables of an evaluation for the command line."""

from __future__ import annotations

import math
from collections.abc import Callable

import pandas as pd
from rich.console import Console
from rich.table import Table

from DSADeblurLib.lab.evaluation.grid import ALL_TRAINED, NOISE_FREE, TRAINED
from DSADeblurLib.lab.evaluation.methods import INPUT, TRUTH
from DSADeblurLib.lab.evaluation.result import Evaluation, select
from DSADeblurLib.lab.evaluation.scores import CEILING_DB
from DSADeblurLib.lab.image_quality.quality import DATA_RANGE
from DSADeblurLib.lab.simulation.sets import PAPER_DATA_RANGE


def print_tables(evaluation: Evaluation) -> None:
    """Print all tables, the targets last; intervals are 95 % bootstrap intervals over frames."""
    console, plan = Console(width=150), evaluation.plan
    console.print(
        f"Simulated {plan.split} set: {plan.frames} frames of {plan.size} x {plan.size} in each condition, data range "
        f"{DATA_RANGE:g} (log intensity), PSNR up to {CEILING_DB:g} dB. Models at sharpness {plan.sharpness:g} and "
        f"noise reduction {plan.noise_reduction:g}.",
        highlight=False,
    )
    for model in evaluation.models:
        words = "{name}: weights {sha256:.8}, {parameters} parameters, {frames_in} frames in, {engine} in {precision}"
        console.print(words.format(**model), highlight=False)
    for table in (*_of_frames(evaluation), _choices(evaluation), *_of_phantoms(evaluation), _targets(evaluation)):
        console.print(table)


def _of_frames(e: Evaluation) -> list[Table]:
    frames = select(e.figures, table="frames")
    trained = select(frames, condition=ALL_TRAINED)
    clean = trained["noise"] == NOISE_FREE
    wrong = select(e.figures, table="wrong header", condition=ALL_TRAINED)
    where = {"kind": "kind", "noise": "noise", "method": "method"}
    psnr = [("PSNR dB", "psnr", _number())]
    gain = [("gain dB", "psnr_gain", _with_interval), ("worst", "worst_psnr_gain", _number())]
    edge = [("edge gain dB", "edge_gain", _with_interval), ("worst", "worst_edge_gain", _number())]
    ssim = [("SSIM", "ssim", _number(4)), ("gain", "ssim_gain", _number(4)), ("worst", "worst_ssim_gain", _number(4))]
    return [
        _view(
            f"Frames, blur {ALL_TRAINED}; gains over the input, worst frame beside",
            trained[~clean],
            where,
            psnr + gain + edge + ssim,
        ),
        _view(
            f"Input without noise, blur {ALL_TRAINED}; classical methods as tuned for quiet frames",
            trained[clean],
            {"kind": "kind", "method": "method"},
            psnr + gain + edge,
        ),
        _blurs(frames[frames["condition"] != ALL_TRAINED], [model["name"] for model in e.models]),
        _view(
            f"Native body phantoms in the condition of Geng et al. 2022, data range {PAPER_DATA_RANGE:g}",
            select(e.figures, table="paper"),
            {"method": "method"},
            psnr + gain + ssim,
        ),
        _view(
            f"PSNR over the best classical method, which is given the true spot, blur {ALL_TRAINED}",
            select(e.figures, table="margins", condition=ALL_TRAINED),
            {"kind": "kind", "noise": "noise", "model": "method", "best classical": "against"},
            [
                ("ahead by dB", "psnr", _with_interval),
                ("worst", "worst", _number()),
                ("frames below", "below", lambda row: f"{row.value:.0f} of {row.n}"),
            ],
        ),
        _view(
            f"Without a header, and with focal spots in it that are wrong by a factor, blur {ALL_TRAINED}",
            wrong[wrong["method"].str.contains(", ")],
            where,
            gain + edge,
        ),
    ]


def _of_phantoms(e: Evaluation) -> list[Table]:
    thin = select(e.figures, table="thin", method=[INPUT, *(model["name"] for model in e.models), TRUTH])
    figures = e.figures[e.figures["at"].isna()]
    return [
        _view(
            "Widths of vessels of 0.3-2 mm, mean absolute error",
            select(figures, table="widths"),
            {"noise": "noise", "contrast": "condition", "method": "method"},
            [("error px", "error_px", _with_interval), ("over input's", "ratio", _number()),
             ("not detected", "missed", _percent)],
        ),
        _view(
            "Slanted edge: where the MTF falls to 50 and 10 %, cycles per pixel and over the input's",
            select(figures, table="edges"),
            {"noise": "noise", "edge": "condition", "method": "method"},
            [("MTF50", "mtf50", _number(3)), ("gain", "gain50", _number()),
             ("MTF10", "mtf10", _number(3)), ("gain", "gain10", _number())],
        ),
        _view(
            "Noise without an object",
            select(figures, table="noise"),
            {"noise": "noise", "method": "method"},
            [("standard deviation", "std", _number(5)), ("over input's", "ratio", _number(3))],
        ),
        _view(
            "Thin vessels of 0.3 mm at a false-alarm rate of 5 % in pure noise",
            thin,
            {"noise": "noise", "contrast / noise": "at", "method": "method"},
            [("missed", "missed", _percent), ("false", "false", _percent),
             ("invented", "invented", _percent), ("contrast kept", "kept", _percent)],
        ),
        _view(
            "Background of a still run, share of the input's",
            select(figures, table="still"),
            {"noise": "noise", "method": "method"},
            [("flicker over time", "flicker", _number(3)), ("single frame", "noise_kept", _number(3))],
        ),
    ]  # fmt: skip


def _empty(title: str, words: list[str], numbers: list[str]) -> Table:
    table = Table(title=f"{title} (simulated)", title_justify="left")
    for heading in words:
        table.add_column(heading)
    for heading in numbers:
        table.add_column(heading, justify="right")
    return table


def _view(title: str, figures: pd.DataFrame, where: dict[str, str], measures: list[tuple[str, str, Callable]]) -> Table:
    """A line for each combination of the columns in `where`, by heading; (heading, measure, text of a row) beside."""
    table = _empty(title, list(where), [heading for heading, _, _ in measures])
    columns = list(where.values())
    before = columns.index("method")
    section = None
    for key, part in figures.groupby(columns, sort=False):
        if section not in (None, key[:before]):
            table.add_section()
        section = key[:before]
        rows = {row.measure: row for row in part.itertuples()}
        names = [f"{name:g}" if isinstance(name, float) else name for name in key]
        table.add_row(*names, *(text(rows[measure]) for _, measure, text in measures))
    return table


def _blurs(frames: pd.DataFrame, models: list[str]) -> Table:
    blurs = frames["condition"].unique()
    headings = [blur if blur in TRAINED else f"{blur} (not trained)" for blur in blurs]
    title = "PSNR gain / edge PSNR gain / least PSNR gain in dB by blur"
    table = _empty(title, ["kind", "noise", "model"], headings)
    for key, part in select(frames, method=models).groupby(["kind", "noise", "method"], sort=False):
        values = part.pivot(index="condition", columns="measure", values="value")
        values = values.loc[blurs, ["psnr_gain", "edge_gain", "worst_psnr_gain"]]
        table.add_row(*key, *(" / ".join(map(_text, line)) for line in values.to_numpy()))
    return table


def _choices(e: Evaluation) -> Table:
    title = "Classical methods as tuned on validation frames; at an end of its grid one may be better than it looks"
    table = _empty(title, ["kind", "noise", "method", "setting", "at an end"], [])
    for c in e.choices:
        edge = ", ".join(c["at_edge"])
        setting = ", ".join(f"{name} {value:.3g}" for name, value in c["setting"].items())
        table.add_row(c["kind"], c["noise"], c["family"], setting, f"[yellow]{edge}[/]" if edge else "")
    return table


def _targets(e: Evaluation) -> Table:
    table = _empty("Targets", ["model", "target", "wanted", "found", "worst frame", ""], [])
    for *words, reached in e.targets.itertuples(index=False):
        table.add_row(*words, "[green]reached[/]" if reached else "[red]not reached[/]")
    return table


def _text(value: float, digits: int = 2) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else "-"


def _number(digits: int = 2) -> Callable:
    return lambda row: _text(row.value, digits)


def _percent(row) -> str:
    return f"{100 * row.value:.0f} %"


def _with_interval(row) -> str:
    interval = f" [dim]({_text(row.low)} .. {_text(row.high)})[/]" if math.isfinite(row.low) else ""
    return _text(row.value) + interval
