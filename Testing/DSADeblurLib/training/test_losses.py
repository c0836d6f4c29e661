"""Losses against values worked out by hand."""

import pytest
import torch

from DSADeblurLib.training.losses import frame_errors, restoration_loss


def test_gradient_does_not_see_an_offset():
    truth = torch.rand(2, 1, 16, 16)
    with_gradient, without = (frame_errors(truth + 3.0, truth, weight) for weight in (1.0, 0.0))
    torch.testing.assert_close(with_gradient, torch.full((2,), 3.0), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(without, torch.full((2,), 3.0), rtol=1e-4, atol=1e-4)


def test_gradient_of_a_ramp():
    ramp = torch.arange(16.0).expand(1, 1, 16, 16)
    # Mean value 7.5, slope 1 along columns and 0 along rows.
    assert float(frame_errors(ramp, torch.zeros_like(ramp), 1.0)) == pytest.approx(8.5)


def test_input_as_output_costs_one_and_truth_nothing():
    truth = torch.rand(3, 1, 16, 16)
    degraded = truth + torch.randn_like(truth)
    assert float(restoration_loss(degraded, degraded, truth, 1.0)) == pytest.approx(1.0, rel=1e-2)
    assert float(restoration_loss(truth, degraded, truth, 1.0)) == 0.0


def test_quiet_frames_count_as_much_as_noisy_ones():
    truth = torch.rand(2, 1, 32, 32)
    noise = torch.randn_like(truth) * torch.tensor([1.0, 0.05]).view(2, 1, 1, 1)
    degraded = truth + noise
    halved = [degraded.clone(), degraded.clone()]
    for index in range(2):
        halved[index][index] = truth[index] + noise[index] / 2
    losses = [float(restoration_loss(output, degraded, truth, 1.0)) for output in halved]
    assert losses[0] == pytest.approx(losses[1], rel=0.03)
