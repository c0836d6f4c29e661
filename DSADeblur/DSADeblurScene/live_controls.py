"""Lets a result follow the two controls without a network: the frame that is shown at once, all by the worker."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import slicer
from slicer.i18n import tr as _

from DSADeblurLib.frame_file import FrameFile
from DSADeblurLib.request import DeblurRequest, DeblurSettings
from DSADeblurScene.compare import requestOf
from DSADeblurScene.derived import ATTRIBUTE, RESULT, finished, renewFrame, sourceOf, updateShown
from DSADeblurScene.input import shownIndex, shownVolume
from DSADeblurScene.slices import Slices
from DSADeblurScene.slot import slot
from DSADeblurScene.temporary import makeTemporaryFolder
from DSADeblurScene.views import BACKGROUND_REFERENCES, PEAK_REFERENCES
from DSADeblurScene.worker_client import Callbacks, WorkerClient

if TYPE_CHECKING:
    from DSADeblurLib.kept import KeptFrame

_REQUEST = ATTRIBUTE + "Request"


class LiveControls:
    """What is kept of the results of this application, and the work that makes one follow its controls.

    A frame that is being looked at may be ahead of the node's attributes; all agree again when that work has ended,
    and `settle` makes them at any time. `close` must be called at the end.

    Args:
        client: of the worker, which does one thing at a time.
    """

    def __init__(self, client: WorkerClient) -> None:
        self._client = client
        self._folders: dict[Any, Path] = {}
        # Told of errors that nobody expected.
        self.showError: Callable[[str, str], None] = lambda text, details: None
        self._showing = Slices(lambda *error: self.showError(*error))
        self._putting = Slices(lambda *error: self.showError(*error))
        self._frame: tuple[Any, int, KeptFrame] | None = None
        # The frames of one node that are ahead of its attributes.
        self._node: Any = None
        self._ahead: dict[int, DeblurRequest] = {}
        self._callbacks: Callbacks | None = None
        self._next: tuple[Any, DeblurRequest, Callbacks] | None = None
        scene = slicer.mrmlScene
        events = (scene.NodeRemovedEvent, scene.EndCloseEvent)
        self._observed = [(scene, scene.AddObserver(event, self._onNodeRemoved)) for event in events]

    @property
    def isBusy(self) -> bool:
        """Whether a run is following its controls."""
        return self._callbacks is not None

    def adopt(self, node, kept: str | None) -> None:
        """Take over what was kept of a new result; of an older one of the same run and kind it goes."""
        self.settle()
        for other in [one for one in self._folders if sourceOf(one) is sourceOf(node)]:
            if other.GetAttribute(RESULT) == node.GetAttribute(RESULT):
                self._forget(other)
        if kept is not None:
            with contextlib.suppress(OSError):  # then the controls are taken at the next Apply
                folder = makeTemporaryFolder()
                os.replace(kept, folder / "kept")
                self._folders[node] = folder

    def resultOf(self, source):
        """The latest result of a run that can follow its controls, or None."""
        latest = reversed(self._folders)
        return next((one for one in latest if source is not None and sourceOf(one) is source), None)

    def frameInSteps(self, node, index: int, settings: DeblurSettings) -> Generator[None, None, Any]:
        """A frame of a result as other controls would make it, (rows, columns); the scene stays as it is.

        Returns:
            None where nothing is kept of that result.
        """
        try:
            frame = (yield from self._frameInSteps(node, index)) if node in self._folders else None
        except (OSError, ValueError):
            frame = None
        yield
        return None if frame is None else frame.result(settings)

    def keptOf(self, node) -> str | None:
        """The folder with what was kept of a result, or None where there is none."""
        return str(self._kept(node)) if node in self._folders else None

    def show(self, node, **controls) -> None:
        """Show the frame of a result that is looked at with other controls, as soon as the event loop turns."""
        if self.isBusy and node is not self._node:
            return
        if node is not self._node:
            self.settle()
        self._showing.run(self._showInSteps(node, requestOf(node).with_choices(**controls)))

    def follow(self, node, callbacks: Callbacks, **controls) -> None:
        """Have the worker compute all frames of a result with other controls, and put them in.

        What was under way for this is replaced. `callbacks.finished` is called with the node, the others as Callbacks
        says; when one of the last three is called all frames agree with the node's attributes.

        Raises:
            RuntimeError: one sentence, if the worker does something else or cannot be started.
        """
        if self.isBusy and node is not self._node:
            raise RuntimeError(_("Another result follows its controls; wait for it or cancel it."))
        if node is not self._node:
            self.settle()
        wanted = requestOf(node).with_choices(**controls)
        if not self.isBusy:
            self._begin(node, wanted, callbacks)
            return
        self._next = node, wanted, callbacks
        if not self._putting.isBusy:
            self._client.cancel()

    def cancel(self) -> None:
        """Ask for the end; the frames come back as they were."""
        self._next = None
        if self._putting.isBusy:
            self._putting.run(self._backInSteps("cancelled"))
        else:
            self._client.cancel()

    def settle(self) -> None:
        """Let every frame agree with the attributes of its node now."""
        self._showing.stop()
        if self._node is not None and not self.isBusy:
            finished(self._restoreInSteps())

    def stop(self) -> None:
        """Nothing follows any more, and no callback."""
        self._showing.stop()
        self._putting.stop()
        self._callbacks = self._next = self._node = self._frame = None
        self._ahead.clear()

    def close(self) -> None:
        """Before the application or the module goes: frames are settled, and nothing is kept any more."""
        self._callbacks = self._next = None
        self._putting.stop()
        try:
            self.settle()
        finally:
            self.stop()
            for node in list(self._folders):
                self._forget(node)
            for scene, tag in self._observed:
                scene.RemoveObserver(tag)
            self._observed.clear()

    def _kept(self, node) -> Path:
        return self._folders[node] / "kept"

    def _forget(self, node) -> None:
        shutil.rmtree(self._folders.pop(node), ignore_errors=True)
        if self._frame is not None and self._frame[0] is node:
            self._frame = None

    @slot
    def _onNodeRemoved(self, *_event) -> None:
        for node in [one for one in self._folders if slicer.mrmlScene.GetNodeByID(one.GetID() or "") is not one]:
            callbacks = self._callbacks
            if node is self._node:
                self.stop()
                if callbacks is not None:
                    self._client.forget()
                    callbacks.error(_("The result was removed from the scene."))
            self._forget(node)

    def _showInSteps(self, node, request: DeblurRequest) -> Generator[None, None, None]:
        index = shownIndex(node)
        if node in self._folders and 0 <= index < _count(node):
            frame = yield from self._frameInSteps(node, index)
            self._put(node, index, request, frame.result(request.restoration))
            updateShown(node)

    def _frameInSteps(self, node, index: int) -> Generator[None, None, KeptFrame]:
        from DSADeblurLib.kept import KeptFrame

        if self._frame is None or self._frame[:2] != (node, index):
            self._frame = (node, index, KeptFrame(self._kept(node), index))
        frame = self._frame[2]
        yield from frame.prepare()
        return frame

    def _put(self, node, index: int, request: DeblurRequest, pixels) -> None:
        """Put a frame with other controls into the node."""
        self._node, self._ahead[index] = node, request
        volume = renewFrame(node, index, pixels)
        if volume is not node:
            volume.SetAttribute(_REQUEST, json.dumps(request.as_dict()))

    def _agree(self, node, request: DeblurRequest) -> None:
        """All frames but those that were shown ahead since have the controls that are asked here."""
        self._ahead = {index: one for index, one in self._ahead.items() if one != request}
        updateShown(node)
        for one in filter(None, (node, shownVolume(node))):
            one.SetAttribute(_REQUEST, json.dumps(request.as_dict()))

    def _begin(self, node, request: DeblurRequest, callbacks: Callbacks) -> None:
        self._node, path = node, self._folders[node] / "frames.npy"
        if request != requestOf(node):
            self._client.submit(
                {"type": "recombine", "kept": str(self._kept(node)), "request": request.as_dict(), "output": str(path)},
                Callbacks(
                    progress=callbacks.progress,
                    notice=callbacks.notice,
                    finished=lambda message: self._putting.run(self._putInSteps(node, request, path)),
                    cancelled=lambda: self._putting.run(self._backInSteps("cancelled")),
                    error=lambda *told: self._putting.run(self._backInSteps("error", *told)),
                ),
            )
        else:
            self._putting.run(self._backInSteps("finished", node))
        self._callbacks = callbacks

    def _putInSteps(self, node, request: DeblurRequest, path: Path) -> Generator[None, None, None]:
        with FrameFile.open(path) as frames:
            for index, pixels in enumerate(frames):
                self._put(node, index, request, pixels)
                yield
        path.unlink()
        for made in filter(None, map(node.GetNodeReference, (*PEAK_REFERENCES, *BACKGROUND_REFERENCES))):
            # Made of frames that are no longer there.
            for one in filter(None, dict.fromkeys((made, shownVolume(made)))):
                slicer.mrmlScene.RemoveNode(one)
        self._agree(node, request)
        node.StorableModified()
        self._end("finished", node)

    def _backInSteps(self, outcome: str, *arguments) -> Generator[None, None, None]:
        """What follows when the worker was stopped: what the user wants meanwhile, or the frames as they were."""
        if self._next is None:
            yield from self._restoreInSteps()
        self._end(outcome, *arguments)

    def _restoreInSteps(self) -> Generator[None, None, None]:
        node, request = self._node, requestOf(self._node)
        for index in sorted(self._ahead):
            frame = yield from self._frameInSteps(node, index)
            self._put(node, index, request, frame.result(request.restoration))
            yield
        self._agree(node, request)

    def _end(self, outcome: str, *arguments) -> None:
        callbacks, self._callbacks = self._callbacks, None
        following, self._next = self._next, None
        if following is not None:
            try:
                self._begin(*following)
                return
            except RuntimeError as error:
                outcome, arguments = "error", (str(error),)
        if callbacks is not None:
            getattr(callbacks, outcome)(*arguments)


def _count(node) -> int:
    return node.GetNumberOfDataNodes() if node.IsA("vtkMRMLSequenceNode") else node.GetImageData().GetDimensions()[2]
