"""Charts of a measurement in the scene: which curves, renewed and not added, and their view."""

from __future__ import annotations

import numpy as np
import pytest
import slicer

POSITIONS = np.array([0.0, 0.5, 1.0])


def plotOf(*names: str, marks: tuple[str, ...] = ()):
    from DSADeblurLib.measurement.markup import Plot

    return Plot(
        "Profile", "position (mm)", "density", POSITIONS, {name: POSITIONS + i for i, name in enumerate(names)}, marks
    )


def seriesOf(chart) -> list:
    return [chart.GetNthPlotSeriesNode(i) for i in range(chart.GetNumberOfPlotSeriesNodes())]


def test_curves_and_marks(host):
    from DSADeblurScene.measure_plot import putPlot

    chart = putPlot(plotOf("original", "original, fit", "original, least lumen", marks=("original, least lumen",)), "D")
    assert chart.GetTitle() == "D: Profile (research use only)" and chart.GetXAxisTitle() == "position (mm)"
    first, fit, mark = seriesOf(chart)
    assert [one.GetName() for one in (first, fit, mark)] == ["original", "original, fit", "original, least lumen"]
    table = first.GetTableNode()
    assert table.GetNumberOfRows() == 3 and first.GetXColumnName() == "position (mm)"
    assert [float(table.GetCellText(row, 2)) for row in range(3)] == pytest.approx(POSITIONS + 1)
    assert (mark.GetLineStyle(), mark.GetMarkerStyle()) == (mark.LineStyleNone, mark.MarkerStyleDiamond)
    assert first.GetLineStyle() == first.LineStyleSolid and fit.GetLineStyle() == fit.LineStyleDash
    assert first.GetColor() == fit.GetColor() == mark.GetColor()


def test_the_next_plot_takes_the_place_of_the_first(host):
    from DSADeblurScene.measure_plot import putPlot

    chart = putPlot(plotOf("original", "original, fit", "deblurred", "deblurred, fit"), "D")
    again = putPlot(plotOf("original", "deblurred"), "S")
    assert again is chart and [one.GetName() for one in seriesOf(chart)] == ["original", "deblurred"]
    counts = {name: len(slicer.util.getNodesByClass(name)) for name in ("vtkMRMLPlotSeriesNode", "vtkMRMLTableNode")}
    assert counts == {"vtkMRMLPlotSeriesNode": 2, "vtkMRMLTableNode": 1}


def test_the_chart_is_shown_below_the_frames(host):
    from DSADeblurScene.measure_plot import PLOT_LAYOUT_ID, PLOT_VIEW, putPlot, showPlot

    chart = putPlot(plotOf("original"), "D")
    showPlot(chart)
    assert host.layoutLogic.GetLayoutNode().GetViewArrangement() == PLOT_LAYOUT_ID
    views = host.layoutLogic.GetViewNodes()
    kinds = [views.GetItemAsObject(i).GetClassName() for i in range(views.GetNumberOfItems())]
    assert kinds.count("vtkMRMLSliceNode") == 2
    assert slicer.mrmlScene.GetSingletonNode(PLOT_VIEW, "vtkMRMLPlotViewNode").GetPlotChartNode() is chart
