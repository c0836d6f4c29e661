"""The residual dense network that removes focal-spot blur, and the numbers that describe its architecture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

import torch
from torch import Tensor, nn
from torch.nn import functional

SMALLEST_SIDE = 16
# Normalised frames have a range of about 1 and blur changes them by hundredths; convolutions learn far faster on
# numbers of order 1. The gain is taken back at the end.
SIGNAL_GAIN = 8.0
# Bounds keep a damaged card from asking for a network that no computer holds.
_LARGEST = {"features": 512, "growth": 256, "blocks": 64, "layers": 32, "factor": 4, "attention_reduction": 512}


@dataclass(frozen=True)
class Architecture:
    """Numbers that rebuild a network; stored in the model card.

    Attributes:
        kind: family of the network; only `rdn` (residual dense network) exists.
        features: channels between the blocks.
        growth: channels that every dense layer adds.
        blocks: number of residual dense blocks.
        layers: dense layers in a block.
        factor: the network works on the pixel-unshuffled frame, this many times smaller (1, 2 or 4).
        attention_reduction: the attention squeezes `features` channels by this number.
        global_skip: the network predicts the difference to its input.

    Raises:
        ValueError: one sentence, if a number is not usable.
    """

    kind: str = "rdn"
    features: int = 32
    growth: int = 16
    blocks: int = 4
    layers: int = 4
    factor: int = 2
    attention_reduction: int = 4
    global_skip: bool = True

    def __post_init__(self) -> None:
        if self.kind != "rdn":
            raise ValueError(f"Unknown network architecture {self.kind!r}; this version knows 'rdn'.")
        for name, largest in _LARGEST.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= largest:
                raise ValueError(
                    f"Architecture number {name} must be a whole number from 1 to {largest}, not {value!r}."
                )
        if self.factor not in (1, 2, 4):
            raise ValueError(f"Architecture number factor must be 1, 2 or 4, not {self.factor}.")
        if self.attention_reduction > self.features:
            raise ValueError(
                f"Architecture number attention_reduction ({self.attention_reduction}) must not exceed "
                f"features ({self.features})."
            )
        if not isinstance(self.global_skip, bool):
            raise ValueError(f"Architecture flag global_skip must be true or false, not {self.global_skip!r}.")

    def as_dict(self) -> dict:
        """The numbers as a JSON-able dictionary."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping) -> Architecture:
        """Inverse of `as_dict`.

        Raises:
            ValueError: one sentence, if a name is unknown or a number is not usable.
        """
        if not isinstance(values, Mapping):
            raise ValueError("The architecture must be a table of names and numbers.")
        unknown = sorted(set(values) - {field.name for field in fields(cls)})
        if unknown:
            raise ValueError(f"Unknown architecture entry {unknown[0]!r}; use a newer version of DSADeblur.")
        return cls(**values)


def _convolution(inputs: int, outputs: int, size: int = 3) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, size, padding=size // 2)


class ResidualDenseBlock(nn.Module):
    """Dense layers, fused by a 1x1 convolution and added to the block's input (Zhang et al., CVPR 2018)."""

    def __init__(self, features: int, growth: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(_convolution(features + i * growth, growth) for i in range(layers))
        self.fusion = _convolution(features + layers * growth, features, size=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, features, H, W) to the same shape."""
        dense = x
        for layer in self.layers:
            dense = torch.cat((dense, functional.relu(layer(dense))), dim=1)
        return x + self.fusion(dense)


class Attention(nn.Module):
    """A gate per channel and pixel: 3x3 reduces the channels, ReLU, 1x1 recovers them, sigmoid, product.

    Geng et al. 2022 draw no pooling, and none is done here: the gate sees 3x3 positions only, so that a tile
    with a halo gives exactly the values of the whole frame.
    """

    def __init__(self, features: int, reduction: int) -> None:
        super().__init__()
        squeezed = max(1, features // reduction)
        self.reduce = _convolution(features, squeezed)
        self.recover = _convolution(squeezed, features, size=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, features, H, W) to the same shape."""
        return x * torch.sigmoid(self.recover(functional.relu(self.reduce(x))))


class ResidualDenseNetwork(nn.Module):
    """Residual dense network with attention in low-resolution space.

    After Geng et al., Interv Neuroradiol 2022, doi 10.1177/15910199221143168: shallow convolutions, residual
    dense blocks with local residual learning, dense feature fusion of all blocks, attention. The frame is
    pixel-unshuffled by `factor` on the way in and shuffled back on the way out. The last convolution starts
    at zero: with the global skip an untrained network returns its input.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        a = self.architecture = architecture
        phases = a.factor**2
        self.shallow_first = _convolution(phases, a.features)
        self.shallow_second = _convolution(a.features, a.features)
        self.blocks = nn.ModuleList(ResidualDenseBlock(a.features, a.growth, a.layers) for _ in range(a.blocks))
        self.fusion = nn.Sequential(
            _convolution(a.blocks * a.features, a.features, size=1),
            _convolution(a.features, a.features),
        )
        self.attention = Attention(a.features, a.attention_reduction)
        self.last = _convolution(a.features, phases)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    @property
    def receptive_radius(self) -> int:
        """Largest distance in rows or columns from an output pixel to an input pixel that it depends on.

        The 3x3 convolutions in a row give the radius in low-resolution pixels: two shallow, the dense layers,
        fusion, attention, last. A full-resolution pixel may lie at the far side of its low-resolution pixel,
        which adds factor - 1.
        """
        a = self.architecture
        low = 2 + a.blocks * a.layers + 3
        return low * a.factor + a.factor - 1

    def forward(self, x: Tensor) -> Tensor:
        """Deblur normalised frames.

        Args:
            x: (B, 1, H, W) floating, H and W at least 16 and otherwise free. Sides that the factor does not
                divide are padded by reflection at the bottom and right, and cropped again.

        Returns:
            (B, 1, H, W). Under autocast the convolutions run in half precision, and the global skip adds their
            result to `x` in the precision of `x`.

        Raises:
            ValueError: if the shape is not usable.
        """
        if x.ndim != 4 or x.shape[1] != 1 or min(x.shape[2:]) < SMALLEST_SIDE:
            raise ValueError(
                f"The network needs frames of shape (B, 1, H, W) with sides of at least {SMALLEST_SIDE} pixels, "
                f"not {tuple(x.shape)}."
            )
        factor = self.architecture.factor
        height, width = x.shape[2:]
        below, right = -height % factor, -width % factor
        padded = functional.pad(x, (0, right, 0, below), mode="reflect") if below or right else x
        first = self.shallow_first(functional.pixel_unshuffle(SIGNAL_GAIN * padded, factor))
        y = self.shallow_second(first)
        outputs = []
        for block in self.blocks:
            y = block(y)
            outputs.append(y)
        y = self.attention(self.fusion(torch.cat(outputs, dim=1)) + first)
        y = functional.pixel_shuffle(self.last(y), factor)[..., :height, :width] / SIGNAL_GAIN
        return x + y if self.architecture.global_skip else y.to(x.dtype)


def build_network(architecture: Architecture) -> ResidualDenseNetwork:
    """An untrained network of this architecture, weights in float32 on the CPU."""
    return ResidualDenseNetwork(architecture)
