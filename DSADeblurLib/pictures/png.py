"""One frame as a PNG picture."""

import os
from pathlib import Path

import numpy as np

from DSADeblurLib.pictures.compose import LABEL, display_window, side_by_side
from DSADeblurLib.pictures.picture_file import picture_file


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
    from PIL.PngImagePlugin import PngInfo

    picture = side_by_side(original, deblurred, window or display_window(np.asarray(original)[None]))
    label = PngInfo()
    label.add_text("Description", LABEL)
    with picture_file(path) as unfinished:
        picture.save(unfinished, "PNG", pnginfo=label)
    return Path(path)
