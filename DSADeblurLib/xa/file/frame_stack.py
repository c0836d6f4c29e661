"""The frames of a run, decoded one at a time when they are asked for."""

import numpy as np

from DSADeblurLib.errors import XAReadError
from DSADeblurLib.frames import LazyFrames
from DSADeblurLib.xa.file.decoding import decode
from DSADeblurLib.xa.file.deflate import InflatedFile
from DSADeblurLib.xa.file.input_file import InputFile
from DSADeblurLib.xa.file.reading import reading
from DSADeblurLib.xa.file.stored_pixels import PixelLayout


class FrameStack(LazyFrames):
    """The stored frames of a file as a lazy, read-only array of shape (n, rows, columns), uint8 or uint16.

    `stack[i]` decodes one frame, (rows, columns); `stack[2:5]` and `stack[[0, 7]]` give (k, rows, columns). Bits
    above Bits Stored, where some devices keep overlays, are always cleared. Values mean what they mean in
    MONOCHROME2: where the user chose so, signed values v become v + 2**(bits - 1) and inverted ones top - v. Nothing
    is kept, so memory stays at one frame; the layout's file has to be open. Raises XAReadError when a frame cannot be
    decoded.
    """

    def __init__(self, layout: PixelLayout) -> None:
        self.layout = layout
        self.shape = (layout.frames, layout.rows, layout.columns)
        self.dtype = np.dtype(np.uint8 if layout.bits_allocated == 8 else np.uint16)
        self._inflated = None if layout.deflated_at is None else InflatedFile(layout.file, layout.deflated_at)

    def frame(self, index: int) -> np.ndarray:
        """Return frame `index` with the bits above Bits Stored cleared and the meaning of MONOCHROME2."""
        with reading():
            frame, top = self.raw(index), self.dtype.type(self.layout.top)
            frame &= top
            # Turning the sign bit of a two's complement number around adds half of the range.
            frame ^= self.dtype.type(self.layout.zero)
            return top - frame if self.layout.inverted else frame

    def raw(self, index: int) -> np.ndarray:
        """Return frame `index` as stored, (rows, columns), bits above Bits Stored included."""
        try:
            return self._stored(index).astype(self.dtype)
        except Exception:
            # Half of a file that is being written looks damaged; that it changes is the better reason.
            self.layout.file.check_unchanged()
            raise

    def _stored(self, index: int) -> np.ndarray:
        layout = self.layout
        if self._inflated is not None:
            data = self._inflated.read_at(layout.offset + index * layout.frame_bytes, layout.frame_bytes)
            return _native_pixels(_whole(data, layout.frame_bytes), layout)
        if layout.fragments is None:
            return _native_frame(layout, index)
        pieces = [_read_exactly(layout.file, start, length) for start, length in layout.fragments[index]]
        return decode(b"".join(pieces), layout, index)


def _read_exactly(file: InputFile, start: int, length: int) -> bytes:
    return _whole(file.read_at(start, length), length)


def _whole(data: bytes, length: int) -> bytes:
    if len(data) != length:
        raise XAReadError(f"File is truncated: {len(data)} of {length} bytes.")
    return data


def _native_frame(layout: PixelLayout, index: int) -> np.ndarray:
    start = index * layout.frame_bytes
    # Swapped bytes come in pairs, and a frame of odd size may begin or end inside one.
    before = start % 2 if layout.word_swapped else 0
    after = (start + layout.frame_bytes) % 2 if layout.word_swapped else 0
    data = _read_exactly(layout.file, layout.offset + start - before, before + layout.frame_bytes + after)
    if layout.word_swapped:
        data = np.frombuffer(data, np.uint16).byteswap().tobytes()[before : before + layout.frame_bytes]
    return _native_pixels(data, layout)


def _native_pixels(data: bytes, layout: PixelLayout) -> np.ndarray:
    dtype = "u1" if layout.bits_allocated == 8 else (">u2" if layout.big_endian else "<u2")
    return np.frombuffer(data, dtype).reshape(layout.rows, layout.columns)
