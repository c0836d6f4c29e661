"""One frame as a PNG picture, plain or with places marked."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from DSADeblurLib.pictures.compose import GAP, LABEL, display_window, side_by_side
from DSADeblurLib.pictures.picture_file import picture_file

_RED = (255, 64, 64)
# Radius of a circle, over the width of a frame.
_CIRCLE = 0.015


def write_png(
    path: str | os.PathLike, original: np.ndarray, deblurred: np.ndarray, *, window: tuple[float, float] | None = None
) -> Path:
    """Write original and deblurred side by side.

    Args:
        path: of the picture; an older one is replaced.
        original, deblurred: (rows, columns) each, of any number type.
        window: (lowest, highest) displayed value for both, by default the original's.

    Returns:
        `path`.

    Raises:
        PictureError: one sentence; then a file at `path` is as it was.
    """
    return _save(path, side_by_side(original, deblurred, window or display_window(np.asarray(original)[None])))


def write_marked_png(
    path: str | os.PathLike, original: np.ndarray, deblurred: np.ndarray, places: Sequence[tuple[int, int]]
) -> Path:
    """Write original and deblurred side by side, with a red circle around each place in both.

    Args:
        path, original, deblurred: as for `write_png`.
        places: row and column in pixels of the frames.

    Returns:
        `path`.

    Raises:
        PictureError: as for `write_png`.
    """
    columns = np.asarray(original).shape[1]
    grey = side_by_side(original, deblurred, display_window(np.asarray(original)[None]))
    picture = grey.convert("RGB")
    draw, half = ImageDraw.Draw(picture), (picture.width - GAP) // 2
    scale, radius = half / columns, max(_CIRCLE * half, 6)
    for row, column in places:
        for left in (0, half + GAP):
            x, y = left + (column + 0.5) * scale, (row + 0.5) * scale
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=_RED, width=max(1, half // 400))
    # The label stays readable whatever is marked.
    picture.paste(grey.crop((half + GAP, int(0.9 * grey.height), *grey.size)), (half + GAP, int(0.9 * grey.height)))
    return _save(path, picture)


def _save(path: str | os.PathLike, picture: Image.Image) -> Path:
    from PIL.PngImagePlugin import PngInfo

    label = PngInfo()
    label.add_text("Description", LABEL)
    with picture_file(path) as unfinished:
        picture.save(unfinished, "PNG", pnginfo=label)
    return Path(path)
