"""A pool of simulated regions on disk, rendered once, from which every training draws its patches.

A region holds the degraded frames and the truth of one acquisition of its own spot, dose and effects, in log
intensity; patches are normalised as the run would be. Its class, the number modulo `CLASSES`, decides what it shows,
so that a batch which draws one region of each class has line pairs, wires and edges, native and subtracted frames.
"""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from DSADeblurLib.atomic_write import atomic_write
from DSADeblurLib.lab.simulation.pairs import (
    KINDS,
    Pair,
    acquire_pair,
    open_field,
    pixels_per_mm,
    random_conditions,
    removable_blur_px,
)
from DSADeblurLib.lab.simulation.scene import Scene
from DSADeblurLib.lab.simulation.sets import BLUR_PX, QUANTA, VOLUMES, SceneCache, generator, save_array
from DSADeblurLib.lab.training.batched_operators import SPOT_SIZE, turned_spots
from DSADeblurLib.lab.training.condition_noise import ConditionNoise
from DSADeblurLib.restoration.normalisation import Normalisation, fit_normalisation

CLASSES = 8
# Regions of these classes, one native and one subtracted each, show line pairs, wires and edges, or real anatomy;
# the others simulated patients.
TARGET_CLASSES, VOLUME_CLASSES = (0, 1), (2, 3)
SHARD = 16
# Numbers that are kept of a region beside its pixels, see `training_pair`.
FACTS = 5 + SPOT_SIZE
# A run's scale comes from whole frames that hold more or less of the vessels than a region.
SCALE_JITTER = 0.3
EVEN_BLUR_SHARE = 0.6
# At the ends of a run the last frame stands for those that are missing, and in single frames for all.
ENDS_SHARE = 0.15
# In runs the table jumps, the patient moves and the exposure changes: there neighbours show another place, brighter or
# darker by so much in normalised units.
JUMP_SHARE, JUMP_EXPOSURE = 0.15, 0.5
# The whole frame is looked at through every so many-th pixel, for its exposure.
THINNED = 8


@dataclass(frozen=True)
class PoolOptions:
    """`regions` squares of `side` pixels with `frames` successive frames, from `scenes` patients of `size` pixels.

    With `volumes` a quarter of the regions shows real anatomy, see `simulation.volumes`.
    """

    regions: int = 2048
    side: int = 384
    scenes: int = 240
    frames: int = 1
    size: int = 1024
    volumes: bool = False

    def __post_init__(self) -> None:
        if self.regions < 1 or self.regions % SHARD:
            raise ValueError(f"A pool holds a multiple of {SHARD} regions, not {self.regions}.")
        if not 0 < self.side <= self.size:
            raise ValueError(f"A region's side must be from 1 to {self.size} pixels, not {self.side}.")


class Patches(NamedTuple):
    """A batch, float32: inputs (B, frames, P, P), truths (B, 1, P, P), the removable blur_px (B, 2), its rows and
    columns, `blur_condition` (B, CONDITION_SIZE), see `network.Modulation`, and the focal `spots` (B, SPOT_SIZE), see
    `batched_operators.removable_otf`."""

    inputs: np.ndarray
    truths: np.ndarray
    blur_px: np.ndarray
    blur_condition: np.ndarray
    spots: np.ndarray


class Pool:
    """The regions of one folder; shards that are missing are rendered by `complete`."""

    def __init__(self, folder: Path, options: PoolOptions) -> None:
        self.folder, self.options = Path(folder), options
        self._shards: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def complete(self, workers: int = 1, show_progress: bool = True, check: Callable[[], None] = lambda: None) -> None:
        """Render what is missing; an interrupted call can be made again. `check` may raise between shards."""
        self.folder.mkdir(parents=True, exist_ok=True)
        _check_same_options(self.folder / "pool.json", self.options)
        missing = [n for n in range(self.options.regions // SHARD) if not _shard_path(self.folder, n).exists()]
        bar = tqdm(total=len(missing) * SHARD, desc="regions", unit="region", disable=not (show_progress and missing))
        if workers == 1:
            for number in missing:
                check()
                _render_shard(self.folder, self.options, number)
                bar.update(SHARD)
        else:
            # Not forked: the training may have started a GPU's threads, which a fork leaves in an unknown state.
            with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as processes:
                jobs = [processes.submit(_render_shard, self.folder, self.options, number) for number in missing]
                try:
                    for job in jobs:
                        job.result()
                        bar.update(SHARD)
                        check()
                except BaseException:
                    processes.shutdown(cancel_futures=True)
                    raise
        bar.close()

    def patches(
        self,
        rng: np.random.Generator,
        batch: int,
        side: int,
        share: slice = slice(None),
        among: np.ndarray | None = None,
        estimated: np.ndarray | None = None,
    ) -> Patches:
        """A batch of turned and mirrored patches, one class after the other.

        Args:
            rng: decides everything; the whole batch is drawn whatever the share.
            batch: number of patches of the whole batch.
            side: of a patch in pixels.
            share: which of them are read, for trainings on several processes.
            among: (regions,) bool, the regions to choose from; by default all.
            estimated: (regions, CONDITION_SIZE), the estimate of each region, see `condition_noise`; by default
                conditions are wrong by chance alone.
        """
        o = self.options
        regions = self._choose(rng, np.arange(batch) % CLASSES, among)
        corners = rng.integers(0, o.side - side + 1, (batch, 2))
        turns, mirrored = rng.integers(0, 4, batch), rng.random(batch) < 0.5
        noise = ConditionNoise.draw(rng, batch, estimated is not None)
        neighbours = neighbours_of(rng, batch, o.frames)
        jumped, exposures = jumps_of(rng, neighbours), rng.normal(0, JUMP_EXPOSURE, batch)
        elsewhere = rng.integers(0, o.side - side + 1, (batch, 2))
        inputs, truths, blurs, views, spots = [], [], [], [], []
        for number in np.arange(batch)[share]:
            region, turn, jump = regions[number], turns[number], jumped[number]
            frames, facts = self._shard(region // SHARD)
            rows_px, columns_px, _, offset, scale, *spot = facts[region % SHARD]
            shown, there = frames[region % SHARD], neighbours[number]
            patch = _cut(shown, corners[number], side)[[*there, -1]]
            patch[:-1][jump] = _cut(shown, elsewhere[number], side)[there[jump]] + exposures[number] * scale
            patch = Normalisation(offset, scale).apply(patch)
            patch = np.rot90(patch, turn, (1, 2))
            patch = patch[:, ::-1] if mirrored[number] else patch
            inputs.append(patch[:-1])
            truths.append(patch[-1:])
            blurs.append((columns_px, rows_px) if turn % 2 else (rows_px, columns_px))
            spots.append(spot)
            if estimated is not None:
                views.append(estimated[region][[1, 0, 2]] if turn % 2 else estimated[region])
        blurs, turned = np.array(blurs, np.float32), turns[share] % 2 == 1
        return Patches(
            np.stack(inputs).astype(np.float32),
            np.stack(truths).astype(np.float32),
            blurs,
            noise.blur_condition(share, blurs, np.array(views) if views else None),
            turned_spots(np.array(spots, np.float32), turned, turned != mirrored[share]),
        )

    def _choose(self, rng: np.random.Generator, classes: np.ndarray, among: np.ndarray | None) -> np.ndarray:
        """For each class (B,) the number of a region of it."""
        if among is None:
            return classes + CLASSES * rng.integers(0, self.options.regions // CLASSES, len(classes))
        return np.array([rng.choice(np.flatnonzero(among[c::CLASSES])) * CLASSES + c for c in classes])

    def quanta(self) -> np.ndarray:
        """Quanta per pixel of every region, (regions,)."""
        return np.concatenate([self._shard(n)[1][:, 2] for n in range(self.options.regions // SHARD)])

    def frame(self, region: int) -> np.ndarray:
        """The normalised degraded frame (side, side) float32 of the middle moment of a region."""
        frames, facts = self._shard(region // SHARD)
        normalisation = Normalisation(*facts[region % SHARD][3:5])
        return normalisation.apply(frames[region % SHARD, self.options.frames // 2]).astype(np.float32)

    def _shard(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        if number not in self._shards:
            path = _shard_path(self.folder, number)
            frames = np.load(path, mmap_mode="r", allow_pickle=False)
            self._shards[number] = frames, np.load(path.with_suffix(".facts.npy"), allow_pickle=False)
        return self._shards[number]


def neighbours_of(rng: np.random.Generator, batch: int, frames: int) -> np.ndarray:
    """Indices (batch, frames) of what goes in for each frame: in ENDS_SHARE of the patches as at an end of a run."""
    radius = frames // 2
    before, after = np.where(rng.random(batch) < ENDS_SHARE, rng.integers(0, radius + 1, (2, batch)), radius)
    return radius + np.clip(np.arange(-radius, radius + 1), -before[:, None], after[:, None])


def _cut(frames: np.ndarray, corner: np.ndarray, side: int) -> np.ndarray:
    row, column = corner
    return frames[:, row : row + side, column : column + side]


def jumps_of(rng: np.random.Generator, neighbours: np.ndarray) -> np.ndarray:
    """Which frames of `neighbours_of` lie beyond a jump, bool (batch, frames).

    In JUMP_SHARE of the patches that are not at an end of their run: those from some place on, before the middle one,
    behind it or both.
    """
    batch, frames = neighbours.shape
    radius, places = frames // 2, np.arange(frames)
    before, after = rng.integers(1, radius + 2, (2, batch, 1))
    jumps = (rng.random((batch, 1)) < JUMP_SHARE) & (neighbours == places).all(axis=1, keepdims=True)
    return jumps & ((places <= radius - before) | (places >= radius + after))


def _check_same_options(path: Path, options: PoolOptions) -> None:
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"regions": 0}
    wanted = {**asdict(options), "facts": FACTS}
    # More regions of the same kind may be added to a pool.
    if path.exists() and {**known, "regions": 0} != {**wanted, "regions": 0}:
        raise ValueError(f"The pool in '{path.parent}' was rendered with other options; choose another folder.")
    if options.regions > known["regions"]:
        # Several trainings may read one pool.
        with atomic_write(path, replace=True) as unfinished:
            unfinished.write_text(json.dumps(wanted) + "\n", encoding="utf-8")


def _shard_path(folder: Path, number: int) -> Path:
    return folder / f"shard-{number:05d}.npy"


def _render_shard(folder: Path, options: PoolOptions, number: int) -> None:
    """Regions (SHARD, frames + 1, side, side) float32, the truth last, and their facts, see `training_pair`."""
    frames = np.empty((SHARD, options.frames + 1, options.side, options.side), np.float32)
    facts = np.empty((SHARD, FACTS), np.float32)
    for place in range(SHARD):
        pair, facts[place] = training_pair(folder, options, number * SHARD + place)
        frames[place, :-1], frames[place, -1] = pair.degraded, pair.truth
    path = _shard_path(folder, number)
    save_array(path.with_suffix(".facts.npy"), facts)
    save_array(path, frames)


def training_pair(folder: Path, options: PoolOptions, region: int) -> tuple[Pair, np.ndarray]:
    """Region number `region` of a pool, and its facts (FACTS,) float32: removable blur (rows, columns) in
    pixels, quanta, offset and scale of its run, and its focal spot, see `Patches`."""
    o = options
    rng = generator("train", 0, region)
    kind = KINDS[region % 2]
    style, scenes = _style(o, region % CLASSES)
    cache = SceneCache(folder / "scenes", scenes, o.size, moments=o.frames, style=style)
    index = int(rng.integers(scenes))
    whole = cache.region(index, slice(None, None, THINNED), slice(None, None, THINNED))
    corner = corner_with_vessels(whole, o, rng)
    scene = cache.region(index, *(slice(c, c + o.side) for c in corner))
    # Either the spots of real tubes, or every blur as often as any other.
    blur = BLUR_PX if rng.random() < EVEN_BLUR_SHARE else None
    conditions = random_conditions(rng, whole, QUANTA, blur)
    pair = acquire_pair(scene, conditions, kind, rng, open_field(whole, conditions, stride=1))
    fitted = fit_normalisation(pair.degraded)
    scale = fitted.scale * np.exp(rng.normal(0, SCALE_JITTER))
    zoom = conditions.effects.zoom
    spot = *conditions.spot.otf_factors(), pixels_per_mm(whole, zoom)
    blur = removable_blur_px(conditions.spot, whole, zoom)
    return pair, np.array([*blur, conditions.quanta, fitted.offset, scale, *spot], np.float32)


def _style(options: PoolOptions, number: int) -> tuple[str, int]:
    """What regions of this class show, and from how many scenes."""
    few = -(-options.scenes // 4)
    if number in TARGET_CLASSES:
        return "targets", few
    if number in VOLUME_CLASSES and options.volumes:
        return VOLUMES, few
    return "patient", options.scenes


def corner_with_vessels(whole: Scene, options: PoolOptions, rng: np.random.Generator) -> np.ndarray:
    """Of four places the one with most change in its iodine, three times out of four."""
    corners = rng.integers(0, options.size - options.side + 1, (4, 2))
    iodine = whole.iodine[whole.iodine.shape[0] // 2].sum(axis=0)
    low, high = corners // THINNED, (corners + options.side) // THINNED
    amounts = [iodine[a:c, b:d].std() for (a, b), (c, d) in zip(low, high, strict=True)]
    return corners[int(np.argmax(amounts))] if rng.random() < 0.75 else corners[0]
