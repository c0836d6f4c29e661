"""Losses on batches (B, 1, H, W) of normalised frames."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import l1_loss


def gradient_l1(output: Tensor, truth: Tensor) -> Tensor:
    """L1 distance of the differences between neighbouring rows and columns."""
    rows = l1_loss(output.diff(dim=-2), truth.diff(dim=-2))
    columns = l1_loss(output.diff(dim=-1), truth.diff(dim=-1))
    return rows + columns


def restoration_loss(output: Tensor, truth: Tensor, gradient_weight: float) -> Tensor:
    """L1 distance of values plus `gradient_weight` times that of gradients."""
    loss = l1_loss(output, truth)
    return loss + gradient_weight * gradient_l1(output, truth) if gradient_weight else loss


@torch.no_grad()
def batch_psnr(output: Tensor, truth: Tensor, data_range: float) -> float:
    """PSNR in dB of a whole batch for a given data range."""
    return float(10 * torch.log10(data_range**2 / torch.mean((output - truth) ** 2)))
