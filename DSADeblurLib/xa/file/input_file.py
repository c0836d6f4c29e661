"""An input file that is opened once: what is read of it is read of that one file, and that it changed is noticed."""

import hashlib
import io
import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from DSADeblurLib.errors import XAReadError
from DSADeblurLib.regular_file import open_regular
from DSADeblurLib.xa.file.reading import reading

# Whose image it is, and of what kind, stands here.
_HEAD_BYTES = 2**16


class InputFile:
    """A file open for reading from the beginning of its use to the end, also where another one takes its name.

    A context manager. Without it the file is closed with the last reference, as memory maps of NumPy are. Several
    threads may read. Opening raises OSError.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)
        self._raw = open_regular(self.path)
        self.close = weakref.finalize(self, self._raw.close)
        self._lock = threading.Lock()
        # Taken before anything else is read: whatever changes from here on is found at the end.
        self._when_opened = self._state()
        _, _, self.size, _, _ = self._when_opened

    def __enter__(self) -> "InputFile":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    @contextmanager
    def at(self, position: int) -> Iterator[BinaryIO]:
        """Give the file as a stream that stands at `position`; no other thread reads until the block ends."""
        with self._lock:
            if self._raw.closed:
                raise XAReadError(f"{self.path.name} was closed; open the run again.")
            self._raw.seek(position)
            stream = io.BufferedReader(self._raw)
            try:
                yield stream
            finally:
                # What it has buffered would be stale the next time, and it must not close the file.
                stream.detach()

    def read_at(self, position: int, size: int) -> bytes:
        """Return up to `size` bytes from `position`, fewer at the end of the file."""
        with self.at(position) as stream:
            return stream.read(size)

    @contextmanager
    def opened(self) -> Iterator["InputFile"]:
        """Give this file, or where it was closed already, the one at its path; unchanged, see `check_unchanged`."""
        self.check_unchanged()
        if self._raw.closed:
            with reading(), InputFile(self.path) as found:
                yield found
        else:
            yield self

    def check_unchanged(self) -> None:
        """Check that this file and what now lies at its path are as they were when it was opened.

        Raises:
            XAReadError: one sentence, when they are not.
        """
        sentence = "The source {} changed since it was read{}; try again when it is in place and complete."
        try:
            # Opened and not only asked for: what is known of a file on a network share is brought up to date by that.
            with InputFile(self.path) as found:
                same = found._when_opened == self._when_opened
            same = same and (self._raw.closed or self._state() == self._when_opened)
        except OSError as error:
            reason = f": it cannot be read any more ({error.strerror or type(error).__name__})"
            raise XAReadError(sentence.format(self.path.name, reason)) from error
        if not same:
            raise XAReadError(sentence.format(self.path.name, ""))

    def _state(self) -> tuple:
        """Return which file this is, its size and its time of last change, and a digest of how it begins.

        A file system counts time in steps, often of some milliseconds, and tools set it back. What is changed in place
        within a step and keeps the size is found only where the file begins; another file has another number.
        """
        head = self.read_at(0, _HEAD_BYTES)
        found = os.fstat(self._raw.fileno())
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, hashlib.sha256(head).digest()
