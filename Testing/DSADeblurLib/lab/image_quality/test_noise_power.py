"""The noise power spectrum keeps the variance and has the shape of the filter that made the noise."""

import numpy as np
import pytest
from scipy import ndimage

from DSADeblurLib.lab.image_quality.noise_power import noise_power


@pytest.fixture(scope="module")
def white():
    return np.random.default_rng(0).normal(scale=0.03, size=(8, 256, 256))


def test_white_noise_is_flat_and_keeps_its_variance(white):
    found = noise_power(white)
    assert found.variance == pytest.approx(white.var(), rel=0.01)
    assert (np.diff(found.frequency) > 0).all() and 0 < found.frequency[0] and found.frequency[-1] < 0.5
    np.testing.assert_allclose(found.power[1:], 0.03**2, rtol=0.06)


@pytest.mark.parametrize("sigma", [1.0, 1.5])
def test_filtered_noise_has_the_power_of_the_filter(white, sigma):
    filtered = ndimage.gaussian_filter(white, (0, sigma, sigma), mode="wrap")
    found = noise_power(filtered)
    assert found.variance == pytest.approx(filtered.var(), rel=0.05)
    expected = 0.03**2 * np.exp(-4 * (np.pi * sigma * found.frequency) ** 2)
    strong = expected > 0.1 * 0.03**2
    strong[0] = False
    np.testing.assert_allclose(found.power[strong], expected[strong], rtol=0.15)


def test_shading_and_offset_are_not_noise(white):
    y, x = np.indices(white.shape[1:]) / 256
    found = noise_power(white + 5 + 0.2 * x - 0.1 * y**2)
    np.testing.assert_allclose(found.power, noise_power(white).power, rtol=1e-6)
    np.testing.assert_allclose(noise_power(3 * white).power, 9 * found.power, rtol=1e-6)


@pytest.mark.parametrize("bad", [np.zeros((70, 70)), np.full((1, 64, 64), np.nan), np.zeros((1, 63, 64))])
def test_unusable_frames_are_refused(bad):
    with pytest.raises(ValueError, match="finite frames"):
        noise_power(bad)
