"""Disjoint sets of simulated scenes by fixed seeds: training, validation for every choice, test for the last look."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from functools import cache, lru_cache
from pathlib import Path

import numpy as np

from DSADeblurLib.atomic_write import atomic_write
from DSADeblurLib.lab.simulation.conditions import foreign_spot
from DSADeblurLib.lab.simulation.pairs import KINDS, Conditions, Pair, acquire_pair, random_conditions
from DSADeblurLib.lab.simulation.scene import Scene, body_phantom_scene, random_scene
from DSADeblurLib.lab.simulation.tubes import View
from DSADeblurLib.physics.focal_spot import random_focal_spot

SPLITS = {"train": 1, "validation": 2, "test": 3, "sample": 4}
NOISE = {"quiet": (1.5e5, 1.5e6), "paper-like": (1.8e3, 6.8e4), "clinical": (1.5e3, 1.2e4)}
"""Quanta per pixel of held-out frames: a phantom's averaged frames, restoration-grade DSA, DSA at clinical dose."""
QUANTA = (3e2, 2e6)
"""Quanta per pixel in training: from fluoroscopy-like to beyond the quietest held-out frames."""
BLUR_PX = (0.5, 9.0)
"""Mean width of the blur in training, in pixels."""
FOREIGN_BLUR_PX = (9.0, 14.0)
"""Blur beyond the trained range."""
VOLUMES = "volumes"
"""The style of scenes from real anatomy, see `SceneCache`."""
PAPER_NOMINAL_SPOTS_MM = (1.0, 1.2)
"""Large focal spots of angiographic tubes."""
# Both by `python -m DSADeblurLib.lab.simulation.paper_dose`, on validation frames.
PAPER_QUANTA = 1.74e4
PAPER_DATA_RANGE = 0.229


def generator(split: str, *numbers: int) -> np.random.Generator:
    """A random generator that depends on the split and the numbers alone.

    Raises:
        ValueError: unknown split.
    """
    if split not in SPLITS:
        raise ValueError(f"Unknown set '{split}'; use one of {', '.join(SPLITS)}.")
    return np.random.default_rng(np.random.SeedSequence((SPLITS[split], *numbers)))


def held_out_pair(
    split: str,
    index: int,
    kind: str,
    noise: str = "paper-like",
    size: int = 1024,
    blur_px: tuple[float, float] | None = None,
    moments: int = 1,
    foreign: bool = False,
    effects: bool = False,
) -> tuple[Pair, Conditions, Scene]:
    """Frame `index` of a held-out set; the same wherever it is drawn.

    Scene, spot shape, detector and motion of an index are the same at every noise level and range of blur, and the
    middle frame is the same however many moments there are.

    Args:
        split: one of SPLITS.
        index: from 0.
        kind: one of KINDS.
        noise: one of NOISE.
        size: rows and columns.
        blur_px: range of the blur's mean width in pixels, see `random_conditions`; FOREIGN_BLUR_PX is out of range.
        moments: odd number of frames one frame time apart.
        foreign: a spot shape that no training has seen, of the same mean width.
        effects: with effects in their shares, see `effects.SHARES`, as in training.

    Raises:
        ValueError: unknown split, kind or noise level.
    """
    if kind not in KINDS or noise not in NOISE:
        raise ValueError(f"Unknown frames '{kind}' at '{noise}' noise; use {', '.join(KINDS)} and {', '.join(NOISE)}.")
    scene = _held_out_scene(split, index, size, moments)
    conditions = random_conditions(generator(split, index, 1), scene, NOISE[noise], blur_px, effects)
    if foreign:
        conditions = replace(conditions, spot=foreign_spot(generator(split, index, 2), conditions.spot))
    numbers = KINDS.index(kind), list(NOISE).index(noise), 0 if blur_px is None else int(100 * blur_px[0]) + 1
    return acquire_pair(scene, conditions, kind, generator(split, index, 3, *numbers)), conditions, scene


@lru_cache(maxsize=1)
def _held_out_scene(split: str, index: int, size: int, moments: int) -> Scene:
    """Kept, because an evaluation takes the same scene under many conditions in a row."""
    return random_scene(generator(split, index), (size, size), moments)


def paper_pair(
    split: str, index: int, size: int = 512, quanta: float = PAPER_QUANTA, moments: int = 1
) -> tuple[Pair, Conditions, Scene]:
    """A native frame of a body phantom through a large focal spot, degraded as the frames of Geng et al. 2022 were.

    Their input has a PSNR of 30.64 dB and an SSIM of 0.9163 against the micro focus. They do not state the window that
    such figures depend on; PAPER_QUANTA and PAPER_DATA_RANGE are what gives both figures here, see `calibration`. Their
    micro-focus frames hold noise of their own, this truth does not. The phantom lies still: of several moments each has
    its own noise and nothing else.
    """
    scene = body_phantom_scene(generator(split, index, 4), (size, size))
    scene = replace(scene, iodine=np.repeat(scene.iodine, moments, axis=0))
    rng = generator(split, index, 5)
    drawn = random_conditions(rng, scene, (quanta, quanta), effects=False)
    nominal = float(rng.choice(PAPER_NOMINAL_SPOTS_MM))
    spot = random_focal_spot(rng, nominal)
    conditions = replace(drawn, spot=spot, nominal_spot_mm=nominal, drift_px=(0.0, 0.0))
    return acquire_pair(scene, conditions, "native", generator(split, index, 6)), conditions, scene


def save_array(path: Path, values: np.ndarray) -> None:
    """Write a .npy file, which other processes see whole or not at all."""
    with atomic_write(path, replace=True) as unfinished:
        np.save(unfinished, values)


class SceneCache:
    """Rendered scenes on disk in half precision, each rendered when first asked for.

    Spot, noise and effects are drawn anew at each use, so a few hundred scenes last for a long training. A scene of
    1024 x 1024 pixels and m moments takes 6 (1 + m) MiB; only what is asked for is read. `style` is one of those of
    `random_scene`, or VOLUMES for real anatomy, see `volumes`.
    """

    def __init__(
        self,
        folder: Path,
        count: int,
        size: int = 1024,
        split: str = "train",
        moments: int = 1,
        style: str | None = None,
    ) -> None:
        self.folder, self.count, self.size, self.split, self.moments = Path(folder), count, size, split, moments
        self.style = style
        self.folder.mkdir(parents=True, exist_ok=True)

    def region(self, index: int, rows: slice, columns: slice) -> Scene:
        """A part of a scene, all moments of it; only that part is read."""
        path = self._rendered(index)
        arrays = np.load(path, mmap_mode="r", allow_pickle=False)
        stored = json.loads(path.with_suffix(".json").read_text())
        view = View(**{**stored, "shape": tuple(stored["shape"])})
        part = np.array(arrays[:, :, rows, columns], np.float32)
        return Scene(view, part[0], part[1:])

    def _rendered(self, index: int) -> Path:
        path = self.folder / f"{self.split}-{self.style or 'any'}-{self.size}-{self.moments}-{index:05d}.npy"
        if not path.exists():
            scene = self._drawn(generator(self.split, index))
            path.with_suffix(".json").write_text(json.dumps(asdict(scene.view)))
            save_array(path, np.concatenate((scene.static[None], scene.iodine)).astype(np.float16))
        return path

    def _drawn(self, rng: np.random.Generator) -> Scene:
        if self.style != VOLUMES:
            return random_scene(rng, (self.size, self.size), self.moments, self.style)
        from DSADeblurLib.lab.simulation.volumes import volume_scene

        return volume_scene(rng, (self.size, self.size), self.moments, loaded_volumes())


@cache
def loaded_volumes():
    """Traced once a process: it takes a minute."""
    from DSADeblurLib.lab.simulation.volumes import Volumes

    return Volumes.load()
