"""A training starts where another model is, and nowhere else."""

from dataclasses import replace

import pytest
import torch

from DSADeblurLib.lab.training.start import take_weights
from DSADeblurLib.restoration.architecture import UNetArchitecture
from DSADeblurLib.restoration.build_network import build_network

SMALL = UNetArchitecture(features=8, growth=4, levels=1, attention_reduction=0, modulated=True)


def random_network(architecture, seed):
    torch.manual_seed(seed)
    network = build_network(architecture)
    torch.nn.init.normal_(network.last.weight, std=0.3)
    return network


@pytest.mark.parametrize("frames", [1, 3, 5])
def test_both_give_the_same_before_any_training(frames):
    source, network = random_network(SMALL, 0), random_network(replace(SMALL, frames=frames), 1)
    x, blur_condition = torch.randn(2, frames, 32, 32), torch.tensor([[3.0, 4.0, 0.2]] * 2)
    take_weights(network, source)
    with torch.no_grad():
        expected = source(x[:, frames // 2 : frames // 2 + 1], blur_condition)
        torch.testing.assert_close(network(x, blur_condition), expected, atol=1e-5, rtol=0)
        torch.testing.assert_close(network(x), source(x[:, frames // 2 : frames // 2 + 1]), atol=1e-5, rtol=0)


def test_new_blocks_add_nothing_yet_but_learn():
    source, network = random_network(SMALL, 0), random_network(replace(SMALL, blocks=3), 1)
    x, blur_condition = torch.randn(2, 1, 32, 32), torch.tensor([[3.0, 4.0, 0.2]] * 2)
    take_weights(network, source)
    torch.testing.assert_close(network(x, blur_condition), source(x, blur_condition), atol=1e-5, rtol=0)
    network(x, blur_condition).square().sum().backward()
    assert network.bottom[2].second.weight.grad.abs().max() > 0


@pytest.mark.parametrize("numbers", [{"features": 12}, {"modulated": False}, {"levels": 2}])
def test_another_network_is_refused(numbers):
    with pytest.raises(ValueError, match=f"other {next(iter(numbers))}"):
        take_weights(random_network(replace(SMALL, **numbers), 0), random_network(SMALL, 1))


def test_fewer_frames_are_refused():
    with pytest.raises(ValueError, match="other frames"):
        take_weights(random_network(SMALL, 0), random_network(replace(SMALL, frames=3), 1))
