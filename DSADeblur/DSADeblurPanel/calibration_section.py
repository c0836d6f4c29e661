"""Section of the panel where the calibration is chosen and the lengths of the lines on the run are listed."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import TYPE_CHECKING

import slicer
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from DSADeblurLib.request import UserFacts
from DSADeblurPanel.parameters import DSADeblurParameterNode, factsFrom
from DSADeblurScene.lengths import (
    CATHETER,
    KNOWN_DISTANCE,
    CalibrationChoice,
    Lengths,
    LengthWatcher,
    MeasuredRun,
    measuredRun,
)
from DSADeblurScene.line_labels import isAnyLabelled
from DSADeblurScene.slot import slot

if TYPE_CHECKING:
    from DSADeblurLib.measurement.calibration import Calibration


class CalibrationSection(VTKObservationMixin):
    """Calibration, reference line, and the table of lengths. Lines are edited in another module, so that they are
    watched also while the panel is not open.

    Args:
        getParameterNode: gives the parameter node of the scene.
        read: `run_file.readLoaded`, or one like it.
        showError: see RunSection.
    """

    def __init__(
        self, ui, getParameterNode: Callable[[], DSADeblurParameterNode], read: Callable, showError: Callable
    ) -> None:
        VTKObservationMixin.__init__(self)
        self._ui = ui
        self._getParameterNode = getParameterNode
        self._read = read
        self.showError = showError
        self._kinds: list[str] = []
        self._filling = False
        self._known: tuple | None = None
        self._measured: MeasuredRun | None = None
        self._problem = ""
        # Told of the run and its calibration, None where there is none, whenever one may have changed.
        self.onCalibrated: Callable[[MeasuredRun | None, Calibration | None], None] = lambda measured, calibration: None
        self._watcher = LengthWatcher(self._showLengths, showError)
        ui.calibrationComboBox.connect("currentIndexChanged(int)", self._onChosen)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self._onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndImportEvent, self._onSceneImported)

    def show(self, parameters: DSADeblurParameterNode) -> None:
        """Measure on the run that the parameters name, as they say."""
        measured, kind = self._runOf(parameters.inputNode, factsFrom(parameters.request)), parameters.calibration
        self._fill(measured, kind)
        ui = self._ui
        ui.referenceLineLabel.visible = ui.referenceLineSelector.visible = kind in (CATHETER, KNOWN_DISTANCE)
        ui.frenchSizeLabel.visible = ui.frenchSizeSpinBox.visible = kind == CATHETER
        ui.knownDistanceLabel.visible = ui.knownDistanceSpinBox.visible = kind == KNOWN_DISTANCE
        ui.referenceLineLabel.text = _("Line across it:") if kind == CATHETER else _("Line along it:")
        reference = parameters.referenceLine
        choice = CalibrationChoice(kind, reference, parameters.frenchSize, parameters.knownDistance)
        self._watcher.watch(measured, choice)

    def cleanup(self) -> None:
        """Leave the scene alone."""
        self._watcher.stop()
        self.removeObservers()

    def _runOf(self, node, facts: UserFacts) -> MeasuredRun | None:
        """What is known of a run; it is read again only when it or what the user says of it has changed."""
        identity = (node.GetID(), node.GetMTime(), facts) if node is not None else None
        if identity != self._known:
            self._known, self._measured, self._problem = identity, None, ""
            try:
                self._measured = measuredRun(node, facts, self._read) if node is not None else None
            except ValueError as error:
                self._problem = str(error)
        return self._measured

    def _fill(self, measured: MeasuredRun | None, kind: str) -> None:
        """The kinds that the header allows, the default first; those by an object; pixels always."""
        entries: list[tuple[str, str]] = []
        if measured is not None:
            default, *others = measured.choices.calibrations
            entries.append(("", _("{name} (default)").format(name=default.label)))
            entries += [(one.kind, one.label) for one in others if one.unit == "mm"]
            entries += [(CATHETER, _("Catheter of known size")), (KNOWN_DISTANCE, _("Known distance"))]
            entries += [(one.kind, _("Pixels")) for one in others if one.unit != "mm"]
            # A choice that names the default's kind stays that kind, on this run and others.
            if kind == default.kind:
                entries[0] = (kind, entries[0][1])
        self._filling = True
        combo = self._ui.calibrationComboBox
        combo.clear()
        for _kind, label in entries:
            combo.addItem(label)
        self._kinds = [known for known, _label in entries]
        combo.enabled = bool(entries)
        combo.currentIndex = self._kinds.index(kind) if kind in self._kinds else min(0, len(entries) - 1)
        self._filling = False

    def _showLengths(self, lengths: Lengths) -> None:
        calibration = lengths.calibration
        told = [f"<b>{html.escape(calibration.text)}</b>"] if calibration is not None else []
        told += [html.escape(note) for note in (*lengths.notes, self._problem) if note]
        self._ui.calibrationLabel.text = "<br>".join(told)
        rows = [f"<b>{html.escape(line.GetName())}</b> {html.escape(one.text)}" for line, one in lengths.lines]
        nothing = _("No line lies on this run. Draw one in the module Markups.") if calibration is not None else ""
        self._ui.lengthsLabel.text = "<br>".join(rows) or nothing
        self.onCalibrated(self._measured, calibration)

    @slot
    def _onChosen(self, index: int) -> None:
        if not self._filling and 0 <= index < len(self._kinds):
            self._getParameterNode().calibration = self._kinds[index]

    @slot
    def _onSceneStartClose(self, caller, event) -> None:
        self._known = self._measured = None
        self._fill(None, "")

    @slot
    def _onSceneImported(self, caller, event) -> None:
        # The panel may not be open; lines that it labelled before the scene was saved must not be left alone.
        if isAnyLabelled():
            self.show(self._getParameterNode())
