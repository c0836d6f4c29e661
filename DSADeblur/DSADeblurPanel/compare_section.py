"""Section of the panel that shows the last result beside its source."""

from __future__ import annotations

from collections.abc import Iterator

import qt
from slicer.i18n import tr as _

from DSADeblurPanel.run_section import RunSection
from DSADeblurScene.compare import fitViews, showComparison
from DSADeblurScene.derived import sourceOf
from DSADeblurScene.first_look import showResult
from DSADeblurScene.slot import slot


class CompareSection:
    """The compare button, and what is shown by itself when a run has been deblurred.

    Args:
        runSection: whose status line is used.
    """

    def __init__(self, ui, runSection: RunSection) -> None:
        self._ui = ui
        self.showError = runSection.showError
        self._node = None
        self._steps: Iterator = iter(())
        ui.compareButton.connect("clicked(bool)", self._onClicked)

    def showNode(self, node) -> None:
        """The derived node that the button stands for, or None."""
        self._node = node if node is not None and sourceOf(node) is not None else None
        self._ui.compareButton.enabled = self._node is not None
        self._ui.compareButton.toolTip = (
            _("Show original, deblurred and their difference side by side.") if self._node else _("Deblur a run first.")
        )

    def showResult(self, node) -> None:
        """Show a new result beside its original at once; what takes longer follows between other events."""
        self._steps = showResult(node)
        self._goOn(self._steps)
        fitSoon()

    def cleanup(self) -> None:
        """Nothing follows any more."""
        self._steps = iter(())

    @slot
    def _goOn(self, steps: Iterator) -> None:
        # A newer result may have come, or the panel may have gone.
        if steps is not self._steps:
            return
        try:
            more = next(steps, None) is not None
        except ValueError as error:
            self.showError(str(error))
            return
        if more:
            qt.QTimer.singleShot(0, lambda: self._goOn(steps))

    @slot
    def _onClicked(self) -> None:
        try:
            showComparison(self._node)
        except ValueError as error:
            self.showError(str(error))
        else:
            fitSoon()


def fitSoon() -> None:
    """Fit the compare views again once they have taken their size."""
    qt.QTimer.singleShot(0, slot(fitViews))
