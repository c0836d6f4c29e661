"""Lengths of the markups lines on a run, in the calibration that the user chose; kept up to date as lines move."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from DSADeblurLib.request import UserFacts
from DSADeblurScene.derived import sourceOf
from DSADeblurScene.input import InputRun, resolveNode, shownVolume
from DSADeblurScene.line_labels import allLines, removeLabel, setLabel
from DSADeblurScene.run_file import readLoaded
from DSADeblurScene.slot import slot

if TYPE_CHECKING:
    from DSADeblurLib.measurement.calibration import Calibration, Choices, Length, Measured
    from DSADeblurLib.xa.header.facts import Acquisition
    from DSADeblurLib.xa.loaded_frames import LoadedRun

CATHETER, KNOWN_DISTANCE = "catheter", "known-distance"
# How far an end may lie from where it was meant, in pixels.
END_UNCERTAINTY_PX = 0.5
MARKUP_EVENTS = (
    vtk.vtkCommand.ModifiedEvent,
    slicer.vtkMRMLMarkupsNode.PointModifiedEvent,
    slicer.vtkMRMLMarkupsNode.PointAddedEvent,
    slicer.vtkMRMLMarkupsNode.PointRemovedEvent,
    slicer.vtkMRMLMarkupsNode.PointPositionDefinedEvent,
    slicer.vtkMRMLMarkupsNode.PointPositionUndefinedEvent,
    slicer.vtkMRMLTransformableNode.TransformModifiedEvent,
)


@dataclass(frozen=True)
class CalibrationChoice:
    """What the user chose.

    kind: a kind of DSADeblurLib.measurement.calibration, or "" for the default of the run's header.
    line: the reference line, drawn across a catheter or along a known distance, or None.
    french: size of the catheter; millimetres: the known distance.
    """

    kind: str = ""
    line: slicer.vtkMRMLMarkupsLineNode | None = None
    french: float = 5.0
    millimetres: float = 10.0


@dataclass(frozen=True)
class MeasuredRun:
    """A run as far as lengths are concerned.

    run: the native run, also when a derived node was chosen. volume: where its frames lie in the scene.
    loaded: its stored values. choices: every calibration that its header allows. notes: sentences on what is not known
    or contradicts itself.
    """

    run: InputRun
    volume: slicer.vtkMRMLScalarVolumeNode
    loaded: LoadedRun
    acquisition: Acquisition
    choices: Choices
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Lengths:
    """What is to be shown: the calibration in use, sentences about it, and (line, Measured) of each line."""

    calibration: Calibration | None = None
    notes: tuple[str, ...] = ()
    lines: tuple[tuple[slicer.vtkMRMLMarkupsLineNode, Measured], ...] = field(default=())


def measuredRun(node, facts: UserFacts = UserFacts(), read=readLoaded) -> MeasuredRun:
    """What is known of the run behind a node.

    facts: what the user says about the run, which overrides the header. read: `run_file.readLoaded`, or one like it.

    Raises:
        ValueError: one sentence, if the node holds no run.
    """
    from DSADeblurLib.measurement.calibration import choices

    run, loaded = read(nativeNode(node), facts)
    volume = shownVolume(run.node) or run.volumes[0]
    known = loaded.run.has_file or facts.say_geometry
    acquisition = loaded.run.acquisition if known else _nothingKnown(gridOf(volume))
    return MeasuredRun(run, volume, loaded, acquisition, choices(acquisition), (loaded.note, *acquisition.warnings))


def nativeNode(node):
    """The run that a node was derived from, over any number of steps; the node itself when it is the run."""
    node = resolveNode(node)
    while node is not None and sourceOf(node) is not None:
        node = resolveNode(sourceOf(node))
    return node


def lengthOf(line, volume) -> Length | None:
    """The Length of a line in pixels of a volume, or None when it does not have two points yet.

    A line that leaves the plane of the image is measured by its projection into it.
    """
    from DSADeblurLib.measurement.calibration import Length

    points = pixelsOf(line, volume)
    if points is None:
        return None
    first, second = ((float(row), float(col)) for col, row, _slice in points)
    return Length.between(first, second, END_UNCERTAINTY_PX)


def pixelsOf(markup, volume) -> np.ndarray | None:
    """(n, 3) columns, rows and slices of the points of a line or curve, in pixels of a volume, transforms included.

    None while points are missing: of a line one of two, of a curve two.
    """
    isLine = markup.IsA("vtkMRMLMarkupsLineNode")
    # The point of a line that still follows the mouse counts: the view shows a length for it.
    counted = (markup.PositionDefined, markup.PositionPreview) if isLine else (markup.PositionDefined,)
    numbers = [
        i for i in range(markup.GetNumberOfControlPoints()) if markup.GetNthControlPointPositionStatus(i) in counted
    ]
    if len(numbers) < 2 or (isLine and markup.GetNumberOfControlPoints() != 2):
        return None
    toVolume, rasToIjk = vtk.vtkGeneralTransform(), vtk.vtkMatrix4x4()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(None, volume.GetParentTransformNode(), toVolume)
    gridOf(volume).GetRASToIJKMatrix(rasToIjk)
    points = []
    for i in numbers:
        position = toVolume.TransformPoint(markup.GetNthControlPointPositionWorld(i))
        points.append(rasToIjk.MultiplyPoint((*position, 1.0))[:3])
    pixels = np.array(points)
    return pixels if np.isfinite(pixels).all() else None


def gridOf(volume):
    """The node with the pixels that a volume shows: of a proxy the first frame of its sequence.

    The proxy itself is empty, without its spacing, while the browser stands where the sequence has no frame.
    """
    node = resolveNode(volume)
    return node.GetNthDataNode(0) if node.IsA("vtkMRMLSequenceNode") and node.GetNumberOfDataNodes() else volume


def volumeUnder(line, measured: MeasuredRun):
    """The volume of a run, or of what was derived from it, that a line or curve lies on; None when it lies elsewhere.

    Slicer notes in which volume a point was placed. Runs lie in the same place in the scene, so only this tells them
    apart. A line without it (from a script, or whose volume is gone) lies on a run when its points project into the
    image and at least one of them lies in its plane.
    """
    ids = (line.GetNthControlPointAssociatedNodeID(i) for i in range(line.GetNumberOfControlPoints()))
    placed = [node for node in map(slicer.mrmlScene.GetNodeByID, filter(None, ids)) if _isVolume(node)]
    if placed:
        return placed[0] if all(nativeNode(node) is measured.run.node for node in placed) else None
    points = pixelsOf(line, measured.volume)
    if points is None:
        return None
    # Pixels and slices reach half a step to both sides of their centres.
    sides = np.array(gridOf(measured.volume).GetImageData().GetDimensions())
    inside = (points >= -0.5) & (points <= sides - 0.5)
    return measured.volume if inside[:, :2].all() and inside[:, 2].any() else None


def lengthOn(line, measured: MeasuredRun) -> Length | None:
    """The Length of a line on a run, or None when it does not lie on it or is not complete."""
    volume = volumeUnder(line, measured)
    return None if volume is None else lengthOf(line, volume)


def calibrationFor(measured: MeasuredRun, choice: CalibrationChoice) -> tuple[Calibration, str]:
    """(Calibration, one sentence when the choice could not be followed, else "").

    Where a reference line is asked for and missing, lengths are in pixels: other millimetres were not asked for.
    """
    from DSADeblurLib.measurement.calibration import LABELS, catheter, known_distance, uncalibrated

    if choice.kind in (CATHETER, KNOWN_DISTANCE):
        pixels = uncalibrated(measured.acquisition.pixel_aspect)
        if choice.line is None:
            return pixels, _("Choose the reference line; until then lengths are in pixels.")
        reference = lengthOn(choice.line, measured)
        if reference is None:
            return pixels, _("The reference line does not lie on this run; lengths are in pixels.")
        try:
            if choice.kind == CATHETER:
                return catheter(choice.french, reference, measured.acquisition), ""
            return known_distance(choice.millimetres, reference, measured.acquisition), ""
        except ValueError as error:
            return pixels, str(error)
    default = measured.choices.default
    if not choice.kind:
        return default, ""
    found = measured.choices.of_kind(choice.kind)
    if found is not None:
        return found, ""
    name = LABELS.get(choice.kind, choice.kind)
    text = _("The calibration chosen before ({name}) is not possible for this run; the default is used.")
    return default, text.format(name=name)


class LengthWatcher(VTKObservationMixin):
    """Measures the lines on one run anew whenever a line, the run or the calibration changes, and labels them.

    Args:
        onChanged: called with Lengths.
        showError: called with (sentence, details) when a change could not be followed.
    """

    def __init__(
        self, onChanged: Callable[[Lengths], None], showError: Callable[[str, str], None] | None = None
    ) -> None:
        VTKObservationMixin.__init__(self)
        self._onChanged = onChanged
        self.showError = showError
        self._measured: MeasuredRun | None = None
        self._choice = CalibrationChoice()
        # Before the first `watch`, and after the scene was closed, labels of a loaded scene are not ours to judge.
        self._watching = False
        self._updating = False
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.NodeAddedEvent, self._onNodeAdded)
        self.addObserver(scene, scene.NodeRemovedEvent, self._onNodeRemoved)
        self.addObserver(scene, scene.StartCloseEvent, self._onSceneStartClose)
        self.addObserver(scene, scene.EndBatchProcessEvent, self._update)
        for line in allLines():
            self._observeLine(line)

    def watch(self, measured: MeasuredRun | None, choice: CalibrationChoice) -> None:
        """Measure the lines of a run from now on; None for no run."""
        self._choice, self._watching = choice, True
        self._setRun(measured)
        self._update()

    def stop(self) -> None:
        """Leave the scene alone; labels stay as they are."""
        self._measured = None
        self.removeObservers()

    def _setRun(self, measured: MeasuredRun | None) -> None:
        before, self._measured = self._measured, measured
        if before is measured:
            return
        event = slicer.vtkMRMLTransformableNode.TransformModifiedEvent
        if before is not None:
            self.removeObserver(before.volume, event, self._update)
        if measured is not None:
            self.addObserver(measured.volume, event, self._update)

    @slot
    def _update(self, caller=None, event=None) -> None:
        # Labels are changed in here, which makes lines report a change.
        if not self._watching or self._updating or slicer.mrmlScene.IsBatchProcessing():
            return
        self._updating = True
        try:
            lengths = self._measure()
            for line, measured in lengths.lines:
                setLabel(line, measured)
            listed = [line for line, _measured in lengths.lines]
            for line in allLines():
                if line not in listed:
                    removeLabel(line)
        finally:
            self._updating = False
        self._onChanged(lengths)

    def _measure(self) -> Lengths:
        measured = self._measured
        if measured is None:
            return Lengths()
        calibration, problem = calibrationFor(measured, self._choice)
        found = []
        for line in allLines():
            length = lengthOn(line, measured)
            if length is not None:
                found.append((line, length.measured(calibration)))
        why = measured.choices.why if calibration is measured.choices.default else ""
        notes = (problem, why, *calibration.notes, *measured.notes)
        return Lengths(calibration, tuple(dict.fromkeys(filter(None, notes))), tuple(found))

    def _observeLine(self, line) -> None:
        for event in MARKUP_EVENTS:
            if not self.hasObserver(line, event, self._update):
                self.addObserver(line, event, self._update)

    @slot
    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _onNodeAdded(self, caller, event, node) -> None:
        if node.IsA("vtkMRMLMarkupsLineNode"):
            self._observeLine(node)
            self._update()

    @slot
    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _onNodeRemoved(self, caller, event, node) -> None:
        if node.IsA("vtkMRMLMarkupsLineNode"):
            for lineEvent in MARKUP_EVENTS:
                self.removeObserver(node, lineEvent, self._update)
            if node is self._choice.line:
                self._choice = dataclasses.replace(self._choice, line=None)
            self._update()
        elif self._measured is not None and node in (self._measured.run.node, self._measured.volume):
            self.watch(None, self._choice)

    @slot
    def _onSceneStartClose(self, caller, event) -> None:
        self._choice, self._watching = CalibrationChoice(), False
        self._setRun(None)
        self._onChanged(Lengths())


def _isVolume(node) -> bool:
    return node is not None and node.IsA("vtkMRMLScalarVolumeNode")


def _nothingKnown(volume) -> Acquisition:
    """The acquisition behind a node without a header: only the shape of a pixel, as the node has it."""
    from pydicom.dataset import Dataset

    from DSADeblurLib.xa import read_acquisition

    width, height, _thickness = volume.GetSpacing()
    return dataclasses.replace(read_acquisition(Dataset()), pixel_aspect=height / width, warnings=())
