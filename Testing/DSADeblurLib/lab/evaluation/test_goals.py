"""Targets are judged by the figures: reached exactly when the figures are good enough, in the mean and at the worst."""

from dataclasses import replace

import pytest

from DSADeblurLib.lab.evaluation.bootstrap import Estimate
from DSADeblurLib.lab.evaluation.frames import Margin, Row
from DSADeblurLib.lab.evaluation.goals import targets_of
from DSADeblurLib.lab.evaluation.grid import ALL_TRAINED, NOISE_FREE, PAPER
from DSADeblurLib.lab.evaluation.result import Still, Widths


def value(mean):
    return Estimate(mean, mean - 0.1, mean + 0.1)


def row(kind, noise, blur, trained=True):
    return Row(
        kind,
        noise,
        blur,
        trained,
        "net",
        8,
        value(45),
        value(9),
        6.0,
        value(7),
        4.0,
        value(0.98),
        value(0.07),
        0.02,
        0.001,
    )


ROWS = [row(k, n, ALL_TRAINED) for k in ("native", "subtracted") for n in ("paper-like", "clinical", NOISE_FREE)]
ROWS.append(row("native", "quiet", "9-14 px", trained=False))
BODY = [row("native", PAPER.name, PAPER.name, trained=False)]
MARGINS = [Margin("subtracted", "paper-like", ALL_TRAINED, "net", "Wiener", value(4), 0.5, 0, 8)]
WIDTHS = [Widths("paper-like", c, "net", value(0.1), 0.2, 0.0, ()) for c in ("with diameter", "same for all")]
STILL = [Still("clinical", "net", 0.2, 0.2)]


def judged(rows=ROWS, body=BODY, margins=MARGINS, widths=WIDTHS, still=STILL):
    return {t.name: t for t in targets_of("net", rows, body, margins, widths, still)}


def test_all_reached():
    found = judged()
    assert len(found) == 14 and all(t.reached for t in found.values()), [t for t in found.values() if not t.reached]


def changed(rows, key, **fields):
    return [replace(r, **fields) if (r.kind, r.noise) == key else r for r in rows]


@pytest.mark.parametrize(
    ("words", "change"),
    [
        ("PSNR gain, subtracted, paper", dict(rows=changed(ROWS, ("subtracted", "paper-like"), psnr_gain=value(6.9)))),
        ("edge PSNR gain", dict(rows=changed(ROWS, ("subtracted", "paper-like"), edge_gain=value(5.9)))),
        ("SSIM gain, subtracted", dict(rows=changed(ROWS, ("subtracted", "paper-like"), ssim_gain=value(0.05)))),
        ("PSNR gain, subtracted, clinical", dict(rows=changed(ROWS, ("subtracted", "clinical"), psnr_gain=value(7)))),
        ("over the best classical", dict(margins=[replace(MARGINS[0], psnr=value(3.4))])),
        ("over the best classical", dict(margins=[replace(MARGINS[0], below=1)])),
        ("PSNR gain, native body", dict(body=[replace(BODY[0], psnr_gain=value(4.6))])),
        ("SSIM gain, native body", dict(body=[replace(BODY[0], ssim_gain=value(0.03))])),
        ("contrast with diameter", dict(widths=[replace(WIDTHS[0], ratio=0.26), WIDTHS[1]])),
        ("contrast with diameter", dict(widths=[replace(WIDTHS[0], missed=0.1), WIDTHS[1]])),
        ("contrast with diameter", dict(widths=[replace(WIDTHS[0], ratio=float("nan")), WIDTHS[1]])),
        ("noise-free input, native", dict(rows=changed(ROWS, ("native", NOISE_FREE), worst_psnr_gain=-0.1))),
        ("noise-free input, subtracted", dict(rows=changed(ROWS, ("subtracted", NOISE_FREE), edge_gain=value(3)))),
        ("mean signal", dict(rows=changed(ROWS, ("native", "clinical"), worst_shift=-0.006))),
        ("background flicker", dict(still=[Still("clinical", "net", 0.24, 0.2)])),
        ("blur outside", dict(rows=changed(ROWS, ("native", "quiet"), worst_psnr_gain=-0.1))),
    ],
)
def test_each_target_sees_its_own_figure(words, change):
    missed = [name for name, target in judged(**change).items() if not target.reached]
    assert len(missed) == 1 and words in missed[0]
