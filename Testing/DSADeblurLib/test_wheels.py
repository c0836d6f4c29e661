"""Wheels are asked for by one command, and nonsense is refused before it runs."""

import sys
import zipfile

import pytest

from DSADeblurLib import wheels
from DSADeblurLib.cli import FINE, SOME_FAILED, WRONG_USE, main
from DSADeblurLib.request import RequestError
from DSADeblurLib.wheels import PLATFORMS, download_command


@pytest.mark.parametrize("system", PLATFORMS)
@pytest.mark.parametrize("engine", ["openvino", "torch"])
def test_the_command_names_engine_system_and_python(tmp_path, system, engine):
    command = download_command(tmp_path, engine, system, "3.12")
    assert command[:6] == [sys.executable, "-m", "pip", "download", "--dest", str(tmp_path)]
    assert command[-1].startswith(f"{engine}>=") and command[command.index("--python-version") + 1] == "3.12"
    named = [word for before, word in zip(command, command[1:], strict=False) if before == "--platform"]
    assert named == PLATFORMS[system]
    assert command[command.index("--only-binary") + 1] == ":all:"  # pip takes other systems for wheels only


@pytest.mark.parametrize(
    "nonsense", [("numpy", "linux", "3.12"), ("torch", "amiga", "3.12"), ("torch", "linux", "2.7")]
)
def test_nonsense_is_refused(tmp_path, nonsense):
    with pytest.raises(RequestError):
        download_command(tmp_path, *nonsense)


@pytest.mark.parametrize("python", ["3", "3.x", "--pre", "3.12 --pre", ""])
def test_a_python_that_is_no_version_is_wrong_use(tmp_path, capsys, python):
    assert main(["wheels", "--output", str(tmp_path / "out"), f"--python={python}"]) == WRONG_USE
    assert "must be a version such as 3.12" in capsys.readouterr().err and not (tmp_path / "out").exists()


def fake_wheel(folder, name, version, platform, needs=""):
    """A wheel without contents."""
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-cp312-cp312-{platform}.whl", "w") as wheel:
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        wheel.writestr(f"{info}/METADATA", metadata + (f"Requires-Dist: {needs}\n" if needs else ""))
        tag = f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: false\nTag: cp312-cp312-{platform}\n"
        wheel.writestr(f"{info}/WHEEL", tag)
        wheel.writestr(f"{info}/RECORD", "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("system", "platform"),
    [("linux", "manylinux_2_28_x86_64"), ("linux", "manylinux2014_x86_64"), ("windows", "win_amd64"),
     ("macos", "macosx_11_0_arm64")],
)  # fmt: skip
def test_wheels_of_another_system_are_gathered_with_what_they_need(tmp_path, monkeypatch, capfd, system, platform):
    """By pip itself, from a folder in place of the index."""
    index, out = tmp_path / "index", tmp_path / "out"
    index.mkdir()
    fake_wheel(index, "openvino", "2026.1", platform, needs="numpy")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    words = ["wheels", "--output", str(out), "--system", system]
    assert main(words) == SOME_FAILED
    assert "The wheels could not be downloaded: No matching distribution found for numpy" in capfd.readouterr().err
    fake_wheel(index, "numpy", "2.2.0", platform)
    assert main(words) == FINE
    assert sorted(path.name for path in out.iterdir()) == sorted(path.name for path in index.iterdir())
    assert capfd.readouterr().out.count(".whl") == 2


def test_without_pip_one_sentence():
    with pytest.raises(RequestError, match="needs pip"):
        wheels.gather_wheels([sys.executable, "-c", "import sys; sys.exit('No module named pip')"])
