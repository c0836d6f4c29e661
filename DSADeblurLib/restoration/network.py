"""What all restoration networks share: frames in, pixel-unshuffle, a body in low-resolution space, shuffle, skip."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from DSADeblurLib.restoration.architecture import Architecture

SMALLEST_SIDE = 16
# Normalised frames have a range of about 1 and blur changes them by hundredths; convolutions learn far faster on
# numbers of order 1. The gain is taken back at the end.
SIGNAL_GAIN = 8.0


def convolution(inputs: int, outputs: int, size: int = 3) -> nn.Conv2d:
    """A convolution that keeps the sides."""
    return nn.Conv2d(inputs, outputs, size, padding=size // 2)


class EntryConvolution(nn.Conv2d):
    """The first convolution, in float32 under autocast too; what it gives is of autocast's type.

    Frames are large and slow, and their correction is small: rounded to bfloat16's eight bits on the way in, a frame
    loses more than all other convolutions together.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H, W)."""
        kind = x.device.type
        if not torch.is_autocast_enabled(kind):
            return super().forward(x)
        with torch.autocast(kind, enabled=False):
            y = super().forward(x.float())
        return y.to(torch.get_autocast_dtype(kind))


class Attention(nn.Module):
    """A gate per channel and pixel: 3x3 reduces the channels, ReLU, 1x1 recovers them, sigmoid, product.

    Geng et al. 2022 draw no pooling, and none is done here: the gate sees 3x3 positions only, so that a tile
    with a halo gives exactly the values of the whole frame.
    """

    def __init__(self, features: int, reduction: int) -> None:
        super().__init__()
        squeezed = max(1, features // reduction)
        self.reduce = convolution(features, squeezed)
        self.recover = convolution(squeezed, features, size=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, features, H, W) to the same shape."""
        return x * torch.sigmoid(self.recover(functional.relu(self.reduce(x))))


class RestorationNetwork(nn.Module):
    """Frames in, the middle one restored.

    The frames are pixel-unshuffled by `factor` on the way in and the result is shuffled back on the way out. The
    last convolution starts at zero: with the global skip an untrained network returns its input.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.attention = Attention(architecture.features, architecture.attention_reduction)
        self.last = convolution(architecture.features, architecture.factor**2)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    @property
    def receptive_radius(self) -> int:
        """Largest distance in rows or columns from an output pixel to an input pixel that it depends on."""
        return self.architecture.receptive_radius

    @property
    def multiple(self) -> int:
        """Sides and tile origins must be multiples of this; other sides are padded inside."""
        return self.architecture.multiple

    def body(self, x: Tensor) -> Tensor:
        """(B, frames * factor^2, h, w), scaled, in low-resolution space, to (B, features, h, w)."""
        raise NotImplementedError

    def correction(self, x: Tensor) -> Tensor:
        """What is added to the middle frame: (B, frames, H, W), sides multiples of `multiple`, to (B, 1, H, W)."""
        factor = self.architecture.factor
        y = self.body(functional.pixel_unshuffle(SIGNAL_GAIN * x, factor))
        return functional.pixel_shuffle(self.last(self.attention(y)), factor) / SIGNAL_GAIN

    def forward(self, x: Tensor) -> Tensor:
        """Deblur normalised frames.

        Args:
            x: (B, frames, H, W) floating, H and W at least 16 and otherwise free. Sides that `multiple` does not
                divide are padded by reflection at the bottom and right, and cropped again.

        Returns:
            (B, 1, H, W). Under autocast the convolutions run in half precision, and the global skip adds their
            result to `x` in the precision of `x`.

        Raises:
            ValueError: if the shape is not usable.
        """
        frames = self.architecture.frames
        if x.ndim != 4 or x.shape[1] != frames or min(x.shape[2:]) < SMALLEST_SIDE:
            raise ValueError(
                f"The network needs frames of shape (B, {frames}, H, W) with sides of at least {SMALLEST_SIDE} "
                f"pixels, not {tuple(x.shape)}."
            )
        height, width = x.shape[2:]
        below, right = -height % self.multiple, -width % self.multiple
        padded = functional.pad(x, (0, right, 0, below), mode="reflect") if below or right else x
        y = self.correction(padded)[..., :height, :width]
        middle = frames // 2
        return x[:, middle : middle + 1] + y if self.architecture.global_skip else y.to(x.dtype)


def build_network(architecture: Architecture) -> RestorationNetwork:
    """An untrained network of this architecture, weights in float32 on the CPU."""
    from DSADeblurLib.restoration.rdn import ResidualDenseNetwork
    from DSADeblurLib.restoration.unet import UNet

    kinds = {network.kind: network for network in (ResidualDenseNetwork, UNet)}
    return kinds[architecture.kind](architecture)
