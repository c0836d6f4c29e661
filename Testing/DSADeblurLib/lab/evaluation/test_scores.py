"""Means, margins and intervals are what their scores say."""

import numpy as np
import pandas as pd
import pytest

from DSADeblurLib.lab.evaluation.grid import ALL_TRAINED, BLURS, NOISE_FREE, Case
from DSADeblurLib.lab.evaluation.methods import INPUT, PERFECT_DENOISER, unchanged
from DSADeblurLib.lab.evaluation.result import long_table
from DSADeblurLib.lab.evaluation.scores import CEILING_DB, margins, score_case, summaries

SHARP = np.where(np.arange(48) < 20, 0.0, 0.3) * np.ones((48, 1))
NEAR, FAR, OUTSIDE = (BLURS[i].name for i in (0, 1, -1))


def scores_of(blur, index, **psnr):
    gains = {method: value - psnr[INPUT] for method, value in psnr.items()}
    where = dict(table="frames", kind="subtracted", noise="clinical", condition=blur, index=index, shift=0.001 * index)
    return [
        where
        | dict(method=m, psnr=v, psnr_gain=gains[m], edge_psnr=v - 1, edge_psnr_gain=gains[m])
        | dict(ssim=v / 100, ssim_gain=gains[m] / 100)
        for m, v in psnr.items()
    ]


SCORES = pd.DataFrame(
    [
        *scores_of(NEAR, 0, input=30, a=33, b=32, net=35),
        *scores_of(NEAR, 1, input=30, a=31, b=34, net=33),
        *scores_of(FAR, 0, input=20, a=25, b=22, net=24),
        *scores_of(FAR, 1, input=20, a=24, b=23, net=29),
        *scores_of(OUTSIDE, 0, input=10, a=10, b=10, net=9),
    ]
)


def test_summaries_and_their_intervals_over_scenes():
    found = long_table(summaries(SCORES)).set_index(["condition", "method", "measure"]).sort_index()
    net = found.loc[ALL_TRAINED, "net"]
    assert set(net["n"]) == {4} and net["value"]["psnr_gain"] == pytest.approx((5 + 3 + 4 + 9) / 4)
    assert net["value"]["worst_psnr_gain"] == net["value"]["worst_edge_gain"] == 3
    assert net["value"]["worst_ssim_gain"] == pytest.approx(0.03) and net["value"]["worst_shift"] == 0.001
    assert found["value"][FAR, "net", "psnr_gain"] == pytest.approx(6.5)
    assert found["value"][OUTSIDE, "net", "worst_psnr_gain"] == -1
    assert found["value"][ALL_TRAINED, INPUT, "psnr_gain"] == 0
    # Two scenes, the blurs of each averaged first.
    a = found.loc[(ALL_TRAINED, "a", "psnr")]
    assert (a["low"], a["high"]) == pytest.approx(((31 + 24) / 2, (33 + 25) / 2))


def test_margins_are_over_the_method_with_the_best_mean():
    found = long_table(margins(SCORES, ["net"], ["a", "b"])).set_index(["condition", "measure"]).sort_index()
    pooled = found.loc[ALL_TRAINED]
    assert set(pooled["against"]) == {"a"} and pooled["value"]["psnr"] == pytest.approx((2 + 2 - 1 + 5) / 4)
    assert pooled["value"]["worst"] == -1 and pooled["value"]["below"] == 1 and set(pooled["n"]) == {4}
    assert found["against"][NEAR, "psnr"] == "b"


def test_scores_of_a_case():
    case = Case((SHARP + 0.01)[None], SHARP, SHARP, np.ones((1, 1)))
    methods = {INPUT: unchanged, "net": lambda frames, psf: SHARP - 0.002}
    found = {s["method"]: s for s in score_case({"noise": "quiet", "index": 3}, case, methods)}
    before, net = found[INPUT], found["net"]
    assert before["psnr"] == pytest.approx(40) and before["shift"] == pytest.approx(0.01) and before["index"] == 3
    assert net["shift"] == pytest.approx(-0.002) and net["edge_psnr"] == pytest.approx(net["psnr"])
    assert net["psnr_gain"] == pytest.approx(20 * np.log10(5))
    assert found[PERFECT_DENOISER]["psnr"] == found[PERFECT_DENOISER]["edge_psnr"] == CEILING_DB
    half = score_case({"noise": NOISE_FREE}, case, methods, data_range=0.5)
    assert half[0]["psnr"] == pytest.approx(40 - 6.02, abs=0.01) and len(half) == 2
