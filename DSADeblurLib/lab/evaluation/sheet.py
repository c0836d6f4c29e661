"""Picture sheets: input, models and truth of crops of every condition, side by side."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from scipy import ndimage

from DSADeblurLib.lab.evaluation.grid import BLURS, draw_cases
from DSADeblurLib.lab.evaluation.methods import INPUT, TRUTH, Method
from DSADeblurLib.lab.simulation.pairs import KINDS
from DSADeblurLib.lab.simulation.sets import NOISE

FRAMES = 3


def save_sheets(split: str, methods: dict[str, Method], folder: Path, size: int = 512, moments: int = 1) -> list[Path]:
    """Sheets of the first frames of the set at every noise level, one for each kind of frame, blurred by 2-4 and 4-6
    pixels.

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
                pictures[TRUTH] = case.truth
                lines.append((noise, pictures, interesting_crop(case.truth, size // 4)))
        paths.append(Path(folder) / f"sheet_{kind}_{blur.name.replace(' ', '_')}.png")
        title = f"Simulated {split} set, {kind} frames, blur {blur.name}; one grey scale in each line"
        _save(paths[-1], lines, size // 4, title)
    return paths


def interesting_crop(frame: np.ndarray, side: int) -> tuple[int, int]:
    """Upper left corner (row, column) of the square with the most edges."""
    strength = ndimage.uniform_filter(ndimage.gaussian_gradient_magnitude(np.asarray(frame, np.float64), 1.0), side)
    half = side // 2
    inside = strength[half : frame.shape[0] - half, half : frame.shape[1] - half]
    row, column = np.unravel_index(int(inside.argmax()), inside.shape)
    return int(row), int(column)


def _save(path: Path, lines: list, side: int, title: str) -> None:
    names = list(lines[0][1])
    figure = Figure(figsize=(2.2 * len(names) + 0.6, 2.2 * len(lines) + 0.5), dpi=100, layout="constrained")
    axes = figure.subplots(len(lines), len(names), squeeze=False)
    for number, (text, pictures, (row, column)) in enumerate(lines):
        line = axes[number]
        crops = {name: image[row : row + side, column : column + side] for name, image in pictures.items()}
        low, high = np.percentile(crops[TRUTH], (0.2, 99.8))
        margin = 0.1 * (high - low)
        for ax, (name, crop) in zip(line, crops.items(), strict=True):
            ax.imshow(crop, cmap="gray", vmin=low - margin, vmax=high + margin, interpolation="nearest")
            ax.set(xticks=[], yticks=[])
            if number == 0:
                ax.set_title(name, fontsize=8)
        line[0].set_ylabel(text, fontsize=7)
    figure.suptitle(title, fontsize=9, x=0.01, ha="left")
    FigureCanvasAgg(figure).print_png(path)
