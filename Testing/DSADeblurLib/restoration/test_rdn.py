"""Dense blocks are those of the paper: what the sum of shares gives is what the concatenation gives."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from DSADeblurLib.restoration.rdn import ResidualDenseBlock


def by_concatenation(block: ResidualDenseBlock, x: torch.Tensor) -> torch.Tensor:
    """Zhang et al. 2018, equations 6 and 7, as they stand."""
    dense = [x]
    for layer in block.layers:
        dense.append(functional.relu(layer(torch.cat(dense, dim=1))))
    return x + block.fusion(torch.cat(dense, dim=1))


@given(st.integers(1, 9), st.integers(1, 5), st.integers(1, 5), st.integers(0, 99))
def test_a_block_is_the_one_with_concatenations(features, growth, layers, seed):
    torch.manual_seed(seed)
    block = ResidualDenseBlock(features, growth, layers).double()
    x = torch.randn(2, features, 7, 9, dtype=torch.double, requires_grad=True)
    values, expected = block(x), by_concatenation(block, x)
    torch.testing.assert_close(values, expected)
    found, wanted = (torch.autograd.grad(y.square().sum(), [x, *block.parameters()]) for y in (values, expected))
    torch.testing.assert_close(found, wanted)


def test_the_blocks_outputs_are_fused_as_if_concatenated(make_network):
    network, outputs = make_network(blocks=3), []
    for block in network.blocks:
        block.register_forward_hook(lambda module, x, y: outputs.append(y))
    fused = []
    network.fusion[1].register_forward_hook(lambda module, x, y: fused.append(x[0]))
    with torch.no_grad():
        network(torch.randn(1, 1, 32, 32))
        torch.testing.assert_close(fused[0], network.fusion[0](torch.cat(outputs, dim=1)))
