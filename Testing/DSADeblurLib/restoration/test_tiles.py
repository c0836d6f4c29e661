"""Cores cover the frame once, and reads have the halo and the phase that the network needs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from DSADeblurLib.restoration.tiles import pad_to_multiple, plan_tiles


@st.composite
def plans(draw):
    multiple = draw(st.sampled_from([1, 2, 4, 8, 32]))
    sides = st.integers(16, 200).map(lambda side: side + -side % multiple)
    return (draw(sides), draw(sides)), draw(st.none() | st.integers(16, 220)), draw(st.integers(0, 70)), multiple


@given(plans())
def test_cores_cover_the_frame_once(plan):
    shape = plan[0]
    count = np.zeros(shape, int)
    for tile in plan_tiles(*plan):
        count[tile.core] += 1
    assert (count == 1).all()


@given(plans())
def test_reads_reach_a_halo_around_the_core_or_the_border_and_keep_the_phase(plan):
    shape, _, halo, multiple = plan
    for tile in plan_tiles(*plan):
        for read, keep, core, side in zip(tile.read, tile.keep, tile.core, shape, strict=True):
            assert 0 <= read.start and read.stop <= side
            assert read.start == 0 or read.start <= core.start - halo
            assert read.stop == side or read.stop >= core.stop + halo
            assert read.stop - read.start >= 16
            assert read.start % multiple == 0 and (read.stop - read.start) % multiple == 0
            assert (read.start + keep.start, read.start + keep.stop) == (core.start, core.stop)


def test_no_tile_size_gives_the_whole_frame():
    (tile,) = plan_tiles((64, 48), None, 10, 2)
    assert tile.read == tile.keep == tile.core == (slice(0, 64), slice(0, 48))


def test_padding_reflects_at_the_bottom_and_right():
    frame = np.arange(15.0).reshape(3, 5)
    padded = pad_to_multiple(frame, 4)
    assert padded.shape == (4, 8)
    np.testing.assert_array_equal(padded[3, :5], frame[1])
    np.testing.assert_array_equal(padded[:3, 5:], frame[:, 3:0:-1])
    assert pad_to_multiple(frame, 1) is frame


@pytest.mark.parametrize("shape", [(8, 64), (63, 64)])
def test_unusable_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="sides of at least 16 pixels that 2 divides"):
        plan_tiles(shape, None, 4, 2)
