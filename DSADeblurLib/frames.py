"""Frames that are computed when they are asked for, one at a time, and look like an array."""

import operator
from collections.abc import Iterator

import numpy as np


class LazyFrames:
    """A read-only array of shape (n, rows, columns); `[i]` gives one frame, `[2:5]` and `[[0, 7]]` several.

    Subclasses set `shape` and `dtype` and give `frame(index)` for 0 <= index < n. Nothing is kept.
    """

    shape: tuple[int, int, int]
    dtype: np.dtype
    ndim = 3

    def frame(self, index: int) -> np.ndarray:
        """Return frame `index`, (rows, columns)."""
        raise NotImplementedError

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, key) -> np.ndarray:
        if isinstance(key, slice):
            key = range(len(self))[key]
        if isinstance(key, list | tuple | range | np.ndarray):
            frames = np.empty((len(key), *self.shape[1:]), self.dtype)
            for position, index in enumerate(key):
                frames[position] = self[index]
            return frames
        index = operator.index(key)
        if not -len(self) <= index < len(self):
            raise IndexError(f"frame index {index} outside 0..{len(self) - 1}")
        return self.frame(index % len(self))

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return np.asarray(self[:], dtype=dtype)
