"""Blur operators: linearity, constants, mean, composition and analytic sine response."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from DSADeblurLib.physics.blur import PADDINGS, Blur, apply_each, detector_blur, focal_spot_blur
from DSADeblurLib.physics.compound_spot import unequal_spots
from DSADeblurLib.physics.detector import Detector
from DSADeblurLib.physics.focal_spot import SHAPES, FocalSpot

SPOT = FocalSpot(0.6, 1.0, "trapezoid", rotation_deg=25)
UNEQUAL = unequal_spots(0.7, 0.7, 0.4, 25.0)
FRAMES = st.tuples(st.integers(1, 70), st.integers(1, 70))
KINDS = ("spot", "unequal", "detector", "both")
SEEDS = st.integers(0, 2**32 - 1)


def random_frames(seed, shape, count=2):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape).astype(np.float32) for _ in range(count)]


@settings(max_examples=20, deadline=None)
@given(FRAMES, SEEDS, st.floats(-3, 3), st.sampled_from(PADDINGS))
def test_linear(shape, seed, factor, padding):
    blur = focal_spot_blur(SPOT, 1.6, shape, 0.15, padding)
    x, y = random_frames(seed, shape)
    together = blur.apply(np.float32(factor) * x + y)
    np.testing.assert_allclose(together, np.float32(factor) * blur.apply(x) + blur.apply(y), atol=2e-5)


@settings(max_examples=20, deadline=None)
@given(FRAMES, st.floats(-1e5, 1e5, width=32), st.sampled_from(PADDINGS))
def test_constant_frames_come_back_exactly(shape, level, padding):
    frame = np.full(shape, level, dtype=np.float32)
    blur = detector_blur(Detector(), shape, padding) @ focal_spot_blur(SPOT, 1.7, shape, 0.154, padding)
    np.testing.assert_array_equal(blur.apply(frame), frame)


def test_only_blurs_of_one_padded_shape_share_a_transform():
    frame = random_frames(3, (40, 50), 1)[0]
    blurs = [focal_spot_blur(spot, 1.6, frame.shape, 0.15, reach_mm=(2.0, 2.0)) for spot in (SPOT, UNEQUAL)]
    for blur, image in zip(blurs, apply_each(blurs, frame), strict=True):
        np.testing.assert_allclose(image, blur.apply(frame), atol=1e-6)
    with pytest.raises(ValueError, match="one padded shape"):
        apply_each([blurs[0], focal_spot_blur(SPOT, 1.6, frame.shape, 0.15, reach_mm=(9.0, 9.0))], frame)


@pytest.mark.parametrize("shape", SHAPES)
def test_mean_is_kept_by_mirrored_borders(shape):
    frame = random_frames(1, (60, 83), 1)[0] + 5
    blur = focal_spot_blur(FocalSpot(0.7, 1.2, shape), 1.8, frame.shape, 0.1)
    mean = frame.mean(dtype=float)
    assert blur.apply(frame).mean(dtype=float) == pytest.approx(mean, abs=5e-6)
    held = focal_spot_blur(FocalSpot(0.7, 1.2, shape), 1.8, frame.shape, 0.1, "edge")
    assert abs(held.apply(frame).mean(dtype=float) - mean) > 1e-4  # held borders do not


@pytest.mark.parametrize("spot", [FocalSpot(0.6, 1.1, "two-line", 20), FocalSpot(0.9, 0.6, "gaussian")])
def test_sine_waves_are_scaled_by_the_analytic_otf(spot):
    size, spacing, magnification = 256, (0.2, 0.1), 1.7
    rows, cols = np.indices((size, size))
    blur = focal_spot_blur(spot, magnification, (size, size), spacing)
    for cycles_v, cycles_u in ((3, 5), (20, 12), (0, 40)):
        fu, fv = cycles_u / (size * spacing[1]), cycles_v / (size * spacing[0])
        wave = np.cos(2 * np.pi * (cycles_v * rows + cycles_u * cols) / size)
        blurred = blur.apply(wave)
        gain = spot.otf(fu * (magnification - 1), fv * (magnification - 1))
        centre = np.s_[80:176, 80:176]
        np.testing.assert_allclose(blurred[centre], (gain * wave)[centre], atol=4e-3)


def test_point_becomes_the_discrete_kernel():
    # Blur of an area-sampled point against the area-sampled kernel: same transform times the pixel's own sinc.
    frame = np.zeros((101, 101), np.float32)
    frame[50, 50] = 1
    spot = FocalSpot(0.8, 1.2, "gaussian", 35)
    blurred = focal_spot_blur(spot, 2.0, frame.shape, 0.05).apply(frame)
    kernel = spot.psf(2.0, 0.05)
    half = kernel.shape[0] // 2, kernel.shape[1] // 2
    window = blurred[50 - half[0] : 51 + half[0], 50 - half[1] : 51 + half[1]]
    np.testing.assert_allclose(window, kernel, atol=0.04 * kernel.max())


@pytest.mark.parametrize("padding, mode", [("symmetric", "reflect"), ("edge", "nearest")])
def test_borders_are_continued_as_said(padding, mode):
    frame = ndimage.gaussian_filter(random_frames(3, (64, 64), 1)[0], 2, mode="reflect") * 10
    sigma_px = 3.0
    fwhm = sigma_px * 2 * np.sqrt(2 * np.log(2)) * 0.1
    blurred = focal_spot_blur(FocalSpot(fwhm, fwhm, "gaussian"), 2.0, frame.shape, 0.1, padding).apply(frame)
    np.testing.assert_allclose(blurred, ndimage.gaussian_filter(frame, sigma_px, mode=mode, truncate=5), atol=5e-3)


def test_composition_is_one_after_the_other_and_commutes():
    shape = (200, 180)
    frame = np.zeros(shape, np.float32)
    frame[60:140, 60:120] = random_frames(5, (80, 60), 1)[0]
    spot = focal_spot_blur(SPOT, 1.5, shape, 0.154)
    panel = detector_blur(Detector(glare_fraction=0.0), shape)
    both = panel @ spot
    np.testing.assert_allclose(both.apply(frame), panel.apply(spot.apply(frame)), atol=1e-4)
    np.testing.assert_allclose(both.apply(frame), (spot @ panel).apply(frame), atol=1e-6)
    assert np.abs(both.apply(frame) - spot.apply(frame)).max() > 0.05


def test_no_magnification_is_no_blur():
    frame = random_frames(7, (33, 47), 1)[0]
    np.testing.assert_allclose(focal_spot_blur(SPOT, 1.0, frame.shape, 0.15).apply(frame), frame, atol=1e-6)


def test_frames_are_float32_and_unharmed():
    frame = random_frames(8, (40, 50), 1)[0]
    kept = frame.copy()
    blur = focal_spot_blur(SPOT, 1.5, frame.shape, 0.15)
    assert blur.apply(frame).dtype == np.float32
    assert blur.apply(frame.astype(float)).dtype == np.float32 and blur.otf.dtype == np.float32
    np.testing.assert_array_equal(frame, kept)
    assert blur.otf is blur.otf


def test_same_arguments_give_the_same_operator():
    assert focal_spot_blur(SPOT, 1.5, (40, 50), 0.15) is focal_spot_blur(SPOT, 1.5, (40, 50), (0.15, 0.15))
    assert detector_blur(Detector(), (40, 50)) is detector_blur(Detector(), [40, 50])


def test_misuse_is_refused():
    blur = focal_spot_blur(SPOT, 1.5, (40, 50), 0.15)
    with pytest.raises(ValueError, match="made for frames"):
        blur.apply(np.zeros((50, 40)))
    with pytest.raises(ValueError, match="cannot be combined"):
        blur @ focal_spot_blur(SPOT, 1.5, (40, 51), 0.15)
    with pytest.raises(ValueError, match="magnification"):
        focal_spot_blur(SPOT, 0.5, (40, 50), 0.15)
    with pytest.raises(ValueError, match="padding"):
        Blur(lambda fu, fv: 1.0, (4, 4), 0.1, (0, 0), "wrap")
    with pytest.raises(TypeError):
        blur @ 3
