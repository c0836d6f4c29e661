"""Bones as curved tubes with cortex and marrow: skull base, jaw, spine, ribs, pelvis and long bones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from DSADeblurLib.lab.simulation.tubes import Tube, View, smooth_line

# Linear attenuation at about 45 keV effective, per mm (NIST XCOM: water 0.024, cortical bone 0.085); what counts is
# the difference to the soft tissue that the bone takes the place of.
CORTEX_PER_MM = 0.06
MARROW_PER_MM = 0.012
AMALGAM_PER_MM = 1.0


def hollow(points: np.ndarray, radii: np.ndarray, cortex_mm: float) -> list[Tube]:
    """A bone along points (n, 3) of radii (n,): cortex outside, marrow inside."""
    count, still = len(points), np.zeros(len(points))
    inner = np.maximum(radii - cortex_mm, 0.05)
    return [
        Tube(points, radii, np.full(count, CORTEX_PER_MM), still),
        Tube(points, inner, np.full(count, MARROW_PER_MM - CORTEX_PER_MM), still),
    ]


def head_bones(rng: np.random.Generator, view: View) -> list[Tube]:
    """Orbits, ridges of the skull base, sutures, sometimes jaw and teeth."""
    parts: list[Tube] = []
    height, width = view.field_mm
    for _ in range(int(rng.choice([0, 1, 2, 2]))):
        parts.append(_rim(rng, view))
    for _ in range(int(rng.integers(1, 5))):
        parts.extend(_ridge(rng, view))
    for _ in range(int(rng.integers(0, 4))):
        # A suture is a winding gap in the skull's bone.
        course = _course(rng, view, bend=0.25)
        course[:, :2] += np.cumsum(rng.normal(0, 0.35, (len(course), 2)), axis=0) * 0.5
        parts.append(Tube.uniform(course, rng.uniform(0.2, 0.5), -CORTEX_PER_MM))
    if rng.random() < 0.35:
        parts.extend(_jaw(rng, np.array([rng.uniform(-0.3, 0.3) * width, rng.uniform(0.1, 0.5) * height, 0.0])))
    return parts


def body_bones(rng: np.random.Generator, view: View) -> list[Tube]:
    """Spine with ribs, or spine with pelvis and hip, or the long bones of a limb."""
    kind = rng.choice(["chest", "pelvis", "limb"])
    turn = _turn(rng.normal(0, 0.25) + np.pi / 2 * rng.integers(4))
    shift = np.array([*(rng.uniform(-0.3, 0.3, 2) * view.field_mm[::-1]), 0.0])
    makers: dict[str, Callable[[np.random.Generator], list[Tube]]] = {"chest": _chest, "pelvis": _pelvis, "limb": _limb}
    parts = makers[kind](rng)
    return [Tube(part.points_mm @ turn.T + shift, part.radii_mm, part.content, part.arrival_s) for part in parts]


def _turn(angle: float) -> np.ndarray:
    """Rotation about the beam."""
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])


def _course(rng: np.random.Generator, view: View, bend: float) -> np.ndarray:
    """A gently bent line across a part of the field."""
    half = np.array(view.field_mm[::-1]) / 2
    ends = rng.uniform(-1.1, 1.1, (2, 2)) * half
    knots = np.linspace(ends[0], ends[1], 5) + rng.normal(0, bend / 3, (5, 2)) * np.linalg.norm(ends[1] - ends[0])
    return smooth_line(np.column_stack((knots, np.linspace(*rng.uniform(-45, 45, 2), 5))))


def _rim(rng: np.random.Generator, view: View) -> Tube:
    """The edge of an orbit or of a foramen: a ring, thicker in places."""
    angle = np.linspace(0, 2 * np.pi * rng.uniform(0.5, 1.0), 160)
    axes = np.exp(rng.uniform(np.log(4), np.log(24))) * rng.uniform(0.7, 1.2, 2)
    wobble = 1 + 0.06 * np.sin(np.outer([2, 3], angle) + rng.uniform(0, 6, (2, 1))).sum(axis=0)
    ring = np.column_stack((axes[0] * np.cos(angle) * wobble, axes[1] * np.sin(angle) * wobble, 8 * np.cos(angle)))
    centre = np.array([*(rng.uniform(-0.5, 0.5, 2) * view.field_mm[::-1]), rng.uniform(-40, 40)])
    radii = rng.uniform(0.6, 2.2) * (1 + 0.4 * np.sin(angle + rng.uniform(0, 6)))
    return Tube(centre + ring @ _turn(rng.uniform(0, 6)).T, radii, np.full(160, CORTEX_PER_MM), np.zeros(160))


def _ridge(rng: np.random.Generator, view: View) -> list[Tube]:
    """A petrous ridge, a sphenoid wing or a clivus: thick bone of uneven width."""
    course = _course(rng, view, bend=0.3)
    way = np.linspace(0, 1, len(course))
    waves = np.sin(2 * np.pi * np.outer(rng.uniform(0.5, 6, 3), way) + rng.uniform(0, 6, (3, 1))).sum(axis=0)
    radii = np.exp(rng.uniform(np.log(1.0), np.log(7.0))) * np.exp(0.25 * waves) * np.sqrt(np.sin(np.pi * way) + 0.02)
    return hollow(course, radii, rng.uniform(0.6, 2.0))


def _jaw(rng: np.random.Generator, centre: np.ndarray) -> list[Tube]:
    """A mandible, its teeth, and fillings that let nothing through."""
    angle = np.linspace(-1.3, 1.3, 7)
    arch = centre + np.column_stack((45 * np.sin(angle), -38 * np.cos(angle) * rng.uniform(0.3, 1), 25 * np.cos(angle)))
    line = smooth_line(arch)
    parts = hollow(line, np.full(len(line), rng.uniform(5, 8)), rng.uniform(1.5, 3))
    for place in np.linspace(0.1, 0.9, int(rng.integers(6, 15))):
        root = line[int(place * (len(line) - 1))]
        up = np.array([rng.normal(0, 0.15), -1.0, 0.0]) * np.linspace(4, 18, 20)[:, None]
        parts.append(Tube(root + up, np.linspace(1.2, 3.6, 20), np.full(20, CORTEX_PER_MM), np.zeros(20)))
        if rng.random() < 0.3:
            parts.append(Tube.uniform(root + up[-6:-1], rng.uniform(0.6, 2.2), AMALGAM_PER_MM))
    return parts


def _spine(rng: np.random.Generator, size_mm: float) -> list[Tube]:
    """Vertebrae along y: dense end plates, waists, discs between them, and processes."""
    y = np.arange(-220, 220, 0.5)
    x = rng.normal(0, 6) * np.sin(2 * np.pi * y / rng.uniform(250, 500) + rng.uniform(0, 6))
    height, gap = size_mm * rng.uniform(1.2, 1.5), size_mm * rng.uniform(0.15, 0.35)
    place = (y + rng.uniform(0, height)) % (height + gap)
    inside = place < height
    middle = np.clip(place / height, 0, 1)
    radii = size_mm * (1 - rng.uniform(0.05, 0.15) * np.sin(np.pi * middle))
    plate = np.exp(-np.minimum(place, np.abs(height - place)) / 0.8)
    content = np.where(inside, MARROW_PER_MM + 0.5 * CORTEX_PER_MM * plate, 0.0)
    points = np.column_stack((x, y, np.zeros_like(y)))
    parts = [Tube(points, radii, content, np.zeros_like(y))]
    wall = np.where(inside, 0.3 * CORTEX_PER_MM, 0.0)
    parts += [Tube(points, radii, wall, np.zeros_like(y)), Tube(points, radii - 1.2, -wall, np.zeros_like(y))]
    for start in y[:-1][(~inside[:-1]) & inside[1:]]:
        here = np.array([np.interp(start, y, x), start + 0.4 * height, -15.0])
        parts.append(Tube.uniform(here + np.linspace(0, 16, 12)[:, None] * [0, 1, -0.3], 2.5, 0.6 * CORTEX_PER_MM))
        for side in (-1, 1):
            # Pedicles are seen end-on as rings, transverse processes from the side.
            pedicle = here + [side * 0.6 * size_mm, 0, 0] + np.linspace(0, 12, 4)[:, None] * [0, 0, 1]
            parts += hollow(pedicle, np.full(4, 0.25 * size_mm), 1.0)
            process = here + np.linspace(0.8, 1.9, 14)[:, None] * [side * size_mm, 0, 0]
            parts += hollow(process, np.full(14, 0.2 * size_mm), 0.9)
    return parts


def _chest(rng: np.random.Generator) -> list[Tube]:
    parts = _spine(rng, rng.uniform(11, 16))
    slope, distance = rng.uniform(0.2, 0.8), rng.uniform(20, 30)
    for number in range(-6, 7):
        for side in (-1, 1):
            angle = np.linspace(0.1, 2.6, 9)
            across = side * 110 * np.sin(angle) * rng.uniform(0.97, 1.03)
            knots = np.column_stack((across, number * distance + slope * 40 * angle, -60 * np.cos(angle)))
            line = smooth_line(knots + rng.normal(0, 0.8, (9, 3)), 1.0)
            parts += hollow(line, np.full(len(line), rng.uniform(3.5, 5.5)), rng.uniform(0.8, 1.5))
    return parts


def _pelvis(rng: np.random.Generator) -> list[Tube]:
    parts = _spine(rng, rng.uniform(16, 20))
    for side in (-1, 1):
        angle = np.linspace(-0.4, 2.4, 7)
        crest = np.column_stack((side * (45 + 70 * np.sin(angle)), -70 * np.cos(angle) - 20, 30 * np.cos(angle)))
        line = smooth_line(crest + rng.normal(0, 2, (7, 3)), 1.0)
        parts += hollow(line, rng.uniform(6, 9) * (1 + 0.2 * np.sin(np.linspace(0, 9, len(line)))), 1.5)
        z = 24 * np.sin(np.linspace(-np.pi / 2, np.pi / 2, 41))
        centre = np.array([side * 90.0, 75.0, 0.0])
        ball = centre + z[:, None] * [0, 0, 1]
        parts += hollow(ball, np.sqrt(np.maximum(24**2 - z**2, 4)), 1.5)
        neck = smooth_line(
            centre + np.array([[0, 0, 0], [side * 25, 22, 0], [side * 45, 60, 0], [side * 46, 150, 0]]), 1.0
        )
        parts += hollow(neck, np.linspace(17, 14, len(neck)), 4.0)
        ring = np.linspace(0, 2 * np.pi, 90)
        foramen = np.column_stack((side * 45 + 22 * np.cos(ring), 105 + 28 * np.sin(ring), 5 * np.cos(ring)))
        parts += hollow(foramen, np.full(90, rng.uniform(5, 8)), 1.5)
    return parts


def _limb(rng: np.random.Generator) -> list[Tube]:
    parts = []
    for number in range(int(rng.integers(1, 3))):
        y = np.linspace(-200, 200, 60)
        end = np.exp(-(((np.abs(y - rng.uniform(-120, 120)) - 90) / 35) ** 2))
        radii = rng.uniform(5, 14) * (1 + rng.uniform(0.3, 0.9) * end)
        x = (number - 0.5) * rng.uniform(25, 40) + 8 * np.sin(y / rng.uniform(100, 250))
        parts += hollow(np.column_stack((x, y, np.full(60, rng.uniform(-20, 20)))), radii, rng.uniform(2, 4.5))
    return parts
