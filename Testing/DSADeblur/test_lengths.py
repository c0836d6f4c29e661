"""Lines of the scene measured in pixels of the run, calibrated by the library, and labelled with what that says."""

from __future__ import annotations

import math

import numpy as np
import pytest
import samples
import slicer
import vtk
from hypothesis import given, settings
from hypothesis import strategies as st
from lines import drawLine, expected, label, movePoint, worldOf
from scenes import derive, load

ROWS, COLS = 48, 64


def linear(matrix):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    node.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(np.array(matrix, float)))
    return node


@pytest.fixture
def watched(host, tmp_path):
    """(source, its shown volume, watcher, list of what it told)."""
    from DSADeblurScene.input import shownVolume
    from DSADeblurScene.lengths import CalibrationChoice, LengthWatcher, measuredRun

    source, told = load(tmp_path / "a.dcm", spacing=(0.3, 0.2)), []
    watcher = LengthWatcher(told.append)
    watcher.watch(measuredRun(source), CalibrationChoice())
    yield source, shownVolume(source), watcher, told
    watcher.stop()


def test_a_line_of_known_pixels_gives_what_the_library_says(host):
    from DSADeblurLib.measurement.calibration import Length
    from DSADeblurScene.lengths import lengthOf

    volume = slicer.util.addVolumeFromArray(np.zeros((1, ROWS, COLS), np.uint16))
    line = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsLineNode", "L")
    row, col = st.floats(-10, ROWS + 10), st.floats(-10, COLS + 10)

    @settings(max_examples=100, deadline=None)
    @given(
        ends=st.tuples(row, col, row, col),
        spacing=st.tuples(st.floats(0.05, 2), st.floats(0.05, 2)),
        turn=st.floats(-math.pi, math.pi),
        depth=st.floats(-50, 50),
    )
    def check(ends, spacing, turn, depth):
        directions = vtk.vtkMatrix4x4()
        for (i, j), value in np.ndenumerate([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]]):
            directions.SetElement(i, j, value)
        volume.SetIJKToRASDirectionMatrix(directions)
        volume.SetSpacing(spacing[1], spacing[0], 1.0)
        volume.SetOrigin(3.0, -70.0, 12.0)
        line.RemoveAllControlPoints()
        # The second point lies before or behind the plane: its projection counts.
        for point, k in ((ends[:2], 0.0), (ends[2:], depth)):
            line.AddControlPointWorld(vtk.vtkVector3d(worldOf(volume, *point, k)))
        found = lengthOf(line, volume)
        truth = Length.between(ends[:2], ends[2:], 0.5)
        assert found.rows_px == pytest.approx(truth.rows_px, abs=1e-6)
        assert found.columns_px == pytest.approx(truth.columns_px, abs=1e-6)
        assert found.uncertainty_px == truth.uncertainty_px == 1.0

    check()


def test_lines_are_listed_and_labelled_as_the_library_has_them(watched, tmp_path):
    _source, volume, _watcher, told = watched
    line = drawLine(volume, (10, 10), (30, 25))
    (found, measured) = told[-1].lines[0]
    truth = expected(20, 15, tmp_path)
    assert found is line and len(told[-1].lines) == 1
    assert measured.text == truth.text and measured.value == pytest.approx(truth.value)
    assert "patient plane, SID/SOD" in measured.text and "(" in measured.text
    assert label(line) == measured.text
    movePoint(line, volume, 30, 40)
    truth = expected(20, 30, tmp_path).text
    assert told[-1].lines[0][1].text == truth and label(line) == truth


def test_transforms_of_line_and_volume(watched, tmp_path):
    _source, volume, _watcher, told = watched
    turned = [[0, -1, 0, 5], [1, 0, 0, -8], [0, 0, 1, 30], [0, 0, 0, 1]]
    volume.SetAndObserveTransformNodeID(linear(turned).GetID())
    line = drawLine(volume, (10, 10), (30, 25))
    assert label(line) == expected(20, 15, tmp_path).text
    # The line grows with its own transform; that of the volume is undone.
    larger = linear(np.diag([2, 2, 2, 1]))
    line.SetAndObserveTransformNodeID(larger.GetID())
    assert label(line) == expected(40, 30, tmp_path).text
    larger.SetMatrixTransformToParent(vtk.vtkMatrix4x4())
    assert label(line) == expected(20, 15, tmp_path).text == told[-1].lines[0][1].text
    volume.GetParentTransformNode().SetMatrixTransformToParent(
        slicer.util.vtkMatrixFromArray(np.array(turned) * [[2], [2], [2], [1]])
    )
    assert label(line) == expected(10, 7.5, tmp_path).text


def test_another_calibration_relabels_everything(watched, tmp_path):
    from DSADeblurScene.lengths import CalibrationChoice, measuredRun

    source, volume, watcher, told = watched
    lines = [drawLine(volume, (5, 5), (5 + n, 30), f"L{n}") for n in (3, 9, 20)]
    measured, seen = measuredRun(source), set()
    for kind, words in [
        ("sid-sod", "patient plane, SID/SOD"),
        ("detector", "detector plane"),
        ("uncalibrated", "uncalibrated"),
    ]:
        watcher.watch(measured, CalibrationChoice(kind))
        for line, n in zip(lines, (3, 9, 20), strict=True):
            assert label(line) == expected(n, 25, tmp_path, kind).text and label(line).endswith(words)
        seen.add(told[-1].calibration.text)
    assert len(seen) == 3 and " px" in label(lines[0]) and " mm" not in label(lines[0])


@pytest.mark.parametrize("spacing", [(0.3, 0.3), (0.4, 0.2)])
def test_catheter_is_measured_across_and_distance_along(host, tmp_path, spacing):
    from DSADeblurLib.measurement.calibration import Length, catheter, known_distance
    from DSADeblurScene.input import shownVolume
    from DSADeblurScene.lengths import CalibrationChoice, LengthWatcher, measuredRun

    source, told = load(tmp_path / "a.dcm", spacing=spacing), []
    volume, measured, watcher = shownVolume(source), measuredRun(source), LengthWatcher(told.append)
    reference, line = drawLine(volume, (20, 20), (23, 28), "reference"), drawLine(volume, (5, 5), (40, 50))
    acquisition, width = measured.acquisition, Length(3, 8, 1.0)
    watcher.watch(measured, CalibrationChoice("catheter", reference, french=6))
    truth = catheter(6, width, acquisition)
    assert label(line) == Length(35, 45, 1.0).measured(truth).text
    # 6 French are 2 mm, and so is the line that was drawn across.
    assert told[-1].lines[0][1].value == pytest.approx(2.0)
    watcher.watch(measured, CalibrationChoice("known-distance", reference, millimetres=15))
    assert label(line) == Length(35, 45, 1.0).measured(known_distance(15, width, acquisition)).text
    assert label(line).endswith("patient plane, known distance")
    # A moved reference changes every length.
    before = label(line)
    movePoint(reference, volume, 40, 50)
    assert label(line) != before
    assert label(line) == Length(35, 45, 1.0).measured(known_distance(15, Length(20, 30, 1.0), acquisition)).text
    watcher.stop()


def test_without_a_usable_reference_there_are_no_millimetres(watched, host, tmp_path):
    from DSADeblurScene.lengths import CalibrationChoice, measuredRun

    source, volume, watcher, told = watched
    line, measured = drawLine(volume, (5, 5), (40, 50)), measuredRun(source)
    elsewhere = drawLine(volume, (900, 900), (950, 950), "far", placed=False)
    tiny = drawLine(volume, (5, 5), (5.2, 5.1), "tiny")
    for choice, words in [
        (CalibrationChoice("catheter"), "Choose the reference line"),
        (CalibrationChoice("known-distance", elsewhere), "does not lie on this run"),
        (CalibrationChoice("catheter", tiny), "uncertainty of measuring"),
        (CalibrationChoice("catheter", line, french=80), "French size lies between"),
        (CalibrationChoice("known-distance", line, millimetres=-1), "must be a positive number"),
    ]:
        watcher.watch(measured, choice)
        assert words in told[-1].notes[0] and told[-1].calibration.kind == "uncalibrated"
        assert " px (" in label(line) and label(line).endswith("uncalibrated") and " mm" not in label(line)
    watcher.watch(measured, CalibrationChoice("catheter", line))
    assert label(line).startswith("1.7 mm")
    slicer.mrmlScene.RemoveNode(line)
    assert told[-1].calibration.kind == "uncalibrated" and [one.GetName() for one, _ in told[-1].lines] == ["tiny"]


def test_unknown_kind_of_an_old_scene_falls_back_to_the_default(watched, tmp_path):
    from DSADeblurScene.lengths import CalibrationChoice, measuredRun

    source, volume, watcher, told = watched
    line = drawLine(volume, (5, 5), (15, 30))
    for kind, words in (("phlogiston", "phlogiston"), ("fiducial", "calibrated pixel spacing (fiducial)")):
        watcher.watch(measuredRun(source), CalibrationChoice(kind))
        assert label(line) == expected(10, 25, tmp_path).text
        assert words in told[-1].notes[0] and "the default is used" in told[-1].notes[0]


def test_without_dicom_lengths_are_in_pixels(host):
    from DSADeblurLib.measurement.calibration import Length, uncalibrated
    from DSADeblurScene.lengths import CalibrationChoice, LengthWatcher, measuredRun

    volume = slicer.util.addVolumeFromArray(samples.vessel_frames(1))
    volume.SetSpacing(0.2, 0.5, 1.0)
    told = []
    watcher = LengthWatcher(told.append)
    watcher.watch(measuredRun(volume), CalibrationChoice())
    line = drawLine(volume, (4, 4), (14, 24))
    assert label(line) == Length(10, 20, 1.0).measured(uncalibrated(2.5)).text and " px" in label(line)
    assert any("No DICOM header" in note for note in told[-1].notes)
    watcher.watch(measuredRun(volume), CalibrationChoice("known-distance", line, millimetres=8))
    assert told[-1].lines[0][1].value == pytest.approx(8) and "known distance" in label(line)
    watcher.stop()


def test_contradictory_tags_are_told(host, tmp_path):
    from DSADeblurScene.lengths import CalibrationChoice, LengthWatcher, measuredRun

    source = load(tmp_path / "a.dcm", extra={"EstimatedRadiographicMagnificationFactor": "1.2"})
    told = []
    watcher = LengthWatcher(told.append)
    watcher.watch(measuredRun(source), CalibrationChoice())
    assert any("Magnification tags disagree" in note for note in told[-1].notes)
    watcher.stop()


def test_lines_of_other_volumes_are_left_alone(watched, tmp_path):
    from DSADeblurScene.input import shownVolume
    from DSADeblurScene.lengths import CalibrationChoice, measuredRun

    source, volume, watcher, told = watched
    other = load(tmp_path / "other.dcm", instance_number=2)
    texts = {}
    for name, place, kwargs in [
        ("other run in the same place", shownVolume(other), {}),
        ("beside the image", volume, {"placed": False, "slices": (5.0, 7.0)}),
    ]:
        texts[name] = drawLine(place, (10, 10), (30, 25), name, **kwargs)
    outside = drawLine(volume, (10, 10), (30, 2500), "outside", placed=False)
    half = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsLineNode", "half")
    half.AddControlPoint(vtk.vtkVector3d(worldOf(volume, 3, 3)))
    assert told[-1].lines == ()
    for line in (*texts.values(), outside):
        assert label(line) == f"{line.GetLineLengthWorld():#.4g}mm"
        assert line.GetNumberOfMeasurements() == 1 and line.GetMeasurement("length").GetEnabled()
    listed = [
        drawLine(volume, (10, 10), (30, 25), "in the plane", placed=False),
        drawLine(volume, (10, 10), (30, 25), "leaves the plane", placed=False, slices=(0.0, 9.0)),
        drawLine(volume, (10, 10), (30, 25), "placed, before the plane", slices=(9.0, 9.0)),
    ]
    assert [line for line, _ in told[-1].lines] == listed
    assert len({label(line) for line in listed}) == 1
    # The other run is chosen: its line gets our text, those of the first get Slicer's back, placed or not.
    watcher.watch(measuredRun(other), CalibrationChoice())
    assert label(texts["other run in the same place"]).endswith("SID/SOD")
    assert label(listed[2]).endswith("mm") and listed[2].GetMeasurement("length").GetEnabled()


def test_lines_on_derived_nodes_belong_to_the_run(watched, tmp_path):
    from DSADeblurScene.input import shownVolume
    from DSADeblurScene.lengths import CalibrationChoice, measuredRun

    source, _volume, watcher, told = watched
    derived = derive(source, samples.vessel_frames(), range(1, 7))
    twice = derive(derived, samples.vessel_frames(), range(1, 7))
    line = drawLine(shownVolume(twice), (10, 10), (30, 25))
    assert label(line) == expected(20, 15, tmp_path).text
    # Chosen themselves, derived nodes stand for the run: their header is that of the source.
    watcher.watch(measuredRun(twice), CalibrationChoice("detector"))
    assert label(line) == expected(20, 15, tmp_path, "detector").text
    slicer.mrmlScene.RemoveNode(source)
    assert told[-1].lines == () and label(line).endswith("mm")


def test_a_line_keeps_its_length_where_the_derived_run_has_no_frame(watched, tmp_path):
    from DSADeblurScene.input import browserForSequence, shownVolume

    source, _volume, watcher, told = watched
    derived, browser = derive(source, samples.vessel_frames()[2:], range(3, 7)), browserForSequence(source)
    browser.SetSelectedItemNumber(4)
    slicer.modules.sequences.logic().UpdateAllProxyNodes()
    line = drawLine(shownVolume(derived), (10, 10), (30, 25))
    browser.SetSelectedItemNumber(0)
    slicer.modules.sequences.logic().UpdateAllProxyNodes()
    assert shownVolume(derived).GetImageData() is None
    line.SetName("seen at the first frame")
    assert told[-1].lines[0][1].text == label(line) == expected(20, 15, tmp_path).text


def test_stack_of_frames(host, tmp_path):
    from DSADeblurScene.lengths import CalibrationChoice, LengthWatcher, measuredRun

    volume, told = load(tmp_path / "a.dcm", stack=True), []
    watcher = LengthWatcher(told.append)
    watcher.watch(measuredRun(volume), CalibrationChoice())
    line = drawLine(volume, (10, 10), (30, 25), slices=(4.0, 4.0), placed=False)
    assert label(line) == expected(20, 15, tmp_path).text
    watcher.stop()


def test_labels_survive_the_scene_and_are_undone(watched, host, tmp_path):
    from DSADeblurScene.lengths import CalibrationChoice, LengthWatcher, measuredRun
    from DSADeblurScene.line_labels import isLabelled

    _source, volume, watcher, _told = watched
    line, hidden = drawLine(volume, (10, 10), (30, 25), "shown"), drawLine(volume, (1, 1), (3, 3), "hidden")
    watcher.watch(None, CalibrationChoice())
    assert not isLabelled(line) and label(line) == f"{line.GetLineLengthWorld():#.4g}mm"
    # The user had switched Slicer's own length off; it stays off afterwards.
    hidden.GetMeasurement("length").SetEnabled(False)
    watcher.watch(measuredRun(_source), CalibrationChoice())
    texts = [label(line), label(hidden)]
    assert all(text.endswith("SID/SOD") for text in texts)
    host.saveScene(tmp_path / "scene.mrb")
    host.loadScene(tmp_path / "scene.mrb")
    line, hidden = (slicer.util.getNode(name) for name in ("shown", "hidden"))
    assert [label(line), label(hidden)] == texts and isLabelled(line)
    told = []
    again = LengthWatcher(told.append)
    again.watch(measuredRun(slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSequenceNode")), CalibrationChoice())
    assert [label(line), label(hidden)] == texts and line.GetNumberOfMeasurements() == 2
    line.SetNthControlPointPositionWorld(1, *line.GetNthControlPointPositionWorld(0))
    assert label(line).startswith("0.00 mm")
    again.watch(None, CalibrationChoice())
    assert label(line) == "0.000mm" and label(hidden) == "" and not hidden.GetMeasurement("length").GetEnabled()
    again.stop()


def test_observers_go(watched, host):
    _source, volume, watcher, told = watched
    line = drawLine(volume, (10, 10), (30, 25))
    text, count = label(line), len(told)
    watcher.stop()
    movePoint(line, volume, 30, 40)
    drawLine(volume, (1, 1), (3, 3))
    assert len(told) == count and label(line) == text
    assert not line.HasObserver("ModifiedEvent")


def test_closing_the_scene_forgets_the_run(watched, host):
    _source, volume, watcher, told = watched
    drawLine(volume, (10, 10), (30, 25))
    host.scene.Clear(False)
    assert told[-1].lines == () and told[-1].calibration is None
    new = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsLineNode", "new")
    assert told[-1].lines == () and new.GetNumberOfMeasurements() == 1


@pytest.mark.parametrize("text", ["9.9 mm (9.1-10.5), 100 % %s %n plane", "x" * 200])
def test_any_text_is_drawn_safely(host, text):
    from types import SimpleNamespace

    from DSADeblurScene.line_labels import removeLabel, setLabel

    volume = slicer.util.addVolumeFromArray(samples.vessel_frames(1))
    line = drawLine(volume, (4, 4), (14, 24))
    setLabel(line, SimpleNamespace(text=text, value=9.9, unit="mm"))
    assert label(line) == (text if len(text) < 79 else text[:75] + "...")
    assert text[:12] in line.GetDescription() and line.GetPropertiesLabelText().count("\n") == text[:75].count(", ")
    removeLabel(line)
    removeLabel(line)
    assert label(line) == f"{line.GetLineLengthWorld():#.4g}mm"


def test_every_kind_of_calibration_fits_into_a_label(host):
    from DSADeblurLib.measurement.calibration import LABELS, Measured
    from DSADeblurScene.line_labels import setLabel

    volume = slicer.util.addVolumeFromArray(samples.vessel_frames(1))
    line = drawLine(volume, (4, 4), (14, 24))
    for name in LABELS.values():
        for value in (0.42, 9.95, 42.4, 420.2):
            measured = Measured(value, value * 0.9, value * 1.1, "mm", name)
            setLabel(line, measured)
            assert label(line) == measured.text
