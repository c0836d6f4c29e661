"""What is drawn over the image of a slice view, in screen captures too: whose image it is, and a curtain."""

from __future__ import annotations

from collections.abc import Callable

import slicer
import vtk

from DSADeblurScene.layouts import logicOf
from DSADeblurScene.slot import slot

_WHITE, _AMBER = (1.0, 1.0, 1.0), (1.0, 0.8, 0.2)
# Before all observers of Slicer's own, so that they can be kept from seeing what is ours.
_FIRST = 10.0
# How near to the curtain's line a press of the mouse takes hold of it, in parts of the view's width.
_REACH = 0.015
_WIDEST = 8192


class ViewOverlay:
    """Texts in the upper corners of a slice view, and what is done with its keys; `close` removes all.

    Letters are as high as so many parts of the view's width, `_LETTERS`.

    Args:
        tag: layout name of the view.
        onKey: gets the name of a key; whether it was ours, so that nobody else gets it. The wheel counts as left and
            right arrow.
    """

    _LETTERS = 32

    def __init__(self, tag: str, onKey: Callable[[str], bool] = lambda key: False) -> None:
        self.logic, self._onKey = logicOf(tag), onKey
        self.view = slicer.app.layoutManager().sliceWidget(tag).sliceView()
        self.renderer = self.view.renderWindow().GetRenderers().GetFirstRenderer()
        self._observed: list = []
        self._actors: list = []
        self._left, self._right = self._addText(False), self._addText(True)
        self.observe(self.logic.GetSliceNode(), vtk.vtkCommand.ModifiedEvent, self.onResized)
        self.observe(self.view.interactor(), vtk.vtkCommand.KeyPressEvent, self._onKeyPress)
        self.observe(self.view.interactor(), vtk.vtkCommand.MouseWheelForwardEvent, self._onWheel)
        self.observe(self.view.interactor(), vtk.vtkCommand.MouseWheelBackwardEvent, self._onWheel)
        self.onResized()

    def setTexts(self, left: str, right: str = "", *, isLeftDeblurred: bool = False) -> None:
        """Show texts in the upper corners; that of a deblurred image has a colour of its own."""
        self._left.SetInput(left)
        self._right.SetInput(right)
        self._left.GetTextProperty().SetColor(_AMBER if isLeftDeblurred else _WHITE)
        self._right.GetTextProperty().SetColor(_AMBER)
        self.view.scheduleRender()

    def close(self) -> None:
        """Leave the view as it was."""
        for subject, tag in self._observed:
            subject.RemoveObserver(tag)
        self._observed.clear()
        for actor in self._actors:
            self.renderer.RemoveViewProp(actor)
        self._actors.clear()
        self.view.scheduleRender()

    def addActor(self, actor) -> None:
        """Draw something over the image."""
        self.renderer.AddViewProp(actor)
        self._actors.append(actor)

    def observe(self, subject, event, callback) -> None:
        """Observe until `close`, before Slicer's own observers."""
        self._observed.append((subject, subject.AddObserver(event, slot(callback), _FIRST)))

    def keep(self, subject) -> None:
        """Keep the event that is being delivered from the observers that follow."""
        for observed, tag in self._observed:
            if observed is subject:
                subject.GetCommand(tag).SetAbortFlag(1)

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows of the view."""
        return self.logic.GetSliceNode().GetDimensions()[:2]

    def onResized(self, *_event) -> None:
        """The view may have another size."""
        for text in (self._left, self._right):
            text.GetTextProperty().SetFontSize(min(max(self.size[0] // self._LETTERS, 12), 22))

    def _addText(self, isRight: bool) -> vtk.vtkTextActor:
        text = vtk.vtkTextActor()
        text.GetPositionCoordinate().SetCoordinateSystemToNormalizedViewport()
        text.SetPosition(0.99 if isRight else 0.01, 0.985)
        style = text.GetTextProperty()
        style.BoldOn()
        style.SetBackgroundColor(0, 0, 0)
        style.SetBackgroundOpacity(0.5)
        style.SetVerticalJustificationToTop()
        if isRight:
            style.SetJustificationToRight()
        self.addActor(text)
        return text

    def _onWheel(self, interactor, event) -> None:
        # With the control key it is Slicer's zoom.
        if not interactor.GetControlKey() and self._onKey("Right" if event == "MouseWheelForwardEvent" else "Left"):
            self.keep(interactor)

    def _onKeyPress(self, interactor, _event) -> None:
        if self._onKey(interactor.GetKeySym()):
            self.keep(interactor)


class Curtain(ViewOverlay):
    """The view's foreground right of a line that the mouse drags, its background left of it.

    The foreground is not computed left of the line: a stencil keeps the reslicing of Slicer's own pipeline away from
    there. Nothing is copied, and whatever changes the image changes it here.
    """

    # Both texts have room when the line is in the middle.
    _LETTERS = 46

    def __init__(self, tag: str, onKey: Callable[[str], bool] = lambda key: False) -> None:
        self._position, self._edge, self._isDragged = 0.5, -1, False
        self._points, self._texts = vtk.vtkPoints(), ("", "")
        super().__init__(tag, onKey)
        for width, ends in ((2, (0.0, 1.0)), (9, (0.47, 0.53))):
            self.addActor(self._line(width, ends))
        interactor = self.view.interactor()
        self.observe(interactor, vtk.vtkCommand.LeftButtonPressEvent, self._onPress)
        self.observe(interactor, vtk.vtkCommand.MouseMoveEvent, self._onMove)
        self.observe(interactor, vtk.vtkCommand.LeftButtonReleaseEvent, self._onRelease)
        self.moveTo(self._position)

    @property
    def position(self) -> float:
        """Of the line, in parts of the view's width from the left."""
        return self._position

    def moveTo(self, position: float) -> None:
        """Move the line."""
        self._position = min(max(position, 0.02), 0.98)
        for index in range(self._points.GetNumberOfPoints()):
            self._points.SetPoint(index, self._position, self._points.GetPoint(index)[1], 0)
        self._points.Modified()
        self.onResized()
        self.setTexts(*self._texts)

    def setTexts(self, left: str, right: str = "", *, isLeftDeblurred: bool = False) -> None:
        """Show texts; the left one only where its side is wide enough to hold it."""
        self._texts = left, right
        sides = [0.0] * 4
        self._left.SetInput(left)
        self._left.GetBoundingBox(self.renderer, sides)
        isHidden = sides[1] - sides[0] > self._position * self.size[0]
        super().setTexts("" if isHidden else left, right)

    def close(self) -> None:
        """Leave the view as it was."""
        self._setStencil(None)
        super().close()

    def onResized(self, *_event) -> None:
        """The line stays where it is in the view; its column is another one in a view of another size."""
        super().onResized()
        edge = round(self._position * self.size[0])
        if edge == self._edge:
            return
        self._edge, stencil = edge, vtk.vtkImageStencilData()
        # As large as any view may become, for a stencil must not be smaller than what is asked of it.
        stencil.SetExtent(0, _WIDEST - 1, 0, _WIDEST - 1, 0, 0)
        stencil.SetSpacing(1, 1, 1)
        stencil.SetOrigin(0, 0, 0)
        stencil.AllocateExtents()
        for row in range(_WIDEST):
            stencil.InsertNextExtent(edge, _WIDEST - 1, row, 0)
        self._setStencil(stencil)

    def _setStencil(self, stencil) -> None:
        # A map that lies over the foreground ends where that does.
        for layer in (self.logic.GetForegroundLayer(), self.logic.GetLabelLayer()):
            layer.GetReslice().SetStencilData(stencil)

    def _line(self, width: int, ends: tuple[float, float]) -> vtk.vtkActor2D:
        line, cells = vtk.vtkPolyData(), vtk.vtkCellArray()
        cells.InsertNextCell(2)
        for end in ends:
            cells.InsertCellPoint(self._points.InsertNextPoint(self._position, end, 0))
        line.SetPoints(self._points)
        line.SetLines(cells)
        mapper, place = vtk.vtkPolyDataMapper2D(), vtk.vtkCoordinate()
        place.SetCoordinateSystemToNormalizedViewport()
        mapper.SetTransformCoordinate(place)
        mapper.SetInputData(line)
        actor = vtk.vtkActor2D()
        actor.SetMapper(mapper)
        actor.GetProperty().SetColor(_AMBER)
        actor.GetProperty().SetLineWidth(width)
        return actor

    def _onPress(self, interactor, _event) -> None:
        if abs(self._positionOf(interactor) - self._position) <= _REACH:
            self._isDragged = True
            self.keep(interactor)

    def _onMove(self, interactor, _event) -> None:
        if self._isDragged:
            self.moveTo(self._positionOf(interactor))
            self.keep(interactor)

    def _onRelease(self, interactor, _event) -> None:
        if self._isDragged:
            self._isDragged = False
            self.keep(interactor)

    def _positionOf(self, interactor) -> float:
        return interactor.GetEventPosition()[0] / max(self.size[0], 1)
