"""How long a run will take is told by what earlier ones took on the same device."""

from __future__ import annotations

import importlib.metadata

import pytest
from results import MODEL, deblurred
from scenes import load

pytestmark = pytest.mark.usefixtures("gui")
SHAPE = (10, 1000, 1000)


@pytest.fixture(autouse=True)
def module(gui):
    return gui.openModule()


def settings(**choices):
    from DSADeblurLib.request import DeblurSettings

    return DeblurSettings(**choices)


@pytest.mark.parametrize(("version", "auto"), [("2.9.0+cpu", "cpu"), ("2.9.0+cu128", ""), (None, "cpu")])
def test_where_it_will_run(monkeypatch, version, auto):
    from DSADeblurPanel import speed

    def installed(name):
        if version is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return version

    monkeypatch.setattr(importlib.metadata, "version", installed)
    assert speed.device(settings()) == auto
    assert speed.device(settings(device="cuda")) == "cuda" and speed.device(settings(device="cpu")) == "cpu"
    assert speed.device(settings(engine="openvino")) == "cpu"


def test_how_long_it_will_take(tmp_path):
    from DSADeblurPanel import speed

    cpu = settings(device="cpu")
    assert speed.inWords(MODEL, cpu, SHAPE) == "CPU. The first frame tells how long it takes."
    assert speed.inWords(MODEL, cpu, None) == ""
    # Six frames of 64 x 48 in 0.1 s.
    result = deblurred(load(tmp_path / "a.dcm"))
    from DSADeblurScene.input import readInput

    speed.remember(result)
    count, rows, columns = readInput(result).frames.shape
    expected = 0.1 / (count * rows * columns) * 1e7
    assert speed.seconds(MODEL, cpu, 10**7) == pytest.approx(expected)
    assert speed.inWords(MODEL, cpu, SHAPE).startswith("CPU, about ")
    assert speed.seconds(MODEL, settings(device="cuda"), 10**7) is None
    # One frame, which takes longer for itself, does not replace what is known.
    assert speed.seconds("other", cpu, 1) is None
    speed.remember(deblurred(load(tmp_path / "b.dcm"), frame_range=(1, 1)))
    assert speed.seconds(MODEL, cpu, 10**7) == pytest.approx(expected)
