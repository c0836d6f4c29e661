"""Frame files are .npy files that numpy reads and writes, and damaged ones are refused."""

import io
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from DSADeblurLib.frame_file import FrameFile

TYPES = [np.uint8, np.uint16, ">u2", np.int32, np.float32, np.float64, np.bool_]


@settings(max_examples=30, deadline=None)
@given(
    frames=st.sampled_from(TYPES).flatmap(
        lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=3, max_dims=3, max_side=6))
    ),
    order=st.randoms(),
)
def test_numpy_reads_what_is_written_in_any_order(tmp_path_factory, frames, order):
    path = tmp_path_factory.mktemp("frames") / "run.npy"
    indices = list(range(len(frames)))
    order.shuffle(indices)
    with FrameFile.create(path, frames.shape, frames.dtype) as file:
        for index in indices:
            file[index] = frames[index]
    result = np.load(path, allow_pickle=False)
    assert result.dtype == frames.dtype
    np.testing.assert_array_equal(result, frames)


@pytest.fixture
def frames():
    return np.random.default_rng(0).integers(0, 4096, size=(5, 7, 9), dtype=np.uint16)


@pytest.fixture
def path(tmp_path, frames):
    np.save(tmp_path / "run.npy", frames)
    return tmp_path / "run.npy"


@pytest.mark.parametrize(
    "key", [0, -1, np.int64(3), slice(None), slice(1, 4), slice(4, 0, -2), [3, 0, -1], slice(9, 9)]
)
def test_what_is_read_is_what_numpy_gives(path, frames, key):
    with FrameFile.open(path) as file:
        np.testing.assert_array_equal(file[key], frames[key])
        assert file[key].dtype == frames.dtype


def test_a_file_looks_like_an_array(path, frames):
    with FrameFile.open(path) as file:
        assert (file.shape, file.dtype, file.ndim, len(file)) == (frames.shape, frames.dtype, 3, 5)
        np.testing.assert_array_equal(np.asarray(file), frames)
        np.testing.assert_array_equal(np.stack(list(file)), frames)
        assert np.asarray(file, dtype=np.float32).dtype == np.float32


def test_assignments_are_those_of_numpy(path, frames):
    with FrameFile.create(path, frames.shape, frames.dtype) as file:
        file[:] = frames
        file[1] = 7
        file[2:4] = frames[:2]
        file[-1] = frames[0].astype(np.float64) + 0.4
        frames_before = frames.copy()
        frames[1], frames[2:4], frames[-1] = 7, frames_before[:2], frames_before[0]
        np.testing.assert_array_equal(file[:], frames)
    np.testing.assert_array_equal(np.load(path), frames)


def test_a_new_file_holds_zeros_and_replaces_an_older(path):
    with FrameFile.create(path, (2, 3, 4), np.float32) as file:
        assert not file[:].any()
    assert np.load(path).shape == (2, 3, 4)


@pytest.mark.parametrize("key", [5, -6, 1.0, "a", (0, 1), None])
def test_what_is_no_frame_is_an_index_error(path, key):
    with FrameFile.open(path) as file, pytest.raises(IndexError):
        file[key]


def test_a_frame_of_another_shape_is_refused(path):
    with FrameFile.create(path, (2, 7, 9), np.uint16) as file, pytest.raises(ValueError):
        file[0] = np.zeros((3, 3))


def test_reading_does_not_allow_writing(path):
    with FrameFile.open(path) as file, pytest.raises(io.UnsupportedOperation):
        file[0] = 1


def test_a_closed_file_is_not_read(path):
    file = FrameFile.open(path)
    file.close()
    with pytest.raises(ValueError):
        file[0]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.array([[[{}]]], dtype=object), "plain numbers"),
        (np.zeros((2, 3, 4), complex), "plain numbers"),
        (np.zeros((2, 3, 4), [("a", "u1")]), "plain numbers"),
        (np.zeros((3, 4)), r"\(n, rows, cols\)"),
        (np.zeros((0, 3, 4)), r"\(n, rows, cols\)"),
        (np.asfortranarray(np.zeros((2, 3, 4))), "C order"),
    ],
)
def test_other_arrays_are_refused(tmp_path, values, words):
    np.save(tmp_path / "other.npy", values, allow_pickle=True)
    with pytest.raises(ValueError, match=words):
        FrameFile.open(tmp_path / "other.npy")


@pytest.mark.parametrize("dtype", [object, complex, "U3", "M8[s]"])
def test_other_types_are_not_created(tmp_path, dtype):
    with pytest.raises(ValueError, match="plain numbers"):
        FrameFile.create(tmp_path / "new.npy", (1, 2, 2), dtype)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("missing", [1, 7 * 9 * 2, 5 * 7 * 9 * 2])
def test_truncated_files_are_refused(path, missing):
    os.truncate(path, path.stat().st_size - missing)
    with pytest.raises(ValueError, match="is cut short"):
        FrameFile.open(path)


def test_a_file_truncated_while_open_is_told(path):
    np.save(path, np.zeros((5, 300, 300)))  # more than the file object's buffer
    with FrameFile.open(path) as file:
        os.truncate(path, path.stat().st_size - 3)
        with pytest.raises(ValueError, match="cut short at frame 5"):
            file[4]


@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=200) | st.binary(max_size=120).map(lambda tail: b"\x93NUMPY\x01\x00v\x00{" + tail))
def test_anything_else_is_a_value_error(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("any") / "x.npy"
    path.write_bytes(data)
    with pytest.raises(ValueError, match="not a .npy file of frames"):
        FrameFile.open(path)


@settings(max_examples=100, deadline=None)
@given(position=st.integers(0, 127), value=st.integers(0, 255))
def test_a_damaged_header_is_opened_or_a_value_error(tmp_path_factory, position, value):
    path = tmp_path_factory.mktemp("damaged") / "x.npy"
    np.save(path, np.zeros((2, 3, 4), np.uint16))
    data = bytearray(path.read_bytes())
    data[position] = value
    path.write_bytes(data)
    try:
        FrameFile.open(path).close()
    except ValueError:
        pass
