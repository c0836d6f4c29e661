"""Stenoses marked in the image: the least lumen from wall to wall, and where the reference says that the walls were."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import slicer
import vtk

from DSADeblurScene.derived import ATTRIBUTE
from DSADeblurScene.lengths import gridOf

if TYPE_CHECKING:
    from DSADeblurLib.measurement.markup import Marks

_ROLE = ATTRIBUTE + "Role"
# Name, colour and width on the screen.
_LEAST = "least lumen", (1.0, 0.85, 0.1), 3
_REFERENCE = "reference walls", (0.3, 0.9, 0.4), 1


def putMarks(marks: Sequence[tuple[Marks, int]], volume) -> None:
    """Mark these stenoses on a run, and no others.

    marks: each with its slice of a stack. volume: where the frames of the run lie in the scene.
    """
    for look, lines in (
        (_LEAST, [(one.least, plane) for one, plane in marks]),
        (_REFERENCE, [(wall, plane) for one, plane in marks for wall in one.walls]),
    ):
        node = _node(look[0])
        if node is None:
            if not lines:
                continue
            node = _added(*look)
        node.SetAndObserveTransformNodeID(volume.GetTransformNodeID())
        node.SetAndObservePolyData(_polyData(lines, volume))


def removeMarks() -> None:
    """Leave no stenosis marked."""
    for node in (_node(_LEAST[0]), _node(_REFERENCE[0])):
        if node is not None:
            slicer.mrmlScene.RemoveNode(node)


def _node(role: str):
    nodes = slicer.util.getNodesByClass("vtkMRMLModelNode")
    return next((node for node in nodes if node.GetAttribute(_ROLE) == role), None)


def _added(role: str, colour: tuple[float, float, float], width: int):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode", f"DSADeblur {role} (research use only)")
    node.SetAttribute(_ROLE, role)
    node.SetSelectable(False)
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetColor(*colour)
    display.SetVisibility2D(True)
    display.SetSliceIntersectionThickness(width)
    # Lines in the plane of the image have no section with it.
    display.SetSliceDisplayModeToProjection()
    return node


def _polyData(lines: Sequence[tuple[np.ndarray, int]], volume) -> vtk.vtkPolyData:
    """Lines (n, 2) rows and columns of a slice, where the volume has them."""
    toRas = vtk.vtkMatrix4x4()
    gridOf(volume).GetIJKToRASMatrix(toRas)
    points, cells = vtk.vtkPoints(), vtk.vtkCellArray()
    for line, plane in lines:
        cells.InsertNextCell(len(line))
        for row, column in line:
            cells.InsertCellPoint(points.InsertNextPoint(toRas.MultiplyPoint((column, row, plane, 1.0))[:3]))
    made = vtk.vtkPolyData()
    made.SetPoints(points)
    made.SetLines(cells)
    return made
