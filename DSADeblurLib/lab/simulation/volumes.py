"""Scenes from real anatomy: vessels traced in segmented volumes and a CT, seen in perspective from random sides.

The volumes stay outside the project: the environment variable DSADEBLUR_ANATOMY names a folder with NIfTI files whose
names end with `arteries`, `veins` and `ct` (`.nii` or `.nii.gz`): binary masks, and a CT in Hounsfield units. Arteries
are needed, the others are drawn at random where they are missing. Reading needs the package nibabel.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy import ndimage, sparse
from scipy.sparse import csgraph
from scipy.spatial import cKDTree
from skimage.morphology import skeletonize

from DSADeblurLib.lab.simulation.anatomy import random_anatomy
from DSADeblurLib.lab.simulation.flow import random_motion
from DSADeblurLib.lab.simulation.scene import SLAB_EDGES_MM, Scene, injected_scene, random_view
from DSADeblurLib.lab.simulation.textures import spread
from DSADeblurLib.lab.simulation.tubes import Tube, View, smooth_line
from DSADeblurLib.lab.simulation.veins import random_veins
from DSADeblurLib.lab.simulation.vessels import SPEED_EXPONENT, Buds, grow, random_style

ENVIRONMENT = "DSADEBLUR_ANATOMY"
# A CT's voxels are about 1 mm: it is projected on a grid this many times coarser than the frame, and spread smoothly.
CT_COARSENESS = 4
CT_STEP_MM = 1.5
WATER_PER_MM = 0.022
# Bone attenuates more than its Hounsfield units say of water at this energy, and weighs the more for it.
BONE_ABOVE_HU, BONE_GAIN = 200.0, 1.3
SMALLEST_PART_VOXELS = 30


@dataclass(frozen=True)
class Volumes:
    """One head: arteries and veins as tubes in mm about their middle, x right, y forward, z up; the CT, if any.

    `arrival_s` of arteries counts from the inlet, that of veins from their thin ends. `ct` (x, y, z) is in Hounsfield
    units with voxels of `ct_spacing_mm`.
    """

    arteries: list[Tube]
    veins: list[Tube]
    ct: np.ndarray | None = None
    ct_spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0)

    @classmethod
    def load(cls, folder: str | Path | None = None) -> Volumes:
        """Read and trace the volumes in a folder, by default the one that DSADEBLUR_ANATOMY names.

        Raises:
            ValueError: no folder is named, it lacks the arteries, or a file is not what it should be.
        """
        folder = folder or os.environ.get(ENVIRONMENT)
        if not folder:
            raise ValueError(f"No folder of volumes is given; set the environment variable {ENVIRONMENT}.")
        paths = {kind: _only(Path(folder), kind) for kind in ("arteries", "veins", "ct")}
        if paths["arteries"] is None:
            raise ValueError(f"No file *arteries.nii or *arteries.nii.gz lies in {folder}.")
        mask, spacing = _read(paths["arteries"])
        arteries, middle = trace_vessels(mask > 0, spacing)
        veins: list[Tube] = []
        if paths["veins"] is not None:
            mask, spacing = _read(paths["veins"])
            traced, _ = trace_vessels(mask > 0, spacing, middle)
            latest = max(tube.arrival_s.max() for tube in traced)
            veins = [replace(tube, arrival_s=latest - tube.arrival_s) for tube in traced]
        if paths["ct"] is None:
            return cls(arteries, veins)
        ct, spacing = _read(paths["ct"])
        return cls(arteries, veins, ct.astype(np.float32), spacing)


def _only(folder: Path, kind: str) -> Path | None:
    found = sorted([*folder.glob(f"*{kind}.nii"), *folder.glob(f"*{kind}.nii.gz")])
    if len(found) > 1:
        raise ValueError(f"{folder} holds {len(found)} files *{kind}.nii; one is needed.")
    return found[0] if found else None


def _read(path: Path) -> tuple[np.ndarray, tuple[float, float, float]]:
    """Voxels with axes right, forward, up, and their spacing in mm."""
    try:
        import nibabel
    except ImportError as error:
        raise ValueError("Reading volumes needs the package nibabel.") from error
    try:
        image = nibabel.as_closest_canonical(nibabel.load(path))
        voxels = np.asanyarray(image.dataobj)
    except (nibabel.filebasedimages.ImageFileError, OSError, EOFError) as error:
        raise ValueError(f"{path} cannot be read as a NIfTI volume: {error}") from error
    if voxels.ndim != 3 or min(voxels.shape) < 2:
        raise ValueError(f"{path} holds an array of shape {voxels.shape}, not a volume.")
    return voxels, tuple(float(zoom) for zoom in image.header.get_zooms()[:3])


def trace_vessels(
    mask: np.ndarray, spacing_mm: tuple[float, float, float], middle_mm: np.ndarray | None = None
) -> tuple[list[Tube], np.ndarray]:
    """A mask's vessels as smooth tubes along its skeleton, and the point (3,) in mm that they are centred on.

    Radii are the distances to the wall. `arrival_s` is the time
    that blood takes along the vessels from the widest low end, where a head's vessels come in or go out.

    Raises:
        ValueError: the mask holds no vessel.
    """
    labels, count = ndimage.label(mask, np.ones((3, 3, 3)))
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    sizes[0] = 0
    mask = (sizes >= SMALLEST_PART_VOXELS)[labels]
    if not mask.any():
        raise ValueError(f"The volume of vessels holds no connected part of {SMALLEST_PART_VOXELS} voxels or more.")
    box = ndimage.find_objects(mask.astype(np.uint8))[0]
    box = tuple(slice(max(part.start - 1, 0), part.stop + 1) for part in box)
    inner = np.pad(mask[box], 1)
    spacing = np.array(spacing_mm)
    walls = ndimage.distance_transform_edt(inner, sampling=spacing)
    nodes = np.argwhere(skeletonize(inner))
    origin = np.array([part.start for part in box]) - 1
    points = (nodes + origin) * spacing
    middle = points.mean(axis=0) if middle_mm is None else middle_mm
    # The distance is that to the next voxel's middle; the wall lies half a voxel before it.
    radii = np.maximum(walls[tuple(nodes.T)] - 0.5 * spacing.min(), 0.4 * spacing.min())
    paths, seconds = _paths(nodes, points, radii)
    tubes = [_smooth_tube(points[path] - middle, radii[path], seconds[path]) for path in paths]
    return tubes, middle


def _paths(nodes: np.ndarray, points: np.ndarray, radii: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """The skeleton as paths of nodes, longest first, that start where they leave another; arrival at each node."""
    pairs = cKDTree(nodes).query_pairs(1.8, output_type="ndarray")
    length = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1)
    seconds = length / (150.0 * radii[pairs].mean(axis=1) ** SPEED_EXPONENT)
    graph = sparse.coo_matrix((seconds, pairs.T), shape=(len(nodes),) * 2).tocsr()
    tree = csgraph.minimum_spanning_tree(graph)
    parts, part_of = csgraph.connected_components(tree, directed=False)
    # Wide and low: the inlet of arteries, the outlet of veins.
    low = radii - 0.02 * (points[:, 2] - points[:, 2].min())
    inlets = np.array([np.flatnonzero(part_of == part)[np.argmax(low[part_of == part])] for part in range(parts)])
    distance, before, _ = csgraph.dijkstra(
        tree, directed=False, indices=inlets, return_predecessors=True, min_only=True
    )
    main = inlets[np.argmax(np.bincount(part_of))]
    away = np.linalg.norm(points[inlets] - points[main], axis=1) / 150.0
    arrival = distance + away[part_of]
    leaves = np.setdiff1d(np.arange(len(nodes)), before[before >= 0])
    taken = np.zeros(len(nodes), bool)
    paths = []
    for leaf in leaves[np.argsort(-distance[leaves])]:
        path = [leaf]
        while before[path[-1]] >= 0 and not taken[path[-1]]:
            path.append(before[path[-1]])
        # Stubs shorter than the vessel is wide are unevenness of the wall, not branches.
        if len(path) >= 4 and np.linalg.norm(points[path[0]] - points[path[-1]]) > 1.2 * radii[path[-1]]:
            taken[path] = True
            paths.append(np.array(path[::-1]))
    return paths, arrival


def _smooth_tube(points: np.ndarray, radii: np.ndarray, seconds: np.ndarray) -> Tube:
    """A tube through a path of voxels without their steps; its ends stay."""
    smooth = ndimage.gaussian_filter1d(points, 1.5, axis=0, mode="nearest")
    smooth[[0, -1]] = points[[0, -1]]
    course = smooth_line(smooth[:: 3 if len(smooth) > 12 else 1], 0.4)
    before, after = np.linspace(0, 1, len(points)), np.linspace(0, 1, len(course))
    radii = ndimage.gaussian_filter1d(radii, 3, mode="nearest")
    arrival = np.interp(after, before, np.maximum.accumulate(seconds))
    return Tube(course, np.interp(after, before, radii), np.ones(len(course)), arrival)


def volume_scene(rng: np.random.Generator, shape: tuple[int, int], moments: int, volumes: Volumes) -> Scene:
    """A head from a random side, bent a little and of random size, in a field about one of its arteries.

    Branches too thin for the volume grow from where its vessels end.
    """
    view = random_view(rng, shape)
    turn = _random_turn(rng) * rng.uniform(0.9, 1.1)
    chosen = volumes.arteries[int(rng.integers(min(40, len(volumes.arteries))))]
    centre = turn @ (rng.uniform(0.3, 1.0) * chosen.points_mm[len(chosen.radii_mm) // 2])
    centre[2] *= 0.5
    bend = random_motion(rng, view, np.zeros(1), most_px=1.0)
    size = np.linalg.norm(bend.directions, axis=1).sum()
    bend = replace(bend, directions=bend.directions * rng.uniform(0, 6) / size)

    def placed(tubes: list[Tube]) -> list[Tube]:
        moved = [replace(t, points_mm=(t.points_mm + bend.displacement(t.points_mm)) @ turn.T - centre) for t in tubes]
        return [tube for tube in moved if _near(tube, view)]

    # As often as not one side is injected: what lies across the middle of the head stays empty.
    side = rng.choice([-1.0, 0.0, 1.0], p=[0.25, 0.5, 0.25])
    injected = [tube for tube in volumes.arteries if side * tube.points_mm[:, 0].mean() > -8.0]
    arteries = placed(injected) or placed(volumes.arteries)
    arteries += _thinner(rng, view, arteries)
    veins = placed(volumes.veins) if volumes.veins else random_veins(rng, view)
    if volumes.ct is None:
        static = random_anatomy(rng, view, SLAB_EDGES_MM, style="head")
    else:
        static = project_ct(volumes, view, turn, centre)
        low, high = np.percentile(static.sum(axis=0)[::8, ::8], (1, 99))
        static *= rng.uniform(0.6, 2.2) / max(high - low, 0.3)
    return injected_scene(rng, view, static, arteries, veins, moments)


def _random_turn(rng: np.random.Generator) -> np.ndarray:
    """From head (right, forward, up) to view (columns, rows, towards the source): any side, tilted as C-arms are."""
    around, tilt, roll = rng.uniform(0, 2 * np.pi), np.deg2rad(rng.uniform(-40, 40)), rng.normal(0, 0.25)
    upright = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    cosine, sine = np.cos([around, tilt, roll]), np.sin([around, tilt, roll])
    about = np.array([[cosine[0], -sine[0], 0], [sine[0], cosine[0], 0], [0, 0, 1]])
    nod = np.array([[1, 0, 0], [0, cosine[1], -sine[1]], [0, sine[1], cosine[1]]])
    spin = np.array([[cosine[2], -sine[2], 0], [sine[2], cosine[2], 0], [0, 0, 1]])
    return spin @ nod @ upright @ about


def _near(tube: Tube, view: View) -> bool:
    half = np.array(view.field_mm[::-1]) / 2 + 10
    return bool(np.any(np.all(np.abs(tube.points_mm[:, :2]) < half, axis=1)))


def _thinner(rng: np.random.Generator, view: View, arteries: list[Tube]) -> list[Tube]:
    """Branches that go on where the traced arteries end."""
    half = np.array(view.field_mm[::-1]) / 2
    ends = [tube for tube in arteries if np.all(np.abs(tube.points_mm[-1, :2]) < half) and len(tube.radii_mm) > 4]
    if not ends:
        return []
    heading = np.array([tube.points_mm[-1] - tube.points_mm[-4] for tube in ends])
    heading /= np.maximum(np.linalg.norm(heading, axis=1, keepdims=True), 1e-6)
    radii = np.array([0.9 * tube.radii_mm[-1] for tube in ends])
    arrival = np.array([tube.arrival_s[-1] for tube in ends])
    buds = Buds(np.array([tube.points_mm[-1] for tube in ends]), heading, heading, radii, arrival)
    return grow(rng, view, replace(random_style(rng, view), depth_mm=90.0), buds)


def project_ct(volumes: Volumes, view: View, turn: np.ndarray, centre_mm: np.ndarray) -> np.ndarray:
    """Line integrals of the CT, float32 (slabs, rows, columns), seen by `turn` (3, 3) with `centre_mm` in the middle.

    The CT's middle is put where the vessels' is; air counts nothing.
    """
    spacing = np.array(volumes.ct_spacing_mm)
    attenuation = WATER_PER_MM * np.clip(1 + volumes.ct / 1000, 0, None)
    attenuation += WATER_PER_MM * BONE_GAIN * np.clip(volumes.ct - BONE_ABOVE_HU, 0, None) / 1000
    filled = np.argwhere(volumes.ct[::4, ::4, ::4] > -300) * 4
    middle = (filled.min(axis=0) + filled.max(axis=0)) / 2 if len(filled) else np.array(volumes.ct.shape) / 2
    small = tuple(-(-n // CT_COARSENESS) + 2 for n in view.shape)
    places = [np.arange(n) * CT_COARSENESS - (full - 1) / 2 for n, full in zip(small, view.shape, strict=True)]
    rows, columns = np.meshgrid(*places, indexing="ij")
    back = np.linalg.inv(turn) / spacing[:, None]
    reach = 0.5 * float(np.linalg.norm(np.array(volumes.ct.shape) * spacing))
    image = np.zeros((len(SLAB_EDGES_MM) + 1, *small), np.float32)
    # No source that is used lies nearer than this to the middle of a head.
    for z in np.arange(max(-reach - centre_mm[2], -200), min(reach - centre_mm[2], 200), CT_STEP_MM):
        scale = view.spacing_mm / view.magnification(z)
        x, y = columns * scale + centre_mm[0], rows * scale + centre_mm[1]
        where = [row[0] * x + row[1] * y + row[2] * (z + centre_mm[2]) + m for row, m in zip(back, middle, strict=True)]
        plane = ndimage.map_coordinates(attenuation, where, order=1, output=np.float32, mode="constant")
        image[int(np.searchsorted(SLAB_EDGES_MM, z))] += CT_STEP_MM * plane
    return np.stack([np.maximum(spread(layer, CT_COARSENESS, view.shape), 0) for layer in image])
