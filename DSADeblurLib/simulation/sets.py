"""Disjoint sets of simulated scenes by fixed seeds: training, validation for every choice, test for the last look."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

import numpy as np

from .pairs import Conditions, Pair, acquire_pair, random_conditions
from .scene import Scene, random_scene
from .tubes import View

SPLITS = {"train": 1, "validation": 2, "test": 3, "sample": 4}
# Quanta per pixel: from fluoroscopy-like to the quiet frames of a phantom (restoration-grade DSA has 10^4 to 10^5).
QUANTA = (1.5e3, 1.5e5)
PAPER_LIKE_QUANTA = (4e3, 1.5e5)


def generator(split: str, *numbers: int) -> np.random.Generator:
    """A random generator that depends on the split and the numbers alone.

    Raises:
        ValueError: unknown split.
    """
    if split not in SPLITS:
        raise ValueError(f"Unknown set '{split}'; use one of {', '.join(SPLITS)}.")
    return np.random.default_rng(np.random.SeedSequence((SPLITS[split], *numbers)))


def held_out_pair(
    split: str, index: int, kind: str, quanta: tuple[float, float] = PAPER_LIKE_QUANTA, size: int = 1024
) -> tuple[Pair, Conditions, Scene]:
    """Frame `index` of a held-out set, square with `size` pixels; the same wherever it is drawn."""
    scene = random_scene(generator(split, index), (size, size))
    rng = generator(split, index, 1)
    conditions = random_conditions(rng, scene, quanta)
    return acquire_pair(scene, conditions, kind, rng), conditions, scene


class SceneCache:
    """Rendered scenes on disk in half precision, each rendered when first asked for.

    Spot and noise are drawn anew at each use, so a few hundred scenes last for a long training.
    """

    def __init__(self, folder: Path, count: int, size: int = 1024, split: str = "train") -> None:
        self.folder, self.count, self.size, self.split = Path(folder), count, size, split
        self.folder.mkdir(parents=True, exist_ok=True)

    def region(self, index: int, rows: slice, columns: slice) -> Scene:
        """A part of a scene; only that part is read."""
        path = self._rendered(index)
        arrays = np.load(path, mmap_mode="r", allow_pickle=False)
        stored = json.loads(path.with_suffix(".json").read_text())
        view = View(**{**stored, "shape": tuple(stored["shape"])})
        static, iodine = (np.array(part[:, rows, columns], np.float32) for part in arrays)
        return Scene(view, static, iodine)

    def _rendered(self, index: int) -> Path:
        path = self.folder / f"{self.split}-{self.size}-{index:05d}.npy"
        if not path.exists():
            scene = random_scene(generator(self.split, index), (self.size, self.size))
            path.with_suffix(".json").write_text(json.dumps(asdict(scene.view)))
            aside = path.with_suffix(f".{os.getpid()}.part")
            with open(aside, "wb") as file:
                np.save(file, np.stack((scene.static, scene.iodine)).astype(np.float16))
            os.replace(aside, path)
        return path
