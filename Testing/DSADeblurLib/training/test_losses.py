"""Losses against values worked out by hand."""

import pytest
import torch

from DSADeblurLib.training.losses import batch_psnr, gradient_l1, restoration_loss


def test_gradient_does_not_see_an_offset():
    truth = torch.rand(2, 1, 16, 16)
    assert float(gradient_l1(truth + 3.0, truth)) == pytest.approx(0.0, abs=1e-6)
    assert float(restoration_loss(truth + 3.0, truth, 1.0)) == pytest.approx(3.0, rel=1e-5)


def test_gradient_of_a_ramp():
    ramp = torch.arange(16.0).expand(1, 1, 16, 16)
    assert float(gradient_l1(ramp, torch.zeros_like(ramp))) == pytest.approx(1.0)


def test_weight_zero_is_plain_l1():
    a, b = torch.rand(1, 1, 8, 8), torch.rand(1, 1, 8, 8)
    assert float(restoration_loss(a, b, 0.0)) == pytest.approx(float((a - b).abs().mean()))


def test_psnr_needs_and_uses_the_range():
    truth = torch.zeros(1, 1, 8, 8)
    assert batch_psnr(truth + 0.1, truth, 1.0) == pytest.approx(20.0, abs=1e-4)
    assert batch_psnr(truth + 0.1, truth, 2.0) == pytest.approx(26.02, abs=0.01)
