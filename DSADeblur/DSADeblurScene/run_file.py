"""The DICOM file behind the run of a node, found in Slicer's database; nothing of it is read to find it."""

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
class RunFile:
    """Where the file behind a run lies.

    path: the file, or "" when there is none. note: one sentence that says why there is none, or "".
    severalFiles: the frames come from several files, of which this is the first.
    """

    path: str
    note: str = ""
    severalFiles: bool = False


def fileOfRun(run: InputRun) -> RunFile:
    """Look for the file of a run."""
    if not run.instanceUIDs:
        return RunFile(
            "",
            _("No DICOM header behind this node: values are taken as they are, acquisition geometry is unknown."),
        )
    path = fileForInstance(run.instanceUIDs[0])
    if not path:
        return RunFile(
            "", _("The DICOM file of this run is not in the database any more: acquisition facts are unknown.")
        )
    return RunFile(path, severalFiles=len(run.instanceUIDs) > 1)


def loadedRun(run: InputRun, facts: UserFacts) -> LoadedRun:
    """What the file and the user say of a run, and its stored values.

    Reads the header in this process. Never raises: what is missing is told in its `note`.
    """
    from DSADeblurLib.xa.loaded_frames import loaded_run

    file = fileOfRun(run)
    return loaded_run(run.frames, file.path, facts, file.note, file.severalFiles)


def readLoaded(node, facts: UserFacts) -> tuple[InputRun, LoadedRun]:
    """A node's run, and what file and user say of it. Raises ValueError, one sentence, if the node holds no run."""
    run = readInput(node)
    return run, loadedRun(run, facts)


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
