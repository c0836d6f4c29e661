"""A process notices that its parent, or another one that it needs, is gone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil

LIBRARY = str(Path(__file__).resolve().parents[2])
LAST_RESORT = 600
# What starts a child and then waits, as does the child; both end with their standard input.
STARTED = (
    "import os, sys; from DSADeblurLib.parent_process import when_gone\n"
    "when_gone(lambda: os._exit(7), *map(int, sys.argv[1:])); print(os.getpid(), flush=True); sys.stdin.read()"
)
PARENT = "import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', *sys.argv[1:]])\nsys.stdin.read()"


def start(*arguments: object) -> subprocess.Popen:
    command = [sys.executable, "-c", *map(str, arguments)]
    pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    return subprocess.Popen(command, **pipes, text=True, cwd=LIBRARY)


def end(process: subprocess.Popen) -> None:
    process.kill()
    process.wait()


def test_an_orphan_ends():
    with start(PARENT, STARTED) as parent:
        orphan = psutil.Process(int(parent.stdout.readline()))
        end(parent)
        assert not psutil.wait_procs([orphan], timeout=LAST_RESORT)[1]


def test_another_process_is_watched_when_its_number_is_told():
    with start("input()") as other, start(STARTED, other.pid) as process:
        process.stdout.readline()
        end(other)
        assert process.wait(LAST_RESORT) == 7


def test_a_process_that_was_never_there_is_gone():
    with start("") as other:
        other.wait()
    with start(STARTED, other.pid) as process:
        assert process.wait(LAST_RESORT) == 7
