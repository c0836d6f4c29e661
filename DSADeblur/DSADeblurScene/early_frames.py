"""The frames of a run that are deblurred already, while others are not: in views, and in no node that stays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from slicer.i18n import tr as _

from DSADeblurLib.frame_file import FrameFile
from DSADeblurScene.derived import setWindow, vesselWindow
from DSADeblurScene.first_look import selectFrame
from DSADeblurScene.frame_volume import addFrameVolume, addGreyDisplay, eventsOfShownFrame, fillFrame, forgetVolumes
from DSADeblurScene.input import InputRun, shownIndex, shownVolume
from DSADeblurScene.slot import slot


class EarlyFrames:
    """Volumes that show the frame which is looked at, as soon as it is done; as ShownFrames for the views.

    Args:
        run: that is being deblurred; something must show it.
        path: of the file that the worker writes.

    Attributes:
        original, deblurred, change: vtkMRMLScalarVolumeNode for views after `begin`; there is no change.
        source: the node of the run.
        first: number of the frame that was done first.
    """

    def __init__(self, run: InputRun, path: str) -> None:
        self.source, self.change, self.first = run.node, None, 1
        self.original = self.deblurred = shownVolume(run.node)
        self._path, self._shape = path, run.frames.shape[1:]
        # Of each frame that is done, by its number: its place in the files, and that with originals, if there is one.
        self._done: dict[int, tuple[int, str | None]] = {}
        self._shown: int | None = None
        self._onUpdated: Callable[[], None] = lambda: None
        self._made: list = []
        self._observed: list[tuple[Any, int]] = []
        self._isClosed = False

    def add(self, index: int, number: int, original: str | None) -> None:
        """Another frame is done.

        Args:
            index: its place in the files.
            number: in the run, from 1.
            original: the file with the frame as it was subtracted; None where nothing was.
        """
        if self._isClosed:
            return
        self._done[number] = index, original
        if self._made:
            self.update()

    def begin(self) -> None:
        """Make the volumes, and step to the frame that was done first; `close` removes them."""
        (number, (index, original)), source = next(iter(self._done.items())), self.original
        self.first = number
        self.deblurred = addFrameVolume(_("deblurred so far"), self._shape, source)
        self._made.append(self.deblurred)
        if original is None:
            self.deblurred.SetAndObserveDisplayNodeID(source.GetDisplayNodeID())
        else:
            display = addGreyDisplay(self.deblurred)
            self.original = addFrameVolume(_("subtracted so far"), self._shape, source)
            self.original.SetAndObserveDisplayNodeID(display.GetID())
            self._made += [self.original, display]
            setWindow(self.deblurred, *vesselWindow(_frame(self._path, index)[np.newaxis]))
        selectFrame(self.source, number)

    @property
    def number(self) -> int:
        """Of the frame shown, in the run, from 1; 0 where none is."""
        return shownIndex(self.source) + 1

    def follow(self, onUpdated: Callable[[], None]) -> None:
        """Keep in step with the frame that is shown, and tell when it is another one, or done."""
        self._onUpdated = onUpdated
        for node, event in eventsOfShownFrame(self.source, shownVolume(self.source)):
            self._observed.append((node, node.AddObserver(event, self.update)))
        self.update()

    def labels(self) -> tuple[str, str, str]:
        """As ShownFrames.labels."""
        from DSADeblurLib.pictures.compose import LABEL

        original = _("ORIGINAL") + "\n" + _("frame {number}").format(number=self.number)
        state = _("others are being deblurred") if self.number in self._done else _("not deblurred yet")
        return original, LABEL + "\n" + state, ""

    @slot
    def update(self, *_event) -> None:
        """Show the frame that is looked at now, or nothing where it is not done yet."""
        number, nothing = self.number, np.float32(0)
        shown = number if number in self._done else -number
        if self._isClosed or shown == self._shown:
            return
        deblurred, original = nothing, nothing
        if number in self._done:
            index, path = self._done[number]
            try:
                deblurred, original = _frame(self._path, index), nothing if path is None else _frame(path, index)
            except (OSError, ValueError):  # the job has just ended
                return
        self._shown, index = shown, max(number - 1, 0)
        fillFrame(self.deblurred, deblurred, self.source, index)
        if len(self._made) > 1:
            fillFrame(self.original, original, self.source, index)
        self._onUpdated()

    def close(self) -> None:
        """Remove the volumes, and follow nothing any more."""
        self._isClosed = True
        forgetVolumes(self._observed, self._made)


def _frame(path: str, index: int) -> np.ndarray:
    with FrameFile.open(path) as frames:
        return frames[index].astype(np.float32)
