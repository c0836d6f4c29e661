"""A residual U-Net: fewer operations a pixel and a wider view than the residual dense network."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from DSADeblurLib.restoration.architecture import UNetArchitecture
from DSADeblurLib.restoration.estimator import BlurEstimator
from DSADeblurLib.restoration.network import EntryConvolution, Modulation, RestorationNetwork, convolution

# Of negative values: units that a few bad steps have pushed down can come back.
SLOPE = 0.1


class ResidualBlock(nn.Module):
    """Two convolutions, added to the block's input."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.first = convolution(features, features)
        self.second = convolution(features, features)

    def forward(self, x: Tensor) -> Tensor:
        """(B, features, H, W) to the same shape."""
        return x + self.second(functional.leaky_relu(self.first(x), SLOPE))


class UNet(RestorationNetwork):
    """Residual blocks on several scales in low-resolution space; the way up adds what the way down had.

    After Ronneberger et al., MICCAI 2015. Sums instead of concatenations, and convolutions that halve and double
    by 2x2 without overlap, keep memory traffic low.
    """

    kind = UNetArchitecture.kind

    def __init__(self, architecture: UNetArchitecture) -> None:
        super().__init__(architecture)
        a, widths = architecture, architecture.widths
        self.first = EntryConvolution(a.frames * a.factor**2, a.features)
        self.down_blocks = nn.ModuleList(_blocks(width, a.blocks) for width in widths[:-1])
        self.down = nn.ModuleList(
            nn.Conv2d(fine, coarse, 2, stride=2) for fine, coarse in zip(widths, widths[1:], strict=False)
        )
        self.bottom = _blocks(widths[-1], a.blocks)
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(coarse, fine, 2, stride=2) for fine, coarse in zip(widths, widths[1:], strict=False)
        )
        self.up_blocks = nn.ModuleList(_blocks(width, a.blocks) for width in widths[:-1])
        if a.modulated:
            self.modulations = nn.ModuleList(Modulation(width) for width in widths)
            # Learned apart, from larger pieces of frames than the rest: see lab/training/estimator_training.
            self.estimator = BlurEstimator().requires_grad_(False)

    def body(self, x: Tensor, blur_condition: Tensor | None = None) -> Tensor:
        """(B, frames * factor^2, h, w), sides multiples of 2^levels, to (B, features, h, w)."""
        y = self._modulated(0, self.first(x), blur_condition)
        skips = []
        for level, (blocks, down) in enumerate(zip(self.down_blocks, self.down, strict=True), start=1):
            y = blocks(y)
            skips.append(y)
            y = self._modulated(level, down(y), blur_condition)
        y = self.bottom(y)
        for blocks, up, skip in reversed(list(zip(self.up_blocks, self.up, skips, strict=True))):
            y = blocks(skip + up(y))
        return y

    def _modulated(self, level: int, x: Tensor, blur_condition: Tensor | None) -> Tensor:
        return self.modulations[level](x, blur_condition) if self.architecture.modulated else x


def _blocks(features: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(ResidualBlock(features) for _ in range(count)))
