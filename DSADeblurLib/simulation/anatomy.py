"""What stands still under the vessels: soft tissue and bone, as attenuation."""

from __future__ import annotations

import numpy as np

from .textures import random_texture
from .tubes import View

# Linear attenuation at about 45 keV effective, per mm (NIST XCOM: water 0.024, cortical bone 0.085).
SOFT_TISSUE_PER_MM = 0.022
BONE_PER_MM = 0.075


def random_anatomy(rng: np.random.Generator, view: View, slab_edges_mm: np.ndarray) -> np.ndarray:
    """Line integral of tissue and bone, float32 (slabs, rows, columns).

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
    low, high = np.percentile(static.sum(axis=0)[::8, ::8], (1, 99))
    static *= rng.uniform(0.6, 2.2) / max(high - low, 0.3)
    return static


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
