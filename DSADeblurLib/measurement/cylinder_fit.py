"""Round vessels fitted to a profile: projected cylinders on a sloping background, blurred as the run is.

The model of a profile of optical density at distance x is

    p(x) = -ln (k * exp(-sum_i L_i))(x) + b + c x,    L_i(x) = 2 a_i / (pi q_i) sqrt(q_i - (x - x_i)^2)

with k the spread of a line: the spot blurs intensity. Vessels have a centre x_i, a squared radius q_i, and the area a_i
under their density, which is density per pixel of depth times pi q_i. Of a vessel narrower than the blur the profile
tells the area well and the radius hardly: the second moment of a profile grows with q_i alone, so that q_i, unlike the
radius, has an error that is normal down to nothing.

Many profiles are fitted at once, each by its own steps of Levenberg and Marquardt: one by one, most of the time would
go into calls. The derivatives of the model are exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

import numpy as np
from scipy import fft

from DSADeblurLib.measurement.line_spread import SystemBlur

FINE_STEP = 0.25
"""Distance in pixels of the points at which the model is made; profiles have samples a multiple of it apart."""
_LEAST_SQUARE = 1e-4
_REACH_PX = 20.0
# Samples nearer than the detector's blur, or the network's, tell nothing new.
_INDEPENDENT_PX = 1.5
_EVALUATIONS, _TOLERANCE, _MOST_DAMPING = 60, 1e-9, 1e8


class Cylinder(NamedTuple):
    """A vessel on a profile: centre in pixels, squared radius in pixels^2, area under its density in pixels."""

    centre: float
    square: float
    area: float

    @property
    def diameter(self) -> float:
        return 2 * float(np.sqrt(max(self.square, 0.0)))

    @property
    def density(self) -> float:
        """Optical density of a pixel's width of depth."""
        return self.area / (np.pi * self.square)


class KnownDensity(NamedTuple):
    """Optical density of a pixel's width of depth, as other places on the vessel show it, and its deviation."""

    value: float
    deviation: float


@dataclass(frozen=True)
class CylinderFit:
    """What was found on a profile of n samples.

    Attributes:
        vessels: the one to be measured first.
        background: (n,), the straight line.
        neighbours: (n,), what the other vessels add.
        values: (n,), the whole model.
        residual: (n,), profile less model.
        covariance: of `vessels[0]`: centre, squared radius and area.
        correlation: (n,) covariance of the noise at lags of 0, 1 ... samples.
    """

    vessels: tuple[Cylinder, ...]
    background: np.ndarray
    neighbours: np.ndarray
    values: np.ndarray
    residual: np.ndarray
    covariance: np.ndarray
    correlation: np.ndarray

    @property
    def noise(self) -> float:
        """Standard deviation of a sample."""
        return float(np.sqrt(self.correlation[0]))


class Problem(NamedTuple):
    """A profile to be fitted.

    positions: (n,) in pixels, multiples of a step that is the same for all and itself one of `FINE_STEP`.
    profile: (n,) optical density, higher in vessels. start: vessels to begin with, the one to be measured first.
    direction: (row, column) of the profile, of unit length.
    """

    positions: np.ndarray
    profile: np.ndarray
    start: Sequence[Cylinder]
    direction: tuple[float, float]


def fit_cylinders(problem: Problem, blur: SystemBlur, density: KnownDensity | None = None) -> CylinderFit:
    """As `fit_all`, of one profile."""
    return fit_all([problem], blur, density)[0]


def fit_all(problems: Sequence[Problem], blur: SystemBlur, density: KnownDensity | None = None) -> list[CylinderFit]:
    """Fit to each profile as many vessels as there are starts, and the background.

    Args:
        problems: the profiles.
        blur: of the run.
        density: of the first vessel of each, where it is known from elsewhere.
    """
    fits: dict[int, CylinderFit] = {}
    numbers = sorted(range(len(problems)), key=lambda i: len(problems[i].start))
    for _, group in groupby(numbers, key=lambda i: len(problems[i].start)):
        together = list(group)
        fits |= zip(together, _fit_alike([problems[i] for i in together], blur, density), strict=True)
    return [fits[i] for i in range(len(problems))]


def _fit_alike(problems: list[Problem], blur: SystemBlur, density: KnownDensity | None) -> list[CylinderFit]:
    """Of k profiles with as many vessels."""
    model = _Model(problems, blur)
    starts = np.array([np.ravel(one.start) for one in problems])
    count = starts.shape[1] // 3
    rest = model.profiles - model.values(np.column_stack((starts, np.zeros((len(problems), 2)))), model.all)
    lines = [np.polyfit(model.positions[there], row[there], 1) for row, there in zip(rest, model.there, strict=True)]
    parameters, prior = _solved(model, np.column_stack((starts, np.array(lines)[:, ::-1])), None), None
    if density is not None:
        noise = np.sqrt(model.mean_square(model.residuals(parameters))) + 1e-9 * np.ptp(model.profiles, axis=1)
        prior = _prior_rows(density, parameters[:, 2], noise)
        parameters = _solved(model, parameters, prior)
    values, jacobian = model.derived(parameters, model.all)
    alone = np.where(np.arange(3 * count + 2) // 3 == 0, 0.0, parameters)
    background = parameters[:, -2:-1] + parameters[:, -1:] * model.positions
    neighbours = model.values(alone, model.all) - background
    residual = model.profiles - values
    correlation = _autocovariance(model, residual, parameters.shape[1])
    covariance = _covariance(model, jacobian, correlation, None if prior is None else (prior, noise))
    return [
        CylinderFit(
            tuple(Cylinder(*map(float, one)) for one in parameters[i, :-2].reshape(-1, 3)),
            background[i, there],
            neighbours[i, there],
            values[i, there],
            residual[i, there],
            covariance[i],
            correlation[i, : len(problem.positions)],
        )
        for i, (problem, there) in enumerate(zip(problems, model.there, strict=True))
    ]


class _Model:
    """Profiles (k, n) of k problems on one row of positions (n,), and where each problem has samples, (k, n) bool."""

    def __init__(self, problems: list[Problem], blur: SystemBlur) -> None:
        step = float(np.diff(problems[0].positions[:2])[0])
        first = min(one.positions[0] for one in problems)
        last = max(one.positions[-1] for one in problems)
        self.step, self.all = step, np.arange(len(problems))
        self.positions = first + step * np.arange(round((last - first) / step) + 1)
        self.there = np.zeros((len(problems), self.positions.size), bool)
        self.profiles = np.zeros(self.there.shape)
        for i, one in enumerate(problems):
            begin = round((one.positions[0] - first) / step)
            self.there[i, begin : begin + one.positions.size] = True
            self.profiles[i, begin : begin + one.positions.size] = one.profile
        self._widest = np.array([float(np.ptp(one.positions)) ** 2 / 4 for one in problems])[:, None]
        reach, every = round(_REACH_PX / FINE_STEP), round(step / FINE_STEP)
        count = (self.positions.size - 1) * every + 2 * reach + 1
        self._edges = first + FINE_STEP * (np.arange(count + 1) - reach - 0.5)
        self._taken = reach + every * np.arange(self.positions.size)
        self._length = fft.next_fast_len(count, real=True)
        self._transfer = np.array([_transfer(blur, one.direction, reach, self._length) for one in problems])

    def values(self, parameters: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """(k, n) for parameters (k, 3 vessels + 2) of the problems `rows`."""
        return self._made(parameters, rows, False)[0]

    def derived(self, parameters: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same, and derivatives (k, n, 3 vessels + 2) by the parameters; both 0 where there are no samples."""
        return self._made(parameters, rows, True)

    def residuals(self, parameters: np.ndarray) -> np.ndarray:
        return (self.profiles - self.values(parameters, self.all)) * self.there

    def mean_square(self, residual: np.ndarray) -> np.ndarray:
        return np.sum(residual**2, axis=1) / self.there.sum(axis=1)

    def _made(self, parameters: np.ndarray, rows: np.ndarray, derive: bool) -> tuple[np.ndarray, np.ndarray]:
        integral, slopes = np.zeros((len(rows), self._edges.size - 1)), []
        for centre, square, area in parameters[:, :-2].T.reshape(-1, 3, len(rows), 1):
            clipped = np.clip(square, _LEAST_SQUARE, self._widest[rows])
            radius = np.sqrt(clipped)
            x = np.clip(self._edges - centre, -radius, radius)
            half, angle = np.sqrt(np.maximum(clipped - x**2, 0.0)), np.arcsin(x / radius)
            scale = 1 / (np.pi * clipped * FINE_STEP)
            # The part of the disc on one side of each edge, so that each point is the mean over its cell.
            share = scale * np.diff(x * half + clipped * angle, axis=1)
            integral += area * share
            if derive:
                by_square = area * (scale * np.diff(angle, axis=1) - share / clipped)
                slopes += [-2 * area * scale * np.diff(half, axis=1), by_square * (square == clipped), share]
        # What no vessel is, a step may try.
        left = np.exp(np.minimum(-integral, 30.0))
        seen = 1 - np.minimum(self._blurred(1 - left[:, None], rows), 1 - 1e-9)
        there = self.there[rows]
        values = (parameters[:, -2:-1] + parameters[:, -1:] * self.positions - np.log(seen[:, 0])) * there
        if not derive:
            return values, values
        by_vessel = self._blurred(left[:, None] * np.stack(slopes, axis=1), rows) / seen
        line = np.stack((np.ones_like(self.positions), self.positions))
        line = np.broadcast_to(line, (len(rows), *line.shape))
        return values, (np.concatenate((by_vessel, line), axis=1) * there[:, None]).swapaxes(1, 2)

    def _blurred(self, fine: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """(k, m, cells) to (k, m, n)."""
        spectrum = fft.rfft(fine, self._length, axis=2) * self._transfer[rows, None]
        return fft.irfft(spectrum, self._length, axis=2)[..., self._taken]


def _transfer(blur: SystemBlur, direction: tuple[float, float], reach: int, length: int) -> np.ndarray:
    """Spectrum of the spread of a line as far as it is followed, its middle at the first of so many cells."""
    spread = blur.line_spread(direction, FINE_STEP)
    middle = spread.size // 2
    spread = spread[middle - reach : middle + reach + 1] / spread.sum()
    return fft.rfft(np.roll(np.pad(spread, (0, length - spread.size)), -reach))


def _solved(model: _Model, start: np.ndarray, prior: np.ndarray | None) -> np.ndarray:
    """Parameters (k, p) of least squares of model less profile, and of one more row linear in the first three."""
    count, size = start.shape
    extra = np.zeros((count, size)) if prior is None else np.pad(prior, ((0, 0), (0, size - 3)))
    parameters, cost, damping = start.copy(), np.full(count, np.inf), np.full(count, 1e-2)
    matrix, vector = np.zeros((count, size, size)), np.zeros((count, size))
    active, tried = model.all, start
    for _ in range(_EVALUATIONS):
        values, jacobian = model.derived(tried, active)
        residual, row = values - model.profiles[active], extra[active]
        off = np.sum(tried * row, axis=1)
        now, before = np.sum(residual**2, axis=1) + off**2, cost[active]
        better = now <= before
        settled = np.isfinite(before) & (np.abs(before - now) <= _TOLERANCE * before)
        taken = active[better]
        parameters[taken], cost[taken] = tried[better], now[better]
        matrix[taken] = (jacobian.swapaxes(1, 2) @ jacobian + row[:, :, None] * row[:, None])[better]
        vector[taken] = ((residual[:, None] @ jacobian)[:, 0] + off[:, None] * row)[better]
        damping[active] *= np.where(better, 0.1, 10.0)
        active = active[~settled & (damping[active] < _MOST_DAMPING)]
        if active.size == 0:
            break
        scaled, scale = _scaled(matrix[active])
        scaled += damping[active, None, None] * np.eye(size)
        move = np.linalg.solve(scaled, (vector[active] / scale)[..., None])[..., 0] / scale
        tried = parameters[active] - move
    return parameters


def _scaled(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Matrices (k, p, p) with a diagonal of 1, and the roots (k, p) of what it was."""
    diagonal = np.einsum("kii->ki", matrix)
    scale = np.sqrt(np.maximum(diagonal, 1e-12 * diagonal.max(axis=1, keepdims=True) + 1e-300))
    return matrix / (scale[:, :, None] * scale[:, None]), scale


def _prior_rows(density: KnownDensity, area: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """What, times the parameters of a vessel, is the noise for an area that is one standard deviation off: (k, 3)."""
    full = np.pi * density.value
    deviation = np.maximum(np.abs(area), 1e-9) / full * density.deviation / density.value
    return (noise / deviation)[:, None] * np.array([0.0, -1.0, 1 / full])


def _autocovariance(model: _Model, residual: np.ndarray, parameters: int) -> np.ndarray:
    """(k, n) of the noise at all lags: exponential, by the variance and what is left of it a pixel farther on."""
    pixel, sizes = round(1 / model.step), model.there.sum(axis=1)
    residual = residual * model.there
    variance = model.mean_square(residual)
    next_pixel = np.sum(residual[:, pixel:] * residual[:, :-pixel], axis=1) / (sizes - pixel)
    independent = sizes * model.step / _INDEPENDENT_PX
    # A fit takes part of the noise with it, most of all what changes slowly.
    left = np.maximum(1 - parameters / independent, 0.25)
    correlation = np.clip(next_pixel / np.maximum(variance, 1e-300) + (1 - left), 0.0, 0.95)
    return (variance / left)[:, None] * correlation[:, None] ** (model.step * np.arange(residual.shape[1]))


def _covariance(model: _Model, jacobian: np.ndarray, correlation: np.ndarray, prior) -> np.ndarray:
    """(k, 3, 3) of the first vessels' parameters, fitted with equal weights to samples of correlated noise.

    prior: rows (k, 3) and the noise (k,) that they were weighed with, or None.
    """
    lags = np.abs(np.subtract.outer(*2 * [np.arange(correlation.shape[1])]))
    meat = jacobian.swapaxes(1, 2) @ correlation[:, lags] @ jacobian
    matrix = jacobian.swapaxes(1, 2) @ jacobian
    if prior is not None:
        rows, noise = prior
        squared = np.pad(rows[:, :, None] * rows[:, None], ((0, 0), *((0, matrix.shape[1] - 3),) * 2))
        matrix, meat = matrix + squared, meat + noise[:, None, None] ** 2 * squared
    matrix, scale = _scaled(matrix)
    spread = np.linalg.pinv(matrix, rcond=1e-12, hermitian=True) / (scale[:, :, None] * scale[:, None])
    return (spread @ meat @ spread)[:, :3, :3]
