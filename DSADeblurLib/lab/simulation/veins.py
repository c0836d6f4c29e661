"""Veins and dural sinuses: wider, smoother and later than arteries, all draining towards a sinus."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from DSADeblurLib.lab.simulation.tubes import Tube, View, smooth_line
from DSADeblurLib.lab.simulation.vessels import Buds, TreeStyle, grow, joined, roots, zoom_of

SINUS_SPEED_MM_PER_S = (80.0, 200.0)


def random_veins(rng: np.random.Generator, view: View) -> list[Tube]:
    """Up to two sinuses with the cortical veins that drain into them, and veins that leave the field elsewhere.

    Arrival counts from when blood has passed the capillaries: thin ends first, sinuses last.
    """
    zoom = float(np.clip(min(view.field_mm) / 150, 0.5, 1.1))
    sinuses = [_sinus(rng, view, zoom) for _ in range(int(rng.choice([0, 1, 1, 2])))]
    others = zoom * np.exp(rng.uniform(np.log(0.7), np.log(2.2), int(rng.integers(1, 4))))
    buds = roots(rng, view, others)
    for sinus in sinuses:
        buds = joined(buds, _joining(rng, sinus, zoom))
    trees = grow(rng, view, _style(rng, view), buds)
    latest = max(tube.arrival_s[-1] for tube in trees)
    # The flow is turned round: blood comes from the thin ends.
    veins = [replace(tube, arrival_s=latest - tube.arrival_s) for tube in trees]
    later = latest * rng.uniform(0.5, 0.9)
    return veins + [replace(sinus, arrival_s=sinus.arrival_s + later) for sinus in sinuses]


def _style(rng: np.random.Generator, view: View) -> TreeStyle:
    zoom = zoom_of(view)
    shortest = rng.uniform(8, 16) * zoom
    return TreeStyle(
        smallest_radius_mm=rng.uniform(0.1, 0.2) * zoom,
        tortuosity=float(np.exp(rng.uniform(np.log(0.03), np.log(0.1)))),
        branch_length=(shortest, shortest * rng.uniform(2, 4)),
        most_branches=int(np.exp(rng.uniform(np.log(150), np.log(800)))),
        survival=rng.uniform(0.8, 0.97),
        evenness=rng.uniform(0.15, 0.5),
        speed_mm_s=rng.uniform(50, 120),
    )


def _sinus(rng: np.random.Generator, view: View, zoom: float) -> Tube:
    """A sinus along the border of the head, as the superior sagittal one; it gathers blood and widens on its way."""
    half = np.array(view.field_mm[::-1]) / 2
    axes = half * rng.uniform(0.65, 1.2, 2)
    centre = rng.uniform(-0.25, 0.25, 2) * half
    begin, span = rng.uniform(0, 2 * np.pi), rng.choice([-1, 1]) * rng.uniform(1.5, 4.0)
    angle = begin + span * np.linspace(0, 1, 9)
    wobble = 1 + rng.normal(0, 0.03, (9, 2))
    # At its end it leaves the head.
    leaving = np.append(np.ones(6), [1.15, 1.5, 2.2])[:, None]
    course = centre + axes * np.stack((np.cos(angle), np.sin(angle)), axis=1) * wobble * leaving
    points = smooth_line(np.column_stack((course, np.cumsum(rng.normal(0, 3, 9)))))
    count = len(points)
    radii = zoom * rng.uniform(1.5, 4.0) * np.linspace(rng.uniform(0.05, 0.3), 1, count) ** 0.7
    way = np.linspace(0, np.linalg.norm(np.diff(points, axis=0), axis=1).sum(), count)
    radii *= 1 + 0.06 * np.sin(2 * np.pi * way / rng.uniform(8, 25) + rng.uniform(0, 6))
    content = np.full(count, rng.uniform(0.6, 1.0))
    return Tube(points, radii, content, way / rng.uniform(*SINUS_SPEED_MM_PER_S))


def _joining(rng: np.random.Generator, sinus: Tube, zoom: float) -> Buds:
    """Where cortical veins enter a sinus: slanting, as often against its flow as with it."""
    count = len(sinus.radii_mm)
    places = np.sort(rng.integers(5, count - 5, int(rng.integers(6, 22))))
    along = sinus.points_mm[places + 3] - sinus.points_mm[places - 3]
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    inward = np.column_stack((-sinus.points_mm[places, :2], rng.normal(0, 25, len(places))))
    inward /= np.linalg.norm(inward, axis=1, keepdims=True)
    towards = inward + rng.uniform(-1.2, 0.5, (len(places), 1)) * along
    towards /= np.linalg.norm(towards, axis=1, keepdims=True)
    wide = zoom * np.exp(rng.uniform(np.log(0.3), np.log(1.2), len(places)))
    radii = np.minimum(wide, np.maximum(0.8 * sinus.radii_mm[places], 0.2))
    return Buds(sinus.points_mm[places], towards, towards, radii, np.zeros(len(places)))
