"""Free memory is what the system says, with psutil and without, and limits of the process count."""

import subprocess
import sys

import psutil
import pytest

from DSADeblurLib.free_memory import available_bytes


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS does not say how much memory is free")
def test_without_psutil_the_system_says_the_same(monkeypatch):
    expected = psutil.virtual_memory().available
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert available_bytes() == pytest.approx(expected, rel=0.2)


@pytest.mark.skipif(sys.platform == "win32", reason="no such limits there")
def test_limits_of_the_process_count():
    code = (
        "import resource; from DSADeblurLib.free_memory import available_bytes;"
        "resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30, 4 * 2**30)); print(available_bytes())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 4 * 2**30
