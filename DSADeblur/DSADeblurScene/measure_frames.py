"""The frame of a run and of its result that is measured on: values in which absorbers add up, with their blur."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from slicer.i18n import tr as _

from DSADeblurScene.compare import frameNumbersOf, isSubtracted, originalFrames, requestOf
from DSADeblurScene.input import browserForSequence, readInput, shownIndex, shownVolume
from DSADeblurScene.lengths import MeasuredRun, nativeNode

if TYPE_CHECKING:
    from DSADeblurLib.lazy_frames import Frames
    from DSADeblurLib.measurement.markup import Picture
    from DSADeblurScene.live_controls import LiveControls


@dataclass(frozen=True)
class FramePair:
    """One frame before and after.

    number: of the frame in the run, from 1. identity: changes when anything that is measured on does; `original`, when
    the original does.
    controls, model: of the result, for the user; "" where there is none.
    problem: one sentence if nothing can be measured on this frame, else "".
    """

    number: int
    identity: tuple
    controls: str = ""
    model: str = ""
    problem: str = ""

    @property
    def original(self) -> tuple:
        return self.identity[:4]


class MeasuredFrames:
    """Frames of a run and its result as they are measured on; each is read when it is asked for.

    Args:
        measured: the run.
        derived: a result of it, or None; that of another run counts for nothing.
        live: what is kept of results, so that they can be measured at noise reduction 0; or None.
    """

    def __init__(self, measured: MeasuredRun, derived, live: LiveControls | None = None) -> None:
        self.run, self._live = measured, live
        isOurs = derived is not None and nativeNode(derived) is measured.run.node
        self._derived: Any = derived if isOurs and derived is not measured.run.node else None
        self._numbers = [] if self._derived is None else frameNumbersOf(self._derived)
        self._kept: tuple[tuple, list[Picture]] | None = None
        self._originals: Frames | None = None

    def shownNodes(self) -> list:
        """The nodes that report when another frame is shown, or when one has changed."""
        run = self.run.run
        nodes = [run.node, self.run.volume, browserForSequence(run.node) if run.isSequence else None]
        if self._derived is not None:
            nodes += [self._derived, shownVolume(self._derived)]
        return [one for one in dict.fromkeys(nodes) if one is not None]

    def isMadeOf(self, node) -> bool:
        """Whether nothing can be measured without this node."""
        return node in (self.run.run.node, self.run.volume, self._derived)

    def pair(self, points: np.ndarray) -> FramePair:
        """The frame that is looked at, of a sequence; of a stack that in which a markup's first point lies.

        points: (n, 3) columns, rows and slices.
        """
        run = self.run.run
        index = shownIndex(run.node) if run.isSequence else int(np.clip(round(points[0, 2]), 0, len(run.frames) - 1))
        if not 0 <= index < len(run.frames):
            return FramePair(0, (), problem=_("No frame of this run is shown."))
        number, native = index + 1, run.volumes[index if run.isSequence else 0]
        identity: tuple = (number, run.node.GetID(), native.GetImageData().GetMTime(), self.run.acquisition)
        if self._derived is None:
            return FramePair(number, identity)
        if number not in self._numbers:
            return FramePair(number, identity, problem=_("This frame was not deblurred; show another one."))
        node = self._frameNode(number)
        request = requestOf(node)
        settings, text = request.restoration, _("sharpness {sharpness:g}, noise reduction {noise:g}")
        controls = text.format(sharpness=settings.sharpness, noise=settings.noise_reduction)
        identity += (self._derived.GetID(), node.GetImageData().GetMTime(), settings.sharpness)
        return FramePair(number, identity, controls, request.model)

    def pictures(self, pair: FramePair) -> list[Picture]:
        """The original and, where there is a result, the deblurred frame; the last ones asked for are kept.

        Raises:
            ValueError: one sentence, if the result does not say how it was made.
        """
        if self._kept is None or self._kept[0] != pair.identity:
            self._kept = pair.identity, self._read(pair.number)
        return self._kept[1]

    def unreducedInSteps(self, pair: FramePair) -> Generator[None, None, Picture | None]:
        """The deblurred frame at noise reduction 0; None without a result, and where nothing is kept of it."""
        if self._derived is None or self._live is None:
            return None
        settings = requestOf(self._frameNode(pair.number)).restoration
        index = self._numbers.index(pair.number)
        pixels = yield from self._live.frameInSteps(self._derived, index, replace(settings, noise_reduction=0.0))
        if pixels is None:
            return None
        yield
        values = pixels if isSubtracted(self._derived) else self._logarithms(pixels[None], 0)
        return replace(self.pictures(pair)[1], values=np.asarray(values, np.float64))

    def _frameNode(self, number: int):
        """The node that holds a frame of the result; it has the attributes of what was made with it."""
        derived = self._derived
        if not derived.IsA("vtkMRMLSequenceNode"):
            return derived
        return derived.GetNthDataNode(self._numbers.index(number))

    def _read(self, number: int) -> list[Picture]:
        from DSADeblurLib.measurement.line_spread import run_blurs
        from DSADeblurLib.measurement.markup import Picture

        if self._derived is None:
            blurs = run_blurs(self.run.acquisition)
            return [Picture(self._logarithms(self.run.run.frames, number - 1), blurs and blurs[0])]
        index = self._numbers.index(number)
        sharp = readInput(self._derived).frames
        if not isSubtracted(self._derived):
            frames = self._logarithms(self.run.run.frames, number - 1), self._logarithms(sharp, index)
        else:
            self._originals = self._originals or originalFrames(self._derived)
            frames = self._originals[index], sharp[index]
        blurs = run_blurs(self.run.acquisition, requestOf(self._frameNode(number)).restoration.sharpness)
        return [
            Picture(np.asarray(frame, np.float64), blur)
            for frame, blur in zip(frames, blurs or (None, None), strict=True)
        ]

    def _logarithms(self, frames, index: int) -> np.ndarray:
        """A frame as the scene has it, in logarithms of intensity where the header says how to get there."""
        from DSADeblurLib.xa import for_subtraction
        from DSADeblurLib.xa.loaded_frames import StoredValues
        from DSADeblurLib.xa.subtraction.subtract import log_mean

        loaded = self.run.loaded
        stored = frames if loaded.rule is None else StoredValues(frames, loaded.rule)
        values, relationship = for_subtraction(loaded.run, stored)
        return log_mean(values, [index + 1], relationship)
