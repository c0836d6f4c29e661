"""What stands still under the vessels: soft tissue, bone, catheters, wires, coils and bar patterns, as attenuation."""

from __future__ import annotations

import numpy as np
from scipy import fft, ndimage

from .tubes import Tube, View, draw_tubes
from .vessels import random_line

# Linear attenuation at about 45 keV effective, per mm (NIST XCOM: water 0.024, cortical bone 0.085).
SOFT_TISSUE_PER_MM = 0.022
BONE_PER_MM = 0.075
# Stainless steel and platinum let next to nothing through; what matters is that a 0.3 mm wire is seen.
METAL_PER_MM = 1.2
CATHETER_PER_MM = 0.12


def random_texture(rng: np.random.Generator, shape: tuple[int, int], slope: float, largest_px: float) -> np.ndarray:
    """A random field (rows, columns) float32 of unit variance with power spectrum 1/f^slope, flat below 1/largest."""
    fv, fu = fft.fftfreq(shape[0])[:, None], fft.rfftfreq(shape[1])[None, :]
    frequency = np.sqrt(fv**2 + fu**2 + largest_px**-2).astype(np.float32)
    spectrum = fft.rfft2(rng.standard_normal(shape, dtype=np.float32))
    field = fft.irfft2(spectrum * frequency ** (-slope / 2), s=shape)
    return (field / field.std()).astype(np.float32)


def random_anatomy(rng: np.random.Generator, view: View, slab_edges_mm: np.ndarray) -> np.ndarray:
    """Line integral of tissue, bone and devices, float32 (slabs, rows, columns), no iodine in it.

    Tissue and bone are made thinner or denser together until their contrast suits a detector's dynamic range, as
    an examiner does with tube voltage and wedge filters.
    """
    slabs = len(slab_edges_mm) + 1
    static = np.zeros((slabs, *view.shape), np.float32)
    middle = slabs // 2
    static[middle] += _soft_tissue(rng, view)
    for _ in range(int(rng.integers(1, 5))):
        static[rng.integers(slabs)] += _bone(rng, view)
    if rng.random() < 0.5:
        static[rng.integers(slabs)] += _skull_shell(rng, view)
    if rng.random() < 0.4:
        static[middle] += _bar_pattern(rng, view)
    low, high = np.percentile(static.sum(axis=0)[::8, ::8], (1, 99))
    static *= rng.uniform(0.6, 2.2) / max(high - low, 0.3)
    return static + _devices(rng, view, slab_edges_mm)


def _grid(rng: np.random.Generator, view: View, spread: float = 0.6) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates in mm, rotated by a random angle about a point up to `spread` fields from the middle."""
    scale = view.spacing_mm / view.magnification(0.0)
    rows, columns = np.meshgrid(*(np.arange(n, dtype=np.float32) * scale for n in view.shape), indexing="ij")
    height, width = view.field_mm
    rows = rows - rng.uniform(0.5 - spread, 0.5 + spread) * height
    columns = columns - rng.uniform(0.5 - spread, 0.5 + spread) * width
    angle = rng.uniform(0, 2 * np.pi)
    return np.cos(angle) * rows + np.sin(angle) * columns, np.cos(angle) * columns - np.sin(angle) * rows


def _ellipsoid(rows: np.ndarray, columns: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """Path length in mm through an ellipsoid of half axes (row, column, depth)."""
    return 2 * axes[2] * np.sqrt(np.maximum(1 - (rows / axes[0]) ** 2 - (columns / axes[1]) ** 2, 0))


def _soft_tissue(rng: np.random.Generator, view: View) -> np.ndarray:
    """A head or limb of 80 to 200 mm, smoothly uneven; its outline may cross the field."""
    rows, columns = _grid(rng, view, spread=0.3)
    axes = rng.uniform(70, 170, 3) * [1.0, 1.0, 0.6]
    thickness = _ellipsoid(rows, columns, axes)
    uneven = random_texture(rng, view.shape, rng.uniform(3.0, 4.0), 400)
    return SOFT_TISSUE_PER_MM * thickness * (1 + 0.04 * uneven)


def _skull_shell(rng: np.random.Generator, view: View) -> np.ndarray:
    """A shell of bone 3 to 7 mm thick: its rim is the bright arc that misregistration shows first."""
    rows, columns = _grid(rng, view)
    axes = rng.uniform(60, 110, 3)
    shell = _ellipsoid(rows, columns, axes) - _ellipsoid(rows, columns, axes - rng.uniform(3, 7))
    diploe = random_texture(rng, view.shape, rng.uniform(3.2, 4.2), 80)
    return BONE_PER_MM * shell * np.clip(1 + 0.08 * diploe, 0.3, None)


def _bone(rng: np.random.Generator, view: View) -> np.ndarray:
    """One or several bodies with sharp, irregular edges, cortex and trabeculae: vertebrae, orbits, petrous bone."""
    rows, columns = _grid(rng, view)
    size = rng.uniform(10, 45)
    outline = np.hypot(rows / rng.uniform(0.6, 1.6), columns) / size
    outline = outline + rng.uniform(0.03, 0.2) * random_texture(rng, view.shape, rng.uniform(5.0, 6.5), 250)
    edge_mm = rng.uniform(0.2, 2.0)
    depth = np.clip((1 - outline) * size / edge_mm, 0, 1)
    cortex = depth * np.exp(-np.clip((1 - outline) * size, 0, None) / rng.uniform(0.8, 2.5))
    # Hundreds of trabeculae lie behind each other: what is left of them in projection is soft.
    marrow = random_texture(rng, view.shape, rng.uniform(3.0, 4.2), 50)
    trabeculae = np.clip(1 + rng.uniform(0.04, 0.15) * marrow, 0, None)
    return BONE_PER_MM * (rng.uniform(3, 12) * depth * trabeculae + rng.uniform(1, 8) * cortex)


def _bar_pattern(rng: np.random.Generator, view: View) -> np.ndarray:
    """Groups of lead-like bars, 0.6 to 5 line pairs per mm in the object, at a slight angle."""
    rows, columns = _grid(rng, view)
    image = np.zeros(view.shape, np.float32)
    pixel = view.spacing_mm / view.magnification(0.0)
    contrast = rng.uniform(0.05, 0.7)
    for group, frequency in enumerate(np.geomspace(0.6, 5.0, int(rng.integers(4, 10)))):
        bar = 0.5 / frequency
        pairs = 5
        along = rows - group * 8.0
        inside = _box(along, 6.0, pixel)
        # Each bar is a box averaged over the pixel, so that fine groups fade instead of aliasing.
        bars = sum(_box(columns - 2 * bar * k - bar / 2, bar, pixel) for k in range(pairs))
        image += contrast * inside * bars
    return image


def _box(position: np.ndarray, width: float, pixel: float) -> np.ndarray:
    """A box of `width` from 0 on, averaged over a pixel."""
    rising = np.clip(position / pixel + 0.5, 0, 1)
    falling = np.clip((position - width) / pixel + 0.5, 0, 1)
    return rising - falling


def _devices(rng: np.random.Generator, view: View, slab_edges_mm: np.ndarray) -> np.ndarray:
    """Catheters, guide wires, coils, clips and markers."""
    tubes: list[Tube] = []
    if rng.random() < 0.6:
        line = random_line(rng, view)
        radius = rng.uniform(0.45, 1.1)
        tubes.append(Tube.uniform(line, radius, CATHETER_PER_MM))
        tubes.append(Tube.uniform(line, 0.7 * radius, -CATHETER_PER_MM))
    for _ in range(int(rng.integers(0, 3))):
        tubes.append(Tube.uniform(random_line(rng, view), rng.uniform(0.1, 0.25), METAL_PER_MM))
    if rng.random() < 0.25:
        tubes.append(_coil(rng, view))
    for _ in range(int(rng.integers(0, 4))):
        start = rng.uniform(-0.45, 0.45, 3) * np.array([*view.field_mm[::-1], 60.0])
        line = start + np.outer(np.linspace(0, rng.uniform(1, 7), 12), _direction(rng))
        tubes.append(Tube.uniform(line, rng.uniform(0.2, 0.7), METAL_PER_MM))
    return draw_tubes(tubes, view, slab_edges_mm)


def _coil(rng: np.random.Generator, view: View) -> Tube:
    """Platinum wire wound into a ball of 3 to 9 mm."""
    knots = rng.normal(size=(int(rng.integers(12, 40)), 3))
    knots *= rng.uniform(1.5, 4.5) / np.linalg.norm(knots, axis=1, keepdims=True)
    centre = rng.uniform(-0.4, 0.4, 3) * np.array([*view.field_mm[::-1], 40.0])
    points = ndimage.zoom(centre + knots, (8, 1), order=3, mode="nearest")
    return Tube.uniform(points, rng.uniform(0.1, 0.2), 0.5 * METAL_PER_MM)


def _direction(rng: np.random.Generator) -> np.ndarray:
    vector = rng.normal(size=3) * [1, 1, 0.3]
    return vector / np.linalg.norm(vector)
