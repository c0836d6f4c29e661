"""Noise: mean, variance, spectrum and the change from Poisson to normal numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import fft, stats

from DSADeblurLib.physics.blur import detector_blur
from DSADeblurLib.physics.detector import Detector
from DSADeblurLib.physics.noise import POISSON_LIMIT, add_noise, draw_quanta

QUIET = Detector(0.15, glare_fraction=0.0, electronic_noise_quanta=0.0)


def nps(frames, spacing_mm):
    """Noise power spectrum of (n, rows, cols) frames in mm^2, Hann-windowed periodogram without the mean."""
    window = np.outer(*(np.hanning(size) for size in frames.shape[1:]))
    power = np.abs(fft.fft2(window * (frames - frames.mean(axis=(1, 2), keepdims=True)))) ** 2
    return power.mean(axis=0) * spacing_mm**2 / (window**2).sum()


@settings(max_examples=15, deadline=None)
@given(st.floats(0.5, 1e5), st.integers(0, 2**32 - 1))
def test_counts_have_poisson_mean_and_variance(mean, seed):
    counts = draw_quanta(np.full((200, 200), mean), np.random.default_rng(seed)).astype(float)
    assert counts.mean() == pytest.approx(mean, abs=6 * np.sqrt(mean / counts.size))
    assert counts.var() == pytest.approx(mean, rel=6 * np.sqrt((2 + 1 / mean) / counts.size))


def test_low_counts_are_poisson_and_high_counts_are_close_to_it():
    rng = np.random.default_rng(4)
    low = draw_quanta(np.full(40000, 3.0), rng)
    np.testing.assert_array_equal(low, np.rint(low))
    observed = np.bincount(low.astype(int), minlength=12)[:12] / low.size
    np.testing.assert_allclose(observed, stats.poisson.pmf(np.arange(12), 3.0), atol=0.01)
    high = draw_quanta(np.full(200000, POISSON_LIMIT), rng)
    for level in (0.025, 0.16, 0.5, 0.84, 0.975):
        assert np.quantile(high, level) == pytest.approx(stats.poisson.ppf(level, POISSON_LIMIT), abs=1.2)


def test_one_frame_may_hold_both_regimes():
    expected = np.full((300, 300), 5000.0)
    expected[:150] = 2.0
    counts = draw_quanta(expected, np.random.default_rng(0))
    np.testing.assert_array_equal(counts[:150], np.rint(counts[:150]))
    assert counts[:150].mean() == pytest.approx(2.0, abs=0.04)
    assert counts[150:].std() == pytest.approx(np.sqrt(5000), rel=0.02)
    assert draw_quanta(np.zeros((4, 4)), np.random.default_rng(0)).max() == 0


def test_nothing_negative_or_infinite_is_drawn_from():
    for bad in (-1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="finite"):
            draw_quanta(np.array([[1.0, bad]]), np.random.default_rng(0))


@pytest.mark.parametrize("quanta", [300.0, 20000.0])
def test_mean_is_kept_through_the_chain(quanta):
    rng = np.random.default_rng(11)
    rows = np.linspace(0.2, 1.0, 256)[:, None] * np.ones((1, 256)) * quanta
    detector = Detector(electronic_noise_quanta=5.0)
    frames = np.stack([add_noise(rows, detector, rng) for _ in range(8)])
    assert frames.dtype == np.float32
    assert frames.mean(dtype=float) == pytest.approx(rows.mean(), abs=5 * np.sqrt(rows.mean() / frames.size))


def test_noise_power_is_the_count_times_the_mtf_squared():
    rng = np.random.default_rng(21)
    quanta, size = 2000.0, 128
    frames = np.stack([add_noise(np.full((size, size), quanta), QUIET, rng) for _ in range(60)]).astype(float)
    power = nps(frames, 0.15)
    f = fft.fftfreq(size, 0.15)
    fu, fv = np.meshgrid(f, f)
    expected = quanta * 0.15**2 * QUIET.mtf(fu, fv) ** 2
    radius = np.hypot(fu, fv)
    for low in np.arange(0.2, 3.0, 0.4):
        ring = (radius >= low) & (radius < low + 0.4)
        assert power[ring].mean() == pytest.approx(expected[ring].mean(), rel=0.05)
    assert power[radius > 2.5].mean() < 0.1 * power[(radius > 0) & (radius < 0.3)].mean()  # correlated, not white


def test_electronic_noise_is_white_and_comes_last():
    detector = Detector(0.15, glare_fraction=0.0, electronic_noise_quanta=7.0)
    signal = add_noise(np.zeros((256, 256)), detector, np.random.default_rng(2)).astype(float)
    assert signal.std() == pytest.approx(7.0, rel=0.02)
    assert np.corrcoef(signal[:, 1:].ravel(), signal[:, :-1].ravel())[0, 1] == pytest.approx(0, abs=0.02)
    quantum = add_noise(np.full((256, 256), 900.0), QUIET, np.random.default_rng(2))
    both = add_noise(np.full((256, 256), 900.0), detector, np.random.default_rng(2))
    assert both.var(dtype=float) == pytest.approx(quantum.var(dtype=float) + 49.0, rel=0.05)


def test_variance_of_the_logarithm_falls_with_dose():
    rng = np.random.default_rng(31)
    variances = [
        np.log(add_noise(np.full((256, 256), quanta), QUIET, rng)).var(dtype=float) for quanta in (1e3, 1e4, 1e5)
    ]
    assert variances[0] / variances[1] == pytest.approx(10, rel=0.06)
    assert variances[1] / variances[2] == pytest.approx(10, rel=0.06)
    # Parseval: relative variance is the mean of MTF^2 over the band divided by the count.
    f = fft.fftfreq(256, 0.15)
    assert variances[2] == pytest.approx((QUIET.mtf(f[None], f[:, None]) ** 2).mean() / 1e5, rel=0.05)


def test_seed_decides_and_a_given_blur_is_used():
    expected = np.full((64, 64), 500.0)
    first, again = (add_noise(expected, QUIET, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    named = add_noise(expected, QUIET, np.random.default_rng(3), blur=detector_blur(QUIET, (64, 64), "edge"))
    assert not np.array_equal(first, named)
    np.testing.assert_allclose(first[20:40, 20:40], named[20:40, 20:40], atol=0.1)
