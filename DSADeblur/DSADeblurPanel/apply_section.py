"""What the panel does when Apply or Preview is pressed, and when a result has come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slicer.i18n import tr as _

from DSADeblurPanel import speed
from DSADeblurPanel.compare_section import CompareSection
from DSADeblurPanel.input_section import InputSection
from DSADeblurPanel.output_section import OutputSection
from DSADeblurPanel.parameters import requestFrom
from DSADeblurPanel.run_section import RunSection
from DSADeblurScene import in_words
from DSADeblurScene.derived import FULL, RESULT, resultsOf, sourceOf, usedOf
from DSADeblurScene.job import Place
from DSADeblurScene.slot import slot
from DSADeblurScene.worker_client import Callbacks


class ApplySection:
    """Begins the deblurring of a run or of one frame of it.

    Args:
        runSection: whose bar, button and status line are used.
        logic: DSADeblurLogic.
        inputSection: knows which frame is shown.
        compareSection: shows a new result, and what is done of it before.
    """

    def __init__(
        self, runSection: RunSection, logic: Any, inputSection: InputSection, compareSection: CompareSection
    ) -> None:
        self._runSection, self._logic = runSection, logic
        self._inputSection, self._compareSection = inputSection, compareSection
        self.showError = runSection.showError

    def apply(self) -> None:
        """Deblur the run that is chosen."""
        self._begin(OutputSection.place(self._logic.getParameterNode()))

    def preview(self) -> None:
        """Deblur the frame that is shown."""
        number = self._inputSection.numberToPreview()
        self._begin(Place(preview=True), frame_range=(number, number))

    def take(self, result) -> None:
        """Compare, measure and export a result from now on; a preview only where its run has no result."""
        parameters = self._logic.getParameterNode()
        before = parameters.derivedNode
        isFull = result.GetAttribute(RESULT) == FULL
        if isFull or before is None or before not in resultsOf(sourceOf(result), FULL):
            # Nobody has looked at the frames of a new result yet.
            parameters.derivedNode, parameters.exportReviewed = result, False

    @slot
    def onFinished(self, result, summary: str, isReplacing: bool) -> None:
        """A result is in the scene. The user may have left the panel meanwhile."""
        self._runSection.end(summary, in_words.details(usedOf(result)))
        speed.remember(result)
        if isReplacing:
            self._logic.getParameterNode().outputNode = result
        self.take(result)
        self._compareSection.showResult(result)

    def _onStopped(self, tell: Callable[..., None], *told: str) -> None:
        tell(*told)
        self._compareSection.endEarly()

    def _begin(self, place: Place, **choices) -> None:
        section, parameters = self._runSection, self._logic.getParameterNode()
        callbacks = Callbacks(
            stage=section.showStage,
            early=self._compareSection.showEarly,
            progress=section.showProgress,
            notice=section.showStatus,
            finished=lambda node, text: self.onFinished(node, text, place.replaces is not None),
            cancelled=lambda: self._onStopped(section.end, _("Cancelled.")),
            error=lambda *told: self._onStopped(section.fail, *told),
        )
        try:
            section.begin()
            request = requestFrom(parameters.request, **choices)
            self._logic.start(parameters.inputNode, request, callbacks, place)
        except (ValueError, OSError, RuntimeError) as error:
            section.fail(str(error), choice=getattr(error, "choice", ""))
