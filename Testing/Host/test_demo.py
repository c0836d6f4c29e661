"""The demonstration as a user sees it: figures against the truth, and the picture's path last."""

import importlib.util
from pathlib import Path

import demo
import pytest

from DSADeblurLib import paths

pytestmark = pytest.mark.slow


@pytest.mark.skipif(not (paths.models_folder() / "compact").is_dir(), reason="the model is not bundled yet")
@pytest.mark.skipif(importlib.util.find_spec("slicer_core") is None, reason="slicer-core is not installed")
def test_demo_measures_and_draws(tmp_path, capsys):
    assert demo.run_demo(tmp_path) == 0
    lines = capsys.readouterr().out.splitlines()
    picture = Path(lines[-1])
    assert picture.suffix == ".png" and picture.stat().st_size > 10_000
    rows = {
        name: [float(cell.split()[0]) for cell in row.split("│")[2:-1]]
        for row in lines
        for name in ("large focal spot", "deblurred")
        if row.startswith(f"│ {name} ")
    }
    before, after = rows["large focal spot"], rows["deblurred"]
    assert after[0] > before[0] + 2 and after[1] > before[1] and after[2] < before[2]


def test_says_so_before_the_work_when_the_picture_cannot_be_drawn(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert demo.run_demo(tmp_path) == 2
    said = capsys.readouterr()
    assert "pip install slicer-core" in said.err and not said.out and not list(tmp_path.iterdir())
