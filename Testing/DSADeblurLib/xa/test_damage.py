"""A damaged compressed frame is refused or gives the pixels of the whole one; a whole one is never refused."""

import dataclasses
import io
import re
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom.pixels import get_decoder
from pydicom.uid import JPEGLSLossless

from DSADeblurLib.xa import XAReadError
from DSADeblurLib.xa.file.decoding import run_lengths_fit
from DSADeblurLib.xa.file.huffman import holds_image
from DSADeblurLib.xa.file.input_file import InputFile
from DSADeblurLib.xa.file.jpeg2000 import looks_whole

pytestmark = pytest.mark.slow

pytest.importorskip("gdcm", reason="python-gdcm decodes JPEG Lossless and Extended")
pytest.importorskip("openjpeg", reason="pylibjpeg-openjpeg encodes JPEG 2000")
_REFUSED = r"^Compressed frame 1 (is damaged and cannot be decoded.|decodes to more than the image it should hold.)$"


@pytest.fixture(scope="module")
def damaged_frames():
    """Return the module that makes and damages frames."""
    folder = str(Path(__file__).resolve().parents[2] / "damage")
    sys.path.insert(0, folder)
    try:
        import damaged_frames
    finally:
        sys.path.remove(folder)
    return damaged_frames


@pytest.fixture(scope="module")
def frames(damaged_frames, tmp_path_factory):
    return list(damaged_frames.encoded_frames(tmp_path_factory.mktemp("frames")))


@pytest.mark.parametrize("kind", ["cut", "lost", "zeros", "markers", "too much"])
def test_damage_is_refused_or_without_effect(damaged_frames, frames, tmp_path, kind):
    refused, silent = 0, []
    for one in frames:
        for damage in (name for name in damaged_frames.DAMAGES if name.startswith(f"{kind}:")):
            try:
                pixels = one.decode(damaged_frames.damaged(one.data, damage), tmp_path)
            except XAReadError as error:
                refused += 1
                assert re.search(_REFUSED, str(error)), error
            else:
                if not np.array_equal(pixels, one.pixels):
                    silent.append((one.name, damage))
    # Run-length frames have no markers: these are two other bytes.
    silent = [one for one in silent if kind != "markers" or "RLE" not in one[0]]
    assert silent == []
    assert refused >= len(frames) / 2


def test_whole_frames_decode_exactly_and_quietly(damaged_frames, frames, tmp_path, capfd):
    assert len(frames) >= 10
    for one in frames:
        np.testing.assert_array_equal(one.decode(one.data, tmp_path), one.pixels)
        printed = capfd.readouterr()
        assert printed.out + printed.err == "", one.name
        if "Baseline" not in one.name and "Extended" not in one.name and "lossy" not in one.name:
            picture = damaged_frames.picture(one.stored_pixels.bits_stored, 96, 112)
            np.testing.assert_array_equal(one.pixels, picture, err_msg=one.name)


@pytest.mark.parametrize(
    ("kind", "rows", "columns"),
    [
        ("black", 130, 70),
        ("noise", 33, 47),
        ("one pixel", 40, 200),
    ],
)
def test_unusual_frames_are_not_refused(damaged_frames, tmp_path, kind, rows, columns):
    """Nothing, or nothing but noise: long stretches of equal codes, and none at all."""

    def draw(bits, rows, columns):
        frame = np.zeros((rows, columns), np.uint8 if bits == 8 else np.uint16)
        if kind == "noise":
            frame[:] = np.random.default_rng(bits).integers(0, 1 << bits, frame.shape)
        elif kind == "one pixel":
            frame[rows // 2, columns // 2] = (1 << bits) - 1
        return frame

    names = []
    # Each is decoded once while it is made; a refusal would end this here.
    for one in damaged_frames.encoded_frames(tmp_path, rows, columns, draw=draw):
        names.append(one.name)
        if "Lossless" in one.name or "own" in one.name:
            np.testing.assert_array_equal(
                one.pixels, draw(one.stored_pixels.bits_stored, rows, columns), err_msg=one.name
            )
    assert len(names) >= 10


def _jpeg(frame, **options):
    stream = io.BytesIO()
    Image.fromarray(frame).save(stream, format="JPEG", **options)
    return stream.getvalue()


def test_restart_markers_come_in_order(damaged_frames):
    data = _jpeg(damaged_frames.picture(8, 80, 80), restart_marker_blocks=7)
    assert holds_image(data) and data.count(b"\xff\xd1") > 1
    assert not holds_image(data.replace(b"\xff\xd1", b"\xff\xd2", 1))
    assert not holds_image(data.replace(b"\xff\xd1", b"", 1))
    first, second = data.index(b"\xff\xd0"), data.index(b"\xff\xd1")
    assert not holds_image(data[:first] + data[second:])


def test_filling_is_no_damage(damaged_frames):
    data = _jpeg(damaged_frames.picture(8, 40, 40))
    assert holds_image(data)
    for end, whole in (
        (b"\xff\xff\xff\xd9\0", True),
        (b"\0\0\xff\xd9", True),
        (b"\0\0\0\xff\xd9", False),
        (b"", True),
        (b"a\xff\xd9", False),
    ):
        assert holds_image(data[:-2] + end) == whole, end


def test_what_cannot_be_counted_is_left_to_the_decoder(damaged_frames):
    picture = damaged_frames.picture(8, 40, 40)
    progressive, colour = _jpeg(picture, progressive=True), _jpeg(np.stack([picture] * 3, axis=-1))
    assert holds_image(progressive[:-300]) and holds_image(colour[:-300])


@pytest.mark.parametrize(
    "options",
    [
        {"quality_layers": [80, 40, 20, 10, 5, 2, 1], "quality_mode": "rates"},
        {"precinct_size": (32, 32)},
        {"codeblock_size": (4, 4)},
        {"tile_size": (32, 32), "num_resolutions": 3, "progression": "CPRL"},
    ],
)
@pytest.mark.parametrize("level", [0, 128, None])
def test_jpeg_2000_of_many_empty_packets(damaged_frames, options, level):
    """Packets without anything in them are zeros, too."""
    frame = damaged_frames.picture(8, 256, 256) if level is None else np.full((256, 256), level, np.uint8)
    frame[0, 0] = 255
    stream = io.BytesIO()
    Image.fromarray(frame).save(stream, format="JPEG2000", no_jp2=True, **options)
    assert looks_whole(stream.getvalue())


def test_jpeg_2000_with_a_marker_or_zeros_in_its_data(frames):
    data = next(one.data for one in frames if one.name == "JPEG 2000, own, 12 bits")
    middle = len(data) // 2
    assert looks_whole(data)
    assert not looks_whole(data[:middle] + b"\xff\x90" + data[middle + 2 :])
    assert not looks_whole(data[:middle] + bytes(100) + data[middle + 100 :])
    # Bits that are not arithmetic-coded may well be zero.
    style = data.index(b"\xff\x52") + 12
    bypass = data[:style] + b"\x01" + data[style + 1 :]
    assert looks_whole(bypass[:middle] + bytes(100) + bypass[middle + 100 :])


def test_jpeg_2000_without_all_its_tiles(damaged_frames):
    """OpenJPEG shows the others."""
    stream = io.BytesIO()
    Image.fromarray(damaged_frames.picture(8, 128, 128)).save(
        stream, format="JPEG2000", no_jp2=True, tile_size=(64, 64), num_resolutions=3
    )
    data = stream.getvalue()
    parts = [at.start() for at in re.finditer(rb"\xff\x90\x00\x0a", data)]
    assert looks_whole(data) and len(parts) == 4
    assert not looks_whole(data[: parts[2]] + data[parts[3] :])
    assert not looks_whole(data.replace(struct.pack(">2L", 64, 64), struct.pack(">2L", 32, 64), 1))
    assert not looks_whole(data.replace(struct.pack(">2L", 64, 64), bytes(8), 1))


def test_a_progressive_frame_of_a_thousand_scans_is_not_decoded(damaged_frames, tmp_path):
    """Each takes time for the whole frame: 2000 of 16 bytes, half a minute for 4096 x 4096."""
    picture = damaged_frames.picture(8, 96, 112)
    data = _jpeg(picture, progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    whole = next(damaged_frames.encoded_frames(tmp_path, only="JPEG Baseline, optimised"))
    assert whole.decode(data, tmp_path).shape == picture.shape
    with pytest.raises(XAReadError, match="is damaged and cannot be decoded"):
        whole.decode(data[:-2] + last * 1000 + data[-2:], tmp_path)


def test_jpeg_2000_with_more_packets_than_bytes(damaged_frames):
    """OpenJPEG takes 2 GB for a frame of 20 kB whose precincts are of one pixel."""
    stream = io.BytesIO()
    frame = damaged_frames.picture(8, 512, 512)
    Image.fromarray(frame).save(stream, format="JPEG2000", no_jp2=True, precinct_size=(128, 128), quality_layers=[100])
    data = bytearray(stream.getvalue())
    style = data.index(b"\xff\x52")
    assert looks_whole(bytes(data)) and data[style + 4] & 1
    data[style + 14 : style + 20] = b"\x11" * 6
    assert not looks_whole(bytes(data))


def test_jpeg_ls_without_an_end_is_not_decoded(frames, tmp_path, monkeypatch):
    """CharLS may count for many seconds in it."""
    one = next(one for one in frames if one.name.startswith("JPEG-LS, own"))

    def decode(*arguments, **options):
        raise AssertionError("was decoded")

    monkeypatch.setattr(type(get_decoder(JPEGLSLossless)), "as_array", decode)
    with pytest.raises(XAReadError, match="damaged and cannot be decoded.$") as raised:
        one.decode(one.data[:-3], tmp_path)
    assert raised.value.__cause__ is None


@pytest.mark.parametrize(
    ("behind", "fits"),
    [
        (b"", True),
        (b"\0", True),
        (bytes(40), True),
        (b"\0\x07", True),
        (b"\0\x07\0\x07", False),
        (b"\x81\x07" * 20, False),
    ],
)
def test_run_lengths_behind_the_last_pixel(behind, fits):
    """A pixel too many and zeros for padding are what real devices write."""
    segments = [b"\xfe\x09\x01\x07\x08" + behind, b"\x04\x01\x02\x03\x04\x05" + behind]
    assert run_lengths_fit(struct.pack("<16L", 1, 64, *[0] * 14) + segments[1], 5) == fits
    assert run_lengths_fit(struct.pack("<16L", 2, 64, 64 + len(segments[0]), *[0] * 13) + b"".join(segments), 5) == fits
    assert run_lengths_fit(struct.pack("<16L", 1, 64, *[0] * 14) + b"\xfb\x07", 5)
    assert not run_lengths_fit(struct.pack("<16L", 1, 64, *[0] * 14) + b"\xf9\x07", 5)


def test_a_frame_may_be_in_several_pieces(frames, tmp_path):
    """What is counted is the frame, not its fragments."""
    from DSADeblurLib.xa.file.frame_stack import FrameStack

    one = next(one for one in frames if "Lossless" in one.name)
    (tmp_path / "pieces.bin").write_bytes(one.data)
    half = len(one.data) // 2
    stored = dataclasses.replace(
        one.stored_pixels,
        file=InputFile(tmp_path / "pieces.bin"),
        fragments=(((0, half), (half, len(one.data) - half)),),
    )
    np.testing.assert_array_equal(FrameStack(stored)[0], one.pixels)


def test_long_codes_of_sixteen_bits(damaged_frames, tmp_path):
    """Noise of full depth needs the longest codes there are, and more than one chunk of them."""

    def draw(bits, rows, columns):
        dtype = np.uint8 if bits == 8 else np.uint16
        return np.random.default_rng(1).integers(0, 1 << bits, (rows, columns), dtype=dtype)

    for one in damaged_frames.encoded_frames(tmp_path, 150, 170, only="JPEG Lossless", draw=draw):
        assert one.data.count(b"\xff\x00") > 10 and struct.unpack(">H", one.data[:2])[0] == 0xFFD8
        np.testing.assert_array_equal(one.pixels, draw(one.stored_pixels.bits_stored, 150, 170), err_msg=one.name)
        assert not holds_image(one.data[:-40] + b"\xff\xd9")
