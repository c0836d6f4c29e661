"""Plots of a measurement: the profile with its fit, or the diameter along the vessel with reference and least lumen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import slicer
import vtk

from DSADeblurScene.derived import ATTRIBUTE
from DSADeblurScene.layouts import PLOT_LAYOUT_ID, VIEWS

if TYPE_CHECKING:
    from DSADeblurLib.measurement.markup import Plot

PLOT_VIEW = "DSADeblurPlot"
_ROLE = ATTRIBUTE + "Role"
_COLOURS, _OTHER = {"original": (0.9, 0.45, 0.1), "deblurred": (0.1, 0.45, 0.9)}, (0.3, 0.3, 0.3)


def layoutDescription() -> str:
    """Original and deblurred side by side over a plot, as the XML that vtkMRMLLayoutNode reads."""
    views = "".join(
        f'<item><view class="vtkMRMLSliceNode" singletontag="{tag}">'
        '<property name="orientation" action="default">Axial</property></view></item>'
        for tag in VIEWS[:2]
    )
    return (
        '<layout type="vertical" split="true">'
        f'<item splitSize="600"><layout type="horizontal">{views}</layout></item>'
        f'<item splitSize="400"><view class="vtkMRMLPlotViewNode" singletontag="{PLOT_VIEW}">'
        '<property name="viewlabel" action="default">P</property></view></item>'
        "</layout>"
    )


def putPlot(plot: Plot, name: str):
    """Renew the chart of the scene's measurements.

    plot: what to draw. name: of the markup, for the title.

    Returns:
        vtkMRMLPlotChartNode.
    """
    table, chart = (
        chartNode("vtkMRMLTableNode", "plotted measurement"),
        chartNode("vtkMRMLPlotChartNode", "measurement plot"),
    )
    wasModifying = chart.StartModify()
    _fill(table, plot)
    old = [chart.GetNthPlotSeriesNode(i) for i in range(chart.GetNumberOfPlotSeriesNodes())]
    for series in old[len(plot.curves) :]:
        slicer.mrmlScene.RemoveNode(series)
    chart.RemoveAllPlotSeriesNodeIDs()
    for index, curve in enumerate(plot.curves):
        series = old[index] if index < len(old) else slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotSeriesNode")
        _draw(series, table, plot, curve)
        chart.AddAndObservePlotSeriesNodeID(series.GetID())
    chart.SetTitle(f"{name}: {plot.title} (research use only)")
    chart.SetXAxisTitle(plot.x_title)
    chart.SetYAxisTitle(plot.y_title)
    chart.EndModify(wasModifying)
    return chart


def showPlot(chart) -> None:
    """Show a chart below original and deblurred."""
    layout = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    if not layout.IsLayoutDescription(PLOT_LAYOUT_ID):
        layout.AddLayoutDescription(PLOT_LAYOUT_ID, layoutDescription())
    layout.SetViewArrangement(PLOT_LAYOUT_ID)
    view = slicer.mrmlScene.GetSingletonNode(PLOT_VIEW, "vtkMRMLPlotViewNode")
    if view is not None:
        view.SetPlotChartNodeID(chart.GetID())


def chartNode(className: str, role: str):
    """The scene's node for a role, made when it is not there."""
    for node in slicer.util.getNodesByClass(className):
        if node.GetAttribute(_ROLE) == role:
            return node
    node = slicer.mrmlScene.AddNewNodeByClass(className, f"DSADeblur {role}")
    node.SetAttribute(_ROLE, role)
    return node


def _fill(table, plot: Plot) -> None:
    wasModifying = table.StartModify()
    table.RemoveAllColumns()
    for name, values in ((plot.x_title, plot.positions), *plot.curves.items()):
        column = vtk.vtkDoubleArray()
        column.SetName(name)
        for value in values:
            column.InsertNextValue(float(value))
        table.AddColumn(column)
    table.EndModify(wasModifying)


def _draw(series, table, plot: Plot, curve: str) -> None:
    wasModifying = series.StartModify()
    series.SetName(curve)
    series.SetAndObserveTableNodeID(table.GetID())
    series.SetXColumnName(plot.x_title)
    series.SetYColumnName(curve)
    series.SetPlotType(series.PlotTypeScatter)
    isMark, isDerived = curve in plot.marks, "," in curve
    series.SetMarkerStyle(series.MarkerStyleDiamond if isMark else series.MarkerStyleNone)
    series.SetMarkerSize(13 if isMark else 7)
    line = series.LineStyleNone if isMark else series.LineStyleDash if isDerived else series.LineStyleSolid
    series.SetLineStyle(line)
    series.SetColor(*_COLOURS.get(curve.partition(",")[0], _OTHER))
    series.EndModify(wasModifying)
