"""The residual dense network of the paper."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from DSADeblurLib.restoration.architecture import RDNArchitecture
from DSADeblurLib.restoration.network import EntryConvolution, RestorationNetwork, convolution


class ResidualDenseBlock(nn.Module):
    """Dense layers, fused by a 1x1 convolution and added to the block's input (Zhang et al., CVPR 2018)."""

    def __init__(self, features: int, growth: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(convolution(features + i * growth, growth) for i in range(layers))
        self.fusion = convolution(features + layers * growth, features, size=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, features, H, W) to the same shape."""
        dense = x
        for layer in self.layers:
            dense = torch.cat((dense, functional.relu(layer(dense))), dim=1)
        return x + self.fusion(dense)


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

    def body(self, x: Tensor) -> Tensor:
        """(B, frames * factor^2, h, w) to (B, features, h, w)."""
        first = self.shallow_first(x)
        y = self.shallow_second(first)
        outputs = []
        for block in self.blocks:
            y = block(y)
            outputs.append(y)
        return self.fusion(torch.cat(outputs, dim=1)) + first
