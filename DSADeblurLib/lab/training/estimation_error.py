"""Errors of the blur by header and by frames, on validation frames: what `restoration.blur_condition` weighs them by.

`python -m DSADeblurLib.lab.training.estimation_error MODEL` prints for each range of the blur and each noise the mean
error of ln(width + SMALLEST_PX), its bias, and the error that the estimator claims, in the same unit.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np

from DSADeblurLib.lab.simulation.pairs import KINDS, header_blur_px, removable_blur_px
from DSADeblurLib.lab.simulation.sets import NOISE, held_out_pair
from DSADeblurLib.lab.training.validation import BLURS_PX
from DSADeblurLib.restoration.blur_condition import SMALLEST_PX, combine_header_and_estimate, estimate_blur
from DSADeblurLib.restoration.normalisation import fit_normalisation
from DSADeblurLib.restoration.package import Model, load_model


@dataclass(frozen=True)
class Widths:
    """One frame's widths (rows, columns) in pixels: the true ones, the header's, the estimate and the error that it
    claims, and header and estimate combined."""

    blur: tuple[float, float]
    noise: str
    true: np.ndarray
    header: np.ndarray
    estimated: np.ndarray
    claimed: float
    combined: np.ndarray


def measure_widths(model: Model, scenes: int = 8, size: int = 512) -> list[Widths]:
    """The widths in validation frames of every kind, noise and range of the blur.

    Args:
        model: with an estimator.
        scenes: number of scenes, each of which gives a frame of every kind, noise and range.
        size: side of the frames in pixels.
    """
    found = []
    for index in range(scenes):
        for blur in BLURS_PX:
            for kind in KINDS:
                for noise in NOISE:
                    pair, conditions, scene = held_out_pair("validation", index, kind, noise, size, blur)
                    frame = fit_normalisation(pair.degraded).apply(pair.frame)
                    estimated = estimate_blur(lambda _, frame=frame: frame, 1, model.estimator)
                    header = header_blur_px(conditions, scene)
                    true = removable_blur_px(conditions.spot, scene)
                    widths = (np.asarray(w) for w in (true, header, estimated[:2]))
                    combined = combine_header_and_estimate(estimated, header)[:2]
                    found.append(Widths(blur, noise, *widths, float(estimated[2]), combined))
    return found


def table(found: list[Widths]) -> str:
    """Markdown: mean error and bias of the logarithms by blur, by noise, and of all."""
    lines = ["| frames | header | estimated | claimed | combined | bias estimated | bias combined |", "|---" * 7 + "|"]
    groups = {f"{low:g}-{high:g} px": [f for f in found if f.blur == (low, high)] for low, high in BLURS_PX}
    groups |= {noise: [f for f in found if f.noise == noise] for noise in NOISE}
    for name, group in {**groups, "all": found}.items():
        if not group:
            continue
        header, estimated, combined = (
            np.array([_logarithms(getattr(f, of)) - _logarithms(f.true) for f in group])
            for of in ("header", "estimated", "combined")
        )
        errors = [np.abs(x).mean() for x in (header, estimated, [f.claimed for f in group], combined)]
        biases = [x.mean() for x in (estimated, combined)]
        lines.append(f"| {name} | " + " | ".join([f"{e:.2f}" for e in errors] + [f"{b:+.2f}" for b in biases]) + " |")
    return "\n".join(lines)


def _logarithms(widths: np.ndarray) -> np.ndarray:
    return np.log(widths + SMALLEST_PX)


if __name__ == "__main__":
    print(table(measure_widths(load_model(sys.argv[1]))))
