"""MP4 films, as FFmpeg reads them back."""

import sys

import numpy as np
import pytest

from DSADeblurLib.pictures import PictureError, display_window, mp4, side_by_side, write_mp4

imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg", reason="imageio-ffmpeg is not installed")


def _read(path):
    """Return frames per second and all frames as grey pictures."""
    reader = imageio_ffmpeg.read_frames(str(path), pix_fmt="gray", bits_per_pixel=8)
    facts = next(reader)
    width, height = facts["size"]
    return facts["fps"], [np.frombuffer(one, np.uint8).reshape(height, width) for one in reader]


def test_uniform_times(runs, tmp_path):
    original, deblurred = runs()
    assert write_mp4(tmp_path / "run.mp4", original, deblurred, times=np.arange(5) * 0.125) == ()
    rate, frames = _read(tmp_path / "run.mp4")
    assert rate == 8 and len(frames) == 5
    for index, frame in enumerate(frames):
        picture = np.asarray(side_by_side(original[index], deblurred[index], display_window(original)), dtype=int)
        assert np.abs(frame - picture).mean() < 2 and frame.shape == picture.shape
    assert sorted(tmp_path.iterdir()) == [tmp_path / "run.mp4"]


@pytest.mark.parametrize(
    ("times", "rate", "repeats", "said"),
    [
        ([0, 0.1, 0.25, 0.4, 0.9], 20, [2, 3, 3, 10, 10], False),
        ([0, 0.033367, 0.0667, 0.5, 0.6], 100, [3, 4, 43, 10, 10], True),
    ],
)
def test_times_that_are_not_uniform(runs, tmp_path, times, rate, repeats, said):
    original, deblurred = runs()
    assert bool(write_mp4(tmp_path / "run.mp4", original, deblurred, times=times)) == said
    found, frames = _read(tmp_path / "run.mp4")
    assert found == rate and len(frames) == sum(repeats)
    # A frame begins where the brightness of the ramp jumps.
    level = np.array([frame[40:, 150:200].astype(float).mean() for frame in frames])
    assert np.flatnonzero(np.abs(np.diff(level)) > 2).tolist() == (np.cumsum(repeats)[:-1] - 1).tolist()


def test_odd_rate_and_odd_size(runs, tmp_path):
    original, deblurred = runs(4, rows=301, columns=257)
    assert write_mp4(tmp_path / "run.mp4", original, deblurred, times=np.arange(4) * 1.001 / 30) == ()
    rate, frames = _read(tmp_path / "run.mp4")
    assert rate == pytest.approx(29.97, abs=0.01) and frames[0].shape == (302, 518)


def test_without_ffmpeg(runs, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(PictureError, match="MP4 films need the Python package imageio-ffmpeg: pip install"):
        write_mp4(tmp_path / "run.mp4", *runs())


def test_failures_leave_nothing(runs, tmp_path, monkeypatch):
    original, deblurred = runs()
    with pytest.raises(PictureError, match="run.avi does not"):
        write_mp4(tmp_path / "run.avi", original, deblurred)
    with pytest.raises(PictureError, match="5 original and 4 deblurred frames do not fit"):
        write_mp4(tmp_path / "run.mp4", original, runs(4)[1])
    with pytest.raises(PictureError, match="are not frames of one size"):
        write_mp4(tmp_path / "run.mp4", original, [*[deblurred[0]] * 4, np.zeros((3, 3))])
    with pytest.raises(PictureError, match="Cannot write run.mp4"):
        write_mp4(tmp_path / "none" / "run.mp4", original, deblurred)
    monkeypatch.setattr(mp4, "_ENCODING", ["-frames:v", "3"])
    with pytest.raises(PictureError, match="FFmpeg wrote 3 of 5 frames; is the disk full?"):
        write_mp4(tmp_path / "run.mp4", original, deblurred)
    assert list(tmp_path.iterdir()) == []
