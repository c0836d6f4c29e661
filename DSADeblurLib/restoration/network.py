"""What all restoration networks share: frames in, pixel-unshuffle, a body in low-resolution space, shuffle, skip."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from DSADeblurLib.restoration.architecture import SMALLEST_SIDE, Architecture
from DSADeblurLib.restoration.blur_condition import CONDITION_SCALE, CONDITION_SIZE

# Normalised frames have a range of about 1 and blur changes them by hundredths; convolutions learn far faster on
# numbers of order 1. The gain is taken back at the end.
SIGNAL_GAIN = 8.0


def convolution(inputs: int, outputs: int, size: int = 3) -> nn.Conv2d:
    """A convolution that keeps the sides."""
    return nn.Conv2d(inputs, outputs, size, padding=size // 2)


class EntryConvolution(nn.Conv2d):
    """The first convolution, in float32 under autocast too, of filters whose sum is zero.

    Bone and tissue make large slow values, blur and noise small quick ones. Filters without a mean leave the slow ones
    behind, so that the rest of the network sees detail alone, and a constant added to a frame is added to the result.
    Rounded to bfloat16's eight bits before that, a frame would lose more than in all other convolutions together; what
    comes out is of autocast's type.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H, W)."""
        kind = x.device.type
        with torch.autocast(kind, enabled=False):
            weight = self.weight - self.weight.mean(dim=(1, 2, 3), keepdim=True)
            # Zeros round the frame would be detail.
            y = functional.conv2d(functional.pad(x.to(weight.dtype), (1, 1, 1, 1), mode="replicate"), weight, self.bias)
        return y.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else y


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


class Modulation(nn.Module):
    """Scales and shifts each channel as the width of the blur says (Perez et al., AAAI 2018).

    The condition has CONDITION_SIZE numbers: the width in rows and in columns, in pixels, and the mean error of their
    logarithms.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(CONDITION_SIZE, 32)
        self.last = nn.Linear(32, 2 * features)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, x: Tensor, blur_condition: Tensor) -> Tensor:
        """x (B, features, H, W) and the condition (B, CONDITION_SIZE) to the shape of x.

        Both are found in float32 under autocast too, because what is wrong with them is wrong in the whole frame; the
        scale is applied as x + x * scale, where a rounded scale matters less than a rounded 1 + scale.
        """
        with torch.autocast(x.device.type, enabled=False):
            hidden = functional.relu(self.hidden(blur_condition / blur_condition.new_tensor(CONDITION_SCALE)))
            scale, shift = self.last(hidden)[..., None, None].to(x.dtype).chunk(2, dim=1)
            return torch.addcmul(x, x, scale) + shift


class RestorationNetwork(nn.Module):
    """Frames in, the middle one restored.

    The frames are pixel-unshuffled by `factor` on the way in and the result is shuffled back on the way out. The
    last convolution starts at zero: with the global skip an untrained network returns its input.
    """

    # Of a modulated network: (B, 1, H, W) to (B, CONDITION_SIZE).
    estimator: nn.Module

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        reduction = architecture.attention_reduction
        self.attention = Attention(architecture.features, reduction) if reduction else nn.Identity()
        self.last = convolution(architecture.features, architecture.factor**2)
        for parameter in self.last.parameters():
            nn.init.zeros_(parameter)

    @property
    def receptive_radius(self) -> int:
        """Largest distance in rows or columns from an output pixel to an input pixel that it depends on."""
        return self.architecture.receptive_radius

    @property
    def multiple(self) -> int:
        """Sides and tile origins must be multiples of this; other sides are padded inside."""
        return self.architecture.multiple

    def body(self, x: Tensor, blur_condition: Tensor | None) -> Tensor:
        """(B, frames * factor^2, h, w), scaled, in low-resolution space, to (B, features, h, w)."""
        raise NotImplementedError

    def estimated(self, x: Tensor) -> Tensor | None:
        """The condition (B, CONDITION_SIZE) of the middle ones of frames (B, frames, H, W), by the estimator;
        None for a network without one."""
        if not self.architecture.modulated:
            return None
        middle = self.architecture.frames // 2
        return self.estimator(x[:, middle : middle + 1])

    def correction(self, x: Tensor, blur_condition: Tensor | None = None) -> Tensor:
        """What is added to the middle frame: (B, frames, H, W), sides multiples of `multiple`, to (B, 1, H, W)."""
        factor = self.architecture.factor
        y = self.body(functional.pixel_unshuffle(SIGNAL_GAIN * x, factor), blur_condition)
        return functional.pixel_shuffle(self.last(self.attention(y)), factor) / SIGNAL_GAIN

    def forward(self, x: Tensor, blur_condition: Tensor | None = None) -> Tensor:
        """Deblur normalised frames.

        Args:
            x: (B, frames, H, W) floating, H and W at least 16 and otherwise free. Sides that `multiple` does not
                divide are padded by reflection at the bottom and right, and cropped again.
            blur_condition: (B, CONDITION_SIZE), see `Modulation`, for a modulated network; by default what it
                estimates from `x`.

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
        blur_condition = self.estimated(x) if blur_condition is None else blur_condition
        y = self.correction(padded, blur_condition)[..., :height, :width]
        middle = frames // 2
        return x[:, middle : middle + 1] + y if self.architecture.global_skip else y.to(x.dtype)


def operations_per_pixel(network: RestorationNetwork) -> float:
    """Multiplications and additions for one pixel of a frame, as PyTorch counts them, without the blur estimator."""
    architecture, side = network.architecture, 128
    blur_condition = (torch.ones(1, CONDITION_SIZE),) if architecture.modulated else ()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, architecture.frames, side, side), *blur_condition)
    return counter.get_total_flops() / side**2
