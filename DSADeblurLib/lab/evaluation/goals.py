"""What a model of this project is to reach, and whether it does."""

from __future__ import annotations

import math
from collections.abc import Iterable

from DSADeblurLib.lab.evaluation.frames import Margin, Row
from DSADeblurLib.lab.evaluation.grid import ALL_TRAINED, NOISE_FREE
from DSADeblurLib.lab.evaluation.result import Still, Target, Widths

OVER_CLASSICAL_DB = 3.5
WIDTH_RATIOS = {"with diameter": 0.25, "same for all": 0.35}
MEAN_SIGNAL = 0.005
FLICKER = 1.1
# A frame counts as below the input only beyond the rounding of half-precision arithmetic.
NOT_BELOW_DB = -0.005


def targets_of(
    model: str,
    rows: Iterable[Row],
    paper: Iterable[Row],
    margins: Iterable[Margin],
    widths: Iterable[Widths],
    still: Iterable[Still],
    misled: Iterable[Row] = (),
) -> tuple[Target, ...]:
    """Every target for one model, in the order of the tables."""
    own = [row for row in rows if row.method == model]
    (like,) = _of(own, "subtracted", "paper-like", ALL_TRAINED)
    (clinical,) = _of(own, "subtracted", "clinical", ALL_TRAINED)
    (margin,) = (m for m in margins if m.model == model and (m.kind, m.noise, m.blur) == _key(like))
    found = [
        _gain(model, "PSNR gain, subtracted, paper-like noise", 7.0, like.psnr_gain.mean, like.worst_psnr_gain),
        _gain(model, "edge PSNR gain, subtracted, paper-like noise", 6.0, like.edge_gain.mean, like.worst_edge_gain),
        _similarity(model, "SSIM gain, subtracted, paper-like noise", 0.060, like),
        Target(
            model,
            f"over the best classical method ({margin.against}), subtracted, paper-like noise",
            f">= +{OVER_CLASSICAL_DB:g} dB, no frame below",
            f"{margin.psnr.mean:+.2f} dB, {margin.below} of {margin.frames} frames below",
            f"{margin.worst:+.2f} dB",
            margin.psnr.mean >= OVER_CLASSICAL_DB and margin.below == 0,
        ),
        _gain(model, "PSNR gain, subtracted, clinical noise", 8.0, clinical.psnr_gain.mean, clinical.worst_psnr_gain),
    ]
    (body,) = (row for row in paper if row.method == model)
    found += [
        _gain(model, "PSNR gain, native body phantoms", 4.7, body.psnr_gain.mean, body.worst_psnr_gain),
        _similarity(model, "SSIM gain, native body phantoms", 0.040, body),
    ]
    found += [_width(model, contrast, limit, widths) for contrast, limit in WIDTH_RATIOS.items()]
    for kind in ("native", "subtracted"):
        (clean,) = _of(own, kind, NOISE_FREE, ALL_TRAINED)
        found.append(
            Target(
                model,
                f"noise-free input, {kind}",
                "edge PSNR >= +4 dB, no frame below the input",
                f"{clean.edge_gain.mean:+.2f} dB edge, {clean.psnr_gain.mean:+.2f} dB",
                f"{clean.worst_edge_gain:+.2f} dB edge, {clean.worst_psnr_gain:+.2f} dB",
                clean.edge_gain.mean >= 4 and min(clean.worst_edge_gain, clean.worst_psnr_gain) >= NOT_BELOW_DB,
            )
        )
    shift = max((row.worst_shift for row in own if row.trained_blur), key=abs)
    found.append(
        Target(
            model,
            "mean signal kept, all conditions",
            f"within {100 * MEAN_SIGNAL:g} %",
            "",
            f"{100 * shift:+.2f} %",
            abs(shift) <= MEAN_SIGNAL,
        )
    )
    found += [_flicker(model, row) for row in still if row.method == model]
    outside = [row for row in own if not row.trained_blur]
    astray = [row for row in misled if row.method.startswith(f"{model}, ") and row.blur != ALL_TRAINED]
    found += _never_below(model, "blur outside the trained range, all noise levels", outside)
    found += _never_below(model, "no header, and focal spots wrong by a factor of 2, paper-like and no noise", astray)
    return tuple(found)


def _of(rows: list[Row], *key: str) -> list[Row]:
    return [row for row in rows if _key(row) == key]


def _key(row: Row) -> tuple[str, str, str]:
    return row.kind, row.noise, row.blur


def _gain(model: str, name: str, wanted: float, found: float, worst: float) -> Target:
    return Target(model, name, f">= +{wanted:g} dB", f"{found:+.2f} dB", f"{worst:+.2f} dB", found >= wanted)


def _never_below(model: str, name: str, rows: list[Row]) -> list[Target]:
    """No frame of these conditions below the input; no target where none was measured."""
    if not rows:
        return []
    worst = min(row.worst_psnr_gain for row in rows)
    mean = sum(row.psnr_gain.mean for row in rows) / len(rows)
    wanted = "no frame below the input"
    return [Target(model, name, wanted, f"{mean:+.2f} dB", f"{worst:+.2f} dB", worst >= NOT_BELOW_DB)]


def _similarity(model: str, name: str, wanted: float, row: Row) -> Target:
    found = row.ssim_gain.mean
    return Target(model, name, f">= +{wanted:.3f}", f"{found:+.4f}", f"{row.worst_ssim_gain:+.4f}", found >= wanted)


def _width(model: str, contrast: str, limit: float, widths: Iterable[Widths]) -> Target:
    (row,) = (w for w in widths if (w.method, w.contrast, w.noise) == (model, contrast, "paper-like"))
    name = f"vessel width error over the input's, contrast {contrast}, paper-like noise"
    found = "no vessel seen" if math.isnan(row.ratio) else f"{row.ratio:.2f} ({row.error_px.mean:.2f} px)"
    if row.missed:
        found += f", {100 * row.missed:.0f} % not seen"
    return Target(model, name, f"<= {limit:g}, all seen", found, "", row.ratio <= limit and row.missed == 0)


def _flicker(model: str, row: Still) -> Target:
    ratio = row.flicker / row.noise_kept
    return Target(
        model,
        f"background flicker over a single frame's noise, {row.noise} noise",
        f"<= {FLICKER:g}",
        f"{ratio:.2f} ({100 * row.flicker:.0f} % of the input's flicker)",
        "",
        ratio <= FLICKER,
    )
