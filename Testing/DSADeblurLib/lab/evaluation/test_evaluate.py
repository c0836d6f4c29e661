"""The evaluation measures what is there, tunes on validation frames only, and fills the card."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from DSADeblurLib.lab.evaluation import evaluate as run
from DSADeblurLib.lab.evaluation import grid
from DSADeblurLib.lab.evaluation.extent import Plan
from DSADeblurLib.lab.evaluation.grid import ALL_TRAINED, NOISE_FREE, PAPER
from DSADeblurLib.lab.evaluation.methods import FAMILIES, INPUT, PERFECT_DENOISER, TRUTH
from DSADeblurLib.lab.evaluation.phantoms import CNRS, CONTRASTS, EDGES, FAINT
from DSADeblurLib.lab.evaluation.result import select
from DSADeblurLib.lab.evaluation.retention import CONTRASTS as CONTRASTS_OF_FAINT
from DSADeblurLib.lab.simulation.pairs import KINDS
from DSADeblurLib.lab.simulation.sets import NOISE
from DSADeblurLib.lab.training.packaging import write_metrics
from DSADeblurLib.restoration.card import read_card

pytestmark = pytest.mark.slow

CLASSICAL = tuple(family.name for family in FAMILIES)
RESTORING = (INPUT, *CLASSICAL, "untrained", "tiny")


def keys(evaluation, table, *columns):
    return set(select(evaluation.figures, table=table)[list(columns)].itertuples(index=False, name=None))


def test_every_condition_has_every_method(evaluation, small_plan):
    blurs = [*(blur.name for blur in small_plan.blurs), ALL_TRAINED]
    expected = {(k, n, b, m) for k in KINDS for n in (*NOISE, NOISE_FREE) for b in blurs for m in RESTORING}
    expected |= {(k, n, b, PERFECT_DENOISER) for k in KINDS for n in NOISE for b in blurs}
    assert keys(evaluation, "frames", "kind", "noise", "condition", "method") == expected
    assert keys(evaluation, "vessels", "noise", "at") == {(n, c) for n in NOISE for c in CONTRASTS_OF_FAINT}
    assert keys(evaluation, "detection", "noise", "at") == {(n, c) for n in NOISE for c in FAINT}
    assert keys(evaluation, "widths", "noise", "condition") == {(n, c) for n in NOISE for c in CONTRASTS}
    assert keys(evaluation, "edges", "noise", "condition") == {(n, e) for n in NOISE for e in EDGES}
    assert keys(evaluation, "thin", "noise", "at") == {(n, c) for n in NOISE for c in CNRS}
    assert keys(evaluation, "paper", "method") == {(m,) for m in (*RESTORING, PERFECT_DENOISER)}
    conditions = [*((k, n) for k in KINDS for n in NOISE), ("native", PAPER.name)]
    chosen = {(c["kind"], c["noise"], c["family"]) for c in evaluation.choices}
    assert chosen == {(*where, f) for where in conditions for f in CLASSICAL}


def test_an_untrained_network_is_its_input(evaluation):
    untrained = select(evaluation.figures, method="untrained")
    for measure, expected, tolerance in (
        ("psnr_gain", 0, 0.02),
        ("ssim_gain", 0, 1e-3),
        ("left", 1, 0.02),
        ("d_ratio", 1, 0.02),
        ("gain50", 1, 0.02),
        ("flicker", 1, 0.01),
        ("noise_kept", 1, 0.01),
    ):
        np.testing.assert_allclose(select(untrained, measure=measure)["value"], expected, rtol=0, atol=tolerance)
    reached = select(evaluation.targets, model="untrained").set_index("name")["reached"]
    assert not reached["PSNR gain, subtracted, paper-like noise"]
    assert reached[reached.index.str.startswith("background flicker")].all()


def test_what_is_known_of_frames_and_phantoms(evaluation):
    names = ["table", "measure", "kind", "noise", "condition", "at", "method"]
    figures = evaluation.figures.fillna({"at": 0.0}).set_index(names).sort_index()["value"]
    for kind in KINDS:
        exact = figures["frames", "psnr", kind, NOISE_FREE, ALL_TRAINED, 0, INPUT]
        for noise in NOISE:
            denoised = figures["frames", "psnr", kind, noise, ALL_TRAINED, 0, PERFECT_DENOISER]
            assert denoised == pytest.approx(exact)
    for noise in NOISE:
        for edge in EDGES:
            gain = figures["edges", "gain50", "", noise, edge, 0]
            assert gain[TRUTH] > 1.3 and gain[INPUT] == 1
        missed = figures["thin", "missed", "", noise, ""]
        assert missed[0.25, INPUT] > missed[4.0, INPUT] < 0.05
        assert missed[1.0, TRUTH] == figures["thin", "invented", "", noise, "", 1.0, TRUTH] == 0
    std = [figures["noise", "std", "", noise, "", 0, INPUT] for noise in ("quiet", "paper-like", "clinical")]
    assert std == sorted(std)


def test_tuning_looks_at_validation_frames_of_its_own(monkeypatch, small_plan):
    asked = []
    draw = grid.held_out_pair
    monkeypatch.setattr(
        grid,
        "held_out_pair",
        lambda split, index, *rest, **more: asked.append((split, index)) or draw(split, index, *rest, **more),
    )
    tuned = run._tune(replace(small_plan, split="test"), "subtracted", "clinical", FAMILIES[1])
    assert {split for split, _ in asked} == {"validation"} and min(index for _, index in asked) > small_plan.frames
    assert tuned.family == FAMILIES[1].name and set(tuned.setting) == {"balance"}


def test_the_card_gets_one_models_figures(evaluation, untrained):
    metrics = write_metrics(untrained, evaluation.for_card("untrained")).metrics
    assert metrics["command"] == (
        "dsadeblur evaluate --model untrained --set validation --frames 1 --size 64 --sharpness 1 --noise-reduction 1 "
        "--uniform-noise-reduction"
    )
    assert metrics["data"] == "simulated, held out"
    assert read_card(untrained).sha256 == evaluation.models[0]["sha256"]
    # The structure of cards that are bundled with their figures.
    methods = {INPUT, PERFECT_DENOISER, *CLASSICAL, "untrained"}
    assert {row["method"] for row in metrics["rows"]} == {row["method"] for row in metrics["widths"]} == methods
    assert {(row["blur"], row["trained_blur"]) for row in metrics["rows"]} == {
        (ALL_TRAINED, True),
        ("other shapes", False),
    }
    row, margin, width = metrics["rows"][0], metrics["margins"][0], metrics["widths"][0]
    assert set(row) == {"kind", "noise", "blur", "trained_blur", "method", "frames", "psnr", "psnr_gain", "edge_gain",
                        "ssim", "ssim_gain", "worst_psnr_gain", "worst_edge_gain", "worst_ssim_gain",
                        "worst_shift"}  # fmt: skip
    assert row["frames"] == 1 and row["psnr"]["mean"] > 0 and row["psnr"]["low"] is None
    assert set(margin) == {"kind", "noise", "blur", "model", "against", "psnr", "worst", "below", "frames"}
    assert set(width) == {"noise", "contrast", "method", "error_px", "ratio", "missed", "by_diameter_px"}
    assert len(width["by_diameter_px"]) == 8 and type(margin["below"]) is int
    with pytest.raises(ValueError, match="other weights"):
        write_metrics(untrained, evaluation.for_card("tiny"))


def test_files_hold_the_whole_table(evaluation, tmp_path):
    written, table, *_ = evaluation.save(tmp_path / "new")
    found = json.loads(written.read_text(), parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
    assert found["data"] == "simulated" and found["noise_reduction"] == 1.0
    figures = pd.DataFrame(found["figures"], columns=evaluation.figures.columns)
    for one in (figures, pd.read_csv(table, keep_default_na=False, na_values=[""])):
        one = one.fillna(dict.fromkeys(("kind", "condition", "against"), ""))
        pd.testing.assert_frame_equal(one, evaluation.figures, check_dtype=False, rtol=1e-12)


def test_two_processes_find_the_same_as_one(untrained, tiny_model, small_plan):
    scores, settings = [], None
    chosen = dict.fromkeys([*((kind, noise) for kind in KINDS for noise in NOISE), run._PAPER], ())
    for workers in (1, 2):
        run.processes.load_models([untrained, tiny_model], settings)
        # A second trial may choose another engine.
        settings = {name: one for name, (_, one) in run.processes.networks().items()}
        with run.processes.workers([untrained, tiny_model], workers) as at_work:
            scores.append(run._scores(small_plan, chosen, at_work))
    pd.testing.assert_frame_equal(*scores)


def test_nothing_to_evaluate_is_refused(untrained):
    with pytest.raises(ValueError, match="at least one model"):
        run.evaluate([])
    with pytest.raises(ValueError, match="one frame"):
        run.evaluate([untrained], Plan(frames=0))
