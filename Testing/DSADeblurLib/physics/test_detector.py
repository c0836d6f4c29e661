"""Detector MTF against its formula and its digitisation."""

import numpy as np
import pytest
from scipy.integrate import trapezoid
from scipy.special import j0

from DSADeblurLib.physics.detector import Detector


def test_mtf_is_the_product_of_its_parts():
    f = np.linspace(0, 3.2, 50)
    plain = dict(scintillator_mm2=0.0, aperture=False, glare_fraction=0.0)
    np.testing.assert_array_equal(Detector(**plain).mtf(f, 0 * f), np.ones(50))
    scintillator = Detector(**{**plain, "scintillator_mm2": 0.5}).mtf(f, 0)
    aperture = Detector((0.2, 0.15), **{**plain, "aperture": True}).mtf(f, 0)
    glare = Detector(**{**plain, "glare_fraction": 0.1}, glare_width_mm=4.0).mtf(f, 0)
    np.testing.assert_allclose(scintillator, 1 / (1 + 0.5 * f**2))
    np.testing.assert_allclose(aperture, np.sinc(0.15 * f))
    whole = Detector((0.2, 0.15), scintillator_mm2=0.5, glare_fraction=0.1, glare_width_mm=4.0)
    np.testing.assert_allclose(whole.mtf(f, 0), scintillator * aperture * glare)
    np.testing.assert_allclose(whole.mtf(0, 1.0), 1 / 1.5 * np.sinc(0.2) * glare[0:1] * whole_glare(1.0), rtol=1e-12)


def whole_glare(f):
    return 0.9 + 0.1 / np.sqrt(1 + (2 * np.pi * 4.0 * f) ** 2)


def test_glare_drops_at_low_frequency_by_its_fraction():
    detector = Detector(scintillator_mm2=0.0, aperture=False, glare_fraction=0.05, glare_width_mm=5.0)
    assert detector.mtf(0, 0) == 1
    assert detector.mtf(0.5, 0) == pytest.approx(0.95, abs=0.005)
    # The spatial form: the tail beyond r holds g exp(-r / k) of the light.
    r = np.linspace(0, 400, 400001)
    tail = 0.05 * np.exp(-r / 5.0) / (2 * np.pi * 5.0)  # times r of the area element
    for f in (0.01, 0.05, 0.2):
        hankel = 2 * np.pi * trapezoid(tail * j0(2 * np.pi * f * r), r)
        assert detector.mtf(f, 0) == pytest.approx(0.95 + hankel, abs=1e-5)


def test_default_is_that_of_an_angiographic_panel():
    assert Detector().mtf(1, 0) == pytest.approx(0.63, abs=0.03)
    assert Detector().mtf(2, 0) == pytest.approx(0.28, abs=0.03)


def test_digital_numbers_round_and_saturate():
    detector = Detector(gain=2.0, offset_dn=10.0, bits=10)
    stored = detector.quantise(np.array([[-100.0, 0.0, 1.2, 1.3, 506.0, 506.4, 506.6, 1e9]]))
    assert stored.dtype == np.uint16
    np.testing.assert_array_equal(stored, [[0, 10, 12, 13, 1022, 1023, 1023, 1023]])
    assert Detector(bits=16).quantise(np.array([1e9]))[0] == 65535


def test_spacing_may_be_one_number():
    assert Detector(0.2).spacing_mm == (0.2, 0.2)
    assert Detector((0.2, 0.1)) == Detector([0.2, 0.1])
    assert len({Detector((0.2, 0.1)), Detector([0.2, 0.1])}) == 1


@pytest.mark.parametrize(
    "changes, word",
    [
        (dict(spacing_mm=(0, 0.1)), "spacing"),
        (dict(scintillator_mm2=-1), "scintillator_mm2"),
        (dict(glare_fraction=1.0), "glare fraction"),
        (dict(gain=0), "gain"),
        (dict(bits=17), "bits"),
        (dict(electronic_noise_quanta=float("nan")), "electronic_noise_quanta"),
    ],
)
def test_impossible_detectors_are_refused(changes, word):
    with pytest.raises(ValueError, match=word):
        Detector(**changes)
