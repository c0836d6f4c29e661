"""The evaluation measures what is there, tunes on validation frames only, and fills the card."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from DSADeblurLib.lab.evaluation import evaluate as run
from DSADeblurLib.lab.evaluation import grid as conditions
from DSADeblurLib.lab.evaluation.extent import Plan
from DSADeblurLib.lab.evaluation.grid import ALL_TRAINED, NOISE_FREE, PAPER
from DSADeblurLib.lab.evaluation.methods import FAMILIES, INPUT, PERFECT_DENOISER, TRUTH
from DSADeblurLib.lab.evaluation.phantoms import CNRS, CONTRASTS, EDGES
from DSADeblurLib.lab.evaluation.printed_tables import print_tables
from DSADeblurLib.lab.simulation.pairs import KINDS
from DSADeblurLib.lab.simulation.sets import NOISE
from DSADeblurLib.lab.training.packaging import write_metrics
from DSADeblurLib.restoration.card import read_card

CLASSICAL = tuple(family.name for family in FAMILIES)


def test_every_condition_has_every_method(evaluation, small_plan):
    found = {(row.kind, row.noise, row.blur, row.method) for row in evaluation.rows}
    blurs = [*(blur.name for blur in small_plan.blurs), ALL_TRAINED]
    restoring = (INPUT, *CLASSICAL, "untrained", "tiny")
    expected = {(k, n, b, m) for k in KINDS for n in (*NOISE, NOISE_FREE) for b in blurs for m in restoring}
    expected |= {(k, n, b, PERFECT_DENOISER) for k in KINDS for n in NOISE for b in blurs}
    assert found == expected and len(evaluation.rows) == len(expected)
    assert {(w.noise, w.contrast) for w in evaluation.widths} == {(n, c) for n in NOISE for c in CONTRASTS}
    assert {(e.noise, e.edge) for e in evaluation.edges} == {(n, e) for n in NOISE for e in EDGES}
    assert {(t.noise, t.cnr) for t in evaluation.thin} == {(n, c) for n in NOISE for c in CNRS}
    assert {(c.kind, c.noise, c.tuned.family) for c in evaluation.choices} == {
        (k, n, f) for k, n in [*((k, n) for k in KINDS for n in NOISE), ("native", PAPER.name)] for f in CLASSICAL
    }
    assert {row.method for row in evaluation.paper} == {*restoring, PERFECT_DENOISER}


def test_says_at_which_controls_the_figures_hold(evaluation, capsys):
    assert (evaluation.sharpness, evaluation.noise_reduction) == (1.0, 1.0)
    print_tables(evaluation)
    assert "Models at sharpness 1 and noise reduction 1." in " ".join(capsys.readouterr().out.split())
    assert evaluation.for_card("tiny").noise_reduction == 1.0 and evaluation.as_dict()["noise_reduction"] == 1.0


def test_an_untrained_network_is_its_input(evaluation):
    rows = [row for row in evaluation.rows if row.method == "untrained"]
    for row in rows:
        assert row.psnr_gain.mean == pytest.approx(0, abs=0.02) and row.ssim_gain.mean == pytest.approx(0, abs=1e-3)
    for edge in evaluation.edges:
        if edge.method == "untrained":
            assert edge.gain50 == pytest.approx(1, abs=0.02)
    for still in evaluation.still:
        if still.method == "untrained":
            assert still.flicker == pytest.approx(1, abs=0.01) and still.noise_kept == pytest.approx(1, abs=0.01)
    reached = {target.name: target.reached for target in evaluation.targets if target.model == "untrained"}
    assert not reached["PSNR gain, subtracted, paper-like noise"]
    assert all(reached[name] for name in reached if name.startswith("background flicker"))


def test_the_perfect_denoiser_is_the_noise_free_input(evaluation):
    rows = {(row.kind, row.noise, row.blur, row.method): row for row in evaluation.rows}
    for (kind, _, blur, method), row in rows.items():
        if method == PERFECT_DENOISER:
            assert row.psnr.mean == pytest.approx(rows[kind, NOISE_FREE, blur, INPUT].psnr.mean)


def test_what_is_known_of_phantoms(evaluation):
    edges = {(e.noise, e.edge, e.method): e for e in evaluation.edges}
    thin = {(t.noise, t.cnr, t.method): t for t in evaluation.thin}
    for noise in NOISE:
        for edge in EDGES:
            assert edges[noise, edge, TRUTH].gain50 > 1.3 and edges[noise, edge, INPUT].gain50 == 1
        assert thin[noise, 0.25, INPUT].missed.mean > thin[noise, 4.0, INPUT].missed.mean
        assert thin[noise, 4.0, INPUT].missed.mean < 0.05
        assert thin[noise, 1.0, TRUTH].missed.mean == 0 and thin[noise, 1.0, TRUTH].invented.mean == 0
    std = {row.noise: row.std for row in evaluation.noise if row.method == INPUT}
    assert std["quiet"] < std["paper-like"] < std["clinical"]


def test_tuning_looks_at_validation_frames_of_its_own(monkeypatch, untrained, small_plan):
    asked = []
    draw = conditions.held_out_pair
    monkeypatch.setattr(
        conditions,
        "held_out_pair",
        lambda split, index, *rest, **more: asked.append((split, index)) or draw(split, index, *rest, **more),
    )
    tuned = run._tune(replace(small_plan, split="test"), "subtracted", "clinical", FAMILIES[1])
    assert {split for split, _ in asked} == {"validation"} and min(index for _, index in asked) > small_plan.frames
    assert tuned.family == FAMILIES[1].name and set(tuned.setting) == {"balance"}


def test_the_card_gets_one_models_figures(evaluation, untrained):
    card = write_metrics(untrained, evaluation.for_card("untrained"))
    assert card.metrics["command"].startswith("dsadeblur evaluate --model untrained --set validation --frames 1")
    assert {row["method"] for row in card.metrics["rows"]} == {INPUT, PERFECT_DENOISER, *CLASSICAL, "untrained"}
    assert card.metrics["data"] == "simulated, held out"
    assert read_card(untrained).sha256 == evaluation.models[0].sha256
    with pytest.raises(ValueError, match="other weights"):
        write_metrics(untrained, evaluation.for_card("tiny"))


def test_json_is_finite_and_says_simulated(evaluation, tmp_path):
    path = evaluation.save(tmp_path / "new")
    written = json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
    assert written["data"] == "simulated" and len(written["rows"]) == len(evaluation.rows)
    assert math.isnan(evaluation.rows[0].psnr.low) and written["rows"][0]["psnr"]["low"] is None


@pytest.mark.slow
def test_two_processes_find_the_same_as_one(evaluation, untrained, tiny_model, small_plan):
    scores, settings = [], None
    for workers in (1, 2):
        run.processes.load_models([untrained, tiny_model], settings)
        # A second trial may choose another engine.
        settings = {name: chosen for name, (_, chosen) in run.processes.networks().items()}
        with run.processes.workers([untrained, tiny_model], workers) as at_work:
            chosen = {(kind, noise): () for kind in KINDS for noise in NOISE}
            scores.append(run._scores(small_plan, chosen, at_work))
    for one, two in zip(*scores, strict=True):
        np.testing.assert_allclose([s.psnr for s in one], [s.psnr for s in two])


def test_nothing_to_evaluate_is_refused(untrained):
    with pytest.raises(ValueError, match="at least one model"):
        run.evaluate([])
    with pytest.raises(ValueError, match="one frame"):
        run.evaluate([untrained], Plan(frames=0))
