"""The training loop: deterministic by seed, resumable to the step, with a held-out figure while it runs."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from DSADeblurLib.measurement.quality import DATA_RANGE, psnr
from DSADeblurLib.restoration.network import RestorationNetwork, build_network
from DSADeblurLib.restoration.normalisation import fit_normalisation
from DSADeblurLib.simulation.pairs import KINDS
from DSADeblurLib.simulation.sets import SceneCache, held_out_pair

from .batches import batches
from .checkpoint import load_checkpoint, save_checkpoint
from .losses import restoration_loss
from .recipes import Recipe

CHECKPOINT = "checkpoint.safetensors"
LOG = "log.jsonl"


class HeldOut:
    """A small validation set, simulated once: the gain in PSNR over the input says how the training goes."""

    def __init__(self, frames: int, size: int) -> None:
        self.pairs = [held_out_pair("validation", i, KINDS[i % 2], size=size)[0] for i in range(frames)]
        self.input_psnr = np.array([psnr(pair.degraded, pair.truth, data_range=DATA_RANGE) for pair in self.pairs])

    @torch.inference_mode()
    def gains(self, network: RestorationNetwork, device: torch.device) -> dict[str, float]:
        """Mean gain in PSNR over the input, dB, for each kind of frame."""
        values = []
        for pair in self.pairs:
            normalisation = fit_normalisation(pair.degraded[None])
            frame = torch.from_numpy(normalisation.apply(pair.degraded))[None, None].to(device)
            output = normalisation.invert(network(frame)[0, 0].float().cpu().numpy())
            values.append(psnr(output, pair.truth, data_range=DATA_RANGE))
        gains = np.array(values) - self.input_psnr
        return {kind: round(float(gains[k :: len(KINDS)].mean()), 3) for k, kind in enumerate(KINDS)}


def train(
    recipe: Recipe,
    folder: Path,
    *,
    resume: bool = False,
    device: torch.device | str = "cpu",
    scenes: Path | None = None,
    minutes: float | None = None,
    validate_every: int = 500,
    held_out: tuple[int, int] = (8, 512),
    is_cancelled: Callable[[], bool] = lambda: False,
    show_progress: bool = True,
) -> tuple[RestorationNetwork, dict]:
    """Train a network, or go on with one.

    Args:
        recipe: what to train and how.
        folder: where the checkpoint and the log (one JSON object a line) are kept.
        resume: go on from the folder's checkpoint, if there is one; the weights come out as without the stop.
        device: where to train.
        scenes: folder of the scene cache, by default `folder`/scenes.
        minutes: stop this call after this time, leaving a checkpoint.
        validate_every: steps between validations and checkpoints.
        held_out: number and side of the validation frames.
        is_cancelled: asked after each step; a checkpoint is left.

    Returns:
        The network with averaged weights, and a summary: steps and minutes in all, psnr_gain_db for each kind.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    device = torch.device(device)
    torch.manual_seed(recipe.seed)
    network = build_network(recipe.architecture).to(device, memory_format=torch.channels_last)
    average = copy.deepcopy(network).requires_grad_(False)
    optimizer = torch.optim.Adam(network.parameters(), lr=recipe.learning_rate)
    checkpoint = folder / CHECKPOINT
    first, spent = 0, 0.0
    if resume and checkpoint.exists():
        first, spent = load_checkpoint(checkpoint, network, average, optimizer, recipe)
    validation = HeldOut(*held_out)
    cache = SceneCache(scenes or folder / "scenes", recipe.scenes)
    started = time.monotonic()
    gains = validation.gains(average, device)
    bar = tqdm(total=recipe.steps, initial=first, desc=recipe.name, unit="step", disable=not show_progress)
    stream = batches(cache, recipe, first)
    step, recent = first, []
    for step, (inputs, truths) in zip(range(first + 1, recipe.steps + 1), stream, strict=False):
        recent.append(_train_step(network, average, optimizer, recipe, step, inputs, truths, device))
        bar.update()
        overdue = minutes is not None and time.monotonic() - started > 60 * minutes
        stop = overdue or is_cancelled() or step == recipe.steps
        if stop or step % validate_every == 0:
            gains = validation.gains(average, device)
            seconds = spent + time.monotonic() - started
            save_checkpoint(checkpoint, network, average, optimizer, step, seconds, recipe)
            entry = {"step": step, "loss": round(float(np.mean(recent)), 5), "psnr_gain_db": gains}
            entry["seconds"] = round(seconds, 1)
            with open(folder / LOG, "a", encoding="utf-8") as log:
                log.write(json.dumps(entry) + "\n")
            recent = []
            bar.set_postfix(loss=entry["loss"], psnr_gain=" ".join(f"{k} {v:+.2f} dB" for k, v in gains.items()))
        if stop:
            break
    stream.close()
    bar.close()
    summary = {"steps": step, "minutes": round((spent + time.monotonic() - started) / 60, 1)}
    return average, summary | {"psnr_gain_db": gains}


def _train_step(network, average, optimizer, recipe: Recipe, step: int, inputs, truths, device) -> float:
    for group in optimizer.param_groups:
        group["lr"] = recipe.rate(step - 1)
    frames = torch.from_numpy(inputs).to(device, memory_format=torch.channels_last)
    targets = torch.from_numpy(truths).to(device)
    # bfloat16 keeps float32's range, so no loss scaling is needed; twice as fast on processors that have it.
    with torch.autocast(device.type, torch.bfloat16):
        output = network(frames)
    squared = recipe.squared_weight(step - 1)
    loss = restoration_loss(output.float(), frames, targets, recipe.gradient_weight, squared)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 10.0)
    optimizer.step()
    # A short memory at first, so that the average does not drag the untrained weights along.
    keep = min(recipe.average, step / (step + 10))
    with torch.no_grad():
        for mean, value in zip(average.parameters(), network.parameters(), strict=True):
            mean.lerp_(value, 1 - keep)
    return float(loss.detach())
