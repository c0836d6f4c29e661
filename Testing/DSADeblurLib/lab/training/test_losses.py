"""Losses: nothing for the truth, and what each of them is made for."""

import pytest
import torch

from DSADeblurLib.lab.training.losses import LOSSES, frame_errors, logarithmic, relative, relative_squared


@pytest.mark.parametrize("name", LOSSES)
def test_the_truth_costs_least_and_every_pixel_has_a_gradient(name):
    generator = torch.Generator().manual_seed(0)
    truth = torch.rand(2, 1, 96, 96, generator=generator)
    degraded = truth + 0.1 * torch.randn(truth.shape, generator=generator)
    output = degraded.clone().requires_grad_()
    loss = LOSSES[name](output, degraded, truth)
    loss.backward()
    assert torch.isfinite(output.grad).all() and (output.grad != 0).float().mean() > 0.99
    closer = truth + 0.5 * (degraded - truth)
    values = [float(LOSSES[name](frames, degraded, truth)) for frames in (truth, closer, degraded)]
    assert values == sorted(values) and values[0] < values[1] < values[2]


def test_gradient_does_not_see_an_offset():
    truth = torch.rand(2, 1, 16, 16)
    torch.testing.assert_close(frame_errors(truth + 3.0, truth), torch.full((2,), 3.0), rtol=1e-4, atol=1e-4)


def test_gradient_of_a_ramp():
    ramp = torch.arange(16.0).expand(1, 1, 16, 16)
    # Mean value 7.5, slope 1 along columns and 0 along rows.
    assert float(frame_errors(ramp, torch.zeros_like(ramp))) == pytest.approx(8.5)


def test_input_as_output_costs_one_and_truth_nothing():
    truth = torch.rand(3, 1, 16, 16)
    degraded = truth + torch.randn_like(truth)
    assert float(relative(degraded, degraded, truth)) == pytest.approx(1.0, rel=1e-2)
    assert float(relative_squared(degraded, degraded, truth)) == pytest.approx(2.0, rel=1e-2)
    assert float(relative(truth, degraded, truth)) == 0.0


@pytest.mark.parametrize("loss", [relative, relative_squared, logarithmic])
def test_quiet_frames_count_as_much_as_noisy_ones(loss):
    truth = torch.rand(2, 1, 32, 32)
    noise = torch.randn_like(truth) * torch.tensor([1.0, 0.05]).view(2, 1, 1, 1)
    degraded = truth + noise
    halved = [degraded.clone(), degraded.clone()]
    for index in range(2):
        halved[index][index] = truth[index] + noise[index] / 2
    before = float(loss(degraded, degraded, truth))
    gains = [before - float(loss(output, degraded, truth)) for output in halved]
    assert gains[0] == pytest.approx(gains[1], rel=0.05)
