"""Plots of an evaluation: gains by blur and noise, MTF, noise power, vessel widths, thin vessels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from DSADeblurLib.lab.evaluation.grid import ALL_TRAINED, NOISE_FREE
from DSADeblurLib.lab.evaluation.methods import INPUT, PERFECT_DENOISER, TRUTH
from DSADeblurLib.lab.evaluation.result import Evaluation
from DSADeblurLib.lab.simulation.phantom import DIAMETERS_MM
from DSADeblurLib.lab.simulation.sets import NOISE

_FIXED = {INPUT: "0.5", TRUTH: "black", PERFECT_DENOISER: "tab:olive"}
_COLOURS = ("tab:blue", "tab:orange", "tab:green", "tab:red", "tab:purple", "tab:brown", "tab:pink", "tab:cyan")


def save_plots(evaluation: Evaluation, folder: Path) -> list[Path]:
    """Write all plots into a folder that exists; returns their paths."""
    plots: dict[str, Callable] = {
        "gains": _gains,
        "mtf": _mtf,
        "noise_power": _noise_power,
        "widths": _widths,
        "thin_vessels": _thin,
    }
    paths = []
    for name, draw in plots.items():
        figure = draw(evaluation)
        figure.suptitle(f"Simulated {evaluation.split} set", x=0.01, ha="left", fontsize=9)
        paths.append(Path(folder) / f"{name}.png")
        FigureCanvasAgg(figure).print_png(paths[-1])
    return paths


def _figure(rows: int, columns: int) -> tuple[Figure, np.ndarray]:
    figure = Figure(figsize=(4.4 * columns, 3.4 * rows), dpi=110, layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def _styles(e: Evaluation) -> dict[str, dict]:
    """Lines of models thick, of classical methods thin."""
    models = [model.name for model in e.models]
    classical = list(dict.fromkeys(choice.tuned.family for choice in e.choices))
    colours = dict(zip((*models, *classical), _COLOURS * 9, strict=False))
    width = {name: 2.2 if name in models else 1.1 for name in colours}
    styles = {name: dict(color=colour, linewidth=width[name], label=name) for name, colour in colours.items()}
    for name, colour in _FIXED.items():
        styles[name] = dict(color=colour, linewidth=1.4, linestyle="--", label=name)
    return styles


def _gains(e: Evaluation) -> Figure:
    kinds = list(dict.fromkeys(row.kind for row in e.rows))
    levels = [*NOISE, NOISE_FREE]
    blurs = list(dict.fromkeys(row.blur for row in e.rows if row.blur != ALL_TRAINED))
    figure, axes = _figure(len(kinds), len(levels))
    styles = _styles(e)
    for kind, line in zip(kinds, axes, strict=True):
        for noise, ax in zip(levels, line, strict=True):
            for name, style in styles.items():
                found = {row.blur: row for row in e.rows if (row.kind, row.noise, row.method) == (kind, noise, name)}
                if name == INPUT or not found:
                    continue
                gain = [found[blur].psnr_gain for blur in blurs]
                ax.plot(blurs, [g.mean for g in gain], marker="o", markersize=3, **style)
                ax.fill_between(blurs, [g.low for g in gain], [g.high for g in gain], color=style["color"], alpha=0.12)
            ax.axhline(0, color="0.5", linewidth=0.8)
            ax.set_title(f"{kind}, noise: {noise}", fontsize=9)
            ax.set_ylabel("PSNR gain dB")
            ax.tick_params(axis="x", labelrotation=30, labelsize=7)
    axes[0, 0].legend(fontsize=6)
    return figure


def _mtf(e: Evaluation) -> Figure:
    edges = list(dict.fromkeys(row.edge for row in e.edges))
    figure, axes = _figure(len(edges), len(NOISE))
    styles = _styles(e)
    for row in e.edges:
        ax = axes[edges.index(row.edge), list(NOISE).index(row.noise)]
        ax.plot(row.frequency, row.modulation, **styles[row.method])
        ax.set(title=f"{row.edge} edge, {row.noise} noise", xlabel="cycles per pixel", ylabel="MTF", ylim=(0, 1.3))
    axes[0, 0].legend(fontsize=6)
    return figure


def _noise_power(e: Evaluation) -> Figure:
    figure, axes = _figure(1, len(NOISE))
    styles = _styles(e)
    for row in e.noise:
        ax = axes[0, list(NOISE).index(row.noise)]
        ax.semilogy(row.frequency, row.power, **styles[row.method])
        ax.set(title=f"{row.noise} noise", xlabel="cycles per pixel", ylabel="noise power, pixel$^2$")
    axes[0, 0].legend(fontsize=6)
    return figure


def _widths(e: Evaluation) -> Figure:
    contrasts = list(dict.fromkeys(row.contrast for row in e.widths))
    figure, axes = _figure(len(contrasts), len(NOISE))
    styles = _styles(e)
    for row in e.widths:
        ax = axes[contrasts.index(row.contrast), list(NOISE).index(row.noise)]
        ax.plot(DIAMETERS_MM, row.by_diameter_px, marker="o", markersize=3, **styles[row.method])
        ax.axhline(0, color="black", linewidth=0.6)
        ax.set(title=f"contrast {row.contrast}, {row.noise} noise", xlabel="diameter mm", ylabel="width error px")
    axes[0, 0].legend(fontsize=6)
    return figure


def _thin(e: Evaluation) -> Figure:
    shares = ("missed", "false", "invented", "kept")
    figure, axes = _figure(len(shares), len(NOISE))
    styles = _styles(e)
    for noise, column in zip(NOISE, axes.T, strict=True):
        rows = [row for row in e.thin if row.noise == noise]
        for share, ax in zip(shares, column, strict=True):
            for name in dict.fromkeys(row.method for row in rows):
                part = [row for row in rows if row.method == name]
                values = [getattr(row, share).mean for row in part]
                # One step on the axis for each doubling of the contrast.
                ax.plot([f"{row.cnr:g}" for row in part], values, marker="o", markersize=3, **styles[name])
            ax.set(title=f"{share}, {noise} noise", xlabel="contrast / noise of a pixel", ylabel="share")
    axes[0, 0].legend(fontsize=6)
    return figure
