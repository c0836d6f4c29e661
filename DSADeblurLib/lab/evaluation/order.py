"""Deblur mask and contrast frames and then subtract, or subtract and then deblur: which one is nearer to the truth?

    python -m DSADeblurLib.lab.evaluation.order --model compact --frames 6

takes short runs of validation scenes at several noise levels, gives them to the pipeline in both orders, and prints
PSNR and edge PSNR of the subtracted result against the micro spot without noise, for a data range of 1.0 in optical
density. The networks' own output is compared, noise reduction 1. The same arguments take the same runs.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from DSADeblurLib.frame_file import FrameFile
from DSADeblurLib.lab.evaluation.bootstrap import estimate
from DSADeblurLib.lab.evaluation.methods import INPUT
from DSADeblurLib.lab.evaluation.scores import decibels
from DSADeblurLib.lab.image_quality.quality import DATA_RANGE, near_edges
from DSADeblurLib.lab.simulation.conditions import MICRO_SPOT, header_blur_px, random_conditions
from DSADeblurLib.lab.simulation.pairs import Camera, open_field, slabs_of
from DSADeblurLib.lab.simulation.scene import random_scene
from DSADeblurLib.lab.simulation.sets import NOISE, SPLITS, generator
from DSADeblurLib.pipeline import prepare, restore
from DSADeblurLib.request import ORDERS, DeblurRequest
from DSADeblurLib.restoration.package import Model, load_model
from DSADeblurLib.xa import Run, SubtractionPlan, subtract


@dataclass(frozen=True)
class ShortRun:
    """Native frames (n, rows, columns) uint16, LIN, of which the last has contrast agent and the others are the mask.

    `truth` is their difference (rows, columns) through the micro spot without noise; `blur_px` follows from the
    header.
    """

    frames: np.ndarray
    truth: np.ndarray
    blur_px: tuple[float, float]

    @property
    def plan(self) -> SubtractionPlan:
        """All but the last frame are the mask of the last."""
        count = len(self.frames)
        return SubtractionPlan.single(tuple(range(1, count)), (count,))


def draw_run(split: str, index: int, noise: str, size: int) -> ShortRun:
    """Short run `index` of a held-out set; scene, spot and motion are the same at every noise level."""
    scene = random_scene(generator(split, index), (size, size), 1)
    conditions = random_conditions(generator(split, index, 1), scene, NOISE[noise], effects=False)
    conditions = replace(conditions, detector=replace(conditions.detector, bits=max(conditions.detector.bits, 12)))
    incident, detector = open_field(scene, conditions)
    camera = Camera(conditions, incident, detector, generator(split, index, 8, list(NOISE).index(noise)))
    spots = (conditions.spot, MICRO_SPOT)
    filled, sharp_filled = camera.beams(slabs_of(scene, iodine=True), spots)
    still, sharp_still = (camera.moved(beam) for beam in camera.beams(slabs_of(scene, iodine=False), spots))
    frames = [*(camera.frame(still) for _ in range(conditions.mask_frames)), camera.frame(filled)]
    truth = np.log(camera.exact(sharp_filled)) - np.log(camera.exact(sharp_still))
    return ShortRun(np.stack(frames).astype(np.uint16), truth, header_blur_px(conditions, scene))


def deblurred(run: ShortRun, model: Model, order: str) -> np.ndarray:
    """The subtracted last frame (rows, columns) as the pipeline restores it in this order."""
    count = len(run.frames)
    request = DeblurRequest.of(
        device="cpu",
        blur=run.blur_px,
        noise_reduction=1.0,
        uniform_noise_reduction=True,
        mask_frames=range(1, count),
        frame_range=(count, count),
        relationship="LIN",
        order=order,
    )
    ready = prepare(Run.from_frames(run.frames, None, request.facts), request)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frames.npy"
        restore(ready, model, path)
        with FrameFile.open(path) as frames:
            return frames[0]


def score_orders(model: Model, split: str, noise: str, count: int, size: int) -> list[dict]:
    """Score both orders, and the input, on `count` runs of a set.

    Returns:
        noise, index, order, psnr and edge_psnr of each, see `scores.decibels`.
    """
    found = []
    for index in range(count):
        run = draw_run(split, index, noise, size)
        edges = near_edges(run.truth, data_range=DATA_RANGE)
        results = {INPUT: subtract(run.frames, run.plan, "LIN")[0]}
        results |= {order: deblurred(run, model, order) for order in ORDERS}
        for order, frame in results.items():
            found.append({"noise": noise, "index": index, "order": order, **decibels(frame, run.truth, edges)})
    return found


def table(scores: pd.DataFrame) -> Table:
    """Means of each noise level, and how far the second order is ahead with its 95 % interval over scenes."""
    shown = Table(title=f"Simulated subtracted frames, dB for a data range of {DATA_RANGE:g}", title_justify="left")
    for heading in ("noise", "", "input", "subtract first", "deblur first", "the latter ahead by"):
        shown.add_column(heading, no_wrap=True)
    for noise, part in scores.groupby("noise", sort=False):
        for measure, name in (("psnr", "PSNR"), ("edge_psnr", "edge PSNR")):
            values = part.pivot(index="index", columns="order", values=measure)[[INPUT, *ORDERS]]
            ahead = estimate(values[ORDERS[1]] - values[ORDERS[0]])
            means = values.mean().map("{:.2f}".format)
            shown.add_row(noise, name, *means, f"{ahead.value:+.2f} ({ahead.low:+.2f}..{ahead.high:+.2f})")
    return shown


def main(arguments: list[str] | None = None) -> int:
    """Entry point of the command."""
    parser = argparse.ArgumentParser(prog=f"python -m {__spec__.name}", description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="compact", help="name or folder of a model")
    parser.add_argument("--set", default="validation", choices=[one for one in SPLITS if one != "sample"])
    parser.add_argument("--frames", type=int, default=6, metavar="N", help="runs at each noise level")
    parser.add_argument("--size", type=int, default=384, metavar="N", help="rows and columns")
    options = parser.parse_args(arguments)
    model = load_model(options.model)
    scores = []
    for noise in NOISE:
        scores += score_orders(model, options.set, noise, options.frames, options.size)
    # Figures that are cut to fit a narrow terminal are of no use.
    console = Console(width=100)
    console.print(
        f"model {model.card.name} {model.sha256[:8]}, {options.frames} {options.set} runs of "
        f"{options.size} x {options.size} at each noise level",
        highlight=False,
    )
    console.print(table(pd.DataFrame(scores)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
