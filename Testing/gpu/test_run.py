"""The driver of `make gpu` ends in time whatever its stages do, leaves nothing running, and tells how each ended."""

import argparse
import contextlib
import importlib.util
import json
import os
import re
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def driver():
    spec = importlib.util.spec_from_file_location("gpu_run", Path(__file__).with_name("run.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def stages(driver, tmp_path):
    options = argparse.Namespace(minutes=5.0, device="cpu", recipe="none of this name", out=tmp_path)
    options.smallest, options.train_options = False, []
    made = driver.Stages(options, tmp_path / "scratch", time.monotonic())
    made.log.touch()
    return made


# It ignores what asks it to end, as does its child, whose number it writes.
STUBBORN = """
import os, pathlib, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    print("begun", flush=True)
    pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))
time.sleep(600)
"""


def is_running(number: int) -> bool:
    """Whether there is such a process that has not yet ended; nobody may have asked for its exit status."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def until(condition) -> None:
    """Wait for a condition; the limit is a last resort."""
    deadline = time.monotonic() + 600
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes as Linux tells of them")
def test_a_stage_that_does_not_end_is_ended_with_its_children(stages, tmp_path, monkeypatch):
    child, group = tmp_path / "child", stages.group

    @contextlib.contextmanager
    def begun(command):
        """Its time counts from when it has begun, so that a busy machine is no matter."""
        with group(command) as process:
            until(lambda: child.exists() and child.read_text())
            yield process

    monkeypatch.setattr(stages, "group", begun)
    ended, lines = stages.run([sys.executable, "-c", STUBBORN, child], seconds=0.6, grace=0.2)
    assert ended == "stopped after 1 s" and lines[0] == "begun"
    number = int(child.read_text())
    until(lambda: not is_running(number))


@pytest.mark.parametrize(
    ("code", "ended"), [("print('a\\rb')", "well"), ("print('a\\rb'); raise SystemExit(3)", "failed (3)")]
)
def test_how_a_stage_ended_is_told_with_what_it_printed(stages, code, ended):
    assert stages.run([sys.executable, "-c", code], seconds=60.0) == (ended, ["a", "b"])


def test_each_outcome_is_written_at_once_and_the_next_goes_on(stages, tmp_path, monkeypatch, capsys):
    def broken():
        raise OSError("No space left on device")

    monkeypatch.setattr(stages, "tests", broken)
    monkeypatch.setattr(stages, "benchmark", lambda: ("well", ["60 frames a second"]))
    for name, ended in (("tests", "OSError: No space left on device"), ("benchmark", "well")):
        stages.do(name)
        summary = json.loads((tmp_path / "summary.json").read_text())["stages"][-1]
        assert (summary["stage"], summary["ended"]) == (name, ended)
    assert "60 frames a second" in capsys.readouterr().out


def test_stages_are_bounded_by_what_is_left(driver, stages, monkeypatch):
    monkeypatch.setattr(driver, "time", argparse.Namespace(monotonic=lambda: 0.0))
    stages.ends = stages.total
    assert stages.bound() == pytest.approx(90)  # three tenths of five minutes
    stages.total = 900.0
    assert stages.bound() == driver.STAGE_SECONDS
    stages.ends = 12.0
    assert stages.bound() == pytest.approx(10)
    assert stages.training() == ("no time was left", [])


@pytest.mark.slow
def test_a_missing_recipe_is_the_failure_of_the_training(stages, tmp_path, monkeypatch):
    stages.size = stages.size.__class__(gains=("--help",))
    ended, words = stages.training()
    assert ended == "failed (2)" and "Unknown recipe 'none of this name'" in words[0]
    assert not list(tmp_path.glob("model*"))


def test_only_what_is_lacking_or_too_old_is_installed(driver, tmp_path):
    for name in ("pytest-99.0-py3-none-any.whl", "no_such_package-1.0-py3-none-any.whl"):
        (tmp_path / name).touch()
    assert [wheel.name for wheel in driver.lacking(tmp_path)] == ["no_such_package-1.0-py3-none-any.whl"]
    numbers = driver._numbers
    assert numbers("3.0.2") == (3, 0, 2) and numbers("2.11.0+cu130") == (2, 11, 0) and numbers("2.9") < numbers("3")


@pytest.mark.slow
def test_what_is_lacking_is_there_for_the_stages(driver, stages, tmp_path, monkeypatch):
    """A wheel made by hand, installed by pip without a network."""
    name, facts = "no_such_package", "no_such_package-1.0.dist-info"
    monkeypatch.setattr(driver, "WHEELS", tmp_path)
    with zipfile.ZipFile(tmp_path / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}.py", "print('it is there')")
        summary = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nRequires-Dist: torch<1\n"
        wheel.writestr(f"{facts}/METADATA", summary)
        wheel.writestr(f"{facts}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{facts}/RECORD", f"{name}.py,,\n{facts}/METADATA,,\n{facts}/WHEEL,,\n{facts}/RECORD,,\n")
    assert stages.setup() == ("well", [name])
    assert stages.run([sys.executable, "-c", f"import {name}"], seconds=60.0) == ("well", ["it is there"])


def test_the_wheels_are_wanted_as_the_project_wants_them():
    wanted = (ROOT / "Testing" / "gpu" / "wheels.txt").read_text()
    project = (ROOT / "pyproject.toml").read_text()
    for requirement in re.findall(r"^[\w-]+>=[\d.]+$", wanted, re.MULTILINE):
        assert f'"{requirement}"' in project, requirement


def test_a_large_package_comes_in_parts(driver, tmp_path, monkeypatch):
    package = tmp_path / "model"
    package.mkdir()
    (package / "model.safetensors").write_bytes(os.urandom(5000))
    monkeypatch.setattr(driver, "LARGEST_FILE", 2000)
    driver.pack(package, tmp_path)
    parts = sorted(tmp_path.glob("model.tar.gz*"))
    assert [part.name[-2:] for part in parts] == [".1", ".2", ".3"]
    (tmp_path / "whole").write_bytes(b"".join(part.read_bytes() for part in parts))
    with tarfile.open(tmp_path / "whole") as archive:
        assert archive.extractfile("model/model.safetensors").read() == (package / "model.safetensors").read_bytes()
    monkeypatch.setattr(driver, "LARGEST_FILE", 1000)
    with pytest.raises(ValueError, match="too large"):
        driver.pack(package, tmp_path)


@pytest.mark.slow
def test_it_ends_in_time_whatever_is_left_to_do(driver, tmp_path):
    command = [
        sys.executable,
        driver.__file__,
        "--device",
        "cpu",
        "--minutes",
        "0.1",
        "--recipe",
        "quick",
        "--smallest",
    ]
    done = subprocess.run([*command, "--out", str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 1
    stages = json.loads((tmp_path / "summary.json").read_text())["stages"]
    assert stages[0]["ended"] == "well" and all(one["ended"] != "well" for one in stages[1:])


def test_make_calls_it_with_the_recipe_large(tmp_path):
    make = ["make", "--dry-run", "--directory", str(ROOT), "gpu", f"OUT={tmp_path}"]
    for more, recipe in ([], "large"), (["RECIPE=quick"], "quick"):
        line = subprocess.run([*make, *more], capture_output=True, text=True, check=True).stdout
        assert f"Testing/gpu/run.py --minutes 9 --device cuda --recipe {recipe} --out {tmp_path}" in line


@pytest.mark.slow
def test_the_whole_of_it_in_its_smallest_form(driver, tmp_path):
    """As `make gpu` calls it, in a process of its own: every stage runs, and a model package comes out."""
    command = [sys.executable, driver.__file__, "--device", "cpu", "--minutes", "8", "--recipe", "quick", "--smallest"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*command, "--out", str(tmp_path)], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + (tmp_path / "log.txt").read_text()[-3000:]
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["benchmark.json", "gains.json", "log.txt", "model.tar.gz", "summary.json", "training.jsonl"]
    assert set(json.loads((tmp_path / "gains.json").read_text())) == {"quality", "sequence", "quick"}
    found = json.loads((tmp_path / "benchmark.json").read_text())
    assert found["frame"] and found["run"] and found["targets"]
    # On a busy computer the compiler may not get ready in its time, and that is told.
    assert all("the compiler took more than" in failure["why"] for failure in found["failures"])
    with tarfile.open(tmp_path / "model.tar.gz") as archive:
        assert "model/card.json" in archive.getnames()
