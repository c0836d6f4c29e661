"""Phantoms of narrowed vessels of known diameter, straight and curved, to measure stenoses on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from DSADeblurLib.lab.simulation.conditions import Conditions
from DSADeblurLib.lab.simulation.pairs import USUAL_FILL, Camera
from DSADeblurLib.lab.simulation.phantom import NOMINAL_SPOT_MM, SPOT
from DSADeblurLib.lab.simulation.scene import SLAB_EDGES_MM
from DSADeblurLib.lab.simulation.tubes import Tube, View, draw_tubes
from DSADeblurLib.physics.acquisition import Slab, expected_intensity, optical_density
from DSADeblurLib.physics.detector import Detector

DIAMETERS_MM = (0.3, 0.4, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0)
IODINE_PER_MM = 0.15
# The narrowest part of a lesion, and each of the slopes that lead to it.
PLATEAU_MM, SLOPE_MM = 2.0, 1.5
_GAP_MM, _SWING_MM, _BEND_MM, _LEAN = 3.2, 0.8, 5.0, 0.05
# Vessels are drawn on so much finer a grid: drawing averages over its pixels, and the detector does so once more.
_FINER = 3


@dataclass(frozen=True)
class NarrowedVessel:
    """A vessel whose lesion lies in the middle of the frame; `stenosis` is the part of the diameter that is lost."""

    diameter_mm: float
    stenosis: float
    tube: Tube


@dataclass(frozen=True)
class NarrowedPhantom:
    """Vessels side by side, smallest first, and the beam behind them, (rows, columns), 1 without vessels."""

    view: View
    vessels: tuple[NarrowedVessel, ...]
    beam: np.ndarray

    @property
    def pixels_per_mm(self) -> float:
        return float(self.view.magnification(0.0)) / self.view.spacing_mm

    def along(self, vessel: NarrowedVessel, place_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Middle (n, 2) and direction (n, 2) in pixels of a vessel, so far down the frame from its lesion."""
        points, _ = self.view.project(vessel.tube.points_mm)
        down = vessel.tube.points_mm[:, 1]
        ways = np.gradient(points, axis=0)
        found = [np.column_stack([np.interp(place_mm, down, one) for one in part.T]) for part in (points, ways)]
        return found[0], found[1] / np.hypot(*found[1].T)[:, None]

    def take(self, quanta: float, rng: np.random.Generator) -> np.ndarray:
        """A subtracted frame at `quanta` per pixel, its mask the mean of four, (rows, columns) float32."""
        detector = Detector(spacing_mm=self.view.spacing_mm)
        camera = Camera(
            Conditions(SPOT, detector, quanta, nominal_spot_mm=NOMINAL_SPOT_MM),
            quanta,
            replace(detector, gain=USUAL_FILL * detector.max_dn / quanta),
            rng,
        )
        return optical_density(camera.frame(self.beam), camera.frame(np.ones_like(self.beam), 4))


def narrowed_phantom(stenosis: float, curved: bool, size: int = 512) -> NarrowedPhantom:
    """One vessel of each of DIAMETERS_MM at magnification 1.5, all narrowed alike."""
    view = View((size, size), 0.154, 1100.0, 1100.0 / 1.5)
    fine = View((_FINER * size, _FINER * size), view.spacing_mm / _FINER, view.sid_mm, view.sod_mm)
    pitches = np.array(DIAMETERS_MM) + _GAP_MM
    places = np.cumsum(pitches) - pitches / 2 - pitches.sum() / 2
    vessels = tuple(
        NarrowedVessel(diameter, stenosis, _tube(view, place, diameter, stenosis, curved))
        for place, diameter in zip(places, DIAMETERS_MM, strict=True)
    )
    iodine = IODINE_PER_MM * draw_tubes([one.tube for one in vessels], fine, SLAB_EDGES_MM).sum(axis=0)
    beam = expected_intensity([Slab(iodine, float(view.magnification(0.0)))], SPOT, fine.spacing_mm)
    # The middle of each pixel; the spot's blur has left nothing finer than pixels.
    return NarrowedPhantom(view, vessels, np.ascontiguousarray(beam[_FINER // 2 :: _FINER, _FINER // 2 :: _FINER]))


def _tube(view: View, place_mm: float, diameter_mm: float, stenosis: float, curved: bool) -> Tube:
    down = np.linspace(-0.6, 0.6, 1200) * view.field_mm[0]
    right = place_mm + (_SWING_MM * np.sin(down / _BEND_MM) if curved else _LEAN * down)
    depth = np.clip((PLATEAU_MM / 2 + SLOPE_MM - np.abs(down)) / SLOPE_MM, 0, 1)
    narrowing = stenosis * (1 - np.cos(np.pi * depth)) / 2
    points = np.stack((right, down, np.zeros_like(down)), axis=1)
    return replace(Tube.uniform(points, 1.0), radii_mm=diameter_mm / 2 * (1 - narrowing))
