"""A run as an MP4 film, through FFmpeg (the optional package imageio-ffmpeg), one frame at a time."""

import math
import os
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from DSADeblurLib.errors import PictureError
from DSADeblurLib.lazy_frames import Frames
from DSADeblurLib.pictures.compose import display_window, side_by_side
from DSADeblurLib.pictures.picture_file import picture_file
from DSADeblurLib.pictures.timing import durations_of, rounded

# H.264 at a quality where compression cannot be seen.
_ENCODING = ["-crf", "14", "-preset", "veryfast", "-movflags", "+faststart"]


def write_mp4(
    path: str | os.PathLike,
    originals: Frames,
    deblurred: Frames,
    *,
    times: ArrayLike | None = None,
    window: tuple[float, float] | None = None,
) -> tuple[str, ...]:
    """Write two runs side by side as an H.264 film.

    A film has one frame rate: where the times are not uniform, it is high enough for all of them and frames are
    repeated.

    Args:
        path: of the film; an older one is replaced.
        originals, deblurred: (n, rows, columns) each, read one frame at a time.
        times: of the frames in seconds, ascending.
        window: (lowest, highest) displayed value for both, by default the originals'.

    Returns:
        Sentences for the user.

    Raises:
        PictureError: one sentence, also where imageio-ffmpeg is missing; then a file at `path` is as it was.
    """
    try:
        import imageio_ffmpeg
    except ImportError as error:
        raise PictureError(
            "MP4 films need the Python package imageio-ffmpeg: pip install imageio-ffmpeg, or choose GIF."
        ) from error
    path = Path(path)
    if path.suffix.lower() != ".mp4":
        raise PictureError(f"The name of an MP4 film ends with .mp4; {path.name} does not.")
    if len(originals) != len(deblurred):
        raise PictureError(f"{len(originals)} original and {len(deblurred)} deblurred frames do not fit each other.")
    durations, notes = durations_of(len(originals), times)
    rate, repeats, rounding = _rate(durations)
    window = window or display_window(originals)
    first = side_by_side(originals[0], deblurred[0], window)
    with picture_file(path) as unfinished:
        film = imageio_ffmpeg.write_frames(
            str(unfinished),
            first.size,
            pix_fmt_in="gray",
            fps=rate,
            codec="libx264",
            quality=None,
            macro_block_size=1,
            ffmpeg_log_level="fatal",
            output_params=list(_ENCODING),
        )
        film.send(None)
        try:
            for index, count in enumerate(repeats):
                picture = side_by_side(originals[index], deblurred[index], window).tobytes()
                for _ in range(count):
                    film.send(picture)
        finally:
            film.close()
        _check(imageio_ffmpeg, unfinished, path, int(repeats.sum()))
    return notes + rounding


def _rate(durations: np.ndarray) -> tuple[Fraction, np.ndarray, tuple[str, ...]]:
    """Return frames per second, how often each frame is repeated, and what there is to say."""
    step = durations[0]
    if step > 0 and np.allclose(durations, step, rtol=1e-6, atol=1e-7):
        return 1 / Fraction(float(step)).limit_denominator(100_000), np.ones(len(durations), np.int64), ()
    milliseconds = np.maximum(np.rint(durations * 1000).astype(np.int64), 1)
    tick = math.gcd(*map(int, milliseconds))
    if tick < 5 or np.abs(milliseconds / 1000 - durations).max() > 1e-6:
        tick = 10
    repeats = rounded(durations, tick / 1000, 1)
    exact = np.abs(repeats * tick / 1000 - durations).max() < 1e-6
    notes = () if exact else (f"Frame times are rounded to {tick} milliseconds in this film.",)
    return Fraction(1000, tick), repeats, notes


def _check(imageio_ffmpeg, unfinished: Path, path: Path, expected: int) -> None:
    """Count the frames of the film: FFmpeg's own failure, for example on a full disk, is not reported otherwise."""
    try:
        count, _ = imageio_ffmpeg.count_frames_and_secs(str(unfinished))
    except (RuntimeError, OSError):
        count = 0
    if count != expected:
        raise PictureError(f"Cannot write {path.name}: FFmpeg wrote {count} of {expected} frames; is the disk full?")
