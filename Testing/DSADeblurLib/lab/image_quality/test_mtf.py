"""The slanted edge gives the MTF of analytic blurs, in either direction, at any angle and polarity."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import erf

from DSADeblurLib.lab.image_quality.mtf import Mtf, edge_mtf


def edge(sigma, degrees, size=128, step=0.3, offset=-0.2):
    """A blurred step whose pixels are point samples, so that its MTF is the Gaussian's alone."""
    y, x = np.indices((size, size)) - (size - 1) / 2
    angle = math.radians(degrees)
    distance = x * math.cos(angle) - y * math.sin(angle)
    return offset + step * 0.5 * (1 + erf(distance / (math.sqrt(2) * sigma)))


@settings(max_examples=15)
@given(
    sigma=st.floats(0.6, 3.5),
    degrees=st.floats(2, 10),
    step=st.sampled_from((-0.5, 0.2, 1000.0)),
    transposed=st.booleans(),
)
def test_gaussian(sigma, degrees, step, transposed):
    image = edge(sigma, degrees, step=step)
    found = edge_mtf(image.T if transposed else image)
    expected = np.exp(-2 * (math.pi * sigma * found.frequency) ** 2)
    np.testing.assert_allclose(found.modulation, expected, atol=0.03)
    assert found.frequency_at(0.5) == pytest.approx(math.sqrt(math.log(2) / 2) / (math.pi * sigma), rel=0.03)
    assert found.frequency_at(0.1) == pytest.approx(math.sqrt(math.log(10) / 2) / (math.pi * sigma), rel=0.04)


def test_square_pixels_add_their_sinc():
    """Pixels that average over their area are part of the presampled MTF."""
    fine = edge(0.05 * 8, 4, size=1024)
    found = edge_mtf(fine.reshape(128, 8, 128, 8).mean(axis=(1, 3)))
    low = found.frequency < 0.8
    np.testing.assert_allclose(found.modulation[low], np.abs(np.sinc(found.frequency[low])), atol=0.03)


def test_a_level_that_is_never_reached_is_nan():
    mtf = Mtf(np.linspace(0, 1, 5), np.array([1, 0.9, 0.8, 0.7, 0.6]))
    assert math.isnan(mtf.frequency_at(0.5)) and mtf.frequency_at(0.75) == pytest.approx(0.625)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((128, 128)), "no edge"),
        (np.zeros((128, 40)), "at least 64 pixels"),
        (np.full((128, 128), np.nan), "finite"),
        (edge(1, 0), "slanted"),
        (edge(1, 30), "slanted"),
    ],
)
def test_what_has_no_slanted_edge_is_refused(image, words):
    with pytest.raises(ValueError, match=words):
        edge_mtf(image)
