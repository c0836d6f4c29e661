"""A file that is written aside and appears only when it is complete."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from DSADeblurLib.atomic_write import new_beside, put_in_place
from DSADeblurLib.errors import PictureError


@contextmanager
def written_aside(path: str | os.PathLike) -> Iterator[Path]:
    """Give the path of a file to be written, moved to `path` when the block ends well and deleted when it does not.

    An existing file at `path` stays as it is until then, and is replaced. Raises PictureError with one sentence when
    writing fails.
    """
    path, aside = Path(path), None
    try:
        aside = new_beside(path, path.suffix)  # FFmpeg goes by it
        yield aside
        put_in_place(aside, path, replace=True)
    except OSError as error:
        raise PictureError(f"Cannot write {path.name}: {error.strerror or str(error).splitlines()[0]}.") from error
    finally:
        if aside is not None:
            aside.unlink(missing_ok=True)
