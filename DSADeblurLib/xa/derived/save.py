"""Write a DICOM file frame by frame; it appears under its name only when it is complete."""

import errno
import io
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from DSADeblurLib.atomic_write import atomic_write
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
    """Give a data set native pixel data; nothing is computed before the file is written.

    Args:
        dataset: to be written.
        frame: gives frame i, (rows, columns) uint8 or uint16; asked for once each, in order.
        count: of the frames.
        frame_bytes: of one frame.
        bits_allocated: 8 or 16.

    Raises:
        XAWriteError: one sentence, where the frames exceed the length of one element.

    Source: PS3.5 8.2, A.2.
    """
    if count * frame_bytes > _MAX_NATIVE_BYTES:
        raise XAWriteError("The frames exceed 4 GiB, the limit of one DICOM file; choose fewer frames.")
    stream = FrameStream(frame, count, frame_bytes)
    dataset[_PIXEL_DATA] = DataElement(_PIXEL_DATA, "OB" if bits_allocated == 8 else "OW", stream)


def attach_compressed_pixels(dataset: Dataset, fragment: Callable[[int], bytes], count: int) -> None:
    """Give a data set encapsulated pixel data.

    Args:
        dataset: to be written.
        fragment: gives the codestream of frame i; asked for once each, in order.
        count: of the frames.

    Source: PS3.5 A.4.
    """
    dataset[_PIXEL_DATA] = DataElement(_PIXEL_DATA, "OB", FragmentStream(fragment, count))


def write_dicom(
    dataset: Dataset,
    path: str | os.PathLike,
    transfer_syntax: str = ExplicitVRLittleEndian,
    source: InputFile | None = None,
) -> Path:
    """Write `dataset` in DICOM File Format; a file at `path` is replaced in one step.

    Args:
        dataset: with its pixels attached, see `attach_native_pixels` and `attach_compressed_pixels`.
        path: of the file.
        transfer_syntax: that the attached pixels are in.
        source: what it was made from. It is a failure when that changed since it was opened: what was made may be half
            of the one and half of the other.

    Returns:
        `path`.

    Raises:
        XAWriteError: one sentence; then nothing is left behind and a file at `path` is unchanged.

    Source: PS3.10 7.1.
    """
    path = Path(path)
    _complete(dataset, transfer_syntax)
    pixels = dataset["PixelData"].value
    try:
        with atomic_write(path, replace=True) as unfinished:
            with open(unfinished, "wb") as stream:
                _save(dataset, stream)
                if isinstance(pixels, FragmentStream):
                    pixels.complete(stream)
                stream.flush()
                os.fsync(stream.fileno())
            if source is not None:
                source.check_unchanged()
    except Exception as error:
        failure = getattr(pixels, "failure", None)
        if failure is not None:
            raise failure from None
        if isinstance(error, XAReadError):
            raise XAWriteError(str(error)) from error
        raise XAWriteError(f"Cannot write {path.name}: {why_not_written(error)}.") from error
    return path


def check_storable(dataset: Dataset, transfer_syntax: str) -> None:
    """Check that every value of a data set can be stored; its pixels are taken away.

    Raises:
        XAWriteError: one sentence, where one cannot.
    """
    del dataset[_PIXEL_DATA]
    _complete(dataset, transfer_syntax)
    try:
        _save(dataset, io.BytesIO())
    except Exception as error:
        raise XAWriteError(f"No result can be written: {why_not_written(error)}.") from error


def _complete(dataset: Dataset, transfer_syntax: str) -> None:
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(transfer_syntax)
    dataset.file_meta.ImplementationClassUID = IMPLEMENTATION_UID
    dataset.file_meta.ImplementationVersionName = IMPLEMENTATION_NAME
    dataset.preamble = b"\0" * 128


def _save(dataset: Dataset, stream: BinaryIO) -> None:
    with warnings.catch_warnings():
        # What pydicom remarks on here was copied from the source, and is legal or was left out.
        warnings.simplefilter("ignore")
        dataset.save_as(stream, enforce_file_format=True)


def why_not_written(error: BaseException) -> str:
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
    reason = str(error).split("\n")[0].rstrip(".")
    return f"a value copied from the source cannot be stored in DICOM ({reason}); repair the source file"
