"""What is kept beside a result, so that it follows other controls at once and without a network: x, o, K o and lines.

See `restoration.controls` for the formula. A folder holds a .npy file of frames for each of these, and what the values
mean in a text file; a frame is read when it is asked for.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike

from DSADeblurLib.atomic_write import own_folder
from DSADeblurLib.frame_file import FrameFile
from DSADeblurLib.request import DeblurSettings
from DSADeblurLib.restoration.controls import combined
from DSADeblurLib.restoration.lines import softened
from DSADeblurLib.restoration.normalisation import from_working, to_working
from DSADeblurLib.restoration.trust import Trust, TrustWatch
from DSADeblurLib.used import Used

_FACTS = "kept.json"
# Frames as they came, and the arguments of `restoration.deblur.deblur`'s `keep`.
_FILES = ("frame", "restored", "blurred", "lines")


@dataclass(frozen=True)
class Kept:
    """What the values of a result mean.

    Attributes:
        relationship, bits_stored: see `restoration.deblur.deblur`.
        slope, intercept: how a result is shown to whom it is for, see `xa.loaded_frames.ReaderRule`.
        dtype: its type there; None where it is as it was restored.
    """

    relationship: str | None
    bits_stored: int | None
    slope: float = 1.0
    intercept: float = 0.0
    dtype: str | None = None

    @classmethod
    def of(cls, folder: str | Path) -> Kept:
        """Of a folder that a `Keeper` filled. Raises OSError where it is gone."""
        return cls(**json.loads((Path(folder) / _FACTS).read_text(encoding="utf-8")))

    def shown(self, frame: np.ndarray) -> np.ndarray:
        """(rows, columns) as restored, to values as they are shown."""
        if self.dtype is None:
            return frame
        values = frame if self.slope == 1 and self.intercept == 0 else frame * self.slope + self.intercept
        return values.astype(self.dtype)


class Keeper:
    """Writes what is kept; `restoration.deblur.deblur` calls it. Use as a context manager.

    When there is no room for it the folder goes, `failed` tells so, and the deblurring goes on.

    Args:
        folder: that is made.
        shape: (n, rows, columns) of the result.
        dtype: of the frames as they come.
        kept: what the values mean.

    Attributes:
        failed: there was no room.
        frames: the .npy file with the frames as they came.
    """

    def __init__(self, folder: Path, shape: tuple[int, int, int], dtype: DTypeLike, kept: Kept) -> None:
        self._folder, self.failed, self.frames = folder, False, folder / f"{_FILES[0]}.npy"
        self._open = contextlib.ExitStack()
        folder.mkdir()
        (folder / _FACTS).write_text(json.dumps(dataclasses.asdict(kept)), encoding="utf-8")
        self._files = [
            self._open.enter_context(FrameFile.create(folder / f"{name}.npy", shape, one))
            for name, one in zip(_FILES, (dtype, np.float32, np.float32, bool), strict=True)
        ]

    def __call__(self, position: int, *parts: np.ndarray) -> None:
        if self.failed:
            return
        try:
            for file, part in zip(self._files, parts, strict=True):
                file[position] = part
                file.flush()
        except OSError:
            self._drop()

    def __enter__(self) -> Keeper:
        return self

    def __exit__(self, kind, error, trace) -> None:
        try:
            self._open.close()
        except OSError:  # what was not written yet found no room
            self._drop()
        if kind is not None:
            self._drop()

    def _drop(self) -> None:
        self.failed = True
        with contextlib.suppress(OSError):
            self._open.close()
        shutil.rmtree(self._folder, ignore_errors=True)


class KeptFrame:
    """One frame of a folder that a `Keeper` filled, in memory.

    Raises (on creation):
        OSError, ValueError: the folder is gone or a file of it damaged.
    """

    def __init__(self, folder: str | Path, index: int) -> None:
        self._kept = Kept.of(folder)
        self._frame, self._restored, self._blurred, self._mask = (_read(folder, name, index) for name in _FILES)

    @cached_property
    def _working(self) -> np.ndarray:
        return to_working(self._frame, self._kept.relationship)

    @cached_property
    def _lines(self) -> np.ndarray:
        return softened(self._mask)

    def prepare(self) -> Iterator[None]:
        """Compute what `result` needs but once, in steps between which others may work."""
        for name in ("_working", "_lines"):
            if name not in vars(self):
                getattr(self, name)
                yield

    def result(self, settings: DeblurSettings) -> np.ndarray:
        """The frame as `pipeline.deblur_loaded` gives it with these controls, bit for bit: (rows, columns)."""
        kept, dtype = self._kept, self._frame.dtype
        if settings.changes_nothing:
            values = self._frame if dtype.kind in "iu" else self._frame.astype(np.float32)
        else:
            lines = self._lines if settings.spares_lines else self._mask
            working = combined(self._working, self._restored, self._blurred, lines, settings)
            values = from_working(working, kept.relationship, dtype, kept.bits_stored)
        return kept.shown(values.astype(dtype, copy=False))


def recombine(
    folder: str | Path,
    settings: DeblurSettings,
    path: Path,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> None:
    """Write all frames with other controls into a new .npy file (n, rows, columns), as `KeptFrame.result` gives them.

    Args:
        folder: that a `Keeper` filled.
        settings: the controls.
        path: of the file; it appears when it is complete.
        progress: called with the frames done and the frames in all.
        is_cancelled: asked before every frame.

    Raises:
        DeblurCancelled: `is_cancelled` returned true.
        OSError, ValueError: the folder is gone or a file of it damaged, or there is no room.
    """
    _write_all(folder, path, lambda index: KeptFrame(folder, index).result(settings), progress, is_cancelled)


def trust_of(
    folder: str | Path,
    used: Used,
    path: Path,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> Trust:
    """Look how far a result can be trusted, and write where each frame shows what the data do not explain.

    Args:
        folder: that a `Keeper` filled.
        used: for the result.
        path: of a new .npy file, uint8 (n, rows, columns), 1 at such places and 0 elsewhere.
        progress, is_cancelled: as for `recombine`.

    Raises:
        As `recombine`.
    """
    watch = TrustWatch(Kept.of(folder).relationship)

    def look(index: int) -> np.ndarray:
        return watch(index, *(_read(folder, name, index) for name in _FILES)).astype(np.uint8)

    _write_all(folder, path, look, progress, is_cancelled)
    return watch.trust(used.frame_numbers, used.blur_px)


def _write_all(
    folder: str | Path,
    path: Path,
    frame_of: Callable[[int], np.ndarray],
    progress: Callable[[int, int], None],
    is_cancelled: Callable[[], bool],
) -> None:
    from DSADeblurLib.restoration.restorer import DeblurCancelled

    with FrameFile.open(Path(folder) / f"{_FILES[0]}.npy") as frames:
        shape = frames.shape
    with own_folder(path.parent) as scratch, contextlib.ExitStack() as opened:
        out: FrameFile | None = None
        for index in range(shape[0]):
            progress(index, shape[0])
            if is_cancelled():
                raise DeblurCancelled("Cancelled between two frames.")
            frame = frame_of(index)
            if out is None:
                out = opened.enter_context(FrameFile.create(scratch / path.name, shape, frame.dtype))
            out[index] = frame
        opened.close()
        progress(shape[0], shape[0])
        (scratch / path.name).replace(path)


def _read(folder: str | Path, name: str, index: int) -> np.ndarray:
    with FrameFile.open(Path(folder) / f"{name}.npy") as file:
        return file[index]
