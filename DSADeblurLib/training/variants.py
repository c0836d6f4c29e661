"""Networks that the study compares with the bundled ones, built by changing those."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from DSADeblurLib.restoration.architecture import UNetArchitecture
from DSADeblurLib.restoration.network import RestorationNetwork, build_network
from DSADeblurLib.restoration.unet import UNet

# Planes of blur_px (rows, columns) beside the frames, as fractions of this many pixels.
TAG_PLANES, TAG_SCALE = 2, 8.0


class PooledAttention(nn.Module):
    """The paper's gate with the channels' means over the frame in place of neighbourhoods (Hu et al., CVPR 2018)."""

    def __init__(self, local: nn.Module) -> None:
        super().__init__()
        features, squeezed = local.reduce.in_channels, local.reduce.out_channels
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(features, squeezed, 1), nn.ReLU(), nn.Conv2d(squeezed, features, 1),
            nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """(B, features, H, W) to the same shape."""
        return x * self.gate(x)


def with_pooled_attention(network: RestorationNetwork) -> RestorationNetwork:
    """The network with its gate pooled over the frame: no longer exact in tiles."""
    network.attention = PooledAttention(network.attention)
    return network


def without_attention(network: RestorationNetwork) -> RestorationNetwork:
    """The network without a gate."""
    network.attention = nn.Identity()
    return network


def without_biases(network: RestorationNetwork) -> RestorationNetwork:
    """Without additive constants and gate the network is scale-equivariant (Mohan et al., ICLR 2020)."""
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            module.bias = None
    return without_attention(network)


class _Modulated(nn.Module):
    """A layer whose output is scaled and shifted channel by channel, as the blur (B, TAG_PLANES) says."""

    def __init__(self, layer: nn.Module, features: int) -> None:
        super().__init__()
        self.layer = layer
        self.tag = nn.Sequential(nn.Linear(TAG_PLANES, 32), nn.ReLU(), nn.Linear(32, 2 * features))
        nn.init.zeros_(self.tag[-1].weight)
        nn.init.zeros_(self.tag[-1].bias)
        self.blur: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        scale, shift = self.tag(self.blur)[..., None, None].chunk(2, dim=1)
        return self.layer(x) * (1 + scale) + shift


class ModulatedUNet(UNet):
    """Told the blur in rows and columns: it scales and shifts the features of every level (Perez et al., AAAI 2018).

    Input (B, frames + TAG_PLANES, H, W); the last planes are constant.
    """

    def __init__(self, architecture: UNetArchitecture) -> None:
        super().__init__(architecture)
        finest, *coarser = architecture.widths
        self.first = _Modulated(self.first, finest)
        self.down = nn.ModuleList(_Modulated(*pair) for pair in zip(self.down, coarser, strict=True))

    def forward(self, x: Tensor) -> Tensor:
        """(B, frames + TAG_PLANES, H, W) to (B, 1, H, W)."""
        frames = self.architecture.frames
        for layer in (self.first, *self.down):
            layer.blur = x[:, frames:, 0, 0]
        return super().forward(x[:, :frames])


class UnrolledNetwork(nn.Module):
    """Steps towards agreement with the blurred frame, each followed by a network of its own.

    z = x - step * A'(A x - y), x = network(z), with A a blur by the rectangle of the told rows and columns, done by
    Fourier transform. Input as for `ModulatedUNet`.
    """

    def __init__(self, architecture: UNetArchitecture, stages: int = 2) -> None:
        super().__init__()
        self.architecture = architecture
        self.networks = nn.ModuleList(build_network(architecture) for _ in range(stages))
        self.steps = nn.Parameter(torch.full((stages,), 0.5))

    def forward(self, x: Tensor) -> Tensor:
        """(B, 1 + TAG_PLANES, H, W) to (B, 1, H, W)."""
        frame, blur = x[:, :1], x[:, 1:, 0, 0] * TAG_SCALE
        y = frame
        for network, step in zip(self.networks, self.steps, strict=True):
            with torch.autocast(x.device.type, enabled=False):
                y = y.float()
                # The rectangle is symmetric: its adjoint is itself.
                residual = rectangle_blur(rectangle_blur(y, blur) - frame, blur)
                y = y - step * residual
            y = network(y)
        return y


def rectangle_blur(frames: Tensor, blur_px: Tensor) -> Tensor:
    """Frames (B, 1, H, W), extended by reflection, blurred by rectangles (B, 2) of rows and columns in pixels."""
    margin = 16
    padded = nn.functional.pad(frames, (margin,) * 4, mode="reflect")
    height, width = padded.shape[2:]
    fv = torch.fft.fftfreq(height, device=frames.device)[:, None]
    fu = torch.fft.rfftfreq(width, device=frames.device)[None]
    response = torch.sinc(fv * blur_px[:, :1, None]) * torch.sinc(fu * blur_px[:, 1:, None])
    blurred = torch.fft.irfft2(torch.fft.rfft2(padded) * response[:, None], s=padded.shape[2:])
    return blurred[..., margin:-margin, margin:-margin]
