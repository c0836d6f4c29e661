"""Dose and data range at which `sets.paper_pair` is as bad as the input of Geng et al. 2022.

`python -m DSADeblurLib.lab.simulation.paper_dose` prints them, measured on validation frames. The dose decides how the
error is made up of noise and blur and hence the SSIM; the data range then sets the PSNR.
"""

from __future__ import annotations

import numpy as np
from scipy import optimize

from DSADeblurLib.lab.image_quality.quality import psnr, ssim
from DSADeblurLib.lab.simulation.pairs import Pair
from DSADeblurLib.lab.simulation.sets import held_out_pair, paper_pair

PAPER_PSNR, PAPER_SSIM = 30.64, 0.9163


def input_quality(pairs: list[Pair], data_range: float) -> tuple[float, float]:
    """Mean PSNR in dB and mean SSIM of the frames to restore, before anything is done to them."""
    figures = [[measure(p.frame, p.truth, data_range=data_range) for measure in (psnr, ssim)] for p in pairs]
    return tuple(float(mean) for mean in np.mean(figures, axis=0))


def matching_range(pairs: list[Pair], decibels: float = PAPER_PSNR) -> float:
    """The data range at which the frames' mean PSNR is `decibels`."""
    return float(10 ** ((decibels - input_quality(pairs, 1.0)[0]) / 20))


def calibrate(frames: int = 12, size: int = 512, doses: tuple[float, float] = (3e2, 1e6)) -> tuple[float, float]:
    """Quanta per pixel and data range at which validation frames have the paper's PSNR and SSIM.

    Raises:
        ValueError: no dose between `doses` does.
    """

    def excess(log_quanta: float) -> float:
        pairs = taken(np.exp(log_quanta))
        return input_quality(pairs, matching_range(pairs))[1] - PAPER_SSIM

    def taken(quanta: float) -> list[Pair]:
        return [paper_pair("validation", index, size, float(quanta))[0] for index in range(frames)]

    quanta = float(np.exp(optimize.brentq(excess, *np.log(doses), xtol=0.02)))
    return quanta, matching_range(taken(quanta))


def paper_like_ssim(frames: int = 12, size: int = 512) -> float:
    """Mean SSIM, data range 1, of subtracted validation frames at paper-like noise and blur of 1 to 8 pixels.

    The ends of `sets.NOISE["paper-like"]` are such that it is about that of the paper's input.
    """
    pairs = [
        held_out_pair("validation", index, "subtracted", "paper-like", size, (1.0, 8.0))[0] for index in range(frames)
    ]
    return input_quality(pairs, 1.0)[1]


if __name__ == "__main__":
    quanta, data_range = calibrate()
    print(f"simulated validation frames: {quanta:.4g} quanta per pixel, data range {data_range:.4g}")
    print(f"simulated subtracted validation frames at paper-like noise: SSIM {paper_like_ssim():.4f}")
