"""Frames in a .npy file, read and written one at a time, so that a long run never lies in memory as a whole."""

from __future__ import annotations

import os

import numpy as np
from numpy.lib import format as npy
from numpy.typing import DTypeLike

from DSADeblurLib.lazy_frames import LazyFrames, is_several

_READERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


class FrameFile(LazyFrames):
    """A .npy file of shape (n, rows, cols) whose frames are read and assigned like those of an array.

    Plain file reads and writes are used, not a memory map: mapped pages count as resident memory of the process
    and grow with the run. Any program that reads .npy can read the file. Use as a context manager, or `close()`.
    One object serves one thread.
    """

    def __init__(self, file, shape: tuple[int, int, int], dtype: np.dtype, start: int) -> None:
        self._file = file
        self._start = start
        self.shape = shape
        self.dtype = dtype
        self._frame_bytes = shape[1] * shape[2] * dtype.itemsize

    @classmethod
    def create(cls, path: str | os.PathLike, shape: tuple[int, int, int], dtype: DTypeLike) -> FrameFile:
        """A new file of zeros, open for reading and writing; an older file of this name is replaced.

        Args:
            path: of the .npy file.
            shape: (n, rows, cols), each at least 1.
            dtype: an integer, floating or boolean type.

        Raises:
            ValueError: one sentence, if shape or type are not usable.
            OSError: if the file cannot be written.
        """
        dtype = np.dtype(dtype)
        shape = _checked(tuple(int(side) for side in shape), False, dtype, path)
        file = open(path, "w+b")
        try:
            header = {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
            npy.write_array_header_1_0(file, header)
            start = file.tell()
            file.truncate(start + int(np.prod(shape, dtype=np.int64)) * dtype.itemsize)
        except BaseException:
            file.close()
            raise
        return cls(file, shape, dtype, start)

    @classmethod
    def open(cls, path: str | os.PathLike) -> FrameFile:
        """An existing file, open for reading.

        Raises:
            ValueError: one sentence, if it is not a .npy file of frames of numbers, or is cut short.
            OSError: if it cannot be opened.
        """
        file = open(path, "rb")
        try:
            try:
                version = npy.read_magic(file)
                if version not in _READERS:
                    raise ValueError(f"format version {version}")
                shape, fortran, dtype = _READERS[version](file)
            except OSError:
                raise
            except Exception as error:  # numpy parses the header with Python's tokenizer, which has its own errors
                raise ValueError(f"{path} is not a .npy file of frames; write it with numpy.save.") from error
            shape = _checked(shape, fortran, dtype, path)
            start = file.tell()
            needed = start + int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
            present = os.fstat(file.fileno()).st_size
            if present < needed:
                raise ValueError(f"{path} is cut short: {present} bytes of {needed}; write it again.")
        except BaseException:
            file.close()
            raise
        return cls(file, shape, dtype, start)

    def frame(self, index: int) -> np.ndarray:
        """Return frame `index`, (rows, columns); always a copy."""
        frame = np.empty(self.shape[1:], self.dtype)
        self._seek(index)
        if self._file.readinto(frame.data.cast("B")) != self._frame_bytes:
            raise ValueError(f"{self._file.name} is cut short at frame {index + 1}; write it again.")
        return frame

    def __setitem__(self, key, frames) -> None:
        """[i] = frame, or [slice] = frames; values are broadcast and cast as numpy assigns them."""
        if not is_several(key):
            self._write(self.index(key), frames)
            return
        indices = self.indices(key)
        for frame, index in zip(np.broadcast_to(frames, (len(indices), *self.shape[1:])), indices, strict=True):
            self._write(index, frame)

    def flush(self) -> None:
        """Let others who open the file read what was assigned until now."""
        self._file.flush()

    def close(self) -> None:
        """Close the file; further access raises ValueError."""
        self._file.close()

    def __enter__(self) -> FrameFile:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def _write(self, index: int, frame) -> None:
        values = np.ascontiguousarray(np.broadcast_to(np.asarray(frame), self.shape[1:]), dtype=self.dtype)
        self._seek(index)
        self._file.write(values.data.cast("B"))

    def _seek(self, index: int) -> None:
        self._file.seek(self._start + index * self._frame_bytes)


def _checked(shape: tuple[int, ...], fortran: bool, dtype: np.dtype, path) -> tuple[int, int, int]:
    if dtype.kind not in "biuf":
        raise ValueError(f"{path} must hold plain numbers, not {dtype}.")
    if len(shape) != 3 or min(shape) < 1:
        raise ValueError(f"{path} must hold frames of shape (n, rows, cols), not {tuple(shape)}.")
    if fortran:
        raise ValueError(f"{path} must be in C order; save a contiguous copy.")
    count, rows, columns = shape
    return count, rows, columns
