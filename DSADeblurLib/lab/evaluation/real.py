"""Real frames before and after, to look at: there is no truth to measure them against."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from skimage import io

from DSADeblurLib.lab.evaluation import model_processes as processes
from DSADeblurLib.lab.evaluation.sheet import interesting_crop
from DSADeblurLib.pipeline import prepare
from DSADeblurLib.request import DeblurRequest, DeblurSettings
from DSADeblurLib.restoration.deblur import deblur
from DSADeblurLib.restoration.package import Model
from DSADeblurLib.xa import XAReadError, find_inputs, read_run

PICTURE = "real_frames.png"
CROP = 320


def check_real_output(folder: Path) -> None:
    """Pictures of patients must not get into a source tree and from there into the world.

    Raises:
        ValueError: one sentence, if the folder lies in a git repository.
    """
    folder = Path(folder).resolve()
    if any((parent / ".git").exists() for parent in (folder, *folder.parents)):
        raise ValueError("Pictures of real frames must not lie in a git repository; choose another --output.")


def save_real(source: Path, models: list[str], folder: Path) -> list[Path]:
    """Draw frames of a folder of PNG or DICOM files before and after each model into one picture.

    PNG files are taken as log-subtracted frames; of a DICOM run the middle frame is shown, subtracted where the run
    has a mask. Files that are neither are left out.

    Args:
        source: searched recursively.
        models: names or folders.
        folder: for the picture; not inside a git repository.

    Raises:
        ValueError: one sentence, if there is nothing to draw or the folder lies in a repository.
    """
    check_real_output(folder)
    loaded = processes.load_models([str(model) for model in models])
    lines = [line for path in find_inputs([source]) if (line := _line(path, loaded)) is not None]
    if not lines:
        raise ValueError(f"There is no PNG or DICOM frame in {source}.")
    names = ["real frame", *loaded]
    figure = Figure(figsize=(4 * len(names), 4.1 * len(lines) + 0.4), dpi=90, layout="constrained")
    axes = figure.subplots(len(lines), len(names), squeeze=False)
    for row, (line, pictures) in enumerate(zip(axes, lines, strict=True)):
        low, high = np.percentile(pictures[0], (0.2, 99.8))
        for ax, name, picture in zip(line, names, pictures, strict=True):
            ax.imshow(picture, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
            ax.set(xticks=[], yticks=[], title=name if row == 0 else "")
    path = Path(folder) / PICTURE
    path.parent.mkdir(parents=True, exist_ok=True)
    FigureCanvasAgg(figure).print_png(path)
    return [path]


@dataclass(frozen=True)
class RealFrames:
    """Frames of one file (n, rows, columns), what their values mean, and what no shutter covers; see `deblur`."""

    frames: object
    relationship: str | None = None
    bits_stored: int | None = None
    exposed: np.ndarray | None = None


def read_frames(path: Path) -> RealFrames | None:
    """A PNG file as one log-subtracted frame; a DICOM run, subtracted where it has a mask; None for neither."""
    if path.suffix.lower() == ".png":
        return RealFrames(io.imread(path, as_gray=True).astype(np.float32)[None])
    try:
        ready = prepare(read_run(path), DeblurRequest.of(blur="frames"))
    except XAReadError:
        return None
    return RealFrames(ready.frames, ready.relationship, ready.bits_stored, ready.exposed)


def middle_frames(source: Path) -> Iterator[tuple[str | None, np.ndarray]]:
    """Relationship and middle frame of every file of a folder that `read_frames` can read."""
    for path in find_inputs([source]):
        found = read_frames(path)
        if found is not None:
            yield found.relationship, np.asarray(found.frames[len(found.frames) // 2])


def _line(path: Path, models: dict[str, Model]) -> list[np.ndarray] | None:
    """The same crop of the frame and of each model's result; None for a file that holds no frame."""
    real = read_frames(path)
    if real is None:
        return None
    middle = len(real.frames) // 2
    settings = DeblurSettings(frame_range=(middle + 1, middle + 1))
    before = np.asarray(real.frames[middle])
    pictures = [before]
    for model in models.values():
        result = deblur(
            real.frames,
            model,
            settings,
            relationship=real.relationship,
            bits_stored=real.bits_stored,
            exposed=real.exposed,
        )
        pictures.append(np.asarray(result.frames[0]))
    side = min(CROP, *before.shape)
    row, column = interesting_crop(before, side) if side < min(before.shape) else (0, 0)
    return [picture[row : row + side, column : column + side] for picture in pictures]
