"""What is left of thin faint vessels, of noise and of the width error at several degrees of noise reduction.

    python -m DSADeblurLib.lab.evaluation.retention --model compact --frames 4

puts bent vessels of 2.8 x 70 pixels into simulated subtracted frames, at contrasts of 1, 2, 3 and 8 times the noise of
a pixel, and prints what the models leave of them; --real FOLDER does the same with real frames.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from DSADeblurLib.lab.evaluation import model_processes as processes
from DSADeblurLib.lab.evaluation.grid import BLURS, Known, draw_cases
from DSADeblurLib.lab.evaluation.methods import INPUT, Method, network_method, unchanged
from DSADeblurLib.lab.evaluation.phantoms import measure_noise, measure_widths
from DSADeblurLib.lab.evaluation.real import middle_frames
from DSADeblurLib.lab.image_quality.vessel_retention import bent_vessels, noise_level, retention
from DSADeblurLib.lab.simulation.sets import NOISE, SPLITS
from DSADeblurLib.request import DEFAULT_MODEL

CONTRASTS = (1.0, 2.0, 3.0, 8.0)
"""Of the vessels' centre lines, times the noise of a pixel."""
NOISE_REDUCTIONS = (1.0, 0.5, 0.0)
VESSELS = 8
# Apart from the numbers that draw the frames themselves.
_VESSELS_SEED = 9


@dataclass(frozen=True)
class Frame:
    """A subtracted frame as a method takes it, (t, rows, columns), its noise, and what is known of its blur."""

    frames: np.ndarray
    noise: float
    known: Known


def simulated_frames(split: str, noise: str, count: int, size: int, moments: int = 1) -> Iterator[Frame]:
    """Subtracted frames of a held-out set in turns at each trained range of blur, with the true noise of a pixel."""
    blurs = [blur for blur in BLURS if blur.trained]
    for index in range(count):
        case = draw_cases(split, index, "subtracted", blurs[index % len(blurs)], (noise,), size, moments)[noise]
        yield Frame(case.frames, float(np.std(case.frames[moments // 2] - case.exact)), case.known)


def real_frames(folder: Path, moments: int = 1) -> Iterator[Frame]:
    """The middle frames of PNG files and DICOM runs whose values add up, with their noise as the frames show it."""
    for relationship, frame in middle_frames(folder):
        if relationship in (None, "LOG"):
            frame = np.asarray(frame, dtype=np.float32)
            yield Frame(np.repeat(frame[None], moments, axis=0), noise_level(frame), Known(np.ones((1, 1)), None))


def retained(method: Method, frames: list[Frame], seed: int = _VESSELS_SEED) -> np.ndarray:
    """What a method leaves of vessels put into frames.

    Args:
        method: see `methods`.
        frames: at least one.
        seed: where the vessels lie, others in each frame.

    Returns:
        Shares (len(CONTRASTS), frames * VESSELS), 1 for a vessel as strong as it was put in.
    """
    found = []
    for index, frame in enumerate(frames):
        vessels = bent_vessels(np.random.default_rng((seed, index)), frame.frames.shape[1:], VESSELS)
        contrasts = [times * frame.noise for times in CONTRASTS]
        found.append(retention(partial(method, known=frame.known), frame.frames, vessels, contrasts))
    return np.concatenate(found, axis=1)


def at_noise_reductions(name: str) -> dict[float, Method]:
    """A loaded model at full sharpness and each noise reduction."""
    model, settings = processes.networks()[name]
    return {n: network_method(model, replace(settings, sharpness=1.0, noise_reduction=n)) for n in NOISE_REDUCTIONS}


def print_retention(console: Console, name: str, split: str, count: int, size: int) -> None:
    """Print a table of a model on simulated frames of `size` x `size`, `count` at each noise level."""
    methods, moments = at_noise_reductions(name), processes.networks()[name][0].architecture.frames
    title = f"{name}: what is left of thin vessels, simulated {split} frames (10th percentile)"
    table = _table(title, "noise left", "width error px", "input's")
    for noise in NOISE:
        frames = list(simulated_frames(split, noise, count, size, moments))
        measured = {INPUT: unchanged, **methods}
        powers, _ = measure_noise(split, noise, 2, measured, 256, moments)
        errors = measure_widths(split, noise, "same for all", 0, measured, moments)
        widths = {key: float(np.nanmean(np.abs(error))) for key, error in errors.items()}
        for n, method in methods.items():
            noise_left = (powers[n].variance / powers[INPUT].variance) ** 0.5
            last = f"{noise_left:.2f}", f"{widths[n]:.2f}", f"{widths[INPUT]:.2f}"
            table.add_row(noise, f"{n:g}", *_words(retained(method, frames)), *last)
        table.add_section()
    console.print(table)


def print_real(console: Console, name: str, folder: Path) -> None:
    """Print a table of a model on real frames, all of them together.

    Raises:
        ValueError: one sentence, if the folder holds no frame whose values add up.
    """
    methods, moments = at_noise_reductions(name), processes.networks()[name][0].architecture.frames
    frames = list(real_frames(folder, moments))
    if not frames:
        raise ValueError(f"There is no subtracted frame in {folder}.")
    title = f"{name}: what is left of thin vessels put into {len(frames)} real frames (10th percentile)"
    table = _table(title, "noise left")
    for n, method in methods.items():
        noise_left = np.mean([noise_level(method(f.frames, f.known)) / f.noise for f in frames])
        table.add_row("its own", f"{n:g}", *_words(retained(method, frames)), f"{noise_left:.2f}")
    console.print(table)


def _table(title: str, *last: str) -> Table:
    table = Table(title=title, title_justify="left")
    for heading in ("noise", "noise reduction", *(f"{times:g} sigma" for times in CONTRASTS), *last):
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _words(left: np.ndarray) -> list[str]:
    return [f"{values.mean():.2f} ({np.percentile(values, 10):.2f})" for values in left]


def main(arguments: list[str] | None = None) -> int:
    """Entry point of the command."""
    parser = argparse.ArgumentParser(prog=f"python -m {__spec__.name}", description=__doc__.split("\n")[0])
    parser.add_argument("--model", dest="models", action="append", help=f"may be repeated; default {DEFAULT_MODEL}")
    parser.add_argument("--set", default="test", choices=[one for one in SPLITS if one != "sample"])
    parser.add_argument("--frames", type=int, default=4, metavar="N", help="at each noise level")
    parser.add_argument("--size", type=int, default=512, metavar="N", help="rows and columns")
    parser.add_argument("--real", type=Path, default=None, metavar="FOLDER", help="of PNG files or DICOM runs instead")
    options = parser.parse_args(arguments)
    names = list(processes.load_models(options.models or [DEFAULT_MODEL]))
    # Figures that are cut to fit a narrow terminal are of no use.
    console = Console(width=130)
    for name in names:
        if options.real is not None:
            print_real(console, name, options.real)
        else:
            print_retention(console, name, options.set, options.frames, options.size)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
