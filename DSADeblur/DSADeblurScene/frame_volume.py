"""A volume that holds one frame for views: neither saved, nor in lists, nor left behind by whoever made it."""

from __future__ import annotations

import numpy as np
import slicer
import vtk


def addFrameVolume(name: str, shape: tuple[int, ...], like):
    """Add a volume of zeros, (rows, columns), float32, with the transform of another volume."""
    volume = slicer.vtkMRMLScalarVolumeNode()
    volume.SetName(name)
    volume.SetSaveWithScene(False)
    volume.SetHideFromEditors(True)
    slicer.util.updateVolumeFromArray(volume, np.zeros((1, *shape), np.float32))
    slicer.mrmlScene.AddNode(volume)
    volume.SetAndObserveTransformNodeID(like.GetTransformNodeID())
    return volume


def addGreyDisplay(volume):
    """Give it a display node of its own, without a window, and return that."""
    # That of CreateDefaultDisplayNodes looks through all pixels for a window, and through none again.
    display = slicer.vtkMRMLScalarVolumeDisplayNode()
    display.AutoWindowLevelOff()
    display.SetAndObserveColorNodeID("vtkMRMLColorTableNodeGrey")
    display.SetSaveWithScene(False)
    slicer.mrmlScene.AddNode(display)
    volume.SetAndObserveDisplayNodeID(display.GetID())
    return display


def placeFrame(volume, node, index: int) -> None:
    """Put the volume where frame `index` of a sequence or a stack lies."""
    isSequence = node.IsA("vtkMRMLSequenceNode")
    ijkToRas = vtk.vtkMatrix4x4()
    (node.GetNthDataNode(index) if isSequence else node).GetIJKToRASMatrix(ijkToRas)
    first = ijkToRas.MultiplyPoint((0, 0, 0 if isSequence else index, 1))
    for row in range(3):
        ijkToRas.SetElement(row, 3, first[row])
    volume.SetIJKToRASMatrix(ijkToRas)


def fillFrame(volume, pixels, node, index: int) -> None:
    """Show other pixels, (rows, columns) or one value, where frame `index` of a sequence or a stack lies."""
    slicer.util.arrayFromVolume(volume)[0] = pixels
    placeFrame(volume, node, index)
    slicer.util.arrayFromVolumeModified(volume)


def eventsOfShownFrame(node, shown) -> list[tuple]:
    """(node, event) of what reports that another frame of a sequence or a stack is shown, or another content of it.

    shown: volume that shows it.
    """
    events = [(shown, slicer.vtkMRMLVolumeNode.ImageDataModifiedEvent)]
    if node.IsA("vtkMRMLSequenceNode"):
        browsers = slicer.util.getNodesByClass("vtkMRMLSequenceBrowserNode")
        mine = [one for one in browsers if one.IsSynchronizedSequenceNode(node, True)]
        return events + [(one, vtk.vtkCommand.ModifiedEvent) for one in mine]
    nodes = slicer.util.getNodesByClass("vtkMRMLSliceNode")
    return events + [(one, vtk.vtkCommand.ModifiedEvent) for one in nodes]


def forgetVolumes(observed: list, made: list) -> None:
    """Follow nothing any more, and remove the volumes that were made.

    Args:
        observed: (node, tag of its observer); emptied.
        made: nodes; emptied.
    """
    for node, tag in observed:
        node.RemoveObserver(tag)
    observed.clear()
    for node in made:
        if slicer.mrmlScene.IsNodePresent(node):
            slicer.mrmlScene.RemoveNode(node)
    made.clear()
