"""Picture sheets: input, models and truth of crops of every condition, side by side."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from scipy import ndimage

from DSADeblurLib.lab.evaluation.grid import BLURS, draw_cases
from DSADeblurLib.lab.evaluation.methods import INPUT, TRUTH, Method
from DSADeblurLib.lab.simulation.pairs import KINDS
from DSADeblurLib.lab.simulation.sets import NOISE

FRAMES = 3


class Line(NamedTuple):
    """Pictures (rows, columns) by title in one window (darkest, brightest), and what stands beside them."""

    pictures: dict[str, np.ndarray]
    window: tuple[float, float]
    label: str = ""


def save_sheets(split: str, methods: dict[str, Method], folder: Path, size: int = 512, moments: int = 1) -> list[Path]:
    """Draw the first frames of a set at every noise level, a sheet for each kind of frame, blurred by 2-4 and 4-6 px.

    Args:
        split: of `sets.SPLITS`.
        methods: what to show between input and truth.
        folder: that exists.
        size: rows and columns of the frames; crops are a quarter of it.
        moments: frames that methods are given.

    Returns:
        The pictures' paths.
    """
    paths = []
    for kind, blur in itertools.product(KINDS, BLURS[1:3]):
        lines = []
        for index in range(FRAMES):
            for noise, case in draw_cases(split, index, kind, blur, tuple(NOISE), size, moments).items():
                pictures = {INPUT: case.frames[moments // 2]}
                pictures |= {name: method(case.frames, case.known) for name, method in methods.items()}
                pictures = cropped({**pictures, TRUTH: case.truth}, case.truth, size // 4)
                low, high = np.percentile(pictures[TRUTH], (0.2, 99.8))
                margin = 0.1 * (high - low)
                lines.append(Line(pictures, (low - margin, high + margin), noise))
        path = Path(folder) / f"sheet_{kind}_{blur.name.replace(' ', '_')}.png"
        title = f"Simulated {split} set, {kind} frames, blur {blur.name}; one grey scale in each line"
        paths.append(draw_lines(path, lines, inches=2.2, dpi=100, title=title))
    return paths


def interesting_crop(frame: np.ndarray, side: int) -> tuple[int, int]:
    """Upper left corner (row, column) of the square with the most edges."""
    strength = ndimage.uniform_filter(ndimage.gaussian_gradient_magnitude(np.asarray(frame, np.float64), 1.0), side)
    half = side // 2
    inside = strength[half : frame.shape[0] - half, half : frame.shape[1] - half]
    row, column = np.unravel_index(int(inside.argmax()), inside.shape)
    return int(row), int(column)


def cropped(pictures: dict[str, np.ndarray], frame: np.ndarray, side: int) -> dict[str, np.ndarray]:
    """The same square of all pictures, where `frame` has the most edges; what is no larger stays whole."""
    if side >= min(frame.shape):
        return pictures
    row, column = interesting_crop(frame, side)
    return {name: picture[row : row + side, column : column + side] for name, picture in pictures.items()}


def draw_lines(path: Path, lines: list[Line], inches: float, dpi: int, title: str = "") -> Path:
    """Draw lines of as many pictures each, a title over every one that the picture above it does not have.

    Args:
        path: of the PNG file; its folder is made.
        lines: from above.
        inches: side of a picture.
        dpi: dots per inch.
        title: of the sheet.
    """
    columns = len(lines[0].pictures)
    figure = Figure(figsize=(inches * columns + 0.4, inches * len(lines) + 0.4), dpi=dpi, layout="constrained")
    axes = figure.subplots(len(lines), columns, squeeze=False)
    above = Line({}, (0, 0))
    for row, line in zip(axes, lines, strict=True):
        for ax, (name, picture) in zip(row, line.pictures.items(), strict=True):
            ax.imshow(picture, cmap="gray", vmin=line.window[0], vmax=line.window[1], interpolation="nearest")
            ax.set(xticks=[], yticks=[])
            ax.set_title("" if name in above.pictures else name, fontsize=8)
        row[0].set_ylabel(line.label, fontsize=7)
        above = line
    figure.suptitle(title, fontsize=9, x=0.01, ha="left")
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    FigureCanvasAgg(figure).print_png(path)
    return path
