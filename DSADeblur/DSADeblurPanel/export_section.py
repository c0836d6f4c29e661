"""Section of the panel that writes the last result to a folder or into the DICOM database."""

from __future__ import annotations

from collections.abc import Callable

from slicer.i18n import tr as _

from DSADeblurPanel.packages import installInto, isMissing, whyNeeded
from DSADeblurPanel.parameters import DSADeblurParameterNode, ExportFormat
from DSADeblurPanel.run_section import RunSection
from DSADeblurScene.export_frames import ExportCancelled
from DSADeblurScene.slot import slot


class ExportSection:
    """Format, folder, compression and identity, the button that exports, and one that installs what is missing.

    Args:
        runSection: whose bar and status line are used, and whose button cancels.
        export: DSADeblurLogic.export.
    """

    def __init__(self, ui, runSection: RunSection, export: Callable) -> None:
        self._ui = ui
        self._runSection = runSection
        self._export = export
        self.showError = runSection.showError
        self._parameters: DSADeblurParameterNode | None = None
        runSection.stateChanged = self._refresh
        # No parameter of a text can be bound to this widget.
        ui.exportFolderPathLineEdit.connect("currentPathChanged(QString)", self._onFolder)
        ui.exportButton.connect("clicked(bool)", self._onClicked)
        ui.installExportButton.connect("clicked(bool)", self._onInstall)
        self._refresh()

    def show(self, parameters: DSADeblurParameterNode | None) -> None:
        """Show what the parameter node says; None when the panel has none."""
        self._parameters = parameters
        if parameters is not None:
            self._showFolder(parameters)
        self._refresh()

    def _showFolder(self, parameters: DSADeblurParameterNode) -> None:
        shown = self._ui.exportFolderPathLineEdit.currentPath
        if shown and not parameters.exportFolder:
            # The widget knows the folder of last time; a new scene does not.
            parameters.exportFolder = shown
        elif shown != parameters.exportFolder:
            self._ui.exportFolderPathLineEdit.currentPath = parameters.exportFolder

    def _refresh(self) -> None:
        parameters, ui = self._parameters, self._ui
        if parameters is None:
            ui.exportButton.enabled = ui.installExportButton.visible = False
            return
        choice = parameters.exportFormat
        dicom = choice in (ExportFormat.DICOM, ExportFormat.DATABASE)
        dropIdentity = dicom and parameters.exportDropIdentity
        ui.exportFolderPathLineEdit.enabled = choice is not ExportFormat.DATABASE
        ui.exportCompressionComboBox.enabled = ui.exportIdentityCheckBox.enabled = dicom
        ui.exportReviewedCheckBox.enabled = dropIdentity
        ui.exportIdentityLabel.text = identityNotice(dicom, dropIdentity)
        missing = missingPackage(choice, dropIdentity)
        ui.installExportButton.visible = bool(missing)
        ui.installExportButton.text = _("Install {package}").format(package=missing)
        reason = self._reason(parameters, missing)
        idle = self._runSection.isIdle
        ui.installExportButton.enabled = idle
        ui.exportButton.enabled = idle and not reason
        name = parameters.derivedNode.GetName() if parameters.derivedNode is not None else ""
        ui.exportButton.toolTip = reason or _("Write the last result, {name}.").format(name=name)

    @staticmethod
    def _reason(parameters: DSADeblurParameterNode, missing: str) -> str:
        """Why nothing can be exported, in one sentence, or ""."""
        if parameters.derivedNode is None:
            return _("Deblur a run first.")
        if parameters.exportFormat is not ExportFormat.DATABASE and not parameters.exportFolder:
            return _("Choose a folder for the file.")
        if missing:
            return whyNeeded(missing)
        return ""

    @slot
    def _onFolder(self, path: str) -> None:
        if self._parameters is not None:
            self._parameters.exportFolder = path

    @slot
    def _onClicked(self) -> None:
        parameters, run = self._parameters, self._runSection
        if parameters is None or run.isBusy:
            return
        run.begin(_("Exporting..."))
        try:
            exported = self._export(
                parameters.derivedNode,
                parameters.exportFolder,
                parameters.exportFormat.value,
                compression=parameters.request.compression.value,
                dropIdentity=parameters.exportDropIdentity,
                reviewed=parameters.exportReviewed,
                progress=run.showExport,
            )
        except ExportCancelled:
            run.end(_("Cancelled; nothing was written."))
        except (ValueError, OSError, RuntimeError) as error:
            if not run.isIdle:
                run.fail(str(error))
        except Exception:
            run.end("")
            raise
        else:
            if exported.path is not None:
                self._ui.exportFolderPathLineEdit.addCurrentPathToHistory()
            run.end(exported.summary)

    @slot
    def _onInstall(self) -> None:
        """Blocks until the installer is done."""
        parameters = self._parameters
        if parameters is None:
            return
        package = missingPackage(parameters.exportFormat, parameters.exportDropIdentity)
        if package:
            installInto(self._runSection, package)
            self._refresh()


def identityNotice(dicom: bool, dropIdentity: bool) -> str:
    """What a file tells of the patient, in plain words."""
    if dropIdentity:
        told = _(
            "Name, numbers, dates and identifiers of the patient are replaced. Text burned into the frames stays: a "
            "person must look at every frame."
        )
    elif dicom:
        told = _("The file carries the patient's identity: name, number and dates.")
    else:
        told = _("A picture has no DICOM header, but text burned into the frames stays.")
    return told + " " + _("Results are for research use only.")


def missingPackage(choice: ExportFormat, dropIdentity: bool) -> str:
    """Name of the package that an export needs and that is not installed, or ""."""
    needed = ""
    if choice is ExportFormat.MP4:
        needed = "imageio-ffmpeg"
    elif dropIdentity and choice in (ExportFormat.DICOM, ExportFormat.DATABASE):
        needed = "dicom-anonymizer"
    return needed if needed and isMissing(needed) else ""
