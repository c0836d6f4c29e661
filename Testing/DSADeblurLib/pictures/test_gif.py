"""GIF films, as Pillow reads them back."""

import tracemalloc

import numpy as np
import pytest
from PIL import Image, ImageSequence

from DSADeblurLib.pictures import PictureError, display_window, side_by_side, write_gif


@pytest.mark.parametrize(
    ("times", "expected", "said"),
    [
        ([0, 0.125, 0.25, 0.375, 0.5], [120, 130, 130, 120, 120], True),
        ([0, 0.1, 0.25, 0.4, 0.9], [100, 150, 150, 500, 500], False),
        (None, [100] * 5, True),
        ([0, 0.01, 0.02, 0.03, 0.04], [20] * 5, True),
    ],
)
def test_frames_and_times(runs, tmp_path, times, expected, said):
    original, deblurred = runs()
    notes = write_gif(tmp_path / "run.gif", original, deblurred, times=times)
    assert bool(notes) == said
    window = display_window(original)
    with Image.open(tmp_path / "run.gif") as film:
        assert film.n_frames == 5 and film.info["loop"] == 0
        found = [(frame.info["duration"], np.asarray(frame.convert("L"))) for frame in ImageSequence.Iterator(film)]
    # Half of a hundredth goes to the nearest even end.
    assert sum(one for one, _ in found) == pytest.approx(sum(expected), abs=10)
    np.testing.assert_allclose([one for one, _ in found], expected, atol=10)
    for index, (_, grey) in enumerate(found):
        picture = np.asarray(side_by_side(original[index], deblurred[index], window))
        np.testing.assert_array_equal(grey, picture)


def _peak(path, original, deblurred):
    tracemalloc.start()
    write_gif(path, original, deblurred, window=(1000, 9000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_memory_does_not_grow_with_the_run(runs, tmp_path):
    few = _peak(tmp_path / "few.gif", *runs(3, rows=256, columns=256))
    original, deblurred = runs(60, rows=256, columns=256)
    # Sixty pictures alone would be 7.9 MB.
    assert _peak(tmp_path / "many.gif", original, deblurred) < few + 1e6
    assert original.asked == deblurred.asked == list(range(60))


def test_failure_leaves_an_existing_film_alone(runs, tmp_path):
    original, deblurred = runs()
    (tmp_path / "run.gif").write_bytes(b"precious")
    broken = [deblurred[0], deblurred[1], np.zeros((3, 3)), deblurred[3], deblurred[4]]
    with pytest.raises(PictureError, match="are not frames of one size"):
        write_gif(tmp_path / "run.gif", original, broken)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"precious"]


def test_runs_of_different_length(runs, tmp_path):
    with pytest.raises(PictureError, match="5 original and 4 deblurred frames do not fit"):
        write_gif(tmp_path / "run.gif", runs(5)[0], runs(4)[1])
