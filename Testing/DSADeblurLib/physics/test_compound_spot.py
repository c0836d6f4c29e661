"""Compound spots: the kernel and the transfer function agree, centred, of the width they say."""

import numpy as np
import pytest

from DSADeblurLib.physics.blur import focal_spot_blur
from DSADeblurLib.physics.compound_spot import CompoundSpot, ring_spot, unequal_spots
from DSADeblurLib.physics.focal_spot import FocalSpot

SPOTS = [ring_spot(1.0, 0.3), unequal_spots(0.9, 0.7, 0.5, 30.0), CompoundSpot(((2.0, 0.4, 0.1, FocalSpot(0.6, 0.9)),))]


def spread(kernel, spacing):
    rows, cols = (np.indices(kernel.shape).T - (np.array(kernel.shape) - 1) / 2).T * spacing
    mean = np.array([(kernel * cols).sum(), (kernel * rows).sum()]) / kernel.sum()
    return mean, np.sqrt([(kernel * cols**2).sum(), (kernel * rows**2).sum()] / kernel.sum())


@pytest.mark.parametrize("spot", SPOTS)
def test_kernel_is_centred_and_as_wide_as_said(spot):
    kernel = spot.psf(2.0, 0.02)
    assert kernel.sum() == pytest.approx(1, abs=1e-5)
    mean, sigma = spread(kernel.astype(float), 0.02)
    np.testing.assert_allclose(mean, 0, atol=2e-3)
    # The Gaussians of a ring end at nothing, those of a kernel at the last source point.
    np.testing.assert_allclose(np.sqrt(12) * sigma, spot.equivalent_widths_mm(), rtol=0.01)


@pytest.mark.parametrize("spot", SPOTS)
def test_a_point_blurred_by_the_transfer_function_is_the_kernel(spot):
    point = np.zeros((81, 81), np.float32)
    point[40, 40] = 1
    kernel = spot.psf(1.6, 0.05)
    image = focal_spot_blur(spot, 1.6, point.shape, 0.05).apply(point)
    half = np.array(kernel.shape) // 2
    inside = image[40 - half[0] : 41 + half[0], 40 - half[1] : 41 + half[1]]
    # The kernel is averaged over pixels, the point's image is not; compare what both leave after such an average.
    smooth = [np.cumsum(np.cumsum(np.asarray(k, float), 0), 1)[4::4, 4::4] for k in (inside, kernel)]
    np.testing.assert_allclose(smooth[0], smooth[1], atol=0.02)


@pytest.mark.parametrize("spot", SPOTS)
def test_scaling_scales_everything(spot):
    twice = spot.scaled(2.0)
    np.testing.assert_allclose(twice.equivalent_widths_mm(), 2 * np.array(spot.equivalent_widths_mm()))
    np.testing.assert_allclose(twice.half_extent_mm(), 2 * np.array(spot.half_extent_mm()))
    f = np.linspace(-2, 2, 9)
    np.testing.assert_allclose(twice.otf(f, 0.3), spot.otf(2 * f, 0.6), atol=1e-12)


def test_unequal_spots_are_not_symmetric_and_rings_are_hollow():
    kernel = unequal_spots(1.0, 0.75, 0.3).psf(2.0, 0.1)
    assert np.abs(kernel - kernel[::-1, ::-1]).max() > 0.3 * kernel.max()
    ring = ring_spot(1.0, 0.2).psf(2.0, 0.1)
    assert ring[ring.shape[0] // 2, ring.shape[1] // 2] < 0.05 * ring.max()


def test_misuse_is_refused():
    with pytest.raises(ValueError, match="weights above 0"):
        CompoundSpot(())
    with pytest.raises(ValueError, match="between 0 and 1"):
        unequal_spots(1.0, 1.0, 0.3)
