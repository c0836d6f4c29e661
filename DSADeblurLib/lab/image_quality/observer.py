"""Detectability of a thin vessel at a known place by a channelised Hotelling observer, a model of a human reader.

Method: Myers and Barrett 1987 (doi 10.1364/JOSAA.4.002447); dense difference-of-Gaussians channels as in Abbey and
Barrett 2001 (doi 10.1364/JOSAA.18.000473), here across the vessel, whose direction the observer knows.
"""

from __future__ import annotations

import math

import numpy as np

from DSADeblurLib.lab.image_quality.detection import Site
from DSADeblurLib.measurement.width import profile_across

# Length of the vessel that is looked at, the profile's, and its sampling, in pixels.
_ALONG, _ACROSS, _STEP = 24.0, 32.0, 0.5
# Frequencies of the channels in cycles per pixel.
_CHANNELS = tuple(0.015 * 1.67**number for number in range(7))
INTERNAL_NOISE = 0.5
"""Variance that the observer adds of his own, over that of the noise in the frame as it was taken.

It is the same whatever was done to the frame. Without it nothing that is done could ever help."""


def channel_outputs(image: np.ndarray, sites: tuple[Site, ...]) -> np.ndarray:
    """What each channel of the observer sees at each site.

    Args:
        image: (rows, cols).
        sites: where to look, at least 20 pixels from the edges.

    Returns:
        (sites, channels) float64.
    """
    channels = _channels()
    across = [(site.tangent[1], -site.tangent[0]) for site in sites]
    profiles = [
        profile_across(image, site.point, way, length=_ACROSS, step=_STEP, averaging=_ALONG)
        for site, way in zip(sites, across, strict=True)
    ]
    return np.stack(profiles) @ channels.T


def detectability(present: np.ndarray, absent: np.ndarray, internal: np.ndarray) -> float:
    """The observer's d'.

    Args:
        present, absent: (n, channels) outputs at the same n sites with and without a vessel.
        internal: (channels, channels) covariance of the observer's own noise, see `internal_noise`.
    """
    signal = (present - absent).mean(axis=0)
    covariance = (np.cov(present, rowvar=False) + np.cov(absent, rowvar=False)) / 2 + internal
    return math.sqrt(max(float(signal @ np.linalg.pinv(covariance, hermitian=True) @ signal), 0.0))


def internal_noise(absent: np.ndarray) -> np.ndarray:
    """The covariance of the observer's own noise: he does not mix channels.

    Args:
        absent: (n, channels) outputs in the frame as it was taken.
    """
    return np.diag(INTERNAL_NOISE * absent.var(axis=0, ddof=1))


def _channels() -> np.ndarray:
    """Weights (channels, samples) of differences of Gaussians in frequency, blind to the mean."""
    samples = 2 * int(_ACROSS / 2 / _STEP) + 1
    s = (np.arange(samples) - samples // 2) * _STEP
    frequencies = np.fft.rfftfreq(512, _STEP)
    weights = []
    for centre in _CHANNELS:
        band = np.exp(-0.5 * (frequencies / (1.67 * centre)) ** 2) - np.exp(-0.5 * (frequencies / centre) ** 2)
        one = (band[None] * np.cos(2 * np.pi * s[:, None] * frequencies)).sum(axis=1)
        one -= one.mean()
        weights.append(one / np.linalg.norm(one))
    return np.stack(weights)
