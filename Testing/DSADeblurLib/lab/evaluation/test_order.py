"""Which order of deblurring and subtraction is better: the runs are the same each time, and both orders are taken."""

from types import SimpleNamespace

import numpy as np
import pytest

from DSADeblurLib.lab.evaluation import order
from DSADeblurLib.lab.image_quality.quality import psnr
from DSADeblurLib.request import ORDERS, DeblurRequest
from DSADeblurLib.xa import subtract

pytestmark = pytest.mark.slow


def test_runs_are_the_same_wherever_they_are_drawn():
    one, other = (order.draw_run("validation", 0, "clinical", 96) for _ in range(2))
    np.testing.assert_array_equal(one.frames, other.frames)
    np.testing.assert_array_equal(one.truth, other.truth)
    quiet = order.draw_run("validation", 0, "quiet", 96)
    np.testing.assert_allclose(quiet.truth, one.truth, atol=2e-3)
    noisy, clean = (psnr(subtract(run.frames, run.plan, "LIN")[0], run.truth, data_range=1) for run in (one, quiet))
    assert clean > noisy + 5


def test_no_deblurring_gives_the_same_in_both_orders(small_model, monkeypatch):
    """The only difference between the orders is when the network is asked."""
    run = order.draw_run("validation", 1, "paper-like", 96)
    plain = subtract(run.frames, run.plan, "LIN")[0]
    nothing = {"sharpness": 0.0, "noise_reduction": 0.0}
    monkeypatch.setattr(
        order, "DeblurRequest", SimpleNamespace(of=lambda **choices: DeblurRequest.of(**choices | nothing))
    )
    for name in ORDERS:
        np.testing.assert_allclose(order.deblurred(run, small_model, name), plain, atol=1e-6)


def test_command_prints_both_orders(capsys, small_model, monkeypatch):
    monkeypatch.setattr(order, "load_model", lambda name: small_model)
    assert order.main(["--frames", "2", "--size", "96"]) == 0
    printed = capsys.readouterr().out
    for words in ("subtract first", "deblur first", "quiet", "paper-like", "clinical", "edge PSNR", "data range of 1"):
        assert words in printed
    scores = order.score_orders(small_model, "validation", "quiet", 1, 96)
    assert {score["order"] for score in scores} == {order.INPUT, *ORDERS}
    with pytest.raises(SystemExit):
        order.main(["--set", "sample"])
