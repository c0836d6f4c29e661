"""What is done to a file before it is read: the same seed number always gives the same bytes."""

import random
import struct

_VALUES = (
    b"\xff\xff\xff\xff",
    b"\0\0\0\0",
    b"\xf0\xff\xff\xff",
    b"\xff\x7f\0\0",
    b"\0\0\x01\0",
    b"\xfe\xff\x00\xe0",
    b"\xfe\xff\x0d\xe0",
    b"\xfe\xff\xdd\xe0",
    b"nan ",
    b"-1\\0",
    b"1e99",
    b"\xff\xd8\xff\xc3",
    b"\xff\xda\0\x02",
)
_VRS = (b"SQ", b"UN", b"OB", b"OW", b"DS", b"US", b"LO", b"AT", b"FD", b"ZZ")
_LONG_VRS = (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
_NUMBERS = ("0", "-1", "1", "1e308", "-1e-308", "99999999999", "2147483647", "nan", "inf", "1,5", "0.0000001", "", "\\")
_PIXEL_DATA = b"\xe0\x7f\x10\x00"
# Where a JPEG, JPEG-LS or JPEG 2000 codestream says how large it is and how it is coded.
_HEADERS = tuple(b"\xff" + bytes((one,)) for one in (0xC0, 0xC1, 0xC3, 0xF7, 0xC4, 0xDA, 0xF8, 0x51, 0x52, 0x5C, 0x90))
_MARKERS = tuple(b"\xff" + bytes((one,)) for one in (0xD0, 0xD7, 0xD8, 0xD9, 0xDA, 0xDD, 0x4F, 0x90, 0x93, 0xFF, 0x00))
# Groups whose elements decide what a run is; their tags are looked for in the bytes.
_GROUPS = tuple(struct.pack("<H", one) for one in (0x0002, 0x0008, 0x0018, 0x0020, 0x0028, 0x3002, 0x5200, 0x7FE0))


def mutate(data: bytes, other: bytes, number: int) -> bytes:
    """Return a damaged copy of `data`; `other` is a second file that pieces may come from."""
    rng = random.Random(number)
    damaged = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 1, 2, 2, 3, 8))):
        if len(damaged) < 200:
            break
        # What moves all that follows is mostly found at once; what keeps lengths right gets further.
        kind = rng.random()
        if kind < 0.1:
            rng.choice((_delete, _insert, _repeat))(damaged, rng)
        elif kind < 0.5:
            rng.choice((_flip, _overwrite, _vr, _short_value, _length, _swap))(damaged, rng)
        elif kind < 0.75 or not _fragments(damaged):
            rng.choice((_swap_vrs, _duplicate, _nest, _number, _number))(damaged, rng)
        else:
            rng.choice((_offsets, _codestream_header, _codestream, _codestream))(damaged, rng)
    fate = rng.random()
    if fate < 0.06:
        del damaged[rng.randrange(len(damaged)) :]
    elif fate < 0.12:
        start = rng.randrange(len(other))
        at = _position(damaged, rng)
        damaged[at:at] = other[start : start + rng.randrange(1, 2000)]
    elif fate < 0.13:
        damaged[:128] = rng.randbytes(128)
    return bytes(damaged)


def _position(data: bytearray, rng: random.Random) -> int:
    """Return where to damage: mostly in the header and at the start of the pixel data, sometimes anywhere."""
    where = rng.random()
    pixels = data.rfind(b"\xe0\x7f\x10\x00")
    header = pixels if pixels > 200 else min(len(data), 4000)
    if where < 0.65:
        return rng.randrange(128, header)
    if where < 0.85 and 0 < pixels < len(data) - 1:
        return rng.randrange(pixels, min(len(data), pixels + 400))
    return rng.randrange(min(128, len(data) - 1), len(data))


def _element(data: bytearray, rng: random.Random) -> int:
    """Return where an element seems to begin."""
    at = data.find(rng.choice(_GROUPS), _position(data, rng))
    return at if 0 <= at < len(data) - 12 else rng.randrange(len(data) - 12)


def _flip(data: bytearray, rng: random.Random) -> None:
    data[_position(data, rng)] ^= 1 << rng.randrange(8)


def _overwrite(data: bytearray, rng: random.Random) -> None:
    at, value = _position(data, rng), rng.choice(_VALUES)
    data[at : at + len(value)] = value


def _delete(data: bytearray, rng: random.Random) -> None:
    at = _position(data, rng)
    del data[at : at + rng.randrange(1, rng.choice((3, 40, 400)))]


def _insert(data: bytearray, rng: random.Random) -> None:
    at = _position(data, rng)
    data[at:at] = rng.randbytes(rng.randrange(1, rng.choice((3, 40, 400))))


def _length(data: bytearray, rng: random.Random) -> None:
    at = _element(data, rng)
    length = rng.choice((0, 1, 2, 8, 254, 65535, 2**31, 2**32 - 1, 2**32 - 16, rng.randrange(2**32)))
    if rng.random() < 0.5:
        data[at + 6 : at + 8] = struct.pack("<H", length & 0xFFFF)
    else:
        data[at + 8 : at + 12] = struct.pack("<L", length)


def _vr(data: bytearray, rng: random.Random) -> None:
    at = _element(data, rng)
    data[at + 4 : at + 6] = rng.choice(_VRS)


def _short_value(data: bytearray, rng: random.Random) -> None:
    at = _element(data, rng)
    data[at + 8 : at + 10] = struct.pack("<H", rng.choice((0, 1, 7, 255, 4096, 32768, 65535, rng.randrange(65536))))


def _repeat(data: bytearray, rng: random.Random) -> None:
    at = _position(data, rng)
    piece = bytes(data[at : at + rng.randrange(1, 200)])
    data[at:at] = piece * rng.choice((1, 2, 50))


def _swap(data: bytearray, rng: random.Random) -> None:
    one, two, size = _position(data, rng), _position(data, rng), rng.randrange(1, 64)
    first, second = bytes(data[one : one + size]), bytes(data[two : two + size])
    if len(first) == len(second) and abs(one - two) >= size:
        data[one : one + size], data[two : two + size] = second, first


def _elements(data: bytearray) -> list[tuple[int, int, int]]:
    """Return (start, start of the value, end) of the top-level elements, as far as they can be followed."""
    found, at = [], 132
    while at + 12 <= len(data) and data[at + 4 : at + 6].isalpha():
        long = bytes(data[at + 4 : at + 6]) in _LONG_VRS
        value = at + (12 if long else 8)
        length = struct.unpack_from("<L", data, at + 8)[0] if long else struct.unpack_from("<H", data, at + 6)[0]
        if value + length > len(data):
            break
        found.append((at, value, value + length))
        at = value + length
    return found or [(132, 140, 140)]


def _swap_vrs(data: bytearray, rng: random.Random) -> None:
    """Exchange the types of two elements; lengths lie elsewhere where one is long and the other is not."""
    one, two = (at for at, _, _ in rng.choices(_elements(data), k=2))
    data[one + 4 : one + 6], data[two + 4 : two + 6] = data[two + 4 : two + 6], data[one + 4 : one + 6]


def _duplicate(data: bytearray, rng: random.Random) -> None:
    """Put a copy of an element behind itself, or in front of any other."""
    found = _elements(data)
    start, _, end = rng.choice(found)
    at = end if rng.random() < 0.5 else rng.choice(found)[0]
    data[at:at] = data[start:end]


def _nest(data: bytearray, rng: random.Random) -> None:
    """Put sequences within sequences in front of an element, as its value or in its place."""
    start, _, end = rng.choice(_elements(data))
    depth = rng.choice((3, 30, 300, 3000))
    nested = rng.choice(
        (
            (data[start : start + 4] + b"SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff") * depth,
            b"\x08\0\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff" * depth
            + b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0" * depth,
        )
    )
    data[start : end if rng.random() < 0.3 else start] = nested


def _number(data: bytearray, rng: random.Random) -> None:
    """Write another number, and the right length, where there is one; sometimes a great many."""
    found = [one for one in _elements(data) if data[one[0] + 4 : one[0] + 6] in (b"DS", b"IS", b"US", b"FL", b"AT")]
    if not found:
        return
    start, value, end = rng.choice(found)
    if data[start + 4 : start + 6] in (b"DS", b"IS"):
        written = "\\".join(rng.choices(_NUMBERS, k=rng.choice((1, 1, 2, 5, 5000)))).encode()
        written += b" " * (len(written) % 2)
    else:
        written = rng.randbytes(end - value) if rng.random() < 0.5 else b"\xff\x7f" * ((end - value) // 2)
    data[start + 6 : end] = struct.pack("<H", len(written) & 0xFFFE) + written[:65534]


def _fragments(data: bytearray) -> list[tuple[int, int]]:
    """Return (start, end) of the offset table and of each fragment; nothing where pixels are not encapsulated."""
    at = data.rfind(_PIXEL_DATA + b"OB\0\0\xff\xff\xff\xff")
    found, at = [], at + 12 if at >= 0 else len(data)
    while data[at : at + 4] == b"\xfe\xff\x00\xe0" and at + 8 <= len(data):
        end = at + 8 + struct.unpack_from("<L", data, at + 4)[0]
        found.append((at + 8, min(end, len(data))))
        at = end
    return found


def _offsets(data: bytearray, rng: random.Random) -> None:
    """Write another offset table, or cut a fragment in two."""
    found = _fragments(data)
    if rng.random() < 0.5 or len(found) < 2:
        start, end = found[0]
        table = rng.randbytes(rng.choice((0, 4, 8, 20, 400)))
        data[start - 4 : end] = struct.pack("<L", len(table)) + table
    else:
        start, end = rng.choice(found[1:])
        at = start + 2 * rng.randrange(1, max(2, (end - start) // 2))
        data[start - 4 : end] = (
            struct.pack("<L", at - start)
            + data[start:at]
            + b"\xfe\xff\x00\xe0"
            + struct.pack("<L", max(end - at, 0))
            + data[at:end]
        )


def _codestream_header(data: bytearray, rng: random.Random) -> None:
    """Change a number in the header of a codestream: sizes, tables, components, restart intervals, layers."""
    start, end = rng.choice(_fragments(data)[1:] or [(0, len(data))])
    at = data.find(rng.choice(_HEADERS), start, end)
    if at >= 0:
        at += rng.randrange(2, 30)
        count = rng.choice((1, 1, 2, 4))
        data[at : at + count] = rng.choice((bytes(count), b"\xff" * count, b"\x20" * count, rng.randbytes(count)))


def _codestream(data: bytearray, rng: random.Random) -> None:
    """Damage coded data, the length of the fragment kept: zeros, noise, markers, a piece lost or there twice."""
    start, end = rng.choice(_fragments(data)[1:] or [(0, len(data))])
    if end - start < 200:
        return
    at, count = rng.randrange(start, end - 60), rng.choice((1, 4, 16, 64, 400, 4000))
    count = min(count, end - at)
    kind = rng.randrange(5)
    if kind == 0:
        data[at : at + count] = bytes(count)
    elif kind == 1:
        data[at : at + count] = rng.randbytes(count)
    elif kind == 2:
        data[at : at + 2] = rng.choice(_MARKERS)
    elif kind == 3:
        data[at:end] = data[at + count : end] + bytes(count)
    else:
        data[at:end] = (data[at : at + count] + data[at:end])[: end - at]
