"""Losses on batches (B, 1, H, W) of normalised frames."""

from __future__ import annotations

import torch
from torch import Tensor

# Of the normalised range; keeps patches that hold neither blur nor noise from counting without bound.
LEAST_ERROR = 1e-3


def frame_errors(output: Tensor, truth: Tensor, gradient_weight: float) -> Tensor:
    """For each frame (B,) the L1 distance of values plus `gradient_weight` times that of neighbours' differences."""
    error = (output - truth).abs().mean(dim=(1, 2, 3))
    if gradient_weight:
        for dim in (-2, -1):
            error = error + gradient_weight * (output.diff(dim=dim) - truth.diff(dim=dim)).abs().mean(dim=(1, 2, 3))
    return error


def restoration_loss(
    output: Tensor, degraded: Tensor, truth: Tensor, gradient_weight: float, squared_weight: float = 0.0
) -> Tensor:
    """Mean over frames of the part of the input's error that is left: 1 for an output that is the input.

    Quiet frames, where there is only blur to remove, count as much as noisy ones, whose errors are many times larger:
    otherwise the network learns to denoise and little else. `squared_weight` adds as much of the part of the squared
    error that is left; most of that lies in the few pixels at sharp edges, where the blur is.
    """
    left = frame_errors(output, truth, gradient_weight)
    with torch.no_grad():
        before = frame_errors(degraded, truth, gradient_weight) + LEAST_ERROR
    loss = (left / before).mean()
    if squared_weight:
        errors = [((frames - truth) ** 2).mean(dim=(1, 2, 3)) for frames in (output, degraded)]
        loss = loss + squared_weight * (errors[0] / (errors[1] + LEAST_ERROR**2)).mean()
    return loss
