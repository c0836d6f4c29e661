"""The grid of conditions: kind of frame, noise and blur, inside and outside of what models were trained on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from DSADeblurLib.lab.simulation.pairs import Conditions, acquire_pair, header_blur_px
from DSADeblurLib.lab.simulation.scene import Scene
from DSADeblurLib.lab.simulation.sets import FOREIGN_BLUR_PX, generator, held_out_pair, paper_pair
from DSADeblurLib.lab.simulation.tubes import View
from DSADeblurLib.physics.compound_spot import CompoundSpot
from DSADeblurLib.physics.focal_spot import FocalSpot

NOISE_FREE = "none"


@dataclass(frozen=True)
class Blur:
    """Range of the blur's mean width in pixels; models are trained on it or not, never on `foreign` spot shapes."""

    name: str
    px: tuple[float, float]
    trained: bool = True
    foreign: bool = False


BLURS = (
    Blur("1-2 px", (1.0, 2.0)),
    Blur("2-4 px", (2.0, 4.0)),
    Blur("4-6 px", (4.0, 6.0)),
    Blur("6-8 px", (6.0, 8.0)),
    Blur(f"{FOREIGN_BLUR_PX[0]:g}-{FOREIGN_BLUR_PX[1]:g} px", FOREIGN_BLUR_PX, trained=False),
    Blur("other shapes", (1.0, 8.0), trained=False, foreign=True),
)
PAPER = Blur("body phantom", (0.0, 0.0), trained=False)
"""The frames of `sets.paper_pair`, a condition of its own."""
ALL_TRAINED = "1-8 px"
"""Name of the frames of all trained ranges of blur together, each range counting the same."""
TRAINED = (ALL_TRAINED, *(blur.name for blur in BLURS if blur.trained))


class Known(NamedTuple):
    """What methods may know of the blur, in the isocentre's plane; nobody knows the depth of each vessel.

    `psf` is the true kernel, for classical methods; `header_px` the width (rows, columns) that follows from the nominal
    focal spot, for models that take the width of the blur.
    """

    psf: np.ndarray
    header_px: tuple[float, float] | None


@dataclass(frozen=True)
class Case:
    """One frame of a condition.

    Attributes:
        frames: (t, rows, cols) float32, blurred, noisy; the middle one is to be restored.
        exact: (rows, cols) float32, the middle frame without noise: what a perfect denoiser would make of it.
        truth: (rows, cols) float32, through the micro spot, without noise.
        known: what methods may know of the blur.
    """

    frames: np.ndarray
    exact: np.ndarray
    truth: np.ndarray
    known: Known


def draw_cases(
    split: str, index: int, kind: str, blur: Blur, noises: tuple[str, ...], size: int, moments: int = 1
) -> dict[str, Case]:
    """Frame `index` of a set at several noise levels; scene, spot and motion are the same at all of them.

    Args:
        split: of `sets.SPLITS`.
        index: from 0.
        kind: 'native' or 'subtracted'.
        blur: how wide and of which shape.
        noises: of `sets.NOISE` or NOISE_FREE; at least one of the former.
        size: rows and columns.
        moments: odd number of frames, one frame time apart.

    Returns:
        A case for each noise level. The noise-free case has one frame, repeated.
    """
    cases = {}
    for noise in noises:
        if noise != NOISE_FREE:
            pair, conditions, scene = held_out_pair(
                split, index, kind, noise, size, blur_px=blur.px, moments=moments, foreign=blur.foreign
            )
            if not cases:
                exact, known = _exact(scene, conditions, kind), known_of(conditions, scene)
            cases[noise] = Case(pair.degraded, exact, pair.truth, known)
    if NOISE_FREE in noises:
        noisy = next(iter(cases.values()))
        frames = np.repeat(noisy.exact[None], moments, axis=0)
        cases[NOISE_FREE] = replace(noisy, frames=frames)
    return cases


def draw_paper_case(split: str, index: int, size: int, moments: int = 1) -> Case:
    """Frame `index` of the body phantoms, as bad as the paper's input."""
    pair, conditions, scene = paper_pair(split, index, size, moments=moments)
    return Case(pair.degraded, _exact(scene, conditions, "native"), pair.truth, known_of(conditions, scene))


def known_of(conditions: Conditions, scene: Scene) -> Known:
    """What methods may know of a pair taken like this."""
    header_px = None if conditions.nominal_spot_mm is None else header_blur_px(conditions, scene)
    return Known(true_psf(conditions.spot, scene.view), header_px)


@lru_cache(maxsize=8)
def true_psf(spot: FocalSpot | CompoundSpot, view: View) -> np.ndarray:
    """The blur of the isocentre's plane as a kernel of odd sides."""
    return spot.psf(view.magnification(0.0), view.spacing_mm)


def _exact(scene: Scene, conditions: Conditions, kind: str) -> np.ndarray:
    middle = scene.moments // 2
    still = replace(scene, iodine=scene.iodine[middle : middle + 1])
    clean = replace(conditions, noise_free=True)
    return acquire_pair(still, clean, kind, generator("validation")).frame
