"""Effects: each does what it says, and nothing else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from DSADeblurLib.lab.simulation.effects import DOMAINS, SHARES, Aperture, Tone, random_effects, sharpened, zoomed


def noise(shape=(3, 48, 64), seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@given(st.floats(0, 360), st.floats(0.1, 0.5), st.floats(1, 30), st.floats(0, 0.1))
def test_blades_let_the_middle_through_and_cover_the_side_they_hang_at(angle, offset, penumbra, leak):
    seen = Aperture(((angle, offset),), None, penumbra, leak).transmission((81, 101))
    assert seen.min() >= leak - 1e-6 and seen.max() <= 1
    # Along the blade's direction nothing gets brighter.
    way = np.stack((np.sin(np.radians(angle)), np.cos(np.radians(angle))))
    line = ndimage.map_coordinates(seen, np.array([[40], [50]]) + way[:, None] * np.linspace(-38, 38, 60), order=1)
    assert np.all(np.diff(line) < 1e-3) and line[0] > line[-1]


def test_the_penumbra_is_as_wide_as_said():
    step = Aperture(((0.0, 0.0),), None, 12.0, 0.0).transmission((3, 101))[1]
    assert step[50] == pytest.approx(0.5)
    assert step[44] == pytest.approx(0.98, abs=0.01) and step[56] == pytest.approx(0.02, abs=0.01)


def test_an_iris_is_round():
    seen = Aperture(radius=0.5, penumbra_px=2.0).transmission((91, 91))
    np.testing.assert_allclose(seen, seen.T, atol=1e-6)
    distance = np.hypot(*(np.indices(seen.shape) - 45))
    assert seen[distance < 28].min() > 0.97 and seen[distance > 36].max() < 0.03


TONES = st.builds(
    Tone,
    exponent=st.sampled_from([0.0, 0.2, 1.0]),
    compression=st.sampled_from([np.inf, 0.2, 0.6]),
    bits=st.integers(8, 12),
)


@given(TONES, st.sampled_from(sorted(DOMAINS)))
def test_tables_rise_keep_the_unit_at_the_anchor_and_have_so_many_values(tone, kind):
    domain = DOMAINS[kind]
    values = np.linspace(domain.low - 1, domain.high + 1, 20001).astype(np.float32)
    smooth, stored = (tone.apply(values, domain, quantised) for quantised in (False, True))
    assert smooth.dtype == stored.dtype == np.float32
    assert np.all(np.diff(smooth) >= 0) and np.all(np.diff(stored) >= 0)
    near = np.array([domain.anchor - 0.01, domain.anchor, domain.anchor + 0.01], np.float32)
    np.testing.assert_allclose(tone.apply(near, domain, False), near, atol=2e-4)
    step = (smooth[-1] - smooth[0]) / (2**tone.bits - 1)
    assert len(np.unique(stored)) <= 2**tone.bits
    np.testing.assert_allclose(stored, smooth, atol=0.51 * step)


def test_no_compression_and_no_exponent_is_log_intensity_and_exponent_one_is_linear():
    domain = DOMAINS["native"]
    values = np.linspace(-6, 0, 50, dtype=np.float32)
    np.testing.assert_allclose(Tone().apply(values, domain, False), values, atol=1e-6)
    linear = Tone(exponent=1.0).apply(values, domain, False)
    np.testing.assert_allclose(np.corrcoef(linear, np.exp(values))[0, 1], 1, atol=1e-6)


@pytest.mark.parametrize("order", [1, 3])
def test_zoom_widens_edges_and_quiets_noise_round_the_middle(order):
    frames = noise()
    frames[0] = 0.01 * ((np.indices((48, 64)) - [[[23.5]], [[31.5]]]) ** 2).sum(axis=0)
    large = zoomed(frames, 1.5, order)
    inside = np.s_[8:-8, 8:-8]
    np.testing.assert_allclose(large[0][inside], frames[0][inside] / 1.5**2, atol=0.01)
    assert np.abs(np.diff(large[1])).mean() < 0.85 * np.abs(np.diff(frames[1])).mean()
    assert large.min() >= frames.min() and large.max() <= frames.max()
    np.testing.assert_array_equal(zoomed(frames, 1.0, order), frames)


def test_sharpening_keeps_the_mean_and_raises_edges():
    step = np.zeros((2, 32, 32), np.float32)
    step[:, :, 16:] = 1
    sharp = sharpened(step, 1.5, 0.8)
    np.testing.assert_allclose(sharp[0], sharp[1])
    assert sharp.max() > 1.2 and sharp.min() < -0.2
    assert sharp.mean() == pytest.approx(0.5, abs=1e-4)
    flat = np.full((20, 20), 3.0, np.float32)
    np.testing.assert_allclose(sharpened(flat, 2.0, 1.0), flat, rtol=1e-6)


def test_shares_of_effects_are_those_stated():
    rng, count = np.random.default_rng(2), 3000
    drawn = [random_effects(rng) for _ in range(count)]
    found = {
        "collimator": sum(e.collimator is not None for e in drawn),
        "shutter": sum(e.shutter is not None for e in drawn),
        "overexposed": sum(e.overexposed > 0 for e in drawn),
        "binned": sum(e.binned for e in drawn),
        "zoom": sum(e.zoom != 1 for e in drawn),
        "sharpening": sum(e.sharpening is not None for e in drawn),
        "tone": sum(e.tone is not None for e in drawn),
    }
    assert set(found) == set(SHARES)
    for name, number in found.items():
        spread = np.sqrt(count * SHARES[name] * (1 - SHARES[name]))
        assert number == pytest.approx(count * SHARES[name], abs=4 * spread), name
