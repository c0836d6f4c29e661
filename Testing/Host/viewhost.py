"""Test-only renderer of the slice views of the current layout, off screen: one picture with the views in a row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import slicer
import vtk
from scipy import ndimage
from vtk.util.numpy_support import numpy_to_vtk

_GAP = 6


def renderLayout(
    host,
    size: tuple[int, int] = (512, 512),
    zoom: float = 1.0,
    center: tuple[float, float, float] | None = None,
) -> np.ndarray:
    """Draw every slice view of the layout, left to right.

    Args:
        host: MRMLHost.
        size: of one view in pixels, (width, height).
        zoom: how much closer than the whole image.
        center: RAS position of the middle of the views; None for the middle of the image.

    Returns:
        (height, width of all, 3) uint8, top row first.
    """
    host.updateSliceLogics()
    views = host.layoutLogic.GetViewNodes()
    nodes = [views.GetItemAsObject(i) for i in range(views.GetNumberOfItems())]
    pictures = []
    for i, node in enumerate(node for node in nodes if node.IsA("vtkMRMLSliceNode")):
        if i:
            pictures.append(np.full((size[1], _GAP, 3), 255, np.uint8))
        pictures.append(_renderView(host, node, size, zoom, center))
    return np.concatenate(pictures, axis=1)


def renderComparison(host, volume, zoom: float = 4.0) -> np.ndarray:
    """The compare layout twice: the whole images, and below them the part that changed most, closer.

    Args:
        host: MRMLHost whose compare layout shows the node.
        volume: the change, at the frame to be shown.
    """
    whole = renderLayout(host)
    gap = np.full((_GAP, whole.shape[1], 3), 255, np.uint8)
    return np.concatenate([whole, gap, renderLayout(host, zoom=zoom, center=changedMost(volume, zoom))])


def changedMost(volume, zoom: float) -> tuple[float, float, float]:
    """RAS position of the middle of the part that changed most, of the size that is seen at this zoom."""
    change = np.abs(slicer.util.arrayFromVolume(volume)[0])
    side = max(3, int(max(change.shape) / zoom))
    rows, cols = change.shape
    mean = ndimage.uniform_filter(change, side, mode="constant")
    # The window stays inside the image.
    half = min(side, rows - 1, cols - 1) // 2
    inside = mean[half : rows - half, half : cols - half]
    row, col = np.unravel_index(int(inside.argmax()), inside.shape)
    ijkToRas = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(ijkToRas)
    return ijkToRas.MultiplyPoint((float(col + half), float(row + half), 0, 1))[:3]


def writePicture(path: str | Path, picture: np.ndarray) -> None:
    """Write (rows, cols, 3) uint8 as PNG."""
    image = vtk.vtkImageData()
    rows, cols = picture.shape[:2]
    image.SetDimensions(cols, rows, 1)
    values = numpy_to_vtk(np.ascontiguousarray(picture[::-1]).reshape(-1, 3), deep=True)
    image.GetPointData().SetScalars(values)
    writer = vtk.vtkPNGWriter()
    writer.SetFileName(str(path))
    writer.SetInputData(image)
    writer.Write()


def _renderView(host, node, size: tuple[int, int], zoom: float, center) -> np.ndarray:
    logic, view = host.applicationLogic.GetSliceLogic(node), host.layoutManager.sliceWidget(node.GetLayoutName())
    # The views are linked; each is fitted by itself, as the application does when its window takes its size.
    composite = logic.GetSliceCompositeNode()
    linked, offset = (composite.GetLinkedControl(), composite.GetHotLinkedControl()), logic.GetSliceOffset()
    composite.SetLinkedControl(False)
    view.sliceView().userResizes(*size)
    logic.FitSliceToBackground(*size)
    logic.SetSliceOffset(offset)
    fieldOfView = node.GetFieldOfView()
    node.SetFieldOfView(fieldOfView[0] / zoom, fieldOfView[1] / zoom, fieldOfView[2])
    if center is not None:
        node.JumpSliceByCentering(*center)
    picture = view.sliceView().userSees()
    composite.SetHotLinkedControl(linked[1])
    composite.SetLinkedControl(linked[0])
    return picture


def showFrame(browser, number: int) -> None:
    """Step a sequence browser to a frame, counted from 1."""
    browser.SetSelectedItemNumber(number - 1)
    slicer.modules.sequences.logic().UpdateAllProxyNodes()
