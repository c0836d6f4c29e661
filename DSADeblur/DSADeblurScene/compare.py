"""The compare layout: original, deblurred and their difference side by side, linked and in step."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import slicer
from slicer.i18n import tr as _

from DSADeblurLib.lazy_frames import ComputedFrames, chosen_frames
from DSADeblurLib.request import DeblurRequest
from DSADeblurScene.derived import (
    ATTRIBUTE,
    addDerived,
    addDerivedInSteps,
    finished,
    putFrame,
    renewFrame,
    sampleFrames,
    setWindow,
    sourceOf,
)
from DSADeblurScene.input import InputRun, readInput, shownVolume
from DSADeblurScene.run_file import loadedRun

if TYPE_CHECKING:
    from DSADeblurLib.xa.subtraction.subtract import SubtractedFrames

# Ids up to 100 are Slicer's own.
LAYOUT_ID = 6321
LAYOUT_IDS = {3: LAYOUT_ID, 2: LAYOUT_ID + 1}
VIEWS = ("DSADeblurOriginal", "DSADeblurDeblurred", "DSADeblurDifference")
DIFFERENCE_REFERENCE = "DSADeblur.difference"
SUBTRACTED_REFERENCE = "DSADeblur.subtractedSource"
MISSING = ATTRIBUTE + "MissingFrames"
_COLOURS = ("#8C8C8C", "#6EB04B", "#EDD54C")
_LABELS = ("O", "D", "&#916;")


def layoutDescription(count: int = len(VIEWS)) -> str:
    """The layout of the first views as the XML that vtkMRMLLayoutNode reads."""
    views = "".join(
        f'<item><view class="vtkMRMLSliceNode" singletontag="{tag}">'
        '<property name="orientation" action="default">Axial</property>'
        f'<property name="viewlabel" action="default">{label}</property>'
        f'<property name="viewcolor" action="default">{colour}</property>'
        "</view></item>"
        for tag, label, colour in list(zip(VIEWS, _LABELS, _COLOURS, strict=True))[:count]
    )
    return f'<layout type="horizontal" split="true">{views}</layout>'


def showComparison(derived) -> None:
    """As `showComparisonInSteps`, all at once."""
    finished(showComparisonInSteps(derived))


def showComparisonInSteps(derived) -> Generator[None, None, None]:
    """Show a derived node beside its source and their difference; a generator, at most one frame in each step.

    Raises:
        ValueError: one sentence, if the node or its source is gone.
    """
    checkSource(derived)
    for node in comparableInSteps(derived):
        original = node
        yield
    difference = derived.GetNodeReference(DIFFERENCE_REFERENCE)
    if difference is None:
        difference = yield from _differenceInSteps(derived, original)
    showSideBySide(original, derived, difference)


def checkSource(derived) -> None:
    """Raise ValueError, one sentence, if a derived node or its source is gone."""
    if derived is None or sourceOf(derived) is None:
        raise ValueError(_("Nothing to compare: run the deblurring first, or its source was removed."))


def comparable(derived):
    """The node with the same kind of values as the derived one: its source, or the source subtracted alike."""
    *_, node = comparableInSteps(derived)
    return node


def comparableInSteps(derived, first: int | None = None) -> Iterator:
    """Give the node of `comparable` after each frame that had to be computed for it, and once at least.

    Frames that are not there yet are empty in a sequence, and zero in a stack. The next call goes on where one ended
    too early; all ends when the derived node or its source leaves the scene.

    Args:
        first: number of the source frame that comes before all others.
    """
    source = sourceOf(derived)
    subtracted = derived.GetAttribute(ATTRIBUTE + "Subtraction") is not None
    node = derived.GetNodeReference(SUBTRACTED_REFERENCE) if subtracted else source
    if node is not None and not _missing(node):
        yield node
        return
    run, numbers, frames = readInput(source), frameNumbersOf(derived), originalFrames(derived)
    if node is None:
        first = numbers[0] if first is None else first
        node = _beginSubtracted(derived, run, numbers, numbers.index(first), frames)
        yield node
    while (missing := _missing(node)) and sourceOf(derived) is source and _inScene(derived) and _inScene(node):
        index = numbers.index(missing[0])
        putFrame(node, run, index, missing[0], frames[index])
        _setMissing(node, missing[1:])
        yield node


def _beginSubtracted(derived, run: InputRun, numbers: list[int], first: int, frames: ComputedFrames):
    """The node for the subtracted source with one frame in it."""
    frame, others = frames[first], [number for number in numbers if number != numbers[first]]
    begun, known = ComputedFrames((1, *frame.shape), frame.dtype, lambda i: frame), [numbers[first]]
    if not run.isSequence:
        empty = np.zeros_like(frame)
        begun, known = ComputedFrames(frames.shape, frame.dtype, lambda i: frame if i == first else empty), numbers
    name, attributes = _("{name} subtracted").format(name=run.node.GetName()), {"Role": "subtracted source"}
    node = addDerived(run, begun, known, name=name, attributes=attributes, subtracted=False)
    _setMissing(node, others)
    reference = shownVolume(derived).GetDisplayNode()
    setWindow(shownVolume(node), reference.GetWindowLevelMin(), reference.GetWindowLevelMax())
    derived.SetNodeReferenceID(SUBTRACTED_REFERENCE, node.GetID())
    return node


def _missing(node) -> list[int]:
    """Numbers of the source frames that are still to be put into a subtracted source."""
    return [int(number) for number in (node.GetAttribute(MISSING) or "").split()]


def _setMissing(node, numbers: list[int]) -> None:
    if numbers:
        node.SetAttribute(MISSING, " ".join(map(str, numbers)))
    else:
        node.RemoveAttribute(MISSING)


def _inScene(node) -> bool:
    return slicer.mrmlScene.GetNodeByID(node.GetID()) is node


def originalFrames(derived) -> ComputedFrames:
    """The source's frames that a derived node was made from, one for one, subtracted alike when it is subtracted."""
    run, numbers = readInput(sourceOf(derived)), frameNumbersOf(derived)
    if derived.GetAttribute(ATTRIBUTE + "Subtraction") is None:
        return chosen_frames(run.frames, [number - 1 for number in numbers])
    frames = subtractedSource(derived)
    return chosen_frames(frames, [frames.frame_numbers.index(number) for number in numbers])


def subtractedSource(derived) -> SubtractedFrames:
    """The source's frames subtracted as those of a derived node were.

    Raises:
        ValueError: one sentence, if the derived node or its source does not say how.
    """
    from DSADeblurLib.xa import SubtractionPlan, for_subtraction, subtract

    plan = SubtractionPlan.from_dict(json.loads(derived.GetAttribute(ATTRIBUTE + "Subtraction")))
    run = loadedRun(readInput(sourceOf(derived)), requestOf(derived).facts, atAGlance=True).run
    frames, relationship = for_subtraction(run, run.frames)
    return subtract(frames, plan, relationship)


def requestOf(derived) -> DeblurRequest:
    """What was asked when a derived node was made. Raises ValueError where its attribute is damaged."""
    return DeblurRequest.from_dict(json.loads(derived.GetAttribute(ATTRIBUTE + "Request") or "{}"))


def frameNumbersOf(derived) -> list[int]:
    """Numbers, counted from 1, of the source frames a derived node was made from."""
    return [int(number) for number in derived.GetAttribute(ATTRIBUTE + "FrameNumbers").split()]


def differenceNode(derived, original):
    """Deblurred minus original, float32, in the same browser; made once and kept with the derived node."""
    known = derived.GetNodeReference(DIFFERENCE_REFERENCE)
    return finished(_differenceInSteps(derived, original)) if known is None else known


def _differenceInSteps(derived, original) -> Generator[None, None, Any]:
    sharp, blurred, run = readInput(derived), readInput(original), readInput(sourceOf(derived))
    numbers = frameNumbersOf(derived)
    # The subtracted source holds the frames of the result; the native source holds all frames.
    indices = range(len(numbers)) if original is not sourceOf(derived) else [number - 1 for number in numbers]
    frames = ComputedFrames(
        sharp.frames.shape,
        np.float32,
        lambda i: sharp.frames[i].astype(np.float32) - blurred.frames[indices[i]].astype(np.float32),
    )
    name = _("{name} difference").format(name=run.node.GetName())
    attributes = {"Role": "difference"}
    node = yield from addDerivedInSteps(run, frames, numbers, name=name, attributes=attributes, subtracted=False)
    reach = max(float(np.percentile(np.abs(sampleFrames(frames)), 99.9)), 1e-6)
    setWindow(shownVolume(node), -reach, reach)
    derived.SetNodeReferenceID(DIFFERENCE_REFERENCE, node.GetID())
    return node


def renewDifference(derived, index: int, frame) -> None:
    """Let the difference, where it was made, follow another frame (rows, cols) of the derived node."""
    difference, source = derived.GetNodeReference(DIFFERENCE_REFERENCE), sourceOf(derived)
    original = derived.GetNodeReference(SUBTRACTED_REFERENCE) or source
    if difference is not None and original is not None:
        place = frameNumbersOf(derived)[index] - 1 if original is source else index
        isSequence = original.IsA("vtkMRMLSequenceNode")
        volume, place = (original.GetNthDataNode(place), 0) if isSequence else (original, place)
        blurred = slicer.util.arrayFromVolume(volume)[place]
        renewFrame(difference, index, frame.astype(np.float32) - blurred.astype(np.float32))


def showSideBySide(*nodes) -> None:
    """Show two or three nodes in linked views, in the order original, deblurred, difference."""
    layout, number = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode"), LAYOUT_IDS[len(nodes)]
    if not layout.IsLayoutDescription(number):
        layout.AddLayoutDescription(number, layoutDescription(len(nodes)))
    layout.SetViewArrangement(number)
    for tag, node in zip(VIEWS, nodes, strict=False):
        _showInView(tag, shownVolume(node))


def _showInView(tag: str, volume) -> None:
    logic = slicer.app.applicationLogic().GetSliceLogicByLayoutName(tag)
    composite = logic.GetSliceCompositeNode()
    # Unlinked while it changes, or all three views would show the last volume.
    composite.SetLinkedControl(False)
    composite.SetForegroundVolumeID(None)
    composite.SetLabelVolumeID(None)
    composite.SetBackgroundVolumeID(volume.GetID())
    logic.GetSliceNode().SetOrientationToAxial()
    logic.FitSliceToBackground()
    composite.SetHotLinkedControl(True)
    composite.SetLinkedControl(True)


def fitViews() -> None:
    """Fit the images into the views again, at the same frame of a stack.

    A view that has just been made takes its size only when the window is laid out, and was fitted to another before.
    """
    for tag in VIEWS:
        logic = slicer.app.applicationLogic().GetSliceLogicByLayoutName(tag)
        if logic is None:
            continue
        composite, offset = logic.GetSliceCompositeNode(), logic.GetSliceOffset()
        composite.SetLinkedControl(False)
        logic.FitSliceToBackground()
        logic.SetSliceOffset(offset)
        composite.SetLinkedControl(True)
