"""Thin bent lines about as faint as the noise, put into patches: soft in the input, sharp in the truth.

Few vessels of the simulated scenes are as faint as the noise, so that a network which has met no others learns that
they are noise.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from DSADeblurLib.lab.training.batched_operators import Grid, on_device, removable_otf
from DSADeblurLib.lab.training.losses import LEAST_ERROR

MOST_LINES = 3
LENGTHS_PX, SIGMAS_PX = (25.0, 110.0), (0.5, 1.2)
# Of the blurred line's highest point, times the noise of its patch.
CONTRASTS = (0.3, 10.0)
# How far a line leaves its chord at the ends, in half lengths: towards one side, and towards opposite sides.
_BENDS = (0.5, 0.25)
# Lines pass through a point at least this far, in parts of the patch, from its border.
_INSIDE = 0.1
# Drawn round a patch, so that what is blurred into it is there.
_MARGIN_PX = 16


class FaintLines(NamedTuple):
    """What is added to input and truth, (B, 1, P, P) each."""

    soft: Tensor
    sharp: Tensor


def draw_lines(rng: np.random.Generator, batch: int) -> np.ndarray:
    """Lines at random, (B, MOST_LINES, 9) float32: signed contrast, place (row, column) in parts of the patch, cosine
    and sine of the direction, half length and standard deviation in pixels, and the two bends.

    All lines of a patch have the same contrast, so that the strongest does not hide the others from the penalty; those
    that a patch does not have have none.
    """
    several = (batch, MOST_LINES)
    there = np.arange(MOST_LINES) < rng.integers(1, MOST_LINES + 1, batch)[:, None]
    contrast = np.exp(rng.uniform(*np.log(CONTRASTS), (batch, 1))) * rng.choice((-1.0, 1.0), several) * there
    places = rng.uniform(_INSIDE, 1 - _INSIDE, (2, *several))
    angle = rng.uniform(0, 2 * np.pi, several)
    halves, sigmas = rng.uniform(*LENGTHS_PX, several) / 2, rng.uniform(*SIGMAS_PX, several)
    bends = (rng.uniform(-bend, bend, several) for bend in _BENDS)
    numbers = contrast, *places, np.cos(angle), np.sin(angle), halves, sigmas, *bends
    return np.stack(numbers, axis=-1).astype(np.float32)


def render_lines(lines: np.ndarray, frames: Tensor, truths: Tensor, spots: Tensor) -> FaintLines:
    """Lines for these patches. What systems do to frames afterwards (sharpening, display tables) is not done to them.

    Args:
        lines: of `draw_lines`.
        frames, truths: (B, 1, P, P) the input of the moment to restore, and its truth; they say how much noise there
            is.
        spots: (B, SPOT_SIZE), see `removable_otf`.

    Returns:
        Lines that the patch's focal spot has blurred, and as they are; the standard deviation of a sharp one's profile
        is that of `lines`.
    """
    side, device = frames.shape[-1], frames.device
    contrast, *numbers = on_device(lines, device).unbind(-1)
    sharp = _profiles(numbers, side)
    grid = Grid(sharp.shape[-1], (0, 0), device)
    soft = grid.frames(*_filtered(grid, sharp, spots))
    noise = noise_of(frames, truths, spots)
    height = contrast * noise[:, None] / soft.amax(dim=(-2, -1))
    inside = slice(_MARGIN_PX, _MARGIN_PX + side)
    soft, sharp = ((height[..., None, None] * x[..., inside, inside]).sum(dim=1, keepdim=True) for x in (soft, sharp))
    return FaintLines(soft, sharp)


def noise_of(frames: Tensor, truths: Tensor, spots: Tensor) -> Tensor:
    """Standard deviation (B,) of what the blurred truth does not explain of frames, both (B, 1, P, P); at least
    LEAST_ERROR."""
    grid = Grid(frames.shape[-1], (_MARGIN_PX, _MARGIN_PX), frames.device)
    return deviation(frames - grid.frames(*_filtered(grid, truths, spots))).clamp(min=LEAST_ERROR)


def deviation(frames: Tensor) -> Tensor:
    """Standard deviation (B,) of frames (B, 1, P, P), by the median absolute deviation."""
    values = frames.flatten(1)
    values = values - values.median(dim=1, keepdim=True).values
    return 1.4826 * values.abs().median(dim=1).values


def _filtered(grid: Grid, frames: Tensor, spots: Tensor) -> tuple[Tensor, Tensor]:
    spectrum, level = grid.spectrum(frames)
    return spectrum * removable_otf(grid, spots), level


def _profiles(numbers: list[Tensor], side: int) -> Tensor:
    """Lines of height 1, (B, MOST_LINES, N, N) with N the side and a margin all round."""
    row, column, cos, sin, half, sigma, bow, snake = (n[..., None, None] for n in numbers)
    pixels = torch.arange(-_MARGIN_PX, side + _MARGIN_PX, device=row.device, dtype=row.dtype)
    down, right = pixels[:, None] - row * (side - 1), pixels - column * (side - 1)
    along, across = right * cos + down * sin, down * cos - right * sin
    part = (along / half).clamp(-1.0, 1.0)
    slope = 2 * bow * part + 3 * snake * part**2
    # The distance to the tangent beside the pixel; lines are thin, and bend much less than that.
    distance = (across - half * (bow * part**2 + snake * part**3)) / (1 + slope**2).sqrt()
    beyond = (along.abs() - half).clamp(min=0.0)
    return torch.exp(-(distance**2 + beyond**2) / (2 * sigma**2))
