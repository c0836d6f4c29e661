"""Gathers the wheels of an engine for a computer without a network, which may be of another system."""

from __future__ import annotations

import platform
import re
import subprocess
import sys
from pathlib import Path

from DSADeblurLib.errors import DSADeblurError
from DSADeblurLib.request import RequestError

REQUIREMENTS = {"openvino": "openvino>=2025.0", "torch": "torch>=2.4"}
# pip wants each age of manylinux named.
_MANYLINUX = "2_28 2_27 2_24 2_17 2014 2_12 2010 2_5 1".split()
PLATFORMS = {
    "linux": [f"manylinux{'_' * ('_' in age)}{age}_x86_64" for age in _MANYLINUX],
    "windows": ["win_amd64"],
    "macos": ["macosx_14_0_arm64"],
}
THIS_SYSTEM = {"Windows": "windows", "Darwin": "macos"}.get(platform.system(), "linux")
SLICERS_PYTHON = "3.12"


def download_command(
    folder: Path, engine: str = "openvino", system: str = THIS_SYSTEM, python: str = SLICERS_PYTHON
) -> list[str]:
    """The command that downloads an engine and all it needs.

    Args:
        folder: for the wheels.
        engine: 'openvino' or 'torch'.
        system: of PLATFORMS.
        python: version of the Python that they are for, such as 3.12.

    Raises:
        RequestError: one sentence, if there is no such engine, system or Python.
    """
    if engine not in REQUIREMENTS or system not in PLATFORMS:
        raise RequestError(f"There are no wheels of {engine} for {system}.")
    if not re.fullmatch(r"3\.\d{1,2}", python):
        raise RequestError(f"Python must be a version such as {SLICERS_PYTHON}, not {python!r}.")
    target = ["--python-version", python, "--implementation", "cp", "--only-binary", ":all:"]
    target += [word for one in PLATFORMS[system] for word in ("--platform", one)]
    return [sys.executable, "-m", "pip", "download", "--dest", str(folder), *target, REQUIREMENTS[engine]]


def gather_wheels(command: list[str]) -> None:
    """Run a command from `download_command`; pip's progress goes to stderr.

    Raises:
        RequestError: pip is not there.
        DSADeblurError: one sentence: the download failed, and what pip says last of it.
    """
    done = subprocess.run(command, stdout=sys.stderr, stderr=subprocess.PIPE, text=True, errors="replace")
    if "No module named pip" in done.stderr:
        raise RequestError("Gathering wheels needs pip, which this Python lacks: python -m ensurepip")
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["no reason given"]
        raise DSADeblurError(f"The wheels could not be downloaded: {said[-1].removeprefix('ERROR: ')}")
