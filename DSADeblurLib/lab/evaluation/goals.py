"""What a model of this project is to reach, and whether it does."""

from __future__ import annotations

import math

import pandas as pd

from DSADeblurLib.lab.evaluation.grid import ALL_TRAINED, NOISE_FREE, TRAINED
from DSADeblurLib.lab.evaluation.result import select

OVER_CLASSICAL_DB = 3.5
# Of vessels as faint as their contrast over noise says, on the average and of the worst tenth.
LEFT = {1.0: (0.95, 0.85), 2.0: (1.0, 0.92), 3.0: (1.05, 1.0), 8.0: (1.1, 1.05)}
NOISE_LEFT = 0.5
WIDTH_RATIOS = {"with diameter": 0.25, "same for all": 0.35}
MEAN_SIGNAL = 0.005
FLICKER = 1.1
# A frame counts as below the input only beyond the rounding of half-precision arithmetic.
NOT_BELOW_DB = -0.005


def targets_of(model: str, figures: pd.DataFrame) -> list[dict]:
    """Every target for one model.

    Args:
        model: its name in the table.
        figures: the long table of `result`.

    Returns:
        model, name, wanted, found, worst (frame, empty where there are none) and reached of each.
    """
    own = select(figures, method=model)
    frames = select(own, table="frames")
    like = dict(table="frames", kind="subtracted", noise="paper-like", condition=ALL_TRAINED)
    clinical = {**like, "noise": "clinical"}
    found = [
        *_faint_vessels(own),
        _gain(own, "PSNR gain, subtracted, paper-like noise", 7.0, "psnr_gain", **like),
        _gain(own, "edge PSNR gain, subtracted, paper-like noise", 6.0, "edge_gain", **like),
        _gain(own, "SSIM gain, subtracted, paper-like noise", 0.060, "ssim_gain", **like),
        _margin(select(own, **{**like, "table": "margins"})),
        _gain(own, "PSNR gain, subtracted, clinical noise", 8.0, "psnr_gain", **clinical),
        _gain(own, "PSNR gain, native body phantoms", 4.7, "psnr_gain", table="paper"),
        _gain(own, "SSIM gain, native body phantoms", 0.040, "ssim_gain", table="paper"),
        *(_width(own, contrast, limit) for contrast, limit in WIDTH_RATIOS.items()),
        *(_noise_free(frames, kind) for kind in ("native", "subtracted")),
        _mean_signal(select(frames, condition=TRAINED)),
        *(_flicker(part, noise) for noise, part in select(own, table="still").groupby("noise", sort=False)),
    ]
    foreign = frames[~frames["condition"].isin(TRAINED)]
    wrong = figures[(figures["table"] == "wrong header") & (figures["condition"] != ALL_TRAINED)]
    wrong = wrong[wrong["method"].str.startswith(f"{model}, ")]
    found += _never_below("blur outside the trained range, all noise levels", foreign)
    found += _never_below("no header, and focal spots wrong by a factor of 2, paper-like and no noise", wrong)
    names = ("name", "wanted", "found", "worst", "reached")
    return [{"model": model, **dict(zip(names, target, strict=True))} for target in found]


def _faint_vessels(own: pd.DataFrame) -> list[tuple]:
    """What is left of faint vessels and of noise, and what a reader sees: the worst of all noise levels."""

    vessels, detection = select(own, table="vessels"), select(own, table="detection", measure="d_ratio")

    found = []
    for contrast, (mean, worst) in LEFT.items():
        of_contrast = vessels[vessels["at"] == contrast].groupby("measure")["value"].min()
        left, left_10 = float(of_contrast["left"]), float(of_contrast["left_10"])
        wanted = f">= {mean:.2f}, worst tenth >= {worst:.2f}"
        name = f"left of thin vessels of {contrast:g} sigma, all noise levels"
        found.append((name, wanted, f"{left:.2f}", f"{left_10:.2f}", bool(left >= mean and left_10 >= worst)))
    noise = float(select(own, table="noise", measure="ratio")["value"].max())
    found.append(("noise left, all levels", f"<= {NOISE_LEFT:g}", f"{noise:.2f}", "", bool(noise <= NOISE_LEFT)))
    ratio = float(detection["value"].min())
    name = "d' of thin vessels of 1 to 3 sigma over the input's, all noise levels"
    return [*found, (name, ">= 1", f"{ratio:.2f}", "", bool(ratio >= 1))]


def _values(figures: pd.DataFrame, **names: str) -> pd.Series:
    """The figures of one condition by measure."""
    return select(figures, **names).set_index("measure")["value"]


def _gain(own: pd.DataFrame, name: str, least: float, measure: str, **names: str) -> tuple:
    values = _values(own, **names)
    found, worst = values[measure], values[f"worst_{measure}"]
    if measure == "ssim_gain":
        return name, f">= +{least:.3f}", f"{found:+.4f}", f"{worst:+.4f}", bool(found >= least)
    return name, f">= +{least:g} dB", f"{found:+.2f} dB", f"{worst:+.2f} dB", bool(found >= least)


def _margin(figures: pd.DataFrame) -> tuple:
    values, (best,), (frames,) = _values(figures), set(figures["against"]), set(figures["n"])
    return (
        f"over the best classical method ({best}), subtracted, paper-like noise",
        f">= +{OVER_CLASSICAL_DB:g} dB, no frame below",
        f"{values['psnr']:+.2f} dB, {values['below']:.0f} of {frames} frames below",
        f"{values['worst']:+.2f} dB",
        bool(values["psnr"] >= OVER_CLASSICAL_DB and values["below"] == 0),
    )


def _width(own: pd.DataFrame, contrast: str, limit: float) -> tuple:
    values = _values(own[own["at"].isna()], table="widths", noise="paper-like", condition=contrast)
    ratio, missed = values["ratio"], values["missed"]
    found = "no vessel seen" if math.isnan(ratio) else f"{ratio:.2f} ({values['error_px']:.2f} px)"
    return (
        f"vessel width error over the input's, contrast {contrast}, paper-like noise",
        f"<= {limit:g}, all seen",
        f"{found}, {100 * missed:.0f} % not seen" if missed else found,
        "",
        bool(ratio <= limit and missed == 0),
    )


def _noise_free(frames: pd.DataFrame, kind: str) -> tuple:
    values = _values(frames, kind=kind, noise=NOISE_FREE, condition=ALL_TRAINED)
    edge_gain, edge_worst, worst = values[["edge_gain", "worst_edge_gain", "worst_psnr_gain"]]
    return (
        f"noise-free input, {kind}",
        "edge PSNR >= +4 dB, no frame below the input",
        f"{edge_gain:+.2f} dB edge, {values['psnr_gain']:+.2f} dB",
        f"{edge_worst:+.2f} dB edge, {worst:+.2f} dB",
        bool(edge_gain >= 4 and min(edge_worst, worst) >= NOT_BELOW_DB),
    )


def _mean_signal(frames: pd.DataFrame) -> tuple:
    shift = max(select(frames, measure="worst_shift")["value"], key=abs)
    wanted = f"within {100 * MEAN_SIGNAL:g} %"
    return "mean signal kept, all conditions", wanted, "", f"{100 * shift:+.2f} %", bool(abs(shift) <= MEAN_SIGNAL)


def _flicker(still: pd.DataFrame, noise: str) -> tuple:
    values = _values(still)
    ratio = values["flicker"] / values["noise_kept"]
    found = f"{ratio:.2f} ({100 * values['flicker']:.0f} % of the input's flicker)"
    name = f"background flicker over a single frame's noise, {noise} noise"
    return name, f"<= {FLICKER:g}", found, "", bool(ratio <= FLICKER)


def _never_below(name: str, figures: pd.DataFrame) -> list[tuple]:
    """No frame of these conditions below the input; no target where none was measured."""
    if figures.empty:
        return []
    worst = select(figures, measure="worst_psnr_gain")["value"].min()
    mean = select(figures, measure="psnr_gain")["value"].mean()
    reached = bool(worst >= NOT_BELOW_DB)
    return [(name, "no frame below the input", f"{mean:+.2f} dB", f"{worst:+.2f} dB", reached)]
