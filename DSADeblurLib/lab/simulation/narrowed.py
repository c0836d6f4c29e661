"""Phantoms of narrowed vessels of known diameter, straight and curved, to measure stenoses on.

They are bodies of revolution about lines in the isocentre's plane, each ray's way through them exact for straight ones:
tubes drawn as discs (`tubes`) fill narrowings that are shorter than the vessel is wide.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from DSADeblurLib.lab.simulation.conditions import Conditions
from DSADeblurLib.lab.simulation.pairs import USUAL_FILL, Camera
from DSADeblurLib.lab.simulation.phantom import NOMINAL_SPOT_MM, SPOT
from DSADeblurLib.lab.simulation.tubes import View
from DSADeblurLib.physics.acquisition import Slab, expected_intensity, optical_density
from DSADeblurLib.physics.detector import Detector

DIAMETERS_MM = (0.3, 0.4, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0)
IODINE_PER_MM = 0.15
# The narrowest part of a lesion, and each of the slopes that lead to it.
PLATEAU_MM, SLOPE_MM = 2.0, 1.5
_GAP_MM, _SWING_MM, _BEND_MM, _LEAN = 3.2, 0.8, 5.0, 0.05
# Vessels are drawn on so much finer a grid.
_FINER = 3


@dataclass(frozen=True)
class NarrowedVessel:
    """A vessel down the frame whose lesion lies in the middle; `stenosis` is the part of the diameter that is lost."""

    place_mm: float
    diameter_mm: float
    stenosis: float
    curved: bool

    def right_mm(self, down_mm: np.ndarray, order: int = 0) -> np.ndarray:
        """Where the axis lies so far down from the lesion, or the first or second derivative of that."""
        if not self.curved:
            return (self.place_mm + _LEAN * down_mm, np.full_like(down_mm, _LEAN), np.zeros_like(down_mm))[order]
        turn = down_mm / _BEND_MM + order * np.pi / 2
        return _SWING_MM * np.sin(turn) / _BEND_MM**order + (self.place_mm if order == 0 else 0.0)

    def chord_mm(self, right_mm: np.ndarray, down_mm: np.ndarray) -> np.ndarray:
        """Length of the rays through these places within the vessel."""
        foot = down_mm + 0.0
        for _ in range(4):  # Newton's steps to the nearest point of the axis
            away, slope = self.right_mm(foot) - right_mm, self.right_mm(foot, 1)
            foot -= (foot - down_mm + away * slope) / np.maximum(1 + slope**2 + away * self.right_mm(foot, 2), 0.2)
        squared = (self.right_mm(foot) - right_mm) ** 2 + (foot - down_mm) ** 2
        depth = np.clip((PLATEAU_MM / 2 + SLOPE_MM - np.abs(foot)) / SLOPE_MM, 0, 1)
        radius = self.diameter_mm / 2 * (1 - self.stenosis * (1 - np.cos(np.pi * depth)) / 2)
        return 2 * np.sqrt(np.maximum(radius**2 - squared, 0))


@dataclass(frozen=True)
class NarrowedPhantom:
    """Vessels side by side, smallest first, and the beam behind them, (rows, columns), 1 without vessels."""

    view: View
    vessels: tuple[NarrowedVessel, ...]
    beam: np.ndarray

    @property
    def pixels_per_mm(self) -> float:
        return float(self.view.magnification(0.0)) / self.view.spacing_mm

    def along(self, vessel: NarrowedVessel, down_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Middle (n, 2) and direction (n, 2) in pixels of a vessel, so far down the frame from its lesion."""
        places = np.column_stack((vessel.right_mm(down_mm), down_mm, np.zeros_like(down_mm)))
        ways = np.column_stack((np.ones_like(down_mm), vessel.right_mm(down_mm, 1)))
        return self.view.project(places)[0], ways / np.hypot(*ways.T)[:, None]

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
    magnification, spacing = float(view.magnification(0.0)), view.spacing_mm / _FINER
    pitches = np.array(DIAMETERS_MM) + _GAP_MM
    places = np.cumsum(pitches) - pitches / 2 - pitches.sum() / 2
    vessels = tuple(
        NarrowedVessel(float(place), diameter, stenosis, curved)
        for place, diameter in zip(places, DIAMETERS_MM, strict=True)
    )
    grid = (np.arange(_FINER * size) - (_FINER * size - 1) / 2) * spacing / magnification
    depth = np.zeros((grid.size, grid.size), np.float32)
    for vessel in vessels:
        reach = vessel.diameter_mm / 2 + _SWING_MM + _LEAN * float(grid[-1]) + 0.5
        near = np.flatnonzero(np.abs(grid - vessel.place_mm) < reach)
        depth[:, near] += vessel.chord_mm(grid[None, near], np.repeat(grid[:, None], near.size, axis=1))
    beam = expected_intensity([Slab(IODINE_PER_MM * depth, magnification)], SPOT, spacing)
    # The middle of each pixel; the spot's blur has left nothing finer than pixels.
    return NarrowedPhantom(view, vessels, np.ascontiguousarray(beam[_FINER // 2 :: _FINER, _FINER // 2 :: _FINER]))
