"""Arterial trees that branch by Murray's law, with stenoses, aneurysms and arteriovenous tangles."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.interpolate import CubicSpline

from .tubes import Tube, View

STEP_MM = 0.6
# Murray, PNAS 1926: the cube of a parent's radius is the sum of its children's cubes.
MURRAY_EXPONENT = 3.0


@dataclass(frozen=True)
class TreeStyle:
    """How a tree grows: smallest radius in mm, tortuosity in rad per mm, branch length, most branches.

    `branch_length` is in mm for a radius of 1 mm and goes with the square root of the radius: cortical branches are
    thin and long.
    """

    smallest_radius_mm: float = 0.1
    tortuosity: float = 0.08
    branch_length: tuple[float, float] = (8.0, 30.0)
    most_branches: int = 160
    depth_mm: float = 60.0


def random_style(rng: np.random.Generator) -> TreeStyle:
    """A style drawn over the range seen between carotid and distal cortical injections."""
    shortest = rng.uniform(5, 12)
    return TreeStyle(
        smallest_radius_mm=rng.uniform(0.06, 0.16),
        tortuosity=float(np.exp(rng.uniform(np.log(0.03), np.log(0.22)))),
        branch_length=(shortest, shortest * rng.uniform(2, 4)),
        most_branches=int(rng.integers(80, 320)),
    )


def grow_tree(rng: np.random.Generator, view: View, style: TreeStyle, radius_mm: float) -> list[Tube]:
    """A tree that enters from the edge of the field and fills it; one tube a branch, parents before children."""
    half = np.array(view.field_mm[::-1]) / 2
    side = rng.integers(4)
    edge = rng.uniform(-0.7, 0.7) * half[1 - side % 2]
    sign = 1.0 if side < 2 else -1.0
    start = np.zeros(3)
    start[side % 2], start[1 - side % 2], start[2] = sign * (half[side % 2] + 4), edge, rng.uniform(-20, 20)
    direction = _unit(np.append(rng.uniform(-0.4, 0.4, 2) * half, 0.0) - start)
    waiting = [(start, direction, direction, radius_mm, 0.0)]
    tree: list[Tube] = []
    while waiting and len(tree) < style.most_branches:
        point, direction, towards, radius, distance = waiting.pop(0)
        trunk = not tree
        tube, direction = _grow_branch(rng, point, direction, towards, radius, distance, half, style, trunk)
        tree.append(tube)
        end, radius = tube.points_mm[-1], tube.radii_mm[-1]
        if np.any(np.abs(end[:2]) > half * 1.15):
            continue
        asymmetry = rng.uniform(0.25, 1.0)
        first = radius / (1 + asymmetry**MURRAY_EXPONENT) ** (1 / MURRAY_EXPONENT)
        # The smaller child leaves at the larger angle, as flow and drag demand.
        for child, degrees in ((first, rng.uniform(5, 30)), (first * asymmetry, rng.uniform(25, 75))):
            if child >= style.smallest_radius_mm:
                towards = _tilt(rng, direction, np.deg2rad(degrees))
                waiting.append((end, direction, towards, child, tube.distance_mm[-1]))
    return tree


def _grow_branch(rng, point, direction, towards, radius, distance, half, style, trunk):
    """One tube that leaves its parent in `direction` and turns `towards` its own within about its radius."""
    length = np.clip(np.sqrt(radius) * rng.uniform(*style.branch_length), 4.0, 70.0)
    if trunk:
        length = max(length, rng.uniform(0.4, 0.9) * half.min())
    count = max(int(length / STEP_MM), 8)
    # Curvature wanders smoothly around zero; small vessels wind more than trunks.
    wind = min(style.tortuosity * (1.0 if radius > 1.0 else 2.0), 0.35 / radius)
    turn = np.zeros(2)
    points = np.empty((count + 1, 3))
    points[0] = point
    bend = 1 + int(1.2 * radius / STEP_MM)
    turning = (towards - direction) / bend
    memory = rng.uniform(0.90, 0.98)
    steepest = 0.6 if radius > 0.8 else 0.9
    for index in range(count):
        if index < bend:
            direction = _unit(direction + turning)
        turn = memory * turn + np.sqrt(1 - memory**2) * rng.normal(0, wind, 2)
        across = _unit(np.cross(direction, [0.31, 0.21, 0.93]))
        direction = _unit(direction + STEP_MM * (turn[0] * across + turn[1] * np.cross(direction, across)))
        # The head is finite: vessels turn back softly near its front and back, trunks are drawn to the middle.
        direction[2] -= 0.02 * points[index, 2] / style.depth_mm
        if trunk:
            direction[:2] -= 0.01 * points[index, :2] / half
        # Wide vessels keep across the beam: seen end-on, a bent tube has no path length a projection can draw.
        direction[2] = np.clip(direction[2], -steepest, steepest)
        direction = _unit(direction)
        points[index + 1] = points[index] + STEP_MM * direction
    s = np.linspace(0, 1, count + 1)
    taper = 1 - rng.uniform(0.02, 0.18) * s
    radii = radius * taper * (1 + 0.04 * np.sin(2 * np.pi * (s * rng.uniform(0, 3) + rng.uniform())))
    tube = Tube(points, radii, np.ones(count + 1), distance + STEP_MM * np.arange(count + 1))
    return tube, direction


def add_stenosis(rng: np.random.Generator, tube: Tube) -> Tube:
    """The same vessel with one smooth narrowing of 30 to 85 % in diameter."""
    s = STEP_MM * np.arange(len(tube.radii_mm))
    width = rng.uniform(0.8, 3.0) * max(tube.radii_mm[0], 0.4)
    profile = np.exp(-(((s - rng.uniform(0.3, 0.7) * s[-1]) / width) ** 2))
    return replace(tube, radii_mm=tube.radii_mm * (1 - rng.uniform(0.3, 0.85) * profile))


def aneurysm(rng: np.random.Generator, tube: Tube) -> Tube:
    """A saccular aneurysm at the end of a vessel: a short tube whose radius is that of a sphere on a neck."""
    neck = tube.radii_mm[-1]
    radius = neck * rng.uniform(1.2, 3.0)
    # The sac lies across the beam, where a tube of varying radius is the sphere it stands for.
    direction = _unit(_tilt(rng, _unit(tube.points_mm[-1] - tube.points_mm[-2]), rng.uniform(0.3, 1.2)) * [1, 1, 0.1])
    s = np.linspace(0, 2 * radius, 24)
    radii = np.sqrt(np.maximum(radius**2 - (s - radius) ** 2, (0.5 * neck) ** 2 * (s < radius)))
    points = tube.points_mm[-1] + s[:, None] * direction
    count = len(s)
    return Tube(points, np.maximum(radii, 0.02), np.ones(count), np.full(count, tube.distance_mm[-1] + radius))


def nidus(rng: np.random.Generator, tube: Tube) -> list[Tube]:
    """An arteriovenous malformation at the end of a vessel: a tangle of winding channels and one draining vein."""
    centre, extent = tube.points_mm[-1], rng.uniform(3.0, 12.0)
    arrival = tube.distance_mm[-1]
    tangle = []
    for _ in range(int(rng.integers(12, 40))):
        knots = centre + rng.normal(0, extent * 0.45, (int(rng.integers(5, 9)), 3))
        points = _smooth_line(knots)
        count = len(points)
        radius = np.exp(rng.uniform(np.log(0.12), np.log(0.7)))
        content = np.full(count, rng.uniform(0.5, 1.0))
        tangle.append(Tube(points, np.full(count, radius), content, arrival + np.linspace(0, 20, count)))
    away = _unit(rng.normal(size=3) * [1, 1, 0.3])
    knots = centre + np.outer(np.linspace(0, 60, 8), away) + rng.normal(0, 3.0, (8, 3))
    points = _smooth_line(knots)
    count = len(points)
    radii = np.full(count, rng.uniform(0.9, 2.0))
    vein = Tube(points, radii, np.full(count, 0.8), arrival + 20 + np.linspace(0, 60, count))
    return [*tangle, vein]


def _smooth_line(knots: np.ndarray, step_mm: float = STEP_MM) -> np.ndarray:
    """Points about `step_mm` apart on a cubic spline through knots (n, 3)."""
    position = np.append(0.0, np.cumsum(np.linalg.norm(np.diff(knots, axis=0), axis=1)))
    return CubicSpline(position, knots)(np.linspace(0, position[-1], max(int(position[-1] / step_mm), 8)))


def random_line(rng: np.random.Generator, view: View) -> np.ndarray:
    """A smooth line (n, 3) in mm that enters from one edge and ends inside or leaves again: a catheter's course."""
    half = np.array([*view.field_mm[::-1], 60.0]) / 2
    knots = rng.uniform(-0.8, 0.8, (int(rng.integers(4, 7)), 3)) * half
    knots = knots[np.argsort(knots[:, int(rng.integers(2))])]
    side = rng.integers(2)
    knots[0, side] = rng.choice([-1.2, 1.2]) * half[side]
    return _smooth_line(knots)


def random_vessels(rng: np.random.Generator, view: View) -> list[Tube]:
    """One injection's vessels: one to four trees, some with a stenosis, an aneurysm or a nidus."""
    vessels: list[Tube] = []
    for _ in range(int(rng.integers(1, 5))):
        tree = grow_tree(rng, view, random_style(rng), radius_mm=float(np.exp(rng.uniform(np.log(0.6), np.log(2.6)))))
        for _ in range(int(rng.integers(0, 4))):
            index = int(rng.integers(len(tree)))
            tree[index] = add_stenosis(rng, tree[index])
        if rng.random() < 0.35:
            tree.append(aneurysm(rng, tree[int(rng.integers(min(len(tree), 12)))]))
        if rng.random() < 0.2:
            tree.extend(nidus(rng, tree[int(rng.integers(len(tree)))]))
        vessels.extend(tree)
    return vessels


def decouple_contrast(vessels: list[Tube], power: float, reference_mm: float = 1.0) -> list[Tube]:
    """Raise the content of thin vessels by (reference / radius)^power, so that thin does not always mean faint.

    With power 0 the optical density is proportional to the diameter, as a vessel full of one contrast agent has it;
    with power 1 it does not depend on the diameter.
    """
    factors = [np.clip((reference_mm / tube.radii_mm) ** power, 0.2, 10.0) for tube in vessels]
    return [replace(tube, content=tube.content * factor) for tube, factor in zip(vessels, factors, strict=True)]


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / max(np.linalg.norm(vector), 1e-9)


def _tilt(rng: np.random.Generator, direction: np.ndarray, angle: float) -> np.ndarray:
    across = _unit(np.cross(direction, rng.normal(size=3)))
    return np.cos(angle) * direction + np.sin(angle) * across
