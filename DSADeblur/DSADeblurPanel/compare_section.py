"""Section of the panel that shows the last result with its original: side by side, as a curtain, or in turn."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any

from slicer.i18n import tr as _

from DSADeblurPanel.run_section import RunSection
from DSADeblurScene.compare_views import CompareViews
from DSADeblurScene.derived import sourceOf
from DSADeblurScene.early_frames import EarlyFrames
from DSADeblurScene.first_look import showResultInSteps
from DSADeblurScene.layouts import CompareView
from DSADeblurScene.slices import Slices
from DSADeblurScene.slot import slot


class CompareSection:
    """The choice of a view and its button, the flicker's clock, and what is shown when a run has been deblurred.

    Args:
        runSection: whose status line is used.
        views: where the comparison is shown.
        onShown: called when one is shown, so that the rest of the panel can put into the views what belongs there.
    """

    def __init__(self, ui, runSection: RunSection, views: CompareViews, onShown: Callable[[], None]) -> None:
        self._ui, self._runSection, self._views, self._tellShown = ui, runSection, views, onShown
        self.showError = views.showError = runSection.showError
        self._node: Any = None
        self._slices = Slices(runSection.showError)
        views.onShown, views.onClockStopped = self._onShown, self._onClockStopped
        ui.compareButton.connect("clicked(bool)", self._onClicked)
        ui.compareViewComboBox.connect("currentIndexChanged(int)", self._onViewChosen)
        ui.flickerCheckBox.connect("toggled(bool)", self._onClock)
        ui.flickerSlider.connect("valueChanged(double)", self._onClock)

    def showNode(self, node) -> None:
        """The derived node that the button stands for, or None."""
        self._node = node if node is not None and sourceOf(node) is not None else None
        self._views.candidate = self._node
        self._ui.compareButton.enabled = self._node is not None
        self._ui.compareButton.toolTip = (
            _("Show the original and the deblurred run.") if self._node else _("Deblur a run first.")
        )

    def showResult(self, node) -> None:
        """Show a new result with its original; what takes longer follows between other events."""
        self._slices.run(self._inSteps(showResultInSteps(self._views, node, self._kind())))

    def showEarly(self, frames: EarlyFrames) -> None:
        """Show what is done of a run that is being deblurred."""
        self._views.showEarly(frames, self._kind())

    def endEarly(self) -> None:
        """There will be no result: show what was shown before."""
        self._slices.run(self._inSteps(self._views.leaveEarlyInSteps()))

    def cleanup(self) -> None:
        """Nothing follows any more."""
        self._slices.stop()

    def _kind(self) -> CompareView:
        return list(CompareView)[max(self._ui.compareViewComboBox.currentIndex, 0)]

    @slot
    def _onClicked(self) -> None:
        self._slices.run(self._inSteps(self._views.showInSteps(self._node, self._kind())))

    def _inSteps(self, showing: Iterator) -> Generator[None, None, None]:
        try:
            yield from showing
        except ValueError as error:
            self._runSection.showError(str(error))
        else:
            yield from self._views.prepareInSteps()

    @slot
    def _onViewChosen(self) -> None:
        self._enable()
        if self._node is not None and self._views.derived is self._node and self._views.kind is not self._kind():
            self._onClicked()

    def _onShown(self, kind: CompareView) -> None:
        """It may have been chosen in Slicer's own menu of layouts."""
        self._ui.compareViewComboBox.currentIndex = list(CompareView).index(kind)
        self._enable()
        self._onClock()
        self._tellShown()

    def _enable(self) -> None:
        isFlicker = self._kind() is CompareView.FLICKER
        self._ui.flickerCheckBox.enabled = self._ui.flickerSlider.enabled = isFlicker

    @slot
    def _onClock(self) -> None:
        ui = self._ui
        self._views.setClock(ui.flickerSlider.value if ui.flickerCheckBox.checked else 0.0)

    def _onClockStopped(self) -> None:
        self._ui.flickerCheckBox.checked = False
