"""Tests of the stand-in itself."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import hostpaths  # noqa: E402

hostpaths.prepare()
