"""How much memory is free: of the machine, and of what limits leave to this process."""

from __future__ import annotations

import contextlib
import ctypes
import re
import sys
from pathlib import Path


def available_bytes() -> int | None:
    """Memory that this process can still get without swapping.

    Returns:
        Bytes free on the machine, or what is left of the process's own limit where that is less. Without psutil such a
        limit is not looked at, and None is returned where the system itself does not say (macOS).
    """
    try:
        import psutil
    except ImportError:
        return _free_on_the_machine()
    available = psutil.virtual_memory().available
    with contextlib.suppress(ImportError):  # Windows has no such limits
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit != resource.RLIM_INFINITY:
            available = min(available, max(limit - psutil.Process().memory_info().vms, 0))
    return available


def _free_on_the_machine() -> int | None:
    if sys.platform == "win32":
        # MEMORYSTATUSEX: two 32-bit and seven 64-bit numbers, of which the third is the free physical memory.
        status = (ctypes.c_uint64 * 8)(64)
        return status[2] if ctypes.windll.kernel32.GlobalMemoryStatusEx(status) else None
    with contextlib.suppress(OSError):
        found = re.search(r"^MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
        return int(found[1]) * 1024 if found else None
    return None
