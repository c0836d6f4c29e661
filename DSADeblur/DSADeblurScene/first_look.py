"""Shows a new result at once: beside its original, at a frame that it has."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import numpy as np
import vtk

from DSADeblurScene.compare import checkSource, frameNumbersOf, isSubtracted
from DSADeblurScene.derived import sourceOf
from DSADeblurScene.input import NodeFrames, browserForSequence, readInput
from DSADeblurScene.layouts import BOTH, VIEWS, CompareView, logicOf

if TYPE_CHECKING:
    from DSADeblurScene.compare_views import CompareViews

# Contrast is judged on about this many rows or columns, by this share of the pixels.
_SAMPLED_SIDE = 128
_DARKEST = 0.05


def showResultInSteps(
    views: CompareViews, derived, kind: CompareView = CompareView.PAIR
) -> Generator[None, None, None]:
    """Show a derived node and its original at the frame to look at first; a generator, in some steps.

    Raises:
        ValueError: one sentence, if the node or its source is gone.
    """
    checkSource(derived)
    number, asked = frameToShow(derived), views.asked
    yield
    selectFrame(sourceOf(derived), number)
    yield
    # Somebody may have asked for another view meanwhile.
    if views.asked == asked:
        yield from views.showInSteps(derived, kind)
    if views.asked == asked + 1:
        jumpToFrame(sourceOf(derived), number)


def frameToShow(derived) -> int:
    """Number of the source frame, counted from 1, at which a result is looked at first.

    Of a subtracted run that with most contrast agent; else that which is shown now, or the middle one.
    """
    numbers = frameNumbersOf(derived)
    if isSubtracted(derived):
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


def selectFrame(source, number: int) -> None:
    """Step the browser of a sequence to a frame."""
    browser = browserForSequence(source) if source.IsA("vtkMRMLSequenceNode") else None
    if browser is not None:
        browser.SetSelectedItemByIndexValue(source.GetNthIndexValue(number - 1), True)


def jumpToFrame(source, number: int) -> None:
    """Move the views of a stack to a frame."""
    if source.IsA("vtkMRMLSequenceNode"):
        return
    ijkToRas = vtk.vtkMatrix4x4()
    source.GetIJKToRASMatrix(ijkToRas)
    place = ijkToRas.MultiplyPoint((0.0, 0.0, number - 1.0, 1.0))
    for logic in filter(None, map(logicOf, (*VIEWS, BOTH))):
        logic.GetSliceNode().JumpSliceByOffsetting(*place[:3])
