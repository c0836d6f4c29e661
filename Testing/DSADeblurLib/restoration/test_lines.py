"""Lines are found where they are, in any direction and of either sign, and noise is not taken for lines."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from DSADeblurLib.restoration.lines import line_map

SIDE = 192


def noise(seed: int, shape=(SIDE, SIDE), correlated_px=0.7) -> np.ndarray:
    white = np.random.default_rng(seed).normal(size=shape)
    correlated = ndimage.gaussian_filter(white, correlated_px)
    return (correlated / correlated.std()).astype(np.float32)


def line(angle: float, offset: float = 0.0, sigma_px: float = 1.2) -> np.ndarray:
    """A straight line of height 1 through the whole frame, off its middle by some pixels."""
    rows, columns = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    distance = columns * np.cos(angle) + rows * np.sin(angle) - offset
    return np.exp(-0.5 * (distance / sigma_px) ** 2).astype(np.float32)


@pytest.mark.parametrize("correlated_px", [0.4, 1.0, 2.0])
def test_noise_is_hardly_ever_taken_for_lines(correlated_px):
    shares = [line_map(noise(seed, (512, 512), correlated_px)).mean() for seed in range(4)]
    assert np.mean(shares) < 0.02


@given(
    angle=st.floats(0, np.pi),
    offset=st.floats(-30, 30),
    sign=st.sampled_from([-1, 1]),
    times=st.floats(3, 30),
    seed=st.integers(0, 99),
)
def test_a_line_above_the_noise_is_found_along_its_length(angle, offset, sign, times, seed):
    shape = line(angle, offset)
    found = line_map(noise(seed) + sign * times * shape)
    assert found[shape > 0.9].mean() > 0.9


def test_most_of_a_line_hardly_above_the_noise_is_found():
    shares = [line_map(noise(seed) - 1.5 * line(0.3 * seed))[line(0.3 * seed) > 0.9].mean() for seed in range(12)]
    assert np.mean(shares) > 0.5


@given(scale=st.floats(1e-3, 1e3), level=st.floats(-10, 10))
def test_scale_and_level_do_not_matter(scale, level):
    frame = noise(1) - 4 * line(0.5)
    np.testing.assert_allclose(line_map(np.float32(scale) * (frame + np.float32(level))), line_map(frame), atol=0.05)


@given(rows=st.integers(16, 60), columns=st.integers(16, 60))
def test_any_shape_is_taken(rows, columns):
    found = line_map(noise(2, (rows, columns)))
    assert found.shape == (rows, columns) and found.dtype == np.float32 and 0 <= found.min() <= found.max() <= 1


def test_a_frame_without_anything_has_no_lines():
    assert not line_map(np.full((64, 64), 3.0, np.float32)).any()


def test_opposite_edges_are_no_lines():
    ramp = np.linspace(0, 20, SIDE, dtype=np.float32)[:, None] + noise(3)
    assert line_map(ramp).mean() < 0.02
