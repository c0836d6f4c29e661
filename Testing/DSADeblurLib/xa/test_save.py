"""Files appear complete or not at all."""

import os

import numpy as np
import pydicom
import pytest

from DSADeblurLib.xa import XAWriteError, read_run
from DSADeblurLib.xa.save import FrameStream, attach_native_pixels, save_aside


@pytest.mark.parametrize("chunk", [1, 7, 64, 1000, -1])
def test_stream_reads_as_the_joined_frames(chunk):
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


def test_each_frame_is_asked_for_once(make_run, tmp_path):
    asked = []

    def frame(index):
        asked.append(index)
        return np.full((48, 64), index, np.uint16)
    dataset = pydicom.dcmread(make_run().path)
    attach_native_pixels(dataset, frame, 6, 48 * 64 * 2, 16)
    save_aside(dataset, tmp_path / "out.dcm")
    assert asked == [0, 1, 2, 3, 4, 5]
    assert np.asarray(read_run(tmp_path / "out.dcm").frames)[:, 0, 0].tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("failure", [ValueError("broken frame"), KeyboardInterrupt()])
def test_failure_leaves_an_existing_file_alone(make_run, tmp_path, failure):
    def frame(index):
        if index == 3:
            raise failure
        return np.zeros((48, 64), np.uint16)
    target = tmp_path / "kept.dcm"
    target.write_bytes(b"precious")
    dataset = pydicom.dcmread(make_run().path)
    attach_native_pixels(dataset, frame, 6, 48 * 64 * 2, 16)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(type(failure)) as caught:
        save_aside(dataset, target)
    assert str(caught.value) == str(failure)
    assert target.read_bytes() == b"precious" and sorted(tmp_path.iterdir()) == before


def test_frame_of_wrong_size(make_run, tmp_path):
    dataset = pydicom.dcmread(make_run().path)
    attach_native_pixels(dataset, lambda index: np.zeros((48, 60), np.uint16), 6, 48 * 64 * 2, 16)
    with pytest.raises(XAWriteError, match="Frame 1 has 5760 bytes, expected 6144."):
        save_aside(dataset, tmp_path / "out.dcm")


def test_folder_that_does_not_exist(make_run, tmp_path):
    dataset = pydicom.dcmread(make_run().path)
    with pytest.raises(XAWriteError, match="Cannot write out.dcm: No such file or directory."):
        save_aside(dataset, tmp_path / "none" / "out.dcm")


def test_four_gigabytes_are_the_limit():
    with pytest.raises(XAWriteError, match="The frames exceed 4 GiB"):
        attach_native_pixels(pydicom.Dataset(), lambda index: None, 3000, 2 * 1024**2, 16)


def test_file_format_is_complete(make_run, tool, tmp_path):
    assert tool("dcmftest", make_run().path).returncode == 0
    assert make_run().path.read_bytes()[:132] == b"\0" * 128 + b"DICM"
