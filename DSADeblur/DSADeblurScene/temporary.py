"""Temporary folders of this application, and the end of those whose application has crashed."""

from __future__ import annotations

from pathlib import Path

import slicer


def makeTemporaryFolder() -> Path:
    """A new folder, which the caller removes; what processes that are gone could not remove is removed too.

    Raises:
        OSError: if it cannot be made.
    """
    from DSADeblurLib.atomic_write import make_own_folder

    return make_own_folder(slicer.app.temporaryPath, "dsad-")
