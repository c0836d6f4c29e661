"""Section of the panel that shows the last result beside its source."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import qt
from slicer.i18n import tr as _

from DSADeblurPanel.run_section import RunSection
from DSADeblurScene.compare import fitViews, frameNumbersOf, showComparisonInSteps
from DSADeblurScene.derived import sourceOf
from DSADeblurScene.first_look import showResult
from DSADeblurScene.slices import Slices
from DSADeblurScene.slot import slot


class CompareSection:
    """The compare button, and what is shown by itself when a run has been deblurred.

    Args:
        runSection: whose status line is used.
    """

    def __init__(self, ui, runSection: RunSection) -> None:
        self._ui = ui
        self.showError = runSection.showError
        self._runSection = runSection
        self._node = None
        self._slices = Slices(runSection.showError)
        ui.compareButton.connect("clicked(bool)", self._onClicked)

    def showNode(self, node) -> None:
        """The derived node that the button stands for, or None."""
        self._node = node if node is not None and sourceOf(node) is not None else None
        self._ui.compareButton.enabled = self._node is not None
        self._ui.compareButton.toolTip = (
            _("Show original, deblurred and their difference side by side.") if self._node else _("Deblur a run first.")
        )

    def showResult(self, node) -> None:
        """Show a new result beside its original soon; what takes longer follows between other events."""
        self._slices.run(self._told(self._lookInSteps(node)))

    def cleanup(self) -> None:
        """Nothing follows any more."""
        self._slices.stop()

    @slot
    def _onClicked(self) -> None:
        if self._runSection.isIdle:
            self._runSection.begin(_("Comparing..."))
            self._slices.run(self._told(self._compareInSteps(self._node)))

    def _compareInSteps(self, node) -> Generator[None, None, None]:
        """Cancel ends it between two frames; what was computed is kept for the next time."""
        section = self._runSection
        # Original and difference, unless they were made before.
        total = 2 * len(frameNumbersOf(node))
        for done, _step in enumerate(showComparisonInSteps(node), 1):
            section.showExport(min(done, total), total)
            yield
            if not section.isRunning:
                section.end(_("Cancelled."))
                return
        fitSoon()
        section.end("")

    def _lookInSteps(self, node) -> Generator[None, None, None]:
        steps = showResult(node)
        next(steps)
        fitSoon()
        yield
        yield from steps

    def _told(self, steps: Iterator) -> Generator[None, None, None]:
        try:
            for _step in steps:
                yield
        except ValueError as error:
            self._runSection.fail(str(error))


def fitSoon() -> None:
    """Fit the compare views again once they have taken their size."""
    qt.QTimer.singleShot(0, slot(fitViews))
