"""Copies of derived objects without the patient's identity."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset

from DSADeblurLib.atomic_write import write_new
from DSADeblurLib.errors import XAReadError, XAWriteError
from DSADeblurLib.xa.derived.confidentiality import Confidentiality
from DSADeblurLib.xa.derived.save import attach_compressed_pixels, attach_native_pixels, why_not_written, write_dicom
from DSADeblurLib.xa.file.dataset import read_dataset
from DSADeblurLib.xa.file.elements import text_of, texts_of
from DSADeblurLib.xa.file.frame_stack import FrameStack
from DSADeblurLib.xa.file.input_file import InputFile
from DSADeblurLib.xa.file.reading import reading
from DSADeblurLib.xa.file.stored_pixels import StoredPixels

LOOK = (
    "No header can prove that no text is burned into the pixels: a person must look at every frame before a copy "
    "leaves the hospital."
)
BURNED_IN = "The header of {name} does not exclude text burned into the pixels, so it is not marked as de-identified."
_MAPPED = ("PatientName", "PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")


@dataclass(frozen=True)
class DeidentifiedCopy:
    """One file written.

    Attributes:
        path: of the copy.
        notes: sentences for the user.
        mapping: original and copy, each as a dictionary of path, patient and UIDs. It is what the copy must not tell.
    """

    path: Path
    notes: tuple[str, ...]
    mapping: dict


class Deidentifier:
    """Writes copies that still fit each other: the same UID or patient becomes the same one in all of them.

    What tells who the patient is, where or when, goes as `Confidentiality` says; geometry, derivation and the model's
    hash stay. Pixels are copied as they are stored. The copies are called deblurred-0001.dcm and so on, because a
    file's name may be the patient's.

    Nothing here looks at the pixels, and no header tag proves that no text is burned into them: a person must look.
    Patient Identity Removed speaks of the pixels too: it is YES where Burned In Annotation is NO, or by `reviewed`.

    Args:
        reviewed: a person looked at the frames of all files and found nothing.
        dates: a word of `confidentiality.DATES`.

    Raises:
        XAWriteError: one sentence, where a package is missing.

    Source: PS3.3 C.7.1.1, PS3.15 E.
    """

    def __init__(self, *, reviewed: bool = False, dates: str = "removed") -> None:
        try:
            self._confidentiality = Confidentiality(dates)
        except ImportError as error:
            raise XAWriteError(
                "Dropping the patient's identity needs the Python package dicom-anonymizer: pip install "
                "dicom-anonymizer."
            ) from error
        self._reviewed = reviewed

    def write(self, path: str | os.PathLike, folder: str | os.PathLike) -> DeidentifiedCopy:
        """Write a copy of the derived object at `path` into an existing folder, where everything else stays.

        Raises:
            XAWriteError: one sentence; then nothing is left.
        """
        path = Path(path)
        try:
            with reading():
                source, stored = read_dataset(InputFile(path))
                if "DEBLURRED" not in texts_of(source, "ImageType") or text_of(source, "Manufacturer") != "DSADeblur":
                    raise XAReadError("only derived objects of DSADeblur can be written without identity.")
                copy = self._confidentiality.copy(source)
        except (XAReadError, XAWriteError) as error:
            raise XAWriteError(f"{path.name}: {error}") from error
        clear = self._reviewed or copy.get("BurnedInAnnotation") == "NO"
        copy.PatientIdentityRemoved = "YES" if clear else "NO"
        with stored.file:
            written = _write_new(copy, stored, Path(folder))
        mapping: dict[str, Any] = {
            "original": {"file": os.path.abspath(path), **{one: text_of(source, one) for one in _MAPPED}},
            "copy": {"file": os.path.abspath(written), **{one: text_of(copy, one) for one in _MAPPED}},
        }
        shift = self._confidentiality.shift_of(source)
        if shift is not None:
            mapping["dates_shifted_by_seconds"] = shift.total_seconds()
        return DeidentifiedCopy(written, () if clear else (BURNED_IN.format(name=path.name),), mapping)


def attach_stored_pixels(copy: Dataset, stored: StoredPixels) -> None:
    """Give a copy the pixels of its source as they are stored; the file is read when the copy is written."""
    fragments = stored.fragments
    if fragments is None:
        attach_native_pixels(copy, FrameStack(stored).raw, stored.frames, stored.frame_bytes, stored.bits_allocated)
        return

    def fragment(index: int) -> bytes:
        return b"".join(stored.file.read_at(start, length) for start, length in fragments[index])

    attach_compressed_pixels(copy, fragment, stored.frames)


def _write_new(copy: Dataset, stored: StoredPixels, folder: Path) -> Path:
    """Write it under the first name that nothing has, also not when it is complete."""
    attach_stored_pixels(copy, stored)

    def write(path: Path) -> Path:
        return write_dicom(copy, path, stored.transfer_syntax, stored.file)

    try:
        return write_new(folder, "deblurred", ".dcm", write, digits=4)[0]
    except OSError as error:
        raise XAWriteError(f"Cannot write into {folder}: {why_not_written(error)}.") from error
