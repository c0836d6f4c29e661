"""What is left of thin faint vessels, of noise and of the width error at several degrees of noise reduction.

    python -m DSADeblurLib.lab.evaluation.retention --model compact --frames 4

puts bent vessels of 2.8 x 70 pixels into simulated subtracted frames, at contrasts of 1, 2, 3 and 8 times the noise of
a pixel, and prints what the models leave of them; --real FOLDER does the same with real frames, and --static FOLDER
prints what they leave of the fine structure of real objects that do not move.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from DSADeblurLib.lab.evaluation import model_processes as processes
from DSADeblurLib.lab.evaluation.grid import BLURS, Known, draw_cases
from DSADeblurLib.lab.evaluation.methods import INPUT, Method, network_method, unchanged
from DSADeblurLib.lab.evaluation.phantoms import measure_noise, measure_widths
from DSADeblurLib.lab.evaluation.real import middle_frames, read_frames
from DSADeblurLib.lab.image_quality.static_structure import STRENGTHS, structure_kept
from DSADeblurLib.lab.image_quality.vessel_retention import bent_vessels, noise_level, retention
from DSADeblurLib.lab.simulation.sets import NOISE, SPLITS
from DSADeblurLib.request import DEFAULT_MODEL
from DSADeblurLib.restoration.deblur import deblur
from DSADeblurLib.xa import find_inputs

CONTRASTS = (1.0, 2.0, 3.0, 8.0)
"""Of the vessels' centre lines, times the noise of a pixel."""
NOISE_REDUCTIONS = (1.0, 0.5, 0.0)
# In a frame, as far as it has room for them.
_VESSELS, _ROOM_PX = 8, 90**2
# Apart from the numbers that draw the frames themselves.
_VESSELS_SEED = 9


@dataclass(frozen=True)
class Frame:
    """A subtracted frame as a method takes it, (t, rows, columns), its noise, and what is known of its blur."""

    frames: np.ndarray
    noise: float
    known: Known


def simulated_frame(split: str, noise: str, index: int, size: int, moments: int = 1) -> Frame:
    """Subtracted frame `index` of a held-out set, in turns at each trained range of blur, with a pixel's true noise."""
    blurs = [blur for blur in BLURS if blur.trained]
    case = draw_cases(split, index, "subtracted", blurs[index % len(blurs)], (noise,), size, moments)[noise]
    return Frame(case.frames, float(np.std(case.frames[moments // 2] - case.exact)), case.known)


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
        Shares (len(CONTRASTS), vessels of all frames), 1 for a vessel as strong as it was put in.
    """
    found = []
    for index, frame in enumerate(frames):
        shape = frame.frames.shape[1:]
        count = min(_VESSELS, shape[0] * shape[1] // _ROOM_PX)
        vessels = bent_vessels(np.random.default_rng((seed, index)), shape, count)
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
        frames = [simulated_frame(split, noise, index, size, moments) for index in range(count)]
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


def print_static(console: Console, name: str, folder: Path) -> None:
    """Print a table of a model on real runs in which nothing moves.

    Raises:
        ValueError: one sentence, if there is no run, or one of fewer than four frames.
    """
    classes = [f"{low:g} - {high:g}" if np.isfinite(high) else f"> {low:g}" for low, high in pairwise(STRENGTHS)]
    table = _table_of(
        f"{name}: what is kept of fine structure, by its strength in standard deviations of the noise, real still runs",
        ("run", "noise reduction", *(f"{one} sigma" for one in classes)),
    )
    model, settings = processes.networks()[name]
    for path in find_inputs([folder]):
        found = read_frames(path)
        if found is None:
            continue
        frames, facts = np.stack([np.asarray(frame) for frame in found[0]]), found[1]
        for n in NOISE_REDUCTIONS:
            result = deblur(frames, model, replace(settings, sharpness=1.0, noise_reduction=n), **facts)
            table.add_row(path.stem, f"{n:g}", *(f"{share:.2f}" for share in structure_kept(frames, result.frames)))
        table.add_section()
    if not table.row_count:
        raise ValueError(f"There is no run in {folder}.")
    console.print(table)


def _table(title: str, *last: str) -> Table:
    return _table_of(title, ("noise", "noise reduction", *(f"{times:g} sigma" for times in CONTRASTS), *last))


def _table_of(title: str, headings: tuple[str, ...]) -> Table:
    table = Table(title=title, title_justify="left")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _words(left: np.ndarray) -> list[str]:
    return [f"{values.mean():.2f} ({np.percentile(values, 10):.2f})" for values in left]


def parser_of(program: str, description: str) -> argparse.ArgumentParser:
    """The command line of what is measured on simulated or real frames: models, set, frames, size, real."""
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=description.split("\n")[0])
    parser.add_argument("--model", dest="models", action="append", help=f"may be repeated; default {DEFAULT_MODEL}")
    parser.add_argument("--set", default="test", choices=[one for one in SPLITS if one != "sample"])
    parser.add_argument("--frames", type=int, default=4, metavar="N", help="at each noise level")
    parser.add_argument("--size", type=int, default=512, metavar="N", help="rows and columns")
    parser.add_argument("--real", type=Path, default=None, metavar="FOLDER", help="of PNG files or DICOM runs instead")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Entry point of the command."""
    parser = parser_of(__spec__.name, __doc__)
    parser.add_argument("--static", type=Path, default=None, metavar="FOLDER", help="of DICOM runs of still objects")
    options = parser.parse_args(arguments)
    names = list(processes.load_models(options.models or [DEFAULT_MODEL]))
    # Figures that are cut to fit a narrow terminal are of no use.
    console = Console(width=130)
    for name in names:
        if options.static is not None:
            print_static(console, name, options.static)
        if options.real is not None:
            print_real(console, name, options.real)
        if options.static is None and options.real is None:
            print_retention(console, name, options.set, options.frames, options.size)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
