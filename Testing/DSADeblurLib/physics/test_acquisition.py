"""Slabs to frames: explicit sampling of the source, motion, dose, digital numbers and subtraction."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from DSADeblurLib.physics.acquisition import (
    Slab,
    acquire,
    expected_intensities,
    expected_intensity,
    expose,
    log_intensity,
    optical_density,
    shift_frame,
)
from DSADeblurLib.physics.blur import detector_blur, focal_spot_blur
from DSADeblurLib.physics.detector import Detector
from DSADeblurLib.physics.focal_spot import SHAPES, FocalSpot

pytestmark = pytest.mark.slow

SPACING = 0.15
SIZE = 128


def vessel(angle_deg, radius_px, depth, offset=0.0):
    """Line integral of a straight cylinder with soft walls through the middle of the frame."""
    rows, cols = np.indices((SIZE, SIZE)) - (SIZE - 1) / 2
    angle = np.radians(angle_deg)
    distance = rows * np.cos(angle) - cols * np.sin(angle) - offset
    chord = np.sqrt(np.maximum(0, 1 - (distance / radius_px) ** 2))
    return ndimage.gaussian_filter(depth * chord, 0.7).astype(np.float32)


def sampled_intensity(slabs, spot, n_width=18, n_length=17):
    """Exact image of thin slabs: mean over source points of the product of shifted transmissions."""
    coefficients = [(ndimage.spline_filter(np.exp(-line.astype(float)), mode="nearest"), m) for line, m in slabs]
    total = np.zeros((SIZE, SIZE))
    points = spot.source_points(n_width, n_length)
    for x, y in points:
        product = 1.0
        for transmission, magnification in coefficients:
            # A source moved by +x moves the shadow by -(M - 1) x at the detector.
            shift = -(magnification - 1) * np.array([y, x]) / SPACING
            product = product * ndimage.shift(transmission, shift, mode="nearest", prefilter=False)
        total += product
    return total / len(points)


CENTRE = np.s_[16:-16, 16:-16]


@pytest.mark.parametrize("shape", SHAPES)
def test_one_slab_is_exactly_the_mean_over_source_points(shape):
    spot = FocalSpot(0.7, 1.1, shape, rotation_deg=20)
    slabs = [(vessel(35, 6, 0.8), 1.5)]
    image = expected_intensity(slabs, spot, SPACING)
    # 18 by 17 points stand for a Gaussian a little too narrow; for the other shapes the two agree to 0.002.
    np.testing.assert_allclose(image[CENTRE], sampled_intensity(slabs, spot)[CENTRE], atol=3e-3)


@pytest.mark.parametrize("angles", [(20, 110), (30, 45)])
def test_product_of_blurred_slabs_is_close_to_source_sampling(angles):
    # Crossing vessels of OD 0.5 and 0.7 at two depths. The stated error, covariance of the transmissions over the
    # spot, stays below 0.01 of the open intensity, also for nearly parallel ones; the blur itself changes far more.
    spot = FocalSpot(0.7, 1.0)
    slabs = [(vessel(angles[0], 5, 0.5), 1.25), (vessel(angles[1], 4, 0.7), 1.6)]
    exact = sampled_intensity(slabs, spot)
    image = expected_intensity(slabs, spot, SPACING)
    error = np.abs(image - exact)[CENTRE]
    sharp = np.exp(-sum(line for line, _ in slabs))
    assert error.max() < 0.01
    assert np.abs(sharp - exact)[CENTRE].max() > 6 * error.max()


def test_where_slabs_do_not_overlap_the_product_is_exact():
    spot = FocalSpot(0.6, 0.9)
    slabs = [(vessel(0, 4, 0.6, offset=-25), 1.2), (vessel(0, 4, 0.6, offset=25), 1.6)]
    image = expected_intensity(slabs, spot, SPACING)
    np.testing.assert_allclose(image[CENTRE], sampled_intensity(slabs, spot)[CENTRE], atol=2e-3)


def test_slabs_at_one_depth_add_their_line_integrals():
    spot, first, second = FocalSpot(0.6, 0.9), vessel(10, 4, 0.9), vessel(80, 3, 1.2)
    together = expected_intensity([(first + second, 1.4)], spot, SPACING)
    np.testing.assert_array_equal(expected_intensity([(first, 1.4), (second, 1.4)], spot, SPACING), together)


def test_intensity_is_blurred_not_attenuation():
    spot, line = FocalSpot(1.0, 1.0), vessel(0, 3, 3.0)
    image = expected_intensity([(line, 1.5)], spot, SPACING)
    blur = focal_spot_blur(spot, 1.5, line.shape, SPACING)
    np.testing.assert_allclose(image, blur.apply(np.exp(-line)), atol=5e-4)
    assert np.abs(np.log(image) + blur.apply(line)).max() > 0.1


def test_the_detector_blurs_the_product():
    spot, slabs = FocalSpot(0.6, 0.6), [(vessel(0, 3, 1.0), 1.2), (vessel(90, 3, 1.0), 1.5)]
    detector = Detector(SPACING)
    fallen = expected_intensity(slabs, spot, SPACING)
    seen = expected_intensity(slabs, spot, SPACING, detector)
    np.testing.assert_allclose(seen, detector_blur(detector, fallen.shape).apply(fallen), atol=1e-5)


def test_hard_metal_edges_stay_within_transmission():
    line = np.zeros((64, 64), np.float32)
    line[20:40, 20:40] = 8.0
    image = expected_intensity([(line, 1.05)], FocalSpot(0.3, 0.3), SPACING, Detector(SPACING))
    assert image.min() >= np.exp(-8.0) * 0.999 and image.max() <= 1


@settings(max_examples=15, deadline=None)
@given(st.floats(-3, 3), st.floats(-3, 3))
def test_motion_moves_the_slab_by_fractions_of_a_pixel(down, right):
    line = vessel(25, 6, 1.0) * np.exp(-(((np.indices((SIZE, SIZE)) - SIZE / 2) / 20.0) ** 2).sum(axis=0))
    line = line.astype(np.float32)
    moved = shift_frame(line, (down, right))
    rows, cols = np.indices(line.shape)
    centre_before = np.array([(rows * line).sum(), (cols * line).sum()]) / line.sum()
    centre_after = np.array([(rows * moved).sum(), (cols * moved).sum()]) / moved.sum()
    np.testing.assert_allclose(centre_after - centre_before, (down, right), atol=0.02)
    assert moved.min() >= line.min() and moved.max() <= line.max()
    still = expected_intensity([(moved, 1.3)], FocalSpot(0.5, 0.5), SPACING)
    slab = Slab(line, 1.3, (down, right))
    np.testing.assert_array_equal(expected_intensity([slab], FocalSpot(0.5, 0.5), SPACING), still)


def test_rotation_turns_about_the_middle_and_back():
    line = vessel(25, 6, 1.0)
    turned = shift_frame(line, (0.0, 0.0), 30.0)
    inside = np.s_[32:-32, 32:-32]
    # `vessel` counts angles the other way round.
    np.testing.assert_allclose(turned[inside], vessel(-5, 6, 1.0)[inside], atol=0.08)
    both = shift_frame(line, (1.5, -2.0), 1.0)
    apart = shift_frame(shift_frame(line, (0.0, 0.0), 1.0), (1.5, -2.0))
    # Two interpolations soften the vessel's wall a little more than one.
    np.testing.assert_allclose(both[inside], apart[inside], atol=0.02)


def test_several_spots_at_once_are_the_same_as_one_by_one():
    slabs = [(vessel(0, 4, 1.0), 1.2), (vessel(70, 3, 1.0), 1.6)]
    spots = [FocalSpot(0.3, 0.3), FocalSpot(1.0, 1.4, "gaussian", 20.0)]
    for spot, image in zip(spots, expected_intensities(slabs, spots, SPACING), strict=True):
        alone = expected_intensity(slabs, spot, SPACING)
        np.testing.assert_allclose(image[CENTRE], alone[CENTRE], atol=1e-4)
        # At the border what the sharp spot's sinc-like kernel sees depends on how far the frame is continued.
        np.testing.assert_allclose(image, alone, atol=5e-3)


def test_frames_have_the_dose_and_the_expected_image():
    detector, spot, slabs = Detector(SPACING), FocalSpot(0.6, 0.8), [(vessel(0, 5, 1.0), 1.4)]
    rng = np.random.default_rng(5)
    expected = expected_intensity(slabs, spot, SPACING, detector)
    frames = np.stack([acquire(slabs, spot, detector, 3000.0, rng) for _ in range(16)])
    assert frames.dtype == np.float32
    residual = frames.mean(axis=0, dtype=float) - 3000 * expected
    assert np.abs(residual).max() < 6 * np.sqrt(3000 / 16)
    assert residual.mean() == pytest.approx(0, abs=5 * np.sqrt(3000 / 16 / residual.size))
    np.testing.assert_array_equal(
        acquire(slabs, spot, detector, 3000.0, np.random.default_rng(6), digital=True),
        detector.quantise(acquire(slabs, spot, detector, 3000.0, np.random.default_rng(6))),
    )


def test_subtraction_leaves_the_vessel_and_averaging_quiets_the_mask():
    detector, spot = Detector(SPACING, glare_fraction=0.0), FocalSpot(0.3, 0.3)
    bone, iodine = vessel(60, 20, 1.0), vessel(0, 8, 0.5)
    intensities = [expected_intensity(slabs, spot, SPACING) for slabs in ([(bone, 1.3)], [(bone, 1.3), (iodine, 1.3)])]
    clean_mask, clean_contrast = (detector_blur(detector, i.shape).apply(i) for i in intensities)
    truth = optical_density(clean_contrast, clean_mask)
    assert truth[SIZE // 2, SIZE // 2] == pytest.approx(-0.5, abs=0.03)
    assert np.abs(truth[:40]).max() < 0.01  # bone is gone

    rng = np.random.default_rng(8)
    masks = np.stack([expose(intensities[0], detector, 8000.0, rng) for _ in range(4)])
    contrast = expose(intensities[1], detector, 8000.0, rng)
    single, averaged = ((optical_density(contrast, m) - truth).var(dtype=float) for m in (masks[0], masks))
    # Away from the vessel both frames have the same variance s: 2 s against s + s / 4.
    assert averaged / single == pytest.approx(1.25 / 2, rel=0.12)
    twice = [optical_density(np.stack([contrast, contrast]), masks)[k] for k in range(2)]
    np.testing.assert_array_equal(twice[0], twice[1])


def test_integers_and_empty_pixels_stay_finite():
    mask = np.full((8, 8), 400, np.uint16)
    contrast = mask.copy()
    contrast[0, 0] = 0
    density = optical_density(contrast, mask)
    assert density.dtype == np.float32
    assert density[0, 0] == pytest.approx(-np.log(400), rel=1e-5) and np.all(density.ravel()[1:] == 0)
    assert np.isfinite(optical_density(np.array([[-3.0, 5.0]]), np.array([[4.0, -1.0]]))).all()
    with pytest.raises(ValueError, match="floor"):
        optical_density(np.zeros((4, 4)), np.zeros((4, 4)))


def test_log_intensity_keeps_the_precision_and_takes_empty_pixels_for_one():
    for dtype in (np.float32, np.float64):
        values = log_intensity(np.array([-3, 0, 1, 4095], dtype))
        assert values.dtype == dtype
        np.testing.assert_allclose(values, [0, 0, 0, np.log(4095)], rtol=1e-6)


def test_misuse_is_refused():
    spot = FocalSpot(1, 1)
    with pytest.raises(ValueError, match="At least one slab"):
        expected_intensity([], spot, SPACING)
    with pytest.raises(ValueError, match="one shape"):
        expected_intensity([(np.zeros((4, 4)), 1.2), (np.zeros((4, 5)), 1.3)], spot, SPACING)
    with pytest.raises(ValueError, match="dose"):
        expose(np.ones((4, 4)), Detector(), 0.0, np.random.default_rng(0))
