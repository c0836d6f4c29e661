"""Volumes that hold no more than the frame that is looked at: its original, and what the deblurring changed.

A run that must be subtracted first, and a difference, are as large as the result itself. Views need one frame of them.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import slicer
from slicer.i18n import tr as _

from DSADeblurLib.frame_file import FrameFile
from DSADeblurLib.lazy_frames import Frames, LazyFrames
from DSADeblurScene.compare import checkSource, frameNumbersOf, isSubtracted, originalFrames, requestOf
from DSADeblurScene.derived import ATTRIBUTE, sampleFrames, setWindow, sourceOf
from DSADeblurScene.frame_volume import (
    addFrameVolume,
    addGreyDisplay,
    eventsOfShownFrame,
    fillFrame,
    forgetVolumes,
    placeFrame,
)
from DSADeblurScene.input import shownIndex, shownVolume
from DSADeblurScene.slot import slot
from DSADeblurScene.temporary import makeTemporaryFolder


class ShownFrames:
    """The volumes that views show of a result and its original; `close` removes what was made for them.

    Args:
        derived: the result.
        withChange: also show deblurred minus original.
        originals: `originalFrames` of the result, where the caller has them.

    Attributes:
        source: the node of the run.
        original, deblurred, change: vtkMRMLScalarVolumeNode for views; `change` is None where it is not wanted.
        index: of the frame shown, in the result; -1 where the result has none.

    Raises (on creation):
        ValueError: one sentence, if the node or its source is gone, or does not say how it was subtracted.
    """

    def __init__(self, derived, withChange: bool = False, originals: Frames | None = None) -> None:
        checkSource(derived)
        self.derived, self.index, self.source = derived, -1, sourceOf(derived)
        self._onUpdated: Callable[[], None] = lambda: None
        self.deblurred = shownVolume(derived)
        self.originals = self._frames = originalFrames(derived) if originals is None else originals
        self._remembered: _RememberedFrames | None = None
        self._known: tuple | None = None
        self._made: list = []
        self._observed: list[tuple[Any, int]] = []
        self.original, self._isOwn = shownVolume(sourceOf(derived)), isSubtracted(derived)
        if self._isOwn:
            plan = json.loads(derived.GetAttribute(ATTRIBUTE + "Subtraction"))
            # Without a registration a difference is there in 10 ms.
            if plan.get("registration", "none") != "none":
                self._frames = self._remembered = _RememberedFrames(self._frames)
            self.original = self._add(_("{name} subtracted").format(name=sourceOf(derived).GetName()))
            # One window for both: two would make a difference look like none, or the other way round.
            self.original.SetAndObserveDisplayNodeID(self.deblurred.GetDisplayNodeID())
        self.change = self._add(_("{name} difference").format(name=derived.GetName())) if withChange else None
        self._hasWindow = False
        if self.change is not None:
            self._made.append(addGreyDisplay(self.change))
        self.update()

    def follow(self, onUpdated: Callable[[], None] = lambda: None) -> None:
        """Keep in step with the frame that is shown; to be called when the volumes are in their views.

        Args:
            onUpdated: called when another frame is shown, or when the frame has changed.
        """
        self._onUpdated = onUpdated
        for node, event in eventsOfShownFrame(self.derived, self.deblurred):
            self._observed.append((node, node.AddObserver(event, self.update)))
        self.update()

    @property
    def number(self) -> int | None:
        """Number of the frame shown, in the run, from 1; None where the result has none."""
        return frameNumbersOf(self.derived)[self.index] if self.index >= 0 else None

    @property
    def frameNode(self):
        """The node with the attributes of the frame shown: that of the frame, or the result."""
        isSequence = self.derived.IsA("vtkMRMLSequenceNode")
        return self.derived.GetNthDataNode(self.index) if isSequence and self.index >= 0 else self.derived

    def labels(self) -> tuple[str, str, str]:
        """What is written over the original, the deblurred frame and the change, as they are now."""
        from DSADeblurLib.pictures.compose import LABEL

        change = _("CHANGE: deblurred - original") + "\n" + _("RESEARCH USE ONLY")
        if self.number is None:
            return _("ORIGINAL"), LABEL + "\n" + _("no result for this frame"), change
        original = _("ORIGINAL") + "\n" + _("frame {number}").format(number=self.number)
        try:
            settings = requestOf(self.frameNode).restoration
            model = json.loads(self.derived.GetAttribute(ATTRIBUTE + "Used") or "{}").get("model") or _("unknown")
        except ValueError:
            return original, LABEL, change
        text = _("model {model}\nsharpness {sharpness:g}, noise reduction {noise:g}")
        words = {"sharpness": settings.sharpness, "noise": settings.noise_reduction}
        return original, LABEL + "\n" + text.format(model=model, **words), change

    def _add(self, name: str):
        volume = addFrameVolume(name, self._frames.shape[1:], self.deblurred)
        placeFrame(volume, self.derived, 0)
        self._made.append(volume)
        return volume

    @slot
    def update(self, *_event) -> None:
        """Take over the frame that is shown now."""
        if sourceOf(self.derived) is None or self.derived.GetScene() is None:
            return
        index = shownIndex(self.derived)
        self.index = index if 0 <= index < len(self._frames) else -1
        node = self.frameNode
        known = (self.index, node.GetImageData().GetMTime(), node.GetMTime()) if self.index >= 0 else (self.index,)
        if known == self._known:
            return
        isOther = self._known is None or self._known[0] != self.index
        self._known = known
        if self._made and (isOther or self.change is not None):
            self._put(isOther)
        self._onUpdated()

    def prepareInSteps(self) -> Generator[None, None, None]:
        """Compute what would take long while a run plays; a generator, one frame in each step."""
        if self._remembered is not None:
            yield from self._remembered.computeInSteps()

    def close(self) -> None:
        """Remove the volumes, and follow nothing any more."""
        forgetVolumes(self._observed, self._made)
        if self._remembered is not None:
            self._remembered.close()

    def _put(self, isOther: bool) -> None:
        # Where the result has no frame, nothing is shown of it.
        original = self._frames[self.index] if self.index >= 0 else np.float32(0)
        if isOther and self._isOwn:
            fillFrame(self.original, original, self.derived, max(self.index, 0))
        if self.change is not None:
            pixels = self._pixels() - original if self.index >= 0 else original
            fillFrame(self.change, pixels, self.derived, max(self.index, 0))
            if self.index >= 0 and not self._hasWindow:
                self._hasWindow = True
                reach = float(np.percentile(np.abs(sampleFrames(slicer.util.arrayFromVolume(self.change))), 99.9))
                setWindow(self.change, -max(reach, 1e-6), max(reach, 1e-6))

    def _pixels(self) -> np.ndarray:
        """(rows, cols) float32, the frame of the result."""
        isSequence = self.derived.IsA("vtkMRMLSequenceNode")
        return slicer.util.arrayFromVolume(self.frameNode)[0 if isSequence else self.index].astype(np.float32)


class _RememberedFrames(LazyFrames):
    """Frames that take long to compute, each computed once and then read from a temporary file."""

    def __init__(self, frames: Frames) -> None:
        self.shape, self.dtype = frames.shape, np.dtype(np.float32)
        self._frames, self._folder = frames, makeTemporaryFolder()
        self._file = FrameFile.create(self._folder / "frames.npy", self.shape, self.dtype)
        self._isThere, self._isClosed = [False] * len(frames), False

    def frame(self, index: int) -> np.ndarray:
        """Return frame `index`, (rows, columns)."""
        if not self._isThere[index]:
            self._file[index] = self._frames[index]
            self._isThere[index] = True
        return self._file[index]

    def computeInSteps(self) -> Generator[None, None, None]:
        """Compute all frames, one in each step."""
        for index in range(len(self)):
            if self._isClosed:
                return
            self.frame(index)
            yield

    def close(self) -> None:
        """Remove the file."""
        self._file.close()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._isClosed = True
