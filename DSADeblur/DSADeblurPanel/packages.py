"""Python packages that Slicer does not bring and some choices need: whether they are there, and their installation."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import traceback

import slicer
from slicer.i18n import tr as _

from DSADeblurPanel.run_section import RunSection

# Name to (module, requirement).
_PACKAGES = {
    "dicom-anonymizer": ("dicomanonymizer", "dicom-anonymizer>=2.1"),
    "imageio-ffmpeg": ("imageio_ffmpeg", "imageio-ffmpeg>=0.8.1"),
    "scikit-image": ("skimage", "scikit-image>=0.22"),
}
# Slicer's own versions stay: much else is built on them.
_KEPT = ("numpy", "scipy", "pydicom")


def isMissing(package: str) -> bool:
    """Whether a package is not installed."""
    return importlib.util.find_spec(_PACKAGES[package][0]) is None


def whyNeeded(package: str) -> str:
    """One sentence for the user about a package that is missing."""
    return _("This needs the Python package {package}: press the button that installs it.").format(package=package)


def kept() -> list[str]:
    """Requirements that keep what Slicer is built on as it is."""
    return [f"{name}=={importlib.metadata.version(name)}" for name in _KEPT]


def installInto(runSection: RunSection, package: str) -> None:
    """Install a package, blocking until that is done, and tell in the status line how it went."""
    try:
        slicer.util.pip_install([_PACKAGES[package][1], *kept()])
    except Exception as error:  # pip fails in many ways; the panel must stay usable
        runSection.showError(_("The installation failed: {error}").format(error=error), traceback.format_exc())
        return
    importlib.invalidate_caches()
    if isMissing(package):
        runSection.showError(_("The installer ended, but {package} is not there; see the log.").format(package=package))
    else:
        runSection.showStatus(_("{package} is installed.").format(package=package))
