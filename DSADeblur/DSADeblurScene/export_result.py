"""What is known of a derived node that is to leave the scene: its source, its frame numbers and what made it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import slicer
from slicer.i18n import tr as _

from DSADeblurLib.request import DeblurRequest
from DSADeblurScene.compare import frameNumbersOf, requestOf
from DSADeblurScene.derived import ATTRIBUTE, sourceOf
from DSADeblurScene.input import InputRun, readInput, resolveNode

if TYPE_CHECKING:
    from DSADeblurLib.xa import Provenance, SubtractionPlan


@dataclass(frozen=True)
class Result:
    """A derived node with its source.

    run: the deblurred frames.
    source: the run they were made from.
    numbers: numbers of the source's frames, counted from 1, one for each deblurred frame.
    plan: how a subtracted result was subtracted, else None.
    request: what was asked when it was made.
    used: what was used for it, as DSADeblurLib.pipeline.Used in a dictionary.
    """

    run: InputRun
    source: InputRun
    numbers: tuple[int, ...]
    plan: SubtractionPlan | None
    request: DeblurRequest
    used: dict

    @property
    def node(self):
        return self.run.node

    def isInScene(self) -> bool:
        """False when the result or its source was removed, or the scene was closed."""
        nodes = (self.node, self.source.node)
        return all(node.GetID() and slicer.mrmlScene.GetNodeByID(node.GetID()) is node for node in nodes)


def resultOf(node) -> Result:
    """Read a derived node, or the volume that shows one.

    Raises:
        ValueError: one sentence, if it is no result, or its source is gone, or its attributes are damaged.
    """
    node = resolveNode(node)
    if node is None:
        raise ValueError(_("Nothing to export: deblur a run first."))
    if node.GetAttribute(ATTRIBUTE + "Role") != "deblurred":
        raise ValueError(_("{name} is no result of the deblurring; select one.").format(name=node.GetName()))
    if sourceOf(node) is None:
        raise ValueError(
            _("The original of {name} was removed from the scene; load it and deblur it again to export.").format(
                name=node.GetName()
            )
        )
    run, source = readInput(node), readInput(sourceOf(node))
    try:
        numbers = tuple(frameNumbersOf(node))
        text = node.GetAttribute(ATTRIBUTE + "Subtraction")
        plan = _planFrom(json.loads(text)) if text else None
        request, used = requestOf(node), json.loads(node.GetAttribute(ATTRIBUTE + "Used"))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            _("The attributes of {name} are damaged; deblur the run again.").format(name=node.GetName())
        ) from error
    fits = len(numbers) == len(run.frames) and min(numbers) >= 1 and max(numbers) <= len(source.frames)
    if not fits or (plan is not None and not set(numbers) <= set(plan.contrast_frames)):
        raise ValueError(
            _("{name} does not fit its original any more; deblur the run again.").format(name=node.GetName())
        )
    return Result(run, source, numbers, plan, request, used)


def provenanceOf(result: Result, assumed: tuple[str, ...]) -> Provenance:
    """What the derivation description says of the making.

    assumed: phrases about values that did not come from the header.
    """
    from DSADeblurLib.pipeline import provenance
    from DSADeblurLib.used import Used

    return provenance(result.request, Used.from_dict(result.used), assumed)


def _planFrom(values: dict) -> SubtractionPlan:
    from DSADeblurLib.xa import SubtractionPlan

    return SubtractionPlan.from_dict(values)
