"""Markups lines for tests: drawn in pixels of a volume, and what the library says of their length."""

from __future__ import annotations

from pathlib import Path

import slicer
import vtk


def drawLine(volume, first, second, name="L", placed=True, slices=(0.0, 0.0)):
    """A line between two (row, column) of a volume, drawn as a click into a view that shows the volume does."""
    line = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsLineNode", name)
    for (row, col), k in zip((first, second), slices, strict=True):
        line.AddControlPointWorld(vtk.vtkVector3d(worldOf(volume, row, col, k)))
        if placed:
            line.SetNthControlPointAssociatedNodeID(line.GetNumberOfControlPoints() - 1, volume.GetID())
    return line


def worldOf(volume, row, col, k=0.0):
    """The place of a pixel in the scene."""
    ijkToRas, toWorld = vtk.vtkMatrix4x4(), vtk.vtkGeneralTransform()
    volume.GetIJKToRASMatrix(ijkToRas)
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(volume.GetParentTransformNode(), None, toWorld)
    return toWorld.TransformPoint(ijkToRas.MultiplyPoint((col, row, k, 1))[:3])


def movePoint(line, volume, row, col):
    """Move the second end of a line to a pixel."""
    line.SetNthControlPointPositionWorld(1, *worldOf(volume, row, col))


def label(line) -> str:
    """What the views draw beside a line, after its name, in one line."""
    return line.GetPropertiesLabelText().strip().replace("\n", " ")


def expected(rows, cols, folder: Path, kind=None):
    """What the library says of a length on the run a.dcm of a folder, from the file alone."""
    from DSADeblurLib.measurement.calibration import Length, choices
    from DSADeblurLib.xa import read_header

    allowed = choices(read_header(folder / "a.dcm").acquisition)
    return Length(rows, cols, 1.0).measured(allowed.of_kind(kind) if kind else allowed.default)
