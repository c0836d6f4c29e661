"""What is compared: networks, and classical methods tuned on validation frames, all as one kind of function."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from DSADeblurLib.lab.evaluation.classical import richardson_lucy, total_variation, unsharp_mask, wiener
from DSADeblurLib.lab.evaluation.grid import Case, Known
from DSADeblurLib.lab.image_quality.quality import DATA_RANGE, psnr
from DSADeblurLib.request import LARGEST_BLUR_PX, DeblurSettings
from DSADeblurLib.restoration.deblur import deblur
from DSADeblurLib.restoration.package import Model
from DSADeblurLib.restoration.selection import Engines

Method = Callable[[np.ndarray, Known], np.ndarray]
"""Takes frames (t, rows, cols), t odd, and what is known of the blur; gives the middle frame restored."""

INPUT, TRUTH, PERFECT_DENOISER = "input", "truth", "perfect denoiser"


@dataclass(frozen=True)
class Family:
    """A classical method, the settings to choose from, and the ends of its grid beyond which there is nothing."""

    name: str
    run: Callable[..., np.ndarray]
    grid: dict[str, tuple[float, ...]]
    natural_ends: tuple[tuple[str, float], ...] = ()

    def settings(self) -> list[dict[str, float]]:
        """All combinations of the grid."""
        return [dict(zip(self.grid, values, strict=True)) for values in itertools.product(*self.grid.values())]

    def coarse(self) -> Family:
        """The same with two settings of each parameter: to try whether tuning works, not to tune."""
        return replace(self, grid={name: (values[1], values[len(values) // 2]) for name, values in self.grid.items()})

    def at_edge(self, setting: dict[str, float]) -> tuple[str, ...]:
        """Names of the parameters that lie at an end of the grid beyond which a better value could be."""
        return tuple(
            name
            for name, value in setting.items()
            if value in (min(self.grid[name]), max(self.grid[name])) and (name, value) not in self.natural_ends
        )

    def method(self, setting: dict[str, float]) -> Method:
        """The method with this setting."""
        return lambda frames, known: self.run(frames[len(frames) // 2], known.psf, **setting)


_SMOOTHING = (0.0, 0.6, 1.2, 2.0, 3.0)
FAMILIES = (
    Family(
        "unsharp",
        unsharp_mask,
        {"smoothing": _SMOOTHING, "radius": (0.4, 0.7, 1.0, 1.6, 2.5, 4.0), "amount": (0.0, 0.3, 0.6, 1.2, 2.5, 5.0)},
        # Nothing is added back with an amount of 0, whatever the radius.
        natural_ends=(("smoothing", 0.0), ("amount", 0.0)),
    ),
    Family("Wiener", wiener, {"balance": tuple(float(b) for b in np.logspace(-5, 2, 15))}),
    Family(
        "Richardson-Lucy",
        richardson_lucy,
        {"smoothing": _SMOOTHING, "iterations": (1, 3, 8, 20, 50)},
        natural_ends=(("smoothing", 0.0), ("iterations", 1)),
    ),
    Family(
        "total variation",
        total_variation,
        {"weight": tuple(float(w) for w in np.logspace(-5, -1, 9)), "iterations": (1, 3, 8, 20, 50)},
        natural_ends=(("iterations", 1),),
    ),
)


@dataclass(frozen=True)
class Tuned:
    """The best setting of a family for one kind of frame at one noise level.

    Attributes:
        family: its name.
        setting: value of each parameter.
        psnr: mean over the validation frames it was chosen on.
        at_edge: parameters that lie at an end of their grid: the method may be better than it looks.
    """

    family: str
    setting: dict[str, float]
    psnr: float
    at_edge: tuple[str, ...]

    @property
    def method(self) -> Method:
        """The method with this setting."""
        (family,) = (family for family in FAMILIES if family.name == self.family)
        return family.method(self.setting)


def tune(family: Family, cases: list[Case]) -> Tuned:
    """The setting with the best mean PSNR over the cases."""

    def score(setting: dict[str, float]) -> float:
        method = family.method(setting)
        found = [psnr(method(case.frames, case.known), case.truth, data_range=DATA_RANGE) for case in cases]
        return float(np.mean(found))

    scores = [score(setting) for setting in family.settings()]
    best = family.settings()[int(np.argmax(scores))]
    return Tuned(family.name, best, max(scores), family.at_edge(best))


def unchanged(frames: np.ndarray, known: Known) -> np.ndarray:
    """The middle frame as it is: what every method is compared with."""
    return frames[len(frames) // 2]


def assumed_blur(known: Known, header: float | None = 1.0) -> tuple[float, float] | None:
    """The header's width of the blur, wrong by a factor; None for frames without a header."""
    if header is None or known.header_px is None:
        return None
    rows, columns = (min(header * width, LARGEST_BLUR_PX) for width in known.header_px)
    return rows, columns


def network_method(
    model: Model, settings: DeblurSettings | None = None, engines: Engines | None = None, header: float | None = 1.0
) -> Method:
    """The model as users run it, given as many neighbouring frames as it takes.

    Args:
        model: from `load_model`.
        settings: device, engine and precision; by default what suits the CPU best.
        engines: as for `deblur`.
        header: the factor by which the header's width of the blur is wrong; None for frames without a header.
    """
    half = model.architecture.frames // 2
    settings = replace(settings or DeblurSettings(device="cpu"), frame_range=(half + 1, half + 1))

    def restore(frames: np.ndarray, known: Known) -> np.ndarray:
        middle = len(frames) // 2
        window, header_px = frames[middle - half : middle + half + 1], assumed_blur(known, header)
        return deblur(window, model, settings, header_px=header_px, engines=engines).frames[0]

    return restore
