"""A picture's file, which appears only when it is complete; failures are told in one sentence."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from DSADeblurLib.atomic_write import atomic_write
from DSADeblurLib.errors import PictureError


@contextmanager
def picture_file(path: str | os.PathLike) -> Iterator[Path]:
    """Give a new empty file to be written; a file at `path` is replaced by it when the block ends well.

    Args:
        path: of the finished picture; the unfinished one has the same suffix.

    Yields:
        The path of the unfinished file.

    Raises:
        PictureError: one sentence, if writing fails; then a file at `path` is as it was.
    """
    try:
        with atomic_write(path, replace=True) as unfinished:
            yield unfinished
    except OSError as error:
        reason = error.strerror or str(error).splitlines()[0]
        raise PictureError(f"Cannot write {Path(path).name}: {reason}.") from error
