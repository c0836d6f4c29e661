"""Self-test inside Slicer, as "Reload and Test" and ctest run it: the road of a user with the bundled run."""

from __future__ import annotations

import contextlib
import tempfile
import time
import unittest
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleTest

from DSADeblurPanel.engine_section import engineProblem
from DSADeblurScene.derived import sourceOf
from DSADeblurScene.input import readInput, shownIndex, shownVolume
from DSADeblurScene.layouts import CompareView
from DSADeblurScene.line_labels import MEASURES, isLabelled
from DSADeblurScene.measure import DIAMETER
from DSADeblurScene.sample_data import loadRun, sampleRuns

_LONGEST_SECONDS = 600.0


class DSADeblurTest(ScriptedLoadableModuleTest):
    """Load, Apply, compare, measure, export, save and reload."""

    def setUp(self) -> None:
        slicer.mrmlScene.Clear()

    def runTest(self) -> None:
        """What "Reload and Test" calls, outside unittest."""
        self.setUp()
        try:
            self.test_roadOfAUser()
        except unittest.SkipTest as why:
            self.delayDisplay(_("Not tested: {why}").format(why=why))

    def test_roadOfAUser(self) -> None:
        problem = engineProblem()
        if problem:
            self.skipTest(problem)
        self.widget = slicer.util.getModuleWidget("DSADeblur")
        self.widget.enter()
        with _temporaryDatabase(), tempfile.TemporaryDirectory() as folder:
            loadRun(sampleRuns()[0])
            run = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSequenceNode")
            before = _frames(run)
            derived = self._apply(run)
            for kind in CompareView:
                self.widget.logic.compare(derived, kind.name.lower())
                slicer.app.processEvents()
                self.assertIs(self.widget.logic.compareViews.kind, kind)
            self._measure(derived)
            self.assertTrue(self.widget.logic.export(derived, folder).path.is_file())
            self.assertTrue(np.array_equal(_frames(run), before))
            self._saveAndReload(derived, Path(folder) / "scene.mrb")
        self.delayDisplay(_("Test passed"))

    def _apply(self, run):
        """Deblur the last two frames with the panel's own button."""
        ui, count = self.widget.ui, run.GetNumberOfDataNodes()
        self.widget.logic.getParameterNode().inputNode = run
        ui.frameRangeLineEdit.text = f"{count - 1}-{count}"
        self._wait(lambda: ui.applyButton.enabled)
        ui.applyButton.click()
        self._wait(lambda: self.widget.runSection.isIdle)
        derived = self.widget.logic.getParameterNode().derivedNode
        self.assertIsNotNone(derived, ui.statusLabel.text)
        self.assertEqual(derived.GetNumberOfDataNodes(), 2)
        self.assertEqual(derived.GetNthIndexValue(1), run.GetNthIndexValue(count - 1))
        return derived

    def _measure(self, derived) -> None:
        """Draw a line across the darkest vessel, as the button Diameter and two clicks do."""
        frame = readInput(derived).frames[max(shownIndex(derived), 0)]
        row, column = np.unravel_index(int(frame[:, 20:-20].argmin()), frame[:, 20:-20].shape)
        line = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsLineNode", "diameter")
        line.SetAttribute(MEASURES, DIAMETER)
        ijkToRas = vtk.vtkMatrix4x4()
        shownVolume(derived).GetIJKToRASMatrix(ijkToRas)
        for place in (column + 5, column + 35):
            line.AddControlPointWorld(vtk.vtkVector3d(ijkToRas.MultiplyPoint((place, row, 0, 1))[:3]))
        self._wait(lambda: isLabelled(line) and not self.widget.measureSection.isBusy)

    def _saveAndReload(self, derived, path: Path) -> None:
        frames, name = _frames(derived), derived.GetName()
        slicer.util.saveScene(str(path))
        slicer.mrmlScene.Clear()
        slicer.util.loadScene(str(path))
        derived = self.widget.logic.getParameterNode().derivedNode
        self.assertEqual(derived.GetName(), name)
        self.assertIsNotNone(sourceOf(derived))
        self.assertTrue(np.array_equal(_frames(derived), frames))

    def _wait(self, until: Callable[[], object]) -> None:
        end = time.monotonic() + _LONGEST_SECONDS
        while not until():
            self.assertLess(time.monotonic(), end, self.widget.ui.statusLabel.text)
            slicer.app.processEvents()
            time.sleep(0.005)


@contextlib.contextmanager
def _temporaryDatabase() -> Iterator[None]:
    """The user's own DICOM database is left alone."""
    from DICOMLib import DICOMUtils

    original = DICOMUtils.openTemporaryDatabase()
    try:
        yield
    finally:
        DICOMUtils.closeTemporaryDatabase(original)


def _frames(node) -> np.ndarray:
    return np.asarray(readInput(node).frames)
