"""The table of all measurements of a scene, and its export."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import TYPE_CHECKING

import slicer
import vtk
from slicer.i18n import tr as _

from DSADeblurScene.derived import ATTRIBUTE
from DSADeblurScene.lengths import MeasuredRun, pixelsOf

if TYPE_CHECKING:
    from DSADeblurLib.measurement.calibration import Measured
    from DSADeblurLib.measurement.markup import Figure

COLUMNS = (
    "markup",
    "run",
    "frame",
    "measure",
    "method",
    "original",
    "deblurred",
    "difference",
    "unit",
    "calibration",
    "original low",
    "original high",
    "deblurred low",
    "deblurred high",
    "noise reduction 0",
    "noise reduction 0 low",
    "noise reduction 0 high",
    "controls",
    "model",
    "points",
    "note",
    "markup id",
)
"""Of the table and of the exported file; intervals are 95 % intervals joined with the calibration's. What the deblurred
frame shows at noise reduction 0 is there where it is kept. Points are those of the markup, as row and column of pixels
whose middles are whole numbers, from 0."""
_NAME, _ROLE = "DSADeblur measurements", "measurements"
Row = tuple[str, ...]


def rowOf(markup, run: MeasuredRun, pair, method: str, figure: Figure) -> Row:
    """One line of the table.

    markup: a node. pair: the `FramePair` that was measured on.
    """
    points = pixelsOf(markup, run.volume)
    first, second = figure.original, figure.deblurred
    either = first or second
    note = " ".join(dict.fromkeys(filter(None, figure.reasons)))
    return (
        markup.GetName(),
        run.run.node.GetName(),
        str(pair.number),
        figure.name,
        method,
        _number(first.value if first else math.nan),
        _number(second.value if second else math.nan),
        _number(figure.difference),
        either.unit if either else "",
        either.label if either else "",
        *_interval(first),
        *_interval(second),
        _number(figure.unreduced.value if figure.unreduced else math.nan),
        *_interval(figure.unreduced),
        pair.controls,
        pair.model,
        "; ".join(f"{row:.2f} {column:.2f}" for column, row, _slice in (() if points is None else points)),
        note,
        markup.GetID(),
    )


def tableNode():
    """The table of the scene, or None before the first measurement."""
    for node in slicer.util.getNodesByClass("vtkMRMLTableNode"):
        if node.GetAttribute(ATTRIBUTE + "Role") == _ROLE:
            return node
    return None


def rowsOf(table) -> list[Row]:
    """What a table says; columns that it had not yet when its scene was saved are empty."""
    if table is None:
        return []
    columns = [table.GetColumnIndex(name) for name in COLUMNS]
    return [
        tuple(table.GetCellText(row, column) if column >= 0 else "" for column in columns)
        for row in range(table.GetNumberOfRows())
    ]


def putRows(measured: dict[str, list[Row]]) -> None:
    """Renew the lines of some markups; those of other runs stay as long as their markup does.

    measured: rows by the id of their markup.
    """
    table = tableNode()
    before = rowsOf(table)
    rows = [row for row in before if row[-1] not in measured and slicer.mrmlScene.GetNodeByID(row[-1]) is not None]
    rows += [row for found in measured.values() for row in found]
    if rows == before:
        return
    if table is None:
        table = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", _NAME)
        table.SetAttribute(ATTRIBUTE + "Role", _ROLE)
        table.SetAttribute(ATTRIBUTE + "ResearchUseOnly", "true")
        table.SetLocked(True)
    wasModifying = table.StartModify()
    table.RemoveAllColumns()
    for index, name in enumerate(COLUMNS):
        # Texts, because a number that could not be measured is an empty cell.
        column = vtk.vtkStringArray()
        column.SetName(name)
        for row in rows:
            column.InsertNextValue(row[index])
        table.AddColumn(column)
    table.EndModify(wasModifying)


def exportTable(path: str | Path) -> int:
    """Write the measurements as comma separated values, to be read by `dsadeblur agree` as well.

    Returns:
        The number of lines below the headings.

    Raises:
        ValueError: one sentence, if there are none.
        OSError: the file cannot be written.
    """
    from DSADeblurLib.atomic_write import atomic_write

    rows = rowsOf(tableNode())
    if not rows:
        raise ValueError(_("Nothing has been measured yet."))
    with atomic_write(path, replace=True) as unfinished, open(unfinished, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])
    return len(rows)


def _interval(measured: Measured | None) -> tuple[str, str]:
    return ("", "") if measured is None else (_number(measured.low), _number(measured.high))


def _number(value: float) -> str:
    return f"{value:.5g}" if math.isfinite(value) else ""
