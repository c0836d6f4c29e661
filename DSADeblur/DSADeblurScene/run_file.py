"""The DICOM files behind the run of a node, found in Slicer's database; nothing of them is read to find them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import slicer
from slicer.i18n import tr as _

from DSADeblurLib.request import UserFacts
from DSADeblurScene.input import InputRun, readInput

if TYPE_CHECKING:
    from DSADeblurLib.xa.loaded_frames import LoadedRun


@dataclass(frozen=True)
class RunFiles:
    """Where the files behind a run lie.

    paths: one file, or several of one frame each, in no certain order; none where one is missing.
    note: one sentence that says why there are none, or "".
    """

    paths: tuple[str, ...] = ()
    note: str = ""


def filesOfRun(run: InputRun) -> RunFiles:
    """Look for the files of a run."""
    count = len(run.instanceUIDs)
    if not count:
        return RunFiles(
            note=_("No DICOM header behind this node: values are taken as they are, acquisition geometry is unknown.")
        )
    paths = tuple(filter(None, map(fileForInstance, run.instanceUIDs)))
    if len(paths) == count:
        return RunFiles(paths)
    if count == 1:
        return RunFiles(
            note=_("The DICOM file of this run is not in the database any more: acquisition facts are unknown.")
        )
    text = _("{missing} of the {count} DICOM files of this run are not in the database any more: no header is used.")
    return RunFiles(note=text.format(missing=count - len(paths), count=count))


def loadedRun(run: InputRun, facts: UserFacts, *, atAGlance: bool = False) -> LoadedRun:
    """What the files and the user say of a run, and its stored values.

    Reads headers in this process, of several files those of all and their frames, or `atAGlance` the first alone. Never
    raises: what is missing is told in its `note`.
    """
    from DSADeblurLib.xa.loaded_frames import loaded_run

    files = filesOfRun(run)
    return loaded_run(run.frames, files.paths, facts, files.note, at_a_glance=atAGlance)


def readLoaded(node, facts: UserFacts) -> tuple[InputRun, LoadedRun]:
    """A node's run, and what a glance at its files and the user say of it, to be shown.

    Raises ValueError, one sentence, if the node holds no run.
    """
    run = readInput(node)
    return run, loadedRun(run, facts, atAGlance=True)


class LastRead:
    """As `readLoaded`, but what was read last is not read again while neither node nor facts have changed."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Let go of the nodes."""
        self._identity: tuple | None = None
        self._read: tuple[InputRun, LoadedRun] | None = None

    def __call__(self, node, facts: UserFacts) -> tuple[InputRun, LoadedRun]:
        identity = (node.GetID(), node.GetMTime(), facts)
        if self._read is None or identity != self._identity:
            self._read = readLoaded(node, facts)
            self._identity = identity
        return self._read


def fileForInstance(uid: str) -> str:
    """The file of a SOP instance in Slicer's DICOM database, or "" when it is not there."""
    database = getattr(slicer, "dicomDatabase", None)
    if database is None:
        return ""
    path = database.fileForInstance(uid)
    return path if path and os.path.isfile(path) else ""
