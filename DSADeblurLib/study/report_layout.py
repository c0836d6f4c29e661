"""Pages of a report, filled from top to bottom: headings, paragraphs, tables, drawings."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

_WIDTH, _HEIGHT = 8.27, 11.69  # A4, inches
_MARGIN = 0.75
_LINE = 1.35  # of the font's size
_POINT = 1 / 72
_CHARACTERS = 102  # of 9 points in a line


class Pages:
    """A4 pages with a footer; `figures` are the finished ones."""

    def __init__(self, footer: str) -> None:
        self._footer, self.figures = footer, []  # type: ignore[var-annotated]
        self._begin()

    def _begin(self) -> None:
        self._figure = Figure(figsize=(_WIDTH, _HEIGHT))
        self._y = _HEIGHT - _MARGIN
        self.figures.append(self._figure)
        text = f"{self._footer}    page {len(self.figures)}"
        self._figure.text(0.5, 0.35 / _HEIGHT, text, ha="center", fontsize=7, color="0.35")

    def page(self) -> None:
        """Begin a new page, unless this one is empty."""
        if self._y < _HEIGHT - _MARGIN:
            self._begin()

    def need(self, inches: float) -> None:
        """Begin a new page where less room is left."""
        if self._y - inches < _MARGIN:
            self.page()

    def _line(self, x: float, text: str, size: float, **how: Any) -> None:
        self._figure.text(x / _WIDTH, self._y / _HEIGHT, text, fontsize=size, va="top", **how)

    def heading(self, text: str, size: float = 12, before: float = 0.9) -> None:
        """A line in bold, on one page with so many inches of what it stands `before`."""
        self.need(before + 0.4)
        self._y -= 0.1
        self._line(_MARGIN, text, size, weight="bold")
        self._y -= size * _LINE * _POINT + 0.06

    def paragraph(self, text: str, size: float = 9, **how: Any) -> None:
        """Text, broken into lines."""
        for line in textwrap.wrap(text, int(_CHARACTERS * 9 / size)) or [""]:
            self.need(size * _POINT * _LINE)
            self._line(_MARGIN, line, size, **how)
            self._y -= size * _LINE * _POINT
        self._y -= 0.08

    def table(self, titles: Sequence[str], rows: Sequence[Sequence[str]], size: float = 7.5) -> None:
        """A table as wide as its longest cells, at most as the page; the first column to the left, others right."""
        longest = [
            max(len(line) for row in (titles, *rows) for line in row[number].split("\n"))
            for number in range(len(titles))
        ]
        widths = [(one + 2) * size * 0.64 * _POINT for one in longest]
        squeeze = min(1.0, (_WIDTH - 2 * _MARGIN) / sum(widths))
        widths, size = [one * squeeze for one in widths], size * squeeze
        step = size * _LINE * _POINT * 1.15

        def row(cells: Sequence[str], **how: Any) -> None:
            x = _MARGIN
            for number, (cell, width) in enumerate(zip(cells, widths, strict=True)):
                place, side = (x, "left") if number == 0 else (x + width - 0.04, "right")
                self._line(place, cell, size, ha=side, **how)
                x += width
            self._y -= step * (1 + max(cell.count("\n") for cell in cells))

        def rule() -> None:
            y, right = (self._y + 0.3 * step) / _HEIGHT, (_MARGIN + sum(widths)) / _WIDTH
            self._figure.add_artist(_line(_MARGIN / _WIDTH, right, y))
            self._y -= 0.02

        def head() -> None:
            row(titles, weight="bold")
            rule()

        self.need(step * min(len(rows) + 2, 8))
        head()
        before = None
        for cells in rows:
            if self._y - step < _MARGIN:
                self.page()
                head()
            # What is the same as above is said once.
            row([" " if before is not None and cells[0] == before else cells[0], *cells[1:]])
            before = cells[0]
        rule()
        self._y -= 0.15

    def axes(self, height: float, left: float = 1.2, right: float = 0.2, below: float = 0.5):
        """Axes of so many inches in height across the page, and room `below` for what is written there."""
        self.need(height + below)
        across = _WIDTH - 2 * _MARGIN - left - right
        box = ((_MARGIN + left) / _WIDTH, (self._y - height) / _HEIGHT, across / _WIDTH, height / _HEIGHT)
        self._y -= height + below
        return self._figure.add_axes(box)


def _line(begin: float, end: float, y: float):
    from matplotlib.lines import Line2D

    return Line2D([begin, end], [y, y], color="0.3", linewidth=0.6)


def percent(share: float) -> str:
    """65 %; a dash where it is not known."""
    return "-" if math.isnan(share) else f"{100 * share:.0f} %"


def probability(p: float) -> str:
    """p as papers give it."""
    return "-" if math.isnan(p) else "< 0.001" if p < 0.001 else f"{p:.3f}"


def interval(row: Any, name: str, digits: int = 2, percents: bool = False) -> str:
    """A figure of a row with its interval: 0.62 (0.51 to 0.73)."""
    value, low, high = (float(row.get(name + end, math.nan)) for end in ("", "_low", "_high"))
    if math.isnan(value):
        return "-"
    factor, unit = (100, " %") if percents else (1, "")
    digits = 0 if percents else digits
    ends = "" if math.isnan(low) else f" ({factor * low:.{digits}f} to {factor * high:.{digits}f})"
    return f"{factor * value:.{digits}f}{unit}{ends}"
