"""Small frames in every compressed syntax that can be made here, and what may happen to their bytes."""

import dataclasses
import io
import random
import shutil
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import jpeg_ls
import numpy as np
from PIL import Image
from pydicom.uid import (
    JPEG2000,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from DSADeblurLib.lab.simulation.xa_object import write_simulated_run
from DSADeblurLib.xa import read_run
from DSADeblurLib.xa.derived.compression import fragment_encoder
from DSADeblurLib.xa.file.frame_stack import FrameStack
from DSADeblurLib.xa.file.input_file import InputFile
from DSADeblurLib.xa.file.stored_pixels import StoredPixels

# Encoder, its options, and the bits that it takes.
_TOOLS = {
    "JPEG Baseline, DCMTK": (("dcmcjpeg", "+eb", "+q", "90"), (8,)),
    "JPEG Extended, DCMTK": (("dcmcjpeg", "+ee", "+q", "90"), (10, 12)),
    "JPEG Lossless, SV1 by DCMTK": (("dcmcjpeg", "+e1"), (8, 10, 12, 16)),
    "JPEG Lossless, 14 by DCMTK": (("dcmcjpeg", "+el", "+sv", "6"), (8, 12, 16)),
    "JPEG Lossless, GDCM": (("gdcmconv", "--jpeg"), (8, 12, 16)),
    "JPEG-LS, GDCM": (("gdcmconv", "--jpegls"), (8, 12)),
    "JPEG 2000, GDCM": (("gdcmconv", "--j2k"), (8, 12, 16)),
}
_PILLOW = {
    "JPEG Baseline, restarts": (JPEGBaseline8Bit, (8,), {"format": "JPEG", "quality": 90, "restart_marker_rows": 1}),
    "JPEG Baseline, optimised": (JPEGBaseline8Bit, (8,), {"format": "JPEG", "quality": 98, "optimize": True}),
    "JPEG 2000, lossy": (
        JPEG2000,
        (8, 16),
        {
            "format": "JPEG2000",
            "irreversible": True,
            "no_jp2": True,
            "quality_mode": "rates",
            "quality_layers": [20, 5],
        },
    ),
    "JPEG 2000, tiles": (
        JPEG2000Lossless,
        (8,),
        {"format": "JPEG2000", "tile_size": (64, 64), "no_jp2": True, "progression": "RPCL"},
    ),
}
_OWN = {
    "JPEG-LS, own": (JPEGLSLossless, (8, 12, 16)),
    "JPEG-LS, lossy": (JPEGLSNearLossless, (8, 12, 16)),
    "JPEG 2000, own": (JPEG2000Lossless, (8, 12, 16)),
    "RLE, own": (RLELossless, (8, 12, 16)),
}


@dataclasses.dataclass(frozen=True)
class Encoded:
    """One compressed frame, `data`, in a syntax, and the pixels that it decodes to, (rows, columns)."""

    name: str
    stored_pixels: StoredPixels
    data: bytes
    pixels: np.ndarray

    def decode(self, data: bytes, scratch: Path) -> np.ndarray:
        """Return the pixels of `data`, (rows, columns), as the library reads them from a file."""
        return _frame(self.stored_pixels, data, scratch)


def picture(bits: int, rows: int, columns: int, seed: int = 0) -> np.ndarray:
    """Return a frame like an angiogram, (rows, columns): vessels and noise within a black, perfectly flat shutter."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:rows, :columns] / max(rows, columns)
    frame = 0.55 + 0.25 * np.sin(4 * x + 3 * y) + 0.01 * rng.standard_normal((rows, columns))
    for _ in range(5):
        slope, start, width = rng.uniform(-0.5, 0.5), rng.uniform(0.1, 0.9), rng.uniform(0.005, 0.02)
        frame -= 0.25 * np.exp(-(((x - start - slope * y + 0.05 * np.sin(9 * y)) / width) ** 2))
    edge = max(2, rows // 16)
    frame[:edge] = frame[:, :edge] = frame[:, -edge:] = 0
    return np.rint(np.clip(frame, 0, 1) * ((1 << bits) - 1)).astype(np.uint8 if bits == 8 else np.uint16)


def encoded_frames(
    folder: Path,
    rows: int = 96,
    columns: int = 112,
    only: str = "",
    draw: Callable[..., np.ndarray] = picture,
) -> Iterator[Encoded]:
    """Yield the frame of `draw(bits, rows, columns)` in every syntax and depth that an encoder here makes.

    Those whose name contains `only`; what needs a tool that is not installed (DCMTK, GDCM) is left out.
    """
    folder.mkdir(exist_ok=True)
    for name, (command, depths) in _TOOLS.items():
        for bits in depths if only in name and shutil.which(command[0]) else ():
            target = folder / "encoded.dcm"
            run = _run(folder, draw(bits, rows, columns), bits)
            done = subprocess.run([*command, run, target], capture_output=True)
            if done.returncode == 0:
                stored = read_run(target).stored_pixels
                start, length = stored.fragments[0][0]
                yield _checked(f"{name}, {bits} bits", stored, target.read_bytes()[start : start + length], folder)
    for name, (syntax, depths, options) in _PILLOW.items():
        for bits in depths if only in name else ():
            frame, stream = draw(bits, rows, columns), io.BytesIO()
            Image.fromarray(frame).save(stream, **options)
            yield _checked(
                f"{name}, {bits} bits", _stored_pixels(folder, frame, bits, syntax), stream.getvalue(), folder
            )
    for name, (syntax, depths) in _OWN.items():
        for bits in depths if only in name else ():
            frame = draw(bits, rows, columns)
            if syntax == JPEGLSNearLossless:
                data = bytes(jpeg_ls.encode_buffer(frame.tobytes(), rows, columns, 1, bits, lossy_error=3))
            else:
                data = fragment_encoder(syntax, lambda index, frame=frame: frame, bits)(0)
            yield _checked(f"{name}, {bits} bits", _stored_pixels(folder, frame, bits, syntax), data, folder)


def _run(folder: Path, frame: np.ndarray, bits: int) -> Path:
    return write_simulated_run(
        folder / "native.dcm",
        frame[None],
        bits_stored=bits,
        relationship="LIN",
        frame_time_ms=100,
        focal_spot_mm=0.6,
        sid_mm=1100,
        sod_mm=720,
        imager_pixel_spacing_mm=0.154,
        transfer_syntax=ExplicitVRLittleEndian,
    )


def _stored_pixels(folder: Path, frame: np.ndarray, bits: int, syntax: str) -> StoredPixels:
    stored = read_run(_run(folder, frame, bits)).stored_pixels
    return dataclasses.replace(stored, transfer_syntax=str(syntax), big_endian=False, word_swapped=False)


def _checked(name: str, stored: StoredPixels, data: bytes, folder: Path) -> Encoded:
    # Without its open file, so that other processes can be given it.
    return Encoded(name, dataclasses.replace(stored, file=None), data, _frame(stored, data, folder))


def _frame(stored: StoredPixels, data: bytes, folder: Path) -> np.ndarray:
    path = folder / "frame.bin"
    path.write_bytes(data)
    return FrameStack(dataclasses.replace(stored, file=InputFile(path), frames=1, fragments=(((0, len(data)),),)))[0]


# What happens to the frame: kind and name -> function of (head, body, tail, generator). The head is what comes before
# the entropy-coded data, the tail the end marker and what follows.
DAMAGES = {
    **{
        f"cut: at {percent} %": lambda h, b, t, r, part=percent / 100: (h + b)[: len(h) + int(part * len(b))]
        for percent in (10, 30, 50, 70, 90)
    },
    "cut: at 50 %, end marker": lambda h, b, t, r: h + b[: len(b) // 2] + t,
    "cut: last 64 bytes missing, end kept": lambda h, b, t, r: h + b[:-64] + t,
    "cut: last 8 bytes missing, end kept": lambda h, b, t, r: h + b[:-8] + t,
    "lost: middle, end kept": lambda h, b, t, r: h + b[: int(0.4 * len(b))] + b[int(0.6 * len(b)) :] + t,
    "lost: middle, lengths mended": lambda h, b, t, r: _mended(
        h + b[: int(0.4 * len(b))] + b[int(0.6 * len(b)) :] + t, len(b) - int(0.4 * len(b)) - int(0.6 * len(b))
    ),
    "zeros: second half": lambda h, b, t, r: (h + b + t)[: _half(h, b, t)] + bytes(len(h + b + t) - _half(h, b, t)),
    "zeros: second half, end kept": lambda h, b, t, r: h + b[: len(b) // 2] + bytes(len(b) - len(b) // 2) + t,
    **{
        f"zeros: {count} bytes": lambda h, b, t, r, count=count: h + _over(b, bytes(count), r) + t
        for count in (256, 128)
    },
    **{
        f"few bytes: {count} zero": lambda h, b, t, r, count=count: h + _over(b, bytes(count), r) + t
        for count in (64, 16, 4)
    },
    "few bytes: 64 missing": lambda h, b, t, r: h + _over(b, b"", r, 64) + t,
    "few bytes: 64 noise": lambda h, b, t, r: h + _over(b, _noise(64, r), r) + t,
    "noise: second half, end kept": lambda h, b, t, r: h + b[: len(b) // 2] + _noise(len(b) - len(b) // 2, r) + t,
    "bits: 1 flipped": lambda h, b, t, r: h + _flipped(b, 1, r) + t,
    "bits: 5 flipped": lambda h, b, t, r: h + _flipped(b, 5, r) + t,
    "markers: end in the middle": lambda h, b, t, r: h + _over(b, b"\xff\xd9", r) + t,
    "markers: no end": lambda h, b, t, r: h + b,
    "markers: a restart too many": lambda h, b, t, r: h + _over(b, b"\xff\xd0", r, 0) + t,
    "markers: a restart lost": lambda h, b, t, r: h + b.replace(b"\xff\xd1", b"", 1) + t,
    "markers: restarts exchanged": lambda h, b, t, r: h + b.replace(b"\xff\xd1", b"\xff\xd2", 1) + t,
    "too much: behind the end": lambda h, b, t, r: h + b + t + _noise(100, r),
    "too much: before the end": lambda h, b, t, r: h + b + _noise(64, r) + t,
}


# Kinds that are refused or without effect in every syntax: what a broken transfer or a bad disk leaves behind.
SEEN = ("cut", "lost", "zeros", "markers", "too much")


def damaged(data: bytes, damage: str, seed: int = 0) -> bytes:
    """Return a damaged copy of one compressed frame; the same seed gives the same bytes."""
    start, end = _entropy_coded(data)
    return DAMAGES[damage](data[:start], data[start:end], data[end:], random.Random(f"{damage} {seed}"))


def _entropy_coded(data: bytes) -> tuple[int, int]:
    """Return where entropy-coded data begins and ends: behind the (first) scan header or start of data marker."""
    if data.startswith(b"\xff\x4f\xff\x51"):
        return data.index(b"\xff\x93") + 2, data.rindex(b"\xff\xd9")
    if data.startswith(b"\xff\xd8"):
        position = 2
        while True:
            marker, length = data[position + 1], struct.unpack(">H", data[position + 2 : position + 4])[0]
            position += 2 + length
            if marker == 0xDA:
                return position, data.rindex(b"\xff\xd9")
    return 64, len(data)


def _half(*parts: bytes) -> int:
    return sum(map(len, parts)) // 2


def _noise(count: int, rng: random.Random) -> bytes:
    # No marker may come out of it.
    return bytes(rng.randrange(255) for _ in range(count))


def _over(body: bytes, piece: bytes, rng: random.Random, count: int | None = None) -> bytes:
    count = len(piece) if count is None else count
    at = rng.randrange(len(body) // 4, max(len(body) // 4 + 1, 3 * len(body) // 4 - count))
    return body[:at] + piece + body[at + count :]


def _flipped(body: bytes, count: int, rng: random.Random) -> bytes:
    changed = bytearray(body)
    for _ in range(count):
        changed[rng.randrange(len(body))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _mended(data: bytes, change: int) -> bytes:
    """Return `data` with the length of the first JPEG 2000 tile-part changed by that much, others as they are."""
    if not data.startswith(b"\xff\x4f\xff\x51"):
        return data
    at = data.index(b"\xff\x90") + 6
    length = struct.unpack(">L", data[at : at + 4])[0]
    return data[:at] + struct.pack(">L", max(length + change, 0)) + data[at + 4 :] if length else data
