"""A run of vessels with a known stenosis, simulated, and markups on it."""

from __future__ import annotations

from functools import cache

import numpy as np
import slicer
import vtk
from lines import worldOf
from scenes import load

from DSADeblurLib.lab.simulation.narrowed import NarrowedPhantom, narrowed_phantom
from DSADeblurLib.lab.simulation.phantom import NOMINAL_SPOT_MM

DIAMETER_MM, LOST = 2.0, 0.5
"""Of the vessel that is measured, and the part of it that its stenosis takes."""
_BRIGHT, _NOISE = 3000.0, 8.0


@cache
def phantom() -> NarrowedPhantom:
    """Vessels of which the middle ones lie in a small frame."""
    return narrowed_phantom(LOST, False, 256)


def loadNarrowed(path, frames: int = 4, header: bool = True, **options):
    """A run whose first two frames are masks and whose others show the vessels.

    header: whether it tells geometry and pixel size.
    """
    beam, rng = phantom().beam, np.random.default_rng(5)
    clean = [np.ones_like(beam)] * 2 + [beam] * (frames - 2)
    values = [_BRIGHT * one + rng.normal(0, _NOISE, one.shape) for one in clean]
    view = phantom().view
    known = {"DistanceSourceToPatient": f"{view.sod_mm:.4f}", "FocalSpots": f"{NOMINAL_SPOT_MM}"} if header else {}
    spacing = (view.spacing_mm, view.spacing_mm) if header else None
    pixels = np.rint(np.clip(values, 0, 4095)).astype(np.uint16)
    return load(
        path,
        pixels,
        spacing=spacing,
        geometry=header,
        mask_frames=(1, 2),
        contrast_range=(3, frames),
        extra=known,
        **options,
    )


def placesAlong(down_mm) -> np.ndarray:
    """(n, 2) rows and columns of the vessel's middle, so far down from its stenosis."""
    vessel = next(one for one in phantom().vessels if one.diameter_mm == DIAMETER_MM)
    return phantom().along(vessel, np.asarray(down_mm, float))[0]


def drawMarkup(volume, kind: str, points, name: str = "M"):
    """A markup of the group Measure with points (row, column), placed by hand."""
    from DSADeblurScene.line_labels import MEASURES

    className = "vtkMRMLMarkupsCurveNode" if kind == "stenosis" else "vtkMRMLMarkupsLineNode"
    markup = slicer.mrmlScene.AddNewNodeByClass(className, name)
    markup.SetAttribute(MEASURES, kind)
    for row, column in points:
        markup.AddControlPointWorld(vtk.vtkVector3d(worldOf(volume, row, column)))
    return markup


def drawDiameter(volume, down_mm: float = -8.0, half: float = 16.0, name: str = "D"):
    """A line across the vessel, so far down from its stenosis."""
    ((row, column),) = placesAlong([down_mm])
    return drawMarkup(volume, "diameter", [(row, column - half), (row + 1.0, column + half)], name)


def drawStenosis(volume, reach_mm: float = 6.0, name: str = "S"):
    """A curve along the vessel."""
    return drawMarkup(volume, "stenosis", placesAlong([-reach_mm, 0.0, reach_mm]), name)
