"""Pictures and films of a result show both halves of the frames, in the times of the run."""

from __future__ import annotations

import numpy as np
import pytest
import samples
import slicer
import viewhost
from exporting import MASKED, export, leftovers, load
from results import deblurred
from scenes import allFrames

pytestmark = [pytest.mark.usefixtures("host"), pytest.mark.slow]


def panels(picture) -> tuple[np.ndarray, np.ndarray]:
    """The halves of a picture, made smaller to the size of the frames: float arrays."""
    pixels = np.asarray(picture.convert("L"), float)
    width = (pixels.shape[1] - 4) // 2
    return pixels[:, :width], pixels[:, width + 4 :]


def likeness(panel, frame) -> float:
    """Correlation of a panel with a frame, above the label and below the small words."""
    factor = panel.shape[1] // frame.shape[1]
    part = slice(len(panel) // 5, 3 * len(panel) // 4)
    enlarged = np.kron(frame, np.ones((factor, factor)))
    return np.corrcoef(panel[: len(enlarged)][part].ravel(), enlarged[part].ravel())[0, 1]


@pytest.mark.parametrize("subtracted", [False, True])
def test_picture_has_both_halves_of_the_shown_frame_and_the_label(tmp_path, out, subtracted):
    from PIL import Image

    from DSADeblurLib.pictures import LABEL, side_by_side
    from DSADeblurScene.compare import originalFrames
    from DSADeblurScene.derived import setWindow
    from DSADeblurScene.input import browserForSequence, shownVolume

    source = load(tmp_path / "a.dcm", samples.vessel_frames(rows=128, cols=128), **(MASKED if subtracted else {}))
    node = deblurred(source)
    window = (-1.5, 0.5) if subtracted else (300.0, 3000.0)
    setWindow(shownVolume(node), *window)
    viewhost.showFrame(browserForSequence(source), 5)
    count = slicer.mrmlScene.GetNumberOfNodes()
    with Image.open(export(node, out, "png").path) as picture:
        picture.load()
    assert slicer.mrmlScene.GetNumberOfNodes() == count and picture.info["Description"] == LABEL
    index = 2 if subtracted else 4
    frames = [np.clip(one[index], *window) for one in (originalFrames(node), allFrames(node))]
    left, right = panels(picture)
    assert likeness(left, frames[0]) > 0.999 and likeness(right, frames[1]) > 0.999
    assert np.array_equal(np.asarray(picture), np.asarray(side_by_side(*frames, window)))
    # White letters on black over the whole width of the deblurred half, and only there.
    assert {0, 255} <= set(right[-20:].ravel()) and (right[-20:] == 0).mean() > 0.4 > 0.1 > (left[-20:] == 0).mean()


def test_picture_of_a_frame_that_the_result_does_not_have(tmp_path, out):
    from DSADeblurScene.input import browserForSequence

    node = deblurred(load(tmp_path / "a.dcm"), frame_range=(3, 4))
    viewhost.showFrame(browserForSequence(node), 6)
    with pytest.raises(ValueError, match="No frame of the result is shown"):
        export(node, out, "png")
    viewhost.showFrame(browserForSequence(node), 3)
    assert export(node, out, "png").path.exists()


def test_picture_of_a_stack_is_of_the_slice_that_is_shown(host, tmp_path, out):
    from DSADeblurScene.export_pictures import shownFrame
    from DSADeblurScene.export_result import resultOf
    from DSADeblurScene.layouts import VIEWS, showSideBySide

    node = deblurred(load(tmp_path / "a.dcm", stack=True), frame_range=(2, 5))
    with pytest.raises(ValueError, match="No frame of the result is shown"):
        export(node, out, "png")
    showSideBySide(node, node)
    view = slicer.app.applicationLogic().GetSliceLogicByLayoutName(VIEWS[0])
    shown = []
    for index in range(4):
        ijkToRas = slicer.util.vtkMatrixFromArray(np.eye(4))
        node.GetIJKToRASMatrix(ijkToRas)
        view.GetSliceNode().JumpSliceByCentering(*ijkToRas.MultiplyPoint((10, 10, index, 1))[:3])
        shown.append(shownFrame(resultOf(node)))
    assert shown == [0, 1, 2, 3] and export(node, out, "png").path.exists()


def durations(path) -> list[int]:
    """Milliseconds of each frame of a GIF."""
    from PIL import Image, ImageSequence

    with Image.open(path) as film:
        return [frame.info["duration"] for frame in ImageSequence.Iterator(film)]


@pytest.mark.parametrize(
    ("written", "chosen", "expected"),
    [
        ({}, {}, [250] * 6),
        ({"frame_times": [0, 100, 200, 50, 300, 400]}, {"frame_range": (2, 5)}, [200, 50, 300, 300]),
        ({"known": False}, {}, [250] * 6),
        ({"known": False, "frame_time": None}, {}, [100] * 6),
        ({"stack": True, **MASKED}, {}, [250] * 4),
    ],
)
def test_film_plays_with_the_times_of_the_run(tmp_path, out, written, chosen, expected):
    node = deblurred(load(tmp_path / "a.dcm", **written), **chosen)
    exported = export(node, out, "gif")
    assert durations(exported.path) == expected and leftovers(out) == [exported.path]
    assert ("no times" in exported.summary) is (expected == [100] * 6)


def test_mp4_has_all_frames(tmp_path, out):
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg", reason="imageio-ffmpeg is not installed")
    done = []
    node = deblurred(load(tmp_path / "a.dcm", **MASKED))
    path = export(node, out, "mp4", lambda *step: done.append(step)).path
    assert imageio_ffmpeg.count_frames_and_secs(str(path)) == (4, pytest.approx(1.0, abs=0.05))
    assert done[-1] == (4, 4) and leftovers(out) == [path]
