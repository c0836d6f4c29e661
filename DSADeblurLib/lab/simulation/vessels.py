"""Vessel trees that branch by Murray's law, wind and fill a head-like space; arteries of one injection."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from DSADeblurLib.lab.simulation import lesions
from DSADeblurLib.lab.simulation.tubes import Tube, View

STEP_MM = 0.4
# Murray, PNAS 1926: the cube of a parent's radius is the sum of its children's cubes.
MURRAY_EXPONENT = 3.0
# Mean blood speed in a vessel of 1 mm radius, and how it falls with the radius (carotid 30 cm/s, cortex a few cm/s).
SPEED_MM_PER_S = (90.0, 220.0)
SPEED_EXPONENT = 0.6
# The field is watched in so many cells each way, to see where vessels are missing.
CELLS = 12
# The axes as a cross product needs them.
TURNED, TURNED_BACK = [1, 2, 0], [2, 0, 1]


@dataclass(frozen=True)
class TreeStyle:
    """How a tree grows.

    `branch_length` is in mm for a radius of 1 mm and goes with the cube root of the radius: cortical branches are
    thin and long. `tortuosity` is the rms curvature in rad per mm, `curl` that of regular winding on top of it (scalp
    and face). `survival` is the share of branches that go on at each division, `evenness` the smallest ratio of a
    smaller child's radius to its sister's; thin side branches leave on the way. `speed_mm_s` is the
    blood's speed at a radius of 1 mm.
    """

    smallest_radius_mm: float = 0.1
    tortuosity: float = 0.08
    branch_length: tuple[float, float] = (8.0, 30.0)
    most_branches: int = 160
    depth_mm: float = 60.0
    curl: float = 0.0
    survival: float = 0.85
    evenness: float = 0.2
    side_branches_per_mm: float = 0.03
    speed_mm_s: float = 150.0


@dataclass(frozen=True)
class Buds:
    """Where branches start: points (n, 3) mm, direction there and direction to turn to (n, 3), radii, arrival (n,)."""

    points: np.ndarray
    directions: np.ndarray
    towards: np.ndarray
    radii: np.ndarray
    arrival: np.ndarray

    def __getitem__(self, index: np.ndarray) -> Buds:
        fields = (self.points, self.directions, self.towards, self.radii, self.arrival)
        return Buds(*(field[index] for field in fields))


def zoom_of(view: View) -> float:
    """How long and wide branches are: a magnified view shows shorter ways between them and thinner ones."""
    return float(np.clip(min(view.field_mm) / 150, 0.45, 1.3))


def random_style(rng: np.random.Generator, view: View) -> TreeStyle:
    """A style drawn over the range seen between carotid and distal cortical injections."""
    zoom = zoom_of(view)
    shortest = rng.uniform(10, 24) * zoom
    return TreeStyle(
        smallest_radius_mm=rng.uniform(0.08, 0.17) * zoom,
        tortuosity=float(np.exp(rng.uniform(np.log(0.06), np.log(0.2)))),
        branch_length=(shortest, shortest * rng.uniform(3, 5)),
        most_branches=int(np.exp(rng.uniform(np.log(350), np.log(1500)))),
        curl=float(rng.choice([0.0, 0.0, 0.0, 0.0, rng.uniform(0.1, 0.35)])),
        survival=rng.uniform(0.85, 0.98),
        evenness=rng.uniform(0.15, 0.4),
        side_branches_per_mm=rng.uniform(0.02, 0.08),
        speed_mm_s=rng.uniform(*SPEED_MM_PER_S),
    )


def roots(rng: np.random.Generator, view: View, radii_mm: np.ndarray) -> Buds:
    """Vessels (n,) about to enter the field from random places just outside its edges."""
    half = np.array(view.field_mm[::-1]) / 2
    count = len(radii_mm)
    side, row = rng.integers(4, size=count), np.arange(count)
    start = np.zeros((count, 3))
    start[row, side % 2] = (half[side % 2] + 6) * np.where(side < 2, 1.0, -1.0)
    start[row, 1 - side % 2] = rng.uniform(-0.7, 0.7, count) * half[1 - side % 2]
    start[:, 2] = rng.uniform(-20, 20, count)
    direction = _unit(np.column_stack((rng.uniform(-0.4, 0.4, (count, 2)) * half, np.zeros(count))) - start)
    return Buds(start, direction, direction, radii_mm, np.zeros(count))


def grow(rng: np.random.Generator, view: View, style: TreeStyle, buds: Buds) -> list[Tube]:
    """All branches that spring from buds, generation by generation; those from outside the field reach well into it."""
    half = np.array([*view.field_mm[::-1], 0.0]) / 2
    half[2] = style.depth_mm
    tree: list[Tube] = []
    crowded = np.zeros((CELLS, CELLS))
    while len(buds.radii) and len(tree) < style.most_branches:
        outside = np.any(np.abs(buds.points[:, :2]) > half[:2], axis=1)
        shortest = np.where(outside & (len(tree) == 0), rng.uniform(0.5, 1.3, len(outside)) * half[:2].min(), 0.0)
        aims = _emptier_places(rng, buds, half, crowded)
        branches, ends = _grow_branches(rng, buds, aims, half, style, shortest)
        np.add.at(crowded, _cells(np.concatenate([tube.points_mm for tube in branches]), half), 1)
        first = not tree
        tree.extend(branches)
        ends = ends[np.all(np.abs(ends.points[:, :2]) < half[:2] * 1.2, axis=1)]
        if not first:
            ends = ends[(rng.random(len(ends.radii)) < style.survival) | (ends.radii > 0.6)]
        buds = joined(_divide(rng, ends, style), _side_buds(rng, branches, style))
        # The widest generations are thinned out, so that a tree reaches its thinnest branches.
        most = max(4, style.most_branches // 4)
        if len(buds.radii) > most:
            buds = buds[np.sort(rng.permutation(len(buds.radii))[:most])]
    return tree[: style.most_branches]


def _divide(rng: np.random.Generator, ends: Buds, style: TreeStyle) -> Buds:
    """Two children at each end, where they are not too thin; sisters stay beside each other."""
    count = len(ends.radii)
    asymmetry = style.evenness + (1 - style.evenness) * rng.beta(1.2, 1.6, count)
    first = ends.radii / (1 + asymmetry**MURRAY_EXPONENT) ** (1 / MURRAY_EXPONENT)
    radii = np.stack((first, first * asymmetry), axis=1).ravel()
    # The smaller child leaves at the larger angle, as flow and drag demand.
    angles = np.deg2rad(np.stack((rng.uniform(3, 28, count), rng.uniform(25, 85, count)), axis=1).ravel())
    twice = ends[np.repeat(np.arange(count), 2)]
    across = _unit(np.cross(twice.directions, rng.normal(size=(2 * count, 3))))
    towards = np.cos(angles)[:, None] * twice.directions + np.sin(angles)[:, None] * across
    return Buds(twice.points, twice.directions, towards, radii, twice.arrival)[radii >= style.smallest_radius_mm]


def _emptier_places(rng: np.random.Generator, buds: Buds, half: np.ndarray, crowded: np.ndarray) -> np.ndarray:
    """For each bud a place (n, 3) where few vessels are yet, the nearer the better; so the space fills evenly."""
    count = len(buds.radii)
    places = half * rng.uniform(-0.95, 0.95, (8, count, 3))
    far = np.linalg.norm((places - buds.points)[..., :2], axis=-1) / np.linalg.norm(half[:2])
    taken = crowded[_cells(places.reshape(-1, 3), half)].reshape(8, count) / max(crowded.mean(), 1.0)
    return places[np.argmin(taken + far, axis=0), np.arange(count)]


def _cells(points: np.ndarray, half: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which of the field's cells points (n, 3) lie in."""
    cells = ((points[:, :2] / half[:2] + 1) / 2 * CELLS).clip(0, CELLS - 1).astype(int)
    return cells[:, 0], cells[:, 1]


def _side_buds(rng: np.random.Generator, branches: list[Tube], style: TreeStyle) -> Buds:
    """Thin branches, a fifth to a half as wide as theirs, that leave on the way and hardly matter to Murray's law."""
    lengths = np.array([len(tube.radii_mm) - 1 for tube in branches])
    owners = np.repeat(np.arange(len(branches)), rng.poisson(style.side_branches_per_mm * STEP_MM * lengths))
    places = (rng.uniform(0.05, 0.95, len(owners)) * lengths[owners]).astype(int)
    where = list(zip(owners, places, strict=True))
    points = np.array([branches[o].points_mm[p] for o, p in where]).reshape(-1, 3)
    along = _unit(np.array([branches[o].points_mm[p + 1] for o, p in where]).reshape(-1, 3) - points)
    radii = np.array([branches[o].radii_mm[p] for o, p in where]) * rng.uniform(0.2, 0.5, len(where))
    arrival = np.array([branches[o].arrival_s[p] for o, p in where])
    angles = np.deg2rad(rng.uniform(40, 100, len(where)))[:, None]
    towards = np.cos(angles) * along + np.sin(angles) * _unit(np.cross(along, rng.normal(size=points.shape)))
    return Buds(points, along, towards, radii, arrival)[radii >= style.smallest_radius_mm]


def joined(first: Buds, second: Buds) -> Buds:
    """The buds of both, those of the first before those of the second."""
    names = ("points", "directions", "towards", "radii", "arrival")
    return Buds(*(np.concatenate((getattr(first, name), getattr(second, name))) for name in names))


def _grow_branches(
    rng: np.random.Generator,
    buds: Buds,
    aims: np.ndarray,
    half: np.ndarray,
    style: TreeStyle,
    shortest_mm: np.ndarray,
) -> tuple[list[Tube], Buds]:
    """One tube for each bud, which leaves in `directions` and turns `towards` its own within about its radius.

    All branches take their steps together, each drawn to its aim (n, 3). Curvature wanders smoothly around zero; thin
    vessels wind more than trunks, and all turn back softly at the border (half axes `half` in mm) of the space that
    they fill.
    """
    count = len(buds.radii)
    length = np.cbrt(buds.radii) * rng.uniform(*style.branch_length, count)
    length = np.maximum(np.clip(length, 2.0, 90.0), shortest_mm)
    steps = np.maximum((length / STEP_MM).astype(int), 8)
    wind = np.minimum(style.tortuosity * np.clip(buds.radii, 0.2, 2.0) ** -0.4, 0.3 / buds.radii)
    wind = wind * np.exp(rng.normal(0, 0.3, count))
    memory = rng.uniform(0.85, 0.97, count)[:, None]
    curl = np.minimum(style.curl * np.exp(rng.normal(0, 0.4, count)), 0.35 / buds.radii)
    wave, phase = rng.uniform(6, 16, count) * np.sqrt(np.clip(buds.radii, 0.3, 1.5)), rng.uniform(0, 6.28, count)
    bend = 1 + (1.2 * buds.radii / STEP_MM).astype(int)
    turning = (buds.towards - buds.directions) / bend[:, None]
    drift = _unit(aims - buds.points) * np.where(buds.radii > 0.3, 0.05, 0.02)[:, None]
    turn = rng.normal(0, 1, (count, 2)) * wind[:, None]
    kicks = np.sqrt(1 - memory**2) * wind[:, None]
    direction, point = buds.directions, buds.points
    across = rng.normal(size=(count, 3))
    points = [point]
    for index in range(steps.max()):
        direction = _unit(direction + turning * (index < bend)[:, None])
        turn = memory * turn + kicks * rng.standard_normal((count, 2))
        # The plane of a bend is carried along: a fixed one would draw all vessels in one direction.
        across = _unit(across - (across * direction).sum(axis=1, keepdims=True) * direction)
        regular = curl * np.sin(2 * np.pi * index * STEP_MM / wave + phase)
        sideways = STEP_MM * (turn[:, :1] + regular[:, None])
        upwards = STEP_MM * turn[:, 1:]
        direction = direction + sideways * across + upwards * _cross(direction, across)
        # The head is finite: vessels turn back before its border.
        inside = point / (1.05 * half)
        beyond = np.maximum(np.linalg.norm(inside, axis=1) - 0.75, 0)[:, None]
        direction = _unit(direction + drift - 0.25 * STEP_MM * beyond * inside)
        point = point + STEP_MM * direction
        points.append(point)
    points = np.stack(points, axis=1)
    tubes, ends = [], []
    taper, swell, beats = rng.uniform(0.02, 0.18, count), rng.uniform(0, 0.04, count), rng.uniform(0, 3, count)
    speed = style.speed_mm_s * np.exp(rng.normal(0, 0.25, count))
    for branch in range(count):
        stop = steps[branch] + 1
        course = points[branch, :stop]
        s = np.linspace(0, 1, stop)
        radii = buds.radii[branch] * (1 - taper[branch] * s)
        seconds = STEP_MM / (speed[branch] * radii**SPEED_EXPONENT)
        arrival = buds.arrival[branch] + np.cumsum(seconds) - seconds[0]
        radii = radii * (1 + swell[branch] * np.sin(2 * np.pi * beats[branch] * s))
        tubes.append(Tube(course, radii, np.ones(stop), arrival))
        ends.append((course[-1], _unit(course[-1] - course[-2]), radii[-1], arrival[-1]))
    last, heading, radii, arrival = (np.array(values) for values in zip(*ends, strict=True))
    return tubes, Buds(last, heading, heading, radii, arrival)


def random_arteries(rng: np.random.Generator, view: View) -> list[Tube]:
    """One injection's arteries: a main tree and up to three more, some with stenoses, an aneurysm or a nidus."""
    zoom = np.clip(min(view.field_mm) / 150, 0.5, 1.1)
    count = int(rng.choice([1, 2, 2, 3, 3, 4]))
    # The first is as wide as a carotid or its main branches, the others lie beside it.
    radii = zoom * np.exp([rng.uniform(*np.log((1.2, 2.6) if number == 0 else (0.4, 1.6))) for number in range(count)])
    arteries = grow(rng, view, random_style(rng, view), roots(rng, view, radii))
    for _ in range(int(rng.integers(0, 6))):
        index = int(rng.integers(len(arteries)))
        arteries[index] = lesions.add_stenosis(rng, arteries[index])
    sick = arteries[int(rng.integers(min(len(arteries), 20)))]
    if rng.random() < 0.4:
        arteries.extend(lesions.aneurysm(rng, sick))
    if rng.random() < 0.12:
        arteries.extend(lesions.nidus(rng, arteries[int(rng.integers(len(arteries)))]))
    return arteries


def decouple_contrast(vessels: list[Tube], power: float, reference_mm: float = 1.0) -> list[Tube]:
    """Raise the content of thin vessels by (reference / radius)^power, so that thin does not always mean faint.

    With power 0 the optical density is proportional to the diameter, as a vessel full of one contrast agent has it;
    with power 1 it does not depend on the diameter.
    """
    factors = [np.clip((reference_mm / tube.radii_mm) ** power, 0.2, 10.0) for tube in vessels]
    return [replace(tube, content=tube.content * factor) for tube, factor in zip(vessels, factors, strict=True)]


def scatter_contrast(rng: np.random.Generator, vessels: list[Tube], spread: float) -> list[Tube]:
    """Give each branch a content of its own, log-normal with the given spread, whatever its diameter."""
    factors = np.exp(rng.normal(0, spread, len(vessels)))
    return [replace(tube, content=tube.content * factor) for tube, factor in zip(vessels, factors, strict=True)]


def _cross(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Cross product of (n, 3); numpy's own is slow for few vectors."""
    return first[:, TURNED] * second[..., TURNED_BACK] - first[:, TURNED_BACK] * second[..., TURNED]


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors (..., 3) of length 1."""
    return vectors / np.sqrt((vectors * vectors).sum(axis=-1, keepdims=True) + 1e-18)
