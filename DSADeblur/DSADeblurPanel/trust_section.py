"""Section of the panel that tells how far the result can be trusted, and leads to the places to look at twice."""

from __future__ import annotations

from typing import Any

from slicer.i18n import tr as _

from DSADeblurPanel.run_section import RunSection
from DSADeblurScene.slot import slot
from DSADeblurScene.trust import legend, nothingKept, showMap, showPlace, trustOf
from DSADeblurScene.worker_client import Callbacks


class TrustSection:
    """A button that has the worker look, one sentence, a map over the result, and a list of places.

    Args:
        runSection: whose bar, button and status line are used.
        logic: DSADeblurLogic.
    """

    def __init__(self, ui, runSection: RunSection, logic: Any) -> None:
        self._ui, self._runSection, self._logic = ui, runSection, logic
        self.showError = runSection.showError
        self._node: Any = None
        self._listed: dict | None = None
        ui.trustButton.connect("clicked(bool)", self._onClicked)
        ui.trustMapCheckBox.connect("toggled(bool)", self._onToggled)
        ui.trustPlacesList.connect("currentRowChanged(int)", self._onChosen)

    def showNode(self, node) -> None:
        """The result that this is about, or None."""
        self._node, ui = node, self._ui
        isKept = node is not None and self._logic.live.keptOf(node) is not None
        reason = "" if isKept else _("Deblur a run first.") if node is None else nothingKept()
        ui.trustButton.enabled = not reason
        ui.trustButton.toolTip = reason or _(
            "Look for lines that the data do not explain; takes about as long as Apply."
        )
        trust = trustOf(node)
        known = trust is not None
        ui.trustLabel.text = trust["sentence"] if trust is not None else ""
        for widget in (ui.trustLabel, ui.trustMapCheckBox):
            widget.visible = known
        places = trust["places"] if trust is not None else []
        ui.trustPlacesList.visible = bool(places)
        if trust != self._listed:
            self._listed = None
            ui.trustPlacesList.clear()
            text = _("Frame {frame}: row {row}, column {column} ({strength:.1f} times)")
            for place in places:
                ui.trustPlacesList.addItem(text.format(**place))
            self._listed = trust
        self._showMap()

    def _showMap(self) -> None:
        isShown = self._node is not None and self._listed is not None and bool(self._ui.trustMapCheckBox.checked)
        if self._node is not None:
            showMap(self._node, isShown)
        self._logic.compareViews.setLegend(legend() if isShown else "")

    @slot
    def _onToggled(self) -> None:
        self._showMap()

    @slot
    def _onChosen(self, row: int) -> None:
        if self._listed is not None and 0 <= row < len(self._listed["places"]):
            showPlace(self._node, self._listed["places"][row])

    @slot
    def _onClicked(self) -> None:
        section = self._runSection
        if section.isBusy:
            return
        section.begin(_("Looking for what the data do not explain..."))
        callbacks = Callbacks(
            progress=lambda done, total, _left: section.showExport(done, total),
            notice=section.showStatus,
            finished=self._onFinished,
            cancelled=lambda: section.end(_("Cancelled.")),
            error=section.fail,
        )
        try:
            self._logic.lookAtTrust(self._node, callbacks)
        except (RuntimeError, OSError) as error:
            section.fail(str(error))

    @slot
    def _onFinished(self, node) -> None:
        self._runSection.end((trustOf(node) or {}).get("sentence", ""))
        if node is self._node:
            self.showNode(node)
