"""Temporary folders of applications that crashed go when the next one needs one."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.usefixtures("host")


def test_folders_of_those_that_are_gone_go(tmp_path, monkeypatch):
    import slicer

    from DSADeblurScene.temporary import makeTemporaryFolder

    monkeypatch.setattr(slicer.app, "temporaryPath", str(tmp_path), raising=False)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    first = makeTemporaryFolder()
    mine = first.name.rpartition(f"-{os.getpid()}-")[0]
    (tmp_path / f"{mine}-{os.getppid()}-abc").mkdir()
    (tmp_path / f"{mine}-{gone.pid}-abc").mkdir()
    kept = {path.name for path in tmp_path.iterdir()} - {f"{mine}-{gone.pid}-abc"}
    second = makeTemporaryFolder()
    assert {path.name for path in tmp_path.iterdir()} == {*kept, second.name}
