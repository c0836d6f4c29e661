"""The residual dense network of the paper."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn
from torch.nn import functional

from DSADeblurLib.restoration.architecture import RDNArchitecture
from DSADeblurLib.restoration.network import EntryConvolution, RestorationNetwork, convolution


def _add_share(total: Tensor | None, layer: nn.Conv2d, x: Tensor, start: int) -> Tensor:
    """Add to `total` what x gives to a convolution over a concatenation in which x begins at channel `start`.

    The shares of all parts are added up in place of concatenating them first: the same sum, without copies that take
    as long as the convolutions themselves. The first share, without a total, brings the bias.
    """
    weight = layer.weight[:, start : start + x.shape[1]]
    if total is None:
        return functional.conv2d(x, weight, layer.bias, padding=layer.padding)
    total += functional.conv2d(x, weight, padding=layer.padding)
    return total


class ResidualDenseBlock(nn.Module):
    """Dense layers, fused by a 1x1 convolution and added to the block's input (Zhang et al., CVPR 2018)."""

    def __init__(self, features: int, growth: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(convolution(features + i * growth, growth) for i in range(layers))
        self.fusion = convolution(features + layers * growth, features, size=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, features, H, W) to the same shape."""
        readers = [*self.layers, self.fusion]
        sums = [_add_share(None, reader, x, 0) for reader in readers]
        start = x.shape[1]
        for index in range(len(self.layers)):
            dense = functional.relu(sums[index])
            for later in range(index + 1, len(readers)):
                sums[later] = _add_share(sums[later], readers[later], dense, start)
            start += dense.shape[1]
        return x + sums[-1]


class ResidualDenseNetwork(RestorationNetwork):
    """Residual dense network with attention in low-resolution space.

    After Geng et al., Interv Neuroradiol 2022, doi 10.1177/15910199221143168: shallow convolutions, residual
    dense blocks with local residual learning, dense feature fusion of all blocks, attention.
    """

    kind = RDNArchitecture.kind

    def __init__(self, architecture: RDNArchitecture) -> None:
        super().__init__(architecture)
        a = architecture
        self.shallow_first = EntryConvolution(a.frames * a.factor**2, a.features)
        self.shallow_second = convolution(a.features, a.features)
        self.blocks = nn.ModuleList(ResidualDenseBlock(a.features, a.growth, a.layers) for _ in range(a.blocks))
        self.fusion = nn.Sequential(
            convolution(a.blocks * a.features, a.features, size=1),
            convolution(a.features, a.features),
        )

    def body(self, x: Tensor, blur_condition: Tensor | None = None) -> Tensor:
        """(B, frames * factor^2, h, w) to (B, features, h, w)."""
        first = self.shallow_first(x)
        y = self.shallow_second(first)
        fused = None
        for index, block in enumerate(self.blocks):
            y = block(y)
            fused = _add_share(fused, cast(nn.Conv2d, self.fusion[0]), y, index * y.shape[1])
        return self.fusion[1](fused) + first
