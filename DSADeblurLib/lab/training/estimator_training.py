"""Training of the blur estimator, once for all networks that learn from a pool."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from tqdm import tqdm

from DSADeblurLib.atomic_write import atomic_write
from DSADeblurLib.lab.simulation.sets import generator, save_array
from DSADeblurLib.lab.training.pool import Patches, Pool
from DSADeblurLib.restoration.blur_condition import SMALLEST_PX
from DSADeblurLib.restoration.estimator import BlurEstimator

# Whole regions: how sure a width is depends on how much of a frame there is.
BATCH, SIDE = 4, 384
LEARNING_RATE = 2e-3


def keep_estimator(pool: Pool, estimator: BlurEstimator) -> None:
    """Put an estimator that exists beside the pool, as the one of no steps; estimates of a former one go."""
    path = _path(pool, 0)
    if path.exists():
        kept = load_file(path)
        if all(torch.equal(kept[name], value) for name, value in estimator.state_dict().items()):
            return
    _estimates_path(pool, 0).unlink(missing_ok=True)
    _save(estimator, path)


def estimator_of(
    pool: Pool, steps: int, show_progress: bool = True, check: Callable[[], None] = lambda: None
) -> BlurEstimator:
    """The estimator that lies beside the pool; the first call trains it.

    Args:
        pool: complete.
        steps: of learning; 0 for that of `keep_estimator`.
        show_progress: whether to draw a progress bar.
        check: called between the steps; what it raises ends the training.

    Raises:
        ValueError: one sentence: none was kept.
    """
    path = _path(pool, steps)
    if not path.exists():
        if steps == 0:
            raise ValueError("This training keeps the blur estimator of the model it starts from; name that model.")
        _save(_learned(pool, steps, show_progress, check), path)
    estimator = BlurEstimator()
    estimator.load_state_dict(load_file(path))
    return estimator.requires_grad_(False)


def estimates_of(
    pool: Pool, steps: int, show_progress: bool = True, check: Callable[[], None] = lambda: None
) -> np.ndarray:
    """The estimates of that estimator, kept beside the pool too; arguments as for `estimator_of`.

    Returns:
        (regions, CONDITION_SIZE) float32.
    """
    path = _estimates_path(pool, steps)
    regions = pool.options.regions
    if not path.exists() or len(np.load(path, mmap_mode="r", allow_pickle=False)) < regions:
        estimator = estimator_of(pool, steps, show_progress, check)
        with torch.inference_mode():
            estimated = [
                estimator(torch.from_numpy(pool.frame(region))[None, None])[0].numpy()
                for region in tqdm(range(regions), desc="estimates", unit="region", disable=not show_progress)
            ]
        save_array(path, np.array(estimated, np.float32))
    return np.load(path, allow_pickle=False)[:regions]


def _path(pool: Pool, steps: int) -> Path:
    return Path(pool.folder) / f"estimator-{steps}.safetensors"


def _estimates_path(pool: Pool, steps: int) -> Path:
    # Pools on disk have files of this name.
    return Path(pool.folder) / f"estimator-{steps}.seen.npy"


def _save(estimator: BlurEstimator, path: Path) -> None:
    with atomic_write(path, replace=True) as unfinished:
        save_file({name: value.contiguous() for name, value in estimator.state_dict().items()}, unfinished)


def _learned(pool: Pool, steps: int, show_progress: bool, check: Callable[[], None]) -> BlurEstimator:
    torch.manual_seed(1)
    estimator = BlurEstimator().to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(estimator.parameters(), lr=LEARNING_RATE)
    side, middle = min(SIDE, pool.options.side), pool.options.frames // 2
    for step in tqdm(range(steps), desc="estimator", unit="step", disable=not show_progress):
        check()
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * min(1.0, (step + 1) / 200) * 0.5 * (1 + math.cos(math.pi * step / steps))
        loss = _error(estimator, pool.patches(generator("train", 3, step), BATCH, side), middle)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(estimator.parameters(), 1.0)
        optimizer.step()
    return estimator


def _error(estimator: BlurEstimator, patches: Patches, middle: int) -> torch.Tensor:
    """Negative log-likelihood of Laplace distributions about the estimated logarithms, of the claimed mean errors.

    A factor counts the same for small and large widths, and a claim of too small or too large an error costs.
    """
    estimated, errors = estimator.logarithms(torch.from_numpy(patches.inputs[:, middle : middle + 1]))
    distance = (estimated - torch.log(torch.from_numpy(patches.blur_px) + SMALLEST_PX)).abs()
    return (distance * torch.exp(-errors) + errors).mean()
