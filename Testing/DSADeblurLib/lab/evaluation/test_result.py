"""Tables, plots, sheets and JSON show every method and say that all is simulated."""

import json
from dataclasses import replace
from unittest.mock import create_autospec

import numpy as np
import pytest
from skimage import io

from DSADeblurLib.cli import FINE, WRONG_USE, main
from DSADeblurLib.lab.evaluation import evaluate as run
from DSADeblurLib.lab.evaluation import plots
from DSADeblurLib.lab.evaluation.extent import Plan
from DSADeblurLib.lab.evaluation.plots import save_plots
from DSADeblurLib.lab.evaluation.printed_tables import print_tables
from DSADeblurLib.lab.evaluation.real import PICTURE
from DSADeblurLib.lab.evaluation.sheet import interesting_crop

pytestmark = pytest.mark.slow


def test_tables_show_models_targets_and_that_it_is_simulated(evaluation, capsys):
    print_tables(evaluation)
    text = capsys.readouterr().out
    assert "Simulated validation set" in text and text.count("(simulated)") >= 10
    assert "Models at sharpness 1 and noise reduction 1, the same everywhere." in " ".join(text.split())
    for words in ("untrained", "tiny", "perfect", "Richardson-Lucy", "not reached", "nan"):
        assert (words in text) == (words != "nan")


def test_plots_are_pictures(evaluation, tmp_path):
    paths = save_plots(evaluation, tmp_path)
    assert len(paths) == 5
    for path in paths:
        assert io.imread(path).std() > 5


def test_a_crop_is_where_the_edges_are():
    frame = np.zeros((200, 200))
    frame[30:40, 30:40], frame[150:160, 120:130] = 1, 2
    row, column = interesting_crop(frame, 40)
    assert row <= 150 <= row + 30 and column <= 120 <= column + 30


def test_command_writes_json_and_pictures(evaluation, untrained, tiny_model, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(run, "evaluate", lambda models, plan: evaluation)
    monkeypatch.setattr(plots, "save_plots", lambda result, folder: [])
    output, real = tmp_path / "out", tmp_path / "real"
    real.mkdir()
    io.imsave(real / "frame.png", np.random.default_rng(0).integers(0, 255, (64, 80), np.uint8), check_contrast=False)
    (real / "notes.txt").write_text("no frame")
    arguments = ["evaluate", "--model", untrained, "--model", tiny_model, "--quick", "--output", str(output), "--json"]
    assert main([*arguments, "--real", str(real)]) == FINE
    assert json.loads(capsys.readouterr().out)["models"][1]["name"] == "tiny"
    names = {path.name for path in output.iterdir()}
    assert {
        "evaluation.json",
        "figures.csv",
        PICTURE,
        "sheet_native_2-4_px.png",
        "sheet_subtracted_4-6_px.png",
    } <= names


def test_real_frames_stay_out_of_repositories(untrained, tmp_path, capsys):
    (tmp_path / "repo" / ".git").mkdir(parents=True)
    arguments = ["evaluate", "--model", untrained, "--quick", "--output", str(tmp_path / "repo" / "out")]
    assert main([*arguments, "--real", str(tmp_path)]) == WRONG_USE
    assert "must not lie in a git repository" in capsys.readouterr().err
    assert not (tmp_path / "repo" / "out").exists()


@pytest.mark.parametrize("split", ["validation", "test"])
def test_the_plan_of_the_command(split, evaluation, untrained, tmp_path, monkeypatch):
    plans = []
    monkeypatch.setattr(run, "evaluate", lambda models, plan: plans.append((models, plan)) or evaluation)
    monkeypatch.setattr(plots, "save_pictures", create_autospec(plots.save_pictures, return_value=[]))
    arguments = ["evaluate", "--model", untrained, "--set", split, "--frames", "7", "--size", "300", "--workers", "1"]
    assert main([*arguments, "--output", str(tmp_path)]) == FINE
    assert main([*arguments, "--output", str(tmp_path), "--quick"]) == FINE
    assert main([*arguments[:5], "--output", str(tmp_path), "--quick"]) == FINE
    assert main([*arguments[:5], "--output", str(tmp_path)]) == FINE
    quick = Plan.quick(split)
    expected = [Plan(split, 7, 300, 1), replace(quick, frames=7, size=300, workers=1), quick, Plan(split, 24, 512, 2)]
    assert plans == [([untrained], plan) for plan in expected]
