"""How far a result can be trusted: the worker looks at what was kept of it, and the scene shows where to look twice."""

from __future__ import annotations

import json
import shutil
from collections.abc import Generator
from pathlib import Path
from typing import Any

import slicer
import vtk
from slicer.i18n import tr as _

from DSADeblurLib.frame_file import FrameFile
from DSADeblurScene.compare import frameNumbersOf
from DSADeblurScene.derived import ATTRIBUTE, addDerivedInSteps, renewFrame, sourceOf, updateShown
from DSADeblurScene.first_look import jumpToFrame, selectFrame
from DSADeblurScene.input import readInput, shownVolume
from DSADeblurScene.slices import Slices
from DSADeblurScene.temporary import makeTemporaryFolder
from DSADeblurScene.worker_client import Callbacks, WorkerClient

TRUST, MAP_REFERENCE = ATTRIBUTE + "Trust", "DSADeblur.unexplained"
_COLOUR = "vtkMRMLColorTableNodeYellow"
_USED = ATTRIBUTE + "Used"


class TrustLook:
    """The worker's look at one result, and what becomes of its answer.

    Args:
        client: of the worker, which does one thing at a time.
    """

    def __init__(self, client: WorkerClient) -> None:
        self._client = client
        self._folder: Path | None = None
        self._callbacks = Callbacks()
        self._putting = Slices()

    @property
    def isBusy(self) -> bool:
        """Whether it is under way."""
        return self._folder is not None

    def start(self, node, kept: str | None, callbacks: Callbacks) -> None:
        """Begin, and return at once; `callbacks.finished` is called with the node, the others as Callbacks says.

        Args:
            node: a result.
            kept: the folder with what was kept of it, see DSADeblurLib.kept.

        Raises:
            OSError, RuntimeError: one sentence, if it cannot begin.
        """
        if kept is None:
            raise RuntimeError(nothingKept())
        self._folder, self._callbacks = makeTemporaryFolder(), callbacks
        used, path = json.loads(node.GetAttribute(_USED)), self._folder / "unexplained.npy"
        try:
            self._client.submit(
                {"type": "trust", "kept": kept, "used": used, "output": str(path)},
                Callbacks(
                    progress=callbacks.progress,
                    notice=callbacks.notice,
                    finished=lambda message: self._putting.run(self._putInSteps(node, message)),
                    cancelled=lambda: self._end("cancelled"),
                    error=lambda *told: self._end("error", *told),
                ),
            )
        except BaseException:
            self.stop()
            raise

    def cancel(self) -> None:
        """Ask for the end."""
        if self._putting.isBusy:
            self._putting.stop()
            self._end("cancelled")
        else:
            self._client.cancel()

    def stop(self) -> None:
        """Nothing follows any more, and no callback."""
        self._putting.stop()
        folder, self._folder = self._folder, None
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def _end(self, outcome: str, *arguments) -> None:
        if self.isBusy:
            self.stop()
            getattr(self._callbacks, outcome)(*arguments)

    def _putInSteps(self, node, message: dict) -> Generator[None, None, None]:
        try:
            unexplained = yield from _addMapInSteps(node, message["output"])
        except (ValueError, OSError) as error:
            self._end("error", str(error))
            return
        except Exception:
            self._end("error", _("What was found could not be put into the scene; see the log."))
            raise
        node.SetNodeReferenceID(MAP_REFERENCE, unexplained.GetID())
        node.SetAttribute(TRUST, json.dumps(message["trust"]))
        node.SetAttribute(_USED, json.dumps({**json.loads(node.GetAttribute(_USED)), "trust": message["trust"]}))
        self._end("finished", node)


def nothingKept() -> str:
    """Why a result cannot be looked at that was not made since the application was started."""
    return _("Press Apply again: nothing is kept of this result to look at.")


def _addMapInSteps(node, path: str) -> Generator[None, None, Any]:
    source = sourceOf(node)
    if source is None or slicer.mrmlScene.GetNodeByID(node.GetID() or "") is not node:
        raise ValueError(_("The result or its source was removed from the scene."))
    known = node.GetNodeReference(MAP_REFERENCE)
    with FrameFile.open(path) as frames:
        if known is not None:
            for index, frame in enumerate(frames):
                renewFrame(known, index, frame)
                yield
            updateShown(known)
            return known
        unexplained = yield from addDerivedInSteps(
            readInput(source),
            frames,
            frameNumbersOf(node),
            name=_("{name} not explained (research use only)").format(name=node.GetName()),
            attributes={"Role": "not explained by the data", "ResearchUseOnly": "true"},
            subtracted=False,
        )
    display = shownVolume(unexplained).GetDisplayNode()
    display.SetAndObserveColorNodeID(_COLOUR)
    display.AutoWindowLevelOff()
    display.SetWindowLevelMinMax(0, 1)
    display.SetInterpolate(False)
    # What is below is transparent.
    display.AutoThresholdOff()
    display.SetThreshold(1, 1)
    display.ApplyThresholdOn()
    return unexplained


def trustOf(node) -> dict | None:
    """What was found for a result, as DSADeblurLib.restoration.trust.Trust.as_dict; None where nobody has looked."""
    text = None if node is None else node.GetAttribute(TRUST)
    return None if text is None else json.loads(text)


def showMap(node, visible: bool) -> None:
    """Lay the map over the result wherever a slice view shows it, or take it away."""
    unexplained = node.GetNodeReference(MAP_REFERENCE)
    shown = None if unexplained is None else shownVolume(unexplained)
    if shown is None:
        return
    result = shownVolume(node)
    for composite in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
        isShown = visible and result is not None and composite.GetBackgroundVolumeID() == result.GetID()
        if isShown == (composite.GetForegroundVolumeID() == shown.GetID()):
            continue
        linked = composite.GetLinkedControl()
        composite.SetLinkedControl(False)
        composite.SetForegroundVolumeID(shown.GetID() if isShown else None)
        composite.SetForegroundOpacity(1.0 if isShown else 0.0)
        composite.SetLinkedControl(linked)


def showPlace(node, place: dict) -> None:
    """Step to the frame of a place and centre the slice views on it.

    Args:
        node: the result.
        place: of `trustOf`.
    """
    source = sourceOf(node)
    if source is None or place["frame"] not in frameNumbersOf(node):
        return
    selectFrame(source, place["frame"])
    jumpToFrame(source, place["frame"])
    volume, ijkToRas = shownVolume(source), vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(ijkToRas)
    depth = 0 if source.IsA("vtkMRMLSequenceNode") else place["frame"] - 1
    *point, _one = ijkToRas.MultiplyPoint((place["column"], place["row"], depth, 1))
    for view in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
        view.JumpSliceByCentering(*point)
