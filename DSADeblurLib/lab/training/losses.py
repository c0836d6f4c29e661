"""Losses on batches (B, 1, H, W) of normalised frames; each takes output, degraded middle frame and truth."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]

# Of the normalised range; keeps patches that hold neither blur nor noise from counting without bound.
LEAST_ERROR = 5e-4


def frame_errors(output: Tensor, truth: Tensor) -> Tensor:
    """For each frame (B,) the L1 distance of values plus that of neighbours' differences."""
    error = (output - truth).abs().mean(dim=(1, 2, 3))
    for dim in (-2, -1):
        error = error + (output.diff(dim=dim) - truth.diff(dim=dim)).abs().mean(dim=(1, 2, 3))
    return error


def squared_errors(output: Tensor, truth: Tensor) -> Tensor:
    """For each frame (B,) the mean squared error."""
    return ((output - truth) ** 2).mean(dim=(1, 2, 3))


def l1(output: Tensor, degraded: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute error."""
    return (output - truth).abs().mean()


def l2(output: Tensor, degraded: Tensor, truth: Tensor) -> Tensor:
    """Mean squared error."""
    return ((output - truth) ** 2).mean()


def l1_gradient(output: Tensor, degraded: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute error of values and of neighbours' differences."""
    return frame_errors(output, truth).mean()


def frequency(output: Tensor, degraded: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute error of values and of the orthonormal Fourier transform."""
    difference = torch.fft.rfft2(output - truth, norm="ortho")
    return l1(output, degraded, truth) + difference.abs().mean()


def ssim(output: Tensor, degraded: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute error plus a tenth of 1 - SSIM (window and constants of Wang et al. 2004, data range 1)."""
    from pytorch_msssim import ssim as similarity

    return l1(output, degraded, truth) + 0.1 * (1 - similarity(output, truth, data_range=1.0))


def ms_ssim(output: Tensor, degraded: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute error plus a tenth of 1 - MS-SSIM (Wang et al. 2003, a window of 3 that suits small patches)."""
    from pytorch_msssim import ms_ssim as similarity

    return l1(output, degraded, truth) + 0.1 * (1 - similarity(output, truth, data_range=1.0, win_size=3))


def relative(output: Tensor, degraded: Tensor, truth: Tensor) -> Tensor:
    """Mean over frames of the part of the input's error that is left: 1 for an output that is the input.

    Quiet frames, where there is only blur to remove, count as much as noisy ones, whose errors are many times larger:
    otherwise the network learns to denoise and little else.
    """
    return (frame_errors(output, truth) / _input_errors(degraded, truth)).mean()


def relative_squared(output: Tensor, degraded: Tensor, truth: Tensor) -> Tensor:
    """`relative` plus the same of squared errors; most of those lie in the few pixels at sharp edges."""
    squares = squared_errors(output, truth) / _input_squares(degraded, truth)
    return relative(output, degraded, truth) + squares.mean()


def logarithmic(output: Tensor, degraded: Tensor, truth: Tensor) -> Tensor:
    """Mean over frames of the logarithm of what is left of values and differences, and of squared errors.

    Its gradient is relative to the error that is left now, not to the input's: frames that could be restored well
    go on counting when they nearly are. The squared part is the mean gain in PSNR but for a factor.
    """
    values, roots = _left(output, degraded, truth)
    return (values.log() + roots.log()).mean()


def gain(output: Tensor, degraded: Tensor, truth: Tensor) -> Tensor:
    """`logarithmic` where a frame has come closer to the truth, and proportional where it has been harmed.

    The logarithm alone gives frames up: the worse one is, the less it counts.
    """
    return sum(
        torch.where(part < 1, part.clamp(max=1).log(), part - 1).mean() for part in _left(output, degraded, truth)
    )


def line_share(change: Tensor, lines: Tensor) -> Tensor:
    """For each frame (B,) how much of sharp lines is in a change, both (B, 1, H, W): 1 for the lines themselves."""
    return (change * lines).sum(dim=(1, 2, 3)) / (lines**2).sum(dim=(1, 2, 3))


def line_penalty(change: Tensor, lines: Tensor) -> Tensor:
    """Mean over frames of how far from whole lines are in the change that they make of an output: 1 where they are
    removed."""
    return ((line_share(change, lines) - 1) ** 2).mean()


def _left(output: Tensor, degraded: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """For each frame (B,) the part of the input's error that is left: of values and differences, and of the RMS."""
    values = (frame_errors(output, truth) + LEAST_ERROR) / _input_errors(degraded, truth)
    squares = (squared_errors(output, truth) + LEAST_ERROR**2) / _input_squares(degraded, truth)
    return values, squares.sqrt()


@torch.no_grad()
def _input_errors(degraded: Tensor, truth: Tensor) -> Tensor:
    return frame_errors(degraded, truth) + LEAST_ERROR


@torch.no_grad()
def _input_squares(degraded: Tensor, truth: Tensor) -> Tensor:
    return squared_errors(degraded, truth) + LEAST_ERROR**2


LOSSES: dict[str, Loss] = {
    "l1": l1,
    "l2": l2,
    "l1+gradient": l1_gradient,
    "l1+frequency": frequency,
    "l1+ssim": ssim,
    "l1+ms-ssim": ms_ssim,
    "relative": relative,
    "relative+squared": relative_squared,
    "logarithmic": logarithmic,
    "gain": gain,
}
