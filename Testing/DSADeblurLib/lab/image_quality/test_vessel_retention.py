"""What is left of thin vessels: nothing of the frame counts, the shape does, and noise is measured beside vessels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from DSADeblurLib.lab.image_quality.vessel_retention import bent_vessels, noise_level, retention

RNG = np.random.default_rng(1)
FRAME = RNG.normal(size=(200, 220)).astype(np.float32)


def vessels(seed=0, count=3, shape=FRAME.shape):
    return bent_vessels(np.random.default_rng(seed), shape, count)


@settings(max_examples=10)
@given(seed=st.integers(0, 10**6))
def test_vessels_are_thin_as_long_as_asked_and_apart(seed):
    found = vessels(seed)
    for one in found:
        assert one.shape == FRAME.shape and one.dtype == np.float32
        assert one.max() == pytest.approx(1, abs=0.03) and one.min() == 0
        # The area above half of a Gaussian profile is its full width times the length, but for the round ends.
        assert np.count_nonzero(one > 0.5) == pytest.approx(2.8 * 70, rel=0.12)
        assert ndimage.label(one > 0.5)[1] == 1
        assert max(edge.max() for edge in (one[:5], one[-5:], one[:, :5], one[:, -5:])) < 1e-3
    assert np.max([np.minimum(a, b).max() for i, a in enumerate(found) for b in found[:i]]) < 1e-3


def test_no_room_for_vessels():
    with pytest.raises(ValueError, match="too small for vessels of 70 pixels"):
        vessels(shape=(100, 300))
    with pytest.raises(ValueError, match="no room for 50 vessels"):
        vessels(count=50)


@pytest.mark.parametrize("contrast", [0.5, 3.0, -2.0])
def test_what_is_left_is_the_share_of_the_contrast(contrast):
    put = vessels()
    np.testing.assert_allclose(retention(lambda f: f, FRAME, put, [contrast]), 1, atol=1e-3)
    np.testing.assert_allclose(retention(lambda f: 0.3 * f + 5, FRAME, put, [1.0, contrast]), 0.3, atol=1e-3)
    np.testing.assert_allclose(retention(lambda f: FRAME, FRAME, put, [contrast]), 0, atol=1e-6)


def test_smoothing_takes_from_vessels_and_the_middle_one_of_several_frames_counts():
    put = vessels()
    smooth = retention(lambda f: ndimage.gaussian_filter(f, 2.0), FRAME, put, [1.0])
    assert (smooth > 0.3).all() and (smooth < 0.7).all()
    np.testing.assert_allclose(retention(lambda f: f[1], np.stack([FRAME] * 3), put, [1.0]), 1, atol=1e-3)


def test_each_vessel_is_measured_by_itself():
    put = vessels()
    lost = put[0] > 1e-6

    def drops_one(frame):
        return np.where(lost, 0, frame)

    assert retention(drops_one, FRAME, put, [1.0])[0] == pytest.approx([0, 1, 1], abs=1e-3)


def test_noise_is_measured_beside_vessels_and_shading():
    slope = np.add.outer(np.linspace(0, 40, 200), np.linspace(0, 30, 220))
    put = 20 * np.sum(vessels(), axis=0)
    assert noise_level(FRAME) == pytest.approx(1, rel=0.03)
    assert noise_level(2 * FRAME + slope - put) == pytest.approx(2, rel=0.1)
