"""Faint vessels and phantoms measured at every noise level on all processes, as rows of the long table."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from functools import partial

import numpy as np

from DSADeblurLib.lab.evaluation import model_processes as processes
from DSADeblurLib.lab.evaluation import phantoms
from DSADeblurLib.lab.evaluation.bootstrap import estimate
from DSADeblurLib.lab.evaluation.extent import Plan
from DSADeblurLib.lab.evaluation.methods import INPUT, Tuned, assumed_blur
from DSADeblurLib.lab.evaluation.result import curve_rows, rows_of
from DSADeblurLib.lab.evaluation.retention import CONTRASTS, retained, simulated_frame
from DSADeblurLib.lab.image_quality.mtf import Mtf
from DSADeblurLib.lab.image_quality.noise_power import NoisePower
from DSADeblurLib.lab.simulation.phantom import DIAMETERS_MM
from DSADeblurLib.lab.simulation.sets import NOISE
from DSADeblurLib.restoration.deblur import deblur

_CURVE = np.arange(0, 0.5001, 0.02)


def measure_phantoms(plan: Plan, tuned: dict[str, tuple[Tuned, ...]], run: Callable) -> list[dict]:
    """Measure all phantoms.

    Args:
        plan: how much.
        tuned: classical methods for each noise level.
        run: of `model_processes.workers`.

    Returns:
        Rows of the tables vessels, detection, widths, edges, noise, thin and still.
    """

    def measure(description: str, function: Callable, keys: Iterable[tuple], **sizes) -> list:
        tasks = [partial(_with_methods, function, plan.split, tuned[key[0]], key, sizes) for key in keys]
        return run(description, tasks)

    size, takes = plan.phantom_size, range(plan.takes)
    rows = []
    found = measure("faint vessels", _retained, itertools.product(NOISE, takes), size=size)
    for noise, part in zip(NOISE, _by(found, plan.takes), strict=True):
        rows += _vessel_rows(part, table="vessels", noise=noise, n=plan.takes)

    found = measure("detection", phantoms.measure_detectability, ((noise, plan.takes) for noise in NOISE), size=size)
    for noise, seen in zip(NOISE, found, strict=True):
        for name, cnr in itertools.product(seen, phantoms.FAINT):
            figures = {"d_prime": seen[name][cnr], "d_ratio": seen[name][cnr] / seen[INPUT][cnr]}
            rows += rows_of(figures, table="detection", noise=noise, at=cnr, method=name, n=plan.takes)

    keys = list(itertools.product(NOISE, phantoms.CONTRASTS))
    found = measure("vessel widths", phantoms.measure_widths, ((*key, take) for key in keys for take in takes))
    for (noise, contrast), part in zip(keys, _by(found, plan.takes), strict=True):
        rows += _width_rows(part, table="widths", noise=noise, condition=contrast, n=plan.takes)

    keys = list(itertools.product(NOISE, phantoms.EDGES))
    found = measure("edges", phantoms.measure_edges, ((*key, 2 * plan.takes) for key in keys), size=plan.edge_size)
    for (noise, edge), curves in zip(keys, found, strict=True):
        rows += _edge_rows(curves, table="edges", noise=noise, condition=edge, n=2 * plan.takes)

    found = measure("noise", phantoms.measure_noise, ((noise, plan.takes) for noise in NOISE), size=size)
    measured = dict(zip(NOISE, found, strict=True))
    for noise, (powers, _) in measured.items():
        rows += _noise_rows(powers, table="noise", noise=noise, n=plan.takes)

    keys = list(itertools.product(NOISE, phantoms.CNRS))
    thin = [(noise, cnr, take, *_of_input(*measured[noise])) for noise, cnr in keys for take in takes]
    found = measure("thin vessels", phantoms.measure_thin, thin, size=size)
    for (noise, cnr), part in zip(keys, _by(found, plan.takes), strict=True):
        for name in part[0]:
            shares = {share: estimate([take[name][share] for take in part]) for share in part[0][name]}
            rows += rows_of(shares, table="thin", noise=noise, at=cnr, method=name, n=plan.takes)

    found = run("still runs", [partial(_stillness, plan, noise) for noise in NOISE])
    for noise, part in zip(NOISE, found, strict=True):
        for name, shares in part.items():
            rows += rows_of(shares, table="still", noise=noise, method=name, n=plan.still_takes)
    return rows


def _with_methods(function: Callable, split: str, tuned: tuple[Tuned, ...], key: tuple, sizes: dict):
    """A function of `phantoms` with the methods of the process it runs in."""
    return function(split, *key, methods=processes.methods(tuned), moments=processes.moments(), **sizes)


def _retained(split: str, noise: str, index: int, methods: dict, moments: int, size: int) -> dict[str, np.ndarray]:
    frame = simulated_frame(split, noise, index, size, moments)
    return {name: retained(method, [frame], seed=index) for name, method in methods.items()}


def _stillness(plan: Plan, noise: str) -> dict[str, dict[str, float]]:
    """See `phantoms.measure_stillness`; models restore the whole run, as users have it restored."""
    runs = {
        name: lambda frames, known, model=model, settings=settings: (
            deblur(frames, model, settings, header_px=assumed_blur(known)).frames
        )
        for name, (model, settings) in processes.networks().items()
    }
    return phantoms.measure_stillness(plan.split, noise, plan.still_takes, runs, plan.phantom_size)


def _by(values: list, count: int) -> list[list]:
    return [values[i : i + count] for i in range(0, len(values), count)]


def _of_input(powers: dict[str, NoisePower], thresholds: dict[str, float]) -> tuple[float, dict[str, float]]:
    return math.sqrt(powers[INPUT].variance), thresholds


def _vessel_rows(frames: list[dict[str, np.ndarray]], **names) -> list[dict]:
    """What is left of vessels of each contrast, on the average and of the worst tenth, see `retention`."""
    rows = []
    for name in frames[0]:
        for contrast, left in zip(CONTRASTS, np.concatenate([frame[name] for frame in frames], axis=1), strict=True):
            figures = {"left": float(left.mean()), "left_10": float(np.percentile(left, 10))}
            rows += rows_of(figures, at=contrast, method=name, **names)
    return rows


def _width_rows(takes: list[dict[str, np.ndarray]], **names) -> list[dict]:
    """Mean absolute error in pixels, what remains of the input's, the share of vessels that were not detected, and the
    mean error at each diameter, positive where too wide."""
    errors = {name: estimate([_mean(np.abs(take[name])) for take in takes]) for name in takes[0]}
    rows = []
    for name, error in errors.items():
        signed = np.stack([take[name] for take in takes])
        figures = {
            "error_px": error,
            "ratio": error.value / errors[INPUT].value,
            "missed": float(np.isnan(signed).mean()),
        }
        rows += rows_of(figures, method=name, **names)
        rows += curve_rows("by_diameter_px", DIAMETERS_MM, map(_mean, signed.T), method=name, **names)
    return rows


def _mean(values: np.ndarray) -> float:
    """Mean of what is not NaN, or NaN."""
    values = values[~np.isnan(values)]
    return float(values.mean()) if values.size else math.nan


def _edge_rows(curves: dict[str, Mtf], **names) -> list[dict]:
    """Where the MTF falls to 50 and 10 %, in cycles per pixel and over the input's, and the curve itself."""
    rows = []
    for name, curve in curves.items():
        at = {level: curve.frequency_at(level / 100) for level in (50, 10)}
        gains = {f"gain{level}": at[level] / curves[INPUT].frequency_at(level / 100) for level in at}
        rows += rows_of({f"mtf{level}": at[level] for level in at} | gains, method=name, **names)
        modulation = np.interp(_CURVE, curve.frequency, curve.modulation)
        rows += curve_rows("modulation", _CURVE, modulation, method=name, **names)
    return rows


def _noise_rows(powers: dict[str, NoisePower], **names) -> list[dict]:
    """Standard deviation of a pixel where there is no object, over the input's, and the radial noise power."""
    rows = []
    for name, power in powers.items():
        ratio = math.sqrt(power.variance / powers[INPUT].variance)
        rows += rows_of({"std": math.sqrt(power.variance), "ratio": ratio}, method=name, **names)
        rows += curve_rows("power", power.frequency, power.power, method=name, **names)
    return rows
