"""What is put into or beside patients: catheters, guide wires, coils, clips, stents, flow diverters, electrodes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from DSADeblurLib.lab.simulation.tubes import Tube, View, smooth_line

# Stainless steel and platinum let next to nothing through; what matters is that a 0.3 mm wire is seen.
METAL_PER_MM = 1.2
CATHETER_PER_MM = 0.12


@dataclass(frozen=True)
class Devices:
    """`still` stays where it is, `loose` may move between moments: tubes with attenuation per mm as content.

    `filled` are catheters' lumens, with contrast agent of content 1 while it is injected.
    """

    still: list[Tube]
    loose: list[Tube]
    filled: list[Tube]


def random_devices(rng: np.random.Generator, view: View, vessels: list[Tube]) -> Devices:
    """Some devices; stents lie in vessels."""
    still, loose, filled = [], [], []
    if rng.random() < 0.5:
        line = _into(rng, vessels[0]) if vessels and rng.random() < 0.7 else random_line(rng, view)
        radius = rng.uniform(0.25, 1.1)
        loose.append(Tube.uniform(line, radius, CATHETER_PER_MM))
        loose.append(Tube.uniform(line, 0.7 * radius, -CATHETER_PER_MM))
        loose.append(Tube.uniform(line[-3:], 1.05 * radius, 0.5 * METAL_PER_MM))
        if rng.random() < 0.4:
            filled.append(Tube.uniform(line, 0.7 * radius))
        if rng.random() < 0.4:
            loose.append(Tube.uniform(line, 0.3 * radius, METAL_PER_MM))
    for _ in range(int(rng.choice([0, 0, 1, 2]))):
        loose.append(Tube.uniform(random_line(rng, view), rng.uniform(0.1, 0.25), METAL_PER_MM))
    if rng.random() < 0.3:
        still.append(_coil(rng, view))
    if vessels and rng.random() < 0.3:
        still.extend(_stent(rng, view, vessels))
    for _ in range(int(rng.integers(0, 4))):
        still.extend(_clip(rng, view))
    if rng.random() < 0.15:
        still.extend(_electrode(rng, view))
    return Devices(still, loose, filled)


def random_line(rng: np.random.Generator, view: View) -> np.ndarray:
    """A smooth line (n, 3) in mm that enters from one edge and ends inside or leaves again: a catheter's course."""
    half = np.array([*view.field_mm[::-1], 60.0]) / 2
    start, side = rng.uniform(-0.7, 0.7, 3) * half, int(rng.integers(2))
    start[side] = rng.choice([-1.2, 1.2]) * half[side]
    stop = rng.uniform(-0.8, 0.8, 3) * half - (rng.random() < 0.3) * start
    knots = np.linspace(start, stop, int(rng.integers(4, 7)))
    knots[1:] += rng.normal(0, 0.08 * np.linalg.norm(stop - start), (len(knots) - 1, 3))
    return smooth_line(knots)


def _into(rng: np.random.Generator, vessel: Tube) -> np.ndarray:
    """A course that comes from far outside into a vessel and lies against its wall."""
    count = len(vessel.radii_mm)
    points = vessel.points_mm[: int(rng.uniform(0.2, 1.0) * (count - 12)) + 12 : 8]
    inwards = points[1] - points[0]
    before = points[0] - np.linspace(60, 5, 6)[:, None] * inwards / np.linalg.norm(inwards)
    aside = rng.normal(0, 0.3, 3) * vessel.radii_mm[0]
    return smooth_line(np.concatenate((before, points + aside)))


def _anywhere(rng: np.random.Generator, view: View) -> np.ndarray:
    return rng.uniform(-0.45, 0.45, 3) * np.array([*view.field_mm[::-1], 60.0])


def _coil(rng: np.random.Generator, view: View) -> Tube:
    """Platinum wire wound into a ball of 3 to 9 mm."""
    knots = rng.normal(size=(int(rng.integers(12, 60)), 3))
    knots *= rng.uniform(1.5, 4.5) / np.linalg.norm(knots, axis=1, keepdims=True)
    return Tube.uniform(smooth_line(_anywhere(rng, view) + knots, 0.2), rng.uniform(0.1, 0.2), 0.5 * METAL_PER_MM)


def _clip(rng: np.random.Generator, view: View) -> list[Tube]:
    """An aneurysm clip's two blades and spring, or a bar-like marker."""
    start, length = _anywhere(rng, view), rng.uniform(1, 9)
    along = _direction(rng)
    blade = start + np.outer(np.linspace(0, length, 12), along)
    radius = rng.uniform(0.15, 0.6)
    parts = [Tube.uniform(blade, radius, METAL_PER_MM)]
    if length > 4:
        across = np.cross(along, _direction(rng))
        angle = np.linspace(0, rng.uniform(6, 12), 60)[:, None]
        spring = 1.5 * (np.cos(angle) * along + np.sin(angle) * across) - 1.5 * along
        parts += [
            Tube.uniform(start + spring, 0.8 * radius, METAL_PER_MM),
            Tube.uniform(blade + 2.2 * radius * across, radius, METAL_PER_MM),
        ]
    return parts


def _electrode(rng: np.random.Generator, view: View) -> list[Tube]:
    """A disc on the skin and its cable."""
    cable = random_line(rng, view)
    points = cable[-1] + np.array([0, 0, 1.0]) * np.linspace(-0.5, 0.5, 3)[:, None]
    return [Tube.uniform(points, rng.uniform(3, 7), 0.15), Tube.uniform(cable, rng.uniform(0.3, 0.7), 0.2)]


def _stent(rng: np.random.Generator, view: View, vessels: list[Tube]) -> list[Tube]:
    """A braid of thin wires inside a vessel: a stent of few wires or a flow diverter of many, with end markers."""
    half = np.array(view.field_mm[::-1]) / 2
    inside = [
        v for v in vessels if len(v.radii_mm) > 20 and np.all(np.abs(v.points_mm[len(v.radii_mm) // 2, :2]) < half)
    ]
    if not inside:
        return []
    vessel = sorted(inside, key=lambda tube: -tube.radii_mm[0])[int(rng.integers(min(6, len(inside))))]
    count = len(vessel.radii_mm)
    length = int(rng.integers(15, min(count, 80)))
    start = int(rng.integers(0, count - length + 1))
    axis = smooth_line(vessel.points_mm[start : start + length : 5], 0.12)
    radius = max(float(vessel.radii_mm[start]), 0.8)
    along = np.gradient(axis, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    first = np.cross(along, [0.31, 0.21, 0.93])
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = np.cross(along, first)
    diverter = rng.random() < 0.4
    wires = int(rng.choice([24, 32, 48])) if diverter else int(rng.integers(5, 13))
    thick = rng.uniform(0.013, 0.02) if diverter else rng.uniform(0.025, 0.06)
    pitch = radius * (rng.uniform(3, 6) if diverter else rng.uniform(5, 12))
    way = np.append(0, np.cumsum(np.linalg.norm(np.diff(axis, axis=0), axis=1)))
    parts = []
    for wire in range(wires):
        # Every second wire winds the other way.
        angle = (1 - 2 * (wire % 2)) * 2 * np.pi * way / pitch + 2 * np.pi * wire / wires
        course = axis + radius * (np.cos(angle)[:, None] * first + np.sin(angle)[:, None] * second)
        strong = METAL_PER_MM * (1.0 if diverter and wire % 12 == 0 else 0.6)
        parts.append(Tube.uniform(course, thick, strong))
        if not diverter and wire % 3 == 0:
            parts += [Tube.uniform(end, 0.12, METAL_PER_MM) for end in (course[:8], course[-8:])]
    return parts


def shifted(tubes: list[Tube], shift_mm: np.ndarray) -> list[Tube]:
    """The tubes moved by (x, y, z) mm."""
    return [replace(tube, points_mm=tube.points_mm + shift_mm) for tube in tubes]


def _direction(rng: np.random.Generator) -> np.ndarray:
    vector = rng.normal(size=3) * [1, 1, 0.3]
    return vector / np.linalg.norm(vector)
