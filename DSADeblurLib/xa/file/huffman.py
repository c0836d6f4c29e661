"""Whether the Huffman-coded data of a JPEG frame holds its image exactly: decoders invent pixels where it does not."""

import re
import struct

import numpy as np

from DSADeblurLib.xa.file.codestream import FRAME_HEADERS, SEQUENTIAL, START_OF_SCAN, segments

_LOSSLESS = 0xC3
_HUFFMAN_TABLES, _RESTART_INTERVAL = 0xC4, 0xDD
# A marker is FF and anything but 00, which stands for FF as data; restart markers may come within a scan.
_END_OF_SCAN = re.compile(rb"\xff+[\x01-\xcf\xd8-\xfe]")
_RESTART = re.compile(rb"\xff+([\xd0-\xd7])")
_STUFFED = re.compile(rb"\xff+\x00")
# Some encoders end their data with a byte or two that mean nothing.
_PADDING = (b"", b"\0", b"\xff", b"\0\0", b"\xff\xff")
# Bytes looked at together: what comes of them stays in the processor's cache.
_CHUNK = 1 << 14
_END_OF_BLOCK = 128

_Tables = dict[tuple[int, int], tuple[np.ndarray, np.ndarray]]


def holds_image(data: bytes) -> bool:
    """Return False when the codes of a grey-scale JPEG frame are not those of exactly as many pixels as it has.

    Every code is followed from the first bit to the last, in each restart interval (ITU-T T.81 F.2.2, H.2.2, E.2.4);
    no pixel is decoded. True also where this cannot be said: progressive or arithmetic coding, several scans. Changed
    bytes after which the rest still counts right are not seen.
    """
    tables: _Tables = {}
    frame: tuple[int, ...] | None = None
    interval, position = 0, 2
    for marker, segment in segments(data):
        position += len(segment)
        if marker == _HUFFMAN_TABLES:
            tables |= _tables(segment[4:])
        elif marker == _RESTART_INTERVAL and len(segment) >= 6:
            interval = struct.unpack(">H", segment[4:6])[0]
        elif marker in FRAME_HEADERS and len(segment) >= 10:
            frame = (marker, *struct.unpack(">HHB", segment[5:10]))
        elif marker == START_OF_SCAN and len(segment) >= 10 and segment[4] == 1 and frame and frame[3] == 1:
            return _scan_is_whole(data[position:], tables, segment[6], interval, *frame[:3])
    return True


def _scan_is_whole(
    scan: bytes, tables: _Tables, selectors: int, interval: int, process: int, rows: int, columns: int
) -> bool:
    dc, ac = tables.get((0, selectors >> 4)), tables.get((1, selectors & 15))
    walk: type[_Samples | _Blocks]
    lookups: tuple[np.ndarray, ...]
    if process == _LOSSLESS and dc:
        units, walk = rows * columns, _Samples
        lookups = (_steps(*dc),)
    elif process in SEQUENTIAL and dc and ac:
        units, walk = -(-rows // 8) * -(-columns // 8), _Blocks
        lookups = (_steps(*dc), *_coefficient_steps(*ac))
    else:
        return True
    end = _END_OF_SCAN.search(scan)
    scan = scan[: end.start()] if end else scan
    restarts = [one[0] for one in _RESTART.findall(scan)]
    pieces = [_STUFFED.sub(b"\xff", one) for one in _RESTART.split(scan)[::2]]
    interval = interval or units
    if len(pieces) != -(-units // interval) or any(one != 0xD0 + at % 8 for at, one in enumerate(restarts)):
        return False
    codes, start = walk(b"".join(pieces), lookups), 0
    for piece in pieces:
        bit = codes.end_of(min(interval, units), start)
        units, used, start = units - interval, (bit + 7) // 8, start + len(piece)
        if bit < 0 or used > start or piece[len(piece) - (start - used) :] not in _PADDING:
            return False
    return True


def _tables(data: bytes) -> _Tables:
    """Return {(0 for DC or 1 for AC, number): (code length, symbol)} for any next 16 bits; length 0: no code."""
    found: _Tables = {}
    while len(data) >= 17:
        counts = list(data[1:17])
        values = np.frombuffer(data[17 : 17 + sum(counts)], np.uint8)
        lengths = np.repeat(np.arange(1, 17, dtype=np.uint8), counts)[: len(values)]
        spans = 1 << (16 - lengths.astype(int))
        if spans.sum() <= 1 << 16:
            unused = np.zeros((1 << 16) - spans.sum(), np.uint8)
            length, symbol = (np.append(np.repeat(one, spans), unused) for one in (lengths, values))
            found[data[0] >> 4, data[0] & 15] = length, symbol
        data = data[17 + sum(counts) :]
    return found


def _steps(length: np.ndarray, symbol: np.ndarray) -> np.ndarray:
    """Return the bits of a difference, by what the next 16 bits are; 0 where they are no code (table H.2)."""
    return np.where((length > 0) & (symbol <= 16), length + symbol % 16, 0).astype(np.uint8)


def _coefficient_steps(length: np.ndarray, symbol: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the bits of an AC code, and how many coefficients it goes on; where they are no code, 0 and too many."""
    run, size = symbol >> 4, symbol & 15
    onward = np.where((size > 0) | (run == 15), run + 1, _END_OF_BLOCK)
    return np.where(length > 0, length + size, 0).astype(np.uint8), np.where(length > 0, onward, 64).astype(np.uint8)


def _by_bit(data: np.ndarray, lookups: tuple[np.ndarray, ...]) -> list[np.ndarray]:
    """Return what each table says of the 16 bits from every bit of `data` on, but for its last two bytes."""
    wide = data.astype(np.uint32)
    three = (wide[:-2] << 16) | (wide[1:-1] << 8) | wide[2:]
    found = [np.empty((len(three), 8), np.uint8) for _ in lookups]
    for shift in range(8):
        bits = (three >> (8 - shift)) & 0xFFFF
        for lookup, one in zip(lookups, found, strict=True):
            one[:, shift] = lookup[bits]
    return [one.ravel() for one in found]


class _Samples:
    """The codes of a lossless scan, one for each pixel; eight at a time are gone over."""

    def __init__(self, data: bytes, lookups: tuple[np.ndarray, ...]) -> None:
        # Eight codes of at most 31 bits: 31 bytes are looked ahead.
        padded = np.frombuffer(data + bytes(34), np.uint8)
        index = np.arange((_CHUNK + 32) * 8)
        singles, eights = [], []
        for at in range(0, len(data), _CHUNK):
            step = _by_bit(padded[at : at + _CHUNK + 34], lookups)[0]
            kept = 8 * min(_CHUNK, len(data) - at)
            singles.append(step[:kept].tobytes())
            for _ in range(3):
                step = step + step.take(index[: len(step)] + step, mode="clip")
            eights.append(step[:kept].tobytes())
        self._single, self._eight = b"".join(singles), b"".join(eights)

    def end_of(self, count: int, start: int) -> int:
        """Return the bit behind `count` codes from byte `start` on; -1 when there are not so many."""
        bit, single, eight = 8 * start, self._single, self._eight
        try:
            for _ in range((count - 1) // 8):
                bit += eight[bit]
            for _ in range((count - 1) % 8 + 1):
                if not single[bit]:
                    # Once something is no code, it is never passed.
                    return -1
                bit += single[bit]
        except IndexError:
            return -1
        return bit


class _Blocks:
    """The codes of a sequential scan, blocks of 64 coefficients."""

    def __init__(self, data: bytes, lookups: tuple[np.ndarray, ...]) -> None:
        padded = np.frombuffer(data + bytes(2), np.uint8)
        chunks = [_by_bit(padded[at : at + _CHUNK + 2], lookups) for at in range(0, len(data), _CHUNK)]
        self._lookups = [b"".join(one.tobytes() for one in kind) for kind in zip(*chunks, strict=True)]

    def end_of(self, count: int, start: int) -> int:
        """Return the bit behind `count` blocks from byte `start` on; -1 when there are not so many."""
        if not self._lookups:
            return -1
        bit, (dc, ac, onward) = 8 * start, self._lookups
        try:
            for _ in range(count):
                if not dc[bit]:
                    return -1
                bit += dc[bit]
                coefficient = 1
                while coefficient < 64:
                    coefficient += onward[bit]
                    bit += ac[bit]
                if 64 < coefficient < _END_OF_BLOCK:
                    return -1
        except IndexError:
            return -1
        return bit
