"""Section of the panel that tells whether PyTorch is there and helps to install it. PyTorch is never imported."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import traceback
from collections.abc import Callable

from slicer.i18n import tr as _

from DSADeblurPanel.run_section import RunSection
from DSADeblurScene.slot import slot


def torchProblem() -> str:
    """One sentence about what is missing to run the network, or "" when it looks complete."""
    importlib.invalidate_caches()
    spec = importlib.util.find_spec("torch")
    if spec is None:
        return _("PyTorch is not installed. Install the PyTorch extension, then press Install PyTorch.")
    try:
        version = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        version = None
    # An installation that broke off leaves a folder without contents, which Python takes for a package.
    if spec.origin is None or not version:
        return _("PyTorch is only half installed. Uninstall it in the PyTorch Utils module and install it again.")
    return ""


class TorchSection:
    """The install button, seen only while something is missing.

    Args:
        runSection: whose status line is used.
        onChanged: called after an installation.
    """

    def __init__(self, ui, runSection: RunSection, onChanged: Callable[[], None]) -> None:
        self._ui = ui
        self._runSection = runSection
        self.showError = runSection.showError
        self._onChanged = onChanged
        self.problem = ""
        ui.installTorchButton.connect("clicked(bool)", self._onInstall)

    def probe(self) -> None:
        """Look again."""
        self.problem = torchProblem()
        self._ui.installTorchButton.visible = bool(self.problem)
        if self.problem:
            self.showError(self.problem)

    @slot
    def _onInstall(self) -> None:
        """The installer asks for consent, and blocks until it is done."""
        try:
            import PyTorchUtils

            PyTorchUtils.PyTorchUtilsLogic().installTorch(askConfirmation=True)
        except ImportError:
            self.showError(
                _("The PyTorch extension is missing. Install it in the Extensions Manager and restart Slicer.")
            )
            return
        except Exception as error:  # pip fails in many ways; the panel must stay usable
            self.showError(_("The installation failed: {error}").format(error=error), traceback.format_exc())
            return
        self.probe()
        if not self.problem:
            self._runSection.showStatus(_("PyTorch is installed."))
        self._onChanged()
