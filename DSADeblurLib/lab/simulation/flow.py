"""Contrast agent on its way through the vessels, and the vessels' own movement, over the moments of a run."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit

from DSADeblurLib.lab.simulation.tubes import Tube, View


@dataclass(frozen=True)
class Injection:
    """A bolus that starts at time 0 and lasts `duration_s` at the inlet.

    Its front rises within `rise_s` there and ever more slowly downstream (`dispersion` in seconds per second of
    travel), because blood in the middle of a vessel runs ahead of that at the wall. Its concentration pulses with the
    heart by the share `pulse` at `heart_hz`.
    """

    duration_s: float
    rise_s: float = 0.15
    dispersion: float = 0.12
    pulse: float = 0.0
    heart_hz: float = 1.1

    def concentration(self, time_s: np.ndarray | float, arrival_s: np.ndarray) -> np.ndarray:
        """Iodine from 0 to 1 at `time_s` where blood from the inlet arrives after `arrival_s` (broadcast)."""
        behind = time_s - arrival_s
        rise = (self.rise_s + self.dispersion * np.maximum(arrival_s, 0)) / 4
        filled = expit(behind / rise) - expit((behind - self.duration_s) / (2 * rise))
        beat = 1 + self.pulse * np.sin(2 * np.pi * self.heart_hz * behind)
        amount = np.maximum(filled, 0) * beat
        return np.where(amount > 2e-3, amount, 0.0)

    def weights(self, vessels: list[Tube], times_s: np.ndarray) -> list[np.ndarray]:
        """For each tube its content times the iodine that has reached each point at times (t,): (t, n)."""
        times = np.atleast_1d(times_s)[:, None]
        return [tube.content * self.concentration(times, tube.arrival_s) for tube in vessels]


def random_injection(rng: np.random.Generator) -> Injection:
    """A hand or pump injection of 1 to 4 s."""
    return Injection(
        duration_s=rng.uniform(1.0, 4.0),
        rise_s=rng.uniform(0.08, 0.4),
        dispersion=rng.uniform(0.05, 0.3),
        pulse=float(rng.choice([0.0, rng.uniform(0.05, 0.3)])),
        heart_hz=rng.uniform(0.8, 1.6),
    )


def with_streams(rng: np.random.Generator, vessels: list[Tube], wider_than_mm: float = 0.7) -> list[Tube]:
    """Wide vessels with unevenly mixed contrast: the core runs ahead, and streams lie along one wall or the other.

    A stream is a thinner tube inside the vessel, with more or less contrast agent, earlier or later.
    """
    mixed = []
    for tube in vessels:
        if tube.radii_mm[0] < wider_than_mm or len(tube.radii_mm) < 8 or np.all(np.diff(tube.arrival_s) == 0):
            mixed.append(tube)
            continue
        count = len(tube.radii_mm)
        uneven = np.sin(2 * np.pi * np.linspace(0, rng.uniform(0.5, 4), count) + rng.uniform(0, 6))
        core = rng.uniform(0.1, 0.35)
        body = tube.content * (1 + rng.uniform(0, 0.12) * uneven)
        mixed.append(replace(tube, content=body * (1 - core)))
        ahead = np.maximum(tube.arrival_s - rng.uniform(0.02, 0.3), 0)
        mixed.append(Tube(tube.points_mm, 0.65 * tube.radii_mm, 1.4 * core * body, ahead))
        for _ in range(int(rng.integers(0, 3))):
            share = rng.uniform(0.2, 0.45)
            centre = tube.points_mm + (rng.uniform(0.3, 0.95) - share) * tube.radii_mm[:, None] * _around(rng, tube)
            amount = rng.choice([-1, 1]) * rng.uniform(0.1, 0.35)
            late = tube.arrival_s + rng.uniform(0, 0.5)
            mixed.append(Tube(centre, share * tube.radii_mm, amount * tube.content, late))
    return mixed


def _around(rng: np.random.Generator, tube: Tube) -> np.ndarray:
    """Unit vectors (n, 3) across the tube that turn slowly about it, as flow does behind a bend."""
    along = np.gradient(tube.points_mm, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    first = np.cross(along, [0.31, 0.21, 0.93])
    first /= np.maximum(np.linalg.norm(first, axis=1, keepdims=True), 1e-9)
    angle = rng.uniform(0, 6.28) + np.linspace(0, rng.uniform(-4, 4), len(along))[:, None]
    return np.cos(angle) * first + np.sin(angle) * np.cross(along, first)


@dataclass(frozen=True)
class Motion:
    """A displacement smooth in space that swings with the heart: a sum of plane waves.

    `waves` (m, 3) in rad per mm, `phases` (m,), `directions` (m, 3) in mm; `swing` (t,) how far at each moment, 0 at
    the middle one.
    """

    waves: np.ndarray
    phases: np.ndarray
    directions: np.ndarray
    swing: np.ndarray

    def moved(self, tubes: list[Tube], moment: int) -> list[Tube]:
        """The tubes where they are at a moment."""
        swing = self.swing[moment]
        if swing == 0:
            return tubes
        return [replace(t, points_mm=t.points_mm + swing * self.displacement(t.points_mm)) for t in tubes]

    def displacement(self, points_mm: np.ndarray) -> np.ndarray:
        """Displacement (n, 3) in mm at points (n, 3) at full swing."""
        return np.cos(points_mm @ self.waves.T + self.phases) @ self.directions


def random_motion(rng: np.random.Generator, view: View, times_s: np.ndarray, most_px: float) -> Motion:
    """Pulsation of up to `most_px` detector pixels between moments (t,), the middle one at rest."""
    count = 4
    pixel = view.spacing_mm / view.magnification(0.0)
    waves = rng.normal(size=(count, 3)) * 2 * np.pi / rng.uniform(80, 300, (count, 1))
    directions = rng.normal(size=(count, 3))
    directions *= most_px * pixel / np.linalg.norm(directions, axis=1).sum()
    rate, start = 2 * np.pi * rng.uniform(0.8, 1.6), rng.uniform(0, 2 * np.pi)
    since = times_s - times_s[len(times_s) // 2]
    return Motion(waves, rng.uniform(0, 6.28, count), directions, np.sin(rate * since + start) - np.sin(start))
