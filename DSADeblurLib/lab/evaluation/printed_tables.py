"""Tables of an evaluation for the command line."""

from __future__ import annotations

import math

import pandas as pd
from rich.console import Console
from rich.table import Table

from DSADeblurLib.lab.evaluation.grid import ALL_TRAINED, NOISE_FREE, TRAINED
from DSADeblurLib.lab.evaluation.methods import INPUT, TRUTH
from DSADeblurLib.lab.evaluation.result import Evaluation, select
from DSADeblurLib.lab.evaluation.scores import CEILING_DB
from DSADeblurLib.lab.image_quality.quality import DATA_RANGE
from DSADeblurLib.lab.simulation.sets import PAPER_DATA_RANGE

_DIGITS = dict.fromkeys(("ssim", "ssim_gain", "worst_ssim_gain"), 4) | {"std": 5}
_DIGITS |= dict.fromkeys(("mtf50", "mtf10", "ratio", "flicker", "noise_kept"), 3)
_SHARES = ("missed", "false", "invented", "kept")
_WITH_INTERVAL = ("psnr_gain", "edge_gain", "error_px")


def print_tables(evaluation: Evaluation) -> None:
    """Print all tables, the targets last; intervals are 95 % bootstrap intervals over frames."""
    console, plan = Console(width=150), evaluation.plan
    console.print(
        f"Simulated {plan.split} set: {plan.frames} frames of {plan.size} x {plan.size} in each condition, data range "
        f"{DATA_RANGE:g} (log intensity), PSNR up to {CEILING_DB:g} dB. Models at sharpness {plan.sharpness:g} and "
        f"noise reduction {plan.noise_reduction:g}{', the same everywhere' if plan.uniform_noise_reduction else ''}.",
        highlight=False,
    )
    for model in evaluation.models:
        words = "{name}: weights {sha256:.8}, {parameters} parameters, {frames_in} frames in, {engine} in {precision}"
        console.print(words.format(**model), highlight=False)
    for table in (
        *_of_faint_vessels(evaluation),
        *_of_frames(evaluation),
        _choices(evaluation),
        *_of_phantoms(evaluation),
        _targets(evaluation),
    ):
        console.print(table)


def _of_faint_vessels(e: Evaluation) -> list[Table]:
    """What comes before all else: no vessel may fade."""
    where = {"noise": "noise", "at": "contrast / noise", "method": "method"}
    noise = select(e.figures[e.figures["at"].isna()], table="noise")
    return [
        _view(
            "What is left of thin vessels of 2.8 x 70 pixels put into subtracted frames; 1 is all",
            select(e.figures, table="vessels"),
            where,
            {"left": "mean", "left_10": "worst tenth"},
        ),
        _view(
            "Noise without an object",
            noise,
            {"noise": "noise", "method": "method"},
            {"std": "standard deviation", "ratio": "over input's"},
        ),
        _view(
            "How well a channelised Hotelling observer sees thin vessels of 0.3 mm",
            select(e.figures, table="detection"),
            where,
            {"d_prime": "d'", "d_ratio": "over input's"},
        ),
    ]


def _of_frames(e: Evaluation) -> list[Table]:
    frames = select(e.figures, table="frames")
    trained = select(frames, condition=ALL_TRAINED)
    clean = trained["noise"] == NOISE_FREE
    margins, wrong = (select(e.figures, table=table, condition=ALL_TRAINED) for table in ("margins", "wrong header"))
    where = {"kind": "kind", "noise": "noise", "method": "method"}
    psnr = {"psnr": "PSNR dB", "psnr_gain": "gain dB", "worst_psnr_gain": "worst"}
    edge = {"edge_gain": "edge gain dB", "worst_edge_gain": "worst"}
    ssim = {"ssim": "SSIM", "ssim_gain": "gain", "worst_ssim_gain": "worst"}
    title = f"Frames, blur {ALL_TRAINED}; gains over the input, worst frame beside"
    title_clean = f"Input without noise, blur {ALL_TRAINED}; classical methods as tuned for quiet frames"
    title_paper = f"Native body phantoms in the condition of Geng et al. 2022, data range {PAPER_DATA_RANGE:g}"
    title_margins = f"PSNR over the best classical method, which is given the true spot, blur {ALL_TRAINED}"
    title_wrong = f"Without a header, and with focal spots in it that are wrong by a factor, blur {ALL_TRAINED}"
    return [
        _view(title, trained[~clean], where, psnr | edge | ssim),
        _view(title_clean, trained[clean], where, psnr | edge),
        _blurs(frames[frames["condition"] != ALL_TRAINED], [model["name"] for model in e.models]),
        _view(title_paper, select(e.figures, table="paper"), where, psnr | ssim),
        _view(
            title_margins,
            margins,
            {**where, "against": "best classical"},
            {"psnr": "ahead by dB", "worst": "worst", "below": "frames below"},
        ),
        _view(title_wrong, wrong[wrong["method"].str.contains(", ")], where, psnr | edge),
    ]


def _of_phantoms(e: Evaluation) -> list[Table]:
    figures = e.figures[e.figures["at"].isna()]
    widths, edges, still = (select(figures, table=table) for table in ("widths", "edges", "still"))
    thin = select(e.figures, table="thin", method=[INPUT, *(model["name"] for model in e.models), TRUTH])
    shares = {"missed": "missed", "false": "false", "invented": "invented", "kept": "contrast kept"}
    where = {"noise": "noise", "method": "method"}
    return [
        _view(
            "Widths of vessels of 0.3-2 mm, mean absolute error",
            widths,
            {"noise": "noise", "condition": "contrast", "method": "method"},
            {"error_px": "error px", "ratio": "over input's", "missed": "not detected"},
        ),
        _view(
            "Slanted edge: where the MTF falls to 50 and 10 %, cycles per pixel and over the input's",
            edges,
            {"noise": "noise", "condition": "edge", "method": "method"},
            {"mtf50": "MTF50", "gain50": "gain", "mtf10": "MTF10", "gain10": "gain"},
        ),
        _view(
            "Thin vessels of 0.3 mm at a false-alarm rate of 5 % in pure noise",
            thin,
            {"noise": "noise", "at": "contrast / noise", "method": "method"},
            shares,
        ),
        _view(
            "Background of a still run, share of the input's",
            still,
            where,
            {"flicker": "flicker over time", "noise_kept": "single frame"},
        ),
    ]


def _empty(title: str, words: list[str], numbers: list[str]) -> Table:
    table = Table(title=f"{title} (simulated)", title_justify="left")
    for heading in words:
        table.add_column(heading)
    for heading in numbers:
        table.add_column(heading, justify="right")
    return table


def _view(title: str, figures: pd.DataFrame, where: dict[str, str], measures: dict[str, str]) -> Table:
    """A line for each combination of the columns in `where`, the measures beside; both with their headings."""
    table = _empty(title, list(where.values()), list(measures.values()))
    columns, section = list(where), None
    for key, part in figures.groupby(columns, sort=False):
        before = key[: columns.index("method")]
        if section not in (None, before):
            table.add_section()
        section = before
        rows = {row.measure: row for row in part.itertuples()}
        names = [f"{name:g}" if isinstance(name, float) else name for name in key]
        table.add_row(*names, *(_cell(rows[measure]) for measure in measures))
    return table


def _cell(row) -> str:
    if row.measure in _SHARES:
        return f"{100 * row.value:.0f} %"
    if row.measure == "below":
        return f"{row.value:.0f} of {row.n}"
    text = _text(row.value, _DIGITS.get(row.measure, 2))
    if (row.measure in _WITH_INTERVAL or row.table == "margins") and math.isfinite(row.low):
        text += f" [dim]({_text(row.low)} .. {_text(row.high)})[/]"
    return text


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
