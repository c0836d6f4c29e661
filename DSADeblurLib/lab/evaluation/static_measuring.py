"""How precise diameters are on real runs in which nothing moves, on original and deblurred frames.

    python -m DSADeblurLib.lab.evaluation.vessel_measuring --static FOLDER

The same vessels are measured on every frame. What differs from frame to frame is noise; the mean of all frames has
next to none.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table
from scipy import ndimage, stats
from skimage.feature import hessian_matrix, hessian_matrix_eigvals

from DSADeblurLib.measurement.cross_section import Aim, Unmeasurable, aim_across
from DSADeblurLib.measurement.diameter import METHODS, MODEL_FIT, Section, measure_all
from DSADeblurLib.measurement.line_spread import SystemBlur, run_blurs
from DSADeblurLib.pipeline import Prepared, prepare
from DSADeblurLib.request import DeblurRequest, DeblurSettings
from DSADeblurLib.restoration.deblur import deblur
from DSADeblurLib.restoration.normalisation import to_working
from DSADeblurLib.restoration.package import Model
from DSADeblurLib.xa import XAReadError, find_inputs, read_run

ORIGINAL = "original"
NOISE_REDUCTIONS = (0.0, DeblurSettings().noise_reduction, 1.0)
WIDTHS = {"< 5 px": 5.0, "5-9 px": 9.0, "> 9 px": np.inf}
"""Upper ends of the classes, by the model fit on the mean frame or, without the blur, the half maximum."""
LARGEST_SHIFT_PX = 0.1
# Fewer vessels show no difference of precision, and a larger probability none that is sure.
LEAST_VESSELS, SIGNIFICANT = 6, 0.05
_RIDGE_PX, _APART_PX, _BORDER_PX, _HALF_PX, _SITES = (1.5, 3.0, 5.0), 20, 24, 8.0, 60


def measure_static(folder: Path, model: Model) -> pd.DataFrame:
    """Measure vessels of every run of a folder on each of its frames.

    Returns:
        A row for each run, vessel, method and image: width class, `sd` over the frames, `shift` of their mean from the
        value on the mean of the same frames, `change` of that from the value on the mean of the originals, all in
        pixels, and the share `missing` of the frames.

    Raises:
        ValueError: one sentence, if there is no run of at least four frames.
    """
    rows = [row for path in find_inputs([folder]) for row in _rows(path, model)]
    if not rows:
        raise ValueError(f"There is no run of four frames or more in {folder}.")
    return pd.DataFrame(rows)


def vessels(mean: np.ndarray) -> list[Aim]:
    """Where vessels can be measured on a frame (rows, columns) without noise: the clearest, some way apart."""
    strength, ways = np.zeros(mean.shape), np.zeros((2, *mean.shape))
    for sigma in _RIDGE_PX:
        hessian = hessian_matrix(mean, sigma, order="rc", use_gaussian_derivatives=False)
        high = sigma**2 * hessian_matrix_eigvals(hessian)[0]
        angle = 0.5 * np.arctan2(2 * hessian[1], hessian[0] - hessian[2])
        better = high > strength
        strength[better] = high[better]
        ways[:, better] = np.cos(angle[better]), np.sin(angle[better])
    strength[:_BORDER_PX] = strength[-_BORDER_PX:] = strength[:, :_BORDER_PX] = strength[:, -_BORDER_PX:] = 0
    peaks = np.argwhere((strength == ndimage.maximum_filter(strength, _APART_PX)) & (strength > 0))
    found: list[Aim] = []
    for row, column in peaks[np.argsort(-strength[tuple(peaks.T)])]:
        across, middle = _HALF_PX * ways[:, row, column], np.array([row, column])
        try:
            found.append(aim_across(mean, tuple(middle - across), tuple(middle + across)))
        except Unmeasurable:
            continue
        if len(found) == _SITES:
            break
    return found


def _rows(path: Path, model: Model) -> Iterator[dict]:
    try:
        run = read_run(path)
        ready = prepare(run, DeblurRequest.of(subtract="never"))
    except XAReadError:
        return
    if len(ready.frames) < 4:
        return
    blurs = run_blurs(run.acquisition)
    stacks = dict(_stacks(ready, model))
    aims = vessels(stacks[ORIGINAL].mean(axis=0))
    first: dict[str, list[Section]] = {}
    for name, stack in stacks.items():
        blur: SystemBlur | None = blurs and blurs[name != ORIGINAL]
        mean = first[name] = measure_all(stack.mean(axis=0), aims, blur)
        each = [measure_all(frame, aims, blur) for frame in stack]
        for site, before in enumerate(first[ORIGINAL]):
            for method in METHODS:
                values = np.array([sections[site].diameters[method].value for sections in each])
                known, own = values[np.isfinite(values)], mean[site].diameters[method].value
                usable = known.size >= len(stack) / 2
                yield {
                    "run": path.stem,
                    "site": site,
                    "width": _width(before),
                    "method": method,
                    "image": name,
                    "sd": known.std(ddof=1) if usable else np.nan,
                    "shift": known.mean() - own if usable else np.nan,
                    "change": own - before.diameters[method].value,
                    "missing": 1 - known.size / len(stack),
                }


def _stacks(ready: Prepared, model: Model) -> Iterator[tuple[str, np.ndarray]]:
    """(n, rows, columns) in which absorbers add up, of the originals and of what becomes of them."""
    frames = np.stack([np.asarray(frame) for frame in ready.frames])
    yield ORIGINAL, to_working(frames, ready.relationship).astype(np.float64)
    facts = {name: getattr(ready, name) for name in ("relationship", "bits_stored", "exposed", "header_px")}
    for reduction in NOISE_REDUCTIONS:
        restored = deblur(frames, model, DeblurSettings(noise_reduction=reduction), **facts).frames
        name = f"deblurred, n {reduction:g}"
        yield name, to_working(np.asarray(restored), ready.relationship).astype(np.float64)


def _width(section: Section) -> str:
    found = section.diameters
    value = next((found[one].value for one in (MODEL_FIT, METHODS[0]) if np.isfinite(found[one].value)), np.nan)
    return next((name for name, high in WIDTHS.items() if value < high), "")


def precision(values: pd.DataFrame) -> pd.DataFrame:
    """By method, width and image, of the n vessels that all images show: medians of SD, of its ratio to the original's,
    of `shift` and of `change`, and the probability of such ratios if the deblurred frame is as precise."""
    key = ["run", "site", "method"]
    whole = values[values["width"] != ""]
    whole = whole[whole.groupby(key)["sd"].transform(lambda some: some.notna().all())]
    before = whole[whole["image"] == ORIGINAL].set_index(key)["sd"]
    rows = []
    for (method, width, image), group in whole.groupby(["method", "width", "image"], sort=False):
        ratio = group["sd"].to_numpy() / before.loc[pd.MultiIndex.from_frame(group[key])].to_numpy()
        same = len(group) < LEAST_VESSELS or np.allclose(ratio, 1)
        medians = group[["sd", "shift", "change"]].median().to_dict()
        row = {"method": method, "width": width, "image": image, "n": len(group), "ratio": float(np.median(ratio))}
        rows.append({**row, **medians, "p": 1.0 if same else float(stats.wilcoxon(np.log(ratio)).pvalue)})
    return pd.DataFrame(rows)


def print_precision(values: pd.DataFrame, console: Console) -> None:
    """Print the precision of every method, and where the deblurred frame misses the target."""
    title = "Real still runs, all in pixels; SD over frames of the same vessels, medians over vessels"
    table = Table(title=title, title_justify="left")
    headings = ("method", "width", "image", "vessels", "SD", "of the original's", "shift of the mean", "change", "")
    for heading in headings:
        table.add_column(heading, justify="left" if heading in (*headings[:3], "") else "right")
    found = precision(values)
    found["order"] = [(METHODS.index(row.method), list(WIDTHS).index(row.width)) for row in found.itertuples()]
    for _, group in found.groupby("order"):
        for row in group.itertuples():
            missed = [
                ("less precise", row.ratio > 1 and row.p < SIGNIFICANT),
                ("shifted", abs(row.shift) > LARGEST_SHIFT_PX),
            ]
            words = ", ".join(word for word, is_so in missed if is_so and row.image != ORIGINAL)
            figures = f"{row.n}", f"{row.sd:.3f}", f"{row.ratio:.2f}", f"{row.shift:+.3f}", f"{row.change:+.3f}"
            table.add_row(row.method, row.width, row.image, *figures, words)
        table.add_section()
    console.print(table)
