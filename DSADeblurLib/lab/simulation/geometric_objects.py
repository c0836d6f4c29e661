"""Geometric test objects: line pairs, wires, edges, discs and stars, at contrasts that do not go with their size."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from DSADeblurLib.lab.simulation.textures import smooth_texture
from DSADeblurLib.lab.simulation.tubes import Tube, View, draw_tubes, smooth_line

LINE_PAIRS_PER_MM = (0.6, 5.0)
WIRE_DIAMETERS_MM = (0.1, 1.0)
CONTRASTS = (0.02, 0.8)

# A shape draws the share of each pixel that it covers: (rows mm, columns mm, pixel mm) -> values 0 to 1.
Shape = Callable[[np.ndarray, np.ndarray, float], np.ndarray]


def target_scene_parts(rng: np.random.Generator, view: View, moments: int, slabs: int) -> tuple[np.ndarray, np.ndarray]:
    """Static part (slabs, rows, columns) and contrast agent (moments, slabs, rows, columns), both float32.

    About half of the objects stand still and the others are made of contrast agent, so that subtraction shows them;
    these may move by up to a pixel between moments.
    """
    static = np.zeros((slabs, *view.shape), np.float32)
    iodine = np.zeros((moments, slabs, *view.shape), np.float32)
    uneven = smooth_texture(rng, view.shape, rng.uniform(3, 4), max(view.shape), coarse=8)
    static[slabs // 2] = 2.5 + rng.uniform(0, 0.25) * uneven
    count = int(rng.integers(20, 80))
    swing = rng.uniform(0, 1.0) * rng.normal(0, 1, (99, 2)) * (rng.random() < 0.5)
    for _ in range(count):
        layer, contrast = int(rng.integers(slabs)), float(np.exp(rng.uniform(*np.log(CONTRASTS))))
        draw = _random_object(rng, view)
        sign = 1.0 if rng.random() < 0.85 else -0.5
        if rng.random() < 0.5:
            draw(static[layer], sign * contrast, np.zeros(2))
            continue
        for moment in range(moments):
            # The middle moment stands where the objects were drawn, however many moments there are.
            offset = moment - moments // 2
            draw(iodine[moment, layer], sign * contrast, swing[offset] if offset else np.zeros(2))
    return static, iodine


def _random_object(rng: np.random.Generator, view: View) -> Callable[[np.ndarray, float, np.ndarray], None]:
    """A function (image, contrast, shift in pixels) that adds one object to an image."""
    kind = rng.choice(["bars", "wire", "edge", "disc", "star"], p=[0.3, 0.35, 0.1, 0.15, 0.1])
    extent = min(view.field_mm)
    if kind == "bars":
        pairs, frequency = int(rng.integers(3, 11)), float(np.exp(rng.uniform(*np.log(LINE_PAIRS_PER_MM))))
        length = float(rng.uniform(3, 15))
        return _placed(rng, view, bars(frequency, pairs, length), max(pairs / frequency, length) / 2 + 0.5)
    if kind == "wire":
        return _wire(rng, view)
    if kind == "disc":
        radius = float(np.exp(rng.uniform(np.log(0.15), np.log(0.1 * extent))))
        return _placed(rng, view, disc(radius), radius + 0.5)
    if kind == "star":
        radius = float(rng.uniform(0.04, 0.2) * extent)
        return _placed(rng, view, star(int(rng.integers(8, 60)), radius), radius + 0.5)
    bend = float(rng.uniform(0.1, 1.5) * extent) if rng.random() < 0.5 else np.inf
    return _placed(rng, view, edge(bend), np.inf)


def bars(frequency_per_mm: float, pairs: int, length_mm: float) -> Shape:
    """Line pairs about the origin; each bar is averaged over the pixel, so that fine groups fade and do not alias."""

    def shape(rows: np.ndarray, columns: np.ndarray, pixel: float) -> np.ndarray:
        period = 1 / frequency_per_mm
        inside = _within(rows, length_mm / 2, pixel)
        across = columns + pairs * period / 2
        covered = sum(_within(across - (n + 0.25) * period, period / 4, pixel) for n in range(pairs))
        return inside * covered

    return shape


def disc(radius_mm: float) -> Shape:
    """A disc about the origin; one smaller than a pixel keeps its area."""

    def shape(rows: np.ndarray, columns: np.ndarray, pixel: float) -> np.ndarray:
        return np.clip((radius_mm - np.hypot(rows, columns)) / pixel + 0.5, 0, 1)

    return shape


def star(spokes: int, radius_mm: float) -> Shape:
    """A Siemens star of `spokes` filled sectors about the origin."""

    def shape(rows: np.ndarray, columns: np.ndarray, pixel: float) -> np.ndarray:
        distance = np.hypot(rows, columns)
        angle = np.arctan2(rows, columns)
        # Signed distance to the nearest border between sectors.
        width = np.pi / spokes
        nearest = width / 2 - np.abs(angle % (2 * width) - width)
        covered = np.clip(distance * np.sin(np.clip(nearest, -np.pi / 2, np.pi / 2)) / pixel + 0.5, 0, 1)
        return covered * np.clip((radius_mm - distance) / pixel + 0.5, 0, 1)

    return shape


def edge(radius_mm: float) -> Shape:
    """A half plane, or with a finite radius the inside of a large circle whose border passes the origin."""

    def shape(rows: np.ndarray, columns: np.ndarray, pixel: float) -> np.ndarray:
        inside = columns if np.isinf(radius_mm) else radius_mm - np.hypot(rows, columns - radius_mm)
        return np.clip(inside / pixel + 0.5, 0, 1)

    return shape


def _within(position: np.ndarray, half_width: float, pixel: float) -> np.ndarray:
    """A box of half width about 0, averaged over a pixel."""
    rising = np.clip((position + half_width) / pixel + 0.5, 0, 1)
    falling = np.clip((position - half_width) / pixel + 0.5, 0, 1)
    return rising - falling


def _placed(rng: np.random.Generator, view: View, shape: Shape, reach_mm: float):
    """The shape somewhere in the field at some angle; `reach_mm` is how far it extends from its middle."""
    pixel = view.spacing_mm / view.magnification(0.0)
    middle = rng.uniform(0.02, 0.98, 2) * view.shape
    angle = rng.uniform(0, 2 * np.pi)
    cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))

    def draw(image: np.ndarray, contrast: float, shift_px: np.ndarray) -> None:
        where = middle + shift_px
        reach = 1.5 * reach_mm / pixel + 2
        low = np.maximum(where - reach, 0).astype(int)
        high = np.minimum(where + reach + 1, image.shape).astype(int)
        if np.any(low >= high):
            return
        rows = ((np.arange(low[0], high[0]) - where[0]) * pixel).astype(np.float32)[:, None]
        columns = ((np.arange(low[1], high[1]) - where[1]) * pixel).astype(np.float32)
        covered = shape(cosine * rows + sine * columns, cosine * columns - sine * rows, np.float32(pixel))
        image[low[0] : high[0], low[1] : high[1]] += np.float32(contrast) * covered

    return draw


def _wire(rng: np.random.Generator, view: View):
    """A straight, bent or winding wire whose contrast on its axis does not depend on its width."""
    half = np.array([*view.field_mm[::-1], 0.0]) / 2
    knots = rng.uniform(-1, 1, (int(rng.choice([2, 3, 3, 5])), 3)) * half
    if rng.random() < 0.3:
        knots = rng.uniform(-0.9, 0.9, 3) * half + (knots - knots[0]) * 0.1
    radius = 0.5 * np.exp(rng.uniform(*np.log(WIRE_DIAMETERS_MM)))
    points = smooth_line(knots) if len(knots) > 2 else np.linspace(knots[0], knots[1], 50)
    pixel = view.spacing_mm / view.magnification(0.0)

    def draw(image: np.ndarray, contrast: float, shift_px: np.ndarray) -> None:
        moved = points + np.array([shift_px[1], shift_px[0], 0.0]) * pixel
        # No more than the chord's length, so that a wire under a pixel's width is not made of lead.
        tube = Tube.uniform(moved, float(radius), min(contrast / (2 * radius), 8.0))
        image += draw_tubes([tube], view, np.array([]))[0]

    return draw
