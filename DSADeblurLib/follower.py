"""Lets somebody look on while a run is restored: which frame comes first, the stages, and each frame that is done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from DSADeblurLib.frame_file import FrameFile
from DSADeblurLib.kept import Kept


def _nothing(*_told) -> None:
    pass


@dataclass(frozen=True)
class Follower:
    """Somebody who looks on while a run is restored.

    Attributes:
        number: of the frame of the run that is restored first, those next to it follow; the middle one of the result
            where it has no such frame. None for one after the other. It counts where nothing is subtracted afterwards.
        stage: called when one begins, with its name ('planning', 'engines' or 'frames') and the number of frames that
            are restored; 0 where that is not known.
        frame: called for each frame that can be read from the file, in a thread of its own: with its place there, its
            number in the run, and the file that has the frame as it was subtracted in the same place; None where
            nothing was. Not called where there is no such file, and where it is still to be subtracted.
    """

    number: int | None = None
    stage: Callable[[str, int], object] = _nothing
    frame: Callable[[int, int, Path | None], object] = _nothing


NOBODY = Follower()


class FollowedFile:
    """Takes restored frames, writes them as they are shown, and tells of each that can be read.

    Args:
        file: that they go to.
        dtype: of what is restored.
        shown: as for `pipeline.restore`.
        tell: called with the place of a frame.
    """

    def __init__(self, file: FrameFile, dtype: np.dtype, shown: Kept | None, tell: Callable[[int], object]) -> None:
        self.shape, self.dtype = file.shape, dtype
        self._file, self._shown, self._tell = file, shown, tell

    def __setitem__(self, position: int, frame: np.ndarray) -> None:
        restored = frame.astype(self.dtype, copy=False)
        self._file[position] = restored if self._shown is None else self._shown.shown(restored)
        self._file.flush()
        self._tell(position)
