"""Whether thin straight vessels are detected: a matched filter at known places, with a threshold from pure noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from DSADeblurLib.measurement.width import profile_across

FALSE_ALARM_RATE = 0.05
"""Share of places in pure noise that the detector takes for a vessel."""
# Length of the filter in pixels, and half length of the profile in widths of the vessel.
_ALONG, _SURROUND, _STEP = 24.0, 3.0, 0.5


@dataclass(frozen=True)
class Site:
    """A place (row, col) in pixels and the direction (row, col) along which a vessel lies or would lie."""

    point: tuple[float, float]
    tangent: tuple[float, float]


def vessel_responses(image: np.ndarray, sites: tuple[Site, ...], *, width: float) -> np.ndarray:
    """Response of a matched filter to a dark vessel at each site.

    The filter knows place, direction and width: a Gaussian profile across, constant along the vessel, without response
    to offset and slope of the background. It is scaled so that a vessel with that profile responds with its peak
    contrast.

    Args:
        image: (rows, cols), optical density or logarithms, lower inside vessels.
        sites: where to look.
        width: full width at half maximum of the vessel in pixels, above 0.

    Returns:
        (n,) contrasts in the unit of the image, positive for a dark vessel; NaN where the filter leaves the image.
    """
    responses = []
    for site in sites:
        across = (site.tangent[1], -site.tangent[0])
        length = 2 * _SURROUND * width
        profile = profile_across(image, site.point, across, length=length, step=_STEP, averaging=_ALONG)
        responses.append(-float(_template(profile.size, width / _STEP) @ profile))
    return np.array(responses)


def noise_threshold(responses: np.ndarray) -> float:
    """The response that a share FALSE_ALARM_RATE of places in pure noise exceeds.

    Args:
        responses: (n,) of places in noise; NaN does not count.

    Raises:
        ValueError: one sentence, if there are too few places to tell.
    """
    responses = responses[np.isfinite(responses)]
    if responses.size * FALSE_ALARM_RATE < 1:
        raise ValueError(f"{responses.size} places in noise are too few for a rate of {FALSE_ALARM_RATE:g}.")
    return float(np.quantile(responses, 1 - FALSE_ALARM_RATE))


def _template(samples: int, width: float) -> np.ndarray:
    """Weights (samples,) whose sum with a Gaussian of full width `width` in samples is 1, with any line 0."""
    s = np.arange(samples) - (samples - 1) / 2
    vessel = np.exp(-4 * np.log(2) * (s / width) ** 2)
    lines = np.linalg.qr(np.stack((np.ones_like(s), s), axis=1))[0]
    template = vessel - lines @ (lines.T @ vessel)
    return template / (template @ vessel)
