"""Deflated files: inflated piece by piece, never further than the header declares (PS3.5 annex A.5)."""

import threading
import zlib

from DSADeblurLib.errors import XAReadError
from DSADeblurLib.xa.file.input_file import InputFile

# A header is at most a few hundred kilobytes; a thousandfold of the file's size could be claimed.
MAX_HEADER_BYTES = 4 * 2**20
MAX_PIXEL_BYTES = 2**30
_PIECE = 2**18


class InflatedFile:
    """The content of raw deflate data that begins at `start` of a file, to be read at any position.

    Reading onwards goes on where the last reading ended; reading before that begins again. Only one piece is in
    memory, and several threads may read.
    """

    def __init__(self, file: InputFile, start: int) -> None:
        self._file, self._start = file, start
        self._lock = threading.Lock()
        self._restart()

    def _restart(self) -> None:
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        self._pending, self._consumed, self._position = b"", self._start, 0

    def read_at(self, position: int, size: int) -> bytes:
        """Return up to `size` bytes from `position`, fewer at the end. Raises XAReadError on damaged data."""
        with self._lock:
            if position < self._position:
                self._restart()
            with self._file.at(self._consumed) as stream:
                self._skip(stream, position - self._position)
                parts, left = [], size
                while left and (data := self._next(stream, min(left, _PIECE))):
                    parts.append(data)
                    left -= len(data)
                self._consumed = stream.tell()
            return b"".join(parts)

    def holds(self, position: int) -> int:
        """Return how many bytes there are, counted no further than `position`."""
        self.read_at(position, 0)
        return self._position

    def _skip(self, stream, count: int) -> None:
        while count and (data := self._next(stream, min(count, _PIECE))):
            count -= len(data)

    def _next(self, stream, limit: int) -> bytes:
        while not self._inflater.eof:
            source = self._pending or stream.read(_PIECE)
            try:
                data = self._inflater.decompress(source, limit)
            except zlib.error as error:
                self._restart()
                raise XAReadError("Deflated data is damaged; export the file again.") from error
            self._pending = self._inflater.unconsumed_tail
            self._position += len(data)
            if data or not source:
                return data
        return b""
