"""Whether the arithmetic-coded data of a JPEG 2000 frame can be an encoder's: decoders take anything."""

import re
import struct
from collections.abc import Iterator

_SIZE, _CODING_STYLE, _STYLE_OF_COMPONENT, _TILE_PART, _DATA, _END = 0x51, 0x52, 0x53, 0x90, 0x93, b"\xff\xd9"
# Behind FF, neither packet headers nor code-blocks have more than 8F (ITU-T T.800 A.1, B.10.1, D.4.1).
_MARKER = re.compile(rb"\xff[\x90-\xff]")
# No arithmetic coder writes so many zero bits in a row: each halves the interval once more, on the same side.
_ZERO_BYTES = 16


def looks_whole(data: bytes) -> bool:
    """Return False when a JPEG 2000 frame lacks a tile, or has markers or long stretches of zeros in its coded data.

    Decoders refuse by themselves what does not fit its lengths. Other bytes within code-blocks decode to other pixels,
    and nobody sees it: neither is there redundancy, nor an end that could be missed.
    """
    size, style = b"", b""
    position = 2
    for marker, segment in _segments(data, position):
        position += len(segment)
        size, style = segment if marker == _SIZE else size, segment if marker == _CODING_STYLE else style
        if marker == _STYLE_OF_COMPONENT:
            return True
    if len(size) < 38 or len(style) < 14:
        return True
    parts = list(_tile_parts(data, position))
    if len({tile for tile, _, _ in parts}) != _tiles(size):
        return False
    packets, blocks = _packets_and_blocks(size, style)
    if packets > 4 * len(data):
        # Each has a byte, and there are no fewer than a quarter of them; decoders make room for all of them first.
        return False
    zeros = 0 if style[12] & 0x41 else _ZERO_BYTES + packets + blocks // 6
    # Packets with markers of their own are left to the decoder.
    for _, start, end in parts if not style[4] & 6 else ():
        for marker, segment in _segments(data, start):
            start += len(segment)
            if marker in (_CODING_STYLE, _STYLE_OF_COMPONENT):
                return True
        body = data[start + 2 : end]
        if _MARKER.search(body) or (zeros and bytes(zeros + 1) in body):
            return False
    return True


def _segments(data: bytes, position: int) -> Iterator[tuple[int, bytes]]:
    """Yield (marker, whole segment) of a header that begins there, up to the first tile-part or data."""
    while data[position : position + 1] == b"\xff" and position + 4 <= len(data):
        marker, length = data[position + 1], 2 + struct.unpack(">H", data[position + 2 : position + 4])[0]
        if marker in (_TILE_PART, _DATA) or length < 4:
            return
        yield marker, data[position : position + length]
        position += length


def _tile_parts(data: bytes, position: int) -> Iterator[tuple[int, int, int]]:
    """Yield the tile of each tile-part, where its header begins behind the first marker segment, and where it ends."""
    while data[position : position + 2] == bytes((0xFF, _TILE_PART)) and position + 12 <= len(data):
        tile, length = struct.unpack(">HL", data[position + 4 : position + 10])
        end = position + length if length else max(data.rfind(_END), 0)
        yield tile, position + 12, end
        position = max(end, position + 12)


def _tiles(size: bytes) -> int:
    x1, y1, _, _, tile_x, tile_y, tile_x0, tile_y0 = struct.unpack(">8L", size[6:38])
    return -((tile_x0 - x1) // max(tile_x, 1)) * -((tile_y0 - y1) // max(tile_y, 1))


def _packets_and_blocks(size: bytes, style: bytes) -> tuple[int, int]:
    """Return how many packets a tile has, and code-blocks in all its layers, at most (ITU-T T.800 B.6 to B.10).

    An empty packet is one byte of zeros, and a code-block or group of them that a packet leaves out is one bit. Neither
    counts where code-blocks hold bits that are not arithmetic-coded.
    """
    layers, (levels, wide, high) = struct.unpack(">H", style[6:8])[0], style[9:12]
    x1, y1, x0, y0, tile_x, tile_y, tile_x0, tile_y0 = struct.unpack(">8L", size[6:38])
    columns, rows = min(x1 - x0, tile_x), min(y1 - y0, tile_y)
    one_tile = tile_x0 + tile_x >= x1 and tile_y0 + tile_y >= y1
    left, top = (x0, y0) if one_tile else (None, None)
    precincts = style[13:] if style[4] & 1 else b"\xff" * (levels + 1)
    packets = blocks = 0
    for level, exponents in zip(range(levels, -1, -1), precincts, strict=False):
        across, down = exponents & 15, exponents >> 4
        # Above the lowest resolution there are three bands of half the size each.
        bands = 3 if level < levels else 1
        block_across, block_down = (min(one + 2 + (bands == 3), most) for one, most in ((wide, across), (high, down)))
        packets += _parts(left, columns, level + across) * _parts(top, rows, level + down)
        blocks += bands * _parts(left, columns, level + block_across) * _parts(top, rows, level + block_down)
    return layers * packets, layers * blocks


def _parts(first: int | None, length: int, exponent: int) -> int:
    """Return in how many parts of 2**exponent a length falls that begins there; at most, where that is not known."""
    step = 1 << exponent
    return -(-((step - 1 if first is None else first % step) + length) // step)
