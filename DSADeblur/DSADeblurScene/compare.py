"""What a result is compared with: the frames of its source, subtracted alike when it is subtracted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from slicer.i18n import tr as _

from DSADeblurLib.lazy_frames import ComputedFrames, chosen_frames
from DSADeblurLib.request import DeblurRequest
from DSADeblurScene.derived import ATTRIBUTE, sourceOf
from DSADeblurScene.input import readInput
from DSADeblurScene.run_file import loadedRun

if TYPE_CHECKING:
    from DSADeblurLib.xa.subtraction.subtract import SubtractedFrames


def checkSource(derived) -> None:
    """Raise ValueError, one sentence, if a derived node or its source is gone."""
    if derived is None or sourceOf(derived) is None:
        raise ValueError(_("Nothing to compare: run the deblurring first, or its source was removed."))


def isSubtracted(derived) -> bool:
    """Whether a derived node holds optical densities of a native run."""
    return derived.GetAttribute(ATTRIBUTE + "Subtraction") is not None


def originalFrames(derived) -> ComputedFrames:
    """The source's frames that a derived node was made from, one for one, subtracted alike when it is subtracted."""
    run, numbers = readInput(sourceOf(derived)), frameNumbersOf(derived)
    if not isSubtracted(derived):
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
