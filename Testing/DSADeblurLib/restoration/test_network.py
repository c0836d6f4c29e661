"""The network keeps its shape, sees exactly its receptive radius and starts as the identity."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from DSADeblurLib.restoration.network import Architecture, Attention, ResidualDenseNetwork, build_network


def positive_network(factor: int, blocks: int = 2, layers: int = 2) -> ResidualDenseNetwork:
    """All weights positive: no contribution cancels another, so every input pixel in reach has a gradient."""
    torch.manual_seed(0)
    network = build_network(Architecture(features=4, growth=2, blocks=blocks, layers=layers, factor=factor)).double()
    for parameter in network.parameters():
        torch.nn.init.uniform_(parameter, 0.01, 0.1)
    return network


@pytest.mark.parametrize("factor", [1, 2, 4])
@pytest.mark.parametrize(("blocks", "layers"), [(1, 1), (2, 2), (1, 3)])
def test_receptive_radius_is_exact(factor, blocks, layers):
    network = positive_network(factor, blocks, layers)
    side = 2 * network.receptive_radius + 4 * factor
    side += -side % factor
    centre = side // 2 // factor * factor
    reach = 0
    for phase in range(factor):
        # Small values, because a gate that is fully open has no gradient.
        x = torch.full((1, 1, side, side), 0.01, dtype=torch.double, requires_grad=True)
        (gradient,) = torch.autograd.grad(network(x)[0, 0, centre + phase, centre + phase], x)
        distance = (gradient[0, 0].nonzero() - (centre + phase)).abs()
        reach = max(reach, int(distance.max()))
    assert reach == network.receptive_radius


@settings(max_examples=12, deadline=None)
@given(height=st.integers(16, 45), width=st.integers(16, 45), factor=st.sampled_from([1, 2, 4]))
def test_shape_is_kept(height, width, factor):
    x = torch.randn(2, 1, height, width)
    with torch.no_grad():
        assert positive_network(factor).float()(x).shape == x.shape


@pytest.mark.parametrize("factor", [2, 4])
def test_sides_that_the_factor_does_not_divide_are_reflected(make_network, factor):
    network = make_network(factor=factor)
    x = torch.randn(1, 1, 33, 49)
    more = factor - 1
    padded = torch.from_numpy(np.pad(x.numpy(), ((0, 0), (0, 0), (0, more), (0, more)), mode="reflect"))
    with torch.no_grad():
        torch.testing.assert_close(network(x), network(padded)[..., :33, :49])


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_an_untrained_network_returns_its_input(factor):
    x = torch.randn(1, 1, 33, 47)
    assert torch.equal(build_network(Architecture(factor=factor, blocks=1))(x), x)


def test_without_global_skip_an_untrained_network_returns_zero():
    network = build_network(Architecture(blocks=1, global_skip=False))
    assert torch.equal(network(torch.randn(1, 1, 20, 20)), torch.zeros(1, 1, 20, 20))


@pytest.mark.parametrize("shape", [(1, 1, 15, 40), (1, 2, 32, 32), (32, 32)])
def test_unusable_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="at least 16 pixels"):
        build_network(Architecture(blocks=1))(torch.zeros(shape))


def test_every_weight_learns(make_network):
    network = make_network()
    network(torch.randn(2, 1, 32, 32)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in network.parameters())


def test_the_skip_keeps_float32_under_autocast(make_network):
    """The residual of a frame with a large offset is not lost in bfloat16's eight bits."""
    network = make_network()
    torch.nn.init.zeros_(network.last.weight)
    x = torch.randn(1, 1, 32, 32) + 1000
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.no_grad():
        y = network(x)
    assert y.dtype == torch.float32
    assert torch.equal(y, x)


def test_attention_is_a_gate_between_zero_and_one():
    x = torch.randn(1, 8, 9, 9)
    gate = Attention(8, 4)(x) / x
    assert 0 < gate.min() and gate.max() < 1


def test_architecture_survives_its_dictionary():
    architecture = Architecture(features=12, growth=6, blocks=3, layers=2, factor=4, global_skip=False)
    assert Architecture.from_dict(architecture.as_dict()) == architecture


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"kind": "unet"}, "Unknown network architecture 'unet'"),
        ({"factor": 3}, "factor must be 1, 2 or 4"),
        ({"blocks": 0}, "blocks must be a whole number"),
        ({"features": 10**6}, "features must be a whole number"),
        ({"layers": 2.0}, "layers must be a whole number"),
        ({"features": 2}, "must not exceed"),
        ({"global_skip": 1}, "global_skip must be true or false"),
        ({"width": 3}, "Unknown architecture entry 'width'"),
        ([], "must be a table"),
    ],
)
def test_unusable_architectures_are_refused(values, words):
    with pytest.raises(ValueError, match=words):
        Architecture.from_dict(values)
