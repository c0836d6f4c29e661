"""Phantoms measured at every noise level on all processes, as rows of tables."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from DSADeblurLib.lab.evaluation import model_processes as processes
from DSADeblurLib.lab.evaluation import phantoms
from DSADeblurLib.lab.evaluation.bootstrap import Estimate, estimate
from DSADeblurLib.lab.evaluation.extent import Plan
from DSADeblurLib.lab.evaluation.methods import INPUT, Tuned, as_told
from DSADeblurLib.lab.evaluation.result import Edge, Noise, Still, Thin, Widths
from DSADeblurLib.lab.image_quality.mtf import Mtf
from DSADeblurLib.lab.image_quality.noise_power import NoisePower
from DSADeblurLib.lab.simulation.sets import NOISE
from DSADeblurLib.restoration.deblur import deblur

_CURVE = np.arange(0, 0.5001, 0.02)


def measure_phantoms(plan: Plan, tuned: dict[str, tuple[Tuned, ...]], run: Callable) -> dict[str, tuple]:
    """All phantom tables by their names in `result.Evaluation`; `tuned` holds the methods for each noise level."""
    levels = {noise: Bench(plan, noise, tuned[noise]) for noise in NOISE}
    takes = range(plan.takes)
    keys = [(noise, contrast) for noise in levels for contrast in phantoms.CONTRASTS]
    errors = run("vessel widths", [partial(levels[n].widths, contrast, take) for n, contrast in keys for take in takes])
    widths = [row for key, part in zip(keys, _by(errors, plan.takes), strict=True) for row in _width_rows(*key, part)]

    keys = [(noise, edge) for noise in levels for edge in phantoms.EDGES]
    curves = run("edges", [partial(levels[noise].edges, edge) for noise, edge in keys])
    edges = [row for key, part in zip(keys, curves, strict=True) for row in _edge_rows(*key, part)]

    measured = dict(zip(levels, run("noise", [bench.noise for bench in levels.values()]), strict=True))
    noise = [row for level, (powers, _) in measured.items() for row in _noise_rows(level, powers)]

    keys = [(noise, cnr) for noise in levels for cnr in phantoms.CNRS]
    seen = run(
        "thin vessels",
        [partial(levels[n].thin, cnr, take, *_of_input(measured[n])) for n, cnr in keys for take in takes],
    )
    thin = [row for key, part in zip(keys, _by(seen, plan.takes), strict=True) for row in _thin_rows(*key, part)]

    found = run("still runs", [bench.still for bench in levels.values()])
    still = [
        Still(level, name, s.flicker, s.noise)
        for level, part in zip(levels, found, strict=True)
        for name, s in part.items()
    ]
    return dict(widths=tuple(widths), edges=tuple(edges), noise=tuple(noise), thin=tuple(thin), still=tuple(still))


class Bench:
    """Phantoms at one noise level, with the classical methods tuned for it; its methods are tasks for a process."""

    def __init__(self, plan: Plan, noise: str, tuned: tuple[Tuned, ...]) -> None:
        self._plan, self._noise, self._tuned = plan, noise, tuned

    def _setup(self, size: int) -> dict:
        return dict(methods=processes.methods(self._tuned), size=size, moments=processes.moments())

    def widths(self, contrast: str, take: int) -> dict[str, np.ndarray]:
        """See `phantoms.measure_widths`."""
        methods, moments = processes.methods(self._tuned), processes.moments()
        return phantoms.measure_widths(self._plan.split, self._noise, contrast, take, methods, moments)

    def edges(self, edge: str) -> dict[str, Mtf]:
        """See `phantoms.measure_edges`."""
        setup = self._setup(self._plan.edge_size)
        return phantoms.measure_edges(self._plan.split, self._noise, edge, 2 * self._plan.takes, **setup)

    def noise(self) -> tuple[dict[str, NoisePower], dict[str, float]]:
        """See `phantoms.measure_noise`."""
        setup = self._setup(self._plan.phantom_size)
        return phantoms.measure_noise(self._plan.split, self._noise, self._plan.takes, **setup)

    def thin(self, cnr: float, take: int, std: float, thresholds: dict) -> dict[str, phantoms.Visibility]:
        """See `phantoms.measure_thin`."""
        setup = self._setup(self._plan.phantom_size)
        return phantoms.measure_thin(self._plan.split, self._noise, cnr, take, std, thresholds, **setup)

    def still(self) -> dict[str, phantoms.Stillness]:
        """See `phantoms.measure_stillness`; models restore the whole run, as users have it restored."""
        runs = {
            name: lambda frames, known, model=model, settings=settings: (
                deblur(frames, model, as_told(settings, known)).frames
            )
            for name, (model, settings) in processes.networks().items()
        }
        return phantoms.measure_stillness(
            self._plan.split, self._noise, self._plan.still_takes, runs, self._plan.phantom_size
        )


def _by(values: list, count: int) -> list[list]:
    return [values[i : i + count] for i in range(0, len(values), count)]


def _of_input(measured: tuple[dict[str, NoisePower], dict[str, float]]) -> tuple[float, dict[str, float]]:
    powers, thresholds = measured
    return float(np.sqrt(powers[INPUT].variance)), thresholds


def _width_rows(noise: str, contrast: str, takes: list[dict[str, np.ndarray]]) -> list[Widths]:
    def error_of(name: str) -> Estimate:
        return estimate(np.array([_mean(np.abs(take[name])) for take in takes]))

    reference = error_of(INPUT).mean
    rows = []
    for name in takes[0]:
        error = error_of(name)
        signed = np.stack([take[name] for take in takes])
        by_diameter = tuple(_mean(column) for column in signed.T)
        unseen = float(np.isnan(signed).mean())
        rows.append(Widths(noise, contrast, name, error, error.mean / reference, unseen, by_diameter))
    return rows


def _mean(values: np.ndarray) -> float:
    """Mean of what is not NaN, or NaN."""
    values = values[~np.isnan(values)]
    return float(values.mean()) if values.size else math.nan


def _edge_rows(noise: str, edge: str, curves: dict[str, Mtf]) -> list[Edge]:
    reference = [curves[INPUT].frequency_at(level) for level in (0.5, 0.1)]
    rows = []
    for name, curve in curves.items():
        at = [curve.frequency_at(level) for level in (0.5, 0.1)]
        gains = [own / before for own, before in zip(at, reference, strict=True)]
        modulation = np.interp(_CURVE, curve.frequency, curve.modulation)
        rows.append(Edge(noise, edge, name, *at, *gains, tuple(_CURVE.tolist()), tuple(modulation.tolist())))
    return rows


def _noise_rows(noise: str, powers: dict[str, NoisePower]) -> list[Noise]:
    reference = powers[INPUT].variance
    return [
        Noise(
            noise,
            name,
            float(np.sqrt(p.variance)),
            float(np.sqrt(p.variance / reference)),
            tuple(p.frequency.tolist()),
            tuple(p.power.tolist()),
        )
        for name, p in powers.items()
    ]


def _thin_rows(noise: str, cnr: float, takes: list[dict[str, phantoms.Visibility]]) -> list[Thin]:
    figures = ("missed", "false", "invented", "kept")
    return [
        Thin(noise, cnr, name, *(estimate(np.array([getattr(take[name], f) for take in takes])) for f in figures))
        for name in takes[0]
    ]
