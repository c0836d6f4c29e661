"""Register a mask to a contrast frame from their pixels: one global shift, and a smooth deformation as an option.

The mask holds no contrast agent and the contrast frame does, blades and shutters stay where they are while the patient
moves, and both frames are noisy. So what is compared are bands of spatial frequency, away from the field's border, and
pixels that fit badly (vessels that fill) lose their weight.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from scipy import ndimage

from DSADeblurLib.errors import XAReadError

# Finer than the first is noise, coarser than the second is blush, scatter and drift of the exposure.
_BAND_PX = (1.5, 6.0)
# Dark areas along the image's border that get less than this part of what most of the field gets are blades or
# shutters. Their penumbra is wide: this part of the image's side is left out beyond them.
_BLADES, _PENUMBRA = np.log(0.25), 1 / 20
_MOST_WARPS, _CLOSE_PX, _SAME_PX = 12, 0.004, 0.1
# Tukey's weight falls to zero at so many standard deviations: 95 % efficient on normal noise.
_TUKEY = 4.685
_MOST_DEFORMATION_PX = 6.0
# The field is smooth over tens of pixels: frames of more pixels a side are reduced to about so many.
_FLOW_SIDE = 512
_FLOW_RADIUS_PX, _FLOW_SMOOTHNESS_PX, _FLOW_PASSES = 15, 20.0, 3
# A field follows the noise a little, too: less must be left than this part.
_WORTH_IT = 0.93
SMALLEST_SIDE = 48


@contextmanager
def needing_skimage(what: str = "Finding and registering masks") -> Iterator[None]:
    """Around an import of scikit-image, which Slicer does not bring: where it is missing, one XAReadError says so."""
    try:
        yield
    except ImportError as error:
        raise XAReadError(f"{what} needs the Python package scikit-image: pip install scikit-image.") from error


def image_area(log_mask: np.ndarray, log_contrast: np.ndarray) -> np.ndarray:
    """Return where both log frames (rows, columns) show the patient and not a blade, a shutter or a saturated area."""
    shown = np.ones(log_mask.shape, dtype=bool)
    for frame in (log_mask, log_contrast):
        smooth = ndimage.gaussian_filter(frame, _BAND_PX[0])
        flat = ndimage.maximum_filter(frame, 5) == ndimage.minimum_filter(frame, 5)
        dark = smooth < np.percentile(smooth, 75) + _BLADES
        shown &= ~(_touching_the_border(dark) | flat)
    margin = round(_PENUMBRA * min(shown.shape))
    inside = ndimage.distance_transform_edt(shown) > margin if not shown.all() else shown
    edge = round(_BAND_PX[0] * 4)
    inside[:edge] = inside[-edge:] = False
    inside[:, :edge] = inside[:, -edge:] = False
    return inside


def _touching_the_border(dark: np.ndarray) -> np.ndarray:
    """Return those parts of a mask that reach the image's border: dense anatomy within the field does not."""
    parts, _ = ndimage.label(dark)
    border = np.concatenate((parts[0], parts[-1], parts[:, 0], parts[:, -1]))
    return np.isin(parts, np.unique(border[border > 0]))


def find_shift(
    log_mask: np.ndarray,
    log_contrast: np.ndarray,
    start: tuple[float, float] = (0.0, 0.0),
    area: np.ndarray | None = None,
) -> tuple[float, float]:
    """Return by how many pixels (down, right) the mask must move so that it lies on the contrast frame.

    Args:
        log_mask, log_contrast: (rows, columns), log intensity, both sides at least SMALLEST_SIDE.
        start: a first guess.
        area: (rows, columns) bool, the pixels that count; by default `image_area`.

    The start, no shift, and the peak of the phase correlation (Guizar-Sicairos et al. 2008) are each refined by
    iterated least squares with Tukey's weights (Odobez and Bouthemy 1995); the one that leaves least is returned.
    Where no area is left, or nothing in it has a gradient, the start is returned.
    """
    log_mask, log_contrast = np.asarray(log_mask, np.float32), np.asarray(log_contrast, np.float32)
    area = image_area(log_mask, log_contrast) if area is None else np.asarray(area, bool)
    if min(area.shape) < SMALLEST_SIDE or area.sum() < SMALLEST_SIDE**2 / 4:
        return float(start[0]), float(start[1])
    mask, contrast = _band(log_mask), _band(log_contrast)
    with needing_skimage():
        from skimage.filters import window
        from skimage.registration import phase_cross_correlation
    weight = ndimage.gaussian_filter(area.astype(np.float32), _BAND_PX[0] * 2) * window("tukey", area.shape)
    peak, _, _ = phase_cross_correlation(contrast * weight, mask * weight, upsample_factor=20, normalization=None)
    limit = min(area.shape) / 4
    found: list[tuple[np.ndarray, float]] = []
    for guess in np.array((start, (0.0, 0.0), peak), float):
        if np.abs(guess).max() < limit and all(np.abs(guess - known).max() > _SAME_PX for known, _ in found):
            found.append(_refined(mask, contrast, area, guess))
    best = min(found, key=lambda one: one[1])[0]
    if np.abs(best).max() > 1:
        # What lay under the mask's blades has moved into the area.
        both = area & ndimage.shift(area, best, order=0, mode="constant", cval=False)
        best, _ = _refined(mask, contrast, both, best) if both.any() else (best, 0.0)
    return float(best[0]), float(best[1])


def find_deformation(
    log_mask: np.ndarray, log_contrast: np.ndarray, area: np.ndarray | None = None
) -> np.ndarray | None:
    """Return a smooth displacement field (2, rows, columns) float32 that brings the mask onto the contrast frame.

    The mask must already lie about right. The field says, in pixels (down, right), from where in the mask each pixel
    is taken: what `deformed` takes. It is the iterated Lucas-Kanade flow (Le Besnerais and Champagnat 2005), with the
    vessels taken out, smoothed over tens of pixels. None where it leaves no less than no deformation.
    """
    log_mask, log_contrast = np.asarray(log_mask, np.float32), np.asarray(log_contrast, np.float32)
    area = image_area(log_mask, log_contrast) if area is None else np.asarray(area, bool)
    if min(area.shape) < SMALLEST_SIDE or not area.any():
        return None
    with needing_skimage():
        from skimage.registration import optical_flow_ilk
        from skimage.transform import downscale_local_mean, resize
    factor = round(min(area.shape) / _FLOW_SIDE)
    if factor > 1:
        mask, contrast, inside = (downscale_local_mean(one, (factor, factor)) for one in (log_mask, log_contrast, area))
        field = find_deformation(mask, contrast, inside == 1)
        return None if field is None else factor * resize(field, (2, *area.shape), order=1)
    contrast = _band(log_contrast)
    before = _scale((contrast - _band(log_mask))[area])
    field = np.zeros((2, *area.shape), np.float32)
    for _ in range(_FLOW_PASSES):
        mask = _band(deformed(log_mask, field))
        difference = contrast - mask
        fits = _tukey(difference, _scale(difference[area])) > 0
        # Bones that fit badly at first fit better once their surroundings have been moved; vessels never do.
        trusted = ndimage.binary_erosion(fits & area, iterations=2)
        filled = np.where(trusted, contrast, mask)
        flow = optical_flow_ilk(filled, mask, radius=_FLOW_RADIUS_PX, num_warp=3, gaussian=True)
        weight = trusted.astype(np.float32)
        known = ndimage.gaussian_filter(weight, _FLOW_SMOOTHNESS_PX) + np.float32(1e-3)
        smooth = [ndimage.gaussian_filter(one * weight, _FLOW_SMOOTHNESS_PX) / known for one in flow]
        field = np.clip(field + np.stack(smooth), -_MOST_DEFORMATION_PX, _MOST_DEFORMATION_PX).astype(np.float32)
    after = _scale((contrast - _band(deformed(log_mask, field)))[area])
    return field if after < _WORTH_IT * before else None


def deformed(frame: np.ndarray, field: np.ndarray) -> np.ndarray:
    """Return the frame (rows, columns) taken from where the displacement field (2, rows, columns) says."""
    places = np.indices(frame.shape, dtype=np.float32) + field
    return ndimage.map_coordinates(frame, places, order=5, mode="nearest")


def residual(log_mask: np.ndarray, log_contrast: np.ndarray, area: np.ndarray | None = None) -> float:
    """Return what structure a subtraction leaves outside vessels: a robust standard deviation of the compared band."""
    area = image_area(log_mask, log_contrast) if area is None else area
    return _scale(_band(np.asarray(log_contrast - log_mask, np.float32))[area]) if area.any() else float("nan")


def _band(frame: np.ndarray) -> np.ndarray:
    fine, coarse = (ndimage.gaussian_filter(frame, sigma) for sigma in _BAND_PX)
    return fine - coarse


def _scale(values: np.ndarray) -> float:
    """Return the standard deviation of normal values of the same median absolute deviation."""
    return float(1.4826 * np.median(np.abs(values - np.median(values))))


def _tukey(values: np.ndarray, scale: float) -> np.ndarray:
    ratio = values / max(_TUKEY * scale, 1e-9)
    return np.where(np.abs(ratio) < 1, (1 - ratio**2) ** 2, 0)


def _refined(mask, contrast, area, guess: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the shift (2,) near the guess, and what it leaves: a mean in which vessels count little."""
    shift = guess.copy()
    for _ in range(_MOST_WARPS):
        moved = ndimage.shift(mask, shift, order=3, mode="nearest")
        slopes = np.stack([one[area] for one in np.gradient(moved)])
        difference = (contrast - moved)[area]
        difference -= np.median(difference)
        weights = _tukey(difference, _scale(difference))
        normal = (slopes * weights) @ slopes.T
        if np.linalg.cond(normal) > 1e6:
            break
        # A picture moved by s is about the picture minus s times its slope.
        step = -np.linalg.solve(normal, (slopes * weights) @ difference)
        step *= min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-9))
        shift += step
        if np.abs(step).max() < _CLOSE_PX:
            break
    moved = ndimage.shift(mask, shift, order=3, mode="nearest")
    difference = (contrast - moved)[area]
    return shift, float(np.mean(np.abs(difference - np.median(difference)) ** 0.5))
