"""Batches of training patches, each a function of seed and number alone, so that a resumed training is exact."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from DSADeblurLib.restoration.normalisation import Normalisation, fit_normalisation
from DSADeblurLib.simulation.pairs import KINDS, Conditions, Pair, acquire_pair, open_field, random_conditions
from DSADeblurLib.simulation.scene import Scene
from DSADeblurLib.simulation.sets import QUANTA, SceneCache, generator

from .recipes import Recipe

PAIRS_PER_GROUP = 8
PATCHES_PER_PAIR = 24
# A run's scale comes from whole frames that hold more or less of the vessels than this one.
SCALE_JITTER = 0.25


def foretold_normalisation(frame: Scene, conditions: Conditions, kind: str, exposure, rng) -> Normalisation:
    """The normalisation of a whole frame from its thinned line integrals, without acquiring it."""
    incident, detector = exposure
    attenuation = frame.static.sum(axis=0)
    values = -frame.iodine.sum(axis=0)
    variance = 0.5 / (incident * np.exp(-attenuation))
    if kind == "native":
        values = values - attenuation + np.log(incident * detector.gain)
    else:
        variance = variance * (1 + 1 / conditions.mask_frames)
    noisy = values + np.sqrt(np.minimum(variance, 1)) * rng.standard_normal(values.shape, dtype=np.float32)
    return fit_normalisation(noisy[None])


def training_pair(cache: SceneCache, region: int, rng: np.random.Generator) -> tuple[Pair, Normalisation]:
    """One acquired region of a random scene, drawn where there are vessels more often than not."""
    index = int(rng.integers(cache.count))
    frame = cache.region(index, slice(None, None, 8), slice(None, None, 8))
    corner = _corner_with_vessels(frame.iodine.sum(axis=0), cache.size, region, rng)
    scene = cache.region(index, *(slice(c, c + region) for c in corner))
    conditions = random_conditions(rng, frame, QUANTA)
    kind = KINDS[int(rng.integers(2))]
    exposure = open_field(frame, conditions, stride=1)
    normalisation = foretold_normalisation(frame, conditions, kind, exposure, rng)
    pair = acquire_pair(scene, conditions, kind, rng, exposure)
    scale = normalisation.scale * float(np.exp(rng.normal(0, SCALE_JITTER)))
    return pair, Normalisation(normalisation.offset + float(rng.normal(0, 0.1)) * scale, scale)


def _corner_with_vessels(iodine: np.ndarray, size: int, region: int, rng: np.random.Generator) -> np.ndarray:
    corners = rng.integers(0, size - region + 1, (4, 2))
    amounts = [iodine[r // 8 : (r + region) // 8, c // 8 : (c + region) // 8].std() for r, c in corners]
    return corners[int(np.argmax(amounts))] if rng.random() < 0.75 else corners[0]


def _group(cache: SceneCache, recipe: Recipe, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Patches (n, 1, patch, patch) of several pairs, turned, mirrored and shuffled."""
    rng = generator("train", 0, recipe.seed, number)
    inputs, truths = [], []
    for _ in range(PAIRS_PER_GROUP):
        pair, normalisation = training_pair(cache, recipe.region, rng)
        both = np.stack((normalisation.apply(pair.degraded), normalisation.apply(pair.truth)))
        for row, column in rng.integers(0, recipe.region - recipe.patch + 1, (PATCHES_PER_PAIR, 2)):
            patch = both[:, row : row + recipe.patch, column : column + recipe.patch]
            patch = np.rot90(patch, int(rng.integers(4)), (1, 2))
            patch = patch[:, ::-1] if rng.random() < 0.5 else patch
            inputs.append(patch[0])
            truths.append(patch[1])
    order = rng.permutation(len(inputs))
    return np.stack(inputs)[order, None], np.stack(truths)[order, None]


def batches(cache: SceneCache, recipe: Recipe, first_step: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Batches (batch, 1, patch, patch) float32 of input and truth for steps `first_step`, `first_step` + 1, ...

    The next groups are acquired in a thread meanwhile; their order does not depend on it.
    """
    patches = PAIRS_PER_GROUP * PATCHES_PER_PAIR
    groups_per_batch = max(1, -(-recipe.batch // patches))
    steps_per_group = max(1, patches // recipe.batch)

    def chunk(number: int) -> tuple[np.ndarray, np.ndarray]:
        parts = [_group(cache, recipe, number * groups_per_batch + k) for k in range(groups_per_batch)]
        return tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))

    number, skip = divmod(first_step, steps_per_group)
    with ThreadPoolExecutor(max_workers=1) as pool:
        waiting = [pool.submit(chunk, number + k) for k in range(3)]
        while True:
            inputs, truths = waiting.pop(0).result()
            number += 1
            waiting.append(pool.submit(chunk, number + 2))
            for step in range(skip, steps_per_group):
                part = slice(step * recipe.batch, (step + 1) * recipe.batch)
                yield np.ascontiguousarray(inputs[part]), np.ascontiguousarray(truths[part])
            skip = 0
