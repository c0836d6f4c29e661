"""Faint lines: as strong as they are said to be, soft by the patch's blur, and what a network leaves of them counts."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from DSADeblurLib.lab.training.faint_lines import (
    CONTRASTS,
    MOST_LINES,
    SIGMAS_PX,
    draw_lines,
    noise_of,
    render_lines,
)
from DSADeblurLib.lab.training.losses import LEAST_ERROR, line_penalty, line_share
from DSADeblurLib.lab.training.recipes import QUICK
from DSADeblurLib.lab.training.trainer import Session
from DSADeblurLib.physics.blur import focal_spot_blur
from DSADeblurLib.physics.focal_spot import TARGET_SPOT_MM, FocalSpot

SIDE, NOISE = 96, 0.05
# Pixels that a millimetre of the spot blurs.
SCALE = 4.0
SPOT = FocalSpot(1.2, 0.8, "gaussian", rotation_deg=20.0)
MICRO = FocalSpot(TARGET_SPOT_MM, TARGET_SPOT_MM, "rectangle")


def spots_of(spot: FocalSpot, batch: int) -> torch.Tensor:
    return torch.tensor([[*spot.otf_factors(), SCALE]], dtype=torch.float32).expand(batch, -1)


def noisy(batch: int, std: float = NOISE) -> tuple[torch.Tensor, torch.Tensor]:
    """Frames of nothing but noise, and their truth."""
    truths = torch.zeros(batch, 1, SIDE, SIDE)
    return truths + std * torch.randn(truths.shape, generator=torch.Generator().manual_seed(3)), truths


def single(contrast: float, sigma: float = 0.8, bow: float = 0.3) -> np.ndarray:
    """One line through the middle of a patch."""
    lines = np.zeros((1, MOST_LINES, 9), np.float32)
    lines[..., 1:] = 0.5, 0.5, np.cos(0.4), np.sin(0.4), 30, sigma, bow, 0.1
    lines[0, 0, 0] = contrast
    return lines


def test_draws_are_within_bounds_and_of_both_signs():
    lines = draw_lines(np.random.default_rng(0), 4000)
    there = lines[..., 0] != 0
    assert set(np.unique(there.sum(axis=1))) == {1, 2, 3}
    contrasts = np.abs(lines[..., 0][there])
    low, high = CONTRASTS
    assert contrasts.min() >= 0.999 * low and contrasts.max() <= 1.001 * high
    # Log-uniform: as many below the geometric mean as above it.
    assert np.mean(contrasts < np.sqrt(low * high)) == pytest.approx(0.5, abs=0.03)
    assert np.mean(lines[..., 0][there] > 0) == pytest.approx(0.5, abs=0.03)
    assert lines[..., 6].min() >= SIGMAS_PX[0] and lines[..., 6].max() <= SIGMAS_PX[1]


def test_the_seed_decides_everything():
    frames, truths = noisy(4)
    one, again, other = (
        render_lines(draw_lines(np.random.default_rng(seed), 4), frames, truths, spots_of(SPOT, 4))
        for seed in (1, 1, 2)
    )
    assert torch.equal(one.soft, again.soft) and torch.equal(one.sharp, again.sharp)
    assert not torch.equal(one.sharp, other.sharp)


@pytest.mark.parametrize("contrast", [0.3, -2.0, 10.0])
def test_the_blurred_line_is_so_many_times_the_noise(contrast):
    frames, truths = noisy(1)
    soft, _ = render_lines(single(contrast), frames, truths, spots_of(SPOT, 1))
    extreme = soft.flatten()[soft.abs().argmax()]
    assert float(extreme) == pytest.approx(contrast * float(noise_of(frames, truths, spots_of(SPOT, 1))), rel=1e-4)


def test_noise_is_measured_beside_blurred_structure():
    truths = torch.zeros(1, 1, SIDE, SIDE)
    truths[..., ::12, :] = 1.0
    transfer = focal_spot_blur(SPOT, 1 + SCALE, (SIDE, SIDE), 1.0)
    noise = NOISE * np.random.default_rng(0).normal(size=(SIDE, SIDE))
    frames = torch.from_numpy(transfer.apply(truths[0, 0].numpy()) + noise).float()[None, None]
    # Of a truth that has seen the micro spot.
    truths[0, 0] = torch.from_numpy(focal_spot_blur(MICRO, 1 + SCALE, (SIDE, SIDE), 1.0).apply(truths[0, 0].numpy()))
    assert float(noise_of(frames, truths, spots_of(SPOT, 1))) == pytest.approx(NOISE, rel=0.05)
    assert float(noise_of(truths, truths, spots_of(MICRO, 1))) == pytest.approx(LEAST_ERROR)


@pytest.mark.parametrize("shape", ["gaussian", "rectangle", "two-line"])
def test_soft_is_sharp_through_the_spot_and_not_the_micro_spot(shape):
    """What the sharp line becomes through the spot, the soft one becomes through the micro spot."""
    spot = replace(SPOT, shape=shape)
    frames, truths = noisy(1)
    soft, sharp = (x[0, 0].numpy() for x in render_lines(single(5.0), frames, truths, spots_of(spot, 1)))
    through = [focal_spot_blur(s, 1 + SCALE, (SIDE, SIDE), 1.0) for s in (MICRO, spot)]
    expected = through[1].apply(sharp)
    np.testing.assert_allclose(through[0].apply(soft), expected, rtol=0, atol=0.01 * expected.max())
    assert soft.max() < 0.8 * sharp.max()
    assert soft.sum() == pytest.approx(sharp.sum(), rel=0.02)


def test_the_micro_spot_leaves_lines_as_they_are():
    frames, truths = noisy(2)
    soft, sharp = render_lines(draw_lines(np.random.default_rng(1), 2), frames, truths, spots_of(MICRO, 2))
    torch.testing.assert_close(soft, sharp, rtol=0, atol=1e-3 * float(sharp.abs().max()))


@pytest.mark.parametrize("sigma", SIGMAS_PX)
@pytest.mark.parametrize("bow", [0.0, 0.5])
def test_the_profile_is_as_wide_across_the_line_wherever_it_bends(sigma, bow):
    frames, truths = noisy(1)
    _, sharp = render_lines(single(1.0, sigma, bow), frames, truths, spots_of(MICRO, 1))
    sharp = sharp / sharp.max()
    # The integral over a line of Gaussian profile, over that of its square.
    assert float(sharp.sum() / (sharp**2).sum()) == pytest.approx(np.sqrt(2), rel=0.05)
    # Along 60 px of chord, longer by the bend.
    length = float(sharp.sum()) / (np.sqrt(2 * np.pi) * sigma)
    assert 60 <= length <= (66 if bow == 0 else 85)


def test_penalty_is_nothing_for_whole_lines_and_one_for_none():
    frames, truths = noisy(3)
    lines = render_lines(draw_lines(np.random.default_rng(5), 3), frames, truths, spots_of(MICRO, 3)).sharp
    assert float(line_penalty(lines, lines)) == pytest.approx(0.0, abs=1e-10)
    assert float(line_penalty(torch.zeros_like(lines), lines)) == 1.0
    torch.testing.assert_close(line_share(0.25 * lines, lines), torch.full((3,), 0.25))
    change = (0.5 * lines).requires_grad_()
    line_penalty(change, lines).backward()
    # Towards more of the line.
    assert (change.grad * lines).sum() < 0


def test_training_learns_to_keep_lines(small_pool, one_thread):
    """A network that begins by removing them."""
    recipe = replace(QUICK, patch=32, batch=8, pool=small_pool.options, schedule="step", learning_rate=0.1)

    class Scaled(torch.nn.Module):
        architecture = recipe.architecture

        def __init__(self) -> None:
            super().__init__()
            self.factor = torch.nn.Parameter(torch.tensor(0.0))

        def forward(self, frames):
            return self.factor * frames

    def learned(weight: float) -> float:
        session = Session(
            replace(recipe, line_weight=weight), network=Scaled(), loss=lambda output, *_: 0.0 * output.sum()
        )
        for step in range(5):
            session.learn(small_pool.patches(np.random.default_rng(step), 8, 32))
        return float(session.network.factor.detach())

    assert learned(0.0) == 0.0
    assert learned(1.0) > 0.2
