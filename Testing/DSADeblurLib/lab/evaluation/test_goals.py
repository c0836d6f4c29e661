"""Targets are judged by the figures: reached exactly when the figures are good enough, in the mean and at the worst."""

from itertools import product

import pytest

from DSADeblurLib.lab.evaluation.goals import LEFT, targets_of
from DSADeblurLib.lab.evaluation.grid import ALL_TRAINED, NOISE_FREE, PAPER
from DSADeblurLib.lab.evaluation.result import long_table, rows_of, select

GOOD = dict(psnr_gain=9, worst_psnr_gain=6, edge_gain=7, worst_edge_gain=4, ssim_gain=0.07, worst_ssim_gain=0.02)
FRAMES = [(k, n, ALL_TRAINED) for k in ("native", "subtracted") for n in ("paper-like", "clinical", NOISE_FREE)]
LIKE = dict(kind="subtracted", noise="paper-like")


def figures():
    rows = []
    for kind, noise, blur in [*FRAMES, ("native", "quiet", "9-14 px")]:
        rows += rows_of({**GOOD, "worst_shift": 0.001}, table="frames", kind=kind, noise=noise, condition=blur)
    rows += rows_of(GOOD, table="paper", kind="native", noise=PAPER.name, condition=PAPER.name)
    ahead = {"psnr": 4.0, "worst": 0.5, "below": 0}
    rows += rows_of(ahead, table="margins", condition=ALL_TRAINED, against="Wiener", n=8, **LIKE)
    for contrast in ("with diameter", "same for all"):
        widths = {"error_px": 0.1, "ratio": 0.2, "missed": 0.0}
        rows += rows_of(widths, table="widths", noise="paper-like", condition=contrast)
    rows += rows_of({"flicker": 0.2, "noise_kept": 0.2}, table="still", noise="clinical")
    for noise, contrast in product(("quiet", "clinical"), LEFT):
        rows += rows_of({"left": 1.12, "left_10": 1.06}, table="vessels", noise=noise, at=contrast)
        rows += rows_of({"d_ratio": 1.1}, table="detection", noise=noise, at=contrast)
    rows += rows_of({"ratio": 0.4}, table="noise", noise="clinical")
    table = long_table({**row, "method": "net"} for row in rows)
    wrong = rows_of(GOOD, table="wrong header", condition="2-4 px", method="net, no header", **LIKE)
    return long_table([*table.to_dict("records"), *wrong])


def test_all_reached():
    found = targets_of("net", figures())
    assert len(found) == 21 and all(target["reached"] for target in found)


@pytest.mark.parametrize(
    ("words", "value", "change"),
    [
        ("vessels of 1 sigma", 0.94, dict(table="vessels", noise="clinical", measure="left", at=1.0)),
        ("vessels of 3 sigma", 0.99, dict(table="vessels", noise="quiet", measure="left_10", at=3.0)),
        ("noise left", 0.51, dict(table="noise", measure="ratio")),
        ("d' of thin vessels", 0.99, dict(table="detection", noise="quiet", at=2.0)),
        ("PSNR gain, subtracted, paper", 6.9, dict(table="frames", measure="psnr_gain", **LIKE)),
        ("edge PSNR gain", 5.9, dict(table="frames", measure="edge_gain", **LIKE)),
        ("SSIM gain, subtracted", 0.05, dict(table="frames", measure="ssim_gain", **LIKE)),
        ("PSNR gain, subtracted, clinical", 7, dict(LIKE, table="frames", measure="psnr_gain", noise="clinical")),
        ("over the best classical", 3.4, dict(table="margins", measure="psnr")),
        ("over the best classical", 1, dict(table="margins", measure="below")),
        ("PSNR gain, native body", 4.6, dict(table="paper", measure="psnr_gain")),
        ("SSIM gain, native body", 0.03, dict(table="paper", measure="ssim_gain")),
        ("contrast with diameter", 0.26, dict(measure="ratio", condition="with diameter")),
        ("contrast with diameter", 0.1, dict(measure="missed", condition="with diameter")),
        ("contrast with diameter", float("nan"), dict(measure="ratio", condition="with diameter")),
        ("noise-free input, native", -0.1, dict(kind="native", noise=NOISE_FREE, measure="worst_psnr_gain")),
        ("noise-free input, subtracted", 3, dict(kind="subtracted", noise=NOISE_FREE, measure="edge_gain")),
        ("mean signal", -0.006, dict(kind="native", noise="clinical", measure="worst_shift")),
        ("background flicker", 0.24, dict(measure="flicker")),
        ("blur outside", -0.1, dict(condition="9-14 px", measure="worst_psnr_gain")),
        ("no header, and focal spots wrong", -0.1, dict(table="wrong header", measure="worst_psnr_gain")),
    ],
)
def test_each_target_sees_its_own_figure(words, value, change):
    table = figures()
    at = change.pop("at", None)
    found = select(table, **change)
    (place,) = (found if at is None else found[found["at"] == at]).index
    table.loc[place, "value"] = value
    missed = [target["name"] for target in targets_of("net", table) if not target["reached"]]
    assert len(missed) == 1 and words in missed[0]
