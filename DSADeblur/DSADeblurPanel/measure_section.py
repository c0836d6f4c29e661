"""Section of the panel that measures diameters and stenoses on original and deblurred frames at once."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import qt
from slicer.i18n import tr as _

from DSADeblurPanel.calibration_section import CalibrationSection
from DSADeblurPanel.packages import installInto, isMissing
from DSADeblurPanel.parameters import DSADeblurParameterNode
from DSADeblurPanel.run_section import RunSection
from DSADeblurScene.input import resolveNode
from DSADeblurScene.live_controls import LiveControls
from DSADeblurScene.measure import (
    DIAMETER,
    DOME,
    NECK,
    STENOSIS,
    MeasureChoice,
    Measurement,
    MeasureWatcher,
    beginPlacing,
    mainFigure,
)
from DSADeblurScene.measure_agreement import pairsOf, pairsOfFile, putAgreement
from DSADeblurScene.measure_plot import putPlot, showPlot
from DSADeblurScene.measure_table import exportTable, rowsOf, tableNode
from DSADeblurScene.slot import slot

if TYPE_CHECKING:
    from DSADeblurLib.agree import Pairs

_PACKAGE = "scikit-image"


class MeasureSection:
    """Buttons that place markups, the choice of method, and what was measured in words. Like lines, markups are watched
    also while the panel is not open.

    Args:
        getParameterNode: gives the parameter node of the scene.
        runSection: whose status line is used.
        calibrationSection: that says what run is measured, in which calibration.
        live: what is kept of results.
    """

    def __init__(
        self,
        ui,
        getParameterNode: Callable[[], DSADeblurParameterNode],
        runSection: RunSection,
        calibrationSection: CalibrationSection,
        live: LiveControls,
    ) -> None:
        self._ui, self._getParameterNode, self._runSection = ui, getParameterNode, runSection
        self.showError = runSection.showError
        self._choice = MeasureChoice()
        self._measurements: list[Measurement] = []
        # Of many measurements, by name; those of a file stay until the next file.
        self._pairs: Pairs = {}
        self._pairsOfFile: Pairs = {}
        # A markup, or the name of many measurements.
        self._plotted: Any = None
        self._watcher = MeasureWatcher(self._show, runSection.showError, live)
        calibrationSection.onCalibrated = self._onCalibrated
        ui.diameterButton.connect("clicked(bool)", self._onDiameter)
        ui.stenosisButton.connect("clicked(bool)", self._onStenosis)
        ui.neckButton.connect("clicked(bool)", self._onNeck)
        ui.domeButton.connect("clicked(bool)", self._onDome)
        ui.agreementFileButton.connect("clicked(bool)", self._onAgreementFile)
        ui.plotButton.connect("clicked(bool)", self._onPlot)
        ui.exportMeasurementsButton.connect("clicked(bool)", self._onExport)
        ui.installMeasuringButton.connect("clicked(bool)", self._onInstall)
        ui.installMeasuringButton.text = _("Install {package}").format(package=_PACKAGE)
        self._show([])
        self._enable(False)

    @property
    def isBusy(self) -> bool:
        """Whether something is still to be measured."""
        return self._watcher.isBusy

    def cleanup(self) -> None:
        """Leave the scene alone."""
        self._watcher.stop()

    def _onCalibrated(self, measured, calibration) -> None:
        parameters = self._getParameterNode()
        self._choice = MeasureChoice(parameters.measuringMethod.value, parameters.stenosisDefinition.value)
        self._watcher.watch(measured, resolveNode(parameters.derivedNode), calibration, self._choice)
        self._enable(calibration is not None)

    def _enable(self, isRun: bool) -> None:
        ui = self._ui
        lacks = isMissing(_PACKAGE)
        ui.installMeasuringButton.visible = lacks
        ui.diameterButton.enabled = ui.neckButton.enabled = ui.domeButton.enabled = isRun
        ui.stenosisButton.enabled = isRun and not lacks

    def _show(self, measurements: list[Measurement]) -> None:
        ui, self._measurements = self._ui, measurements
        told = [_inWords(one, self._choice) for one in measurements]
        nothing = _("Press a button and click into a view.")
        notice = _("Research use only. Intervals are 95 % intervals.")
        ui.measurementsLabel.text = "<br>".join([*(told or [nothing]), notice])
        self._pairs = {**pairsOf(rowsOf(tableNode())), **self._pairsOfFile}
        self._offerPlots()
        ui.exportMeasurementsButton.enabled = bool(measurements)
        for one in measurements:
            if one.markup is self._plotted and one.plot is not None:
                putPlot(one.plot, one.markup.GetName())
        if self._plotted in self._pairs:
            putAgreement(self._plotted, *self._pairs[self._plotted])

    def _offerPlots(self) -> None:
        ui = self._ui
        names, chosen = [one.markup.GetName() for one in self._measurements], ui.plotComboBox.currentText
        names += [_("agreement: {name}").format(name=name) for name in self._pairs]
        if names != [ui.plotComboBox.itemText(i) for i in range(ui.plotComboBox.count)]:
            ui.plotComboBox.clear()
            for name in names:
                ui.plotComboBox.addItem(name)
            ui.plotComboBox.currentIndex = names.index(chosen) if chosen in names else len(self._measurements) - 1
        ui.plotButton.enabled = bool(names)

    @slot
    def _onDiameter(self) -> None:
        beginPlacing(DIAMETER)

    @slot
    def _onStenosis(self) -> None:
        beginPlacing(STENOSIS)

    @slot
    def _onNeck(self) -> None:
        beginPlacing(NECK)

    @slot
    def _onDome(self) -> None:
        beginPlacing(DOME)

    @slot
    def _onPlot(self) -> None:
        index, many = self._ui.plotComboBox.currentIndex, list(self._pairs)
        if index >= len(self._measurements):
            self._plotted = many[index - len(self._measurements)]
            showPlot(putAgreement(self._plotted, *self._pairs[self._plotted]))
            return
        if index < 0:
            return
        one = self._measurements[index]
        if one.plot is None:
            self._runSection.showStatus(_("Nothing was measured there that could be drawn."))
            return
        self._plotted = one.markup
        showPlot(putPlot(one.plot, one.markup.GetName()))

    @slot
    def _onAgreementFile(self) -> None:
        path = qt.QFileDialog.getOpenFileName(None, _("Measurements"), "", "CSV (*.csv)")
        path = path[0] if isinstance(path, tuple) else path
        if not path:
            return
        try:
            self._pairsOfFile = pairsOfFile(str(path))
        except (ValueError, OSError) as error:
            self.showError(str(error), "")
            return
        self._show(self._measurements)
        self._ui.plotComboBox.currentIndex = self._ui.plotComboBox.count - len(self._pairsOfFile)
        self._onPlot()

    @slot
    def _onExport(self) -> None:
        path = qt.QFileDialog.getSaveFileName(None, _("Measurements"), "measurements.csv", "CSV (*.csv)")
        # PySide gives the filter as well, PythonQt the path alone.
        path = path[0] if isinstance(path, tuple) else path
        if not path:
            return
        try:
            count = exportTable(str(path))
        except (ValueError, OSError) as error:
            self.showError(str(error), "")
        else:
            self._runSection.showStatus(_("{count} measurements were written.").format(count=count))

    @slot
    def _onInstall(self) -> None:
        installInto(self._runSection, _PACKAGE)
        self._enable(self._ui.diameterButton.enabled)


def _inWords(one: Measurement, choice: MeasureChoice) -> str:
    """A measurement as rich text."""
    from DSADeblurLib.measurement.markup import LEAST_LUMEN, RATIO, WORSE_MM, worse_deblurred

    name = f"<b>{html.escape(one.markup.GetName())}</b>"
    if one.figures is None:
        return _("{name}: measuring...").format(name=name)
    main = mainFigure(one.figures, choice.definition)
    isDegree = main.original is not None and main.name.startswith(STENOSIS)
    words = f"{choice.definition} {_words(main)}" if isDegree else _words(main)
    told = [_("{name}, frame {number}: {words}.").format(name=name, number=one.pair.number, words=words)]
    if one.isRough:
        return told[0] + _(" <i>Roughly so far.</i>")
    for figure in one.figures:
        if figure.name in (LEAST_LUMEN, "reference", "length of the narrowing", RATIO) and figure.original is not None:
            told.append(f"{html.escape(figure.name).capitalize()}: {_words(figure)}.")
    label = next(
        (
            figure.original.label
            for figure in reversed(one.figures)
            if figure.original is not None and figure.original.label
        ),
        "",
    )
    told += [html.escape(label[:1].upper() + label[1:]) + "."] if label else []
    if worse_deblurred(one.figures, choice.method):
        told.append(
            _(
                "<i>Diameters of {low:g} to {high:g} mm came out less right on simulated deblurred frames than on "
                "originals by this method: see the original.</i>"
            ).format(low=WORSE_MM[choice.method][0], high=WORSE_MM[choice.method][1])
        )
    return " ".join(told)


def _words(figure) -> str:
    """'stenosis, NASCET 52 % (48-56) on the original, 50 % (47-53) deblurred', or why not."""
    first, second = figure.original, figure.deblurred
    if first is None and second is None:
        return html.escape(figure.reasons[0].rstrip("."))
    words = html.escape(_bare(first)) if first else html.escape(figure.reasons[0].rstrip("."))
    words = _("{value} on the original").format(value=words)
    if second is not None:
        words += ", " + _("{value} deblurred").format(value=html.escape(_bare(second)))
    elif figure.reasons[1]:
        words += ", " + _("deblurred: {reason}").format(reason=html.escape(figure.reasons[1].rstrip(".")))
    if figure.unreduced is not None and figure.unreduced != second:
        words += ", " + _("{value} at noise reduction 0").format(value=html.escape(_bare(figure.unreduced)))
    return words


def _bare(measured) -> str:
    """Value, unit and interval without the kind of calibration."""
    return measured.text.removesuffix(f", {measured.label}") if measured.label else measured.text
