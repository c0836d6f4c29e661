"""Which engines are installed: PyTorch or OpenVINO is enough to deblur, and neither is imported to look for it."""

from __future__ import annotations

import functools
import importlib
import sys
from types import ModuleType

from DSADeblurLib.extras import is_installed

ENGINES = {"openvino": "OpenVINO", "torch": "PyTorch"}
"""Names as modules, packages and choices, and as a user reads them."""


@functools.cache
def problem_of(engine: str) -> str:
    """Why the engine cannot be used, as a clause; "" where it can, and then its package is imported.

    Args:
        engine: of ENGINES.
    """
    name = ENGINES[engine]
    if not is_installed(engine):
        return f"{name} is not installed"
    try:
        module = import_openvino() if engine == "openvino" else importlib.import_module(engine)
    except Exception as error:  # half installed, for another NumPy, without a library of the system
        cause = (str(error).strip().splitlines() or ["no reason given"])[0].rstrip(". ")
        return f"{name} does not load ({type(error).__name__}: {cause})"
    return "" if hasattr(module, "__version__") else f"{name} is only half installed"


def import_openvino() -> ModuleType:
    """OpenVINO without its telemetry, for which it would send each use over the network, from a fork of this process.

    The fork closes stdin first, and if a thread of this process reads that, the fork waits for its lock for ever.

    Raises:
        ImportError: OpenVINO is not installed.
    """
    # None is how Python itself marks a module that cannot be found; OpenVINO then does without.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino
