"""The markers of JPEG and JPEG 2000 codestreams: how large the image is, and what may be left out."""

import re
import struct
from collections.abc import Iterator

from DSADeblurLib.errors import XAReadError

# JPEG markers, ITU-T T.81 table B.1: SOF0-15 without DHT, JPG and DAC; JPEG-LS has its own frame header.
FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}
SEQUENTIAL, START_OF_SCAN = (0xC0, 0xC1), 0xDA
# Fill byte, frame headers, Huffman and quantisation tables, restart interval, application data, comment.
_MARKER_IN_SCAN = re.compile(rb"\xff+([\x80-\xfe])")
_KNOWN_SEGMENTS = FRAME_HEADERS | {0xFF, 0xC4, 0xDB, 0xDD, 0xFE} | frozenset(range(0xE0, 0xF0))


def codestream_size(data: bytes) -> tuple[int, int, int, int]:
    """Return (rows, columns, components, precision) from a JPEG, JPEG-LS or JPEG 2000 codestream.

    Sources: ITU-T T.81 B.2.2 (frame header), T.87 C.2.2 (JPEG-LS), T.800 A.5.1 (SIZ marker).
    """
    if data[:4] == b"\xff\x4f\xff\x51":
        x1, y1, x0, y0 = struct.unpack(">4L", data[8:24])
        return y1 - y0, x1 - x0, struct.unpack(">H", data[40:42])[0], (data[42] & 0x7F) + 1
    for marker, segment in segments(data):
        if marker in FRAME_HEADERS and len(segment) >= 10:
            precision, rows, columns, components = struct.unpack(">BHHB", segment[4:10])
            return rows, columns, components, precision
    raise XAReadError("Compressed pixel data is damaged: a frame has no size.")


def bare_jpeg(data: bytes) -> bytes:
    """Return a JPEG codestream with only the segments that matter for decoding grey-scale pixels.

    GDCM ends the whole process when its JPEG library so much as warns about the header, for example about an unknown
    JFIF version. Application data and comments therefore go, and a header that is not well formed is refused here.
    """
    kept, position, sequential = [data[:2]], 2, False
    for marker, segment in segments(data):
        position += len(segment)
        sequential = sequential or marker in SEQUENTIAL
        if marker == START_OF_SCAN and sequential:
            # Always all coefficients in full; some encoders say otherwise, and GDCM's library says so on the terminal.
            segment = segment[:-3] + b"\0\x3f\0"
        if not (0xE0 <= marker <= 0xEF or marker == 0xFE):
            kept.append(segment)
        if marker == START_OF_SCAN:
            return b"".join([*kept, data[position:]])
        if marker not in _KNOWN_SEGMENTS:
            break
    raise XAReadError("Compressed pixel data is damaged: the header of a frame is not well formed.")


def has_end(data: bytes) -> bool:
    """Return whether the first marker within the scan of a JPEG-LS codestream, but for restarts, is the end marker.

    Without one CharLS refuses any frame, some only after it has counted zeros for many seconds. Behind FF the coded
    data have a zero bit (ITU-T T.87 9.1).
    """
    position = 2
    for marker, segment in segments(data):
        position += len(segment)
        if marker == START_OF_SCAN:
            found = (one for one in _MARKER_IN_SCAN.findall(data, position) if not 0xD0 <= one[0] <= 0xD7)
            return next(found, b"") == b"\xd9"
    return False


def segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (marker, whole segment) from behind the start of image up to and including the start of scan."""
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        length = 1 if marker == 0xFF else 2 + struct.unpack(">H", data[position + 2 : position + 4])[0]
        if position + length > len(data) or length in (2, 3):
            return
        yield marker, data[position : position + length]
        position += length
        if marker == START_OF_SCAN:
            return
