"""What all networks share: shapes, the untrained identity, the skip's precision, and how far an output pixel sees."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from DSADeblurLib.restoration.architecture import Architecture, RDNArchitecture, UNetArchitecture
from DSADeblurLib.restoration.build_network import build_network
from DSADeblurLib.restoration.network import Attention, Modulation, RestorationNetwork, operations_per_pixel

SMALL = {"features": 4, "growth": 2, "blocks": 1}
BOTH = [RDNArchitecture(**SMALL, layers=2), UNetArchitecture(**SMALL, levels=2)]


def positive_network(architecture: Architecture) -> RestorationNetwork:
    """All weights positive: no contribution cancels another, so every input pixel in reach has a gradient."""
    torch.manual_seed(0)
    network = build_network(architecture).double()
    for parameter in network.parameters():
        torch.nn.init.uniform_(parameter, 0.01, 0.1)
    return network


def reach(network: RestorationNetwork) -> int:
    """Largest distance over which an input pixel changes an output pixel, for every phase of the output pixel."""
    multiple = network.multiple
    side = 2 * network.receptive_radius + 4 * multiple
    side += -side % multiple
    centre = side // 2 // multiple * multiple
    largest = 0
    for phase in range(multiple):
        # Small values, because a gate that is fully open has no gradient.
        x = torch.full((1, 1, side, side), 0.01, dtype=torch.double, requires_grad=True)
        (gradient,) = torch.autograd.grad(network(x)[0, 0, centre + phase, centre + phase], x)
        distance = (gradient[0, 0].nonzero() - (centre + phase)).abs()
        largest = max(largest, int(distance.max()))
    return largest


@pytest.mark.parametrize("factor", [1, 2, 4])
@pytest.mark.parametrize(("blocks", "layers"), [(1, 1), (2, 2), (1, 3)])
def test_receptive_radius_of_rdn_is_exact(factor, blocks, layers):
    network = positive_network(RDNArchitecture(features=4, growth=2, blocks=blocks, layers=layers, factor=factor))
    assert reach(network) == network.receptive_radius


@pytest.mark.parametrize(("factor", "levels", "blocks"), [(1, 1, 1), (2, 2, 1), (2, 1, 2), (2, 3, 1)])
def test_receptive_radius_of_unet_is_exact(factor, levels, blocks):
    network = positive_network(
        UNetArchitecture(features=2, growth=1, blocks=blocks, levels=levels, factor=factor, attention_reduction=2)
    )
    assert reach(network) == network.receptive_radius


@settings(max_examples=12, deadline=None)
@given(
    height=st.integers(16, 45),
    width=st.integers(16, 45),
    factor=st.sampled_from([1, 2, 4]),
    frames=st.sampled_from([1, 3]),
    kind=st.sampled_from([RDNArchitecture, UNetArchitecture]),
)
def test_shape_is_kept(height, width, factor, frames, kind):
    x = torch.randn(2, frames, height, width)
    with torch.no_grad():
        y = positive_network(kind(**SMALL, factor=factor, frames=frames)).float()(x)
    assert y.shape == (2, 1, height, width)


@pytest.mark.parametrize("architecture", BOTH, ids=lambda a: a.kind)
def test_sides_that_do_not_fit_are_reflected(architecture):
    network = positive_network(architecture).float()
    x = torch.randn(1, 1, 33, 49)
    more = network.multiple - 1
    padded = torch.from_numpy(np.pad(x.numpy(), ((0, 0), (0, 0), (0, more), (0, more)), mode="reflect"))
    with torch.no_grad():
        torch.testing.assert_close(network(x), network(padded)[..., :33, :49])


@pytest.mark.parametrize("frames", [1, 5])
@pytest.mark.parametrize("kind", [RDNArchitecture, UNetArchitecture])
def test_an_untrained_network_returns_the_middle_frame(kind, frames):
    x = torch.randn(1, frames, 33, 47)
    assert torch.equal(build_network(kind(**SMALL, frames=frames))(x), x[:, frames // 2 : frames // 2 + 1])


def test_without_global_skip_an_untrained_network_returns_zero():
    network = build_network(RDNArchitecture(blocks=1, global_skip=False))
    assert torch.equal(network(torch.randn(1, 1, 20, 20)), torch.zeros(1, 1, 20, 20))


@pytest.mark.parametrize("architecture", BOTH, ids=lambda a: a.kind)
@pytest.mark.parametrize("shape", [(1, 1, 15, 40), (1, 2, 32, 32), (32, 32)])
def test_unusable_shapes_are_refused(shape, architecture):
    with pytest.raises(ValueError, match="at least 16 pixels"):
        build_network(architecture)(torch.zeros(shape))


@pytest.mark.parametrize("architecture", BOTH, ids=lambda a: a.kind)
def test_every_weight_learns(architecture):
    torch.manual_seed(1)
    network = build_network(architecture)
    torch.nn.init.normal_(network.last.weight, std=0.1)
    network(torch.randn(2, 1, 64, 64)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in network.parameters())


@pytest.mark.parametrize("architecture", BOTH, ids=lambda a: a.kind)
def test_the_skip_keeps_float32_under_autocast(architecture):
    """The residual of a frame with a large offset is not lost in bfloat16's eight bits."""
    network = build_network(architecture)
    x = torch.randn(1, 1, 32, 32) + 1000
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.no_grad():
        y = network(x)
    assert y.dtype == torch.float32
    assert torch.equal(y, x)


def test_attention_is_a_gate_between_zero_and_one():
    x = torch.randn(1, 8, 9, 9)
    gate = Attention(8, 4)(x) / x
    assert 0 < gate.min() and gate.max() < 1


def test_what_is_told_is_not_rounded_under_autocast():
    """Differences of the blur condition that bfloat16 would swallow reach the result."""
    torch.manual_seed(2)
    modulation = Modulation(8)
    for parameter in modulation.parameters():
        torch.nn.init.normal_(parameter)
    blur_condition = torch.tensor([[4.0, 4.0, 0.24]])
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.no_grad():
        results = [modulation(torch.zeros(1, 8, 1, 1), blur_condition * factor) for factor in (1.0, 1.001)]
    assert results[0].dtype == torch.float32 and (results[0] != results[1]).all()


@pytest.mark.parametrize("factor", [1, 2])
def test_operations_are_those_of_the_convolutions(factor):
    network = build_network(RDNArchitecture(**SMALL, layers=1, factor=factor, attention_reduction=0))
    convolutions = [m.weight.numel() for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
    assert operations_per_pixel(network) == pytest.approx(2 * sum(convolutions) / factor**2)


@pytest.mark.parametrize(
    "architecture",
    [
        *BOTH,
        RDNArchitecture(features=8, growth=4, blocks=3, layers=3, factor=4, frames=3, attention_reduction=0),
        UNetArchitecture(features=8, growth=4, blocks=2, levels=3, factor=1, frames=5),
        UNetArchitecture(features=32, growth=16, levels=3, attention_reduction=0, modulated=True),
    ],
)
def test_an_architecture_knows_the_operations_of_its_network(architecture):
    """But for the few of the blur condition."""
    counted = operations_per_pixel(build_network(architecture))
    assert architecture.operations_per_pixel == pytest.approx(counted, rel=1e-4)
