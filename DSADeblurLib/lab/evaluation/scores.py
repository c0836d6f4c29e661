"""Figures of merit of every method in every condition, from frame by frame to means with intervals."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from DSADeblurLib.lab.evaluation.bootstrap import Estimate, estimate
from DSADeblurLib.lab.evaluation.grid import ALL_TRAINED, NOISE_FREE, TRAINED, Case
from DSADeblurLib.lab.evaluation.methods import INPUT, PERFECT_DENOISER, Method
from DSADeblurLib.lab.evaluation.result import rows_of
from DSADeblurLib.lab.image_quality.quality import DATA_RANGE, edge_psnr, near_edges, psnr, ssim

CEILING_DB = 60.0
"""Errors below a thousandth of the data range count as none: a frame that was as sharp as the truth already, because
its blur could not be smaller than the micro spot's, would else lose tens of decibels by changes that nobody can see."""
_CONDITION = ["table", "kind", "noise", "condition"]


def decibels(frame: np.ndarray, truth: np.ndarray, edges: np.ndarray, data_range: float = DATA_RANGE) -> dict:
    """PSNR and edge PSNR of a frame (rows, cols) in dB, at most CEILING_DB; NaN near edges where there are none."""
    near = edge_psnr(frame, truth, data_range=data_range, edge_mask=edges)
    return {
        "psnr": min(psnr(frame, truth, data_range=data_range), CEILING_DB),
        "edge_psnr": float(np.minimum(near, CEILING_DB)),
    }


def score_case(condition: dict, case: Case, methods: dict[str, Method], data_range: float = DATA_RANGE) -> list[dict]:
    """Run all methods on a case; with noise, the exact frame counts as the perfect denoiser's result.

    Args:
        condition: table, kind, noise, condition and index of the frame, which each score repeats.
        case: the frame.
        methods: by name, INPUT among them.
        data_range: the peak of the figures in log intensity.

    Returns:
        For each method psnr and edge_psnr in dB, ssim, their gains over the input, and shift: the mean of output
        minus truth in log intensity, of which 0.005 is half a per cent of the mean signal.
    """
    edges = near_edges(case.truth, data_range=data_range)
    results = {name: method(case.frames, case.known) for name, method in methods.items()}
    if condition["noise"] != NOISE_FREE:
        results[PERFECT_DENOISER] = case.exact
    found = {
        name: decibels(one, case.truth, edges, data_range) | {"ssim": ssim(one, case.truth, data_range=data_range)}
        for name, one in results.items()
    }
    return [
        condition
        | {"method": name, **scores}
        | {f"{measure}_gain": value - found[INPUT][measure] for measure, value in scores.items()}
        | {"shift": float(np.mean(results[name] - case.truth, dtype=np.float64))}
        for name, scores in found.items()
    ]


def summaries(scores: pd.DataFrame) -> list[dict]:
    """Rows of the long table for each condition and method: means over frames, and the worst frame of each gain."""
    rows = []
    for key, part in _with_all_trained(scores).groupby([*_CONDITION, "method"], sort=False):
        measures = {
            "psnr": _over_scenes(part, "psnr"),
            "psnr_gain": _over_scenes(part, "psnr_gain"),
            "worst_psnr_gain": part["psnr_gain"].min(),
            "edge_gain": _over_scenes(part, "edge_psnr_gain"),
            "worst_edge_gain": part["edge_psnr_gain"].min(),
            "ssim": _over_scenes(part, "ssim"),
            "ssim_gain": _over_scenes(part, "ssim_gain"),
            "worst_ssim_gain": part["ssim_gain"].min(),
            "worst_shift": max(part["shift"], key=abs),
        }
        rows += rows_of(measures, n=len(part), **dict(zip([*_CONDITION, "method"], key, strict=True)))
    return rows


def margins(scores: pd.DataFrame, models: Iterable[str], classical: Iterable[str]) -> list[dict]:
    """Rows of the long table of each model's PSNR minus that of the classical method with the best mean.

    Args:
        scores: of `score_case`; only frames with noise count.
        models, classical: names of methods.

    Returns:
        For each condition and model psnr and the worst frame's in dB, and how many frames lie below the other's.
    """
    rows = []
    noisy = scores[(scores["table"] == "frames") & (scores["noise"] != NOISE_FREE)]
    for key, part in _with_all_trained(noisy).groupby(_CONDITION, sort=False):
        by_method = {name: one.reset_index(drop=True) for name, one in part.groupby("method", sort=False)}
        best = max(classical, key=lambda name: by_method[name]["psnr"].mean())
        names = dict(zip(_CONDITION, key, strict=True)) | {"table": "margins", "against": best}
        for model in models:
            ahead = by_method[model].assign(psnr=by_method[model]["psnr"] - by_method[best]["psnr"])
            below = int((ahead["psnr"] < 0).sum())
            measures = {"psnr": _over_scenes(ahead, "psnr"), "worst": ahead["psnr"].min(), "below": below}
            rows += rows_of(measures, method=model, n=len(ahead), **names)
    return rows


def _with_all_trained(scores: pd.DataFrame) -> pd.DataFrame:
    """The scores, and those of all trained ranges of blur once more as one condition."""
    together = scores[scores["condition"].isin(TRAINED)].assign(condition=ALL_TRAINED)
    return pd.concat([scores, together]).sort_index(kind="stable")


def _over_scenes(scores: pd.DataFrame, column: str) -> Estimate:
    """Bootstrap over scenes: the blurs of one scene are not independent, so they are averaged first."""
    scores = scores[scores[column].notna()]
    return estimate(np.array([one.to_numpy().mean() for _, one in scores.groupby("index")[column]]))
