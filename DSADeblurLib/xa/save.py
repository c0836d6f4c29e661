"""Write a DICOM file aside, frame by frame, and move it into place only when it is complete."""

import io
import os
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from DSADeblurLib.xa.errors import XAWriteError

# The project's own implementation identity, so that files do not change with the version of pydicom.
IMPLEMENTATION_UID = UID("2.25.306379979965642186950626601995875245803")
IMPLEMENTATION_NAME = "DSADEBLUR"
_MAX_NATIVE_BYTES = 2**32 - 2


class FrameStream(io.BufferedIOBase):
    """The encoded frames of a run as a seekable file of which only one frame is ever in memory.

    `frame(i)` returns the pixels of frame i, uint8 or uint16 of one common size; pydicom copies from here to disk.
    """

    def __init__(self, frame: Callable[[int], np.ndarray], count: int, frame_bytes: int) -> None:
        self._frame, self._frame_bytes = frame, frame_bytes
        self._length = count * frame_bytes
        # A value has an even length; the pad byte belongs to it (PS3.5 8.1.1).
        self.size = self._length + self._length % 2
        self._position = 0
        self._index, self._data = -1, b""
        self.failure: Exception | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        self._position = base + offset
        return self._position

    def read(self, size: int = -1) -> bytes:
        if self._position >= self._length:
            data = b"\0" if self._position < self.size and size != 0 else b""
        else:
            index, start = divmod(self._position, self._frame_bytes)
            if index != self._index:
                pixels = self._computed(index)
                self._index = index
                self._data = pixels.astype(pixels.dtype.newbyteorder("<"), copy=False).tobytes()
            data = self._data[start:] if size < 0 else self._data[start:start + size]
        self._position += len(data)
        return data

    def _computed(self, index: int) -> np.ndarray:
        try:
            pixels = self._frame(index)
            if pixels.nbytes != self._frame_bytes:
                raise XAWriteError(f"Frame {index + 1} has {pixels.nbytes} bytes, expected {self._frame_bytes}.")
            return pixels
        except Exception as error:
            # pydicom rewrites what is raised while it writes; the original is kept for `save_aside`.
            self.failure = error
            raise


def attach_native_pixels(
    dataset: Dataset, frame: Callable[[int], np.ndarray], count: int, frame_bytes: int, bits_allocated: int
) -> None:
    """Make `frame(i)` the native pixel data of `dataset`; nothing is computed before the file is written."""
    if count * frame_bytes > _MAX_NATIVE_BYTES:
        raise XAWriteError("The frames exceed 4 GiB, the limit of one DICOM file; choose fewer frames.")
    stream = FrameStream(frame, count, frame_bytes)
    dataset[0x7FE00010] = DataElement(0x7FE00010, "OB" if bits_allocated == 8 else "OW", stream)


def save_aside(dataset: Dataset, path: str | os.PathLike, transfer_syntax: str = ExplicitVRLittleEndian) -> Path:
    """Write `dataset` in DICOM File Format next to `path`, then replace `path` with it in one step.

    On any failure nothing is left behind and an existing file at `path` is unchanged. Raises XAWriteError.
    """
    path = Path(path)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(transfer_syntax)
    dataset.file_meta.ImplementationClassUID = IMPLEMENTATION_UID
    dataset.file_meta.ImplementationVersionName = IMPLEMENTATION_NAME
    dataset.preamble = b"\0" * 128
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(aside, "wb") as stream, warnings.catch_warnings():
            # What pydicom remarks on here was copied from the source, and is legal or was left out.
            warnings.simplefilter("ignore")
            dataset.save_as(stream, enforce_file_format=True)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(aside, path)
    except Exception as error:
        failure = getattr(dataset["PixelData"].value, "failure", None)
        if failure is not None:
            raise failure from None
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error).split("\n")[0]
        raise XAWriteError(f"Cannot write {path.name}: {reason}.") from error
    finally:
        aside.unlink(missing_ok=True)
    return path
