"""Writes a derived node as a DICOM file into a folder or into Slicer's DICOM database."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import slicer
from slicer.i18n import tr as _

from DSADeblurLib.lazy_frames import Frames
from DSADeblurScene.derived import ATTRIBUTE
from DSADeblurScene.export_frames import Watch, watched
from DSADeblurScene.export_result import Result, provenanceOf
from DSADeblurScene.run_file import fileForInstance, loadedRun
from DSADeblurScene.temporary import makeTemporaryFolder

if TYPE_CHECKING:
    from DSADeblurLib.xa.loaded_frames import LoadedRun

Returned = TypeVar("Returned")

# Attributes of the derived node: the instance it is in the DICOM database, with the patient's identity and without.
INSTANCE_UID = ATTRIBUTE + "ExportedInstanceUID"
ANONYMOUS_INSTANCE_UID = ATTRIBUTE + "ExportedAnonymousInstanceUID"


def writeToFolder(
    result: Result, folder: Path, watch: Watch, compression: str, dropIdentity: bool, reviewed: bool
) -> tuple[Path, tuple[str, ...]]:
    """Write one file and return its path and sentences for the user.

    Args:
        folder: where the file goes; a name that is not taken yet is given.
        compression: a key of DSADeblurLib.xa.derived.compression.COMPRESSIONS.
        dropIdentity: write it without what tells who the patient is.
        reviewed: a person looked at every frame and no text is burned in; counts with `dropIdentity` only.

    Raises:
        ValueError: one sentence, if there is no header for it.
        XAWriteError: one sentence, if it cannot be written; then nothing is left.
    """
    stem = fileStem(result.node.GetName())
    if not dropIdentity:
        return writeNew(folder, stem, ".dcm", lambda path: _write(result, path, watch, compression))[0], ()
    with temporaryFolder() as identified:
        path = _write(result, identified / f"{stem}.dcm", watch, compression)
        return _withoutIdentity(path, folder, reviewed)


def addToDatabase(
    result: Result, watch: Watch, compression: str, dropIdentity: bool, reviewed: bool
) -> tuple[str, tuple[str, ...]]:
    """Write the result into Slicer's DICOM database; return its SOP Instance UID and sentences for the user.

    The node remembers the instance: while that is in the database, nothing is added a second time.

    Raises:
        ValueError, XAWriteError: see `writeToFolder`.
        RuntimeError: one sentence, if the database is not open or did not take the file.
    """
    database = getattr(slicer, "dicomDatabase", None)
    if database is None or not database.isOpen:
        raise RuntimeError(_("There is no DICOM database yet: open the DICOM module once, then export again."))
    attribute = ANONYMOUS_INSTANCE_UID if dropIdentity else INSTANCE_UID
    known = result.node.GetAttribute(attribute)
    if known and fileForInstance(known):
        return known, (_("It was added before; to add it again, remove it from the database first."),)
    from DICOMLib import DICOMUtils

    with temporaryFolder() as folder:
        path, notes = writeToFolder(result, folder, watch, compression, dropIdentity, reviewed)
        uid = _instanceUID(path)
        # A copy, because the folder goes. The importer reports success whatever became of the file.
        DICOMUtils.importDicom(str(folder), copyFiles=True)
        stored = fileForInstance(uid)
        if not stored or Path(stored).resolve().is_relative_to(folder.resolve()):
            raise RuntimeError(_("The DICOM database did not take the file; is its disk full or write protected?"))
    result.node.SetAttribute(attribute, uid)
    return uid, notes


def loadedSource(result: Result) -> LoadedRun:
    """The source with its file and what the user said about it.

    Raises:
        ValueError: what is missing and what to do.
    """
    loaded = loadedRun(result.source, result.request.facts)
    if not loaded.run.has_file:
        todo = _("Load the run from the DICOM database and deblur it again, or use Slicer's own DICOM export.")
        raise ValueError(f"{loaded.note} {todo}")
    return loaded


def fileStem(name: str) -> str:
    """A node's name as a name of a file on any system."""
    return re.sub(r"[^\w.\- ]+", "_", name).strip(" ._")[:80].rstrip(" .") or "deblurred"


def writeNew(folder: Path, stem: str, suffix: str, write: Callable[[Path], Returned]) -> tuple[Path, Returned]:
    """As DSADeblurLib.atomic_write.write_new, but a file that cannot be put there is a RuntimeError, one sentence."""
    from DSADeblurLib.atomic_write import write_new

    try:
        return write_new(folder, stem, suffix, write)
    except OSError as error:
        text = _("Cannot write {name}: {reason}.").format(name=f"{stem}{suffix}", reason=error.strerror)
        raise RuntimeError(text) from error


@contextmanager
def temporaryFolder() -> Iterator[Path]:
    """A folder that is gone afterwards; what lies in it carries the patient's identity."""
    folder = makeTemporaryFolder()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write(result: Result, path: Path, watch: Watch, compression: str) -> Path:
    from DSADeblurLib.xa import write_derived
    from DSADeblurLib.xa.loaded_frames import StoredValues

    loaded = loadedSource(result)
    count = len(result.numbers)
    frames: Frames = result.run.frames
    if result.plan is None and loaded.rule is not None:
        frames = StoredValues(frames, loaded.rule)
    # Differences are read twice: their scale is found first.
    watch.expect(count if result.plan is None else 2 * count)
    return write_derived(
        path,
        loaded.run,
        watched(frames, watch),
        frame_numbers=result.numbers,
        provenance=provenanceOf(result, loaded.run.acquisition.assumed()),
        plan=result.plan,
        compression=compression,
    )


def _withoutIdentity(path: Path, folder: Path, reviewed: bool) -> tuple[Path, tuple[str, ...]]:
    from DSADeblurLib.xa.derived.deidentified import LOOK, Deidentifier

    copy = Deidentifier(reviewed=reviewed).write(path, folder)
    return copy.path, (LOOK, *copy.notes)


def _instanceUID(path: str | os.PathLike) -> str:
    import pydicom

    return str(pydicom.dcmread(path, specific_tags=["SOPInstanceUID"], stop_before_pixels=True).SOPInstanceUID)
