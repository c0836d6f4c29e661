"""One deblurring from a node to a derived node: what is sent to the worker, and what becomes of its answer."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

import slicer
from slicer.i18n import tr as _

from DSADeblurLib.frame_file import FrameFile
from DSADeblurLib.request import DeblurRequest
from DSADeblurScene.derived import (
    FULL,
    PREVIEW,
    RESULT,
    addDerivedInSteps,
    finished,
    removeResult,
    resultsOf,
)
from DSADeblurScene.input import InputRun, readInput, shownIndex
from DSADeblurScene.run_file import filesOfRun
from DSADeblurScene.runner import WorkerRunner
from DSADeblurScene.temporary import makeTemporaryFolder
from DSADeblurScene.worker_client import Callbacks, WorkerClient


@dataclass(frozen=True)
class Place:
    """What becomes of a result in the scene. Previews of a run go with its next result, of whatever kind.

    name: of the node; "" for that of the run, or of what is replaced.
    replaces: an earlier result of the same run that goes when the new one is there, or None.
    preview: it is there to be looked at.
    """

    name: str = ""
    replaces: Any = None
    preview: bool = False


NEW_NODE = Place()


class Job:
    """A deblurring under way. `discard` must be called at its end, whatever that end is.

    Args:
        keep: ask for what other controls need, see DSADeblurLib.kept.
        place: of the result.

    Attributes:
        run: the frames of the node.
        output: the file that the worker writes.

    Raises (on creation):
        ValueError: one sentence, if the node is not usable, or what is to be replaced is no result of it.
        OSError: if the temporary folder cannot be written.
    """

    def __init__(self, node, request: DeblurRequest, *, keep: bool = False, place: Place = NEW_NODE) -> None:
        self._request, self._keep, self._place = request, keep, place
        self.run: InputRun = readInput(node)
        self._nodeID = self.run.node.GetID()
        if place.replaces is not None and place.replaces not in resultsOf(self.run.node, FULL):
            text = _("{name} is no result of this run, and is not replaced; choose another, or Create new.")
            raise ValueError(text.format(name=place.replaces.GetName()))
        self._folder = makeTemporaryFolder()
        self.output = str(self._folder / "out.npy")

    def message(self) -> dict:
        """Write the frames as the node has them, and return the message for the worker."""
        frames, path, files = self.run.frames, self._folder / "in.npy", filesOfRun(self.run)
        with FrameFile.create(path, frames.shape, frames.dtype) as out:
            for i in range(len(frames)):
                out[i] = frames[i]
        return {
            "run": {"frames": str(path), "files": list(files.paths), "note": files.note},
            "request": self._request.as_dict(),
            "output": self.output,
            "keep": str(self._folder / "kept") if self._keep else None,
            # What is looked at comes first; 0 where nothing is.
            "first": shownIndex(self.run.node) + 1,
        }

    def isOrphan(self) -> bool:
        """True when the source node is gone, with the scene or alone."""
        return slicer.mrmlScene.GetNodeByID(self._nodeID) is not self.run.node

    def finish(self, message: dict):
        """As `finishInSteps`, all at once."""
        return finished(self.finishInSteps(message))

    def finishInSteps(self, message: dict) -> Generator[None, None, Any]:
        """Put the worker's result into the scene and return the derived node; a generator, one frame in each step.

        Raises:
            ValueError: one sentence, if the source is gone or the result does not fit it.
        """
        if self.isOrphan():
            raise ValueError(_("The input was removed from the scene; the result was discarded."))
        place, source = self._place, self.run.node
        earlier = [*resultsOf(source, PREVIEW), *([place.replaces] if place.replaces is not None else [])]
        with FrameFile.open(message["output"]) as frames:
            node = yield from addDerivedInSteps(
                self.run,
                frames,
                message["used"]["frame_numbers"],
                name=self._name(),
                attributes=self._attributes(message),
                subtracted=message["subtraction"] is not None,
            )
        node.SetAttribute(RESULT, PREVIEW if place.preview else FULL)
        # Only now, when the new one is there.
        for one in earlier:
            if slicer.mrmlScene.GetNodeByID(one.GetID() or "") is one:
                removeResult(one)
        return node

    def _name(self) -> str:
        place, source = self._place, self.run.node.GetName()
        if place.replaces is not None and not place.name:
            return place.replaces.GetName()
        if place.preview:  # there is one at most
            return _("{name} preview").format(name=source)
        return slicer.mrmlScene.GenerateUniqueName(place.name or _("{name} deblurred").format(name=source))

    def discard(self) -> None:
        """Remove the temporary files."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _attributes(self, message: dict) -> dict[str, str]:
        attributes = {
            "Role": "deblurred",
            "ResearchUseOnly": "true",
            "Request": json.dumps(self._request.as_dict()),
            "Used": json.dumps(message["used"]),
            "SourceNodeID": self._nodeID,
            "SourceName": self.run.node.GetName(),
            "SourceInstanceUID": " ".join(self.run.instanceUIDs),
            "Relationship": message["relationship"] or "",
            "FrameNumbers": " ".join(str(number) for number in message["used"]["frame_numbers"]),
            "Notices": " ".join(message["notices"]),
        }
        if message["subtraction"] is not None:
            attributes["Subtraction"] = json.dumps(message["subtraction"])
        return attributes


def processed(job: Job, makeRunner: Callable[[], WorkerRunner], progress: Callable[..., None] | None):
    """Have a worker do a job, wait for it, and return the derived node; all that was temporary goes.

    Args:
        job: the job.
        makeRunner: gives the worker's process.
        progress: called with (tiles done, tiles in all, seconds left or None).

    Raises:
        RuntimeError: one sentence, if the worker failed.
    """
    client = WorkerClient(makeRunner)
    outcome: dict[str, Any] = {}
    callbacks = Callbacks(
        progress=progress or (lambda *_: None),
        finished=lambda message: outcome.update(message=message),
        error=lambda text, *_details: outcome.update(error=text),
    )
    try:
        client.submit(job.message(), callbacks)
        client.wait()
        if "message" not in outcome:
            raise RuntimeError(outcome.get("error") or _("The deblurring was stopped."))
        return job.finish(outcome["message"])
    finally:
        client.stop()
        job.discard()
