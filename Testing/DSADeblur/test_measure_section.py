"""The panel's group Measure: buttons, what is said in words, plot and export."""

from __future__ import annotations

import csv

import pytest
import slicer
from lines import label, movePoint
from narrowed import drawDiameter, drawStenosis, loadNarrowed, placesAlong
from results import deblurred


@pytest.fixture
def panel(gui):
    return gui.openModule()


@pytest.fixture
def run(panel, tmp_path):
    """The panel's widgets, and the shown volume of a run that was deblurred."""
    from DSADeblurScene.input import browserForSequence, shownVolume

    source = loadNarrowed(tmp_path / "a.dcm")
    panel.ui.inputSelector.setCurrentNode(source)
    panel._parameterNode.derivedNode = deblurred(source, sharpness=0.0)
    browserForSequence(source).SetSelectedItemNumber(2)
    slicer.modules.sequences.logic().UpdateAllProxyNodes()
    return panel.ui, shownVolume(source)


def settle(gui, panel) -> str:
    assert gui.processEvents(lambda: not panel.measureSection.isBusy)
    return panel.ui.measurementsLabel.text


def test_without_a_run_nothing_can_be_placed(gui, panel, tmp_path):
    ui = panel.ui
    assert not (ui.diameterButton.enabled or ui.stenosisButton.enabled or ui.plotButton.enabled)
    assert "Research use only" in ui.measurementsLabel.text and not ui.installMeasuringButton.visible
    panel.ui.inputSelector.setCurrentNode(loadNarrowed(tmp_path / "a.dcm"))
    assert ui.diameterButton.enabled and ui.stenosisButton.enabled


def test_a_package_that_is_missing_can_be_installed(gui, panel, run, monkeypatch):
    ui, _volume = run
    asked = []
    monkeypatch.setattr("DSADeblurPanel.measure_section.isMissing", lambda package: not asked)
    monkeypatch.setattr("DSADeblurPanel.measure_section.installInto", lambda section, package: asked.append(package))
    panel._update()
    assert ui.diameterButton.enabled and not ui.stenosisButton.enabled and ui.installMeasuringButton.visible
    ui.installMeasuringButton.click()
    assert asked == ["scikit-image"] and ui.stenosisButton.enabled and not ui.installMeasuringButton.visible


def test_buttons_begin_to_place(gui, panel, run):
    ui, _volume = run
    ui.diameterButton.click()
    ui.stenosisButton.click()
    ui.neckButton.click()
    ui.domeButton.click()
    names = [node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLMarkupsNode")]
    assert names == ["Diameter", "Stenosis", "Neck", "Dome"]
    assert settle(gui, panel).startswith("Press a button")


@pytest.mark.slow
def test_a_stenosis_and_a_diameter_in_words(gui, panel, run):
    ui, volume = run
    drawDiameter(volume, name="<D>")
    markup = drawStenosis(volume)
    text = settle(gui, panel)
    assert "<b>&lt;D&gt;</b>, frame 3: 2.0 mm (" in text and "deblurred" in text
    assert "<b>S</b>, frame 3: NASCET 5" in text and "Least lumen: 0.9" in text and "SID/SOD" in text
    assert "less right" not in text
    # By this method a least lumen of this size is better seen on the original.
    ui.measuringMethodComboBox.currentIndex = 1
    assert "less right on simulated deblurred frames" in settle(gui, panel)
    ui.stenosisDefinitionComboBox.currentIndex = 2
    assert "WASID" in settle(gui, panel) and label(markup).startswith("WASID")
    ui.measuringMethodComboBox.currentIndex = 3
    assert panel._parameterNode.measuringMethod.value == "densitometric"
    assert "less right" not in settle(gui, panel)
    ui.calibrationComboBox.currentIndex = ui.calibrationComboBox.count - 1
    text = settle(gui, panel)
    assert " px" in text and " mm" not in text and " %" in text


def test_plot_follows_its_markup(gui, panel, run):
    from DSADeblurScene.layouts import PLOT_LAYOUT_ID

    ui, volume = run
    line = drawDiameter(volume)
    settle(gui, panel)
    ui.plotButton.click()
    (chart,) = slicer.util.getNodesByClass("vtkMRMLPlotChartNode")
    assert chart.GetTitle().startswith("D: Profile") and chart.GetNumberOfPlotSeriesNodes() == 4
    assert gui.layoutLogic.GetLayoutNode().GetViewArrangement() == PLOT_LAYOUT_ID
    table, before = chart.GetNthPlotSeriesNode(0).GetTableNode(), chart.GetMTime()
    first = [table.GetCellText(row, 1) for row in range(table.GetNumberOfRows())]
    line.SetName("renamed")
    row, column = placesAlong([-7.0])[0]
    movePoint(line, volume, row, column + 16)
    settle(gui, panel)
    assert chart.GetTitle().startswith("renamed: Profile") and chart.GetMTime() > before
    assert [table.GetCellText(row, 1) for row in range(table.GetNumberOfRows())] != first
    assert [ui.plotComboBox.itemText(i) for i in range(ui.plotComboBox.count)] == ["renamed"]


def test_agreement_of_many_measurements_and_of_a_file(gui, panel, run, out, monkeypatch):
    ui, volume = run
    for place in (-9.0, -8.0):
        drawDiameter(volume, place, name=f"D{place:g}")
    settle(gui, panel)
    names = lambda: [ui.plotComboBox.itemText(i) for i in range(ui.plotComboBox.count)]  # noqa: E731
    assert len(names()) == 2
    drawDiameter(volume, -7.0, name="D")
    settle(gui, panel)
    assert names()[3:] == ["agreement: diameter, model fit (mm)"]
    ui.plotComboBox.currentIndex = 3
    ui.plotButton.click()
    (chart,) = slicer.util.getNodesByClass("vtkMRMLPlotChartNode")
    assert chart.GetTitle() == "diameter, model fit (mm): Agreement (research use only)"
    series = [chart.GetNthPlotSeriesNode(i) for i in range(chart.GetNumberOfPlotSeriesNodes())]
    points, bias = series[0], series[1]
    assert points.GetLineStyle() == points.LineStyleNone and bias.GetName().startswith("bias, ")
    assert points.GetTableNode().GetNumberOfRows() == 3
    figures = slicer.util.getNode("DSADeblur agreement")
    assert [figures.GetCellText(row, 0) for row in range(2)] == ["pairs", "bias"] and figures.GetCellText(0, 1) == "3"
    # One more is taken in at once.
    drawDiameter(volume, -6.0, name="E")
    settle(gui, panel)
    assert figures.GetCellText(0, 1) == "4"
    (out / "m.csv").write_text(
        "original,deblurred\n" + "".join(f"{one},{one + 0.1 * one % 0.3}\n" for one in range(1, 9))
    )
    (out / "few.csv").write_text("original,deblurred\n1,2\n")
    chosen = [str(out / "few.csv"), "", str(out / "m.csv")]
    monkeypatch.setattr(
        "qt.QFileDialog.getOpenFileName", lambda parent, caption, directory, filter: (chosen.pop(0), "")
    )
    ui.agreementFileButton.click()
    assert "few.csv has fewer than 3 pairs" in ui.statusLabel.text
    ui.agreementFileButton.click()
    ui.agreementFileButton.click()
    assert ui.plotComboBox.currentText == "agreement: m.csv" and chart.GetTitle().startswith("m.csv: Agreement")
    assert figures.GetCellText(0, 1) == "8"


def test_export(gui, panel, run, out, monkeypatch):
    ui, volume = run
    drawDiameter(volume)
    settle(gui, panel)
    chosen = [str(out / "m.csv"), "", str(out / "nowhere" / "m.csv")]
    monkeypatch.setattr(
        "qt.QFileDialog.getSaveFileName", lambda parent, caption, directory, filter: (chosen.pop(0), "")
    )
    ui.exportMeasurementsButton.click()
    with open(out / "m.csv", encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["markup"] == "D" and float(row["original"]) == pytest.approx(2.0, abs=0.05)
    assert ui.statusLabel.text == "1 measurements were written."
    ui.exportMeasurementsButton.click()
    ui.exportMeasurementsButton.click()
    assert "nowhere" in ui.statusLabel.text and [path.name for path in out.iterdir()] == ["m.csv"]


@pytest.mark.slow
def test_measured_while_left_and_after_a_reload_of_the_scene(gui, panel, run, tmp_path):
    ui, volume = run
    ui.measuringMethodComboBox.currentIndex = 2
    line = drawDiameter(volume)
    settle(gui, panel)
    text = label(line)
    gui.leaveModule()
    gui.saveScene(tmp_path / "scene.mrb")
    gui.loadScene(tmp_path / "scene.mrb")
    line = slicer.util.getNode("D")
    assert label(line) == text
    settle(gui, panel)
    assert label(line) == text
    gui.closeScene()
    assert "<b>" not in settle(gui, panel)
