"""Quantum and electronic noise of a frame, correlated as a detector correlates it.

draw_quanta(expected, rng) -> float32            counts of X-ray quanta, uncorrelated
add_noise(expected, detector, rng, blur=None) -> float32   what the detector reads out, in quanta
"""

from __future__ import annotations

import numpy as np

from DSADeblurLib.physics.blur import Blur, detector_blur
from DSADeblurLib.physics.detector import Detector

# Mean counts from here on are drawn as normal numbers of variance equal to the mean: at 100 quanta the Poisson
# law's skewness is 0.1 and its quantiles differ from the normal ones by half a quantum (0.05 sigma) at two sigma.
POISSON_LIMIT = 100.0


def draw_quanta(expected: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return numbers of absorbed quanta per pixel, float32, for their expectation `expected` (any shape, >= 0).

    Poisson below POISSON_LIMIT expected quanta, its normal approximation (not rounded) from there on. Raises
    ValueError when an expectation is negative or not finite.
    """
    expected = np.asarray(expected, dtype=np.float32)
    lowest = float(expected.min(initial=np.inf))
    if expected.size and not (lowest >= 0 and np.isfinite(expected.max())):
        raise ValueError("Expected numbers of quanta must be finite and not negative.")
    quanta = rng.standard_normal(expected.shape, dtype=np.float32)
    quanta *= np.sqrt(expected)
    quanta += expected
    if lowest < POISSON_LIMIT:
        few = expected < POISSON_LIMIT
        quanta[few] = rng.poisson(expected[few])
    return quanta


def add_noise(
    expected: np.ndarray, detector: Detector, rng: np.random.Generator, blur: Blur | None = None
) -> np.ndarray:
    """Return what the detector reads out for one exposure, float32 (rows, cols), in quanta per pixel.

    expected: expected absorbed quanta per pixel before the detector's blur, (rows, cols), >= 0. Quanta are drawn
    first and blurred with the signal (`blur`, by default detector_blur(detector, expected.shape)), so the quantum
    noise is correlated: its power spectrum is the mean count times MTF^2. Electronic noise, white, comes after. The
    mean is kept. Dark pixels may come out below zero, as after a real offset correction. Aliasing of the noise is
    not modelled.
    """
    if blur is None:
        blur = detector_blur(detector, np.shape(expected))
    signal = blur.apply(draw_quanta(expected, rng))
    if detector.electronic_noise_quanta > 0:
        signal += np.float32(detector.electronic_noise_quanta) * rng.standard_normal(signal.shape, dtype=np.float32)
    return signal
