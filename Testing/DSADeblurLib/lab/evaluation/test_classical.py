"""The baselines sharpen, do not mind sign and offset, and do not ring at borders."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage import restoration

from DSADeblurLib.lab.evaluation.classical import richardson_lucy, total_variation, unsharp_mask, wiener

LINE = np.exp(-(np.arange(-7, 8) ** 2) / (2 * 1.5**2))
PSF = np.outer(LINE, LINE) / LINE.sum() ** 2


def vessels(rows=96, cols=110):
    """Optical density: dark vessels, one of them through the border, on a slope that the border cuts."""
    y, x = np.mgrid[:rows, :cols].astype(float)
    across = (y - 0.3 * x - 20) / 1.05
    od = -0.4 * np.sqrt(np.clip(1 - (across / 4) ** 2, 0, None))
    od -= 0.3 * np.sqrt(np.clip(1 - ((x - 70) / 3) ** 2, 0, None))
    return (od + 0.002 * x).astype(np.float32)


def blurred(frame, psf=PSF):
    return ndimage.convolve(frame, psf, mode="mirror")


METHODS = {
    "unsharp": lambda frame, psf=PSF: unsharp_mask(frame, psf, 0, 1.5, 0.8),
    "wiener": lambda frame, psf=PSF: wiener(frame, psf, 1e-3),
    "richardson_lucy": lambda frame, psf=PSF: richardson_lucy(frame, psf, 0, 20),
    "total_variation": lambda frame, psf=PSF: total_variation(frame, psf, 1e-4, 40),
}
every_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


@every_method
def test_error_shrinks_without_noise_and_borders_do_not_ring(method):
    """Where frame and slope meet the border the error is no larger than the blur's own."""
    truth = vessels()
    before, error = np.abs(blurred(truth) - truth), np.abs(method(blurred(truth)) - truth)
    assert np.mean(error**2) < 0.6 * np.mean(before**2)
    border = np.ones(truth.shape, bool)
    border[12:-12, 12:-12] = False
    assert error[border].max() <= 1.1 * before.max() and np.median(error[border]) < 5e-3


@every_method
@settings(max_examples=8, deadline=None)
@given(offset=st.floats(-5, 5), gain=st.floats(0.1, 100))
def test_offset_and_gain_pass_through(method, offset, gain):
    frame = blurred(vessels(48, 52))
    expected = offset + gain * method(frame)
    if method is METHODS["total_variation"]:  # its weight has the unit of the frame
        method = lambda scaled: total_variation(scaled, PSF, gain * 1e-4, 40)  # noqa: E731
    found = method((offset + gain * frame).astype(np.float32))
    np.testing.assert_allclose(found, expected, atol=2e-3 * gain + 1e-4)


@every_method
def test_a_constant_frame_stays(method):
    result = method(np.full((40, 43), -0.7, np.float32))
    np.testing.assert_allclose(result, -0.7, atol=1e-6)
    assert result.dtype == np.float32 and result.shape == (40, 43)


KNOWING = {
    "wiener": lambda f, k: wiener(f, k, 1e-6),
    "richardson_lucy": lambda f, k: richardson_lucy(f, k, 0, 40),
    "total_variation": lambda f, k: total_variation(f, k, 1e-6, 80),
}


@pytest.mark.parametrize("method", KNOWING.values(), ids=KNOWING)
def test_a_kernel_is_undone_in_its_own_direction_and_a_point_changes_nothing(method):
    point, lopsided = np.zeros((5, 3)), np.zeros((1, 5))
    point[2, 1] = 1
    lopsided[0, 2:] = 0.6, 0.3, 0.1
    truth = vessels()
    np.testing.assert_allclose(method(truth, point), truth, atol=1e-3)
    frame = blurred(truth, lopsided)
    assert np.mean((method(frame, lopsided) - truth) ** 2) < 0.1 * np.mean((frame - truth) ** 2)


def test_total_variation_without_blur_is_that_of_scikit_image():
    """With a point as kernel it is the denoising that skimage's Chambolle solves by another way."""
    frame = vessels(40, 44) + np.random.default_rng(0).normal(scale=0.05, size=(40, 44)).astype(np.float32)
    expected = restoration.denoise_tv_chambolle(frame, weight=0.03, eps=1e-9, max_num_iter=1500)
    found = total_variation(frame, np.ones((1, 1)), 0.03, iterations=800)
    # Chambolle's border is free, the other's is mirrored; inside they are one problem.
    np.testing.assert_allclose(found[6:-6, 6:-6], expected[6:-6, 6:-6], atol=4e-3)
