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
# Groups whose elements decide what a run is; their tags are looked for in the bytes.
_GROUPS = tuple(struct.pack("<H", one) for one in (0x0002, 0x0008, 0x0018, 0x0020, 0x0028, 0x3002, 0x5200, 0x7FE0))


def mutate(data: bytes, other: bytes, number: int) -> bytes:
    """Return a damaged copy of `data`; `other` is a second file that pieces may come from."""
    rng = random.Random(number)
    damaged = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 1, 2, 2, 3, 8))):
        if len(damaged) < 200:
            break
        # What moves all that follows is mostly found at once; what keeps the length gets further.
        moves = rng.random() < 0.15
        rng.choice((_delete, _insert, _repeat) if moves else (_flip, _overwrite, _vr, _short_value, _length, _swap))(
            damaged, rng
        )
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
