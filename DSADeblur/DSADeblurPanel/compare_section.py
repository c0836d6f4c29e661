"""Section of the panel that shows the last result beside its source."""

from __future__ import annotations

from collections.abc import Callable

from slicer.i18n import tr as _

from DSADeblurScene.compare import showComparison
from DSADeblurScene.derived import sourceOf


class CompareSection:
    """The compare button.

    Args:
        showStatus: takes one sentence when there is nothing to show.
    """

    def __init__(self, ui, showStatus: Callable[[str], None]) -> None:
        self._ui = ui
        self._showStatus = showStatus
        self._node = None
        ui.compareButton.connect("clicked(bool)", self._onClicked)

    def showNode(self, node) -> None:
        """The derived node that the button stands for, or None."""
        self._node = node if node is not None and sourceOf(node) is not None else None
        self._ui.compareButton.enabled = self._node is not None
        self._ui.compareButton.toolTip = (
            _("Show original, deblurred and their difference side by side.") if self._node else _("Deblur a run first.")
        )

    def _onClicked(self) -> None:
        try:
            showComparison(self._node)
        except ValueError as error:
            self._showStatus(str(error))
