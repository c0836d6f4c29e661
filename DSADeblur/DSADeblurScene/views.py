"""Display options of a subtracted run: peak opacification, and the anatomical background blended back in."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from DSADeblurLib.framefile import FrameFile
from DSADeblurScene.compare import frameNumbersOf, showSideBySide, subtractedAlike
from DSADeblurScene.derived import ATTRIBUTE, addDerived, addPicture, setWindow, sourceOf, vesselWindow
from DSADeblurScene.input import readInput, shownVolume

PEAK_REFERENCES = ("DSADeblur.peakOfSource", "DSADeblur.peak")
BACKGROUND_REFERENCES = ("DSADeblur.sourceWithBackground", "DSADeblur.withBackground")
Progress = Callable[[int, int], None]


class Stopped(Exception):
    """Raised by a progress callback to end a computation; the scene is as it was before."""


def hasViews(derived) -> bool:
    """Whether these views can be made: the node was subtracted, and its source is still there."""
    if derived is None or sourceOf(derived) is None:
        return False
    return derived.GetAttribute(ATTRIBUTE + "Subtraction") is not None


def showPeakOpacification(derived, progress: Progress = lambda done, total: None) -> tuple:
    """Make the minimum over time of the subtracted source and of its deblurred run, and show both side by side.

    Pictures made before for this node are replaced.

    Args:
        derived: a deblurred, subtracted node.
        progress: called with (steps done, steps in all); it may raise `Stopped`.

    Returns:
        (node of the source, node of the deblurred run), float32 volumes.

    Raises:
        ValueError: one sentence, if the node is not subtracted or its source is gone.
    """
    from DSADeblurLib.measurement.opacification import peak_opacification

    originals, indices, sharp = _framesOf(derived)
    total = 2 * len(indices)

    def told(frames, start: int):
        for step, frame in enumerate(frames, start):
            progress(step, total)
            yield frame
        progress(start + len(indices), total)

    pictures = (
        peak_opacification(told((originals[index] for index in indices), 0)),
        peak_opacification(told((sharp[i] for i in range(len(indices))), len(indices))),
    )
    run = readInput(sourceOf(derived))
    _removeEarlier(derived, PEAK_REFERENCES)
    # Both in one window, that of the original, or they could not be compared.
    window, nodes = vesselWindow(pictures[0][None]), []
    for reference, source, pixels in zip(PEAK_REFERENCES, (run.node, derived), pictures, strict=True):
        name = _("{name} peak opacification (research use only)").format(name=_nameOf(source, derived))
        attributes = {"Role": "peak opacification", "ResearchUseOnly": "true", "Frames": str(len(indices))}
        node = addPicture(run, pixels, name=name, attributes=attributes)
        setWindow(node, *window)
        derived.SetNodeReferenceID(reference, node.GetID())
        nodes.append(node)
    showSideBySide(*nodes)
    return tuple(nodes)


def showWithBackground(derived, fraction: float, progress: Progress = lambda done, total: None) -> tuple:
    """Make D + fraction (log mask - its mean) of the subtracted source and its deblurred run, and show both.

    The mask is that of each frame. Nodes made before for this node are replaced. For display only: the values are
    neither optical densities nor intensities.

    Args:
        derived: a deblurred, subtracted node.
        fraction: 0 is the subtraction, 1 the contrast frame but for a constant.
        progress: as for `showPeakOpacification`.

    Returns:
        (node of the source, node of the deblurred run), float32, in step with the derived node.

    Raises:
        ValueError: one sentence, if the fraction is not from 0 to 1, the node is not subtracted or its source is gone.
        OSError: if there is no room for temporary files.
    """
    from DSADeblurLib.measurement.opacification import with_background

    originals, indices, sharp = _framesOf(derived)
    count, shape = len(indices), (len(indices), *originals.shape[1:])
    folder = Path(tempfile.mkdtemp(prefix="dsad-", dir=slicer.app.temporaryPath))
    try:
        # To files first: a run may be long, and one that is stopped half-way must leave the scene as it was.
        with (
            FrameFile.create(folder / "source.npy", shape, "float32") as source,
            FrameFile.create(folder / "derived.npy", shape, "float32") as deblurred,
        ):
            for i, index in enumerate(indices):
                progress(i, count)
                mask = originals.mask(index)
                source[i] = with_background(originals[index], mask, fraction)
                deblurred[i] = with_background(sharp[i], mask, fraction)
            progress(count, count)
            nodes = _addBackgroundNodes(derived, (source, deblurred), fraction)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    showSideBySide(*nodes)
    return nodes


def _addBackgroundNodes(derived, results, fraction: float) -> tuple:
    run, numbers, nodes = readInput(sourceOf(derived)), frameNumbersOf(derived), []
    _removeEarlier(derived, BACKGROUND_REFERENCES)
    window = vesselWindow(results[0])
    for reference, source, frames in zip(BACKGROUND_REFERENCES, (run.node, derived), results, strict=True):
        name = _("{name} with {percent:.0f} % background (display only, research use only)").format(
            name=_nameOf(source, derived), percent=100 * fraction
        )
        attributes = {
            "Role": "anatomical background",
            "ResearchUseOnly": "true",
            "DisplayOnly": "true",
            "BackgroundFraction": f"{fraction:g}",
            "FrameNumbers": " ".join(map(str, numbers)),
        }
        node = addDerived(run, frames, numbers, name=name, attributes=attributes, subtracted=False)
        setWindow(shownVolume(node), *window)
        derived.SetNodeReferenceID(reference, node.GetID())
        nodes.append(node)
    return tuple(nodes)


def _framesOf(derived) -> tuple:
    """(SubtractedFrames of the source, their indices in the order of the derived frames, derived frames)."""
    if not hasViews(derived):
        raise ValueError(_("This view needs a deblurred run that was subtracted, and its source."))
    originals, indices = subtractedAlike(derived)
    return originals, indices, readInput(derived).frames


def _nameOf(node, derived) -> str:
    return node.GetName() if node is derived else _("{name} subtracted").format(name=node.GetName())


def _removeEarlier(derived, references) -> None:
    for reference in references:
        node = derived.GetNodeReference(reference)
        if node is None:
            continue
        proxy = shownVolume(node)
        slicer.mrmlScene.RemoveNode(node)
        if proxy is not None and proxy is not node and slicer.mrmlScene.IsNodePresent(proxy):
            slicer.mrmlScene.RemoveNode(proxy)
