"""Widths agree with analytic profiles at any position, direction, offset and slope."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize
from scipy.special import erf

from DSADeblurLib.measurement.width import peak_width, profile_across, vessel_width

GAUSSIAN = 2 * math.sqrt(2 * math.log(2))


def fwhm(profile, spacing=1.0):
    return peak_width(profile, spacing)[0]


def samples(step=0.25, length=40.0):
    return np.arange(-length / 2, length / 2 + step / 2, step)


def blurred_rectangle(x, width, sigma):
    scale = sigma * math.sqrt(2)
    return (erf((x + width / 2) / scale) - erf((x - width / 2) / scale)) / 2


@settings(deadline=None)
@given(sigma=st.floats(1.0, 3.5), centre=st.floats(-3, 3), step=st.floats(0.1, 0.5), height=st.floats(0.01, 1000))
def test_gaussian(sigma, centre, step, height):
    x = samples(step)
    profile = height * np.exp(-((x - centre) ** 2) / (2 * sigma**2))
    assert fwhm(profile, step) == pytest.approx(GAUSSIAN * sigma, rel=2e-3)


@settings(deadline=None)
@given(sigma=st.floats(1.0, 3), centre=st.floats(-0.5, 0.5))
def test_gaussian_sampled_at_whole_pixels(sigma, centre):
    """The spline between so few samples costs a thin vessel up to 0.07 pixels, a wider one next to nothing."""
    x = samples(1.0)
    width = fwhm(np.exp(-((x - centre) ** 2) / (2 * sigma**2)))
    assert width == pytest.approx(GAUSSIAN * sigma, abs=0.07 if sigma < 1.5 else 0.015)


@settings(deadline=None)
@given(diameter=st.floats(4, 20), centre=st.floats(-3, 3))
def test_projection_of_a_cylinder(diameter, centre):
    """A chord is half the diameter long at 0.866 of the radius."""
    x = samples(0.1)
    profile = np.sqrt(np.clip((diameter / 2) ** 2 - (x - centre) ** 2, 0, None))
    assert fwhm(profile, 0.1) == pytest.approx(math.sqrt(3) / 2 * diameter, rel=0.01)


@settings(deadline=None)
@given(width=st.floats(1, 20), sigma=st.floats(0.5, 3), centre=st.floats(-2, 2))
def test_blurred_rectangle(width, sigma, centre):
    """The truth is the root of the analytic profile; a wide rectangle keeps its width, a narrow one is all blur."""
    half = blurred_rectangle(0, width, sigma) / 2
    truth = 2 * optimize.brentq(lambda x: blurred_rectangle(x, width, sigma) - half, 0, 20)
    assert fwhm(blurred_rectangle(samples() - centre, width, sigma), 0.25) == pytest.approx(truth, rel=5e-3)


@settings(deadline=None)
@given(offset=st.floats(-10, 10), slope=st.floats(-0.05, 0.05))
def test_offset_and_slope_of_the_background_do_not_matter(offset, slope):
    x = samples()
    profile = np.exp(-(x**2) / 8)
    assert fwhm(profile + offset + slope * x, 0.25) == pytest.approx(GAUSSIAN * 2, rel=1e-3)


def test_the_unit_is_that_of_the_spacing():
    profile = np.exp(-(samples() ** 2) / 8)
    assert fwhm(profile, 0.5) == pytest.approx(2 * fwhm(profile, 0.25))


def noise(seed):
    return np.random.default_rng(seed).normal(size=161)


@pytest.mark.parametrize(
    "profile",
    [
        np.zeros(100),
        np.full(100, 0.1),
        np.linspace(0, 1, 100),
        -np.exp(-(samples() ** 2) / 8),
        np.exp(-((samples() - 19) ** 2) / 8),
        np.exp(-((samples() - 7) ** 2) / 8) + 0.9 * np.exp(-((samples() + 7) ** 2) / 8),
        np.where(np.arange(100) == 50, np.nan, 1.0),
        np.exp(-(samples() ** 2) / 8) + noise(3),
    ],
    ids=["zero", "constant", "slope", "dark", "cut off", "two", "nan", "noise"],
)
def test_no_clear_peak_gives_nan(profile):
    assert math.isnan(fwhm(profile))


def test_noise_alone_rarely_looks_like_a_vessel():
    found = sum(not math.isnan(fwhm(noise(seed))) for seed in range(200))
    assert found <= 4


def test_a_noisy_vessel_is_measured_without_large_bias():
    x = samples()
    widths = [fwhm(np.exp(-(x**2) / 8) + 0.03 * noise(seed), 0.25) for seed in range(60)]
    assert np.mean(widths) == pytest.approx(GAUSSIAN * 2, rel=0.05)


def vessel_image(angle, row, col, sigma=2.0, size=64):
    """A dark Gaussian vessel through (row, col) whose tangent is (cos angle, sin angle), optical density."""
    y, x = np.mgrid[:size, :size].astype(float)
    across = -(y - row) * math.sin(angle) + (x - col) * math.cos(angle)
    return (-0.6 * np.exp(-(across**2) / (2 * sigma**2)) - 0.1).astype(np.float32)


@settings(max_examples=40, deadline=None)
@given(
    angle=st.floats(0, 2 * math.pi),
    row=st.floats(30, 33),
    col=st.floats(30, 33),
    sigma=st.floats(1.0, 3.0),
    length=st.floats(0.1, 10),
)
def test_vessel_width_does_not_depend_on_direction_and_place(angle, row, col, sigma, length):
    tangent = (length * math.cos(angle), length * math.sin(angle))
    image = vessel_image(angle, row, col, sigma)
    assert vessel_width(image, (row, col), tangent) == pytest.approx(
        GAUSSIAN * sigma, abs=0.05 if sigma < 1.5 else 0.005
    )


def test_a_point_off_the_axis_gives_the_same_width():
    image = vessel_image(0.3, 32, 32)
    off = (32 - 3 * math.sin(0.3), 32 + 3 * math.cos(0.3))
    tangent = (math.cos(0.3), math.sin(0.3))
    assert vessel_width(image, off, tangent) == pytest.approx(vessel_width(image, (32, 32), tangent), rel=2e-3)


def test_only_a_dark_vessel_near_the_point_inside_the_image_counts():
    image = vessel_image(0, 32, 32)
    assert math.isnan(vessel_width(-image, (32, 32), (1, 0)))
    assert math.isnan(vessel_width(image, (32, 20), (1, 0), length=30))
    assert math.isnan(vessel_width(image, (32, 5), (1, 0)))
    assert math.isnan(vessel_width(image, (500, -300), (1, 0)))


def test_profiles_are_read_across_in_order():
    image = np.add.outer(10.0 * np.arange(50), np.arange(60.0))
    across_rows = profile_across(image, (25, 30), (2, 0), length=8, step=1, averaging=4)
    np.testing.assert_allclose(across_rows, 280 + 10 * np.arange(-4, 5), atol=1e-2)
    across_cols = profile_across(image, (25, 30), (0, 1), length=8, step=2, averaging=0)
    np.testing.assert_allclose(across_cols, 280 + 2 * np.arange(-2, 3), atol=1e-2)


def test_averaging_takes_noise_away():
    image = np.random.default_rng(0).normal(size=(80, 80))
    one = profile_across(image, (40, 40), (0, 1), step=1, averaging=0).std()
    nine = profile_across(image, (40, 40), (0, 1), step=1, averaging=8).std()
    assert nine == pytest.approx(one / 3, rel=0.4)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda i: fwhm([1, 2, 3]), "at least 8 samples"),
        (lambda i: fwhm(np.zeros((9, 9))), "in one row"),
        (lambda i: fwhm(np.zeros(9), 0), "spacing"),
        (lambda i: vessel_width(i, (5, 5), (0, 0)), "direction"),
        (lambda i: vessel_width(i, (5, 5), (1, 0, 0)), "direction"),
        (lambda i: vessel_width(i[0], (5, 5), (1, 0)), "image of shape"),
        (lambda i: vessel_width(i, (5, math.nan), (1, 0)), "finite point"),
        (lambda i: profile_across(i, (5, 5), (1, 0), length=1, step=2), "step < length"),
    ],
)
def test_unusable_arguments_are_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call(np.zeros((20, 20)))
