"""How much an evaluation measures."""

from __future__ import annotations

from dataclasses import dataclass

from DSADeblurLib.lab.evaluation.grid import BLURS, Blur
from DSADeblurLib.lab.evaluation.methods import FAMILIES, Family
from DSADeblurLib.request import CONTROLS, DeblurSettings


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    Attributes:
        split: 'validation' while anything is still chosen by the figures, 'test' for the last look.
        frames, size: scenes in each condition, and their rows and columns.
        workers: processes, one thread each.
        blurs, families: conditions and classical methods.
        tuning_frames, tuning_size: validation frames on which each classical method is tuned.
        takes: of each phantom with new noise; edges are averaged over twice as many.
        still_takes: frames of the still run, odd.
        phantom_size, edge_size: rows and columns of phantoms, of those for widths apart.
        sharpness, noise_reduction, uniform_noise_reduction: of the models, see `restoration.controls`.
    """

    split: str = "test"
    frames: int = 24
    size: int = 512
    workers: int = 2
    blurs: tuple[Blur, ...] = BLURS
    families: tuple[Family, ...] = FAMILIES
    tuning_frames: int = 4
    tuning_size: int = 256
    takes: int = 4
    still_takes: int = 9
    phantom_size: int = 512
    edge_size: int = 256
    sharpness: float = DeblurSettings.sharpness
    noise_reduction: float = DeblurSettings.noise_reduction
    uniform_noise_reduction: bool = DeblurSettings.uniform_noise_reduction

    @property
    def controls(self) -> dict[str, float | bool]:
        """The settings of the models by name."""
        return {name: getattr(self, name) for name in CONTROLS}

    @classmethod
    def quick(cls, split: str = "validation") -> Plan:
        """A few small frames, in one process: to see that it works, not to learn anything."""
        return cls(
            split,
            frames=2,
            size=96,
            workers=1,
            blurs=(BLURS[1], *BLURS[-2:]),
            families=tuple(family.coarse() for family in FAMILIES),
            tuning_frames=1,
            tuning_size=64,
            takes=1,
            still_takes=5,
            phantom_size=192,
            edge_size=128,
        )
