"""Where the frames of a DICOM file lie: sizes checked and capped before a single pixel is decoded."""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pydicom.dataset import Dataset
from pydicom.uid import UID, RLELossless

from DSADeblurLib.xa.elements import integers_of, text_of
from DSADeblurLib.xa.errors import XAReadError

MAX_FRAME_PIXELS = 8192 * 8192
MAX_RUN_BYTES = 16 * 2**30
MAX_FRAGMENTS = 1_000_000
_UNDEFINED = 0xFFFFFFFF
_ITEM, _DELIMITER = (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)
# First bytes of a JPEG or JPEG-LS and of a JPEG 2000 codestream.
_JPEG_START, _JPEG2000_START = b"\xff\xd8", b"\xff\x4f\xff\x51"


@dataclass(frozen=True)
class PixelLayout:
    """Position and form of the pixel data of one file.

    `offset` is the file position of the first frame (native). `fragments` holds, for encapsulated data, the
    (offset, length) pieces of each frame; it is None for native data.
    """

    path: Path
    transfer_syntax: str
    frames: int
    rows: int
    columns: int
    bits_allocated: int
    bits_stored: int
    offset: int
    big_endian: bool
    word_swapped: bool
    fragments: tuple[tuple[tuple[int, int], ...], ...] | None

    @property
    def frame_bytes(self) -> int:
        """Bytes of one decoded frame."""
        return self.rows * self.columns * self.bits_allocated // 8

    @property
    def encoded_bytes(self) -> int:
        """Bytes of all frames as they are stored."""
        if self.fragments is None:
            return self.frames * self.frame_bytes
        return sum(length for pieces in self.fragments for _, length in pieces)


def check_pixel_module(dataset: Dataset) -> tuple[int, int, int, int, int]:
    """Return (frames, rows, columns, bits allocated, bits stored) of a grey-scale image that can be used.

    Raises XAReadError for colour, MONOCHROME1, signed, inconsistent depth and impossible or oversized dimensions
    (PS3.3 C.7.6.3, C.8.7.1).
    """
    samples = integers_of(dataset, "SamplesPerPixel")
    photometric = text_of(dataset, "PhotometricInterpretation")
    if samples not in ((), (1,)) or photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise XAReadError("Colour or palette image (screen capture?). Grey-scale angiography needed.")
    if photometric == "MONOCHROME1":
        raise XAReadError("MONOCHROME1 image: its polarity is unknown and is never inverted silently; "
                          "convert it to MONOCHROME2 first.")

    depth = [integers_of(dataset, name) for name in ("BitsAllocated", "BitsStored", "HighBit")]
    allocated, stored, high = (one[0] if one else None for one in depth)
    if allocated not in (8, 16) or stored is None or not 1 <= stored <= allocated or high != stored - 1:
        raise XAReadError(f"Bit depth inconsistent: allocated {allocated}, stored {stored}, high bit {high}.")
    if integers_of(dataset, "PixelRepresentation") not in ((), (0,)):
        raise XAReadError("Signed pixels are not valid for XA; polarity unknown.")

    size = [integers_of(dataset, name) for name in ("NumberOfFrames", "Rows", "Columns")]
    if size[0] == ():
        size[0] = (1,)
    if not all(one and len(one) == 1 for one in size) or size[0][0] < 0 or min(size[1][0], size[2][0]) < 1:
        raise XAReadError("Invalid image size.")
    frames, rows, columns = (one[0] for one in size)
    if rows * columns > MAX_FRAME_PIXELS or frames * rows * columns * allocated // 8 > MAX_RUN_BYTES:
        raise XAReadError(f"Image too large: {frames} frames of {rows} x {columns} pixels.")
    return frames, rows, columns, allocated, stored


def locate_pixels(path: Path, stream: BinaryIO, file_size: int, dataset: Dataset, transfer_syntax: str) -> PixelLayout:
    """Return the layout of the pixel data element at the current position of `stream`.

    Only item headers are read. Raises XAReadError when the data is missing, truncated, or does not hold exactly the
    declared number of frames.
    """
    frames, rows, columns, allocated, stored = check_pixel_module(dataset)
    syntax = UID(transfer_syntax)
    order = "<" if syntax.is_little_endian else ">"
    head = stream.read(8)
    if len(head) < 8:
        raise XAReadError("No pixel data in this file.")
    group, element = struct.unpack(order + "HH", head[:4])
    if (group, element) != (0x7FE0, 0x0010):
        raise XAReadError("No integer pixel data in this file.")
    if syntax.is_implicit_VR:
        vr, length = b"OW", struct.unpack(order + "L", head[4:])[0]
    else:
        vr, length = head[4:6], struct.unpack(order + "L", stream.read(4))[0]
    offset = stream.tell()
    if length == 0:
        raise XAReadError("No pixel data in this file.")

    fragments = None
    if syntax.is_encapsulated:
        if length != _UNDEFINED:
            raise XAReadError("Compressed pixel data is not encapsulated; the file is damaged.")
        fragments = _frames_of_fragments(stream, _fragments(stream, file_size), syntax, frames)
    else:
        _check_native_length(offset, length, file_size, frames, rows * columns * allocated // 8)
    return PixelLayout(
        path=path, transfer_syntax=str(syntax), frames=frames, rows=rows, columns=columns, bits_allocated=allocated,
        bits_stored=stored, offset=offset, big_endian=not syntax.is_little_endian,
        # Eight-bit pixels in 16-bit big-endian words: pairs of bytes are exchanged (PS3.5 annex A.3, table 8.2.1).
        word_swapped=not syntax.is_little_endian and allocated == 8 and vr == b"OW", fragments=fragments,
    )


def _check_native_length(offset: int, length: int, file_size: int, frames: int, frame_bytes: int) -> None:
    available = file_size - offset
    if length == _UNDEFINED:
        raise XAReadError("Uncompressed pixel data has no length; the file is damaged.")
    if length > available:
        raise XAReadError(f"File is truncated: {max(available, 0)} of {length} bytes.")
    expected = frames * frame_bytes
    if length == expected + expected % 2 or length == expected:
        return
    held = length // frame_bytes
    if held != frames:
        raise XAReadError(f"Header says {frames} frames, file holds {held}. Refusing to guess; "
                          "correct Number of Frames first.")
    raise XAReadError(f"Pixel data of {length} bytes does not fit {frames} frames of {frame_bytes} bytes.")


def _fragments(stream: BinaryIO, file_size: int) -> list[tuple[int, int]]:
    """Return (offset, length) of every fragment behind the basic offset table."""
    found: list[tuple[int, int]] = []
    first = True
    while True:
        head = stream.read(8)
        if len(head) < 8:
            raise XAReadError(f"File is truncated: {file_size} bytes, and the pixel data does not end.")
        group, element, length = struct.unpack("<HHL", head)
        if (group, element) == _DELIMITER:
            return found
        start = stream.tell()
        if (group, element) != _ITEM or length == _UNDEFINED:
            raise XAReadError("Compressed pixel data is damaged: an item tag is missing.")
        if start + length > file_size:
            raise XAReadError(f"File is truncated: {file_size} of {start + length} bytes.")
        if not first:
            found.append((start, length))
            if len(found) > MAX_FRAGMENTS:
                raise XAReadError(f"Compressed pixel data has more than {MAX_FRAGMENTS} fragments.")
        first = False
        stream.seek(start + length)


def _frames_of_fragments(
    stream: BinaryIO, fragments: list[tuple[int, int]], syntax: UID, declared: int
) -> tuple[tuple[tuple[int, int], ...], ...]:
    """Group fragments into frames by where a codestream starts; offset tables are not needed, and not trusted.

    A run-length frame is exactly one fragment (PS3.5 G.2). The bytes that start a JPEG codestream cannot occur in
    entropy-coded data, so a fragment that begins with them begins a frame.
    """
    frames: list[list[tuple[int, int]]] = []
    for start, length in fragments:
        begins = True
        if syntax != RLELossless:
            stream.seek(start)
            head = stream.read(min(length, 4))
            begins = head.startswith(_JPEG_START) or head == _JPEG2000_START
        if begins:
            frames.append([(start, length)])
        elif frames:
            frames[-1].append((start, length))
        elif length:
            raise XAReadError("Compressed pixel data is damaged: the first frame has no start.")
    if not frames:
        raise XAReadError("No pixel data in this file.")
    if len(frames) != declared:
        raise XAReadError(f"Header says {declared} frames, file holds {len(frames)}. Refusing to guess; "
                          "correct Number of Frames first.")
    return tuple(tuple(pieces) for pieces in frames)
