"""Writes a derived node beside its original as a picture or a film, as the views show them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from slicer.i18n import tr as _

from DSADeblurScene.compare import originalFrames
from DSADeblurScene.export_frames import Watch, watched
from DSADeblurScene.export_result import Result
from DSADeblurScene.input import shownIndex, shownVolume
from DSADeblurScene.run_file import loadedRun


def writePicture(result: Result, path: Path, watch: Watch) -> tuple[str, ...]:
    """Write original | deblurred of the frame that is shown as PNG; return sentences for the user.

    Raises:
        ValueError: one sentence, if no frame of the result is shown.
        PictureError: one sentence, if it cannot be written; then nothing is left.
    """
    from DSADeblurLib.pictures import write_png

    index = shownFrame(result)
    watch.expect(1)
    original, deblurred = originalFrames(result.node), watched(result.run.frames, watch)
    write_png(path, original[index], deblurred[index], window=shownWindow(result))
    return ()


def writeFilm(result: Result, path: Path, watch: Watch) -> tuple[str, ...]:
    """Write original | deblurred of all frames as GIF or MP4, by the ending of the path; return sentences for the user.

    Raises:
        PictureError: one sentence, if it cannot be written; then nothing is left.
    """
    from DSADeblurLib.pictures import write_gif, write_mp4

    write = {".gif": write_gif, ".mp4": write_mp4}[path.suffix]
    watch.expect(len(result.numbers))
    times, window = frameTimes(result), shownWindow(result)
    return write(path, originalFrames(result.node), watched(result.run.frames, watch), times=times, window=window)


def shownFrame(result: Result) -> int:
    """Index, counted from 0, of the frame of the result that a browser or a slice view shows.

    Raises:
        ValueError: one sentence, if none is.
    """
    index = shownIndex(result.node)
    if not 0 <= index < len(result.numbers):
        raise ValueError(_("No frame of the result is shown; step to one in the sequence browser or in a slice view."))
    return index


def shownWindow(result: Result) -> tuple[float, float] | None:
    """Lowest and highest displayed value of the result; None when it is not displayed."""
    volume = shownVolume(result.node)
    display = volume.GetDisplayNode() if volume is not None else None
    if display is None or not display.GetWindowLevelMax() > display.GetWindowLevelMin():
        return None
    return display.GetWindowLevelMin(), display.GetWindowLevelMax()


def frameTimes(result: Result) -> np.ndarray | None:
    """Seconds of each frame of the result by the DICOM header, else by the index of the sequence; None without both."""
    times = loadedRun(result.source, result.request.facts).run.times
    if times is not None:
        return times[np.array(result.numbers) - 1]
    if not result.run.isSequence or result.node.GetIndexUnit() != "s":
        return None
    try:
        return np.array([float(text) for text in result.run.indexValues])
    except ValueError:
        return None
