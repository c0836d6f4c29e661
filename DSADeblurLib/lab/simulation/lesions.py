"""What is wrong with vessels: stenoses, aneurysms and arteriovenous tangles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from DSADeblurLib.lab.simulation.tubes import Tube, smooth_line


def add_stenosis(rng: np.random.Generator, tube: Tube) -> Tube:
    """The same vessel with one smooth narrowing of 30 to 85 % in diameter."""
    s = _way(tube)
    width = rng.uniform(0.8, 3.0) * max(tube.radii_mm[0], 0.4)
    profile = np.exp(-(((s - rng.uniform(0.3, 0.7) * s[-1]) / width) ** 2))
    return replace(tube, radii_mm=tube.radii_mm * (1 - rng.uniform(0.3, 0.85) * profile))


def aneurysm(rng: np.random.Generator, tube: Tube) -> list[Tube]:
    """A saccular aneurysm at the end of a vessel, some with a daughter sac: balls, exact in projection."""
    end, radius = tube.points_mm[-1], tube.radii_mm[-1] * rng.uniform(1.2, 3.0)
    arrival = tube.arrival_s[-1] + rng.uniform(0, 0.5)
    away = _direction(rng, [1, 1, 0.4])
    centre = end + 0.9 * radius * away
    balls = [_ball(centre, radius, arrival)]
    if rng.random() < 0.4:
        small = radius * rng.uniform(0.3, 0.6)
        side = _direction(rng, [1, 1, 0.4])
        balls.append(_ball(centre + side * (radius + 0.4 * small), small, arrival + rng.uniform(0, 0.5)))
    return balls


def nidus(rng: np.random.Generator, tube: Tube) -> list[Tube]:
    """An arteriovenous malformation at the end of a vessel: a tangle of winding channels and one draining vein."""
    centre, extent = tube.points_mm[-1], rng.uniform(3.0, 12.0)
    arrival = tube.arrival_s[-1]
    tangle = []
    for _ in range(int(rng.integers(12, 40))):
        points = smooth_line(centre + rng.normal(0, extent * 0.45, (int(rng.integers(5, 9)), 3)))
        count = len(points)
        radius = np.exp(rng.uniform(np.log(0.12), np.log(0.7)))
        content = np.full(count, rng.uniform(0.5, 1.0))
        tangle.append(Tube(points, np.full(count, radius), content, arrival + np.linspace(0, 0.3, count)))
    way = np.outer(np.linspace(0, 60, 8), _direction(rng, [1, 1, 0.3]))
    points = smooth_line(centre + way + rng.normal(0, 3.0, (8, 3)))
    count = len(points)
    radii = np.full(count, rng.uniform(0.9, 2.0))
    vein = Tube(points, radii, np.full(count, 0.8), arrival + 0.3 + np.linspace(0, 0.6, count))
    return [*tangle, vein]


def _ball(centre: np.ndarray, radius: float, arrival: float) -> Tube:
    """A ball as a tube along the beam whose radius is that of the ball's sections."""
    z = radius * np.sin(np.linspace(-np.pi / 2, np.pi / 2, 33))
    points = centre + np.stack((np.zeros_like(z), np.zeros_like(z), z), axis=1)
    radii = np.sqrt(np.maximum(radius**2 - z**2, 1e-6))
    return Tube(points, radii, np.ones_like(z), np.full_like(z, arrival))


def _way(tube: Tube) -> np.ndarray:
    """Length in mm along the tube up to each of its points (n,)."""
    return np.append(0.0, np.cumsum(np.linalg.norm(np.diff(tube.points_mm, axis=0), axis=1)))


def _direction(rng: np.random.Generator, scale: list[float]) -> np.ndarray:
    vector = rng.normal(size=3) * scale
    return vector / np.linalg.norm(vector)
