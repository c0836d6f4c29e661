"""Training for so many minutes from scenes that are made meanwhile, every patch taken anew on the device.

Processes render scenes into a ring; the device takes each patch through a spot, dose, mask, detector and effects of its
own, so that no two are alike. The learning rate follows the clock and has come down when the time is up. Which scenes
there are when depends on the machine: unlike `trainer.train` this is not the same twice.
"""

from __future__ import annotations

import contextlib
import json
import math
import multiprocessing
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from DSADeblurLib.errors import DSADeblurError
from DSADeblurLib.lab.simulation.sets import generator
from DSADeblurLib.lab.simulation.volumes import ENVIRONMENT
from DSADeblurLib.lab.training.batched_operators import Grid, on_device, turned_spots
from DSADeblurLib.lab.training.batched_pairs import ISOCENTRE, Shots, acquire, fitted
from DSADeblurLib.lab.training.checkpoint import load_checkpoint, notes_in, save_checkpoint
from DSADeblurLib.lab.training.condition_noise import ConditionNoise
from DSADeblurLib.lab.training.data_parallel import Process
from DSADeblurLib.lab.training.pool import CLASSES, SCALE_JITTER, neighbours_of
from DSADeblurLib.lab.training.recipes import OnlineRecipe
from DSADeblurLib.lab.training.scene_ring import Kept, SceneRing, class_styles
from DSADeblurLib.lab.training.start import take_weights
from DSADeblurLib.lab.training.stopping import Stop
from DSADeblurLib.lab.training.trainer import CHECKPOINT, LOG, Session
from DSADeblurLib.lab.training.validation import HeldOut
from DSADeblurLib.restoration.network import RestorationNetwork, operations_per_pixel
from DSADeblurLib.restoration.package import load_model

SCENES_LOG = "scenes.jsonl"
# The first step needs one scene of every style; the ring fills while the network learns.
FIRST_SCENES = 4
SAVE_SECONDS = 60.0
# A later call begins with at least this part of the rate that the one before began with.
RESTART = 0.5
# Mirrored round regions, whose own border is thrown away.
PADS = (16, 16)
# Knows the blur's width; the networks that gains are compared with.
ESTIMATOR_OF, COMPARED = "quality", ("quality", "sequence")


class TrainingError(DSADeblurError):
    """A training cannot go on; the message says why in one sentence."""


@dataclass(frozen=True)
class Plan:
    """The learning rate by the clock, from `begun` to `ends`, both readings of `clock` in seconds."""

    recipe: OnlineRecipe
    peak: float
    begun: float
    ends: float
    clock: Callable[[], float]

    def fraction(self) -> float:
        """The part of the time that is over, from 0 to 1."""
        return min(1.0, (self.clock() - self.begun) / max(self.ends - self.begun, 1e-9))

    def rate(self) -> float:
        """The learning rate now."""
        return self.recipe.rate_at(self.fraction(), self.peak)


def restarted_peak(recipe: OnlineRecipe, notes: dict) -> float:
    """Where the learning rate of the next call begins: where it was when the last one stopped, or at RESTART of where
    that one began, whichever is more."""
    before = notes["peak"]
    return max(recipe.rate_at(notes["fraction"], before), RESTART * before)


@dataclass(frozen=True)
class Batch:
    """Patches on the device, see `pool.Patches`, and what their blur condition is made of.

    `estimated` (B, CONDITION_SIZE) on the CPU is valid when `ready` has happened.
    """

    frames: Tensor
    truths: Tensor
    spots: Tensor
    blur_px: np.ndarray
    noise: ConditionNoise
    estimated: Tensor
    turned: np.ndarray
    ready: torch.cuda.Event | None

    def blur_condition(self) -> Tensor:
        """(B, CONDITION_SIZE) on the CPU."""
        if self.ready is not None:
            self.ready.synchronize()
        estimated = self.estimated.numpy()
        estimated = np.where(self.turned[:, None], estimated[:, [1, 0, 2]], estimated)
        return torch.from_numpy(self.noise.blur_condition(slice(None), self.blur_px, estimated))


class BatchMaker:
    """Takes batches of patches from a ring of scenes."""

    def __init__(self, recipe: OnlineRecipe, ring: SceneRing, estimator: torch.nn.Module) -> None:
        self.recipe, self.ring, self.estimator = recipe, ring, estimator
        self.grid = Grid(recipe.pool.side, PADS, ring.device)
        self._noise = torch.Generator(ring.device)
        self._classes = np.arange(recipe.batch) % CLASSES
        self._styles = [class_styles(recipe.pool)[number] for number in self._classes]

    @torch.no_grad()
    def batch(self, step: int) -> Batch:
        """The batch of a step. On a GPU this orders the work and does not wait for it."""
        recipe, device = self.recipe, self.ring.device
        rng = generator("train", 6, recipe.seed, step)
        self._noise.manual_seed(int(rng.integers(2**62)))
        static, iodine, rows = self.ring.draw(rng, self._styles)
        # As in a pool, odd classes are subtracted.
        degraded, truth = acquire(static, iodine, Shots(rows, device), self._classes % 2 == 1, self.grid, self._noise)
        middle = recipe.architecture.frames // 2
        offset, scale = fitted(degraded[:, middle])
        jitter = np.exp(rng.normal(0, SCALE_JITTER, recipe.batch)).astype(np.float32)
        scale = scale * on_device(jitter, device)
        degraded, truth = ((x - offset[:, None, None, None]) / scale[:, None, None, None] for x in (degraded, truth))
        estimated, ready = _on_its_way(self.estimator(degraded[:, middle : middle + 1]))
        border = (recipe.pool.side - recipe.patch) // 2
        inside = slice(border, border + recipe.patch)
        there = on_device(neighbours_of(rng, recipe.batch, recipe.architecture.frames), device)
        which = torch.arange(recipe.batch, device=device)[:, None]
        turns = rng.random((3, recipe.batch)) < 0.5
        orientations = on_device(turns, device)
        frames, truths = (_turned(x[..., inside, inside], orientations) for x in (degraded[which, there], truth))
        blur = rows["blur_px"]
        spots = np.column_stack((rows["spot"], rows["scales"][:, ISOCENTRE] * rows["zoom"][:, 0]))
        return Batch(
            frames.contiguous(memory_format=torch.channels_last),
            truths,
            on_device(turned_spots(spots, turns[0], turns[1] != turns[2]), device),
            np.where(turns[0][:, None], blur[:, ::-1], blur),
            ConditionNoise.draw(rng, recipe.batch, estimated=True),
            estimated,
            turns[0],
            ready,
        )


def _on_its_way(values: Tensor) -> tuple[Tensor, torch.cuda.Event | None]:
    """A copy on the CPU, and the event after which it is there."""
    if values.device.type != "cuda":
        return values, None
    copy = torch.empty(values.shape, pin_memory=True).copy_(values, non_blocking=True)
    ready = torch.cuda.Event()
    ready.record()
    return copy, ready


def _turned(frames: Tensor, turns: Tensor) -> Tensor:
    """Each of frames (B, ..., P, P) in one of eight orientations, by (3, B) bool."""
    swapped, upside_down, mirrored = (turn[:, None, None, None] for turn in turns)
    frames = torch.where(swapped, frames.mT, frames)
    frames = torch.where(upside_down, frames.flip(-2), frames)
    return torch.where(mirrored, frames.flip(-1), frames)


def train_online(
    recipe: OnlineRecipe,
    folder: Path,
    *,
    minutes: float | None,
    began: float | None = None,
    workers: int | None = None,
    resume: bool = False,
    start: RestorationNetwork | None = None,
    device: torch.device | str = "cpu",
    is_cancelled: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.monotonic,
    show_progress: bool = True,
) -> tuple[RestorationNetwork, dict]:
    """Train a network until the minutes are over, then validate it.

    Args:
        recipe: what to train and how.
        folder: for the checkpoint, written every minute and when learning ends; the log (a JSON object a minute); and
            how often each scene was drawn from.
        minutes: until learning ends, counted from `began`, by default from this call. Validation comes after it.
        began: a reading of `clock`.
        workers: processes that render scenes; by default all of the processor's cores but one.
        resume: go on from the folder's checkpoint, if there is one, with a plan of its own, see `restarted_peak`.
        start: a network of this architecture whose weights a new training begins with. By default they are random,
            but for the blur estimator, which is that of the bundled model 'quality' and does not learn here.
        device: where to train.
        is_cancelled: asked after each step; then learning ends as if the time were over. The same goes for SIGTERM and
            SIGINT, after which nothing is validated any more.
        clock: gives seconds.

    Returns:
        The network with averaged weights, and a summary as that of `trainer.train`, with for_card: the same gains of
        the bundled models, scenes, pairs, and how often a scene was drawn from.

    Raises:
        ValueError: no minutes are given, they were over before the first step, or real anatomy is asked for and no
            folder is named.
        TrainingError: the loss is not finite any more; the last checkpoint stays.
    """
    began = clock() if began is None else began
    if not minutes:
        raise ValueError(f"The recipe {recipe.name} is planned in minutes; say how many with --minutes.")
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ValueError(f"The recipe {recipe.name} trains on one device; start it without torchrun.")
    if recipe.pool.volumes and not os.environ.get(ENVIRONMENT):
        raise ValueError(f"No folder of volumes is given; set the environment variable {ENVIRONMENT}.")
    folder, device = Path(folder), torch.device(device)
    folder.mkdir(parents=True, exist_ok=True)
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True
    checkpoint = folder / CHECKPOINT
    session = Session(recipe, Process(device=device))
    peak, spent, first_scene = recipe.learning_rate, 0.0, 0
    for network in (session.network, session.average):
        if start is None:
            network.estimator.load_state_dict(load_model(ESTIMATOR_OF).network.estimator.state_dict())
        else:
            take_weights(network, start)
    if resume and checkpoint.exists():
        session.step, spent = load_checkpoint(checkpoint, session.network, session.average, session.optimizer, recipe)
        notes = notes_in(checkpoint)
        peak, first_scene = restarted_peak(recipe, notes), notes["next_scene"]
    first_step = session.step
    compared = {name: load_model(name).network for name in COMPARED}
    moments = max(network.architecture.frames for network in (session.network, *compared.values()))
    bar = tqdm(desc=recipe.name, initial=first_step, unit="step", disable=not show_progress)
    with contextlib.ExitStack() as ending:
        ending.enter_context(bar)
        stop = Stop(None, is_cancelled)
        ring = ending.enter_context(SceneRing(recipe.pool, workers or max(1, _cores() - 1), device, first_scene))
        validation = ending.enter_context(_ProcessCall(HeldOut, *recipe.validation, moments))
        ring.wait(FIRST_SCENES)
        plan = Plan(recipe, peak, clock(), began + 60 * minutes, clock)
        if plan.begun >= plan.ends:
            raise ValueError("The time was over before the first scenes were there; give more minutes.")
        record = _Record(folder, session, plan, ring, spent)
        maker = BatchMaker(recipe, ring, session.average.estimator)
        waiting, cause = maker.batch(session.step), None
        ending.enter_context(stop.keeping())
        try:
            while plan.fraction() < 1 and not (cause := stop.cause()):
                batch, blur_condition = waiting, waiting.blur_condition().to(device, non_blocking=True)
                # Ordered before the step, so that its blur condition is there when the step is done.
                waiting = maker.batch(session.step + 1)
                record.losses.append(
                    session.descend(batch.frames, batch.truths, blur_condition, batch.spots, plan.rate())
                )
                bar.update()
                if clock() - record.written >= SAVE_SECONDS:
                    bar.set_postfix(loss=record.write())
        finally:
            # Of a training that is interrupted as well.
            record.write()
            record.write_scenes(ring.kept())
        fraction, seconds = plan.fraction(), record.seconds()
        ring.close()
        own, others = {}, {}
        if not stop.signalled():
            held_out = validation.result()
            own, *those = (
                held_out.gains(network.to(device), device, blur_factor=None, is_cancelled=stop.signalled)
                for network in (session.average, *compared.values())
            )
            others = dict(zip(compared, those, strict=True))
    summary = {
        "steps": session.step,
        "minutes": round(seconds / 60, 1),
        "psnr_gain_db": own,
        "stopped_early": f"after {fraction:.0%} of its time, because {cause}" if cause else None,
        "interrupted": stop.signalled(),
    }
    return session.average, summary | {
        "for_card": {
            "compared_psnr_gain_db": others,
            "gflop_a_frame_of_1024": round(operations_per_pixel(session.average.cpu()) * 2**20 / 1e9, 1),
            "pairs": recipe.batch * session.step,
            "scenes": ring.made,
            "draws_a_scene": round(record.draws_a_scene(), 1),
            "seconds_a_scene": round(ring.render_seconds / ring.made, 2),
            "command": f"dsadeblur train --recipe {recipe.name} --minutes {minutes:g} --output FOLDER",
        }
    }


class _Record:
    """Checkpoint and logs of a training, and the clock of both."""

    def __init__(self, folder: Path, session: Session, plan: Plan, ring: SceneRing, spent: float) -> None:
        self.folder, self.session, self.plan, self.ring, self.spent = folder, session, plan, ring, spent
        self.losses: list[Tensor] = []
        self.written = plan.clock()
        self._step, self._gone, self._draws = session.step, 0, 0

    def seconds(self) -> float:
        """Of learning, in all calls."""
        return self.spent + self.plan.clock() - self.plan.begun

    def draws_a_scene(self) -> float:
        """How often scenes that have left the ring were drawn from on average; before any has, those in it."""
        if self._gone:
            return self._draws / self._gone
        return float(np.mean([kept.draws for kept in self.ring.kept()] or [0]))

    def write(self) -> float | None:
        """Checkpoint and a line of the log, if there were steps since the last; returns their mean loss.

        Raises:
            TrainingError: it is not finite; nothing is written then.
        """
        session, ring, now = self.session, self.ring, self.plan.clock()
        if not self.losses:
            return None
        loss = float(torch.stack(self.losses).mean())
        if not math.isfinite(loss):
            raise TrainingError("The training has diverged; the last checkpoint before that is kept.")
        fraction = self.plan.fraction()
        notes = {"peak": self.plan.peak, "fraction": fraction, "next_scene": ring.next_number}
        save_checkpoint(
            self.folder / CHECKPOINT,
            session.network,
            session.average,
            session.optimizer,
            session.step,
            self.seconds(),
            session.recipe,
            notes,
        )
        finished = ring.finished()
        self.write_scenes(finished)
        self._gone, self._draws = self._gone + len(finished), self._draws + sum(kept.draws for kept in finished)
        rate = session.recipe.batch * (session.step - self._step) / max(now - self.written, 1e-9)
        entry = {
            "step": session.step,
            "seconds": round(self.seconds(), 1),
            "fraction": round(fraction, 4),
            "learning_rate": float(f"{self.plan.rate():.4g}"),
            "loss": round(loss, 5),
            "pairs_a_second": round(rate, 1),
            "scenes": ring.made,
            "draws_a_scene": round(self.draws_a_scene(), 1),
            "deaths": ring.deaths,
        }
        with open(self.folder / LOG, "a", encoding="utf-8") as log:
            log.write(json.dumps(entry) + "\n")
        self.losses, self._step, self.written = [], session.step, self.plan.clock()
        return entry["loss"]

    def write_scenes(self, scenes: list[Kept]) -> None:
        """A line for each: how often it was drawn from."""
        with open(self.folder / SCENES_LOG, "a", encoding="utf-8") as log:
            for kept in scenes:
                made = kept.made
                entry = {"scene": made.number, "style": made.style, "draws": kept.draws}
                log.write(json.dumps({**entry, "seconds": round(made.seconds, 2)}) + "\n")


class _ProcessCall:
    """A call in a process of its own; made here it would take the training's time. Leaving the context ends it."""

    def __init__(self, function: Callable, *arguments) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe(duplex=False)
        self._process = context.Process(target=_answer, args=(theirs, function, arguments), daemon=True)
        self._process.start()
        theirs.close()

    def __enter__(self) -> _ProcessCall:
        return self

    def __exit__(self, *_) -> None:
        self._process.kill()
        self._process.join()
        self._connection.close()

    def result(self):
        """What the function has returned.

        Raises:
            TrainingError: the process has died.
        """
        try:
            return self._connection.recv()
        except EOFError:
            raise TrainingError("The validation frames could not be made; see the messages above.") from None


def _answer(connection, function: Callable, arguments: tuple) -> None:
    connection.send(function(*arguments))


def _cores() -> int:
    """Of the processor that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
