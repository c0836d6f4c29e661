"""The verbs of the laboratory in the command line: simulate, train, evaluate."""

import json
from pathlib import Path

import pytest

from DSADeblurLib.cli import FINE, WRONG_USE, main


def test_simulated_folder_is_deblurred_whole(tmp_path, small_model, capsys):
    assert main(["simulate", "--output", str(tmp_path / "in"), "--size", "64", "--frames", "3"]) == FINE
    arguments = ["--model", str(small_model.card.folder), "--device", "cpu"]
    assert main(["deblur", str(tmp_path / "in"), "--output", str(tmp_path / "out"), *arguments]) == FINE
    assert "1 left out as no X-ray angiography: facts.json" in capsys.readouterr().out


def test_simulation_that_cannot_be(tmp_path, capsys):
    assert main(["simulate", "--output", str(tmp_path / "out"), "--frames", "1", "--size", "64"]) == WRONG_USE
    assert capsys.readouterr().err.startswith("dsadeblur: ") and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "words",
    [
        "simulate --frames 0",
        "simulate --seed -1",
        "simulate --quanta 0",
        "simulate --focal-spot 50",
        "simulate --size 99999999",
        "train --minutes nan",
        "train --minutes -1",
        "train --threads 0",
        "train --workers -2",
        "evaluate --frames 0",
        "evaluate --size -512",
        "evaluate --workers -3",
    ],
)
def test_numbers_that_cannot_be(words, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main([*words.split(), "--output", str(tmp_path / "out")])
    assert ended.value.code == WRONG_USE and "must be" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_evaluation_of_what_is_not_there(tmp_path, capsys):
    output = ["--output", str(tmp_path / "out"), "--quick"]
    assert main(["evaluate", "--model", "nothing", *output]) == WRONG_USE
    assert main(["evaluate", "--real", str(tmp_path / "nothing"), *output]) == WRONG_USE
    assert capsys.readouterr().err.count("dsadeblur: ") == 2


def test_simulate_then_deblur_then_info(tmp_path, small_model, capsys):
    assert main(["simulate", "--output", str(tmp_path), "--size", "128", "--frames", "4", "--seed", "9"]) == FINE
    run = Path(capsys.readouterr().out.splitlines()[0])
    model = str(small_model.card.folder)
    assert main(["deblur", str(run), "--output", str(tmp_path / "out"), "--model", model, "--frames", "3-4"]) == FINE
    capsys.readouterr()
    (derived,) = (tmp_path / "out").glob("*.dcm")
    assert main(["info", str(derived), "--json"]) == FINE
    facts = json.loads(capsys.readouterr().out)
    assert facts["subtracted"] and facts["number_of_frames"] == 2


@pytest.mark.slow
def test_train_writes_a_package_that_loads(tmp_path, capsys, monkeypatch):
    from dataclasses import replace

    from DSADeblurLib.lab.training import recipes, trainer
    from DSADeblurLib.lab.training.pool import PoolOptions
    from DSADeblurLib.lab.training.validation import HeldOut
    from DSADeblurLib.restoration.architecture import RDNArchitecture
    from DSADeblurLib.restoration.package import load_model

    tiny = replace(
        recipes.QUICK,
        architecture=RDNArchitecture(features=4, growth=4, blocks=1, layers=1),
        steps=2,
        pool=PoolOptions(regions=16, side=64, scenes=1, size=128),
    )
    monkeypatch.setitem(recipes.RECIPES, "quick", tiny)
    monkeypatch.setattr(trainer, "HeldOut", lambda frames, size, moments: HeldOut(1, 96, moments))
    assert main(["train", "--recipe", "quick", "--output", str(tmp_path), "--device", "cpu"]) == FINE
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert summary["steps"] == 2
    first = load_model(summary["model"]).card
    assert first.training["steps"] == 2 and "--start-from" not in first.training["command"]
    again = ["train", "--recipe", "quick", "--output", str(tmp_path / "again"), "--pool", str(tmp_path / "pool")]
    assert main([*again, "--device", "cpu", "--start-from", summary["model"]]) == FINE
    training = load_model(tmp_path / "again" / "model").card.training
    assert training["started_from_sha256"] == first.sha256
    assert f"--start-from {summary['model']}" in training["command"]
    assert main(["train", "--recipe", "slow", "--output", str(tmp_path)]) == WRONG_USE
    assert "Unknown recipe 'slow'" in capsys.readouterr().err
