"""Lazy frames behave as the array they stand for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from DSADeblurLib.lazy_frames import LazyFrames, MappedFrames, chosen_frames, evenly_spaced

ARRAY = np.arange(5 * 2 * 3, dtype=np.uint16).reshape(5, 2, 3)


class Stack(LazyFrames):
    shape, dtype = ARRAY.shape, ARRAY.dtype

    def frame(self, index):
        assert 0 <= index < 5
        return ARRAY[index].copy()


@given(st.one_of(st.slices(5), st.integers(-5, 4), st.lists(st.integers(-5, 4), max_size=6)))
def test_indexing_is_that_of_an_array(key):
    expected = ARRAY[key] if not isinstance(key, list) else ARRAY[np.array(key, int)]
    found = Stack()[key]
    assert found.dtype == ARRAY.dtype
    np.testing.assert_array_equal(found, expected)


def test_as_an_array_and_in_a_loop():
    np.testing.assert_array_equal(np.asarray(Stack()), ARRAY)
    np.testing.assert_array_equal(np.stack(list(Stack())), ARRAY)
    assert len(Stack()) == 5 and Stack().ndim == 3


@pytest.mark.parametrize("key", [5, -6, 1.0, "0", None, True, (0, 1), [0, 5], [True] * 5, np.ones(5, bool)])
def test_what_is_no_frame_is_an_index_error(key):
    with pytest.raises(IndexError):
        Stack()[key]


def test_an_array_is_a_copy():
    with pytest.raises(ValueError, match="without a copy"):
        Stack().__array__(copy=False)
    assert np.asarray(Stack(), np.float32).dtype == np.float32


def test_each_frame_goes_through_the_function_when_it_is_asked_for():
    asked = []

    def doubled(frame):
        asked.append(frame)
        return 2.0 * frame

    frames = MappedFrames(Stack(), doubled, np.float32)
    assert (frames.shape, frames.dtype, asked) == (ARRAY.shape, np.float32, [])
    assert frames[3].dtype == np.float32 and len(asked) == 1
    np.testing.assert_array_equal(frames[[3, 0]], 2 * ARRAY[[3, 0]])


def test_chosen_frames_come_in_the_order_of_their_indices():
    frames = np.arange(24, dtype=np.uint16).reshape(4, 2, 3)
    chosen = chosen_frames(frames, [3, 1])
    assert chosen.shape == (2, 2, 3) and chosen.dtype == np.uint16
    np.testing.assert_array_equal(chosen[:], frames[[3, 1]])


def test_base_gives_no_frames():
    with pytest.raises(NotImplementedError):
        LazyFrames().frame(0)


@given(count=st.integers(0, 500), most=st.integers(2, 60))
def test_evenly_spaced_indices_reach_from_the_first_to_the_last(count, most):
    indices = evenly_spaced(count, most)
    assert len(indices) == min(count, most)
    assert indices[:1] + indices[-1:] == ([0, count - 1] if count else [])
    steps = set(np.diff(indices).tolist())
    assert all(step > 0 for step in steps) and len(steps) <= 2
