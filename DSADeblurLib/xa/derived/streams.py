"""Pixel data as a file that is computed while it is read, so that only one frame is ever in memory."""

import io
import os
import struct
from collections.abc import Callable
from typing import BinaryIO

import numpy as np

from DSADeblurLib.errors import XAWriteError

_LARGEST_OFFSET = 2**32 - 2
_ITEM = b"\xfe\xff\x00\xe0"


class _Computed(io.BufferedIOBase):
    """A seekable file whose bytes are made when they are read; `failure` keeps why that was not possible."""

    def __init__(self) -> None:
        self._position = 0
        self.failure: Exception | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._end()}[whence]
        self._position = base + offset
        return self._position

    def _end(self) -> int:
        """Return where the file ends, as far as it is known."""
        raise NotImplementedError

    def _make(self, index: int):
        """Return what is read of frame `index`."""
        raise NotImplementedError

    def _made(self, index: int):
        try:
            return self._make(index)
        except Exception as error:
            # pydicom rewrites what is raised while it writes; the original is kept for `write_dicom`.
            self.failure = error
            raise


class FrameStream(_Computed):
    """The native frames of a run as a seekable file.

    `frame(i)` returns the pixels of frame i, uint8 or uint16 of one common size; pydicom copies from here to disk.
    """

    def __init__(self, frame: Callable[[int], np.ndarray], count: int, frame_bytes: int) -> None:
        super().__init__()
        self._frame, self._frame_bytes = frame, frame_bytes
        self._length = count * frame_bytes
        # A value has an even length; the pad byte belongs to it (PS3.5 8.1.1).
        self.size = self._length + self._length % 2
        self._index, self._data = -1, b""

    def _end(self) -> int:
        return self.size

    def read(self, size: int | None = -1) -> bytes:
        if self._position >= self._length:
            data = b"\0" if self._position < self.size and size != 0 else b""
        else:
            index, start = divmod(self._position, self._frame_bytes)
            if index != self._index:
                pixels = self._made(index)
                self._index = index
                self._data = pixels.astype(pixels.dtype.newbyteorder("<"), copy=False).tobytes()
            data = self._data[start:] if size is None or size < 0 else self._data[start : start + size]
        self._position += len(data)
        return data

    def _make(self, index: int) -> np.ndarray:
        pixels = self._frame(index)
        if pixels.nbytes != self._frame_bytes:
            raise XAWriteError(f"Frame {index + 1} has {pixels.nbytes} bytes, expected {self._frame_bytes}.")
        return pixels


class FragmentStream(_Computed):
    """The compressed frames of a run, encapsulated, one fragment a frame (PS3.5 A.4), as a file to be read once.

    `fragment(i)` returns the codestream of frame i. How long the whole will be is not known before, so the basic
    offset table is read as zeros, and `complete` fills it in where the file has been written.
    """

    def __init__(self, fragment: Callable[[int], bytes], count: int) -> None:
        super().__init__()
        self._fragment, self._count = fragment, count
        self._offsets: list[int] = []
        self._pending = _item(bytes(4 * count))
        self._first = len(self._pending)
        # `_start` is where the pending bytes begin. Reading drops what was read, except for the table: pydicom looks
        # at its tag first and then begins again.
        self._start = 0

    def _end(self) -> int:
        return self._start + len(self._pending)

    def read(self, size: int | None = -1) -> bytes:
        if self._position == self._start + len(self._pending) and len(self._offsets) < self._count:
            self._start = self._position
            self._pending = self._made(len(self._offsets))
        start = self._position - self._start
        if start < 0:
            raise io.UnsupportedOperation("compressed frames are made once and cannot be read again")
        data = self._pending[start:] if size is None or size < 0 else self._pending[start : start + size]
        self._position += len(data)
        return data

    def _make(self, index: int) -> bytes:
        offset = self._start - self._first
        if offset > _LARGEST_OFFSET:
            raise XAWriteError("The compressed frames exceed 4 GiB; choose fewer frames.")
        self._offsets.append(offset)
        return _item(self._fragment(index))

    def complete(self, file: BinaryIO) -> None:
        """Fill in the basic offset table of `file`, whose last element these frames are."""
        # Behind the frames comes nothing but the sequence delimiter of eight bytes.
        end = file.seek(-8, os.SEEK_END)
        file.seek(end - (self._start + len(self._pending)) + 8)
        file.write(struct.pack(f"<{self._count}L", *self._offsets))
        file.seek(0, os.SEEK_END)


def _item(data: bytes) -> bytes:
    """Return one item with its header; a fragment of odd length is padded (PS3.5 A.4)."""
    return _ITEM + struct.pack("<L", len(data) + len(data) % 2) + data + bytes(len(data) % 2)
