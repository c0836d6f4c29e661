"""`dsadeblur agree`: the agreement of two columns of a table, printed and drawn as a Bland-Altman plot."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import numpy as np

from DSADeblurLib.measurement.agreement import compare

Pairs = dict[str, tuple[np.ndarray, np.ndarray]]


def read_pairs(path: Path, first: str, second: str, by: str | None = None) -> Pairs:
    """Read paired measurements from a table with a line of headings.

    Args:
        path: comma, semicolon or tabulator separated; with the last two, decimal commas are read as well.
        first, second: headings of the two columns.
        by: heading of a column whose values part the table, for instance the method.

    Returns:
        By the value of `by`, or "" without one: two arrays (n,), NaN where a field holds no number.

    Raises:
        ValueError: one sentence, if a heading is missing.
    """
    text = path.read_text(encoding="utf-8-sig")
    heading = text.partition("\n")[0]
    delimiter = max(",;\t", key=heading.count)
    rows = csv.DictReader(text.splitlines(), delimiter=delimiter)
    names = rows.fieldnames or []
    for name in filter(None, (first, second, by)):
        if name not in names:
            raise ValueError(f"{path.name} has no column '{name}'; it has {', '.join(names) or 'none'}.")
    found: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        pair = (_number(row[first], delimiter), _number(row[second], delimiter))
        found.setdefault(row[by] if by else "", []).append(pair)
    return {name: tuple(np.array(pairs).T) for name, pairs in found.items()}


def print_agreement(pairs: Pairs, first: str, second: str, as_json: bool = False) -> None:
    """Compare each part of the pairs and print what comes out."""
    from rich.console import Console
    from rich.table import Table

    found = {name: compare(*values) for name, values in pairs.items()}
    if as_json:
        print(json.dumps({name: one.as_dict() for name, one in found.items()}, indent=1))
        return
    table = Table("", *found, title=f"{second} less {first} (95 % intervals)", title_justify="left")
    for cells in zip(*(one.in_rows() for one in found.values()), strict=True):
        table.add_row(cells[0][0], *(text for _, text in cells))
    console = Console()
    # Figures that are cut to fit a narrow terminal are of no use.
    console.width = max(console.width, 30 + 32 * len(found))
    console.print(table)


def draw_agreement(path: Path, pairs: Pairs, first: str, second: str) -> None:
    """Draw difference against mean, bias and limits with their intervals, one panel for each part of the pairs.

    Args:
        path: of the picture; its ending says the format, for instance .png or .pdf.
        pairs: from `read_pairs`.
        first, second: what the two are called.

    Raises:
        ValueError: the format is unknown.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5 * len(pairs), 4), layout="constrained")
    for axes, (name, (one, other)) in zip(figure.subplots(1, len(pairs), squeeze=False)[0], pairs.items(), strict=True):
        found = compare(one, other)
        axes.plot((one + other) / 2, other - one, "o", color="tab:blue", alpha=0.6, markersize=4)
        for line, style in ((found.bias, "-"), (found.lower, "--"), (found.upper, "--")):
            axes.axhline(line.value, color="black", linestyle=style)
            axes.axhspan(line.low, line.high, color="0.5", alpha=0.2)
        axes.set(title=name, xlabel=f"mean of {first} and {second}", ylabel=f"{second} less {first}")
    figure.savefig(path, dpi=150)


def _number(text: str | None, delimiter: str) -> float:
    try:
        return float((text or "").replace(",", ".") if delimiter != "," else text or "")
    except ValueError:
        return math.nan
