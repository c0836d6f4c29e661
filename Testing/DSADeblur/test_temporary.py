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
    kept = [f"dsad-{os.getppid()}-abc", "dsad-notes", f"dsad-{gone.pid}", "others"]
    for name in (*kept, f"dsad-{gone.pid}-abc"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "in.npy").touch()
    (tmp_path / f"dsad-{gone.pid}-link").symlink_to(tmp_path / "others")
    first = makeTemporaryFolder()
    second = makeTemporaryFolder()
    expected = {*kept, f"dsad-{gone.pid}-link", first.name, second.name}
    assert {path.name for path in tmp_path.iterdir()} == expected and (tmp_path / "others" / "in.npy").exists()
