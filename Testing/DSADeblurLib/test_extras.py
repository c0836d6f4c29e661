"""What needs a package that is missing says so in one sentence before any work, and is wrong use."""

import importlib.util
import re
from pathlib import Path

import pytest

from DSADeblurLib.cli import WRONG_USE, main
from DSADeblurLib.extras import EXTRAS, require
from DSADeblurLib.request import RequestError

_ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def without(monkeypatch):
    """Hide modules from `find_spec`."""
    find = importlib.util.find_spec

    def hide(*names):
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name, *rest: None if name in names else find(name, *rest)
        )

    return hide


@pytest.mark.parametrize(
    ("arguments", "module", "package"),
    [
        (["deblur", "RUN", "--pictures", "png,mp4"], "imageio_ffmpeg", "imageio-ffmpeg"),
        (["deblur", "RUN", "--compression", "jpeg-2000"], "openjpeg", "pylibjpeg-openjpeg"),
        (["deblur", "RUN", "--engine", "openvino"], "openvino", "openvino"),
        (["deblur", "RUN", "--workers", "2"], "distributed", "distributed"),
        (["deblur", "RUN", "--scheduler", "tcp://localhost:1"], "cryptography", "cryptography"),
        (["deidentify", "RUN"], "dicomanonymizer", "dicom-anonymizer"),
        (["evaluate"], "pandas", "pandas"),
        (["report", "T", "--original", "RUN", "--output", "SR"], "highdicom", "highdicom"),
        (["train", "--recipe", "compact", "--volumes"], "nibabel", "nibabel"),
    ],
)
def test_verb_says_so_before_it_works(without, tmp_path, capsys, arguments, module, package):
    without(module)
    assert main([*arguments, "--output", str(tmp_path / "out")]) == WRONG_USE
    said = capsys.readouterr()
    assert re.fullmatch(rf"dsadeblur: .* needs what is not installed, the extra \S+: pip install {package}\n", said.err)
    assert said.out == "" and list(tmp_path.iterdir()) == []


def test_a_loss_that_needs_a_package(without, tmp_path, capsys, monkeypatch):
    from dataclasses import replace

    from DSADeblurLib.lab.training.recipes import RECIPES

    monkeypatch.setitem(RECIPES, "compact", replace(RECIPES["compact"], loss="l1+ms-ssim"))
    without("pytorch_msssim")
    assert main(["train", "--recipe", "compact", "--output", str(tmp_path / "out")]) == WRONG_USE
    assert "The recipe compact needs" in capsys.readouterr().err and list(tmp_path.iterdir()) == []


def test_only_what_is_missing_is_named(without):
    without("nibabel")
    require("train", "It", "pytorch_msssim")
    with pytest.raises(RequestError, match="^It needs .*: pip install nibabel$"):
        require("train", "It")


def test_names_are_those_of_the_package():
    tomllib = pytest.importorskip("tomllib", reason="comes with Python 3.11")
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]
    names = {
        extra: {re.split("[>=]", requirement)[0] for requirement in requirements}
        for extra, requirements in project["optional-dependencies"].items()
    }
    assert {extra: set(packages.values()) for extra, packages in EXTRAS.items()} == {
        extra: names[extra] for extra in EXTRAS
    }
    # The table of the README has one line for each of them.
    readme = (_ROOT / "README.md").read_text()
    for extra, packages in names.items():
        (line,) = re.findall(rf"^\| `{extra}` \|.*$", readme, re.MULTILINE)
        assert extra == "test" or all(package in line for package in packages), extra
    # Each package is asked for once.
    plain = [re.split("[>=]", one)[0].lower() for one in project["dependencies"]]
    assert len(plain) == len({*plain})


def test_readme_begins_with_how_not_to_fetch_cuda():
    section = (_ROOT / "README.md").read_text().split("## From the shell\n")[1]
    assert "https://download.pytorch.org/whl/cpu" in section.strip().splitlines()[0]
