"""Phantom measurements agree with what is known of the phantoms, whatever the method does."""

import numpy as np
import pytest

from DSADeblurLib.lab.evaluation.methods import INPUT, PERFECT_DENOISER, unchanged
from DSADeblurLib.lab.evaluation.phantoms import (
    CNRS,
    measure_edges,
    measure_noise,
    measure_stillness,
    measure_thin,
    measure_widths,
)

METHODS = {INPUT: unchanged, "nothing": lambda frames, psf: np.zeros_like(frames[0])}
SETUP = dict(size=256, moments=1)


def test_widths_of_the_input_are_too_wide_for_thin_vessels_only():
    errors = measure_widths("validation", "quiet", "with diameter", 0, METHODS, 1)
    assert errors[INPUT][0] > 0.7 and abs(errors[INPUT][5]) < 0.3
    assert np.isnan(errors["nothing"]).all()
    np.testing.assert_allclose(errors[INPUT], errors[PERFECT_DENOISER], atol=0.1)


def test_edges_of_the_input_are_those_of_the_spot():
    """The blurred edge's modulation over the truth's is the large spot's over the micro spot's."""
    from DSADeblurLib.lab.simulation.pairs import MICRO_SPOT
    from DSADeblurLib.lab.simulation.phantom import SPOT

    curves = measure_edges("validation", "quiet", "upright", 2, {INPUT: unchanged}, size=256, moments=1)
    frequency = np.linspace(0.02, 0.14, 5)
    angle = np.radians(4.0)
    at_spot = frequency / 0.154 * 0.5
    u, v = at_spot * np.cos(angle), -at_spot * np.sin(angle)
    expected = np.abs(SPOT.otf(u, v) / MICRO_SPOT.otf(u, v))
    found = [np.interp(frequency, curves[name].frequency, curves[name].modulation) for name in (INPUT, "truth")]
    np.testing.assert_allclose(found[0] / found[1], expected, atol=0.05)


@pytest.fixture(scope="module")
def noise():
    return measure_noise("validation", "clinical", 1, {INPUT: unchanged}, **SETUP)


def test_noise_of_the_input_and_its_threshold(noise):
    powers, thresholds = noise
    assert 0.001 < np.sqrt(powers[INPUT].variance) < 0.03 and thresholds[INPUT] > 0


@pytest.mark.parametrize("cnr", [CNRS[0], CNRS[-1]])
def test_thin_vessels_are_seen_by_their_contrast(noise, cnr):
    powers, thresholds = noise
    std = float(np.sqrt(powers[INPUT].variance))
    blind = {**METHODS, "inventor": lambda frames, psf: -np.tile(np.cos(np.arange(256) * 2 * np.pi / 8), (256, 1))}
    limits = {**thresholds, "nothing": 1e-6, "inventor": 1e-6}
    found = measure_thin("validation", "clinical", cnr, 0, std, limits, blind, **SETUP)
    for name, missed, kept in (("truth", 0, 1), ("nothing", 1, 0)):
        one = found[name]
        assert one["missed"] == missed and one["false"] == 0 and one["kept"] == pytest.approx(kept)
    assert found["inventor"]["invented"] > 0.2
    assert (found[INPUT]["missed"] < 0.05) == (cnr == CNRS[-1])


def test_flicker_is_the_change_over_time_alone():
    runs = {
        "half": lambda frames, known: frames / 2,
        "frozen": lambda frames, known: np.repeat(frames[:1], len(frames), axis=0),
    }
    found = measure_stillness("validation", "clinical", 5, runs, 256)
    for name, flicker, noise_kept in ((INPUT, 1, 1), ("half", 0.5, 0.5), ("frozen", 0, 1)):
        assert found[name] == pytest.approx({"flicker": flicker, "noise_kept": noise_kept}, abs=0.1)
