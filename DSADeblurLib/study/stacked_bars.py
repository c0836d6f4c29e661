"""Levels as diverging stacked bars: worse to the left of the middle, better to the right, equal across it."""

from __future__ import annotations

import pandas as pd

from DSADeblurLib.study.protocol import LEVELS

# Red to blue, told apart by the colour-blind and in print.
COLOURS = {1: "#b2182b", 2: "#ef8a62", 3: "#d9d9d9", 4: "#67a9cf", 5: "#2166ac"}


def draw_diverging_bars(axes, table: pd.DataFrame, names: list[str]) -> None:
    """Draw one bar a row.

    Args:
        axes: of matplotlib.
        table: with the columns level_1 to level_5, counts.
        names: of the rows, from top to bottom.
    """
    counts = table[[f"level_{level}" for level in LEVELS]].to_numpy(float)
    shares = 100 * counts / counts.sum(axis=1, keepdims=True)
    left = -(shares[:, 0] + shares[:, 1] + shares[:, 2] / 2)
    places = range(len(names))
    for number, level in enumerate(LEVELS):
        width = shares[:, number]
        axes.barh(places, width, left=left, color=COLOURS[level], edgecolor="white", linewidth=0.5, label=level)
        for place, begin, one, count in zip(places, left, width, counts[:, number], strict=True):
            if one >= 6:
                dark = level in (1, 5)
                axes.text(
                    begin + one / 2,
                    place,
                    f"{int(count)}",
                    ha="center",
                    va="center",
                    fontsize=7,
                    color="white" if dark else "black",
                )
        left = left + width
    axes.axvline(0, color="black", linewidth=0.8, linestyle=":", alpha=0.5)
    axes.set(xlim=(-100, 100), yticks=list(places), yticklabels=names)
    axes.set_xticks(range(-100, 101, 25), [f"{abs(one)} %" for one in range(-100, 101, 25)])
    axes.invert_yaxis()
    axes.tick_params(labelsize=8)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
