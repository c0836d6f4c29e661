"""A run as an animated GIF, written one frame at a time."""

import os

import numpy as np
from numpy.typing import ArrayLike
from PIL import GifImagePlugin

from DSADeblurLib.errors import PictureError
from DSADeblurLib.lazy_frames import Frames
from DSADeblurLib.pictures.compose import display_window, side_by_side
from DSADeblurLib.pictures.picture_file import picture_file
from DSADeblurLib.pictures.timing import durations_of, rounded

# Most viewers show a frame of less than two hundredths of a second for ten.
_LEAST = 2
_MOST = 65535


def write_gif(
    path: str | os.PathLike,
    originals: Frames,
    deblurred: Frames,
    *,
    times: ArrayLike | None = None,
    window: tuple[float, float] | None = None,
) -> tuple[str, ...]:
    """Write two runs side by side as a GIF that repeats.

    Args:
        path: of the film; an older one is replaced.
        originals, deblurred: (n, rows, columns) each, read one frame at a time.
        times: of the frames in seconds, ascending.
        window: (lowest, highest) displayed value for both, by default the originals'.

    Returns:
        Sentences for the user: a GIF counts time in hundredths of a second.

    Raises:
        PictureError: one sentence; then a file at `path` is as it was.
    """
    if len(originals) != len(deblurred):
        raise PictureError(f"{len(originals)} original and {len(deblurred)} deblurred frames do not fit each other.")
    durations, notes = durations_of(len(originals), times)
    shown = np.minimum(rounded(durations, 0.01, _LEAST), _MOST)
    if np.abs(shown * 0.01 - durations).max() > 1e-6:
        notes += (f"Frame times are rounded to hundredths of a second, and to at least {_LEAST}, in a GIF.",)
    window = window or display_window(originals)
    with picture_file(path) as unfinished, open(unfinished, "wb") as stream:
        for index, hundredths in enumerate(shown):
            picture = side_by_side(originals[index], deblurred[index], window)
            # Pillow's own writer of animations keeps all frames; these two functions write one.
            if index == 0:
                header, _ = GifImagePlugin.getheader(picture.copy(), info={"loop": 0, "duration": 10})
                stream.write(b"".join(header))
            blocks = GifImagePlugin.getdata(picture, duration=int(hundredths) * 10)
            stream.writelines(blocks)
            # Pillow's own reference to this list is part of a cycle, which is collected much later.
            blocks.clear()
        stream.write(b";")
    return notes
