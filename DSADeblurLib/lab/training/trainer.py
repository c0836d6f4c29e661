"""The training loop: deterministic by seed, resumable to the step, alone or on several processes."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from DSADeblurLib.lab.simulation.sets import generator
from DSADeblurLib.lab.training.checkpoint import learned_parameters, load_checkpoint, save_checkpoint
from DSADeblurLib.lab.training.data_parallel import Process, this_process
from DSADeblurLib.lab.training.estimator_training import estimates_of, estimator_of, keep_estimator
from DSADeblurLib.lab.training.faint_lines import draw_lines, render_lines
from DSADeblurLib.lab.training.losses import LOSSES, Loss, line_penalty
from DSADeblurLib.lab.training.pool import Patches, Pool
from DSADeblurLib.lab.training.recipes import Recipe
from DSADeblurLib.lab.training.start import take_weights
from DSADeblurLib.lab.training.stopping import Stop
from DSADeblurLib.lab.training.validation import HeldOut
from DSADeblurLib.restoration.build_network import build_network
from DSADeblurLib.restoration.network import RestorationNetwork
from DSADeblurLib.restoration.torch_engine import bfloat16_pays

CHECKPOINT = "checkpoint.safetensors"
LOG = "log.jsonl"
# Between checkpoints, those beside validations.
SAVE_SECONDS = 300.0
# Batches that are read ahead while the network learns.
AHEAD = 4
# The median is about 3 and one batch in twenty is above 90: without a limit those few decide, and networks die early.
LARGEST_GRADIENT = 1.0


def train(
    recipe: Recipe,
    folder: Path,
    *,
    resume: bool = False,
    start: RestorationNetwork | None = None,
    device: torch.device | str = "cpu",
    pool: Path | None = None,
    workers: int = 1,
    minutes: float | None = None,
    began: float | None = None,
    validate_every: int = 2000,
    held_out: HeldOut | None = None,
    is_cancelled: Callable[[], bool] = lambda: False,
    show_progress: bool = True,
) -> tuple[RestorationNetwork, dict]:
    """Train a network, or go on with one. Under torchrun several processes share each batch.

    Args:
        recipe: what to train and how.
        folder: where the checkpoint and the log (one JSON object a line) are kept.
        resume: go on from the folder's checkpoint, if there is one; the weights come out as without the stop.
        start: a network whose weights a new training begins with, see `start.take_weights`.
        device: where to train.
        pool: folder of simulated regions, by default `folder`/pool; what it lacks is rendered first.
        workers: processes that render.
        minutes: stop learning after this time, rendering included, leaving a checkpoint; validation comes on top.
        began: reading of `time.monotonic` from which the minutes count; by default that of this call.
        validate_every: steps between validations and checkpoints.
        held_out: validation frames; by default four scenes of 512 x 512.
        is_cancelled: asked after each step; a checkpoint is left. The same goes for SIGTERM and SIGINT, after which
            nothing is validated any more.

    Returns:
        The network with averaged weights, and a summary: steps and minutes in all, psnr_gain_db for each condition
        (empty after a signal), stopped_early (where and why, or None) and interrupted, by a signal.

    Raises:
        TrainingStopped: the time was over before the first step.
    """
    stop = Stop(minutes, is_cancelled, began)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    regions = Pool(pool or folder / "pool", recipe.pool)
    with this_process(device) as process:
        if process.leads:
            regions.complete(workers, show_progress, stop.check)
            if recipe.architecture.modulated:
                if recipe.estimator_steps == 0 and start is not None:
                    keep_estimator(regions, start.estimator)
                estimates_of(regions, recipe.estimator_steps, show_progress, stop.check)
        process.together()
        session = Session(recipe, process)
        if start is not None:
            take_weights(session.network, start)
            take_weights(session.average, start)
        checkpoint = folder / CHECKPOINT
        spent = 0.0
        if resume and checkpoint.exists():
            session.step, spent = load_checkpoint(
                checkpoint, session.network, session.average, session.optimizer, recipe
            )
        validation = (held_out or HeldOut(4, 512, recipe.architecture.frames)) if process.leads else None
        started = saved = time.monotonic()
        bar = tqdm(
            total=recipe.steps,
            initial=session.step,
            desc=recipe.name,
            unit="step",
            disable=not (show_progress and process.leads),
        )
        gains, recent, cause = {}, [], None
        modulated = recipe.architecture.modulated
        estimated = estimates_of(regions, recipe.estimator_steps, show_progress) if modulated else None

        def validate(**known) -> dict[str, float]:
            return validation.gains(session.average, process.device, is_cancelled=stop.signalled, **known)

        with stop.keeping():
            for patches in _stream(regions, recipe, session.step, process, estimated):
                recent.append(session.learn(patches))
                bar.update()
                cause = stop.cause()
                ends = process.agreed(cause is not None) or session.step == recipe.steps
                validates = ends or session.step % validate_every == 0
                if process.leads and (validates or time.monotonic() - saved > SAVE_SECONDS):
                    # First of all: whatever happens during the validation, the steps so far are kept.
                    saved = time.monotonic()
                    seconds = spent + saved - started
                    save_checkpoint(
                        checkpoint, session.network, session.average, session.optimizer, session.step, seconds, recipe
                    )
                if process.leads and validates:
                    gains = validate()
                    entry = {"step": session.step, "loss": round(float(np.mean(recent)), 5), "psnr_gain_db": gains}
                    if recipe.line_weight:
                        entry["lines_kept"] = validation.lines_kept(session.average, process.device, stop.signalled)
                    with open(folder / LOG, "a", encoding="utf-8") as log:
                        log.write(json.dumps({**entry, "seconds": round(seconds, 1)}) + "\n")
                    recent = []
                    bar.set_postfix(loss=entry["loss"])
                if ends:
                    break
            bar.close()
            if process.leads and modulated:
                estimator = estimator_of(regions, recipe.estimator_steps, show_progress)
                session.average.estimator.load_state_dict(estimator.state_dict())
                gains = {}  # so far its condition was the true blur
            if process.leads and not gains:
                gains = validate(blur_factor=None)
        early = session.step < recipe.steps
        return session.average, {
            "steps": session.step,
            "minutes": round((spent + time.monotonic() - started) / 60, 1),
            "psnr_gain_db": gains,
            "stopped_early": f"after step {session.step} of {recipe.steps}, because {cause}" if early else None,
            "interrupted": stop.signalled(),
        }


class Session:
    """Network, running average and optimiser of one training, and the step that changes them."""

    def __init__(
        self, recipe: Recipe, process: Process | None = None, network: nn.Module | None = None, loss: Loss | None = None
    ) -> None:
        self.recipe, self.process = recipe, process or Process()
        self.bfloat16 = self.process.agreed(bfloat16_pays(self.process.device))
        self.loss = loss or LOSSES[recipe.loss]
        torch.manual_seed(recipe.seed)
        network = build_network(recipe.architecture) if network is None else network
        self.network = network.to(self.process.device, memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.network).requires_grad_(False)
        self.optimizer = torch.optim.Adam(learned_parameters(self.network).values(), lr=recipe.learning_rate)
        self._shared = self.process.distributed(self.network)
        self.step = 0

    def learn(self, patches: Patches) -> float:
        """One step on this process's share of a batch; returns its loss."""
        device = self.process.device
        frames = torch.from_numpy(patches.inputs).to(device, memory_format=torch.channels_last)
        others = (patches.truths, patches.blur_condition, patches.spots)
        return float(
            self.descend(frames, *(torch.from_numpy(a).to(device) for a in others), self.recipe.rate(self.step))
        )

    def descend(self, frames: Tensor, truths: Tensor, blur_condition: Tensor, spots: Tensor, rate: float) -> Tensor:
        """One step at this learning rate on tensors of this device, see `Patches`; returns the loss, still there."""
        recipe, device = self.recipe, self.process.device
        middle = slice(recipe.architecture.frames // 2, recipe.architecture.frames // 2 + 1)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        if recipe.line_weight:
            numbers = draw_lines(generator("train", 7, recipe.seed, self.step), recipe.batch)
            lines = render_lines(numbers[self.process.share(recipe.batch)], frames[:, middle], truths, spots)
            frames, truths = torch.cat((frames, frames + lines.soft)), torch.cat((truths, truths + lines.sharp))
            blur_condition = blur_condition.repeat(2, 1)
        self.step += 1
        # bfloat16 keeps float32's range, so no loss scaling is needed.
        with torch.autocast(device.type, torch.bfloat16, enabled=self.bfloat16):
            output = (
                self._shared(frames, blur_condition) if self.network.architecture.modulated else self._shared(frames)
            )
        output = output.float()
        loss = self.loss(output, frames[:, middle], truths)
        if recipe.line_weight:
            without, with_lines = output.chunk(2)
            loss = loss + recipe.line_weight * line_penalty(with_lines - without, lines.sharp)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), LARGEST_GRADIENT)
        self.optimizer.step()
        # A short memory at first, so that the average does not drag the untrained weights along.
        keep = min(recipe.average, self.step / (self.step + 10))
        with torch.no_grad():
            averages, values = list(self.average.parameters()), list(self.network.parameters())
            torch._foreach_lerp_(averages, values, 1 - keep)
        return loss.detach()


def _stream(
    pool: Pool, recipe: Recipe, first: int, process: Process, estimated: np.ndarray | None
) -> Iterator[Patches]:
    """Batches for steps `first`, `first` + 1, ... to the last; each depends on seed and number alone."""
    share = process.share(recipe.batch)

    def batch(step: int) -> Patches:
        rng = generator("train", 1, recipe.seed, step)
        return pool.patches(rng, recipe.batch, recipe.side(step), share, estimated=estimated)

    with ThreadPoolExecutor(max_workers=1) as reader:
        waiting = [reader.submit(batch, step) for step in range(first, min(first + AHEAD, recipe.steps))]
        for step in range(first, recipe.steps):
            patches = waiting.pop(0).result()
            if step + AHEAD < recipe.steps:
                waiting.append(reader.submit(batch, step + AHEAD))
            yield patches
