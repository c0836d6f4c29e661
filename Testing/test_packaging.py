"""A wheel, built and unpacked, has every package, the models and the sample run."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    pytest.importorskip("setuptools", minversion="77", reason="setuptools 77 builds the wheel")
    folder = tmp_path_factory.mktemp("wheel")
    build = "import setuptools.build_meta as b, sys; print(b.build_wheel(sys.argv[1]))"
    # Built from a copy: setuptools leaves a build folder and an egg-info beside the sources.
    copy = folder / "source"
    copy.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE.txt", "DSADeblurLib", "Resources"):
        os.symlink(ROOT / name, copy / name)
    done = subprocess.run([sys.executable, "-c", build, str(folder)], cwd=copy, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_every_source_file_is_in_the_wheel(unpacked):
    def files(folder, pattern):
        return {p.relative_to(folder).as_posix() for p in folder.rglob(pattern) if "__pycache__" not in p.parts}

    assert files(ROOT / "DSADeblurLib", "*.py") <= files(unpacked / "DSADeblurLib", "*.py")
    for name in ("Models", "SampleData"):
        installed = unpacked / "DSADeblurLib" / "Resources" / name
        assert {p for p in files(ROOT / "Resources" / name, "*") if "." in p} <= files(installed, "*")


def test_installed_library_finds_its_resources(unpacked):
    code = "from DSADeblurLib import paths; print(paths.models_folder(), paths.sample_data_folder().is_dir())"
    done = subprocess.run([sys.executable, "-c", code], cwd=unpacked, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"{unpacked.resolve() / 'DSADeblurLib' / 'Resources' / 'Models'} True"
