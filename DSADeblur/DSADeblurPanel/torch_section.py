"""Section of the panel that tells whether PyTorch is there and helps to install it. PyTorch is never imported."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
from collections.abc import Callable

from slicer.i18n import tr as _


def torchProblem() -> str:
    """One sentence about what is wrong with PyTorch, or "" when it looks installed."""
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
    """The install button, seen only while PyTorch is missing.

    Args:
        showStatus: takes one sentence.
        onChanged: called after an installation.
    """

    def __init__(self, ui, showStatus: Callable[[str], None], onChanged: Callable[[], None]) -> None:
        self._ui = ui
        self._showStatus = showStatus
        self._onChanged = onChanged
        self.problem = ""
        ui.installTorchButton.connect("clicked(bool)", self._onInstall)
        self.probe()

    def probe(self) -> None:
        """Look again."""
        self.problem = torchProblem()
        self._ui.installTorchButton.visible = bool(self.problem)
        if self.problem:
            self._showStatus(self.problem)

    def _onInstall(self) -> None:
        try:
            import PyTorchUtils
        except ImportError:
            self._showStatus(
                _("The PyTorch extension is missing. Install it in the Extensions Manager and restart Slicer.")
            )
            return
        # Asks for consent, and blocks until the download is done.
        try:
            installed = PyTorchUtils.PyTorchUtilsLogic().installTorch(askConfirmation=True)
        except Exception as error:  # pip fails in many ways; the panel must stay usable
            self._showStatus(_("PyTorch was not installed: {error}").format(error=error))
            return
        self.probe()
        if installed is not None and not self.problem:
            self._showStatus(_("PyTorch is installed."))
        self._onChanged()
