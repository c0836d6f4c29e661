"""Self-test inside Slicer, as "Reload and Test" and ctest run it."""

from __future__ import annotations

import unittest

import numpy as np
import slicer
from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleTest

from DSADeblurPanel.engine_section import engineProblem
from DSADeblurScene.input import readInput


class DSADeblurTest(ScriptedLoadableModuleTest):
    """Self-test inside Slicer: a small run is deblurred with a bundled model."""

    def setUp(self) -> None:
        slicer.mrmlScene.Clear()

    def runTest(self) -> None:
        """What "Reload and Test" calls, outside unittest."""
        self.setUp()
        try:
            self.test_derivedSequencePlaysInStep()
        except unittest.SkipTest as why:
            self.delayDisplay(_("Not tested: {why}").format(why=why))

    def test_derivedSequencePlaysInStep(self) -> None:
        problem = engineProblem()
        if problem:
            self.skipTest(problem)
        rng = np.random.default_rng(0)
        pixels = rng.integers(0, 4096, (3, 1, 64, 64), dtype=np.uint16)
        sequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "run")
        volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "frame")
        for number, frame in enumerate(pixels):
            slicer.util.updateVolumeFromArray(volume, frame)
            sequence.SetDataNodeAtValue(volume, str(number))
        slicer.mrmlScene.RemoveNode(volume)
        # The module itself imports this file.
        from DSADeblur import DSADeblurLogic

        derived = DSADeblurLogic().process(sequence, device="cpu")
        self.assertEqual(derived.GetNumberOfDataNodes(), 3)
        self.assertEqual(derived.GetNthIndexValue(2), sequence.GetNthIndexValue(2))
        before, after = readInput(sequence).frames, readInput(derived).frames
        self.assertEqual(after.dtype, np.uint16)
        self.assertTrue(all(np.array_equal(before[i], pixels[i, 0]) for i in range(3)))
        self.assertFalse(np.array_equal(after[1], pixels[1, 0]))
        self.delayDisplay(_("Test passed"))
