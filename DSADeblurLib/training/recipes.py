"""Training recipes: the paper's, and one that two processor cores can follow."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field

from DSADeblurLib.restoration.architecture import Architecture, RDNArchitecture


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a training besides the data's seeds.

    `schedule` is 'cosine' (from `learning_rate` down to a hundredth of it after a warm-up) or 'step' (the rate falls
    to a tenth after `drop_at` of all steps). `gradient_weight` weighs gradients beside values, see `losses`;
    after `squared_from` of all steps squared errors count beside. `scenes` is the size of the scene cache, `region`
    the side of what is acquired at once.
    """

    name: str
    architecture: Architecture = field(default_factory=RDNArchitecture)
    patch: int = 64
    batch: int = 8
    steps: int = 36_000
    learning_rate: float = 1e-3
    schedule: str = "cosine"
    drop_at: float = 0.6
    gradient_weight: float = 1.0
    squared_from: float = 1.0
    average: float = 0.999
    scenes: int = 240
    region: int = 384
    seed: int = 1

    def rate(self, step: int) -> float:
        """The learning rate of a step."""
        if self.schedule == "step":
            return self.learning_rate * (0.1 if step >= self.drop_at * self.steps else 1.0)
        warm = min(1.0, (step + 1) / 500)
        cosine = 0.5 * (1 + math.cos(math.pi * min(step / self.steps, 1.0)))
        return self.learning_rate * warm * (0.01 + 0.99 * cosine)

    def squared_weight(self, step: int) -> float:
        """The weight of squared errors in the loss of a step."""
        return float(step >= self.squared_from * self.steps)

    def as_dict(self) -> dict:
        """For model cards and checkpoints."""
        return asdict(self)


# Geng et al. 2022: 350,000 patches of 40 x 40 at stride 20, batch 128, 50 epochs, Adam 1e-4 for 30 then 1e-5.
# The depth of the network is not given there; these are the sizes of Zhang et al. (CVPR 2018) halved twice.
PAPER = Recipe(
    name="paper",
    architecture=RDNArchitecture(features=64, growth=32, blocks=6, layers=6, factor=2),
    patch=40,
    batch=128,
    steps=50 * 350_000 // 128,
    learning_rate=1e-4,
    schedule="step",
    drop_at=30 / 50,
    scenes=1000,
)
# 0.17 M parameters; an hour or two on one core. Errors of values and gradients come first; squared errors, which lie at
# sharp edges and are led astray by them, join when vessels have taken shape.
COMPACT = Recipe(name="compact", squared_from=11000 / 36_000)
# A few minutes, for trying things out and for tests.
QUICK = Recipe(
    name="quick",
    architecture=RDNArchitecture(features=8, growth=4, blocks=2, layers=2),
    patch=48,
    batch=4,
    steps=200,
    scenes=8,
    region=192,
)

RECIPES = {recipe.name: recipe for recipe in (PAPER, COMPACT, QUICK)}
