"""Training recipes: those of the bundled models, the paper's, and one to try things out."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field

from DSADeblurLib.restoration.architecture import Architecture, RDNArchitecture, UNetArchitecture

from .losses import LOSSES
from .pool import PoolOptions


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a training besides the data's seeds.

    `schedule` is 'cosine' (from `learning_rate` down to a hundredth of it after a warm-up) or 'step' (the rate falls
    to a tenth after `drop_at` of all steps). `loss` is a name in `losses.LOSSES`.
    """

    name: str
    architecture: Architecture = field(default_factory=UNetArchitecture)
    loss: str = "logarithmic"
    patch: int = 96
    batch: int = 8
    steps: int = 100_000
    learning_rate: float = 1e-3
    schedule: str = "cosine"
    drop_at: float = 0.6
    average: float = 0.999
    pool: PoolOptions = field(default_factory=PoolOptions)
    seed: int = 1

    def __post_init__(self) -> None:
        if self.loss not in LOSSES:
            raise ValueError(f"Unknown loss '{self.loss}'; use one of {', '.join(LOSSES)}.")
        if self.pool.frames != self.architecture.frames:
            raise ValueError(
                f"The network takes {self.architecture.frames} frames, but the pool's regions have {self.pool.frames}."
            )

    def rate(self, step: int) -> float:
        """The learning rate of a step."""
        if self.schedule == "step":
            return self.learning_rate * (0.1 if step >= self.drop_at * self.steps else 1.0)
        warm = min(1.0, (step + 1) / 500)
        cosine = 0.5 * (1 + math.cos(math.pi * min(step / self.steps, 1.0)))
        return self.learning_rate * warm * (0.01 + 0.99 * cosine)

    def as_dict(self) -> dict:
        """For model cards and checkpoints."""
        return {**asdict(self), "architecture": self.architecture.as_dict()}


# Without a GPU: below 50 GFLOP a frame of 1024 x 1024. Patches are as wide as the network sees.
COMPACT = Recipe(
    name="compact",
    architecture=UNetArchitecture(growth=16, levels=3),
    patch=112,
    steps=60_000,
)
QUALITY = Recipe(name="quality", architecture=UNetArchitecture(features=64, growth=32, levels=3), steps=40_000)
SEQUENCE = Recipe(
    name="sequence",
    architecture=UNetArchitecture(growth=16, levels=3, frames=5),
    steps=30_000,
    pool=PoolOptions(regions=2048, scenes=120, frames=5),
)
# Geng et al. 2022: 350,000 patches of 40 x 40 at stride 20, batch 128, 50 epochs, Adam 1e-4 for 30 then 1e-5.
# The depth of the network is not given there; these are the sizes of Zhang et al. (CVPR 2018) halved twice.
PAPER = Recipe(
    name="paper",
    architecture=RDNArchitecture(features=64, growth=32, blocks=6, layers=6),
    loss="l1",
    patch=40,
    batch=128,
    steps=50 * 350_000 // 128,
    learning_rate=1e-4,
    schedule="step",
    drop_at=30 / 50,
)
# A few minutes, for trying things out and for tests.
QUICK = Recipe(
    name="quick",
    architecture=RDNArchitecture(features=8, growth=4, blocks=2, layers=2),
    patch=48,
    steps=200,
    pool=PoolOptions(regions=32, side=192, scenes=4, size=512),
)

RECIPES = {recipe.name: recipe for recipe in (COMPACT, QUALITY, SEQUENCE, PAPER, QUICK)}
