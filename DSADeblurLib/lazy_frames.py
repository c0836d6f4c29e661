"""What frames are everywhere: an array, or something like one whose frames are computed when they are asked for."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import DTypeLike


class Frames(Protocol):
    """Frames of one run, (n, rows, columns): a NumPy array, or whatever else gives one frame at a time."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of frames, rows, columns."""

    @property
    def dtype(self) -> np.dtype:
        """Type of the values."""

    def __len__(self) -> int: ...

    def __getitem__(self, key, /) -> np.ndarray: ...

    def __iter__(self) -> Iterator[np.ndarray]: ...


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

    def remarks(self) -> list[str]:
        """Return sentences for the user about the frames that were read until now."""
        return []

    def indices(self, key: slice | Sequence[int] | np.ndarray) -> list[int]:
        """Return the indices, each in 0..n - 1, of several frames.

        Args:
            key: a slice, or integers from -n to n - 1.

        Raises:
            IndexError: one sentence, if it is anything else.
        """
        if isinstance(key, slice):
            return list(range(*key.indices(len(self))))
        if isinstance(key, tuple):
            raise IndexError("Whole frames only: give one index, a slice or a list.")
        return [self.index(one) for one in key]

    def index(self, key: int) -> int:
        """Return the index in 0..n - 1 of one frame; raises IndexError, one sentence, where there is none."""
        index = int(key) if np.asarray(key).dtype.kind in "iu" else None
        if index is None or not -len(self) <= index < len(self):
            raise IndexError(f"There is no frame at index {key!r} of {len(self)} frames.")
        return index % len(self)

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self.frame(index) for index in range(len(self)))

    def __getitem__(self, key) -> np.ndarray:
        if not is_several(key):
            return self.frame(self.index(key))
        indices = self.indices(key)
        frames = np.empty((len(indices), *self.shape[1:]), self.dtype)
        for position, index in enumerate(indices):
            frames[position] = self.frame(index)
        return frames

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        if copy is False:
            raise ValueError("Lazy frames cannot be seen as an array without a copy.")
        return np.asarray(self[:], dtype=dtype)


class ComputedFrames(LazyFrames):
    """Frames of a shape (n, rows, columns) and a dtype, each of which `frame_of(index)` gives, (rows, columns)."""

    def __init__(self, shape: Sequence[int], dtype: DTypeLike, frame_of: Callable[[int], np.ndarray]) -> None:
        count, rows, columns = shape
        self.shape, self.dtype, self._frame_of = (count, rows, columns), np.dtype(dtype), frame_of

    def frame(self, index: int) -> np.ndarray:
        """Return frame `index`, (rows, columns)."""
        return np.asarray(self._frame_of(index), self.dtype)


class MappedFrames(ComputedFrames):
    """Each of `frames`, (n, rows, columns), through a function that keeps its shape, as `dtype`."""

    def __init__(self, frames: Frames, function: Callable[[np.ndarray], np.ndarray], dtype: DTypeLike) -> None:
        super().__init__(frames.shape, dtype, lambda index: function(frames[index]))


def chosen_frames(frames: Frames, indices: Sequence[int]) -> ComputedFrames:
    """Some of `frames`, (n, rows, columns), in the order of their `indices`."""
    return ComputedFrames((len(indices), *frames.shape[1:]), frames.dtype, lambda index: frames[indices[index]])


def is_several(key) -> bool:
    """Whether an index is one of several frames."""
    return isinstance(key, slice | list | tuple | range | np.ndarray)


def evenly_spaced(count: int, most: int) -> list[int]:
    """Return at most so many indices of `count` frames, in order, the first and the last among them; [] of none."""
    return np.linspace(0, count - 1, min(count, most)).round().astype(int).tolist()
