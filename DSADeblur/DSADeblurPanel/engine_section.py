"""Section of the panel that tells whether something is there that runs networks, and installs it. Imports neither."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import traceback
from collections.abc import Callable
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from DSADeblurPanel.packages import kept
from DSADeblurPanel.run_section import RunSection
from DSADeblurScene.slot import slot

_REQUIREMENTS = {"openvino": "openvino>=2025.0", "torch": "torch>=2.4"}
# In their place, for a package that is there in part: what it stands on is left alone.
_AGAIN = ("--force-reinstall", "--no-deps")


def engineProblem() -> str:
    """One sentence about what is missing to run the network, or "" when it looks complete."""
    importlib.invalidate_caches()
    states = {_state(engine) for engine in _REQUIREMENTS}
    if "whole" in states:
        return ""
    if _state("openvino") == "half":
        return _("OpenVINO is only half installed. Press Install OpenVINO, which installs it again.")
    if _state("torch") == "half":
        return _(
            "PyTorch is only half installed. Press Install OpenVINO, which does without, or uninstall PyTorch in the "
            "PyTorch Utils module and install it again."
        )
    return _("OpenVINO or PyTorch is needed to deblur, and neither is installed. Press Install OpenVINO.")


def _state(engine: str) -> str:
    spec = importlib.util.find_spec(engine)
    if spec is None:
        return "absent"
    try:
        version = importlib.metadata.version(engine)
    except importlib.metadata.PackageNotFoundError:
        version = None
    # An installation that broke off leaves a folder without contents, which Python takes for a package.
    return "whole" if spec.origin is not None and version else "half"


class EngineSection:
    """The install buttons, seen only while there is nothing that runs networks.

    Args:
        runSection: whose status line and bar are used.
        check: has a trial tile deblurred: takes what to call with the sentence about it, or with that of an error.
        onChanged: called after an installation.
    """

    def __init__(self, ui, runSection: RunSection, check: Callable, onChanged: Callable[[], None]) -> None:
        self._ui = ui
        self._runSection = runSection
        self.showError = runSection.showError
        self._check = check
        self._onChanged = onChanged
        self._isInstalling = False
        self.problem = ""
        self._buttons = (ui.installOpenVINOButton, ui.installTorchButton, ui.installWheelsButton)
        ui.installOpenVINOButton.connect("clicked(bool)", self._onInstallOpenVINO)
        ui.installTorchButton.connect("clicked(bool)", self._onInstallTorch)
        ui.installWheelsButton.connect("clicked(bool)", self._onInstallWheels)

    def probe(self) -> None:
        """Look again."""
        if self._isInstalling:
            return
        self.problem = engineProblem()
        self._show()
        if self.problem:
            self.showError(self.problem)

    @slot
    def _onInstallOpenVINO(self) -> None:
        if slicer.util.confirmOkCancelDisplay(
            _(
                "OpenVINO runs the network on the processor of this computer, without a graphics card. About 60 MB on "
                "Linux, 85 on Windows and 33 on macOS are downloaded into Slicer's Python; Slicer stays usable "
                "meanwhile and need not be restarted."
            ),
            windowTitle=_("Install OpenVINO"),
        ):
            again = _AGAIN if _state("openvino") == "half" else ()
            self._install([*again, _REQUIREMENTS["openvino"]])

    @slot
    def _onInstallTorch(self) -> None:
        """The PyTorch extension asks for consent, and blocks until it is done."""
        try:
            import PyTorchUtils

            PyTorchUtils.PyTorchUtilsLogic().installTorch(askConfirmation=True)
        except ImportError:
            self.showError(
                _("The PyTorch extension is missing. Install it in the Extensions Manager and restart Slicer.")
            )
        except Exception as error:  # pip fails in many ways; the panel must stay usable
            self._fail(str(error), traceback.format_exc())
        else:
            self._verify("")

    @slot
    def _onInstallWheels(self) -> None:
        """Without the network, from what `dsadeblur wheels` has gathered."""
        folder = qt.QFileDialog.getExistingDirectory(None, _("Folder of wheels"), "")
        if not folder:
            return
        found = [engine for engine in _REQUIREMENTS if any(Path(folder).glob(f"{engine}-*.whl"))]
        if not found:
            self.showError(_("This folder holds no wheel of OpenVINO or PyTorch; gather them with: dsadeblur wheels."))
            return
        again = _AGAIN if _state(found[0]) == "half" else ()
        self._install(["--no-index", "--find-links", folder, *again, _REQUIREMENTS[found[0]]])

    def _install(self, arguments: list[str]) -> None:
        """By pip in a process of its own; the window stays alive."""
        lines: list[str] = []

        @slot
        def log(line: str) -> None:
            lines.append(line)
            self._runSection.showStatus(line.strip()[:200])

        @slot
        def completed(status: int) -> None:
            self._isInstalling = False
            self._ui.progressBar.visible = False
            if status:
                self._fail(next((line for line in reversed(lines) if "ERROR" in line), str(status)), "\n".join(lines))
            else:
                self._verify("\n".join(lines))

        pins = [] if "--no-deps" in arguments else kept()
        self._isInstalling, self.problem = True, _("The installation is under way.")
        self._show()
        self._onChanged()
        self._ui.progressBar.setRange(0, 0)
        self._ui.progressBar.visible = True
        try:
            slicer.util.pip_install(
                [*arguments, *pins], blocking=False, show_progress=False, logCallback=log, completedCallback=completed
            )
        except Exception as error:  # another installation is under way, or pip is not there
            lines += traceback.format_exc().splitlines()
            lines.append(f"ERROR: {error}")
            completed(1)

    def _verify(self, details: str) -> None:
        """See whether it is there, and have the worker use it, which needs no restart."""
        self.problem = engineProblem()
        self._show()
        self._onChanged()
        if self.problem:
            self.showError(self.problem, details)
            return
        self._runSection.showStatus(_("Installed; it is being tried on a tile."))
        try:
            self._check(self._onChecked, self.showError)
        except (OSError, RuntimeError) as error:
            self.showError(str(error))

    @slot
    def _onChecked(self, reason: str) -> None:
        self._runSection.showStatus(_("Installed, and a tile was deblurred. {reason}").format(reason=reason))

    def _fail(self, cause: str, details: str) -> None:
        self.problem = engineProblem()
        self._show()
        self._onChanged()
        self.showError(_("The installation failed: {error}").format(error=cause), details)

    def _show(self) -> None:
        for button in self._buttons:
            button.visible = bool(self.problem) and not self._isInstalling
