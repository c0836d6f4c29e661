"""Scenes made on the spot: processes render them without end, and a ring on the device keeps the latest.

Each process has a buffer of its own in shared memory, where one scene waits until it is copied into the ring; then the
process goes on with the next number. So nothing piles up, and no lock is shared that a dying process could keep.
"""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from DSADeblurLib.errors import DSADeblurError
from DSADeblurLib.lab.simulation.pairs import open_field, random_conditions
from DSADeblurLib.lab.simulation.scene import SLAB_CENTRES_MM, Scene, random_scene
from DSADeblurLib.lab.simulation.sets import BLUR_PX, QUANTA, VOLUMES, generator
from DSADeblurLib.lab.training.batched_pairs import SHOT, shot
from DSADeblurLib.lab.training.pool import (
    CLASSES,
    EVEN_BLUR_SHARE,
    TARGET_CLASSES,
    THINNED,
    VOLUME_CLASSES,
    PoolOptions,
    corner_with_vessels,
)

# Different acquisitions that are drawn for each scene; a scene that is drawn from more often begins again with them, at
# other places, with other noise and turned otherwise.
SHOTS = 512
# So many deaths in a row without any scene in between, for each process, are no accident.
DEATHS = 3


class SceneRingError(DSADeblurError):
    """Scenes cannot be made; the message says why in one sentence."""


class Made(NamedTuple):
    """What a process says of the scene in its buffer; `seconds` of one core."""

    number: int
    style: str
    shots: np.ndarray
    seconds: float


@dataclass
class Kept:
    """A scene in the ring: its shots (n,), see `SHOT`, and how often it was drawn from."""

    made: Made
    draws: int = 0


@dataclass
class _Renderer:
    process: multiprocessing.process.BaseProcess
    connection: Connection
    buffer: ctypes.Array
    number: int


def style_of(options: PoolOptions, number: int) -> str:
    """What scene number `number` shows: a quarter targets, with `volumes` a quarter real anatomy, the rest patients.

    These are the shares of a pool's classes, see `class_styles`.
    """
    return {0: "targets", 1: VOLUMES if options.volumes else "patient"}.get(number % 4, "patient")


def class_styles(options: PoolOptions) -> list[str]:
    """The style of the scenes that patches of each class are cut from, see `pool`."""
    styles = ["patient"] * CLASSES
    for number in TARGET_CLASSES:
        styles[number] = "targets"
    for number in VOLUME_CLASSES if options.volumes else ():
        styles[number] = VOLUMES
    return styles


def made_scene(options: PoolOptions, number: int) -> tuple[Scene, np.ndarray]:
    """Scene number `number` of those made on the spot, and its SHOTS acquisitions, of type `SHOT`."""
    # Zeros at the end would make no difference to the generator.
    rng = generator("train", 5, number + 1)
    style, shape = style_of(options, number), (options.size, options.size)
    if style == VOLUMES:
        from DSADeblurLib.lab.simulation.sets import loaded_volumes
        from DSADeblurLib.lab.simulation.volumes import volume_scene

        scene = volume_scene(rng, shape, options.frames, loaded_volumes())
    else:
        scene = random_scene(rng, shape, options.frames, style)
    thin = slice(None, None, THINNED)
    whole = Scene(scene.view, scene.static[:, thin, thin].copy(), scene.iodine[:, :, thin, thin].copy())
    return scene, np.array([_random_shot(rng, whole, options) for _ in range(SHOTS)], SHOT)


def _random_shot(rng: np.random.Generator, whole: Scene, options: PoolOptions) -> np.ndarray:
    """One acquisition of one region, drawn as `pool.training_pair` does."""
    side = options.side
    corner = corner_with_vessels(whole, options, rng)
    blur = BLUR_PX if rng.random() < EVEN_BLUR_SHARE else None
    conditions = random_conditions(rng, whole, QUANTA, blur)
    from_middle = corner + (side - options.size) / 2
    # Patches are the middle of their regions; in frames half as large again these meet every edge of a shutter.
    offset = rng.uniform(-side / 2, side / 2, 2)
    exposure = open_field(whole, conditions, stride=2)
    return shot(conditions, whole, exposure, corner, from_middle, offset, frame=3 * side // 2)


class SceneRing:
    """A ring of `options.scenes` scenes on a device, filled by `workers` processes while it is drawn from.

    Used as a context, which ends the processes. `first` is the number of the first scene; `next_number` is where a
    later ring should begin.
    """

    def __init__(
        self, options: PoolOptions, workers: int, device: torch.device | str = "cpu", first: int = 0, render=None
    ) -> None:
        if not 1 <= workers:
            raise ValueError(f"At least one process must render scenes, not {workers}.")
        self.options, self.device, self.next_number = options, torch.device(device), first
        self.deaths, self.made, self.render_seconds = 0, 0, 0.0
        self._render = render or made_scene
        self._shape = (1 + options.frames, len(SLAB_CENTRES_MM), options.size, options.size)
        self._scenes = torch.zeros((options.scenes, *self._shape), dtype=torch.float16, device=self.device)
        self._kept: list[Kept | None] = [None] * options.scenes
        self._retired: list[Kept] = []
        self._error: str | None = None
        self._deaths_in_a_row = 0
        self._changed = threading.Condition()
        self._context = multiprocessing.get_context("spawn")
        self._renderers = [self._started(None) for _ in range(workers)]
        self._woken, self._wake = self._context.Pipe(duplex=False)
        self._collector = threading.Thread(target=self._collect, name="scene-ring", daemon=True)
        self._collector.start()

    def __enter__(self) -> SceneRing:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """End the processes, in the middle of a scene as well; a second call does nothing."""
        if self._wake.closed:
            return
        self._wake.send(None)
        self._collector.join()
        self._wake.close()
        for renderer in self._renderers:
            renderer.process.terminate()
        for renderer in self._renderers:
            renderer.process.join()
            renderer.connection.close()

    def wait(self, scenes: int) -> None:
        """Return when so many scenes, or as many as the ring holds, have been made.

        Raises:
            SceneRingError: the processes die one after the other.
        """
        self.wait_for(lambda: self.made >= min(scenes, self.options.scenes))

    def wait_for(self, happened: Callable[[], bool]) -> None:
        """Return when this is true; it is asked whenever a scene has come or a process has died. Raises as `wait`."""
        with self._changed:
            self._changed.wait_for(lambda: self._error or happened())
            self._check()

    def draw(self, rng: np.random.Generator, styles: list[str]) -> tuple[Tensor, Tensor, np.ndarray]:
        """One region of a random scene of each of the styles; where the ring has none of a style, of any.

        Returns:
            Line integrals static (B, slabs, S, S) and iodine (B, moments, slabs, S, S) float32 on the device, with S
            `options.side`, and how to take them, (B,) of type `SHOT`.

        Raises:
            SceneRingError: the processes die one after the other.
        """
        side, regions, rows = self.options.side, [], []
        with self._changed:
            self._check()
            there = [slot for slot, kept in enumerate(self._kept) if kept is not None]
            if not there:
                raise SceneRingError("There is no scene yet to draw from; wait for the first ones.")
            by_style = {
                style: [slot for slot in there if self._kept[slot].made.style == style] or there
                for style in set(styles)
            }
            for style in styles:
                slot = by_style[style][rng.integers(len(by_style[style]))]
                kept = self._kept[slot]
                shots = kept.made.shots
                row = shots[kept.draws % len(shots)].copy()
                kept.draws += 1
                # Any of its places will do: a scene that is drawn from more often than it has shots shows other ones.
                row["corner"] = shots[rng.integers(len(shots))]["corner"]
                top, left = row["corner"].astype(int)
                regions.append(self._scenes[slot, :, :, top : top + side, left : left + side])
                rows.append(row)
            both = torch.stack(regions).float()
        return both[:, 0], both[:, 1:], np.array(rows)

    def finished(self) -> list[Kept]:
        """Scenes that have left the ring since the last call."""
        with self._changed:
            retired, self._retired = self._retired, []
        return retired

    def kept(self) -> list[Kept]:
        """Scenes that are in the ring."""
        with self._changed:
            return [kept for kept in self._kept if kept is not None]

    def _check(self) -> None:
        if self._error:
            raise SceneRingError(self._error)

    def _started(self, buffer) -> _Renderer:
        if buffer is None:
            buffer = self._context.RawArray(ctypes.c_uint16, int(np.prod(self._shape)))
        ours, theirs = self._context.Pipe()
        arguments = (theirs, buffer, self._shape, self.options, self._render)
        process = self._context.Process(target=_render_scenes, args=arguments, daemon=True)
        process.start()
        # Only the process holds its end: when it dies, ours says so.
        theirs.close()
        renderer = _Renderer(process, ours, buffer, -1)
        self._order(renderer)
        return renderer

    def _order(self, renderer: _Renderer) -> None:
        renderer.number, self.next_number = self.next_number, self.next_number + 1
        # One that has died already is found by its closed connection.
        with contextlib.suppress(OSError):
            renderer.connection.send(renderer.number)

    def _collect(self) -> None:
        """Take scenes as they are ready, until woken."""
        try:
            while not self._error:
                by_connection = {renderer.connection: renderer for renderer in self._renderers}
                ready = wait([self._woken, *by_connection])
                if self._woken in ready:
                    return
                for connection in ready:
                    self._take(by_connection[connection])
        except Exception as error:
            # Nobody but the training waits for this thread.
            self._fail(f"Scenes cannot be brought to the device any more ({error}).")

    def _take(self, renderer: _Renderer) -> None:
        try:
            made = renderer.connection.recv()
        except (EOFError, OSError):
            self._replace(renderer)
            return
        self._keep(made, renderer.buffer)
        self._order(renderer)

    def _keep(self, made: Made, buffer) -> None:
        with self._changed:
            slot = self.made % len(self._kept)
            if self._kept[slot] is not None:
                self._retired.append(self._kept[slot])
                self._kept[slot] = None
        self._copy(torch.from_numpy(np.frombuffer(buffer, np.float16).reshape(self._shape)), slot)
        with self._changed:
            self._kept[slot] = Kept(made)
            self.made += 1
            self.render_seconds += made.seconds
            self._deaths_in_a_row = 0
            self._changed.notify_all()

    def _copy(self, scene: Tensor, slot: int) -> None:
        if self.device.type != "cuda":
            self._scenes[slot].copy_(scene)
            return
        # Beside the training, but after what has been ordered from the scene that was there.
        beside = torch.cuda.Stream(self.device)
        beside.wait_stream(torch.cuda.default_stream(self.device))
        with torch.cuda.stream(beside):
            self._scenes[slot].copy_(scene)
        beside.synchronize()

    def _replace(self, renderer: _Renderer) -> None:
        renderer.process.kill()
        renderer.process.join()
        renderer.connection.close()
        print(
            f"A process that renders scenes has died (exit code {renderer.process.exitcode}) at scene "
            f"{renderer.number}; another takes its place.",
            file=sys.stderr,
        )
        self._deaths_in_a_row += 1
        if self._deaths_in_a_row > DEATHS * len(self._renderers):
            self._fail("The processes that render scenes die one after the other; see their messages above.")
            return
        self._renderers[self._renderers.index(renderer)] = self._started(renderer.buffer)
        with self._changed:
            self.deaths += 1
            self._changed.notify_all()

    def _fail(self, error: str) -> None:
        with self._changed:
            self._error = error
            self._changed.notify_all()


def _render_scenes(connection: Connection, buffer, shape: tuple[int, ...], options: PoolOptions, render) -> None:
    """A process: render the numbers that are asked for until nobody is there any more."""
    # Ctrl+C goes to the whole group; the training decides when to end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    scene_in = np.frombuffer(buffer, np.float16).reshape(shape)
    with connection:
        while True:
            try:
                number = connection.recv()
            except (EOFError, OSError):
                return
            began = time.process_time()
            try:
                scene, shots = render(options, number)
            except Exception:
                traceback.print_exc()
                sys.exit(1)
            scene_in[0], scene_in[1:] = scene.static, scene.iodine
            try:
                connection.send(Made(number, style_of(options, number), shots, time.process_time() - began))
            except OSError:
                return
