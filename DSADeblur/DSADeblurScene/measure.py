"""Diameters and stenoses at markups on a run, on the original and the deblurred frame at once; kept up to date."""

from __future__ import annotations

import contextlib
import importlib
import sys
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from DSADeblurScene.lengths import MARKUP_EVENTS, MeasuredRun, pixelsOf, volumeUnder
from DSADeblurScene.line_labels import MEASURES, Label, measuringMarkups, setLabel
from DSADeblurScene.measure_frames import FramePair, MeasuredFrames
from DSADeblurScene.measure_marks import putMarks, removeMarks
from DSADeblurScene.measure_table import putRows, rowOf
from DSADeblurScene.slices import Slices
from DSADeblurScene.slot import slot

if TYPE_CHECKING:
    from DSADeblurLib.measurement.calibration import Calibration
    from DSADeblurLib.measurement.markup import DrawnResult, Figure, Marks, Plot, Result
    from DSADeblurScene.live_controls import LiveControls

DIAMETER, STENOSIS, NECK, DOME = "diameter", "stenosis", "neck", "dome"
_LINE = "vtkMRMLMarkupsLineNode"
_CLASSES = {DIAMETER: _LINE, STENOSIS: "vtkMRMLMarkupsCurveNode", NECK: _LINE, DOME: _LINE}
_TURN_SECONDS = 0.015


@dataclass(frozen=True)
class MeasureChoice:
    """method: one of DSADeblurLib.measurement.diameter.METHODS. definition: a key of markup.DEFINITIONS."""

    method: str = "model fit"
    definition: str = "NASCET"


@dataclass(frozen=True)
class Measurement:
    """What was measured at a markup: its figures, on which frames, and what can be drawn. None while under way.

    isRough: measured at few places so far.
    """

    markup: Any
    pair: FramePair
    figures: tuple[Figure, ...] | None = None
    plot: Plot | None = None
    marks: Marks | None = None
    isRough: bool = False


def beginPlacing(kind: str):
    """Add a markup for one of these kinds of measurement, and let the next clicks into a view place its points.

    Returns:
        The markup.
    """
    logic = slicer.modules.markups.logic()
    name = {DIAMETER: _("Diameter"), STENOSIS: _("Stenosis"), NECK: _("Neck"), DOME: _("Dome")}[kind]
    markup = logic.AddNewMarkupsNode(_CLASSES[kind], slicer.mrmlScene.GenerateUniqueName(name))
    markup.SetAttribute(MEASURES, kind)
    logic.SetActiveList(markup)
    # Points of a curve follow one another until the user ends it by a double click.
    logic.StartPlaceMode(kind == STENOSIS)
    return markup


class MeasureWatcher(VTKObservationMixin):
    """Measures anew whenever a markup, the frame that is shown, the result or its controls change, and labels markups.

    Args:
        onChanged: called with a list of Measurement, one for each markup on the run.
        showError: called with (sentence, details) when a change could not be followed.
        live: what is kept of results, to measure them at noise reduction 0 as well.
    """

    def __init__(
        self,
        onChanged: Callable[[list[Measurement]], None],
        showError: Callable[[str, str], None],
        live: LiveControls | None = None,
    ) -> None:
        VTKObservationMixin.__init__(self)
        self._live = live
        self._onChanged = onChanged
        self.showError = showError
        self._slices = Slices(showError)
        # Both are there while anything is measured.
        self._frames: Any = None
        self._calibration: Any = None
        self._choice = MeasureChoice()
        self._asked: tuple | None = None
        # By markup, with what they depend on, and whether noise reduction 0 is in them. Those of the originals stay
        # when a control changes.
        self._results: dict[Any, tuple[tuple, Result, bool]] = {}
        self._originals: dict[Any, tuple[tuple, Result]] = {}
        self._watched: list = []
        self._publishing = False
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.NodeAddedEvent, self._onNodeAdded)
        self.addObserver(scene, scene.NodeRemovedEvent, self._onNodeRemoved)
        self.addObserver(scene, scene.StartCloseEvent, self._onSceneStartClose)
        self.addObserver(scene, scene.EndBatchProcessEvent, self._update)
        for node in slicer.util.getNodesByClass("vtkMRMLMarkupsNode"):
            self._observeMarkup(node)

    @property
    def isBusy(self) -> bool:
        """Whether something is still to be measured."""
        return self._slices.isBusy

    def watch(
        self, measured: MeasuredRun | None, derived, calibration: Calibration | None, choice: MeasureChoice
    ) -> None:
        """Measure on a run and a result of it from now on; None for no run, or no result."""
        asked = measured, derived, calibration, choice
        if asked == self._asked:
            return
        self._asked, self._calibration, self._choice = asked, calibration, choice
        self._frames = (
            None if measured is None or calibration is None else MeasuredFrames(measured, derived, self._live)
        )
        self._watchVolumes([] if self._frames is None else self._frames.shownNodes())
        self._update()

    def stop(self) -> None:
        """Leave the scene alone; labels and table stay as they are."""
        self._slices.stop()
        self._frames = None
        self.removeObservers()

    @slot
    def _update(self, caller=None, event=None) -> None:
        # Labels are changed while results are shown, which makes markups report a change.
        if self._publishing or slicer.mrmlScene.IsBatchProcessing():
            return
        if self._frames is None:
            self._slices.stop()
            removeMarks()
            self._onChanged([])
        else:
            self._slices.run(self._measureInSteps())

    def _measureInSteps(self) -> Generator[None, None, None]:
        """Lines at once; curves, which take longer, are first measured roughly; noise reduction 0 comes last."""
        found: dict[Any, Measurement] = {}
        curves: list[tuple] = []
        added: list[tuple] = []
        markups = self._markupsOnRun()
        if markups:
            yield from _libraries()
        for markup in markups:
            points = pixelsOf(markup, self._frames.run.volume)
            if points is None:
                continue
            pair = self._frames.pair(points)
            key = (
                pair.identity,
                points.tobytes(),
                self._calibration if markup.GetAttribute(MEASURES) == STENOSIS else 0,
            )
            found[markup] = Measurement(markup, pair)
            known = self._results.get(markup)
            if known is None or known[0] != key or not known[2]:
                added.append((markup, pair, key))
            if known is not None and known[0] == key:
                found[markup] = yield from self._measurementInSteps(markup, pair)
            elif markup.GetAttribute(MEASURES) != STENOSIS or pair.problem:
                yield from self._resultInSteps(markup, pair, points, key, found)
                found[markup] = yield from self._measurementInSteps(markup, pair)
                yield
            else:
                curves.append((markup, pair, points, key))
        self._publish(found)
        for markup, pair, points, key in curves:
            yield
            yield from self._resultInSteps(markup, pair, points, key, found)
            found[markup] = yield from self._measurementInSteps(markup, pair)
            self._publish(found)
        for markup, pair, key in added:
            if not pair.problem and (yield from self._unreducedInSteps(markup, pair, key)):
                found[markup] = yield from self._measurementInSteps(markup, pair)
                self._publish(found)

    def _markupsOnRun(self) -> list:
        """Domes last: they are told over their necks."""
        found = [one for one in measuringMarkups() if volumeUnder(one, self._frames.run) is not None]
        return sorted(found, key=lambda one: one.GetAttribute(MEASURES) == DOME)

    def _resultInSteps(
        self, markup, pair: FramePair, points, key: tuple, found: dict[Any, Measurement]
    ) -> Generator[None, None, None]:
        from DSADeblurLib.errors import DSADeblurError
        from DSADeblurLib.measurement.markup import (
            DrawnResult,
            Result,
            centre_line_on,
            measure_along,
            measure_line_on,
        )

        kind, before = markup.GetAttribute(MEASURES), self._originals.get(markup)
        pixels, originalKey = points[:, 1::-1], (pair.original, *key[1:])
        if pair.problem or kind in (NECK, DOME):
            drawn = None if pair.problem else DrawnResult(kind, tuple(pixels[0]), tuple(pixels[1]))
            self._results[markup] = key, drawn or Result(kind, pair.problem), True
            return
        try:
            pictures = self._frames.pictures(pair)
            yield
            if before is not None and before[0] == originalKey:
                result = before[1]
            elif kind == DIAMETER:
                result = yield from measure_line_on(pictures[:1], tuple(pixels[0]), tuple(pixels[1]))
            else:
                line = yield from centre_line_on(pictures[0], pixels, self._calibration)
                rough = yield from measure_along(pictures, line, roughly=True)
                if all(rough.stenoses(self._choice.method)):
                    shown = yield from self._measurementInSteps(markup, pair, rough)
                    found[markup] = replace(shown, isRough=True)
                    self._publish(found)
                    yield
                result = yield from measure_along(pictures[:1], line)
            self._originals[markup] = originalKey, result
            for picture in pictures[1:]:
                result = yield from result.with_more(picture)
        except (ValueError, DSADeblurError) as error:
            result = Result(kind, str(error))
        self._results[markup] = key, result, False

    def _unreducedInSteps(self, markup, pair: FramePair, key: tuple) -> Generator[None, None, bool]:
        """Measure at noise reduction 0 too; whether that could be done."""
        picture = yield from self._frames.unreducedInSteps(pair)
        result = self._results[markup][1]
        if picture is not None:
            result = yield from result.with_more(picture)
        self._results[markup] = key, result, True
        return picture is not None

    def _measurementInSteps(
        self, markup, pair: FramePair, rough: Result | None = None
    ) -> Generator[None, None, Measurement]:
        result, method = rough or self._results[markup][1], self._choice.method
        yield from result.prepare(method)
        figures = tuple(result.figures(method, self._calibration))
        neck = self._neckOf(markup)
        if neck is not None:
            figures += (neck.ratio(result, self._calibration),)
        return Measurement(markup, pair, figures, result.plot(method, self._calibration), result.marks(method))

    def _neckOf(self, dome) -> DrawnResult | None:
        """What was measured at the neck that lies nearest to a dome; None for what is no dome, and without one."""
        from DSADeblurLib.measurement.markup import DrawnResult

        if dome.GetAttribute(MEASURES) != DOME or not isinstance(self._results[dome][1], DrawnResult):
            return None
        necks = [one for one in self._markupsOnRun() if one.GetAttribute(MEASURES) == NECK and one in self._results]
        nearest = min(necks, key=lambda one: np.linalg.norm(_middle(one) - _middle(dome)), default=None)
        found = None if nearest is None else self._results[nearest][1]
        return found if isinstance(found, DrawnResult) else None

    def _publish(self, found: dict[Any, Measurement]) -> None:
        """Label the markups, renew the table, and tell."""
        self._publishing = True
        try:
            for markup, one in found.items():
                setLabel(markup, labelOf(one, self._choice))
            run, method = self._frames.run, self._choice.method
            putRows(
                {
                    markup.GetID(): [rowOf(markup, run, one.pair, method, figure) for figure in one.figures or ()]
                    for markup, one in found.items()
                    if not one.isRough
                }
            )
            if all(one.figures is not None for one in found.values()):
                marked = [(one.marks, 0 if run.run.isSequence else one.pair.number - 1) for one in found.values()]
                putMarks([(marks, plane) for marks, plane in marked if marks is not None], run.volume)
        finally:
            self._publishing = False
        self._onChanged(list(found.values()))

    def _watchVolumes(self, nodes: list) -> None:
        """What reports that another frame is shown, or that a frame has changed."""
        for event in (vtk.vtkCommand.ModifiedEvent, slicer.vtkMRMLVolumeNode.ImageDataModifiedEvent):
            for node in self._watched:
                self.removeObserver(node, event, self._update)
            for node in nodes:
                self.addObserver(node, event, self._update)
        self._watched = nodes

    def _observeMarkup(self, markup) -> None:
        for event in MARKUP_EVENTS:
            if not self.hasObserver(markup, event, self._onMarkup):
                self.addObserver(markup, event, self._onMarkup)

    @slot
    def _onMarkup(self, caller, event) -> None:
        if caller.GetAttribute(MEASURES):
            self._update()

    @slot
    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _onNodeAdded(self, caller, event, node) -> None:
        if node.IsA("vtkMRMLMarkupsNode"):
            self._observeMarkup(node)
            self._onMarkup(node, event)

    @slot
    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _onNodeRemoved(self, caller, event, node) -> None:
        if node.IsA("vtkMRMLMarkupsNode"):
            for one in MARKUP_EVENTS:
                self.removeObserver(node, one, self._onMarkup)
            self._results.pop(node, None)
            self._originals.pop(node, None)
        elif self._frames is None or not self._frames.isMadeOf(node):
            return
        else:
            self._forgetRun()
        self._update()

    @slot
    def _onSceneStartClose(self, caller, event) -> None:
        self._forgetRun()
        self._results.clear()
        self._originals.clear()
        self._onChanged([])

    def _forgetRun(self) -> None:
        self._slices.stop()
        self._watchVolumes([])
        self._frames = self._asked = None


def _middle(line) -> np.ndarray:
    return np.mean(slicer.util.arrayFromMarkupsControlPoints(line, True), axis=0)


def _libraries() -> Generator[None, None, None]:
    """Load what measuring needs beside the event loop: together these libraries take long."""
    name = "DSADeblurLib.measurement.markup"
    if name not in sys.modules:
        thread = threading.Thread(target=_load, args=(name, "skimage.filters", "skimage.graph"), daemon=True)
        thread.start()
        while thread.is_alive():
            # Threads run only while this one lets them.
            thread.join(_TURN_SECONDS)
            yield


def _load(*names: str) -> None:
    for name in names:
        with contextlib.suppress(ImportError):  # told where it is used
            importlib.import_module(name)


def labelOf(one: Measurement, choice: MeasureChoice) -> Label:
    """What the views draw beside a markup."""
    if one.figures is None:
        return Label(_("measuring..."))
    figure = mainFigure(one.figures, choice.definition)
    if figure.original is None:
        return Label(figure.reasons[0])
    text = figure.original.text
    if figure.deblurred is not None:
        value = figure.deblurred
        number, _comma, label = text.partition(", ")
        deblurred = _("deblurred {value}").format(value=value.text.partition(" (")[0])
        text = ", ".join(filter(None, (f"{number} | {deblurred}", label)))
    name = choice.definition + " " if one.markup.GetAttribute(MEASURES) == STENOSIS else ""
    return Label(name + text + " ..." * one.isRough, figure.original.value, figure.original.unit)


def mainFigure(figures: tuple[Figure, ...], definition: str) -> Figure:
    """The diameter, or the degree of the stenosis by this definition."""
    name = f"{STENOSIS}, {definition}"
    return next((one for one in figures if one.name == name), figures[0])
