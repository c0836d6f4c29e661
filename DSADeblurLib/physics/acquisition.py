"""From an object in depth slabs to native frames and to the subtracted frame.

Slab(line_integral, magnification, shift_px=(0.0, 0.0))
expected_intensity(slabs, spot, spacing_mm, detector=None, padding='symmetric') -> float32 (rows, cols), I0 = 1
expected_intensities(slabs, spots, spacing_mm, ...) -> one of them for each spot, at little more cost
expose(intensity, detector, quanta, rng, digital=False) -> float32 quanta or uint16 DN
acquire(slabs, spot, detector, quanta, rng, digital=False) -> the two in a row
log_intensity(intensity) -> ln max(I, 1) of the same dtype
optical_density(contrast, mask, floor=None) -> float32 ln Ic - ln Im
shift_frame(frame, (rows, cols), rotation_deg=0.0) -> float32
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from DSADeblurLib.physics.blur import Padding, apply_each, detector_blur, focal_spot_blur, spot_reach_mm
from DSADeblurLib.physics.detector import Detector
from DSADeblurLib.physics.focal_spot import FocalSpot
from DSADeblurLib.physics.noise import add_noise

# Without a floor of their own, pixels are not let below this part of the mask's mean before the logarithm.
_FLOOR_PER_MEAN = 1e-3


class Slab(NamedTuple):
    """One depth slab of the object, projected from the centre of the focal spot onto the detector's pixels.

    line_integral: (rows, cols) float32, sum of mu dl along the ray, dimensionless, usually >= 0.
    magnification: M = SID / (source to slab distance) >= 1, taken as one number for the whole slab.
    shift_px: motion of the slab in detector pixels, (rows, cols), positive downwards and to the right.
    """

    line_integral: np.ndarray
    magnification: float
    shift_px: tuple[float, float] = (0.0, 0.0)


def expected_intensity(
    slabs: Iterable[Slab | tuple],
    spot: FocalSpot,
    spacing_mm,
    detector: Detector | None = None,
    padding: Padding = "symmetric",
) -> np.ndarray:
    """Return the noise-free intensity, float32 (rows, cols), with 1 where nothing attenuates.

    slabs: Slab or (line_integral, magnification[, shift_px]) tuples, at least one, all of one shape. spacing_mm:
    detector pixel size, one number or (row, col). Without `detector` this is the intensity that falls on the
    detector (what `expose` takes); with it, the mean image that the detector would give, blurred by its MTF.

    I = prod_k B_k exp(-L_k), where B_k is the focal-spot blur at magnification M_k: the spot blurs transmitted
    intensity, not attenuation. Slabs of equal magnification are summed before the exponential, where this is exact.
    Between slabs the product of blurred transmissions stands for the blurred product: every point of the source
    shifts slab k by (M_k - 1) times its own position, so the exact intensity is the mean over source points of the
    product of shifted transmissions. Both differ by the covariance of the slabs' transmissions over the spot, which
    is nothing unless edges of two slabs overlap within the blur. For overlapping vessels of OD 0.5 and 0.7 at
    M = 1.25 and 1.6 and a spot of 0.7 x 1.0 mm it is below 0.01 of the open intensity (tested), largest where they
    run nearly parallel. Raises ValueError when slabs are missing or unlike.
    """
    (intensity,) = expected_intensities(slabs, (spot,), spacing_mm, padding)
    if detector is not None:
        intensity = _within(detector_blur(detector, intensity.shape, padding).apply(intensity), intensity)
    return intensity


def expected_intensities(
    slabs: Iterable[Slab | tuple], spots: Sequence[FocalSpot], spacing_mm, padding: Padding = "symmetric"
) -> list[np.ndarray]:
    """Return the intensity that falls on the detector for each focal spot; arguments as for `expected_intensity`.

    The spots share what does not depend on them, so that two cost about two thirds of two calls.
    """
    by_magnification: dict[float, np.ndarray] = {}
    shape = None
    for item in slabs:
        slab = Slab(*item)
        line_integral = np.asarray(slab.line_integral, dtype=np.float32)
        shape = shape or line_integral.shape
        if line_integral.ndim != 2 or line_integral.shape != shape:
            raise ValueError(f"Slabs must be (rows, cols) images of one shape, not {shape} and {line_integral.shape}.")
        if any(slab.shift_px):
            line_integral = shift_frame(line_integral, slab.shift_px)
        known = by_magnification.get(slab.magnification)
        by_magnification[slab.magnification] = line_integral if known is None else known + line_integral
    if not by_magnification:
        raise ValueError("At least one slab is needed to form an image.")

    intensities: list[np.ndarray] = []
    for magnification, line_integral in by_magnification.items():
        transmission = np.exp(-line_integral)
        reach = np.max([spot_reach_mm(spot, magnification) for spot in spots], axis=0).tolist()
        blurs = [focal_spot_blur(spot, magnification, shape, spacing_mm, padding, reach) for spot in spots]
        blurred = [_within(image, transmission) for image in apply_each(blurs, transmission)]
        intensities = [a * b for a, b in zip(intensities, blurred, strict=True)] if intensities else blurred
    return intensities


def expose(
    intensity: np.ndarray, detector: Detector, quanta: float, rng: np.random.Generator, digital: bool = False
) -> np.ndarray:
    """Return one native frame of an intensity that falls on the detector (see `expected_intensity`, no detector).

    quanta: mean absorbed quanta per pixel at intensity 1 (the dose). Returns float32 quanta, (rows, cols), or with
    `digital` the detector's uint16 numbers, saturated at its bit depth. Raises ValueError for a dose not above 0.
    """
    if not (np.isfinite(quanta) and quanta > 0):
        raise ValueError(f"The dose must be a positive number of quanta per pixel, not {quanta}.")
    signal = add_noise(np.float32(quanta) * np.asarray(intensity, dtype=np.float32), detector, rng)
    return detector.quantise(signal) if digital else signal


def acquire(
    slabs: Iterable[Slab | tuple],
    spot: FocalSpot,
    detector: Detector,
    quanta: float,
    rng: np.random.Generator,
    digital: bool = False,
) -> np.ndarray:
    """Return one native frame of the object: `expected_intensity`, then `expose`. For several frames of one still
    object call the two yourself, so that the blur is done once."""
    return expose(expected_intensity(slabs, spot, detector.spacing_mm), detector, quanta, rng, digital)


def log_intensity(intensity: np.ndarray) -> np.ndarray:
    """Return ln of an intensity, in which absorbers add up.

    Args:
        intensity: quanta or DN of any shape, floating; what is below 1 counts as 1.

    Returns:
        The same shape and dtype.
    """
    return np.log(np.maximum(intensity, 1, dtype=intensity.dtype))


def optical_density(contrast: np.ndarray, mask: np.ndarray, floor: float | None = None) -> np.ndarray:
    """Return the subtracted frame ln Ic - ln Im, float32 of the contrast frame's shape, negative in vessels.

    contrast: intensities, quanta or DN, (rows, cols) or (n, rows, cols). mask: the same unit, (rows, cols), or
    (m, rows, cols) mask frames that are averaged first, as intensities. floor: both are not let below it; by default
    a thousandth of the mask's mean, and at least 1 for integers.
    """
    contrast, mask = np.asarray(contrast), np.asarray(mask)
    integer = np.issubdtype(mask.dtype, np.integer)
    mean_mask = mask.mean(axis=0, dtype=np.float32) if mask.ndim == 3 else mask.astype(np.float32)
    if floor is None:
        floor = max(_FLOOR_PER_MEAN * float(mean_mask.mean(dtype=np.float64)), 1.0 if integer else 0.0)
    if not floor > 0:
        raise ValueError(f"The floor before the logarithm must be above zero, not {floor}; is the mask empty?")
    lowest = np.float32(floor)
    return np.log(np.maximum(contrast, lowest, dtype=np.float32)) - np.log(np.maximum(mean_mask, lowest))


def shift_frame(frame: np.ndarray, shift_px: tuple[float, float], rotation_deg: float = 0.0) -> np.ndarray:
    """Return a (rows, cols) frame moved by (rows, cols) pixels, down and to the right, float32; fractions allowed.

    rotation_deg turns it about its middle first, from down towards the right. Cubic splines; what comes in from
    outside repeats the border. The result stays within the frame's own range, so hard edges do not overshoot.
    """
    frame = np.asarray(frame, dtype=np.float32)
    if not rotation_deg:
        return _within(ndimage.shift(frame, shift_px, order=3, mode="nearest"), frame)
    angle = np.radians(rotation_deg)
    back = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    middle = (np.array(frame.shape) - 1) / 2
    offset = middle - back @ (middle + np.asarray(shift_px, dtype=float))
    return _within(ndimage.affine_transform(frame, back, offset, order=3, mode="nearest"), frame)


def _within(image: np.ndarray, source: np.ndarray) -> np.ndarray:
    """Cut what band-limited blur or splines put outside the range of the source; true averages cannot leave it."""
    return np.clip(image, source.min(), source.max(), out=image)
