"""Opens files that nobody vouches for: a pipe or a device of the same name is refused, and none of them waited for."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import stat

_BLOCK = 2**20


def open_regular(path: str | os.PathLike) -> io.FileIO:
    """Open a regular file for reading, without a buffer. Raises OSError, for anything else too."""
    # A pipe is opened without a writer on its other end, so that it can be told what it is.
    file = io.FileIO(path, opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0)))
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "it is a pipe or a device", os.fspath(path))
    return file


def read_regular(path: str | os.PathLike, largest: int) -> bytes:
    """Read a whole file of up to `largest` bytes. Raises OSError, for a larger one before anything is read."""
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > largest:
            raise OSError(errno.EFBIG, f"it is larger than {largest // _BLOCK} MiB", os.fspath(path))
        return io.BufferedReader(file).read(largest)


def sha256_of(*paths: str | os.PathLike) -> str | None:
    """The SHA-256 of files, one behind the other, as hexadecimal digits; None where one cannot be read."""
    digest = hashlib.sha256()
    try:
        for path in paths:
            with open_regular(path) as file:
                while block := file.read(_BLOCK):
                    digest.update(block)
    except (OSError, ValueError):  # the latter for what is no path at all
        return None
    return digest.hexdigest()
