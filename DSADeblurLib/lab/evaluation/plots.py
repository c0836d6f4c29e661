"""All pictures of an evaluation: plots of the figures, and sheets of frames."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from DSADeblurLib.lab.evaluation import model_processes as processes
from DSADeblurLib.lab.evaluation.grid import ALL_TRAINED
from DSADeblurLib.lab.evaluation.methods import INPUT, PERFECT_DENOISER, TRUTH, network_method
from DSADeblurLib.lab.evaluation.result import Evaluation, select
from DSADeblurLib.lab.evaluation.sheet import save_sheets

_FIXED = {INPUT: "0.5", TRUTH: "black", PERFECT_DENOISER: "tab:olive"}
_COLOURS = ("tab:blue", "tab:orange", "tab:green", "tab:red", "tab:purple", "tab:brown", "tab:pink", "tab:cyan")


def save_pictures(evaluation: Evaluation, models: list[str], folder: Path) -> list[Path]:
    """Write plots of the figures and sheets of frames.

    Args:
        evaluation: what to draw.
        models: names or folders, those that were evaluated.
        folder: for the PNG files; is made.

    Returns:
        Their paths.
    """
    plan = evaluation.plan
    processes.load_models([str(model) for model in models], **plan.controls)
    methods = {name: network_method(*part) for name, part in processes.networks().items()}
    Path(folder).mkdir(parents=True, exist_ok=True)
    sheets = save_sheets(plan.split, methods, folder, plan.size, processes.moments())
    return save_plots(evaluation, folder) + sheets


def save_plots(evaluation: Evaluation, folder: Path) -> list[Path]:
    """Draw gains by blur, MTF, noise power, vessel widths and thin vessels into a folder that exists.

    Args:
        evaluation: what to draw.
        folder: for the PNG files.

    Returns:
        Their paths.
    """
    figures, styles = evaluation.figures, _styles(evaluation)
    gains = select(figures, table="frames", measure="psnr_gain")
    gains = gains[(gains["condition"] != ALL_TRAINED) & (gains["method"] != INPUT)]
    thin = select(figures, table="thin")
    # One step on the axis for each doubling of the contrast.
    thin = thin.assign(at=thin["at"].map("{:g}".format))
    modulation, power, widths = (select(figures, measure=name) for name in ("modulation", "power", "by_diameter_px"))
    cycles = dict(marker="", xlabel="cycles per pixel")
    plots = {
        "gains": _panels(gains, styles, "kind", "{}, noise: {}", "condition", ylabel="PSNR gain dB"),
        "mtf": _panels(modulation, styles, "condition", "{} edge, {} noise", ylabel="MTF", ylim=(0, 1.3), **cycles),
        "noise_power": _panels(
            power, styles, "measure", "{}, {} noise", ylabel="noise power, pixel$^2$", yscale="log", **cycles
        ),
        "widths": _panels(
            widths, styles, "condition", "contrast {}, {} noise", xlabel="diameter mm", ylabel="width error px"
        ),
        "thin_vessels": _panels(
            thin, styles, "measure", "{}, {} noise", xlabel="contrast / noise of a pixel", ylabel="share"
        ),
    }
    paths = []
    for name, figure in plots.items():
        figure.suptitle(f"Simulated {evaluation.plan.split} set", x=0.01, ha="left", fontsize=9)
        paths.append(Path(folder) / f"{name}.png")
        FigureCanvasAgg(figure).print_png(paths[-1])
    return paths


def _panels(
    rows: pd.DataFrame, styles: dict, by: str, title: str, x: str = "at", marker: str = "o", **axis_settings
) -> Figure:
    """A panel for each value of the column `by` and each noise level, in it a line over `x` for each method."""
    down, across = list(rows[by].unique()), list(rows["noise"].unique())
    figure = Figure(figsize=(4.4 * len(across), 3.4 * len(down)), dpi=110, layout="constrained")
    axes = figure.subplots(len(down), len(across), squeeze=False)
    for (value, noise, method), line in rows.groupby([by, "noise", "method"], sort=False):
        ax = axes[down.index(value), across.index(noise)]
        ax.plot(line[x], line["value"], marker=marker, markersize=3, **styles[method])
        ax.fill_between(line[x], line["low"], line["high"], color=styles[method]["color"], alpha=0.12)
        ax.set(title=title.format(value, noise), **axis_settings)
    for ax in axes.flat:
        if (rows["value"] < 0).any():
            ax.axhline(0, color="0.5", linewidth=0.8)
        if x == "condition":
            ax.tick_params(axis="x", labelrotation=30, labelsize=7)
    axes[0, 0].legend(fontsize=6)
    return figure


def _styles(evaluation: Evaluation) -> dict[str, dict]:
    """Lines of models thick, of classical methods thin."""
    models = [model["name"] for model in evaluation.models]
    classical = dict.fromkeys(choice["family"] for choice in evaluation.choices)
    lines = [*((name, 2.2) for name in models), *((name, 1.1) for name in classical)]
    styles = {
        name: dict(color=colour, linewidth=width, label=name)
        for (name, width), colour in zip(lines, _COLOURS * 9, strict=False)
    }
    for name, colour in _FIXED.items():
        styles[name] = dict(color=colour, linewidth=1.4, linestyle="--", label=name)
    return styles
