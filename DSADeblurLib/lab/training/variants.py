"""Networks that the study compares with the bundled ones, built by changing those."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from DSADeblurLib.restoration.architecture import UNetArchitecture
from DSADeblurLib.restoration.build_network import build_network
from DSADeblurLib.restoration.network import RestorationNetwork


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
    """The network without additive constants and gate: scale-equivariant (Mohan et al., ICLR 2020) unless it takes a
    blur condition."""
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            module.bias = None
    return without_attention(network)


class UnrolledNetwork(nn.Module):
    """Steps towards agreement with the blurred frame, each followed by a network of its own.

    z = x - step * A'(A x - y), x = network(z), with A a blur by the rectangle of the condition's rows and columns, by
    Fourier transform.
    """

    def __init__(self, architecture: UNetArchitecture, stages: int = 2) -> None:
        super().__init__()
        self.architecture = replace(architecture, modulated=True)
        self.networks = nn.ModuleList(build_network(architecture) for _ in range(stages))
        self.steps = nn.Parameter(torch.full((stages,), 0.5))

    def forward(self, x: Tensor, blur_condition: Tensor) -> Tensor:
        """(B, 1, H, W) and the condition (B, CONDITION_SIZE), see `network.Modulation`, to (B, 1, H, W)."""
        y = x
        for network, step in zip(self.networks, self.steps, strict=True):
            with torch.autocast(x.device.type, enabled=False):
                y = y.float()
                # The rectangle is symmetric: its adjoint is itself.
                residual = rectangle_blur(rectangle_blur(y, blur_condition[:, :2]) - x, blur_condition[:, :2])
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
