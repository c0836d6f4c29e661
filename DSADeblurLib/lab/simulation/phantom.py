"""Phantoms of straight vessels and edges at known places, and still runs, to measure on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from DSADeblurLib.lab.image_quality.detection import Site
from DSADeblurLib.lab.simulation.conditions import Conditions
from DSADeblurLib.lab.simulation.scene import SLAB_CENTRES_MM, SLAB_EDGES_MM, Scene
from DSADeblurLib.lab.simulation.tubes import Tube, View, draw_tubes
from DSADeblurLib.lab.simulation.vessels import decouple_contrast
from DSADeblurLib.physics.detector import Detector
from DSADeblurLib.physics.focal_spot import FocalSpot

DIAMETERS_MM = (0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.5, 2.0)
THIN_MM = 0.3
# Nominal 1.0 as IEC 60336 lets it be, at magnification 1.5: about 4 by 5 pixels of blur.
SPOT = FocalSpot(1.2, 1.6, "rectangle", 30.0)
# By IEC 60336 that is a spot of nominal 1.0 mm.
NOMINAL_SPOT_MM = 1.0
QUANTA = 40_000.0
_LEAN = 0.08
_PITCH_PX = 64


@dataclass(frozen=True)
class VesselPhantom:
    """The scene, how it is taken, and where each vessel (smallest first) is measured: points and one tangent."""

    scene: Scene
    conditions: Conditions
    points: tuple[tuple[float, float], ...]
    tangent: tuple[float, float]


@dataclass(frozen=True)
class DetectionPhantom:
    """The scene, how it is taken, places on thin vessels and places without, and the vessels' diameter in pixels."""

    scene: Scene
    conditions: Conditions
    vessels: tuple[Site, ...]
    empty: tuple[Site, ...]
    diameter_px: float


def vessel_phantom(same_contrast: bool, size: int = 512, quanta: float = QUANTA) -> VesselPhantom:
    """Eight vessels side by side, slightly tilted, in a beam of `quanta` a pixel.

    With `same_contrast` every vessel has the optical density of one of 1 mm; otherwise it goes with the diameter.
    """
    view = _view(size)
    width = view.field_mm[1]
    places = ((np.arange(len(DIAMETERS_MM)) + 0.5) / len(DIAMETERS_MM) - 0.5) * width
    tubes = [_leaning_tube(view, place, d) for place, d in zip(places, DIAMETERS_MM, strict=True)]
    if same_contrast:
        tubes = decouple_contrast(tubes, power=1.0, reference_mm=0.5)
    scale = view.magnification(0.0) / view.spacing_mm
    points = tuple(((size - 1) / 2, float(place * scale + (size - 1) / 2)) for place in places)
    scene = _scene(view, 0.25 * draw_tubes(tubes, view, SLAB_EDGES_MM))
    return VesselPhantom(scene, _conditions(view, quanta), points, (1.0, _LEAN))


def detection_phantom(density: float, size: int = 512, quanta: float = QUANTA) -> DetectionPhantom:
    """Thin vessels of peak optical density `density` (0 for none), every 64 pixels, and nothing half way between."""
    view = _view(size)
    scale = view.magnification(0.0) / view.spacing_mm
    columns = np.arange(_PITCH_PX / 2, size, _PITCH_PX)
    tubes = [_leaning_tube(view, (column - (size - 1) / 2) / scale, THIN_MM) for column in columns]
    iodine = density / THIN_MM * draw_tubes(tubes, view, SLAB_EDGES_MM)

    def sites(columns: np.ndarray) -> tuple[Site, ...]:
        rows = np.arange(24, size - 24, 28)
        found = [(float(row), float(column + _LEAN * (row - (size - 1) / 2))) for row in rows for column in columns]
        return tuple(Site(point, (1.0, _LEAN)) for point in found if 24 <= point[1] <= size - 25)

    return DetectionPhantom(
        _scene(view, iodine),
        _conditions(view, quanta),
        sites(columns),
        sites(columns[:-1] + _PITCH_PX / 2),
        THIN_MM * scale,
    )


def edge_phantom(upright: bool, density: float = 0.3, size: int = 256, quanta: float = QUANTA) -> VesselPhantom:
    """One straight edge through the middle, 4 degrees from the pixel grid, with contrast agent on one side."""
    view = _view(size)
    y, x = np.indices(view.shape) - (size - 1) / 2
    angle = np.radians(4.0)
    distance = (x if upright else y) * np.cos(angle) - (y if upright else x) * np.sin(angle)
    # The part of each pixel that lies behind the edge, for an edge nearly parallel to the pixels.
    covered = np.clip(distance + 0.5, 0, 1).astype(np.float32)
    iodine = np.zeros((len(SLAB_CENTRES_MM), *view.shape), np.float32)
    iodine[len(SLAB_CENTRES_MM) // 2] = density * covered
    middle = ((size - 1) / 2, (size - 1) / 2)
    tangent = (1.0, float(np.tan(angle))) if upright else (float(np.tan(angle)), 1.0)
    return VesselPhantom(_scene(view, iodine), _conditions(view, quanta), (middle,), tangent)


def still_run(scene: Scene, moments: int) -> Scene:
    """The middle moment of a scene over and over: whatever changes in its frames is noise."""
    middle = scene.iodine[scene.moments // 2]
    return replace(scene, iodine=np.repeat(middle[None], moments, axis=0))


def _view(size: int) -> View:
    return View((size, size), 0.154, 1100.0, 1100.0 / 1.5)


def _leaning_tube(view: View, place_mm: float, diameter_mm: float) -> Tube:
    along = np.linspace(-0.6, 0.6, 120) * view.field_mm[0]
    return Tube.uniform(np.stack((place_mm + _LEAN * along, along, np.zeros_like(along)), axis=1), diameter_mm / 2)


def _scene(view: View, iodine: np.ndarray) -> Scene:
    return Scene(view, np.zeros_like(iodine), iodine[None])


def _conditions(view: View, quanta: float) -> Conditions:
    detector = Detector(spacing_mm=(view.spacing_mm, view.spacing_mm))
    return Conditions(SPOT, detector, quanta, mask_frames=4, nominal_spot_mm=NOMINAL_SPOT_MM)
