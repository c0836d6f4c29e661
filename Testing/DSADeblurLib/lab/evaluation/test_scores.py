"""Rows and margins are what their scores say."""

import numpy as np
import pytest

from DSADeblurLib.lab.evaluation.frames import CEILING_DB, Score, margins, rows, score_case
from DSADeblurLib.lab.evaluation.grid import ALL_TRAINED, BLURS, NOISE_FREE, Case, Cell
from DSADeblurLib.lab.evaluation.methods import INPUT, PERFECT_DENOISER, unchanged

SHARP = np.where(np.arange(48) < 20, 0.0, 0.3) * np.ones((48, 1))


def scores_of(cell, index, **psnr_by_method):
    shift = 0.001 * index
    return [Score(cell, name, index, v, v - 1, v / 100, shift) for name, v in psnr_by_method.items()]


@pytest.fixture
def scores():
    near, far, outside = (Cell("subtracted", "clinical", blur) for blur in (BLURS[0], BLURS[1], BLURS[-1]))
    return [
        *scores_of(near, 0, input=30, a=33, b=32, net=35),
        *scores_of(near, 1, input=30, a=31, b=34, net=33),
        *scores_of(far, 0, input=20, a=25, b=22, net=24),
        *scores_of(far, 1, input=20, a=24, b=23, net=29),
        *scores_of(outside, 0, input=10, a=10, b=10, net=9),
    ]


def test_rows(scores):
    found = {(row.blur, row.method): row for row in rows(scores)}
    net = found[ALL_TRAINED, "net"]
    assert net.frames == 4 and net.psnr_gain.mean == pytest.approx((5 + 3 + 4 + 9) / 4)
    assert net.worst_psnr_gain == 3 and net.worst_edge_gain == 3 and net.worst_ssim_gain == pytest.approx(0.03)
    assert net.worst_shift == 0.001 and net.trained_blur
    assert found[BLURS[1].name, "net"].psnr_gain.mean == pytest.approx(6.5)
    outside = found[BLURS[-1].name, "net"]
    assert outside.worst_psnr_gain == -1 and not outside.trained_blur
    assert found[ALL_TRAINED, "input"].psnr_gain.mean == 0


def test_intervals_are_over_scenes(scores):
    """Two scenes with the same mean over their blurs leave nothing to resample."""
    (row,) = (r for r in rows(scores) if (r.blur, r.method) == (ALL_TRAINED, "a"))
    assert row.psnr.low == pytest.approx((31 + 24) / 2) and row.psnr.high == pytest.approx((33 + 25) / 2)


def test_margins_are_over_the_method_with_the_best_mean(scores):
    found = {m.blur: m for m in margins(scores, ("net",), ("a", "b"))}
    pooled = found[ALL_TRAINED]
    assert pooled.against == "a" and pooled.psnr.mean == pytest.approx((2 + 2 - 1 + 5) / 4)
    assert pooled.worst == -1 and pooled.below == 1 and pooled.frames == 4
    assert found[BLURS[0].name].against == "b"


def test_scores_of_a_case():
    noisy = SHARP + 0.01
    case = Case(noisy[None], SHARP, SHARP, np.ones((1, 1)))
    methods = {INPUT: unchanged, "net": lambda frames, psf: SHARP - 0.002}
    found = {s.method: s for s in score_case(Cell("native", "quiet", BLURS[0]), 3, case, methods)}
    assert found[INPUT].psnr == pytest.approx(40) and found[INPUT].shift == pytest.approx(0.01)
    assert found["net"].shift == pytest.approx(-0.002) and found["net"].edge_psnr == pytest.approx(found["net"].psnr)
    assert found[PERFECT_DENOISER].psnr == found[PERFECT_DENOISER].edge_psnr == CEILING_DB
    half = score_case(Cell("native", NOISE_FREE, BLURS[0]), 3, case, methods, data_range=0.5)
    assert half[0].psnr == pytest.approx(40 - 6.02, abs=0.01) and len(half) == 2
