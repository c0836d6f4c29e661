"""Real frames before and after, to look at: there is no truth to measure them against.

python -m DSADeblurLib.lab.evaluation.real FOLDER --model compact --output PLACE
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from skimage import io

from DSADeblurLib.lab.evaluation import model_processes as processes
from DSADeblurLib.lab.evaluation.sheet import Line, cropped, draw_lines
from DSADeblurLib.pipeline import prepare
from DSADeblurLib.request import DEFAULT_MODEL, DeblurRequest, DeblurSettings
from DSADeblurLib.restoration.deblur import deblur
from DSADeblurLib.restoration.package import Model
from DSADeblurLib.xa import XAReadError, find_inputs, read_run

PICTURE = "real_frames.png"
CROP = 320
_BEFORE = "real frame"


def check_real_output(folder: Path) -> None:
    """Pictures of patients must not get into a source tree and from there into the world.

    Raises:
        ValueError: one sentence, if the folder lies in a git repository.
    """
    folder = Path(folder).resolve()
    if any((parent / ".git").exists() for parent in (folder, *folder.parents)):
        raise ValueError("Pictures of real frames must not lie in a git repository; choose another --output.")


def save_real(source: Path, models: list[str], folder: Path) -> Path:
    """Draw frames of a folder of PNG or DICOM files before and after each model into one picture.

    Each model shows them without noise reduction, as by default, and with all of it.

    PNG files are taken as log-subtracted frames; of a DICOM run the middle frame is shown, subtracted where the run
    has a mask. Files that are neither are left out.

    Args:
        source: searched recursively.
        models: names or folders.
        folder: for the picture; not inside a git repository.

    Returns:
        The picture's path.

    Raises:
        ValueError: one sentence, if there is nothing to draw or the folder lies in a repository.
    """
    check_real_output(folder)
    loaded = processes.load_models([str(model) for model in models])
    lines = [line for path in find_inputs([source]) if (line := _line(path, loaded)) is not None]
    if not lines:
        raise ValueError(f"There is no PNG or DICOM frame in {source}.")
    return draw_lines(Path(folder) / PICTURE, lines, inches=4.0, dpi=90)


def read_frames(path: Path) -> tuple[object, dict] | None:
    """Read one file.

    Returns:
        Frames (n, rows, columns), a PNG file's as one log-subtracted frame, a DICOM run's subtracted where it has a
        mask, and what else `deblur` wants to know of them; None for neither.
    """
    if path.suffix.lower() == ".png":
        return io.imread(path, as_gray=True).astype(np.float32)[None], {}
    try:
        ready = prepare(read_run(path), DeblurRequest.of(blur="frames"))
    except XAReadError:
        return None
    return ready.frames, {name: getattr(ready, name) for name in ("relationship", "bits_stored", "exposed")}


def middle_frames(source: Path) -> Iterator[tuple[str | None, np.ndarray]]:
    """Relationship and middle frame of every file of a folder that `read_frames` can read."""
    for frames, facts in filter(None, map(read_frames, find_inputs([source]))):
        yield facts.get("relationship"), np.asarray(frames[len(frames) // 2])


def _line(path: Path, models: dict[str, Model]) -> Line | None:
    """The same crop of the frame and of each model's result; None for a file that holds no frame."""
    found = read_frames(path)
    if found is None:
        return None
    frames, facts = found
    middle = len(frames) // 2
    usual = DeblurSettings(frame_range=(middle + 1, middle + 1))
    reductions = {
        "no noise reduction": 0.0,
        f"default, {usual.noise_reduction:g}": usual.noise_reduction,
        "all of it": 1.0,
    }
    pictures = {_BEFORE: np.asarray(frames[middle])}
    for name, model in models.items():
        for words, n in reductions.items():
            result = deblur(frames, model, replace(usual, noise_reduction=n), **facts)
            pictures[f"{name}, {words}"] = np.asarray(result.frames[0])
    pictures = cropped(pictures, pictures[_BEFORE], CROP)
    return Line(pictures, np.percentile(pictures[_BEFORE], (0.2, 99.8)))


def main(arguments: list[str] | None = None) -> int:
    """Entry point of the command."""
    parser = argparse.ArgumentParser(prog=f"python -m {__spec__.name}", description=__doc__.split("\n")[0])
    parser.add_argument("source", type=Path, metavar="FOLDER", help="of PNG files or DICOM runs")
    parser.add_argument("--model", dest="models", action="append", help=f"may be repeated; default {DEFAULT_MODEL}")
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="outside of any git repository")
    options = parser.parse_args(arguments)
    print(save_real(options.source, options.models or [DEFAULT_MODEL], options.output))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
