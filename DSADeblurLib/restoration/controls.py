"""The two controls: how much sharpening is taken, and how much of what the network could not explain is dropped.

With x the frame, o the network's output and K the run's own blur, r = x - K o is what the network could not explain:
noise, and every faint vessel that it took for noise. The result is

    y = K o + s (o - K o) + (1 - n) r

with sharpness s and noise reduction n from 0 to 1. So y = x for s = n = 0, and y = o for s = n = 1; with n below 1 part
of the noise stays, and with it what is hidden in it. Where the frame itself shows a line above its noise r is kept
whole, whatever n: there n counts as n (1 - w) with w from `lines.line_map`, unless the noise is to be reduced alike
everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy import ndimage

from DSADeblurLib.request import DeblurSettings
from DSADeblurLib.restoration.lines import line_mask, softened
from DSADeblurLib.restoration.normalisation import Aperture

# The standard deviation of a uniform spot of width 1.
_DEVIATION = 1 / math.sqrt(12)


def reblurred(restored: np.ndarray, blur_px: tuple[float, float], aperture: Aperture) -> np.ndarray:
    """What the run's blur makes of a sharp frame: K o.

    K is a Gaussian with the standard deviation of a uniform spot of this width. Where a shutter covers the frame
    nothing is blurred, and nothing of it is drawn into the rest.

    Args:
        restored: (rows, columns) float32.
        blur_px: widths in pixels along rows and columns, as in the condition of `network.Modulation`.
        aperture: of the run.

    Returns:
        (rows, columns) float32.
    """
    sigma = [_DEVIATION * width for width in blur_px]
    blurred = ndimage.gaussian_filter(aperture.filled(restored), sigma, mode="nearest")
    return aperture.covered_as(restored, blurred)


def apply_controls(
    frame: np.ndarray,
    restored: np.ndarray,
    settings: DeblurSettings,
    blur_px: tuple[float, float] | None,
    aperture: Aperture,
    keep: Callable[[np.ndarray, np.ndarray, np.ndarray], object] | None = None,
) -> np.ndarray:
    """The result for a frame and the network's output of it, see the head of this file.

    Args:
        frame, restored: (rows, columns) float32, in values in which absorbers add up.
        settings: sharpness and noise reduction.
        blur_px: as for `reblurred`; not looked at unless `settings.needs_blur`, or `keep` is there.
        aperture: of the run.
        keep: given (o, K o, the mask of `lines.line_mask`), all that other controls need besides the frame.

    Returns:
        (rows, columns) float32.

    Raises:
        ValueError: one sentence: the width of the blur is needed and None.
    """
    blurred = lines = np.empty(0, np.float32)
    if settings.needs_blur or keep is not None:
        if blur_px is None:
            raise ValueError("These controls need the width of the blur.")
        blurred = reblurred(restored, blur_px, aperture)
    if settings.spares_lines or keep is not None:
        mask = line_mask(aperture.filled(frame))
        lines = softened(mask)
        if keep is not None:
            keep(restored, blurred, mask)
    return combined(frame, restored, blurred, lines, settings)


def combined(
    frame: np.ndarray,
    restored: np.ndarray,
    blurred: np.ndarray,
    lines: np.ndarray,
    settings: DeblurSettings,
) -> np.ndarray:
    """The formula alone: x, o, K o and w to y, all (rows, columns) float32; see the head of this file.

    `blurred` is not looked at unless `settings.needs_blur`, nor `lines` unless `settings.spares_lines`.
    """
    s, n = np.float32(settings.sharpness), np.float32(settings.noise_reduction)
    if settings.spares_lines:
        n = n * (1 - lines)
    result = s * restored + (1 - n) * frame
    if settings.needs_blur:
        result += (n - s) * blurred
    return result
