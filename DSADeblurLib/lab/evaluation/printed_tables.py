"""Tables of an evaluation for the command line."""

from __future__ import annotations

import math

from rich.console import Console
from rich.table import Table

from DSADeblurLib.lab.evaluation.bootstrap import Estimate
from DSADeblurLib.lab.evaluation.frames import CEILING_DB
from DSADeblurLib.lab.evaluation.grid import ALL_TRAINED, NOISE_FREE
from DSADeblurLib.lab.evaluation.methods import INPUT
from DSADeblurLib.lab.evaluation.result import Evaluation


def print_tables(evaluation: Evaluation) -> None:
    """All tables, the targets last; intervals are 95 % bootstrap intervals over frames."""
    e = evaluation
    console = Console(width=150)
    console.print(
        f"Simulated {e.split} set: {e.frames} frames of {e.size} x {e.size} in each condition, data range "
        f"{e.data_range:g} (log intensity), PSNR up to {CEILING_DB:g} dB. Models at sharpness {e.sharpness:g} and "
        f"noise reduction {e.noise_reduction:g}.",
        highlight=False,
    )
    for m in e.models:
        run_by = f"{m.frames_in} frames in, {m.engine} in {m.precision}"
        console.print(f"{m.name}: weights {m.sha256[:8]}, {m.parameters} parameters, {run_by}", highlight=False)
    of_frames = (_frames, _noise_free, _blurs, _paper, _margins, _misled, _choices)
    for draw in (*of_frames, _widths, _edges, _noise, _thin, _still, _targets):
        console.print(draw(e))


def _table(title: str, words: tuple[str, ...], numbers: tuple[str, ...]) -> Table:
    table = Table(title=f"{title} (simulated)", title_justify="left")
    for heading in words:
        table.add_column(heading)
    for heading in numbers:
        table.add_column(heading, justify="right")
    return table


def _frames(e: Evaluation) -> Table:
    table = _table(
        f"Frames, blur {ALL_TRAINED}; gains over the input, worst frame beside",
        ("kind", "noise", "method"),
        ("PSNR dB", "gain dB", "worst", "edge gain dB", "worst", "SSIM", "gain", "worst"),
    )
    for row in e.rows:
        if row.blur == ALL_TRAINED and row.noise != NOISE_FREE:
            table.add_row(
                row.kind,
                row.noise,
                row.method,
                _n(row.psnr.mean),
                _with_interval(row.psnr_gain),
                _n(row.worst_psnr_gain),
                _with_interval(row.edge_gain),
                _n(row.worst_edge_gain),
                _n(row.ssim.mean, 4),
                _n(row.ssim_gain.mean, 4),
                _n(row.worst_ssim_gain, 4),
                end_section=row.method == e.models[-1].name,
            )
    return table


def _noise_free(e: Evaluation) -> Table:
    table = _table(
        f"Input without noise, blur {ALL_TRAINED}; classical methods as tuned for quiet frames",
        ("kind", "method"),
        ("PSNR dB", "gain dB", "worst", "edge gain dB", "worst"),
    )
    for row in e.rows:
        if row.blur == ALL_TRAINED and row.noise == NOISE_FREE:
            table.add_row(
                row.kind,
                row.method,
                _n(row.psnr.mean),
                _with_interval(row.psnr_gain),
                _n(row.worst_psnr_gain),
                _with_interval(row.edge_gain),
                _n(row.worst_edge_gain),
            )
    return table


def _blurs(e: Evaluation) -> Table:
    names = [model.name for model in e.models]
    blurs = list(dict.fromkeys(row.blur for row in e.rows if row.blur != ALL_TRAINED))
    trained = {row.blur: row.trained_blur for row in e.rows}
    table = _table(
        "PSNR gain / edge PSNR gain / least PSNR gain in dB by blur",
        ("kind", "noise", "model"),
        tuple(blur if trained[blur] else f"{blur} (not trained)" for blur in blurs),
    )
    cells = {(row.kind, row.noise, row.method, row.blur): row for row in e.rows}
    for kind, noise in dict.fromkeys((row.kind, row.noise) for row in e.rows):
        for name in names:
            found = [cells[kind, noise, name, blur] for blur in blurs]
            table.add_row(kind, noise, name, *(
                f"{_n(row.psnr_gain.mean)} / {_n(row.edge_gain.mean)} / {_n(row.worst_psnr_gain)}" for row in found
            ))  # fmt: skip
    return table


def _paper(e: Evaluation) -> Table:
    table = _table(
        f"Native body phantoms in the condition of Geng et al. 2022, data range {e.paper_data_range:g}",
        ("method",),
        ("PSNR dB", "gain dB", "worst", "SSIM", "gain", "worst"),
    )
    for row in e.paper:
        table.add_row(
            row.method,
            _n(row.psnr.mean),
            _with_interval(row.psnr_gain),
            _n(row.worst_psnr_gain),
            _n(row.ssim.mean, 4),
            _n(row.ssim_gain.mean, 4),
            _n(row.worst_ssim_gain, 4),
        )
    return table


def _margins(e: Evaluation) -> Table:
    table = _table(
        f"PSNR over the best classical method, which is told the true spot, blur {ALL_TRAINED}",
        ("kind", "noise", "model", "best classical"),
        ("ahead by dB", "worst", "frames below"),
    )
    for m in e.margins:
        if m.blur == ALL_TRAINED:
            table.add_row(
                m.kind, m.noise, m.model, m.against, _with_interval(m.psnr), _n(m.worst), f"{m.below} of {m.frames}"
            )
    return table


def _misled(e: Evaluation) -> Table:
    table = _table(
        f"Without a header, and with focal spots in it that are wrong by a factor, blur {ALL_TRAINED}",
        ("kind", "noise", "method"),
        ("gain dB", "worst", "edge gain dB", "worst"),
    )
    for row in e.misled:
        if row.blur == ALL_TRAINED and ", " in row.method:
            table.add_row(
                row.kind,
                row.noise,
                row.method,
                _with_interval(row.psnr_gain),
                _n(row.worst_psnr_gain),
                _with_interval(row.edge_gain),
                _n(row.worst_edge_gain),
            )
    return table


def _choices(e: Evaluation) -> Table:
    title = "Classical methods as tuned on validation frames; at an end of its grid one may be better than it looks"
    table = _table(title, ("kind", "noise", "method", "setting", "at an end"), ())
    for choice in e.choices:
        tuned = choice.tuned
        edge = ", ".join(tuned.at_edge)
        table.add_row(choice.kind, choice.noise, tuned.family, tuned.text(), f"[yellow]{edge}[/]" if edge else "")
    return table


def _widths(e: Evaluation) -> Table:
    table = _table(
        "Widths of vessels of 0.3-2 mm, mean absolute error",
        ("noise", "contrast", "method"),
        ("error px", "over input's", "not seen"),
    )
    for row in e.widths:
        table.add_row(
            row.noise,
            row.contrast,
            row.method,
            _with_interval(row.error_px),
            _n(row.ratio),
            f"{100 * row.missed:.0f} %",
            end_section=row.method == "perfect denoiser",
        )
    return table


def _edges(e: Evaluation) -> Table:
    table = _table(
        "Slanted edge: where the MTF falls to 50 and 10 %, cycles per pixel and over the input's",
        ("noise", "edge", "method"),
        ("MTF50", "gain", "MTF10", "gain"),
    )
    for row in e.edges:
        table.add_row(
            row.noise,
            row.edge,
            row.method,
            _n(row.mtf50, 3),
            _n(row.gain50),
            _n(row.mtf10, 3),
            _n(row.gain10),
            end_section=row.method == "truth",
        )
    return table


def _noise(e: Evaluation) -> Table:
    table = _table("Noise without an object", ("noise", "method"), ("standard deviation", "over input's"))
    for row in e.noise:
        table.add_row(row.noise, row.method, _n(row.std, 5), _n(row.ratio, 3))
    return table


def _thin(e: Evaluation) -> Table:
    shown = [INPUT, *(model.name for model in e.models), "truth"]
    table = _table(
        "Thin vessels of 0.3 mm at a false-alarm rate of 5 % in pure noise",
        ("noise", "contrast / noise", "method"),
        ("missed", "false", "invented", "contrast kept"),
    )
    for row in e.thin:
        if row.method in shown:
            parts = (f"{100 * value.mean:.0f} %" for value in (row.missed, row.false, row.invented, row.kept))
            table.add_row(row.noise, f"{row.cnr:g}", row.method, *parts, end_section=row.method == "truth")
    return table


def _still(e: Evaluation) -> Table:
    table = _table(
        "Background of a still run, share of the input's", ("noise", "method"), ("flicker over time", "single frame")
    )
    for row in e.still:
        table.add_row(row.noise, row.method, _n(row.flicker, 3), _n(row.noise_kept, 3))
    return table


def _targets(e: Evaluation) -> Table:
    table = _table("Targets", ("model", "target", "wanted", "found", "worst frame", ""), ())
    for t in e.targets:
        mark = "[green]reached[/]" if t.reached else "[red]not reached[/]"
        table.add_row(t.model, t.name, t.wanted, t.found, t.worst, mark)
    return table


def _n(value: float, digits: int = 2) -> str:
    return "-" if not math.isfinite(value) else f"{value:.{digits}f}"


def _with_interval(value: Estimate) -> str:
    if not math.isfinite(value.low):
        return _n(value.mean)
    return f"{_n(value.mean)} [dim]({_n(value.low)} .. {_n(value.high)})[/]"
