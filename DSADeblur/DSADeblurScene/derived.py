"""Puts a result into the scene as a new node beside its source. The source is never written to."""

from __future__ import annotations

import json
from collections.abc import Generator
from typing import Any

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from DSADeblurLib.lazy_frames import evenly_spaced
from DSADeblurLib.steps import finished
from DSADeblurLib.used import Used
from DSADeblurScene.input import InputRun, browserForSequence, shownVolume

ATTRIBUTE = "DSADeblur."
SOURCE_REFERENCE = "DSADeblur.source"
# Of results of a deblurring, and of no view that is made of one: FULL or PREVIEW.
RESULT, FULL, PREVIEW = ATTRIBUTE + "Result", "full", "preview"
# Grey windows are taken from frames of about this many rows or columns; more would tell no more.
_SAMPLED_SIDE = 256


def addDerived(run: InputRun, frames, frameNumbers, *, name: str, attributes: dict[str, str], subtracted: bool):
    """As `addDerivedInSteps`, all at once."""
    return finished(
        addDerivedInSteps(run, frames, frameNumbers, name=name, attributes=attributes, subtracted=subtracted)
    )


def addDerivedInSteps(
    run: InputRun, frames, frameNumbers, *, name: str, attributes: dict[str, str], subtracted: bool
) -> Generator[None, None, Any]:
    """Add a sequence or volume with the given frames, in step with its source; a generator, one frame in each step.

    Nothing is in the scene before the last step, at which the source must still be there.

    Args:
        run: where the frames came from.
        frames: array-like (n, rows, cols), any numeric type.
        frameNumbers: n frame numbers of the source, counted from 1.
        name: of the new node.
        attributes: short texts written to the node (and to each frame), without their common prefix.
        subtracted: the values are optical densities, not those of the source; they get a window of their own.

    Returns:
        vtkMRMLSequenceNode for a sequence, else vtkMRMLScalarVolumeNode.

    Raises:
        ValueError: one sentence, if the frames do not fit the source.
    """
    numbers = [int(number) for number in frameNumbers]
    if len(numbers) != len(frames) or not numbers or min(numbers) < 1 or max(numbers) > len(run.frames):
        raise ValueError(_("The result does not belong to {name}.").format(name=run.node.GetName()))
    window = vesselWindow(frames) if subtracted else None
    yield
    texts = {ATTRIBUTE + key: str(value) for key, value in attributes.items()}
    if run.isSequence:
        node = yield from _addSequence(run, frames, numbers, name, texts)
        shown = shownVolume(node)
    else:
        node = shown = yield from _addVolume(run, frames, numbers, name)
    for key, value in texts.items():
        node.SetAttribute(key, value)
    node.SetNodeReferenceID(SOURCE_REFERENCE, run.node.GetID())
    _followSource(shownVolume(run.node), shown)
    if window is not None:
        setWindow(shown, *window)
    return node


def addPicture(run: InputRun, pixels, *, name: str, attributes: dict[str, str]):
    """Add one picture that stands for a whole run of optical densities, in the place of its frames.

    Args:
        run: where it came from.
        pixels: (rows, cols), any numeric type.
        name, attributes: as for `addDerived`.

    Returns:
        vtkMRMLScalarVolumeNode.
    """
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    volume.CopyOrientation(run.volumes[0])
    slicer.util.updateVolumeFromArray(volume, np.ascontiguousarray(pixels)[np.newaxis])
    volume.CreateDefaultDisplayNodes()
    for key, value in attributes.items():
        volume.SetAttribute(ATTRIBUTE + key, str(value))
    volume.SetNodeReferenceID(SOURCE_REFERENCE, run.node.GetID())
    _followSource(shownVolume(run.node), volume)
    setWindow(volume, *vesselWindow(pixels[np.newaxis]))
    return volume


def sourceOf(node):
    """The node a derived node was made from, or None when it was removed."""
    return node.GetNodeReference(SOURCE_REFERENCE)


def usedOf(node) -> Used:
    """What was used for a result."""
    return Used.from_dict(json.loads(node.GetAttribute(ATTRIBUTE + "Used")))


def runsOfScene() -> list:
    """The sequences of the scene that are no results and were made of none, in the order of the scene."""
    sequences = slicer.util.getNodesByClass("vtkMRMLSequenceNode")
    return [one for one in sequences if sourceOf(one) is None and not one.GetAttribute(ATTRIBUTE + "Role")]


def resultsOf(source, kind: str) -> list:
    """The results of a run that are in the scene, of the kind FULL or PREVIEW."""
    nodes = [
        *slicer.util.getNodesByClass("vtkMRMLSequenceNode"),
        *slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode"),
    ]
    return [node for node in nodes if node.GetAttribute(RESULT) == kind and sourceOf(node) is source]


def removeResult(node) -> None:
    """Remove a result with all that was made of it: its views and what shows its frames. Its source stays."""
    roles = [node.GetNthNodeReferenceRole(i) for i in range(node.GetNumberOfNodeReferenceRoles())]
    made = [node.GetNodeReference(role) for role in roles if role.startswith(ATTRIBUTE) and role != SOURCE_REFERENCE]
    for one in (node, *made):
        # What the user put there has no role.
        if one is None or one.GetAttribute(ATTRIBUTE + "Role") is None:
            continue
        # The sequence first: a browser makes what shows it anew as long as it is there.
        for part in filter(None, dict.fromkeys((one, shownVolume(one)))):
            of = [(role, i) for role in ("display", "storage") for i in range(part.GetNumberOfNodeReferences(role))]
            for rest in (part, *[part.GetNthNodeReference(role, i) for role, i in of]):
                slicer.mrmlScene.RemoveNode(rest)


def setWindow(volume, lower: float, upper: float) -> None:
    """Show lower as black and upper as white."""
    display = volume.GetDisplayNode()
    display.AutoWindowLevelOff()
    display.SetWindowLevelMinMax(lower, upper)


def vesselWindow(frames) -> tuple[float, float]:
    """A grey window for optical densities: vessels are negative and dark, the background above mid-grey."""
    low, high = np.percentile(sampleFrames(frames), (0.1, 99.9))
    reach = max(-float(low), float(high), 1e-3)
    return -reach, max(float(high), 0.5 * reach)


def sampleFrames(frames) -> np.ndarray:
    """Values of up to eight evenly spaced frames, one after the other; of large frames every few rows and columns."""
    sampled = []
    for i in evenly_spaced(len(frames), 8):
        frame = np.asarray(frames[i])
        step = max(1, min(frame.shape) // _SAMPLED_SIDE)
        sampled.append(frame[::step, ::step].astype(np.float64).ravel())
    return np.concatenate(sampled)


def renewFrame(node, index: int, frame):
    """Put another frame (rows, cols) in the place of one of a node that `addDerived` made.

    What views show follows when `updateShown` is called.

    Returns:
        The volume node that holds it.
    """
    isSequence = node.IsA("vtkMRMLSequenceNode")
    volume, position = (node.GetNthDataNode(index), 0) if isSequence else (node, index)
    slicer.util.arrayFromVolume(volume)[position] = frame
    slicer.util.arrayFromVolumeModified(volume)
    return volume


def updateShown(node) -> None:
    """Let views show the frames that a node has now."""
    browser = browserForSequence(node) if node.IsA("vtkMRMLSequenceNode") else None
    if browser is not None:
        slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)


def _addSequence(run: InputRun, frames, numbers, name, texts):
    source = run.node
    sequence = slicer.vtkMRMLSequenceNode()
    sequence.SetName(name)
    sequence.SetIndexName(source.GetIndexName())
    sequence.SetIndexUnit(source.GetIndexUnit())
    sequence.SetIndexType(source.GetIndexType())
    volume = _frameVolume(name, texts)
    for frame, number in zip(frames, numbers, strict=True):
        _setFrame(sequence, run, number, frame, volume)
        yield
    _checkSource(run)
    slicer.mrmlScene.AddNode(sequence)
    storage = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVolumeSequenceStorageNode")
    sequence.SetAndObserveStorageNodeID(storage.GetID())

    browser = browserForSequence(source)
    if browser is None:
        browser = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", source.GetName() + " browser")
        browser.AddSynchronizedSequenceNode(source)
    browser.AddSynchronizedSequenceNode(sequence)
    # Where the result has no frame, an empty view is honest; an older frame would be shown otherwise.
    browser.SetMissingItemMode(sequence, slicer.vtkMRMLSequenceBrowserNode.MissingItemSetToDefault)
    return sequence


def _checkSource(run: InputRun) -> None:
    if slicer.mrmlScene.GetNodeByID(run.node.GetID() or "") is not run.node:
        raise ValueError(_("The input was removed from the scene; the result was discarded."))


def _frameVolume(name: str, texts: dict[str, str]):
    """Carries frames into a sequence, which takes copies; it is in no scene.

    It is no DICOM instance, and carries no instance UID.
    """
    volume = slicer.vtkMRMLScalarVolumeNode()
    volume.SetName(name)
    for key, value in texts.items():
        volume.SetAttribute(key, value)
    return volume


def _setFrame(sequence, run: InputRun, number: int, frame, volume) -> None:
    volume.CopyOrientation(run.volumes[number - 1])
    slicer.util.updateVolumeFromArray(volume, np.ascontiguousarray(frame)[np.newaxis])
    # The index text is taken over as it is: frames of two sequences meet by equal values only.
    sequence.SetDataNodeAtValue(volume, run.indexValues[number - 1])


def _addVolume(run: InputRun, frames, numbers, name):
    if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        raise ValueError(_("The frames of a stack must follow each other; choose one range of frames."))
    source = run.node
    stacked = []
    for frame in frames:
        stacked.append(np.asarray(frame))
        yield
    _checkSource(run)
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    volume.CopyOrientation(source)
    slicer.util.updateVolumeFromArray(volume, np.stack(stacked))
    ijkToRas = vtk.vtkMatrix4x4()
    source.GetIJKToRASMatrix(ijkToRas)
    first = ijkToRas.MultiplyPoint((0, 0, numbers[0] - 1, 1))
    volume.SetOrigin(first[:3])
    volume.CreateDefaultDisplayNodes()
    return volume


def _followSource(source, shown) -> None:
    """Transform, window and place in the subject hierarchy as the source has them."""
    if source is None or shown is None:
        return
    shown.SetAndObserveTransformNodeID(source.GetTransformNodeID())
    if shown.GetDisplayNode() is None:
        shown.CreateDefaultDisplayNodes()
    sourceDisplay, display = source.GetDisplayNode(), shown.GetDisplayNode()
    if sourceDisplay:
        if sourceDisplay.GetColorNodeID():
            display.SetAndObserveColorNodeID(sourceDisplay.GetColorNodeID())
        setWindow(shown, sourceDisplay.GetWindowLevelMin(), sourceDisplay.GetWindowLevelMax())
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    sourceItem = hierarchy.GetItemByDataNode(source) if hierarchy else 0
    if not sourceItem:
        return
    parent = hierarchy.GetItemParent(sourceItem)
    item = hierarchy.GetItemByDataNode(shown)
    if item:
        hierarchy.SetItemParent(item, parent)
    else:
        hierarchy.CreateItem(parent, shown)
