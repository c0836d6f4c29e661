"""Steps the application from one frame of a run to another: its browser, or the views that show a stack."""

from __future__ import annotations

import slicer
import vtk

from DSADeblurScene.derived import sourceOf
from DSADeblurScene.input import browserForSequence, shownIndex


def stepFrame(node, by: int) -> None:
    """Show the frame of a sequence or stack that lies so many frames behind the one that is shown, if there is one."""
    isSequence = node.IsA("vtkMRMLSequenceNode")
    count = node.GetNumberOfDataNodes() if isSequence else node.GetImageData().GetDimensions()[2]
    index = shownIndex(node) + by
    if 0 <= index < count:
        (_stepSequence if isSequence else _stepStack)(node, index)


def _stepSequence(node, index: int) -> None:
    browser = browserForSequence(node)
    if browser is not None:
        browser.SetSelectedItemByIndexValue(node.GetNthIndexValue(index), True)


def _stepStack(node, index: int) -> None:
    ijkToRas = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(ijkToRas)
    place = ijkToRas.MultiplyPoint((0.0, 0.0, float(index), 1.0))
    logics = slicer.app.applicationLogic().GetSliceLogics()
    for logic in (logics.GetItemAsObject(i) for i in range(logics.GetNumberOfItems())):
        shown = logic.GetBackgroundLayer().GetVolumeNode()
        if shown is not None and node in (shown, sourceOf(shown)):
            logic.GetSliceNode().JumpSliceByOffsetting(*place[:3])
