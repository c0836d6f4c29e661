"""One picture of one frame: original | deblurred in the same window, with a label that cannot be cropped away."""

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from DSADeblurLib.errors import PictureError
from DSADeblurLib.lazy_frames import Frames, evenly_spaced

LABEL = "AI-DEBLURRED, RESEARCH USE ONLY"
# Narrower panels are enlarged by a whole factor, or the label could not be read; larger ones are made smaller.
SMALLEST, LARGEST = 256, 1024
_SAMPLED_FRAMES, _SAMPLED_PIXELS = 24, 200_000
GAP = 4


def display_window(frames: Frames) -> tuple[float, float]:
    """Return (lowest, highest) displayed value: the 0.5 and 99.5 percentiles of a sample of the frames.

    Args:
        frames: (n, rows, columns), of any number type, read one at a time.

    Raises:
        PictureError: one sentence, when there is no frame or no finite value.
    """
    chosen = evenly_spaced(len(frames), _SAMPLED_FRAMES)
    samples = []
    for index in chosen:
        values = np.asarray(frames[index]).ravel()
        values = values[:: max(1, values.size * len(chosen) // _SAMPLED_PIXELS)].astype(np.float64)
        samples.append(values[np.isfinite(values)])
    if not samples or not sum(one.size for one in samples):
        raise PictureError("There is no frame with values to be shown.")
    low, high = np.percentile(np.concatenate(samples), (0.5, 99.5))
    return float(low), float(high) if high > low else float(low) + 1.0


def side_by_side(original: np.ndarray, deblurred: np.ndarray, window: tuple[float, float]) -> Image.Image:
    """Return an 8-bit grey picture of original (left) and deblurred (right).

    The label is drawn in white on black into the deblurred half, over its whole width, so that it can be read on any
    background. The picture's sides are even numbers, as films need them.

    Args:
        original, deblurred: (rows, columns) each, of any number type.
        window: the lowest and the highest value, shown black and white.

    Raises:
        PictureError: one sentence, when the two frames differ in shape.
    """
    original, deblurred = np.asarray(original), np.asarray(deblurred)
    if original.ndim != 2 or original.shape != deblurred.shape or not original.size:
        raise PictureError(f"Original {original.shape} and deblurred {deblurred.shape} are not frames of one size.")
    left, right = _panel(original, window), _panel(deblurred, window)
    _write(left, "original", top=True)
    _write(right, "deblurred", top=True)
    _write(right, LABEL, top=False)
    width, height = left.size
    picture = Image.new("L", (2 * width + GAP, height + height % 2))
    picture.paste(left, (0, 0))
    picture.paste(right, (width + GAP, 0))
    return picture


def _panel(frame: np.ndarray, window: tuple[float, float]) -> Image.Image:
    low, high = window
    grey = np.nan_to_num((frame.astype(np.float64) - low) * (255.0 / (high - low)), nan=0.0, posinf=255.0, neginf=0.0)
    panel = Image.fromarray(np.clip(np.rint(grey), 0, 255).astype(np.uint8))
    width, height = panel.size
    if width < SMALLEST:
        factor = -(-SMALLEST // width)
        return panel.resize((factor * width, factor * height), Image.Resampling.NEAREST)
    if max(width, height) > LARGEST:
        shrink = LARGEST / max(width, height)
        return panel.resize((max(1, round(width * shrink)), max(1, round(height * shrink))), Image.Resampling.LANCZOS)
    return panel


def _write(panel: Image.Image, text: str, top: bool) -> None:
    """Draw a line of white text on black into the panel: small in the upper corner, over the whole width below."""
    width, height = panel.size
    size = max(12, width // 36) if top else _fitting_size(text, width)
    place, anchor = ((size / 2, size / 2), "la") if top else ((width / 2, height - size / 2), "md")
    font, draw = _font(size), ImageDraw.Draw(panel)
    left, upper, right, lower = draw.textbbox(place, text, font=font, anchor=anchor)
    rim = size / 4
    draw.rectangle((left - rim, upper - rim, right + rim, lower + rim), fill=0)
    draw.text(place, text, fill=255, font=font, anchor=anchor)


def _fitting_size(text: str, width: float) -> int:
    # Text is about twice as wide for twice the size, so that one measurement tells.
    return max(10, int(20 * 0.92 * width / _font(20).getlength(text, "L")))


@lru_cache(maxsize=8)
def _font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """One font of each size: every new one is decoded again and stays until the next collection of garbage."""
    return ImageFont.load_default(size)
