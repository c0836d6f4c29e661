"""Notices that the process which needs this one is gone, even if it could not say so.

A closed pipe tells the same, but not as long as a third process, forked at the wrong time, holds its other end.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

_INTERVAL_SECONDS = 0.5
# Of the Windows API: the right to wait for a process, and to wait for ever.
_SYNCHRONIZE = 0x00100000
_INFINITE = 0xFFFFFFFF


def when_gone(call: Callable[[], None], pid: int | None = None) -> None:
    """Call something once the parent of this process has ended, or another process; a thread of its own waits.

    Args:
        call: called once, on that thread.
        pid: number of a process other than the parent, for instance its parent where a launcher stands between.
    """
    threading.Thread(target=_watch, args=(call, pid), name="parent", daemon=True).start()


def _watch(call: Callable[[], None], pid: int | None) -> None:
    parent = os.getppid()
    if os.name == "nt":
        _wait_on_windows({parent, pid or parent})
    else:
        # An orphan gets another parent at once, even while nobody has asked how the old one ended.
        while os.getppid() == parent and (pid is None or is_there(pid)):
            time.sleep(_INTERVAL_SECONDS)
    call()


def is_there(pid: int) -> bool:
    """Whether a process of this number runs on this computer."""
    if os.name == "nt":
        return bool(_windows().OpenProcess(_SYNCHRONIZE, False, pid))
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _windows():
    import ctypes
    from ctypes import wintypes

    kernel = ctypes.WinDLL("kernel32")  # type: ignore[attr-defined] # there on Windows only
    kernel.OpenProcess.restype = wintypes.HANDLE
    return kernel


def _wait_on_windows(pids: set[int]) -> None:
    from ctypes import wintypes

    kernel = _windows()
    handles = [kernel.OpenProcess(_SYNCHRONIZE, False, pid) for pid in pids]
    if all(handles):  # one that is gone already has none
        array = (wintypes.HANDLE * len(handles))(*handles)
        kernel.WaitForMultipleObjects(len(handles), array, False, _INFINITE)
