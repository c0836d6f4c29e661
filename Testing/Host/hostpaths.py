"""Makes the module's folder and the stand-ins importable, and keeps child processes to one core."""

from __future__ import annotations

import os
import sys
from pathlib import Path

HOST = Path(__file__).resolve().parent
ROOT = HOST.parents[1]
MODULE = ROOT / "DSADeblur"
UI = MODULE / "Resources" / "UI" / "DSADeblur.ui"
UIS = sorted(UI.parent.glob("*.ui"))


def prepare() -> None:
    """Call before importing anything of the module or the host."""
    for folder in (ROOT, MODULE, HOST):
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
    os.environ.setdefault("OMP_NUM_THREADS", "1")
