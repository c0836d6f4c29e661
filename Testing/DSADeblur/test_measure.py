"""Vessels of known width measured at markups, on original and deblurred, in table, labels and after a reload."""

from __future__ import annotations

import csv
import math
from dataclasses import replace

import numpy as np
import pytest
import slicer
from lines import label, movePoint
from narrowed import DIAMETER_MM, drawDiameter, drawMarkup, drawStenosis, loadNarrowed, placesAlong
from results import deblurred


class KeptFrames:
    """In place of LiveControls: every frame is kept, and told with the settings that were asked for."""

    def __init__(self, pixels) -> None:
        self._pixels, self.asked = pixels, []

    def frameInSteps(self, node, index, settings):
        self.asked.append((index, settings.sharpness, settings.noise_reduction))
        yield
        return self._pixels


class Watched:
    """A watcher, what it watches, and what it told last."""

    def __init__(self, host, source, derived=None, live=None, **choice) -> None:
        from DSADeblurScene.lengths import measuredRun
        from DSADeblurScene.measure import MeasureChoice, MeasureWatcher

        self.host, self.source, self.derived, self.told, self.errors = host, source, derived, [], []
        self.watcher = MeasureWatcher(self.told.append, lambda *error: self.errors.append(error), live)
        self.measured, self._choice = measuredRun(source), MeasureChoice(**choice)
        self.watch()

    @property
    def volume(self):
        return self.measured.volume

    def watch(self, calibration: str = "", **choice) -> None:
        from DSADeblurScene.lengths import CalibrationChoice, calibrationFor

        self._choice = replace(self._choice, **choice)
        found = calibrationFor(self.measured, CalibrationChoice(calibration))[0]
        self.watcher.watch(self.measured, self.derived, found, self._choice)

    def figures(self) -> dict:
        """By name of markup and measure, when nothing is under way any more."""
        assert self.host.processEvents(lambda: not self.watcher.isBusy) and self.errors == []
        assert all(one.figures is not None for one in self.told[-1])
        return {(one.markup.GetName(), figure.name): figure for one in self.told[-1] for figure in one.figures}


@pytest.fixture
def source(gui, tmp_path):
    node = loadNarrowed(tmp_path / "a.dcm")
    showFrame(node, 3)
    return node


@pytest.fixture
def watched(gui, source):
    """A run with a result whose densities are 1.25 times those of the original, and whose blur is the original's."""
    made = Watched(gui, source, deblurred(source, sharpness=0.0))
    showFrame(source, 3)
    yield made
    made.watcher.stop()


def showFrame(source, number: int) -> None:
    from DSADeblurScene.input import browserForSequence

    browserForSequence(source).SetSelectedItemNumber(number - 1)
    slicer.modules.sequences.logic().UpdateAllProxyNodes()


def table() -> list[dict]:
    from DSADeblurScene.measure_table import COLUMNS, rowsOf, tableNode

    return [dict(zip(COLUMNS, row, strict=True)) for row in rowsOf(tableNode())]


def test_a_diameter_on_both(watched):
    markup = drawDiameter(watched.volume)
    for method, tolerance in (("model fit", 0.05), ("half maximum", 0.15), ("derivative", 0.1), ("densitometric", 0.1)):
        watched.watch(method=method)
        figure = watched.figures()["D", "diameter"]
        assert figure.original.value == pytest.approx(DIAMETER_MM, abs=tolerance) and figure.original.unit == "mm"
        assert figure.original.low < figure.original.value < figure.original.high
        # The same place of the same vessel: what is only darker is not wider.
        assert figure.deblurred.value == pytest.approx(figure.original.value, abs=0.02)
    assert label(markup).startswith("2.") and "deblurred" in label(markup) and "SID/SOD" in label(markup)
    (row,) = table()
    assert row["markup"] == "D" and row["frame"] == "3" and row["method"] == "densitometric" and row["unit"] == "mm"
    assert float(row["original"]) == pytest.approx(figure.original.value, abs=1e-4)
    ((place, _column),) = placesAlong([-8.0])
    assert [float(one.split()[0]) for one in row["points"].split(";")] == pytest.approx([place, place + 1], abs=0.01)
    assert float(row["difference"]) == pytest.approx(figure.difference, abs=1e-4)
    assert row["controls"] == "sharpness 0, noise reduction 0.5" and row["model"] == "compact"


def test_a_known_stenosis_on_both(watched):
    markup = drawStenosis(watched.volume)
    for method in ("model fit", "densitometric"):
        watched.watch(method=method)
        figures = watched.figures()
        for definition in ("NASCET", "ECST", "WASID"):
            found = figures["S", f"stenosis, {definition}"]
            for one in (found.original, found.deblurred):
                assert one.value == pytest.approx(50, abs=3) and one.unit == "%" and one.low < one.value < one.high
        assert figures["S", "stenosis, area"].original.value == pytest.approx(75, abs=3)
        assert figures["S", "least lumen"].original.value == pytest.approx(1.0, abs=0.08)
        assert figures["S", "reference"].original.value == pytest.approx(2.0, abs=0.08)
        assert figures["S", "length of the narrowing"].original.value == pytest.approx(4.0, abs=0.8)
    watched.watch(definition="WASID")
    watched.figures()
    assert label(markup).startswith("WASID") and "deblurred" in label(markup)
    assert {row["markup"] for row in table()} == {"S"} and len(table()) == 8


def test_it_follows_points_frame_and_calibration(watched):
    markup = drawDiameter(watched.volume)
    first = watched.figures()["D", "diameter"].original
    watched.watch("uncalibrated")
    pixels = watched.figures()["D", "diameter"].original
    assert pixels.unit == "px" and pixels.value == pytest.approx(first.value * 1.5 / 0.154, rel=1e-3)
    assert "mm" not in label(markup) and table()[0]["calibration"] == "uncalibrated"
    watched.watch()
    showFrame(watched.source, 1)
    figure = watched.figures()["D", "diameter"]
    assert figure.original is None and figure.reasons[0] in label(markup) and table()[0]["note"] == figure.reasons[0]
    showFrame(watched.source, 4)
    assert watched.figures()["D", "diameter"].original.value != first.value and table()[0]["frame"] == "4"
    # Onto the vessel beside it, which is narrower.
    row, column = placesAlong([-8.0])[0]
    movePoint(markup, watched.volume, row, column + 75)
    before = watched.figures()["D", "diameter"]
    markup.SetNthControlPointPositionWorld(0, *markup.GetNthControlPointPositionWorld(1))
    watched.figures()
    assert before.original is None or before.original.value != pytest.approx(first.value, abs=0.05)


def test_controls_of_the_result_count(watched):
    from DSADeblurScene.derived import renewFrame, updateShown

    drawDiameter(watched.volume)
    first = watched.figures()["D", "diameter"]
    volume = renewFrame(watched.derived, 0, np.zeros((256, 256)))
    volume.SetAttribute("DSADeblur.Request", '{"sharpness": 0.7, "noise_reduction": 0.25}')
    updateShown(watched.derived)
    figure = watched.figures()["D", "diameter"]
    assert figure.original == first.original and figure.deblurred is None and figure.reasons[1]
    assert table()[0]["controls"] == "sharpness 0.7, noise reduction 0.25"


def test_noise_reduction_0_beside_the_present_setting(gui, source):
    from DSADeblurScene.input import readInput

    derived = deblurred(source, sharpness=0.0)
    frame = np.asarray(readInput(derived).frames[0])
    # Twice as dense, and as wide.
    live = KeptFrames(2 * frame)
    watched = Watched(gui, source, derived, live)
    drawDiameter(watched.volume)
    drawStenosis(watched.volume)
    figures = watched.figures()
    for key in (("D", "diameter"), ("S", "stenosis, NASCET"), ("S", "least lumen")):
        figure = figures[key]
        assert figure.unreduced.value == pytest.approx(figure.deblurred.value, rel=0.03)
        assert figure.unreduced.low < figure.unreduced.value < figure.unreduced.high
    assert set(live.asked) == {(0, 0.0, 0.0)} and len(live.asked) == 2
    row = next(row for row in table() if row["measure"] == "diameter")
    assert float(row["noise reduction 0"]) == pytest.approx(figures["D", "diameter"].unreduced.value, abs=1e-4)
    assert float(row["noise reduction 0 low"]) < float(row["noise reduction 0"]) < float(row["noise reduction 0 high"])
    # Nothing is measured again that is known, and nothing of what is not kept.
    watched.watch(method="derivative")
    assert watched.figures()["D", "diameter"].unreduced is not None and len(live.asked) == 2
    watched.watcher.stop()
    again = Watched(gui, source, derived)
    assert again.figures()["D", "diameter"].unreduced is None
    again.watcher.stop()


def test_without_header_or_result(gui, tmp_path):
    source = loadNarrowed(tmp_path / "a.dcm", header=False)
    watched = Watched(gui, source)
    showFrame(source, 3)
    drawDiameter(watched.volume)
    drawStenosis(watched.volume)
    figures = watched.figures()
    assert figures["D", "diameter"].reasons == ("The blur of the run is not known.", "")
    watched.watch(method="densitometric")
    figures = watched.figures()
    assert figures["D", "diameter"].original.unit == "px" and figures["D", "diameter"].deblurred is None
    assert figures["D", "diameter"].original.value == pytest.approx(DIAMETER_MM * 1.5 / 0.154, rel=0.05)
    assert figures["S", "stenosis, NASCET"].original.value == pytest.approx(50, abs=3)
    watched.watcher.stop()


def test_where_nothing_is_to_be_measured(watched):
    away = drawMarkup(watched.volume, "diameter", [(3.0, 3.0), (3.0, 8.0)], "away")
    short = drawMarkup(watched.volume, "stenosis", [(100.0, 100.0), (102.0, 101.0)], "short")
    one = drawMarkup(watched.volume, "diameter", [(100.0, 100.0)], "one point")
    figures = watched.figures()
    assert figures["away", "diameter"].original is None and figures["away", "diameter"].reasons[0].endswith(".")
    assert "too short" in figures["short", "stenosis"].reasons[0]
    assert {row["markup"] for row in table()} == {"away", "short"}
    assert all(math.isnan(figure.difference) for figure in figures.values())
    for markup in (away, short, one):
        slicer.mrmlScene.RemoveNode(markup)
    assert watched.figures() == {} and table() == []


def test_neck_and_dome_of_an_aneurysm(watched):
    neck = drawMarkup(watched.volume, "neck", [(100.0, 100.0), (100.0, 120.0)], "N")
    drawMarkup(watched.volume, "neck", [(10.0, 10.0), (10.0, 11.0)], "far")
    dome = drawMarkup(watched.volume, "dome", [(80.0, 90.0), (80.0, 130.0)], "A")
    figures = watched.figures()
    millimetre = 1.5 / 0.154
    assert figures["N", "neck"].original.value == pytest.approx(20 / millimetre, rel=1e-3)
    assert figures["A", "dome"].original.value == pytest.approx(40 / millimetre, rel=1e-3)
    ratio = figures["A", "dome to neck"].original
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((2.0, 39 / 21, 41 / 19), rel=1e-3)
    assert label(dome).startswith("4.") and {row["unit"] for row in table()} == {"mm", "times"}
    # It follows its neck.
    movePoint(neck, watched.volume, 100.0, 110.0)
    assert watched.figures()["A", "dome to neck"].original.value == pytest.approx(4.0, rel=1e-3)
    slicer.mrmlScene.RemoveNode(neck)
    slicer.mrmlScene.RemoveNode(slicer.util.getNode("far"))
    assert ("A", "dome to neck") not in watched.figures()


def marks() -> dict:
    """World coordinates (n, 3) of what is marked, by role."""
    from DSADeblurScene.derived import ATTRIBUTE

    nodes = [one for one in slicer.util.getNodesByClass("vtkMRMLModelNode") if one.GetAttribute(ATTRIBUTE + "Role")]
    points = [
        np.array([one.GetPolyData().GetPoint(i) for i in range(one.GetPolyData().GetNumberOfPoints())]) for one in nodes
    ]
    return {one.GetAttribute(ATTRIBUTE + "Role"): part for one, part in zip(nodes, points, strict=True)}


def test_a_stenosis_is_marked_in_the_image(watched):
    from lines import worldOf

    assert marks() == {}
    markup = drawStenosis(watched.volume)
    figures = watched.figures()
    found = marks()
    least = found["least lumen"]
    ((row, column),) = placesAlong([0.0])
    spacing = watched.volume.GetSpacing()[0]
    long = np.linalg.norm(least[1] - least[0]) / spacing * 0.154 / 1.5
    assert long == pytest.approx(figures["S", "least lumen"].original.value, rel=0.01)
    # Within the narrowest part, which is 2 mm long.
    assert np.linalg.norm(least.mean(axis=0) - worldOf(watched.volume, row, column)) < 1.3 * 1.5 / 0.154 * spacing
    below, above = np.split(found["reference walls"], 2)
    apart = np.linalg.norm(below - above, axis=1) / spacing * 0.154 / 1.5
    assert apart == pytest.approx(np.full(len(apart), 2.0), abs=0.1)
    # They follow the point that moves, and go with the markup.
    markup.SetNthControlPointPositionWorld(0, *worldOf(watched.volume, *placesAlong([-4.5])[0]))
    watched.figures()
    assert len(marks()["reference walls"]) < len(found["reference walls"])
    slicer.mrmlScene.RemoveNode(markup)
    watched.figures()
    assert all(len(one) == 0 for one in marks().values())


def test_lines_with_lengths_stay_lengths(watched):
    from lines import drawLine

    from DSADeblurScene.lengths import CalibrationChoice, LengthWatcher

    told = []
    lengths = LengthWatcher(told.append)
    lengths.watch(watched.measured, CalibrationChoice())
    line, markup = drawLine(watched.volume, (10, 10), (30, 25)), drawDiameter(watched.volume)
    watched.figures()
    assert [one for one, _ in told[-1].lines] == [line] and "deblurred" in label(markup)
    line.SetName("touched")
    assert "deblurred" in label(markup) and "deblurred" not in label(line)
    lengths.stop()


def test_rows_of_other_runs_stay(watched, tmp_path):
    drawDiameter(watched.volume)
    watched.figures()
    before = table()
    other = loadNarrowed(tmp_path / "b.dcm", instance_number=2)
    again = Watched(watched.host, other)
    again.figures()
    assert table() == before
    again.watcher.stop()


@pytest.mark.slow
def test_saved_reloaded_and_exported(watched, tmp_path):
    from DSADeblurLib.agree import read_pairs
    from DSADeblurScene.measure_table import COLUMNS, exportTable

    drawDiameter(watched.volume)
    drawStenosis(watched.volume)
    watched.figures()
    rows = table()
    watched.watcher.stop()
    watched.host.saveScene(tmp_path / "scene.mrb")
    watched.host.loadScene(tmp_path / "scene.mrb")
    assert table() == rows
    nodes = slicer.util.getNodesByClass("vtkMRMLSequenceNode")
    source, derived = sorted(nodes, key=lambda node: node.GetAttribute("DSADeblur.Role") == "deblurred")
    again = Watched(watched.host, source, derived)
    assert len(again.figures()) == 9
    # A scene keeps its points to some digits.
    for row, before in zip(table(), rows, strict=True):
        points, known = (np.array(one.pop("points").replace(";", "").split(), float) for one in (row, before))
        assert points == pytest.approx(known, abs=0.02) and row == before
    again.watcher.stop()
    assert exportTable(tmp_path / "out.csv") == 9
    with open(tmp_path / "out.csv", encoding="utf-8", newline="") as file:
        assert next(csv.reader(file)) == list(COLUMNS)
    pairs = read_pairs(tmp_path / "out.csv", "original", "deblurred", "measure")
    assert pairs["diameter"][0] == pytest.approx([2.0], abs=0.1)


def test_closing_the_scene_forgets_all(watched):
    drawStenosis(watched.volume)
    watched.host.turnEventLoop()
    watched.host.closeScene()
    assert watched.told[-1] == [] and not watched.watcher.isBusy and table() == []


def test_a_curve_is_measured_in_many_steps(watched):
    drawStenosis(watched.volume)
    assert watched.host.processEvents(lambda: watched.told and watched.told[-1])
    (one,) = watched.told[-1]
    assert one.figures is None and label(one.markup) == "measuring..." and table() == []
    # A rough figure comes first, in few places; it is no row of the table.
    assert watched.host.processEvents(lambda: watched.told[-1][0].figures is not None)
    (rough,) = watched.told[-1]
    assert rough.isRough and label(one.markup).endswith(" ...") and table() == []
    assert rough.figures[0].original.value == pytest.approx(50, abs=5) and rough.figures[0].deblurred is not None
    # A point that moves meanwhile counts, and what was begun is not ended.
    movePoint(one.markup, watched.volume, *placesAlong([0.2])[0])
    assert watched.figures()["S", "stenosis, NASCET"].original.value == pytest.approx(50, abs=4)
    assert not watched.told[-1][0].isRough and not label(one.markup).endswith("...")
    watched.watcher._results.clear()
    watched.watcher._originals.clear()
    assert sum(1 for _step in watched.watcher._measureInSteps()) > 100


def test_placing(gui, source):
    from DSADeblurScene.line_labels import MEASURES
    from DSADeblurScene.measure import beginPlacing

    interaction = slicer.mrmlScene.GetNodeByID("vtkMRMLInteractionNodeSingleton")
    selection = slicer.mrmlScene.GetNodeByID("vtkMRMLSelectionNodeSingleton")
    for kind, className, persistent in (
        ("diameter", "vtkMRMLMarkupsLineNode", 0),
        ("stenosis", "vtkMRMLMarkupsCurveNode", 1),
    ):
        markup = beginPlacing(kind)
        assert markup.IsA(className) and markup.GetAttribute(MEASURES) == kind
        assert interaction.GetCurrentInteractionMode() == interaction.Place
        assert interaction.GetPlaceModePersistence() == persistent
        assert selection.GetActivePlaceNodeID() == markup.GetID()
