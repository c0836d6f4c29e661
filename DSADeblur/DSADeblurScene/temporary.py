"""Temporary folders of this application, and the end of those whose application has crashed."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path

import slicer


def makeTemporaryFolder() -> Path:
    """A new folder, which the caller removes; what processes that are gone could not remove is removed too.

    Raises:
        OSError: if it cannot be made.
    """
    from DSADeblurLib.atomic_write import is_plain_folder
    from DSADeblurLib.parent_process import is_there

    parent = Path(slicer.app.temporaryPath)
    for path in parent.glob("dsad-*"):
        owner = re.fullmatch(r"dsad-(\d+)-\w+", path.name)
        if owner is not None and is_plain_folder(path) and not is_there(int(owner[1])):
            shutil.rmtree(path, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"dsad-{os.getpid()}-", dir=parent))
