"""Figures of merit of every method in every condition, from frame by frame to rows with intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from DSADeblurLib.lab.evaluation.bootstrap import Estimate, estimate
from DSADeblurLib.lab.evaluation.grid import ALL_TRAINED, NOISE_FREE, Case, Cell
from DSADeblurLib.lab.evaluation.methods import INPUT, PERFECT_DENOISER, Method
from DSADeblurLib.lab.image_quality.quality import DATA_RANGE, edge_psnr, near_edges, psnr, ssim

CEILING_DB = 60.0
"""Errors below a thousandth of the data range count as none: a frame that was as sharp as the truth already, because
its blur could not be smaller than the micro spot's, would else lose tens of decibels by changes that nobody can see."""


@dataclass(frozen=True)
class Score:
    """One method on frame `index` of a cell; PSNR and edge PSNR end at CEILING_DB.

    `shift` is the mean of output minus truth, in log intensity: 0.005 is half a per cent of the mean signal.
    """

    cell: Cell
    method: str
    index: int
    psnr: float
    edge_psnr: float
    ssim: float
    shift: float


@dataclass(frozen=True)
class Row:
    """One method in one condition; gains are over the input, dB, 'worst' is the least of all frames."""

    kind: str
    noise: str
    blur: str
    trained_blur: bool
    method: str
    frames: int
    psnr: Estimate
    psnr_gain: Estimate
    worst_psnr_gain: float
    edge_gain: Estimate
    worst_edge_gain: float
    ssim: Estimate
    ssim_gain: Estimate
    worst_ssim_gain: float
    worst_shift: float


@dataclass(frozen=True)
class Margin:
    """A model's PSNR minus that of the classical method with the best mean, dB; `below` counts frames below it."""

    kind: str
    noise: str
    blur: str
    model: str
    against: str
    psnr: Estimate
    worst: float
    below: int
    frames: int


def score_case(
    cell: Cell, index: int, case: Case, methods: dict[str, Method], data_range: float = DATA_RANGE
) -> list[Score]:
    """Run all methods on a case; with noise, the exact frame counts as the perfect denoiser's result."""
    edges = near_edges(case.truth, data_range=data_range)
    results = {name: method(case.frames, case.known) for name, method in methods.items()}
    if cell.noise != NOISE_FREE:
        results[PERFECT_DENOISER] = case.exact
    return [
        Score(
            cell,
            name,
            index,
            min(psnr(result, case.truth, data_range=data_range), CEILING_DB),
            # Written so that NaN, for a frame without edges, stays NaN.
            float(np.minimum(edge_psnr(result, case.truth, data_range=data_range, edge_mask=edges), CEILING_DB)),
            ssim(result, case.truth, data_range=data_range),
            float(np.mean(result - case.truth, dtype=np.float64)),
        )
        for name, result in results.items()
    ]


def rows(scores: list[Score]) -> tuple[Row, ...]:
    """A row for each cell and method, and one for all trained ranges of blur together."""
    found = []
    for kind, noise, blur, trained, part in _conditions(scores):
        by_method = _by_method(part)
        reference = by_method[INPUT]
        found += [_row((kind, noise, blur, trained, name), by_method[name], reference) for name in by_method]
    return tuple(found)


def margins(scores: list[Score], models: tuple[str, ...], classical: tuple[str, ...]) -> tuple[Margin, ...]:
    """Each model against the classical method that is the best on average, in each noisy condition."""
    found = []
    for kind, noise, blur, _, part in _conditions(scores):
        by_method = _by_method(part)
        if noise == NOISE_FREE:
            continue
        values = {name: _psnr(by_method[name]) for name in (*models, *classical)}
        best = max(classical, key=lambda name: values[name].mean())
        for model in models:
            ahead = values[model] - values[best]
            found.append(
                Margin(
                    kind,
                    noise,
                    blur,
                    model,
                    best,
                    _over_frames(ahead, by_method[model]),
                    float(ahead.min()),
                    int((ahead < 0).sum()),
                    len(ahead),
                )
            )
    return tuple(found)


def _conditions(scores: list[Score]) -> list[tuple[str, str, str, bool, list[Score]]]:
    """(kind, noise, blur, trained, scores) of each cell in order of appearance, then of all trained blurs together."""
    parts: dict[tuple, list[Score]] = {}
    for score in scores:
        cell = score.cell
        parts.setdefault((cell.kind, cell.noise, cell.blur.name, cell.blur.trained), []).append(score)
        if cell.blur.trained:
            parts.setdefault((cell.kind, cell.noise, ALL_TRAINED, True), []).append(score)
    return [(*key, part) for key, part in parts.items()]


def _by_method(scores: list[Score]) -> dict[str, list[Score]]:
    """Scores of each method, frames in the same order."""
    found: dict[str, list[Score]] = {}
    for score in sorted(scores, key=lambda s: (s.index, s.cell.blur.px)):
        found.setdefault(score.method, []).append(score)
    return found


def _psnr(scores: list[Score]) -> np.ndarray:
    return np.array([score.psnr for score in scores])


def _row(names: tuple, scores: list[Score], reference: list[Score]) -> Row:
    def values(name: str) -> tuple[np.ndarray, np.ndarray]:
        own, before = (np.array([getattr(score, name) for score in part]) for part in (scores, reference))
        return own, own - before

    level, gain = values("psnr")
    _, edge_gain = values("edge_psnr")
    similarity, similarity_gain = values("ssim")
    return Row(
        *names,
        frames=len(scores),
        psnr=_over_frames(level, scores),
        psnr_gain=_over_frames(gain, scores),
        worst_psnr_gain=float(gain.min()),
        edge_gain=_over_frames(edge_gain, scores),
        worst_edge_gain=_least(edge_gain),
        ssim=_over_frames(similarity, scores),
        ssim_gain=_over_frames(similarity_gain, scores),
        worst_ssim_gain=float(similarity_gain.min()),
        worst_shift=float(max((score.shift for score in scores), key=abs)),
    )


def _over_frames(values: np.ndarray, scores: list[Score]) -> Estimate:
    """Bootstrap over scenes: the blurs of one scene are not independent, so they are averaged first."""
    indices = np.array([score.index for score in scores])
    finite = np.isfinite(values)
    return estimate(np.array([values[(indices == i) & finite].mean() for i in np.unique(indices[finite])]))


def _least(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.min()) if finite.size else float("nan")
