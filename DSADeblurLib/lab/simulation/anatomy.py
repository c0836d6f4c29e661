"""What stands still under the vessels: soft tissue, bone, air, table and head holder, as attenuation."""

from __future__ import annotations

import numpy as np

from DSADeblurLib.lab.simulation.bones import CORTEX_PER_MM, MARROW_PER_MM, body_bones, head_bones
from DSADeblurLib.lab.simulation.textures import smooth_texture
from DSADeblurLib.lab.simulation.tubes import View, draw_tubes

# Linear attenuation at about 45 keV effective, per mm (NIST XCOM: water 0.024).
SOFT_TISSUE_PER_MM = 0.022
STYLES = ("head", "body")
# Of the middle of a frame: one quantum in 150 gets through a big patient.
MOST_ATTENUATION = 5.0


def random_anatomy(
    rng: np.random.Generator, view: View, slab_edges_mm: np.ndarray, style: str | None = None
) -> np.ndarray:
    """Line integral of tissue, bone, air and table, float32 (slabs, rows, columns).

    Tissue and bone are made thinner or denser together until their contrast suits a detector's dynamic range, as
    an examiner does with tube voltage and wedge filters. `style` is one of `STYLES`; by default heads are commonest.
    """
    style = style or str(rng.choice(STYLES, p=[0.7, 0.3]))
    slabs = len(slab_edges_mm) + 1
    tubes = head_bones(rng, view) if style == "head" else body_bones(rng, view)
    static = draw_tubes(tubes, view, slab_edges_mm)
    for layer in static:
        # Hundreds of trabeculae lie behind each other: what is left of them in projection is soft.
        marrow = smooth_texture(rng, view.shape, rng.uniform(3.0, 4.2), 50, coarse=2)
        layer *= np.clip(1 + rng.uniform(0.03, 0.15) * marrow, 0, None)
    middle = slabs // 2
    static[middle] += _soft_tissue(rng, view)
    for _ in range(int(rng.integers(0, 3))):
        static[rng.integers(slabs)] += _bone(rng, view)
    if style == "head" and rng.random() < 0.6:
        static[rng.integers(slabs)] += _skull_shell(rng, view)
    for _ in range(int(rng.choice([0, 0, 1, 2]))):
        static[rng.integers(slabs)] -= _air(rng, view)
    low, high = np.percentile(static.sum(axis=0)[::8, ::8], (1, 99))
    most = MOST_ATTENUATION / max(float(np.median(static.sum(axis=0)[::8, ::8])), 0.1)
    static *= min(rng.uniform(0.6, 2.2) / max(high - low, 0.3), most)
    for _ in range(int(rng.choice([0, 0, 1, 2]))):
        static[0 if rng.random() < 0.7 else -1] += _table(rng, view)
    # Cavities and sutures take away from what is around them, never more than all of it.
    static[middle] -= min(0.0, float(static.sum(axis=0).min()))
    return static


def _grid(rng: np.random.Generator, view: View, away: float = 0.6) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates in mm, rotated by a random angle about a point up to `away` fields from the middle."""
    scale = view.spacing_mm / view.magnification(0.0)
    height, width = view.field_mm
    rows = np.arange(view.shape[0], dtype=np.float32) * scale - rng.uniform(0.5 - away, 0.5 + away) * height
    columns = np.arange(view.shape[1], dtype=np.float32) * scale - rng.uniform(0.5 - away, 0.5 + away) * width
    angle = rng.uniform(0, 2 * np.pi)
    rows, columns = rows.astype(np.float32)[:, None], columns.astype(np.float32)[None, :]
    cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return cosine * rows + sine * columns, cosine * columns - sine * rows


def _ellipsoid(rows: np.ndarray, columns: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """Path length in mm through an ellipsoid of half axes (row, column, depth)."""
    axes = axes.astype(np.float32)
    return 2 * axes[2] * np.sqrt(np.maximum(1 - (rows / axes[0]) ** 2 - (columns / axes[1]) ** 2, 0))


def _soft_tissue(rng: np.random.Generator, view: View) -> np.ndarray:
    """A head, trunk or limb of 80 to 200 mm, smoothly uneven; its outline may cross the field."""
    rows, columns = _grid(rng, view, away=0.3)
    axes = rng.uniform(70, 170, 3) * [1.0, 1.0, 0.6]
    thickness = _ellipsoid(rows, columns, axes)
    uneven = smooth_texture(rng, view.shape, rng.uniform(3.2, 4.2), 400, coarse=4)
    return np.float32(SOFT_TISSUE_PER_MM) * thickness * (1 + np.float32(rng.uniform(0.005, 0.04)) * uneven)


def _skull_shell(rng: np.random.Generator, view: View) -> np.ndarray:
    """A shell of bone 3 to 7 mm thick: its rim is the bright arc that misregistration shows first."""
    rows, columns = _grid(rng, view)
    axes = rng.uniform(60, 110, 3)
    thick = rng.uniform(3, 7)
    shell = _ellipsoid(rows, columns, axes) - _ellipsoid(rows, columns, axes - thick)
    # Two tables of dense bone with soft diploe between them.
    between = _ellipsoid(rows, columns, axes - 0.3 * thick) - _ellipsoid(rows, columns, axes - 0.75 * thick)
    diploe = smooth_texture(rng, view.shape, rng.uniform(3.2, 4.2), 80, coarse=2)
    bone = CORTEX_PER_MM * shell - (CORTEX_PER_MM - MARROW_PER_MM) * between
    return bone * np.clip(1 + np.float32(0.08) * diploe, 0.3, None)


def _outlined(rng: np.random.Generator, view: View, sizes_mm: tuple[float, float]) -> np.ndarray:
    """Depth in mm inside the outline of an irregular body, negative outside."""
    rows, columns = _grid(rng, view)
    size = rng.uniform(*sizes_mm)
    outline = np.hypot(rows / np.float32(rng.uniform(0.6, 1.6)), columns) / np.float32(size)
    scale = 250 * 0.15 / (view.spacing_mm / view.magnification(0.0)) / 1.5
    outline += np.float32(rng.uniform(0.03, 0.2)) * smooth_texture(rng, view.shape, rng.uniform(5.0, 6.5), scale, 4)
    return (1 - outline) * np.float32(size)


def _bone(rng: np.random.Generator, view: View) -> np.ndarray:
    """A body with sharp, irregular edges, cortex and marrow: mastoid, condyle, carpal bone."""
    inside = _outlined(rng, view, (10, 45))
    depth = np.clip(inside / np.float32(rng.uniform(0.3, 2.0)), 0, 1)
    cortex = depth * np.exp(-np.clip(inside, 0, None) / np.float32(rng.uniform(0.8, 2.5)))
    marrow = smooth_texture(rng, view.shape, rng.uniform(3.0, 4.2), 50, coarse=2)
    trabeculae = np.clip(1 + rng.uniform(0.04, 0.15) * marrow, 0, None)
    amount = np.float32(rng.uniform(3, 12)) * depth * trabeculae + np.float32(rng.uniform(1, 8)) * cortex
    return np.float32(CORTEX_PER_MM) * amount


def _air(rng: np.random.Generator, view: View) -> np.ndarray:
    """A sinus, the airway, or gas in the bowel: what is missing, with walls sharper than its depth changes."""
    inside = _outlined(rng, view, (6, 30))
    depth = np.float32(rng.uniform(4, 25)) * np.sqrt(np.clip(inside / np.float32(rng.uniform(1.5, 15)), 0, 1))
    return np.float32(SOFT_TISSUE_PER_MM) * depth


def _table(rng: np.random.Generator, view: View) -> np.ndarray:
    """The edge of a table or head holder, straight or round, with a denser rail along it."""
    rows, columns = _grid(rng, view)
    radius = np.float32(rng.uniform(80, 400))
    inside = rows if rng.random() < 0.6 else radius - np.hypot(rows, columns - radius)
    layer = rng.uniform(0.02, 0.2) * np.clip(inside / np.float32(rng.uniform(0.2, 4.0)), 0, 1)
    if rng.random() < 0.5:
        half = np.float32(rng.uniform(0.5, 5))
        layer = layer + rng.uniform(0.02, 0.2) * np.clip((half - np.abs(inside - 2 * half)) / np.float32(0.3), 0, 1)
    return layer.astype(np.float32)
