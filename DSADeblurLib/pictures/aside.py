"""A file that is written aside and appears only when it is complete."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from DSADeblurLib.pictures.errors import PictureError


@contextmanager
def written_aside(path: str | os.PathLike) -> Iterator[Path]:
    """Give the path of a file to be written, moved to `path` when the block ends well and deleted when it does not.

    An existing file at `path` stays as it is until then. Raises PictureError with one sentence when writing fails.
    """
    path = Path(path)
    # The ending stays: FFmpeg goes by it.
    aside = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        yield aside
        os.replace(aside, path)
    except OSError as error:
        raise PictureError(f"Cannot write {path.name}: {error.strerror or str(error).splitlines()[0]}.") from error
    finally:
        aside.unlink(missing_ok=True)
