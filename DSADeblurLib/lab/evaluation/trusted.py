"""Whether lines that a network invents are found: false ones are put into its output, at several contrasts.

    python -m DSADeblurLib.lab.evaluation.trusted --model compact --frames 4

prints for several thresholds of `restoration.trust.unexplained` the share of false vessels found in simulated
subtracted frames, and of pixels of clean vessels that are called unexplained; --real FOLDER does so in real frames.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from rich.console import Console
from rich.table import Table

from DSADeblurLib.lab.evaluation import model_processes as processes
from DSADeblurLib.lab.evaluation.methods import assumed_blur
from DSADeblurLib.lab.evaluation.retention import Frame, parser_of, real_frames, simulated_frame
from DSADeblurLib.lab.image_quality.vessel_retention import bent_vessels
from DSADeblurLib.lab.simulation.sets import NOISE
from DSADeblurLib.request import DEFAULT_MODEL, DeblurSettings
from DSADeblurLib.restoration.controls import reblurred
from DSADeblurLib.restoration.deblur import deblur
from DSADeblurLib.restoration.lines import line_map
from DSADeblurLib.restoration.normalisation import Aperture
from DSADeblurLib.restoration.package import Model
from DSADeblurLib.restoration.trust import UNEXPLAINED, unexplained

CONTRASTS = (1.0, 2.0, 4.0)
"""Of false vessels of 2 x 50 pixels in the network's output, times the noise of a pixel of the frame."""
THRESHOLDS = (1.0, 1.2, UNEXPLAINED, 1.8, 2.2)
# A false vessel is found where this share of its pixels is called unexplained.
_FOUND = 0.3
_WIDTH_PX, _LENGTH_PX, _COUNT, _SEED = 2.0, 50.0, 10, 11


def found_false(frame: Frame, model: Model, settings: DeblurSettings, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Put false vessels into the network's output of one frame.

    Args:
        frame: the frame, its noise, and what is known of its blur.
        model, settings: of the network.
        seed: where the vessels lie.

    Returns:
        Shares found (contrasts, thresholds), and shares (thresholds,) of the pixels of clean lines that are called
        unexplained where nothing was put in.
    """
    whole = replace(settings, sharpness=1.0, noise_reduction=1.0, uniform_noise_reduction=True)
    middle = len(frame.frames) // 2
    whole = replace(whole, frame_range=(middle + 1, middle + 1))
    result = deblur(frame.frames, model, whole, header_px=assumed_blur(frame.known))
    taken, restored = frame.frames[middle].astype(np.float32), np.asarray(result.frames[0])
    if result.blur_px is None:
        raise ValueError(f"The model {model.card.name!r} does not tell how wide it took the blur to be.")
    aperture, blur_px = Aperture(None), result.blur_px

    def flagged(output: np.ndarray) -> np.ndarray:
        return unexplained(taken, reblurred(output, blur_px, aperture))

    false = bent_vessels(np.random.default_rng((_SEED, seed)), taken.shape, _COUNT, _WIDTH_PX, _LENGTH_PX)
    together, lines = np.sum(false, axis=0, dtype=np.float32), line_map(taken) > 0.5
    clean = flagged(restored)
    found = np.empty((len(CONTRASTS), len(THRESHOLDS)))
    for row, contrast in zip(found, CONTRASTS, strict=True):
        response = flagged(restored - np.float32(contrast * frame.noise) * together)
        row[:] = [np.mean([(response > t)[one > 0.7].mean() > _FOUND for one in false]) for t in THRESHOLDS]
    return found, np.array([(clean > t)[lines].mean() for t in THRESHOLDS])


def print_found(console: Console, name: str, words: str, frames: Iterable[Frame]) -> None:
    """Print the curve of a loaded model on frames."""
    model, settings = processes.networks()[name]
    parts = [found_false(frame, model, settings, seed) for seed, frame in enumerate(frames)]
    if not parts:
        raise ValueError("There is no subtracted frame.")
    console.print(f"{name}: false vessels found, {words}, {len(parts)} frames", highlight=False)
    table = Table()
    for heading in ("threshold", *(f"{contrast:g} sigma" for contrast in CONTRASTS), "clean vessels' pixels"):
        table.add_column(heading, justify="right")
    found, clean = (np.mean(part, axis=0) for part in zip(*parts, strict=True))
    for threshold, of_false, of_clean in zip(THRESHOLDS, found.T, clean, strict=True):
        table.add_row(f"{threshold:g}", *(f"{100 * share:.0f} %" for share in of_false), f"{100 * of_clean:.1f} %")
    console.print(table)


def main(arguments: list[str] | None = None) -> int:
    """Entry point of the command."""
    options = parser_of(__spec__.name, __doc__).parse_args(arguments)
    console = Console(width=120)
    for name in processes.load_models(options.models or [DEFAULT_MODEL]):
        moments = processes.networks()[name][0].architecture.frames
        if options.real is not None:
            print_found(console, name, "real frames", real_frames(options.real, moments))
            continue
        for noise in NOISE:
            frames = (simulated_frame(options.set, noise, i, options.size, moments) for i in range(options.frames))
            print_found(console, name, f"simulated {options.set} frames, {noise} noise", frames)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
