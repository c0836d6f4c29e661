"""A phantom of straight vessels of known diameters, to measure how wide they come out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from DSADeblurLib.physics.detector import Detector
from DSADeblurLib.physics.focal_spot import FocalSpot

from .pairs import Conditions
from .scene import SLAB_EDGES_MM, Scene
from .tubes import Tube, View, draw_tubes
from .vessels import decouple_contrast

DIAMETERS_MM = (0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.5, 2.0)
# Nominal 1.0 as IEC 60336 lets it be, at magnification 1.5: about 4 by 5 pixels of blur.
SPOT = FocalSpot(1.2, 1.6, "rectangle", 30.0)
QUANTA = 40_000.0


@dataclass(frozen=True)
class VesselPhantom:
    """The scene, how it is taken, and where each vessel (smallest first) is measured: points and one tangent."""

    scene: Scene
    conditions: Conditions
    points: tuple[tuple[float, float], ...]
    tangent: tuple[float, float]


def vessel_phantom(same_contrast: bool, size: int = 512) -> VesselPhantom:
    """Eight vessels side by side, slightly tilted, in 150 mm of water-like background.

    With `same_contrast` every vessel has the optical density of one of 1 mm; otherwise it goes with the diameter.
    """
    view = View((size, size), 0.154, 1100.0, 1100.0 / 1.5)
    height, width = view.field_mm
    places = (np.arange(len(DIAMETERS_MM)) + 0.5) / len(DIAMETERS_MM) - 0.5
    lean = 0.08
    along = np.linspace(-0.6, 0.6, 120) * height
    tubes = []
    for place, diameter in zip(places, DIAMETERS_MM, strict=True):
        points = np.stack((place * width + lean * along, along, np.zeros_like(along)), axis=1)
        tubes.append(Tube.uniform(points, diameter / 2))
    if same_contrast:
        tubes = decouple_contrast(tubes, power=1.0, reference_mm=0.5)
    iodine = 0.25 * draw_tubes(tubes, view, SLAB_EDGES_MM)
    detector = Detector(spacing_mm=(view.spacing_mm, view.spacing_mm))
    scale = view.magnification(0.0) / view.spacing_mm
    points = tuple(((size - 1) / 2, float(place * width * scale + (size - 1) / 2)) for place in places)
    scene = Scene(view, np.zeros_like(iodine), iodine)
    return VesselPhantom(scene, Conditions(SPOT, detector, QUANTA, mask_frames=4), points, (1.0, lean))
