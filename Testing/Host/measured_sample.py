"""A stenosis measured on the sample run as README says it: python measured_sample.py FOLDER writes measure.png.

The module's own panel and scene run on the stand-in for the application, with the bundled model. Its slice views draw
the frames; markup, marks and charts are drawn from their nodes. What the panel says is printed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
import hostpaths  # noqa: E402

hostpaths.prepare()

NAME = "measure.png"
_SIZE, _ZOOM = (560, 400), 5.0
_HALF_PX = 18
_IMAGES = ("original", "deblurred", "noise reduction 0")


def measureSample(host, show: Callable = lambda markup, chart: None) -> list[dict[str, str]]:
    """Load the sample run, deblur it, measure its stenosis on the last frame, and a diameter before it.

    Args:
        host: a GuiHost without a module.
        show: called with markup and chart while both are shown.

    Returns:
        The rows of the scene's table of measurements, by its columns.

    Raises:
        RuntimeError: one sentence, where something did not go as it should.
    """
    import dicomhost
    import slicer
    import viewhost
    import vtk
    from lines import worldOf

    from DSADeblurLib.lab.simulation.runs import RUN_FILE, read_facts
    from DSADeblurLib.paths import sample_data_folder

    widget = host.openModule()
    ui, sequence = widget.ui, dicomhost.loadLikeSlicer(sample_data_folder() / RUN_FILE)
    widget._parameterNode.inputNode = sequence
    ui.applyButton.click()
    # The result is shown when the work is done.
    host.processEvents(lambda: widget.runSection.isIdle and (widget.logic.compareViews.kind or ui.statusLabel.text))
    host.turnEventLoop()
    if widget._parameterNode.derivedNode is None:
        raise RuntimeError(ui.statusLabel.text)
    from DSADeblurScene.input import browserForSequence, shownVolume
    from DSADeblurScene.measure_table import COLUMNS, rowsOf, tableNode

    browser, volume = browserForSequence(sequence), shownVolume(sequence)
    viewhost.showFrame(browser, browser.GetNumberOfItems())
    before, middle, behind = np.array(read_facts(sample_data_folder()).stenosis.points)
    (down, right), normal = (middle - before) / np.hypot(*(middle - before)), 0.8 * before + 0.2 * middle
    across = np.array([-right, down])
    for button, points in (
        (ui.stenosisButton, [before + 2 * across, middle - 2 * across, behind + 2 * across]),
        (ui.diameterButton, [normal - _HALF_PX * across, normal + _HALF_PX * across]),
    ):
        button.click()
        markup = slicer.mrmlScene.GetNthNodeByClass(
            slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLMarkupsNode") - 1, "vtkMRMLMarkupsNode"
        )
        for row, column in np.rint(points):
            markup.AddControlPointWorld(vtk.vtkVector3d(worldOf(volume, row, column)))
        host.processEvents(lambda: not widget.measureSection.isBusy)
        ui.plotComboBox.currentIndex = ui.plotComboBox.findText(markup.GetName())
        ui.plotButton.click()
        host.turnEventLoop()
        (chart,) = slicer.util.getNodesByClass("vtkMRMLPlotChartNode")
        show(markup, chart)
    print(ui.measurementsLabel.text)
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in rowsOf(tableNode())]
    for row in rows:
        values = (f"{row[one]} ({row[f'{one} low']}-{row[f'{one} high']})" for one in _IMAGES)
        print(f"{row['measure']} in {row['unit']}:", ", ".join(values))
    return rows


def main(folder: str | Path) -> None:
    """Measure, and draw original and deblurred with what is drawn on them, over the charts."""
    import qtemu
    import slicer
    import viewhost
    from guihost import GuiHost
    from matplotlib.figure import Figure

    host = GuiHost()
    figure = Figure(figsize=(13, 10.5), dpi=100, layout="constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=(3, 2), height_ratios=(_SIZE[1], 420))
    picture = figure.add_subplot(grid[0, :])

    def show(markup, chart) -> None:
        isFirst = not picture.images
        _chart(figure.add_subplot(grid[1, 0 if isFirst else 1]), chart)
        if isFirst:
            center = slicer.util.arrayFromMarkupsControlPoints(markup, True).mean(axis=0)
            pixels = viewhost.renderLayout(host, size=_SIZE, zoom=_ZOOM, center=center)
            picture.imshow(pixels)
            picture.set_axis_off()
            for index, node in enumerate(_sliceNodes(host)):
                left = index * (pixels.shape[1] - _SIZE[0])
                _overlay(picture, node, center, left, markup)

    try:
        measureSample(host, show)
        problems = [*host.errors.texts, *qtemu.slotErrors]
        if problems:
            raise RuntimeError(problems[0])
    finally:
        host.close()
    Path(folder).mkdir(parents=True, exist_ok=True)
    figure.savefig(Path(folder) / NAME)


def _sliceNodes(host) -> list:
    views = host.layoutLogic.GetViewNodes()
    nodes = [views.GetItemAsObject(i) for i in range(views.GetNumberOfItems())]
    return [node for node in nodes if node.IsA("vtkMRMLSliceNode")]


def _overlay(axes, sliceNode, center, left: int, markup) -> None:
    """Marks and points of a view that was rendered, in its pixels."""
    import slicer
    import vtk
    from vtk.util.numpy_support import vtk_to_numpy

    toView = vtk.vtkMatrix4x4()
    vtk.vtkMatrix4x4.Invert(sliceNode.GetXYToRAS(), toView)

    def inView(points) -> np.ndarray:
        places = np.array([toView.MultiplyPoint((*point, 1.0))[:2] for point in points])
        return places * (1, -1) + (left, _SIZE[1])

    for model in slicer.util.getNodesByClass("vtkMRMLModelNode"):
        if model.GetAttribute("DSADeblur.Role") is None or not model.GetPolyData():
            continue
        data, display = model.GetPolyData(), model.GetDisplayNode()
        points = inView(vtk_to_numpy(data.GetPoints().GetData()))
        for number in range(data.GetNumberOfCells()):
            cell = data.GetCell(number).GetPointIds()
            line = points[[cell.GetId(k) for k in range(cell.GetNumberOfIds())]]
            axes.plot(*line.T, color=display.GetColor(), linewidth=display.GetSliceIntersectionThickness())
    clicked = inView(slicer.util.arrayFromMarkupsControlPoints(markup, True))
    axes.plot(*clicked.T, "o", color="#ff5a5a", markersize=4)
    text = f"{markup.GetName()}: {markup.GetPropertiesLabelText().strip()}"
    axes.text(left + 8, _SIZE[1] - 12, text, color="#ff5a5a", fontsize=8.5, backgroundcolor="#000000b0")


def _chart(axes, chart) -> None:
    """A chart as its series and their tables say it."""
    for number in range(chart.GetNumberOfPlotSeriesNodes()):
        series = chart.GetNthPlotSeriesNode(number)
        table = series.GetTableNode().GetTable()
        x, y = (
            np.array([table.GetColumnByName(name).GetValue(row) for row in range(table.GetNumberOfRows())])
            for name in (series.GetXColumnName(), series.GetYColumnName())
        )
        isMark = series.GetMarkerStyle() != series.MarkerStyleNone
        style = "" if isMark else "--" if series.GetLineStyle() == series.LineStyleDash else "-"
        axes.plot(x, y, style, marker="D" if isMark else "", color=series.GetColor(), label=series.GetName())
    axes.set(title=chart.GetTitle(), xlabel=chart.GetXAxisTitle(), ylabel=chart.GetYAxisTitle())
    axes.legend(fontsize=8)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(sys.argv[1])
    print(Path(sys.argv[1]).resolve() / NAME)
