"""Write a DICOM file aside, frame by frame, and move it into place only when it is complete."""

import errno
import os
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from DSADeblurLib.atomic_write import new_beside, put_in_place
from DSADeblurLib.errors import XAReadError, XAWriteError
from DSADeblurLib.xa.derived.streams import FragmentStream, FrameStream
from DSADeblurLib.xa.file.input_file import InputFile

# The project's own implementation identity, so that files do not change with the version of pydicom.
IMPLEMENTATION_UID = UID("2.25.306379979965642186950626601995875245803")
IMPLEMENTATION_NAME = "DSADEBLUR"
_MAX_NATIVE_BYTES = 2**32 - 2
_PIXEL_DATA = 0x7FE00010
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def attach_native_pixels(
    dataset: Dataset, frame: Callable[[int], np.ndarray], count: int, frame_bytes: int, bits_allocated: int
) -> None:
    """Make `frame(i)` the native pixel data of `dataset`; nothing is computed before the file is written."""
    if count * frame_bytes > _MAX_NATIVE_BYTES:
        raise XAWriteError("The frames exceed 4 GiB, the limit of one DICOM file; choose fewer frames.")
    stream = FrameStream(frame, count, frame_bytes)
    dataset[_PIXEL_DATA] = DataElement(_PIXEL_DATA, "OB" if bits_allocated == 8 else "OW", stream)


def attach_compressed_pixels(dataset: Dataset, fragment: Callable[[int], bytes], count: int) -> None:
    """Make the codestreams `fragment(i)` the encapsulated pixel data of `dataset`; each is asked for once."""
    dataset[_PIXEL_DATA] = DataElement(_PIXEL_DATA, "OB", FragmentStream(fragment, count))


def save_aside(
    dataset: Dataset,
    path: str | os.PathLike,
    transfer_syntax: str = ExplicitVRLittleEndian,
    source: InputFile | None = None,
    *,
    replace: bool = True,
) -> Path:
    """Write `dataset` in DICOM File Format next to `path`, then put it there in one step.

    A `source` that changed since it was opened is a failure: what was made from it may be half of the one and half of
    the other. `replace` says whether an existing file at `path` is replaced. On any failure nothing is left behind and
    such a file is unchanged. Raises XAWriteError, and FileExistsError where a file is there that may not be replaced.
    """
    path = Path(path)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(transfer_syntax)
    dataset.file_meta.ImplementationClassUID = IMPLEMENTATION_UID
    dataset.file_meta.ImplementationVersionName = IMPLEMENTATION_NAME
    dataset.preamble = b"\0" * 128
    pixels = dataset["PixelData"].value
    aside = None
    try:
        aside = new_beside(path)
        with open(aside, "wb") as stream, warnings.catch_warnings():
            # What pydicom remarks on here was copied from the source, and is legal or was left out.
            warnings.simplefilter("ignore")
            dataset.save_as(stream, enforce_file_format=True)
            if isinstance(pixels, FragmentStream):
                pixels.complete(stream)
            stream.flush()
            os.fsync(stream.fileno())
        if source is not None:
            source.check_unchanged()
        put_in_place(aside, path, replace=replace)
    except Exception as error:
        if isinstance(error, FileExistsError) and not replace:
            raise
        failure = getattr(pixels, "failure", None)
        if failure is not None:
            raise failure from None
        if isinstance(error, XAReadError):
            raise XAWriteError(str(error)) from error
        raise XAWriteError(f"Cannot write {path.name}: {_reason(error)}.") from error
    finally:
        if aside is not None:
            aside.unlink(missing_ok=True)
    return path


def _reason(error: BaseException) -> str:
    """Return why writing failed. pydicom raises a new error from the first one, which alone has the error number."""
    while error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, OSError) and error.errno in _FULL:
        return "the disk is full or a limit of its size is reached; free some space, or choose another folder"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, MemoryError):
        return "there is not enough memory"
    # pydicom's errors, some of them OSError without a number, seldom say what is wrong with which attribute.
    said = str(error).split("\n")[0].rstrip(".")
    return f"a value copied from the source cannot be stored in DICOM ({said}); repair the source file"
