"""The frames of a run, decoded one at a time when they are asked for."""

from contextlib import suppress

import numpy as np

from DSADeblurLib.errors import XAReadError
from DSADeblurLib.lazy_frames import LazyFrames
from DSADeblurLib.xa.file.decoding import decode
from DSADeblurLib.xa.file.input_file import InputFile
from DSADeblurLib.xa.file.reading import reading
from DSADeblurLib.xa.file.stored_pixels import StoredPixels


class FrameStack(LazyFrames):
    """The stored frames of a file as a lazy, read-only array of shape (n, rows, columns), uint8 or uint16.

    `stack[i]` decodes one frame, (rows, columns); `stack[2:5]` and `stack[[0, 7]]` give (k, rows, columns). Bits
    above Bits Stored that hold an overlay, or the sign, are cleared; values with others are clipped to the largest, for
    without these bits they would be others. Values mean what they mean in MONOCHROME2: where the user chose so, signed
    values v become v + 2**(bits - 1) and inverted ones top - v. Nothing is kept, so memory stays at one frame; the file
    of `stored_pixels` has to be open.

    Raises:
        XAReadError: one sentence, when a frame cannot be decoded.

    Source: PS3.5 8.1.1 and 8.2, PS3.3 C.7.6.3.1.
    """

    def __init__(self, stored: StoredPixels) -> None:
        self.stored_pixels = stored
        self.shape = (stored.frames, stored.rows, stored.columns)
        self.dtype = np.dtype(np.uint8 if stored.bits_allocated == 8 else np.uint16)
        # Of every frame that was read, for several threads may read: adding to a set is one step.
        self._bits_seen: set[int] = set()

    def frame(self, index: int) -> np.ndarray:
        """Return frame `index` without bits above Bits Stored and with the meaning of MONOCHROME2."""
        with reading():
            stored, frame, top = self.stored_pixels, self.raw(index), self.dtype.type(self.stored_pixels.top)
            frame &= top if stored.signed else ~self.dtype.type(stored.overlay_bits)
            np.minimum(frame, top, out=frame)
            # Turning the sign bit of a two's complement number around adds half of the range.
            frame ^= self.dtype.type(stored.zero)
            return top - frame if stored.inverted else frame

    def sample(self) -> None:
        """Read the first, the middle and the last frame, for `remarks`.

        The first frame has to be whole; another one that is damaged is found when it is asked for.
        """
        self.raw(0)
        for index in {len(self) // 2, len(self) - 1} - {0}:
            with suppress(XAReadError), reading():
                self.raw(index)

    def remarks(self) -> list[str]:
        """Return a sentence for each kind of bits above Bits Stored in the frames that were read until now."""
        stored, above = self.stored_pixels, 0
        for bits in () if stored.signed else tuple(self._bits_seen):
            above |= bits >> stored.bits_stored << stored.bits_stored
        remarks = []
        if above & stored.overlay_bits:
            remarks.append(f"Bits above the {stored.bits_stored} stored ones hold an overlay and were cleared.")
        if above & ~stored.overlay_bits:
            remarks.append(
                f"Values need more than the {stored.bits_stored} stored bits, and no overlay is said to be there: "
                f"they were clipped to {stored.top}."
            )
        return remarks

    def raw(self, index: int) -> np.ndarray:
        """Return frame `index` as stored, (rows, columns), bits above Bits Stored included."""
        try:
            frame = self._stored(index).astype(self.dtype)
        except Exception:
            # Half of a file that is being written looks damaged; that it changes is the better reason.
            self.stored_pixels.file.check_unchanged()
            raise
        self._bits_seen.add(int(np.bitwise_or.reduce(frame, axis=None)))
        return frame

    def _stored(self, index: int) -> np.ndarray:
        stored = self.stored_pixels
        if stored.fragments is None:
            return _native_frame(stored, index)
        pieces = [_read_exactly(stored.file, start, length) for start, length in stored.fragments[index]]
        return decode(b"".join(pieces), stored, index)


def _read_exactly(file: InputFile, start: int, length: int) -> bytes:
    data = file.read_at(start, length)
    if len(data) != length:
        raise XAReadError(f"File is truncated: {len(data)} of {length} bytes.")
    return data


def _native_frame(stored: StoredPixels, index: int) -> np.ndarray:
    start = index * stored.frame_bytes
    # Swapped bytes come in pairs, and a frame of odd size may begin or end inside one.
    before = start % 2 if stored.word_swapped else 0
    after = (start + stored.frame_bytes) % 2 if stored.word_swapped else 0
    data = _read_exactly(stored.file, stored.offset + start - before, before + stored.frame_bytes + after)
    if stored.word_swapped:
        data = np.frombuffer(data, np.uint16).byteswap().tobytes()[before : before + stored.frame_bytes]
    dtype = "u1" if stored.bits_allocated == 8 else (">u2" if stored.big_endian else "<u2")
    return np.frombuffer(data, dtype).reshape(stored.rows, stored.columns)
