"""Agreement of original and deblurred frames over many measurements: a Bland-Altman chart and a table of figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import vtk

from DSADeblurScene.measure_plot import chartNode, putPlot
from DSADeblurScene.measure_table import COLUMNS, Row

if TYPE_CHECKING:
    from DSADeblurLib.agree import Pairs

LEAST_PAIRS = 3


def pairsOf(rows: Sequence[Row]) -> Pairs:
    """Values of the table of measurements on original and deblurred frame, by what was measured, how and in what unit.

    Only of what was measured on both in three places or more.
    """
    found: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        one = dict(zip(COLUMNS, row, strict=True))
        if one["original"] and one["deblurred"]:
            name = f"{one['measure']}, {one['method']} ({one['unit']})"
            found.setdefault(name, []).append((float(one["original"]), float(one["deblurred"])))
    return {name: tuple(np.array(pairs).T) for name, pairs in found.items() if len(pairs) >= LEAST_PAIRS}


def pairsOfFile(path: str | Path) -> Pairs:
    """The same of an exported table, or of any with columns 'original' and 'deblurred'.

    Raises:
        ValueError, OSError: one sentence, if it has no three pairs.
    """
    from DSADeblurLib.agree import read_pairs

    path = Path(path)
    by = "measure" if "measure" in path.read_text(encoding="utf-8-sig").partition("\n")[0] else None
    pairs = read_pairs(path, "original", "deblurred", by)
    whole = {name: values for name, values in pairs.items() if np.isfinite(values).all(axis=0).sum() >= LEAST_PAIRS}
    if not whole:
        raise ValueError(f"{path.name} has fewer than {LEAST_PAIRS} pairs of values.")
    return {", ".join(filter(None, (path.name, name))): values for name, values in whole.items()}


def putAgreement(name: str, original: np.ndarray, deblurred: np.ndarray):
    """Renew chart and table of the scene's agreement.

    name: of the values (n,), for the title.

    Returns:
        vtkMRMLPlotChartNode.
    """
    from DSADeblurLib.measurement.agreement import compare
    from DSADeblurLib.measurement.markup import Plot

    found = compare(original, deblurred)
    known = np.isfinite(original) & np.isfinite(deblurred)
    mean, difference = (original + deblurred)[known] / 2, (deblurred - original)[known]
    order = np.argsort(mean)
    lines = {"bias": found.bias, "lower limit": found.lower, "upper limit": found.upper}
    # Lines with a comma in their name are drawn dashed.
    curves = {f"{line}, {one.value:.3g}": np.full(len(mean), one.value) for line, one in lines.items()}
    curves = {"deblurred less original": difference[order], **curves}
    table = chartNode("vtkMRMLTableNode", "agreement")
    wasModifying = table.StartModify()
    table.RemoveAllColumns()
    for heading, texts in zip(("figure", f"{name}, 95 % intervals"), zip(*found.in_rows(), strict=True), strict=True):
        column = vtk.vtkStringArray()
        column.SetName(heading)
        for text in texts:
            column.InsertNextValue(text)
        table.AddColumn(column)
    table.EndModify(wasModifying)
    titles = "Agreement", "mean of original and deblurred", "deblurred less original"
    return putPlot(Plot(*titles, mean[order], curves, ("deblurred less original",)), name)
