"""Peak opacification and background: what numpy says of the whole run, without holding it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from DSADeblurLib.measurement.opacification import peak_opacification, with_background
from DSADeblurLib.xa import SubtractionPlan, subtract

_RUNS = arrays(
    np.float32, st.tuples(st.integers(1, 6), st.integers(1, 5), st.integers(1, 5)), elements=st.floats(-5, 5, width=32)
)


@given(_RUNS)
def test_peak_is_the_minimum_over_time(frames):
    kept = frames.copy()
    np.testing.assert_array_equal(peak_opacification(iter(frames)), frames.min(axis=0))
    np.testing.assert_array_equal(frames, kept)


def test_a_bolus_that_passes_is_seen_whole():
    bolus = np.zeros((8, 1, 8), np.float32)
    bolus[np.arange(8), 0, np.arange(8)] = -0.4
    np.testing.assert_array_equal(peak_opacification(bolus), np.full((1, 8), -0.4, np.float32))


def test_unlike_or_missing_frames():
    with pytest.raises(ValueError, match="at least one frame"):
        peak_opacification([])
    with pytest.raises(ValueError, match="one shape"):
        peak_opacification([np.zeros((2, 2)), np.zeros((1, 2))])


def test_background_goes_from_difference_to_native_frame():
    rng = np.random.default_rng(0)
    frames = rng.integers(500, 4000, (2, 16, 16)).astype(np.uint16)
    result = subtract(frames, SubtractionPlan.single((1,), (2,)), "LIN")
    difference, mask = result[0], result.mask(0)
    np.testing.assert_array_equal(with_background(difference, mask, 0), difference)
    native = np.log(frames[1].astype(float))
    np.testing.assert_allclose(with_background(difference, mask, 1), native - mask.mean(), atol=1e-5)
    for fraction in (0.1, 0.5):
        assert with_background(difference, mask, fraction).mean() == pytest.approx(difference.mean(), abs=1e-5)


@pytest.mark.parametrize("fraction", [-0.1, 1.1, float("nan")])
def test_impossible_backgrounds(fraction):
    with pytest.raises(ValueError, match="from 0 to 1"):
        with_background(np.zeros((2, 2)), np.zeros((2, 2)), fraction)
    with pytest.raises(ValueError, match="one shape"):
        with_background(np.zeros((2, 2)), np.zeros((2, 3)), 0.5)
