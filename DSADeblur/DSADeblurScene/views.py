"""Display options of a subtracted run: peak opacification, and the anatomical background blended back in."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import slicer
from slicer.i18n import tr as _

from DSADeblurLib.frame_file import FrameFile
from DSADeblurLib.lazy_frames import MappedFrames
from DSADeblurScene.compare import frameNumbersOf, isSubtracted, subtractedSource
from DSADeblurScene.derived import ATTRIBUTE, addDerived, addPicture, setWindow, sourceOf, updateShown, vesselWindow
from DSADeblurScene.input import NodeFrames, readInput, shownVolume
from DSADeblurScene.layouts import showSideBySide
from DSADeblurScene.temporary import makeTemporaryFolder

if TYPE_CHECKING:
    from DSADeblurLib.xa.subtraction.subtract import SubtractedFrames

PEAK_REFERENCES = ("DSADeblur.peakOfSource", "DSADeblur.peak")
BACKGROUND_REFERENCES = ("DSADeblur.sourceWithBackground", "DSADeblur.withBackground")
Progress = Callable[[int, int], None]


class Stopped(Exception):
    """Raised by a progress callback to end a computation; the scene is as it was before."""


def hasViews(derived) -> bool:
    """Whether these views can be made: the node was subtracted, and its source is still there."""
    if derived is None or sourceOf(derived) is None:
        return False
    return isSubtracted(derived)


def showPeakOpacification(derived, progress: Progress = lambda done, total: None) -> tuple:
    """Make the minimum over time of the subtracted source and of its deblurred run, and show both side by side.

    Pictures made before for this node are renewed.

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
    attributes = {"Role": "peak opacification", "ResearchUseOnly": "true", "Frames": str(len(indices))}
    run, names = readInput(sourceOf(derived)), _names(derived, _("{name} peak opacification (research use only)"))

    def add(pixels, name):
        return addPicture(run, pixels[0], name=name, attributes=attributes)

    nodes = _put(derived, PEAK_REFERENCES, [pixels[np.newaxis] for pixels in pictures], names, attributes, add)
    showSideBySide(*map(shownVolume, nodes))
    return nodes


def showWithBackground(derived, fraction: float, progress: Progress = lambda done, total: None) -> tuple:
    """Make D + fraction (log mask - its mean) of the subtracted source and its deblurred run, and show both.

    The mask is that of each frame. Nodes made before for this node are renewed. For display only: the values are
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
    folder = makeTemporaryFolder()
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
            nodes = _putBackground(derived, (source, deblurred), fraction, lambda: progress(count, count))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    showSideBySide(*map(shownVolume, nodes))
    return nodes


def _putBackground(derived, results, fraction: float, live: Callable[[], None]) -> tuple:
    run, numbers = readInput(sourceOf(derived)), frameNumbersOf(derived)
    text = _("{name} with {percent} % background (display only, research use only)")
    names = _names(derived, text, percent=f"{100 * fraction:.0f}")
    attributes = {
        "Role": "anatomical background",
        "ResearchUseOnly": "true",
        "DisplayOnly": "true",
        "BackgroundFraction": f"{fraction:g}",
        "FrameNumbers": " ".join(map(str, numbers)),
    }

    def step(frame):
        live()
        return frame

    def add(frames, name):
        told = MappedFrames(frames, step, frames.dtype)
        return addDerived(run, told, numbers, name=name, attributes=attributes, subtracted=False)

    return _put(derived, BACKGROUND_REFERENCES, results, names, attributes, add)


def _put(derived, references, results, names, attributes, add: Callable) -> tuple:
    """Add a node for each result, or renew that of an earlier call, and show both in the window of the first.

    Two windows of their own would make a difference look like none, or the other way round.
    """
    window, nodes = vesselWindow(results[0]), []
    for reference, frames, name in zip(references, results, names, strict=True):
        node = derived.GetNodeReference(reference)
        if node is not None and readInput(node).frames.shape == frames.shape:
            _renew(node, frames, name, attributes)
        else:
            node = add(frames, name)
            derived.SetNodeReferenceID(reference, node.GetID())
        setWindow(shownVolume(node), *window)
        nodes.append(node)
    return tuple(nodes)


def _renew(node, frames, name: str, attributes: dict[str, str]) -> None:
    run = readInput(node)
    if run.isSequence:
        for volume, frame in zip(run.volumes, frames, strict=True):
            slicer.util.updateVolumeFromArray(volume, np.ascontiguousarray(frame)[np.newaxis])
    else:
        slicer.util.updateVolumeFromArray(node, np.stack(list(frames)))
    for one in (*run.volumes, node, shownVolume(node)):
        one.SetName(name)
        for key, value in attributes.items():
            one.SetAttribute(ATTRIBUTE + key, value)
    updateShown(node)


def _framesOf(derived) -> tuple[SubtractedFrames, list[int], NodeFrames]:
    """(the subtracted source, its indices in the order of the derived frames, derived frames)."""
    if not hasViews(derived):
        raise ValueError(_("This view needs a deblurred run that was subtracted, and its source."))
    originals = subtractedSource(derived)
    indices = [originals.frame_numbers.index(number) for number in frameNumbersOf(derived)]
    return originals, indices, readInput(derived).frames


def _names(derived, text: str, **values) -> tuple[str, str]:
    """Names for the view of the subtracted source and for that of the deblurred run."""
    source = _("{name} subtracted").format(name=sourceOf(derived).GetName())
    return text.format(name=source, **values), text.format(name=derived.GetName(), **values)
