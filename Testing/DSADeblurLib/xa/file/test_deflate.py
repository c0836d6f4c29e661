"""Deflated files are read frame by frame, and never inflated further than their header declares."""

import struct
import tracemalloc
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from DSADeblurLib.xa import XAReadError, read_run
from DSADeblurLib.xa.file import dataset as opening
from DSADeblurLib.xa.file.deflate import InflatedFile
from DSADeblurLib.xa.file.input_file import InputFile

_SYNTAX = b"1.2.840.10008.1.2.1\0"


def _parts(path):
    """Return the file meta information, changed to the deflated syntax, and the data set of an uncompressed file."""
    data = path.read_bytes()
    end = 144 + struct.unpack("<L", data[140:144])[0]
    at = data.index(_SYNTAX)
    meta = bytearray(data[: at - 2] + struct.pack("<H", 22) + b"1.2.840.10008.1.2.1.99" + data[at + 20 : end])
    meta[140:144] = struct.pack("<L", len(meta) - 144)
    return bytes(meta), data[end:]


def _deflate(pieces):
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return b"".join([packer.compress(one) for one in pieces] + [packer.flush()])


@pytest.fixture
def deflated(make_run, tmp_path):
    """Return a function that deflates a run's data set after `change(data set bytes) -> pieces`."""

    def make(change=lambda data: [data], **options):
        made = make_run(**options)
        meta, data = _parts(made.path)
        path = tmp_path / "deflated.dcm"
        path.write_bytes(meta + _deflate(change(data)))
        return path, made

    return make


def _refused(path):
    with pytest.raises(XAReadError) as caught:
        read_run(path)
    return str(caught.value)


def test_frames_in_any_order(deflated):
    path, made = deflated()
    frames = read_run(path).frames
    for index in (0, 5, 2, 3, 1, 1, 4):
        np.testing.assert_array_equal(frames[index], made.frames[index])
    with ThreadPoolExecutor(4) as pool:
        for index, frame in enumerate(pool.map(frames.frame, range(6))):
            np.testing.assert_array_equal(frame, made.frames[index])


def test_files_of_another_tool(make_run, tool, tmp_path, derive, judged):
    made = make_run(bits=16)
    assert tool("dcmconv", "+td", made.path, tmp_path / "other.dcm").returncode == 0
    np.testing.assert_array_equal(np.asarray(read_run(tmp_path / "other.dcm").frames), made.frames)
    judged(derive(tmp_path / "other.dcm"), made.path)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda data: [b"\0" * 2**20] * 40, "The header has more elements than any angiogram needs; it is damaged."),
        (lambda data: [data[: -100000 % len(data)], data[-1000:]], None),
        (lambda data: [data[:-500]], "File is truncated: 36364 of 36864 bytes."),
        (
            lambda data: [
                data[:200],
                b"\x09\x00\x10\x10OB\0\0" + struct.pack("<L", 5 * 2**20),
                b"\0" * 5 * 2**20,
                data[200:],
            ],
            None,
        ),
    ],
)
def test_damaged_content(deflated, change, sentence):
    message = _refused(deflated(change)[0])
    assert message == sentence if sentence else message.endswith(".")


def test_headers_and_pixels_are_limited(deflated):
    def grow(data):
        at = data.index(b"\xe0\x7f\x10\x00OW")
        return [data[:at], b"\x29\x00\x10\x10OB\0\0" + struct.pack("<L", 2**22), b"\0" * 2**22, data[at:]]

    assert "header" in _refused(deflated(grow)[0]) or "truncated" in _refused(deflated(grow)[0])

    def claim(length):
        def change(data):
            at = data.index(b"\xe0\x7f\x10\x00OW") + 8
            return [data[:at], struct.pack("<L", length), b"\0" * 100]

        return change

    assert _refused(deflated(claim(2**30 + 2))[0]).startswith("Deflated pixel data of more than 1024 MiB; convert")
    assert _refused(deflated(claim(2**30))[0]).startswith("Header says 6 frames, file holds 174762.")
    assert _refused(deflated(claim(36864))[0]) == "File is truncated: 100 of 36864 bytes."
    assert _refused(deflated(lambda data: [data[: data.index(b"\xe0\x7f\x10\x00OW")]])[0]) == (
        "No pixel data in this file."
    )


def test_damaged_stream(deflated):
    path, _ = deflated()
    data = bytearray(path.read_bytes())
    path.write_bytes(data[:-2000])
    assert _refused(path).startswith("File is truncated:")
    start = 144 + struct.unpack("<L", data[140:144])[0]
    # The third kind of block does not exist.
    data[start] = 0x07
    path.write_bytes(data)
    assert _refused(path) == "Deflated data is damaged; export the file again."


def test_a_bomb_takes_little_memory(deflated, monkeypatch):
    # Tracing slows every read.
    monkeypatch.setattr(opening, "_MAX_READS", 5000)
    path, _ = deflated(lambda data: [b"\0" * 2**20] * 200)
    tracemalloc.start()
    _refused(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert path.stat().st_size < 2**20 and peak < 30 * 2**20


@given(
    content=st.binary(max_size=3000), reads=st.lists(st.tuples(st.integers(0, 3100), st.integers(0, 3100)), max_size=5)
)
def test_reads_are_those_of_the_content(tmp_path_factory, content, reads):
    path = tmp_path_factory.mktemp("raw") / "raw"
    path.write_bytes(b"head" + _deflate([content]))
    with InputFile(path) as file:
        stream = InflatedFile(file, 4)
        for position, size in reads:
            assert stream.read_at(position, size) == content[position : position + size]
        assert stream.holds(10**6) == len(content)
