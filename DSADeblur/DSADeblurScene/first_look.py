"""Shows a new result at once: beside its original, at a frame that it has."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import slicer
import vtk

from DSADeblurScene.compare import VIEWS, checkSource, comparableInSteps, frameNumbersOf, showSideBySide
from DSADeblurScene.derived import ATTRIBUTE, sourceOf
from DSADeblurScene.input import NodeFrames, browserForSequence, readInput

# Contrast is judged on about this many rows or columns, by this share of the pixels.
_SAMPLED_SIDE = 128
_DARKEST = 0.05


def showResult(derived) -> Iterator:
    """Show a derived node beside its original; the difference is left to `compare.showComparison`, it takes long.

    A generator: the first step shows. Each further one computes one frame of an original that must be subtracted
    first, so that the caller can let the application live in between.

    Raises:
        ValueError: one sentence, if the node or its source is gone.
    """
    checkSource(derived)
    number = frameToShow(derived)
    steps = comparableInSteps(derived, number)
    original = next(steps)
    selectFrame(derived, number)
    showSideBySide(original, derived)
    jumpToFrame(derived, number)
    yield original
    yield from steps


def frameToShow(derived) -> int:
    """Number of the source frame, counted from 1, at which a result is looked at first.

    Of a subtracted run that with most contrast agent; else that which is shown now, or the middle one.
    """
    numbers = frameNumbersOf(derived)
    if derived.GetAttribute(ATTRIBUTE + "Subtraction") is not None:
        return numbers[mostOpacified(readInput(derived).frames)]
    shown, source = None, sourceOf(derived)
    browser = browserForSequence(source) if source.IsA("vtkMRMLSequenceNode") else None
    if browser is not None and browser.GetSelectedItemNumber() >= 0:
        value = browser.GetMasterSequenceNode().GetNthIndexValue(browser.GetSelectedItemNumber())
        shown = source.GetItemNumberFromIndexValue(value, True) + 1
    return shown if shown in numbers else numbers[len(numbers) // 2]


def mostOpacified(frames: NodeFrames) -> int:
    """Index of the frame whose darkest parts lie farthest below its middle grey.

    frames: optical densities, negative in vessels. An offset of a whole frame, as an unsteady tube gives it, counts
    for nothing.
    """
    step = max(1, min(frames.shape[1:]) // _SAMPLED_SIDE)
    depths = []
    for index in range(len(frames)):
        pixels = np.sort(frames.sample(index, step), axis=None)
        darkest = pixels[: max(1, round(_DARKEST * pixels.size))]
        depths.append(float(pixels[pixels.size // 2]) - float(darkest.mean(dtype=np.float64)))
    return int(np.argmax(depths))


def selectFrame(derived, number: int) -> None:
    """Step the browser of a sequence to a source frame."""
    source = readInput(sourceOf(derived))
    browser = browserForSequence(source.node) if source.isSequence else None
    if browser is not None:
        browser.SetSelectedItemByIndexValue(source.indexValues[number - 1], True)


def jumpToFrame(derived, number: int) -> None:
    """Move the views of a stack to a source frame."""
    source = sourceOf(derived)
    if source.IsA("vtkMRMLSequenceNode"):
        return
    ijkToRas = vtk.vtkMatrix4x4()
    source.GetIJKToRASMatrix(ijkToRas)
    place = ijkToRas.MultiplyPoint((0.0, 0.0, number - 1.0, 1.0))
    for tag in VIEWS[:2]:
        logic = slicer.app.applicationLogic().GetSliceLogicByLayoutName(tag)
        logic.GetSliceNode().JumpSliceByOffsetting(*place[:3])
