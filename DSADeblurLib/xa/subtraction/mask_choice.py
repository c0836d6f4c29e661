"""Find mask frames in the pixels of a run: the frames before the contrast agent arrives."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from DSADeblurLib.errors import XAReadError
from DSADeblurLib.lazy_frames import Frames
from DSADeblurLib.xa.subtraction.registration import find_shift, image_area, needing_skimage
from DSADeblurLib.xa.subtraction.subtract import log_mean

# Frames are looked at on so few pixels: vessels stay, noise and small motion go.
_SIDE = 192
# Diameter of what counts as a vessel there.
_VESSEL_PX = 11
# More frames make a quieter mask, but the patient has more time to move.
MOST_MASK_FRAMES = 5
# The last frames before the arrival may hold its first trace; where there are enough others they are left out.
_GUARD = 2
# Of the whole rise of the contrast agent; below the first a frame counts as free of it.
_FREE, _ARRIVED = 0.08, 0.2
# What the rise must exceed: so many standard deviations of the frame-to-frame noise, and so much optical density.
_SIGNIFICANT, _LEAST_DENSITY = 8.0, 0.02
# Iodine only darkens; what moves darkens and brightens alike.
_ASYMMETRY = 1.5
# First exposures of a run may be darker than this part of the others while the tube's control settles.
_SETTLING = np.log(0.7)
_ASK = "give the numbers of the mask frames."


@dataclass(frozen=True)
class FoundMask:
    """Mask frames (1-based) that were found, and a sentence that says so."""

    frames: tuple[int, ...]
    note: str


def find_mask_frames(
    frames: Frames, relationship: str | None, log_slope: float | None = None, most: int = MOST_MASK_FRAMES
) -> FoundMask:
    """Return the last frames before contrast arrives.

    Args:
        frames: native frames (n, rows, columns), read once each, one at a time.
        relationship, log_slope: what the values mean, see `subtraction.log_mean`.
        most: how many frames the mask may have.

    Contrast agent shows as thin dark structures: their amount is the mean of the black top-hat of the reduced log
    frame, which neither a constant offset nor motion of what was there before changes. A run of n frames takes n
    frames of at most 192 pixels a side of memory.

    Raises:
        XAReadError: one sentence, when no frame without contrast agent can be told from frames with it.
    """
    count = len(frames)
    if count < 2:
        raise XAReadError("A single frame cannot be subtracted; a run with a mask frame is needed.")
    reduced = np.stack(
        [_reduced(log_mean(frames, (number,), relationship, log_slope)) for number in range(1, count + 1)]
    )
    area = image_area(reduced.min(axis=0), reduced.max(axis=0))
    area = area if area.any() else np.ones(area.shape, bool)
    disk = np.hypot(*np.ogrid[-(_VESSEL_PX // 2) : _VESSEL_PX // 2 + 1, -(_VESSEL_PX // 2) : _VESSEL_PX // 2 + 1])
    footprint = disk <= _VESSEL_PX / 2
    amount = np.array([ndimage.black_tophat(frame, footprint=footprint)[area].mean() for frame in reduced])
    level = np.array([np.median(frame[area]) for frame in reduced])

    settled = level > np.median(level) + _SETTLING
    smooth = ndimage.median_filter(amount, 3, mode="nearest")
    low, high = smooth[settled].min(), smooth[settled].max()
    rise = (smooth - low) / max(high - low, 1e-12)
    arrived = np.flatnonzero((rise > _ARRIVED) & settled)
    start = int(np.flatnonzero(settled)[0])
    onset = int(arrived[0]) if arrived.size else start
    free = [index for index in range(start, onset) if settled[index] and rise[index] < _FREE]
    peak = int(np.argmax(np.where(settled, smooth, -np.inf)))
    _check(amount, reduced, free, peak, area, high - low)
    # The amount of dark structure says little of a first trace; against a frame well before it shows.
    while len(free) > 1 and _iodine_between(reduced[free[0]], reduced[free[-1]], area):
        free.pop()
    guarded = free[:-_GUARD] if len(free) >= most + _GUARD else free
    chosen = tuple(index + 1 for index in guarded[-most:])
    listed = ", ".join(map(str, chosen))
    return FoundMask(
        chosen,
        f"Mask {'frame' if len(chosen) == 1 else 'frames'} {listed} chosen automatically: "
        f"contrast agent arrives after frame {free[-1] + 1}.",
    )


def _reduced(frame: np.ndarray) -> np.ndarray:
    """Return a log frame on about `_SIDE` pixels a side, float32."""
    with needing_skimage():
        from skimage.transform import downscale_local_mean
    factor = max(1, round(min(frame.shape) / _SIDE))
    rows, columns = (side - side % factor for side in frame.shape)
    return downscale_local_mean(frame[:rows, :columns], (factor, factor)).astype(np.float32)


def _check(amount, reduced, free: list[int], peak: int, area: np.ndarray, rise: float) -> None:
    """Raise unless contrast agent arrives after frames without it."""
    # Second differences know nothing of a slow rise; those of white noise have six times its variance.
    noise = 1.4826 * np.median(np.abs(np.diff(amount, 2))) / np.sqrt(6) if len(amount) > 4 else 0.0
    reference = reduced[free[-1] if free else int(np.argmin(amount))]
    if rise < _SIGNIFICANT * noise or not _iodine_between(reference, reduced[peak], area):
        raise XAReadError(f"No arrival of contrast agent is seen in this run; {_ASK}")
    if not free:
        raise XAReadError(f"Contrast agent is seen from the first frame on, so that no frame can be the mask; {_ASK}")


def _iodine_between(before: np.ndarray, after: np.ndarray, area: np.ndarray) -> bool:
    """Tell whether thin structures darkened. The patient may have moved, which darkens and brightens edges alike."""
    change = after - ndimage.shift(before, find_shift(before, after), mode="nearest")
    change = (change - ndimage.gaussian_filter(change, _VESSEL_PX))[area]
    dark, bright = -np.percentile(change, 0.5), np.percentile(change, 99.5)
    return bool(dark > _LEAST_DENSITY and dark > _ASYMMETRY * bright)
