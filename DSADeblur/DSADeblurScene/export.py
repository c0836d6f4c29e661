"""One export of a derived node: DICOM into a folder or Slicer's database, or a picture or film."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from slicer.i18n import tr as _

from DSADeblurScene.export_dicom import addToDatabase, writeNew, writeToFolder
from DSADeblurScene.export_frames import Watch
from DSADeblurScene.export_pictures import writeFilm, writePicture
from DSADeblurScene.export_result import resultOf

DICOM, DATABASE, PNG, GIF, MP4 = FORMATS = ("dicom", "database", "png", "gif", "mp4")


@dataclass(frozen=True)
class ExportOptions:
    """What the user chose.

    format: one of FORMATS.
    folder: where the file goes; "" for the database.
    compression: "none", "jpeg-ls", "jpeg-2000" or "rle", all without loss; DICOM only.
    dropIdentity: write without what tells who the patient is; DICOM only.
    reviewed: a person looked at every frame and no text is burned in; counts with `dropIdentity` only.
    """

    format: str = DICOM
    folder: str = ""
    compression: str = "none"
    dropIdentity: bool = False
    reviewed: bool = False


@dataclass(frozen=True)
class Exported:
    """What was written: the file, or the SOP Instance UID in the database, and what to tell the user."""

    path: Path | None
    instanceUID: str
    summary: str


class Export:
    """An export under way; `run` works in the calling process and lets the application live between frames.

    Args:
        node: the derived node.
        options: what the user chose.
        progress: called with (frames done, frames in all).

    Raises (on creation):
        ValueError: one sentence, if the node or the choices are not usable.
    """

    def __init__(self, node, options: ExportOptions, progress: Callable[[int, int], None] | None = None) -> None:
        if options.format not in FORMATS:
            raise ValueError(_("Unknown format {format}.").format(format=repr(options.format)))
        if options.format != DATABASE and not (options.folder and Path(options.folder).is_dir()):
            raise ValueError(_("Choose a folder that exists for the file."))
        self._options = options
        self._result = resultOf(node)
        self._watch = Watch(self._result, progress or (lambda *_: None))

    def cancel(self) -> None:
        """Stop before the next frame."""
        self._watch.cancel()

    def run(self) -> Exported:
        """Write it.

        Raises:
            ExportCancelled: `cancel` was called; nothing is left.
            ValueError, RuntimeError, OSError: one sentence, if it cannot be written; nothing is left.
        """
        from DSADeblurLib.pictures import PictureError
        from DSADeblurLib.xa import XAReadError, XAWriteError

        try:
            return self._write()
        except (PictureError, XAReadError, XAWriteError) as error:
            raise RuntimeError(str(error)) from error

    def _write(self) -> Exported:
        options, result, watch = self._options, self._result, self._watch
        dicom = (watch, options.compression, options.dropIdentity, options.reviewed)
        if options.format == DATABASE:
            uid, notes = addToDatabase(result, *dicom)
            return Exported(None, uid, self._told(_("The result is in the DICOM database."), notes))
        folder = Path(options.folder)
        if options.format == DICOM:
            path, notes = writeToFolder(result, folder, *dicom)
        else:
            # The node's name may be the patient's, and pictures travel without a header that would warn of it.
            write = writePicture if options.format == PNG else writeFilm
            path, notes = writeNew(folder, "deblurred", f".{options.format}", lambda path: write(result, path, watch))
        return Exported(path, "", self._told(_("Wrote {path}.").format(path=path), notes))

    @staticmethod
    def _told(done: str, notes: tuple[str, ...]) -> str:
        return " ".join((done, *notes, _("For research use only.")))
