"""Working values come back as the stored values they were."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from DSADeblurLib.restoration.normalisation import (
    Aperture,
    Normalisation,
    fit_normalisation,
    from_working,
    stored_limits,
    to_working,
)

EVERY_16_BIT_VALUE = np.arange(2**16, dtype=np.uint16).reshape(256, 256)


@pytest.mark.parametrize("relationship", ["LIN", "LOG", "DISP", None])
def test_every_16_bit_value_survives_working_values_and_normalisation(relationship):
    working = to_working(EVERY_16_BIT_VALUE, relationship)
    normalisation = fit_normalisation([EVERY_16_BIT_VALUE], relationship)
    back = from_working(normalisation.invert(normalisation.apply(working)), relationship, np.uint16, 16)
    expected = np.maximum(EVERY_16_BIT_VALUE, 1) if relationship == "LIN" else EVERY_16_BIT_VALUE
    np.testing.assert_array_equal(back, expected)


def test_a_constant_absorber_is_a_constant_difference_in_linear_frames():
    clear = np.array([[1000.0, 2000.0, 4000.0]])
    difference = to_working(clear * np.exp(-0.3), "LIN") - to_working(clear, "LIN")
    np.testing.assert_allclose(difference, -0.3, atol=1e-6)


@pytest.mark.parametrize(
    ("value", "dtype", "bits", "expected"),
    [
        (300.2, np.uint8, None, 255),
        (-4, np.uint8, 8, 0),
        (5000, np.uint16, 12, 4095),
        (1.6, np.uint16, 12, 2),
        (-3000, np.int16, 12, -2048),
        (3e9, np.int32, 32, 2**31 - 1),
        (1e30, np.uint16, 16, 65535),
    ],
)
def test_integers_are_rounded_and_clipped(value, dtype, bits, expected):
    result = from_working(np.full((2, 2), value, np.float32), None, dtype, bits)
    assert result.dtype == dtype
    assert (result == expected).all()


def test_huge_working_values_of_linear_frames_are_clipped_without_overflow():
    with np.errstate(all="raise"):
        assert from_working(np.array([[500.0]]), "LIN", np.uint16, 12)[0, 0] == 4095


@given(
    offset=st.floats(-100, 100),
    gain=st.floats(0.1, 50),
)
def test_normalised_frames_do_not_depend_on_offset_and_gain(offset, gain):
    frames = np.random.default_rng(1).normal(size=(3, 32, 32))
    moved = offset + gain * frames
    expected = fit_normalisation(frames).apply(frames[1])
    np.testing.assert_allclose(fit_normalisation(moved).apply(moved[1]), expected, atol=1e-3)


def test_the_scale_is_that_of_detail():
    """Slow changes, however large, do not count; nearly all of the edges' height does."""
    rows, columns = np.mgrid[:300, :300].astype(np.float32)
    squares = 0.2 * ((rows // 20 + columns // 20) % 2)
    slope = 3e-3 * rows
    alone, on_slope = (fit_normalisation(frame[None]) for frame in (squares, squares + slope))
    assert alone.scale == pytest.approx(0.2, rel=0.2)
    assert on_slope.scale == pytest.approx(alone.scale, rel=0.1)
    assert on_slope.offset == pytest.approx(np.median(squares + slope), abs=1e-5)


def test_a_constant_run_has_scale_one():
    assert fit_normalisation(np.full((4, 20, 20), 7, np.uint16)) == Normalisation(7.0, 1.0)


def test_at_most_eight_frames_are_read_from_first_to_last():
    class Watched(list):
        read = []

        def __getitem__(self, index):
            self.read.append(index)
            return super().__getitem__(index)

    frames = Watched(np.zeros((20, 16, 16)))
    fit_normalisation(frames)
    assert len(frames.read) == 8 and frames.read[0] == 0 and frames.read[-1] == 19


def test_unusable_frames_are_refused():
    with pytest.raises(ValueError, match="no frames"):
        fit_normalisation([])
    with pytest.raises(ValueError, match="not finite"):
        fit_normalisation([np.full((16, 16), np.nan)])
    with pytest.raises(ValueError, match="must be LIN"):
        to_working(np.zeros((2, 2)), "LINEAR")
    with pytest.raises(ValueError, match="Bits stored must be from 1 to 8"):
        stored_limits(np.uint8, 12)
    with pytest.raises(ValueError, match="positive scale"):
        Normalisation(0.0, 0.0)


@pytest.fixture
def shuttered():
    """A frame of squares, the same behind a dark shutter, and the part that the shutter leaves open."""
    rows, columns = np.mgrid[:200, :240].astype(np.float32)
    frame = 5 + 0.2 * ((rows // 20 + columns // 20) % 2)
    exposed = np.zeros(frame.shape, bool)
    exposed[30:, 40:200] = True
    return frame, np.where(exposed, frame, -3), exposed


def test_what_a_shutter_covers_does_not_count(shuttered):
    frame, covered, exposed = shuttered
    expected, found = fit_normalisation(frame[None]), fit_normalisation(covered[None], aperture=Aperture(exposed))
    assert found.offset == pytest.approx(expected.offset, abs=0.1)
    assert found.scale == pytest.approx(expected.scale, rel=0.05)
    assert fit_normalisation(covered[None]).scale > 10 * expected.scale


def test_a_cover_leaves_no_edge(shuttered):
    _, covered, exposed = shuttered
    aperture = Aperture(exposed)
    filled = aperture.filled(covered)
    np.testing.assert_array_equal(filled[exposed], covered[exposed])
    assert set(np.unique(filled)) <= set(np.unique(covered[exposed]))
    assert filled[0, 100] == covered[30, 100] and aperture.inside(covered).size == exposed.sum()


@pytest.mark.parametrize("exposed", [None, np.ones((4, 5), bool), np.zeros((4, 5), bool)])
def test_nothing_is_left_out_where_all_or_nothing_is_exposed(exposed):
    frame = np.arange(20.0).reshape(4, 5)
    assert Aperture(exposed).inside(frame) is frame and Aperture(exposed).filled(frame) is frame
