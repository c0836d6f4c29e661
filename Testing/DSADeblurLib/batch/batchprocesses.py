"""Processes that do batches, for tests."""

import json
import os
import subprocess
import sys
from pathlib import Path

import batchsteps
from batchsteps import PATIENCE

from DSADeblurLib import parent_process
from DSADeblurLib.batch import MANIFEST

# Where processes find the library and the step.
PATHS = os.pathsep.join([str(Path(__file__).resolve().parents[3]), str(Path(__file__).resolve().parent)])

# Runs a module that is named next, and ends when this process does; a path, as a test may bring another library.
_WITH_PARENT = """
import os, runpy, sys
sys.path.insert(0, sys.argv.pop(1))
from parent_process import when_gone
del sys.path[0]
when_gone(lambda: os._exit(1))
runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
"""
WITH_THIS_PROCESS = [sys.executable, "-c", _WITH_PARENT, str(Path(parent_process.__file__).parent)]


def start(*words, **more) -> subprocess.Popen:
    """A process that does one batch; words as `batchsteps` takes them."""
    command = [sys.executable, batchsteps.__file__, *map(str, words)]
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": PATHS}, stderr=subprocess.PIPE, text=True, **more)


def end(process: subprocess.Popen, code: int = 0) -> str:
    """Wait until it ends, with this code; gives what it said."""
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == code, errors
    return errors


def manifest_of(out: Path) -> dict:
    """The manifest of a folder."""
    return json.loads((out / MANIFEST).read_text())
