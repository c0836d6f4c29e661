"""The baselines sharpen, do not mind sign and offset, and do not ring at borders."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage import restoration

from DSADeblurLib.lab.evaluation.classical import richardson_lucy, total_variation, unsharp_mask, wiener


def gaussian_kernel(sigma=1.5, radius=7):
    line = np.exp(-(np.arange(-radius, radius + 1) ** 2) / (2 * sigma**2))
    kernel = np.outer(line, line)
    return kernel / kernel.sum()


PSF = gaussian_kernel()


def vessels(rows=96, cols=110):
    """Optical density: dark vessels, one of them through the border, on a slope that the border cuts."""
    y, x = np.mgrid[:rows, :cols].astype(float)
    across = (y - 0.3 * x - 20) / 1.05
    od = -0.4 * np.sqrt(np.clip(1 - (across / 4) ** 2, 0, None))
    od -= 0.3 * np.sqrt(np.clip(1 - ((x - 70) / 3) ** 2, 0, None))
    return (od + 0.002 * x).astype(np.float32)


def blurred(frame):
    return ndimage.convolve(frame, PSF, mode="mirror")


METHODS = {
    "unsharp": lambda frame: unsharp_mask(frame, 1.5, 0.8),
    "wiener": lambda frame: wiener(frame, PSF, 1e-3),
    "richardson_lucy": lambda frame: richardson_lucy(frame, PSF, 20),
    "total_variation": lambda frame: total_variation(frame, PSF, 1e-4, 40),
}
every_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


@every_method
def test_error_shrinks_without_noise(method):
    truth = vessels()
    before = np.mean((blurred(truth) - truth) ** 2)
    after = np.mean((method(blurred(truth)) - truth) ** 2)
    assert after < 0.6 * before


@every_method
def test_borders_do_not_ring(method):
    """Where frame and slope meet the border the error is no larger than the blur's own."""
    truth = vessels()
    border = np.ones(truth.shape, bool)
    border[12:-12, 12:-12] = False
    error = np.abs(method(blurred(truth)) - truth)
    assert error[border].max() <= 1.1 * np.abs(blurred(truth) - truth).max()
    assert np.median(error[border]) < 5e-3


@every_method
@settings(max_examples=8, deadline=None)
@given(offset=st.floats(-5, 5), gain=st.floats(0.1, 100))
def test_offset_and_gain_pass_through(method, offset, gain):
    frame = blurred(vessels(48, 52))
    expected = offset + gain * method(frame)
    if method is METHODS["total_variation"]:  # its weight has the unit of the frame
        method = lambda scaled: total_variation(scaled, PSF, gain * 1e-4, 40)  # noqa: E731
    np.testing.assert_allclose(method(offset + gain * frame), expected, atol=2e-3 * gain + 1e-4)


@every_method
def test_a_constant_frame_stays(method):
    np.testing.assert_allclose(method(np.full((40, 44), -0.7)), -0.7, atol=1e-6)


@every_method
def test_the_result_is_float32_of_the_same_shape(method):
    result = method(vessels(41, 38))
    assert result.dtype == np.float32 and result.shape == (41, 38)


@pytest.mark.parametrize(
    "method",
    [
        lambda f, k: wiener(f, k, 1e-6),
        lambda f, k: richardson_lucy(f, k, 5),
        lambda f, k: total_variation(f, k, 1e-6, 80),
    ],
)
def test_a_point_as_kernel_changes_nothing(method):
    point = np.zeros((5, 3))
    point[2, 1] = 1
    frame = vessels(40, 44)
    np.testing.assert_allclose(method(frame, point), frame, atol=1e-3)


@pytest.mark.parametrize(
    "method",
    [lambda f, k: wiener(f, k, 1e-4), lambda f, k: richardson_lucy(f, k, 40), lambda f, k: total_variation(f, k, 1e-5)],
)
def test_a_lopsided_kernel_is_undone_in_its_own_direction(method):
    kernel = np.zeros((1, 5))
    kernel[0, 2:] = 0.6, 0.3, 0.1
    truth = vessels()
    seen = ndimage.convolve(truth, kernel, mode="mirror")
    assert np.mean((method(seen, kernel) - truth) ** 2) < 0.1 * np.mean((seen - truth) ** 2)


def test_total_variation_without_blur_is_that_of_scikit_image():
    """With a point as kernel it is the denoising that skimage's Chambolle solves by another way."""
    frame = vessels(40, 44) + np.random.default_rng(0).normal(scale=0.05, size=(40, 44)).astype(np.float32)
    expected = restoration.denoise_tv_chambolle(frame, weight=0.03, eps=1e-9, max_num_iter=1500)
    found = total_variation(frame, np.ones((1, 1)), 0.03, iterations=800)
    # Chambolle's border is free, the other's is mirrored; inside they are one problem.
    np.testing.assert_allclose(found[6:-6, 6:-6], expected[6:-6, 6:-6], atol=4e-3)


def test_total_variation_takes_noise_away_and_keeps_the_edge():
    truth = np.where(np.arange(96) < 48, 0.0, 0.5) * np.ones((96, 1))
    noisy = blurred(truth) + np.random.default_rng(0).normal(scale=0.02, size=truth.shape)
    found = total_variation(noisy, PSF, 0.003, 80)
    assert np.abs(found[:, 60:] - 0.5).std() < 0.01
    edge = found[8:-8].mean(axis=0)
    assert edge[48] - edge[47] > 1.5 * (blurred(truth)[40, 48] - blurred(truth)[40, 47])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda f: unsharp_mask(f, 0), "Radius must be above 0"),
        (lambda f: wiener(f, PSF, -1), "Balance must be above 0"),
        (lambda f: wiener(f, np.ones((4, 4)) / 16), "two odd sides"),
        (lambda f: richardson_lucy(f, np.ones((3, 3))), "must sum to 1"),
        (lambda f: richardson_lucy(f, PSF, 0), "Iterations"),
        (lambda f: total_variation(f, PSF, 0), "Weight must be above 0"),
        (lambda f: total_variation(f, PSF, 0.01, 1.5), "Iterations"),
        (lambda f: unsharp_mask(f[0]), "shape"),
        (lambda f: wiener(f * np.nan, PSF), "not finite"),
    ],
)
def test_unusable_input_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call(vessels(32, 32))
