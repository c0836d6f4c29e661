"""Test-only renderer of the slice views of the current layout, off screen: one picture with the views in a row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import slicer
import vtk
from scipy import ndimage
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

_GAP = 6


def renderLayout(
    host,
    labels: tuple[str, ...] = (),
    size: tuple[int, int] = (512, 512),
    zoom: float = 1.0,
    center: tuple[float, float, float] | None = None,
) -> np.ndarray:
    """Draw every slice view of the layout, left to right.

    Args:
        host: MRMLHost.
        labels: text in the upper left corner of each view.
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
        logic = host.applicationLogic.GetSliceLogic(node)
        if i:
            pictures.append(np.full((size[1], _GAP, 3), 255, np.uint8))
        pictures.append(_renderView(logic, labels[i] if i < len(labels) else "", size, zoom, center))
    return np.concatenate(pictures, axis=1)


def renderComparison(host, derived, labels: tuple[str, ...], zoom: float = 4.0) -> np.ndarray:
    """The compare layout twice: the whole images, and below them the part that changed most, closer.

    Args:
        host: MRMLHost whose compare layout shows the node.
        derived: the derived node, at the frame to be shown.
    """
    from DSADeblurScene.compare import DIFFERENCE_REFERENCE
    from DSADeblurScene.input import shownVolume

    volume = shownVolume(derived.GetNodeReference(DIFFERENCE_REFERENCE))
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
    center = ijkToRas.MultiplyPoint((float(col + half), float(row + half), 0, 1))[:3]
    whole = renderLayout(host, labels)
    gap = np.full((_GAP, whole.shape[1], 3), 255, np.uint8)
    return np.concatenate([whole, gap, renderLayout(host, zoom=zoom, center=center)])


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


def _renderView(logic, label: str, size: tuple[int, int], zoom: float, center) -> np.ndarray:
    window = vtk.vtkRenderWindow()
    window.SetOffScreenRendering(True)
    window.SetMultiSamples(0)
    window.SetSize(*size)
    renderer = vtk.vtkRenderer()
    window.AddRenderer(renderer)
    # The views are linked; each is fitted by itself, as the application does when its window takes its size.
    composite = logic.GetSliceCompositeNode()
    linked = composite.GetLinkedControl(), composite.GetHotLinkedControl()
    composite.SetLinkedControl(False)
    logic.ResizeSliceNode(*size)
    logic.FitSliceToBackground(*size)
    node = logic.GetSliceNode()
    fieldOfView = node.GetFieldOfView()
    node.SetFieldOfView(fieldOfView[0] / zoom, fieldOfView[1] / zoom, fieldOfView[2])
    if center is not None:
        node.JumpSliceByCentering(*center)
    logic.UpdatePipeline()
    composite.SetHotLinkedControl(linked[1])
    composite.SetLinkedControl(linked[0])
    mapper = vtk.vtkImageMapper()
    mapper.SetColorWindow(255)
    mapper.SetColorLevel(127.5)
    mapper.SetInputConnection(logic.GetImageDataConnection())
    actor = vtk.vtkActor2D()
    actor.SetMapper(mapper)
    actor.GetProperty().SetDisplayLocationToBackground()
    renderer.AddViewProp(actor)
    if label:
        renderer.AddViewProp(_text(label, size))
    window.Render()
    grabber = vtk.vtkWindowToImageFilter()
    grabber.SetInput(window)
    grabber.ReadFrontBufferOff()
    grabber.Update()
    image = grabber.GetOutput()
    cols, rows, _ = image.GetDimensions()
    return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(rows, cols, -1)[::-1, :, :3].copy()


def _text(label: str, size: tuple[int, int]) -> vtk.vtkTextActor:
    text = vtk.vtkTextActor()
    text.SetInput(label)
    style = text.GetTextProperty()
    style.SetFontSize(18)
    style.SetBold(True)
    style.SetColor(1.0, 0.9, 0.2)
    style.SetShadow(True)
    style.SetVerticalJustificationToTop()
    text.SetDisplayPosition(8, size[1] - 6)
    return text


def showFrame(browser, number: int) -> None:
    """Step a sequence browser to a frame, counted from 1."""
    browser.SetSelectedItemNumber(number - 1)
    slicer.modules.sequences.logic().UpdateAllProxyNodes()
