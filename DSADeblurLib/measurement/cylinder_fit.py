"""Round vessels fitted to a profile: projected cylinders on a sloping background, blurred as the run is.

The model of a profile of optical density at distance x is

    p(x) = -ln (k * exp(-sum_i L_i))(x) + b + c x,    L_i(x) = 2 a_i / (pi q_i) sqrt(q_i - (x - x_i)^2)

with k the spread of a line: the spot blurs intensity. Vessels have a centre x_i, a squared radius q_i, and the area a_i
under their density, which is density per pixel of depth times pi q_i. Of a vessel narrower than the blur the profile
tells the area well and the radius hardly: the second moment of a profile grows with q_i alone, so that q_i, unlike the
radius, has an error that is normal down to nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy import linalg, optimize

from DSADeblurLib.measurement.line_spread import SystemBlur

FINE_STEP = 0.25
"""Distance in pixels of the points at which the model is made; profiles have samples a multiple of it apart."""
_LEAST_SQUARE = 1e-4
_REACH_PX = 20.0
# Samples nearer than the detector's blur, or the network's, tell nothing new.
_INDEPENDENT_PX = 1.5


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


def fit_cylinders(
    positions: np.ndarray,
    profile: np.ndarray,
    start: Sequence[Cylinder],
    blur: SystemBlur,
    direction: tuple[float, float],
    density: KnownDensity | None = None,
) -> CylinderFit:
    """Fit as many vessels as there are starts, and the background.

    Args:
        positions: (n,) in pixels, evenly spaced by a multiple of `FINE_STEP`.
        profile: (n,) optical density, higher in vessels.
        start: what to begin with, the vessel to be measured first.
        blur: of the run.
        direction: (row, column) of the profile, of unit length.
        density: of the first vessel, where it is known from elsewhere.
    """
    model = _Model(positions, blur, direction)
    span, height = float(np.ptp(positions)), float(np.ptp(profile)) + 1e-12
    rest = profile - model(np.array([*np.ravel(start), 0.0, 0.0])[None])[0]
    slope, level = np.polyfit(positions, rest, 1)
    parameters = np.array([*np.ravel(start), level, slope])
    count = len(start)
    scale = np.array([1.0, 1.0, height] * count + [height, height / span])
    solve = partial(_solve, model, profile, scale)
    solution = solve(parameters, None)
    noise = float(np.std(solution.fun)) + 1e-9 * height
    if density is not None:
        solution = solve(solution.x, _prior_row(density, solution.x[2], noise))
    residual = -solution.fun[: len(profile)]
    correlation = _autocovariance(residual, float(positions[1] - positions[0]), parameters.size)
    alone = np.where(np.arange(3 * count + 2) // 3 == 0, 0.0, solution.x)
    background = solution.x[-2] + solution.x[-1] * positions
    return CylinderFit(
        tuple(Cylinder(*map(float, one)) for one in solution.x[:-2].reshape(-1, 3)),
        background,
        model(alone[None])[0] - background,
        profile - residual,
        residual,
        _covariance(solution.jac, correlation, len(profile), noise)[:3, :3],
        correlation,
    )


class _Model:
    """Profiles (k, n) for k sets of parameters (k, 3 vessels + 2)."""

    def __init__(self, positions: np.ndarray, blur: SystemBlur, direction: tuple[float, float]) -> None:
        spread = blur.line_spread(direction, FINE_STEP)
        reach = round(_REACH_PX / FINE_STEP)
        spread = spread[spread.size // 2 - reach : spread.size // 2 + reach + 1]
        every = round(float(positions[1] - positions[0]) / FINE_STEP)
        count = (positions.size - 1) * every + 2 * reach + 1
        lags = np.arange(count)[None] - every * np.arange(positions.size)[:, None]
        inside = (lags >= 0) & (lags <= 2 * reach)
        self._spread = np.where(inside, spread[np.clip(lags, 0, 2 * reach)], 0.0).T / spread.sum()
        self._edges = positions[0] + FINE_STEP * (np.arange(count + 1) - reach - 0.5)
        self._positions = positions
        self._widest = float(np.ptp(positions)) ** 2 / 4

    def __call__(self, parameters: np.ndarray) -> np.ndarray:
        integral = np.zeros((len(parameters), self._edges.size - 1))
        for centre, square, area in parameters[:, :-2].T.reshape(-1, 3, len(parameters)):
            square = np.clip(square, _LEAST_SQUARE, self._widest)
            radius = np.sqrt(square)[:, None]
            x = np.clip(self._edges - centre[:, None], -radius, radius)
            # The part of the disc on one side of each edge, so that each point is the mean over its cell.
            part = x * np.sqrt(np.maximum(radius**2 - x**2, 0.0)) + radius**2 * np.arcsin(x / radius)
            integral += (area / (np.pi * square))[:, None] * np.diff(part, axis=1) / FINE_STEP
        absorbed = -np.expm1(-integral) @ self._spread
        background = parameters[:, -2:-1] + parameters[:, -1:] * self._positions
        return background - np.log1p(-np.minimum(absorbed, 1 - 1e-9))


def _solve(model: _Model, profile: np.ndarray, scale: np.ndarray, start: np.ndarray, prior: np.ndarray | None):
    """Least squares of model less profile, and of one more row that is linear in the parameters."""
    steps = np.diag(1e-5 * scale)

    def rows(parameters: np.ndarray) -> np.ndarray:
        found = model(parameters) - profile
        return found if prior is None else np.column_stack((found, parameters[:, :3] @ prior))

    return optimize.least_squares(
        lambda p: rows(p[None])[0],
        start,
        jac=lambda p: ((rows(p + steps) - rows(p[None])) / np.diag(steps)[:, None]).T,
        x_scale=scale,
        method="lm",
        max_nfev=60,
        ftol=1e-6,
        xtol=1e-6,
    )


def _prior_row(density: KnownDensity, area: float, noise: float) -> np.ndarray:
    """What, times the parameters of a vessel, is the noise for an area that is one standard deviation off."""
    full = np.pi * density.value
    deviation = max(abs(area), 1e-9) / full * density.deviation / density.value
    return noise / deviation * np.array([0.0, -1.0, 1 / full])


def _autocovariance(residual: np.ndarray, step: float, parameters: int) -> np.ndarray:
    """(n,) of the noise at all lags: exponential, by the variance and what is left of it a pixel farther on."""
    pixel = round(1 / step)
    variance = float(np.mean(residual**2))
    next_pixel = float(np.mean(residual[pixel:] * residual[:-pixel]))
    independent = residual.size * step / _INDEPENDENT_PX
    # A fit takes part of the noise with it, most of all what changes slowly.
    left = max(1 - parameters / independent, 0.25)
    correlation = np.clip(next_pixel / max(variance, 1e-300) + (1 - left), 0.0, 0.95)
    return variance / left * correlation ** (step * np.arange(residual.size))


def _covariance(jacobian: np.ndarray, correlation: np.ndarray, count: int, noise: float) -> np.ndarray:
    """Of parameters fitted with equal weights to `count` samples of correlated noise."""
    spread = linalg.pinvh(jacobian.T @ jacobian)
    data, prior = jacobian[:count], jacobian[count:]
    meat = data.T @ linalg.matmul_toeplitz(correlation, data) + noise**2 * prior.T @ prior
    return spread @ meat @ spread
