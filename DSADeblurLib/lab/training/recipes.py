"""Training recipes: those of the bundled models, the paper's, and one to try things out."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, replace

from DSADeblurLib.lab.training.losses import LOSSES
from DSADeblurLib.lab.training.pool import PoolOptions
from DSADeblurLib.restoration.architecture import Architecture, RDNArchitecture, UNetArchitecture

# Of a training that is planned in minutes.
WARM_SHARE = 0.02


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a training besides the data's seeds.

    `schedule` is 'cosine' (from `learning_rate` down to a hundredth of it after a warm-up) or 'step' (the rate falls
    to a tenth after `drop_at` of all steps). `loss` is a name in `losses.LOSSES`. For the last `wide_share` of the
    steps patches have `wide_patch` pixels: small ones teach more in the same time, large ones have fewer borders.
    `estimator_steps` are those of the blur estimator of modulated networks, see `estimator_training`; with 0 that of
    the network which the training starts from is kept. With a `line_weight` above 0 every patch is learned from without
    and with `faint_lines`, and this is the weight of `losses.line_penalty`.
    """

    name: str
    architecture: Architecture = field(default_factory=UNetArchitecture)
    loss: str = "logarithmic"
    patch: int = 64
    wide_patch: int = 128
    wide_share: float = 0.1
    batch: int = 8
    steps: int = 100_000
    learning_rate: float = 1.5e-3
    schedule: str = "cosine"
    drop_at: float = 0.6
    average: float = 0.999
    estimator_steps: int = 6000
    line_weight: float = 0.0
    pool: PoolOptions = field(default_factory=PoolOptions)
    seed: int = 1

    def __post_init__(self) -> None:
        if self.loss not in LOSSES:
            raise ValueError(f"Unknown loss '{self.loss}'; use one of {', '.join(LOSSES)}.")
        if self.pool.frames != self.architecture.frames:
            raise ValueError(
                f"The network takes {self.architecture.frames} frames, but the pool's regions have {self.pool.frames}."
            )

    def side(self, step: int) -> int:
        """Side of the patches of a step."""
        return self.wide_patch if step >= (1 - self.wide_share) * self.steps else self.patch

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


@dataclass(frozen=True)
class OnlineRecipe(Recipe):
    """A training from scenes made while it goes on, see `online`, for so many minutes instead of `steps`.

    Of `pool`, `scenes` is how many are kept at once, and `side` that of the regions whose middle is a patch: half of it
    all round gives blur and glare something to come from. `validation` is how many scenes of how many pixels.
    """

    steps: int = 0
    patch: int = 128
    wide_share: float = 0.0
    batch: int = 64
    validation: tuple[int, int] = (4, 512)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.pool.side != 2 * self.patch:
            raise ValueError(f"Regions must be {2 * self.patch} pixels wide, twice the patch, not {self.pool.side}.")

    def side(self, step: int) -> int:
        """Side of the patches of every step."""
        return self.patch

    def rate_at(self, fraction: float, peak: float) -> float:
        """The learning rate after this part of the time: a warm-up to `peak`, then a cosine to a hundredth of it."""
        fraction = min(max(fraction, 0.0), 1.0)
        cosine = 0.5 * (1 + math.cos(math.pi * fraction))
        return peak * min(1.0, fraction / WARM_SHARE + 0.01) * (0.01 + 0.99 * cosine)


# Without a GPU: below 50 GFLOP a frame of 1024 x 1024. Without attention, because now and then training at this rate
# closes its gate for good: a gate that is shut has no gradient.
COMPACT = Recipe(
    name="compact",
    architecture=UNetArchitecture(growth=16, levels=3, attention_reduction=0, modulated=True),
    steps=68_000,
    pool=PoolOptions(regions=4096),
)
# With `--start-from compact`: the same network with twice as many blocks, which at first change nothing.
QUALITY = Recipe(
    name="quality",
    architecture=UNetArchitecture(growth=16, levels=3, blocks=2, attention_reduction=0, modulated=True),
    steps=60_000,
    learning_rate=1e-3,
    pool=PoolOptions(regions=4096),
)
# With `--start-from quality`: at first it sees the middle frame only.
SEQUENCE = Recipe(
    name="sequence",
    architecture=replace(QUALITY.architecture, frames=5),
    steps=60_000,
    learning_rate=1e-3,
    pool=PoolOptions(regions=1024, scenes=80, frames=5),
)
# With `--start-from` the model of that name: goes on with faint lines, so that thin vessels are not taken for noise.
FINE_TUNING = [
    replace(recipe, name=f"{recipe.name}-fine", steps=40_000, learning_rate=4e-4, estimator_steps=0, line_weight=2.0)
    for recipe in (COMPACT, QUALITY, SEQUENCE)
]
# Geng et al. 2022: 350,000 patches of 40 x 40 at stride 20, batch 128, 50 epochs, Adam 1e-4 for 30 then 1e-5.
# The depth of the network is not given there; these are the sizes of Zhang et al. (CVPR 2018) halved twice.
PAPER = Recipe(
    name="paper",
    architecture=RDNArchitecture(features=64, growth=32, blocks=6, layers=6),
    loss="l1",
    patch=40,
    wide_share=0.0,
    batch=128,
    steps=50 * 350_000 // 128,
    learning_rate=1e-4,
    schedule="step",
    drop_at=30 / 50,
)
# The same in small, which a processor can train in a quarter of an hour: a fifth of the layers and ten times the rate.
PAPER_SMALL = replace(
    PAPER,
    name="paper-small",
    architecture=RDNArchitecture(features=16, growth=8, blocks=3, layers=3),
    steps=8000,
    learning_rate=1e-3,
)
# With a GPU: 306 GFLOP a frame of 1024 x 1024, of channels that tensor cores like.
LARGE = OnlineRecipe(
    name="large",
    architecture=UNetArchitecture(
        features=64, growth=32, levels=3, blocks=2, frames=5, attention_reduction=0, modulated=True
    ),
    pool=PoolOptions(scenes=256, side=256, frames=5),
)
# The same on a processor in a minute, to see that it works.
LARGE_QUICK = OnlineRecipe(
    name="large-quick",
    architecture=UNetArchitecture(
        features=8, growth=4, levels=2, blocks=1, frames=5, attention_reduction=0, modulated=True
    ),
    patch=32,
    batch=8,
    pool=PoolOptions(scenes=8, side=64, frames=5, size=256),
    validation=(4, 128),
)
# A few minutes, for trying things out and for tests.
QUICK = Recipe(
    name="quick",
    architecture=RDNArchitecture(features=8, growth=4, blocks=2, layers=2),
    patch=48,
    wide_patch=64,
    steps=200,
    pool=PoolOptions(regions=32, side=192, scenes=4, size=512),
)

RECIPES = {
    recipe.name: recipe
    for recipe in (COMPACT, QUALITY, SEQUENCE, *FINE_TUNING, LARGE, LARGE_QUICK, PAPER, PAPER_SMALL, QUICK)
}
