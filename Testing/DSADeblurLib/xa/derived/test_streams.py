"""Pixel data read piece by piece is the pixel data in one piece."""

import io
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.encaps import encapsulate, generate_frames

from DSADeblurLib.xa import XAWriteError
from DSADeblurLib.xa.derived import streams
from DSADeblurLib.xa.derived.streams import FragmentStream, FrameStream


@pytest.mark.parametrize("chunk", [1, 7, 64, 1000, -1])
def test_native_frames_read_as_the_joined_frames(chunk):
    frames = np.arange(3 * 5 * 7, dtype=np.uint8).reshape(3, 5, 7)
    stream = FrameStream(frames.__getitem__, 3, 35)
    pieces = []
    while piece := stream.read(chunk):
        pieces.append(piece)
    assert b"".join(pieces) == frames.tobytes() + b"\0" and stream.size == 106
    stream.seek(40)
    assert stream.read(3) == frames.tobytes()[40:43] and stream.tell() == 43
    assert stream.seek(0, os.SEEK_END) == 106 and stream.seek(-6, os.SEEK_CUR) == 100
    assert stream.readable() and stream.seekable()


@given(st.lists(st.binary(min_size=1, max_size=90), min_size=1, max_size=6), st.sampled_from([1, 5, 64, 8192, -1]))
def test_fragments_are_encapsulated_as_pydicom_does(codestreams, chunk):
    asked = []

    def fragment(index):
        asked.append(index)
        return codestreams[index]

    stream, file = FragmentStream(fragment, len(codestreams)), io.BytesIO()
    # pydicom looks at the first tag and begins again.
    assert stream.read(4) == b"\xfe\xff\x00\xe0" and stream.seek(0) == 0
    file.write(b"what comes before")
    while piece := stream.read(chunk):
        file.write(piece)
    file.write(b"\xfe\xff\xdd\xe0\0\0\0\0")
    stream.complete(file)
    written = file.getvalue()[len(b"what comes before") : -8]
    assert written == encapsulate(codestreams) and asked == list(range(len(codestreams)))
    frames = generate_frames(written, number_of_frames=len(codestreams))
    assert [one.rstrip(b"\0") for one in frames] == [one.rstrip(b"\0") for one in codestreams]


def test_compressed_frames_are_made_once():
    stream = FragmentStream(lambda index: b"12", 2)
    assert len(stream.read()) == 16 and len(stream.read()) == 10
    stream.seek(0)
    with pytest.raises(io.UnsupportedOperation, match="cannot be read again"):
        stream.read()


def test_offsets_end_at_four_gigabytes(monkeypatch):
    monkeypatch.setattr(streams, "_LARGEST_OFFSET", 15)
    stream = FragmentStream(lambda index: b"12345678", 2)
    stream.read(), stream.read()
    with pytest.raises(XAWriteError, match="The compressed frames exceed 4 GiB; choose fewer frames."):
        stream.read()
    assert isinstance(stream.failure, XAWriteError)
