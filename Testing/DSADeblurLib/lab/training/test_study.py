"""The study trains each variant once, goes on where it stopped, and shows the base under every question."""

import json
from dataclasses import replace

import numpy as np
import pytest

from DSADeblurLib.lab.training import study
from DSADeblurLib.lab.training.validation import HeldOut
from DSADeblurLib.restoration.architecture import UNetArchitecture

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.slow]


def test_variants_have_names_of_their_own_and_each_question_a_rival():
    names = [(v.question, v.name) for v in study.variants()]
    assert len(set(names)) == len(names)
    questions = [v.question for v in study.variants()]
    assert all(questions.count(question) > 1 for question in questions)
    assert len(study.trained_variants()) < len(names) - 6


def test_compared_networks_cost_about_the_same():
    """Where the question says so; a tenth of it at most."""
    for question in {v.question for v in study.variants() if "equal compute" in v.question}:
        costs = []
        for variant in (v for v in study.variants() if v.question == question):
            network = variant.build(variant.recipe.architecture)
            costs.append(study.gflop(network))
        assert max(costs) < 1.3 * min(costs), (question, costs)


def test_runs_once_and_goes_on(tmp_path, small_pool, monkeypatch):
    network = UNetArchitecture(features=4, levels=1, attention_reduction=0, modulated=True)
    tiny = replace(study.BASE, architecture=network, steps=2, patch=32)
    monkeypatch.setattr(study, "BASE", tiny)
    found = [
        study.Variant("loss", "base", tiny),
        study.Variant("again", "the same", tiny),
        study.Variant("loss", "l1", replace(tiny, loss="l1")),
        study.Variant("told", "modulated", tiny, blur_factors=(1.0, 0.5)),
        study.Variant("told", "not told", replace(tiny, architecture=replace(network, modulated=False))),
        study.Variant("noise", "much", tiny, quanta=(0, np.inf)),
    ]
    monkeypatch.setattr(study, "variants", lambda: found)
    monkeypatch.setattr(study, "SEEDS", (1, 2))
    data = study.Data(small_pool, small_pool, {1: HeldOut(1, 96, 1)})
    results = study.run(tmp_path, data, ["loss"])
    assert {r["name"] for r in results} == {"base", "l1"}
    results = study.run(tmp_path, data)
    assert len(results) == 2 * (2 + 1 + 1 + 1)
    assert study.run(tmp_path, data) == results
    assert [json.loads(line) for line in (tmp_path / "study.jsonl").read_text().splitlines()] == results
    lines = study.table(results).splitlines()
    assert lines[2].split("|")[3:] == lines[3].split("|")[3:]
    assert len(lines) == 2 + 7 and "told 0.5 x the blur" in lines[6]
