"""Focal spots against numeric transforms, IEC 60336 and each other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from DSADeblurLib.physics.focal_spot import (
    SHAPES,
    FocalSpot,
    focal_spot_from_iec,
    iec_60336_limits,
    random_focal_spot,
)


def spots(smallest_mm, finest_line):
    size = st.floats(smallest_mm, 2.0)
    return st.builds(
        FocalSpot,
        width_mm=size,
        length_mm=size,
        shape=st.sampled_from(SHAPES),
        rotation_deg=st.floats(-180, 180),
        line_fraction=st.floats(finest_line, 0.5),
        slope_fraction=st.floats(0, 1),
    )


SPOTS = spots(0.1, 0.05)


def transform(kernel, spacing, fu, fv):
    """Direct Fourier transform of a centred kernel at frequencies (fu, fv); spacing is (row, col)."""
    rows, cols = ((np.arange(n) - n // 2) * d for n, d in zip(kernel.shape, spacing, strict=True))
    phase_rows = np.exp(-2j * np.pi * np.outer(fv, rows))
    phase_cols = np.exp(-2j * np.pi * np.outer(fu, cols))
    return np.einsum("kr,rc,kc->k", phase_rows, kernel.astype(float), phase_cols)


@settings(max_examples=25, deadline=None)
@given(spots(0.3, 0.2), st.integers(0, 2**32 - 1))
def test_kernel_transforms_to_the_analytic_otf(spot, seed):
    # Structures of 8 pixels and more, so that the kernel's aliasing is small against the tolerance.
    magnification, spacing = 2.5, (0.011, 0.013)
    kernel = spot.psf(magnification, spacing)
    rng = np.random.default_rng(seed)
    fu, fv = rng.uniform(-1.5, 1.5, (2, 12))
    pixel = np.sinc(fu * spacing[1]) * np.sinc(fv * spacing[0])
    expected = spot.otf(fu * (magnification - 1), fv * (magnification - 1)) * pixel
    # A Gaussian's kernel is cut at 3.5 sigma, which takes 0.05 % of each axis.
    tolerance = 3e-3
    np.testing.assert_allclose(transform(kernel, spacing, fu, fv), expected, atol=tolerance)


@settings(max_examples=40, deadline=None)
@given(SPOTS, st.floats(1.0, 2.5), st.floats(0.05, 0.4), st.floats(0.05, 0.4))
def test_kernel_is_odd_symmetric_and_sums_to_one(spot, magnification, row_mm, col_mm):
    kernel = spot.psf(magnification, (row_mm, col_mm))
    assert kernel.dtype == np.float32 and kernel.shape[0] % 2 == 1 and kernel.shape[1] % 2 == 1
    assert kernel.min() >= 0
    assert kernel.sum(dtype=float) == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(kernel, kernel[::-1, ::-1], atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(SPOTS, st.floats(-5, 5), st.floats(-5, 5))
def test_otf_is_one_at_zero_bounded_and_the_mean_over_source_points(spot, fu, fv):
    assert spot.otf(0, 0) == 1
    assert spot.mtf(fu, fv) <= 1 + 1e-12
    points = spot.source_points(302, 301)
    numeric = np.cos(2 * np.pi * (points @ np.array([fu, fv]))).mean()
    assert spot.otf(fu, fv) == pytest.approx(numeric, abs=1e-2)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_quarter_turn_swaps_the_axes(shape):
    upright, turned = FocalSpot(0.6, 1.1, shape), FocalSpot(0.6, 1.1, shape, rotation_deg=90)
    fu, fv = np.linspace(-3, 3, 31)[None, :], np.linspace(-3, 3, 29)[:, None]
    np.testing.assert_allclose(turned.otf(fu, fv), upright.otf(fv, fu), atol=1e-12)
    np.testing.assert_array_equal(turned.psf(1.4, 0.1), upright.psf(1.4, 0.1).T)
    assert not np.allclose(upright.psf(1.4, 0.02).shape, upright.psf(1.4, 0.02).shape[::-1])
    almost = FocalSpot(0.6, 1.1, shape, rotation_deg=90 - 1e-6)  # the general path meets the exact one
    np.testing.assert_allclose(almost.psf(1.4, 0.1), turned.psf(1.4, 0.1), atol=3e-3)


def test_positive_rotation_turns_columns_towards_rows():
    line = FocalSpot(2.0, 0.05, "rectangle", rotation_deg=30)
    points = line.source_points(101, 1)
    end = points[np.argmax(points[:, 0])]
    assert end[0] > 0.8 and end[1] == pytest.approx(end[0] * np.tan(np.radians(30)))
    kernel = line.psf(1.5, 0.05)
    rows, cols = np.indices(kernel.shape) - np.array(kernel.shape)[:, None, None] // 2
    assert (kernel * rows * cols).sum() > 0  # intensity lies where x and y have the same sign


def test_rectangle_has_its_first_zero_at_the_inverse_blur():
    spot, magnification = FocalSpot(0.6, 1.0), 1.5
    zero = 1 / (0.6 * (magnification - 1))
    scaled = np.linspace(0, zero * 1.05, 2001) * (magnification - 1)
    response = spot.otf(scaled, 0)
    crossing = np.interp(0, -response, scaled) / (magnification - 1)
    assert crossing == pytest.approx(zero, rel=1e-4)


@pytest.mark.parametrize("shape", ["gaussian", "trapezoid"])
def test_width_is_the_full_width_at_half_maximum(shape):
    kernel = FocalSpot(0.8, 1.2, shape).psf(2.0, 0.004).sum(axis=0)
    above = np.flatnonzero(kernel >= kernel.max() / 2).size * 0.004
    assert above == pytest.approx(0.8, abs=0.01)


def test_two_lines_have_their_stated_geometry():
    profile = FocalSpot(0.9, 0.9, "two-line", line_fraction=1 / 3).psf(2.0, 0.01).sum(axis=0)
    x = (np.arange(profile.size) - profile.size // 2) * 0.01
    assert profile[np.abs(x) < 0.14].max() == 0
    assert profile[(np.abs(x) > 0.16) & (np.abs(x) < 0.44)].min() == pytest.approx(0.01 / 0.6, rel=1e-4)
    assert profile[np.abs(x) > 0.46].sum() == 0


@pytest.mark.parametrize("shape", SHAPES)
def test_iec_width_is_met_at_fifteen_per_cent(shape):
    profile = focal_spot_from_iec(0.9, 1.3, shape).psf(2.0, 0.004).sum(axis=0)
    lit = np.flatnonzero(profile >= 0.15 * profile.max())
    assert (lit[-1] - lit[0] + 1) * 0.004 == pytest.approx(0.9, abs=0.012)


@pytest.mark.parametrize(
    "nominal, width, length",
    [
        (0.6, (0.6, 0.9), (0.9, 1.3)),
        (1.0, (1.0, 1.4), (1.4, 2.0)),
    ],
)
def test_limits_are_published_ones_to_their_rounding(nominal, width, length):
    found = iec_60336_limits(nominal)
    np.testing.assert_allclose(found[0], width, atol=0.051)
    np.testing.assert_allclose(found[1], length, atol=0.051)


@given(st.floats(0.1, 2.0), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_random_spots_lie_within_the_limits(nominal, seed):
    spot = random_focal_spot(np.random.default_rng(seed), nominal)
    widest = focal_spot_from_iec(1.0, 1.0, spot.shape)  # per mm at 15 %
    for size, per_mm, (low, high) in zip(
        (spot.width_mm, spot.length_mm), (widest.width_mm, widest.length_mm), iec_60336_limits(nominal), strict=True
    ):
        assert low - 1e-9 <= size / per_mm <= high + 1e-9
    assert 0 <= spot.rotation_deg < 180


def test_width_tolerance_changes_at_its_stated_values():
    ratios = [iec_60336_limits(nominal)[0][1] / nominal for nominal in (0.1, 0.79, 0.8, 1.5, 1.51, 3.0)]
    np.testing.assert_allclose(ratios, (1.5, 1.5, 1.4, 1.4, 1.3, 1.3))
    assert iec_60336_limits(0.29)[1] == iec_60336_limits(0.29)[0]


def test_random_spots_use_every_shape_and_repeat_with_the_seed():
    spots = [random_focal_spot(np.random.default_rng(seed), 0.6) for seed in range(60)]
    assert {spot.shape for spot in spots} == set(SHAPES)
    assert spots == [random_focal_spot(np.random.default_rng(seed), 0.6) for seed in range(60)]
    assert len({spot.width_mm for spot in spots}) > 50


@pytest.mark.parametrize(
    "arguments, word",
    [
        ((0, 1), "width"),
        ((1, float("nan")), "length"),
        ((1, 1, "disc"), "shape"),
        ((1, 1, "rectangle", float("inf")), "rotation"),
        ((1, 1, "two-line", 0, 0.7), "line fraction"),
        ((1, 1, "trapezoid", 0, 0.3, 1.2), "slope fraction"),
    ],
)
def test_impossible_spots_are_refused(arguments, word):
    with pytest.raises(ValueError, match=word):
        FocalSpot(*arguments)


def test_impossible_geometry_is_refused():
    with pytest.raises(ValueError, match="magnification"):
        FocalSpot(1, 1).psf(0.9, 0.1)
    with pytest.raises(ValueError, match="spacing"):
        FocalSpot(1, 1).psf(1.5, (0.1, 0))
    with pytest.raises(ValueError, match="0.1 to 3.0"):
        iec_60336_limits(0.05)


@given(SPOTS)
def test_equivalent_widths_are_the_curvature_of_the_otf(spot):
    # Near zero frequency every OTF falls as 1 - 2 (pi f sigma)^2, a rectangle's with sigma = width / sqrt(12).
    f = 1e-3
    falls = np.array([1 - spot.otf(f, 0.0), 1 - spot.otf(0.0, f)])
    np.testing.assert_allclose(np.sqrt(12 * falls / 2) / (np.pi * f), spot.equivalent_widths_mm(), rtol=1e-3)


@pytest.mark.parametrize("shape", SHAPES)
def test_iec_widths_are_those_that_a_spot_was_made_with(shape):
    spot = focal_spot_from_iec(0.9, 1.3, shape, 20.0)
    np.testing.assert_allclose(spot.iec_widths_mm(), (0.9, 1.3))
    np.testing.assert_allclose(spot.scaled(2.0).iec_widths_mm(), (1.8, 2.6))


def test_single_precision_in_single_precision_out():
    f = np.linspace(-3, 3, 50)
    spot = FocalSpot(0.6, 1.1, "two-line", 30.0)
    single = spot.otf(f.astype(np.float32), f[::-1].astype(np.float32))
    assert single.dtype == np.float32 and spot.otf(f, f).dtype == np.float64
    np.testing.assert_allclose(single, spot.otf(f, f[::-1]), atol=2e-6)
