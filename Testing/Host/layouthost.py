"""Test-only stand-in for the application's layout manager and slice views: real VTK windows off screen, no Qt.

Members are those that PythonQt shows of qSlicerLayoutManager, qMRMLSliceWidget and qMRMLSliceView; `qt_api.json` lists
them. What tests do in the place of a user has a name that begins with `user`.
"""

from __future__ import annotations

import numpy as np
import vtk
from vtk.util.numpy_support import vtk_to_numpy

_MOUSE = ("LeftButtonPressEvent", "MouseMoveEvent", "MouseMoveEvent", "LeftButtonReleaseEvent")
_WHEEL = ("MouseWheelBackwardEvent", "MouseWheelForwardEvent")


class LayoutManager:
    """slicer.app.layoutManager()."""

    def __init__(self, host) -> None:
        self._host = host
        self._widgets: dict[str, SliceWidget] = {}

    def sliceWidget(self, name: str) -> SliceWidget | None:
        logic = self._host.applicationLogic.GetSliceLogicByLayoutName(name)
        if logic is None:
            return None
        if name not in self._widgets:
            self._widgets[name] = SliceWidget(logic)
        return self._widgets[name]

    def userCloses(self) -> None:
        """The application ends."""
        for widget in self._widgets.values():
            widget.sliceView().userCloses()
        self._widgets.clear()


class ScreenCaptureLogic:
    """ScreenCapture.ScreenCaptureLogic: a picture of one view."""

    def captureImageFromView(self, view, filename=None, transparentBackground=False, volumeNode=None) -> None:
        view.forceRender()
        grabber, writer = vtk.vtkWindowToImageFilter(), vtk.vtkPNGWriter()
        grabber.SetInput(view.renderWindow())
        writer.SetInputConnection(grabber.GetOutputPort())
        writer.SetFileName(filename)
        writer.Write()


class SliceWidget:
    """qMRMLSliceWidget."""

    def __init__(self, logic) -> None:
        self._view = SliceView(logic)

    def sliceView(self) -> SliceView:
        return self._view


class SliceView:
    """qMRMLSliceView. Like those of the application it is 256 x 256 until the window has been laid out."""

    def __init__(self, logic) -> None:
        self._logic = logic
        self._window, renderer = vtk.vtkRenderWindow(), vtk.vtkRenderer()
        self._window.SetOffScreenRendering(True)
        self._window.SetMultiSamples(0)
        self._window.SetSize(256, 256)
        self._window.AddRenderer(renderer)
        self._interactor = vtk.vtkRenderWindowInteractor()
        self._interactor.SetRenderWindow(self._window)
        self._interactor.SetInteractorStyle(vtk.vtkInteractorStyleUser())
        # Slicer's own handling of mouse and keys; what is kept from it is not here.
        self.seenBySlicer: list[str] = []
        for event in {*_MOUSE, *_WHEEL, "KeyPressEvent"}:
            self._interactor.AddObserver(event, lambda _interactor, event: self.seenBySlicer.append(event))
        self._mapper, actor = vtk.vtkImageMapper(), vtk.vtkActor2D()
        self._mapper.SetColorWindow(255)
        self._mapper.SetColorLevel(127.5)
        actor.SetMapper(self._mapper)
        actor.GetProperty().SetDisplayLocationToBackground()
        renderer.AddViewProp(actor)

    def renderWindow(self):
        return self._window

    def interactor(self):
        return self._interactor

    def scheduleRender(self) -> None:
        pass

    def forceRender(self) -> None:
        self._logic.UpdatePipeline()
        self._mapper.SetInputConnection(self._logic.GetImageDataConnection())
        self._window.Render()

    def userSees(self) -> np.ndarray:
        """(height, width, 3) uint8, top row first."""
        self.forceRender()
        grabber = vtk.vtkWindowToImageFilter()
        grabber.SetInput(self._window)
        grabber.ReadFrontBufferOff()
        grabber.Update()
        image = grabber.GetOutput()
        cols, rows, _ = image.GetDimensions()
        return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(rows, cols, -1)[::-1, :, :3].copy()

    def userResizes(self, width: int, height: int) -> None:
        """The window is laid out."""
        self._window.SetSize(width, height)
        self._interactor.SetSize(width, height)
        self._logic.ResizeSliceNode(width, height)

    def userDrags(self, start: float, end: float, row: float = 0.5) -> None:
        """Press the left button, move and let it go; places in parts of width and height."""
        width, height = self._window.GetSize()
        places = [(int(part * width), int(row * height)) for part in (start, (start + end) / 2, end)]
        for event, place in zip(_MOUSE, (*places, places[-1]), strict=True):
            self._interactor.SetEventInformation(*place)
            self._interactor.InvokeEvent(event)

    def userPresses(self, key: str) -> None:
        """Press a key over the view."""
        self._interactor.SetKeySym(key)
        self._interactor.InvokeEvent("KeyPressEvent")
        self._interactor.InvokeEvent("KeyReleaseEvent")

    def userTurnsWheel(self, isForward: bool, withControl: bool = False) -> None:
        """By one notch."""
        self._interactor.SetControlKey(withControl)
        self._interactor.InvokeEvent(_WHEEL[isForward])

    def userCloses(self) -> None:
        """The window goes."""
        self._interactor.RemoveAllObservers()
        self._window.Finalize()
