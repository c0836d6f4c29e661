"""PNG pictures, as Pillow reads them back."""

import os

import numpy as np
import pytest
from PIL import Image

from DSADeblurLib.pictures import LABEL, PictureError, display_window, side_by_side, write_marked_png, write_png


def test_round_trip(runs, tmp_path):
    original, deblurred = (one[2] for one in runs())
    path = write_png(tmp_path / "frame.png", original, deblurred)
    with Image.open(path) as picture:
        assert picture.text["Description"] == LABEL and picture.mode == "L"
        expected = side_by_side(original, deblurred, display_window([original]))
        np.testing.assert_array_equal(np.asarray(picture), np.asarray(expected))
    assert sorted(tmp_path.iterdir()) == [path]


def test_folder_that_does_not_exist(tmp_path):
    with pytest.raises(PictureError, match="Cannot write frame.png: No such file or directory."):
        write_png(tmp_path / "none" / "frame.png", np.zeros((4, 4)), np.zeros((4, 4)))


def test_planted_links_are_not_followed(tmp_path):
    (tmp_path / "precious").write_bytes(b"precious")
    for name in ("frame.png", f".frame.{os.getpid()}.part.png"):
        (tmp_path / name).symlink_to(tmp_path / "precious")
    write_png(tmp_path / "frame.png", np.zeros((4, 4)), np.zeros((4, 4)))
    assert (tmp_path / "precious").read_bytes() == b"precious" and not (tmp_path / "frame.png").is_symlink()
    with Image.open(tmp_path / "frame.png") as picture:
        assert picture.format == "PNG"


def test_places_are_marked_in_both_halves(runs, tmp_path):
    original, deblurred = (one[2] for one in runs())
    path = write_marked_png(tmp_path / "marked.png", original, deblurred, [(10, 20)])
    with Image.open(path) as picture:
        assert picture.text["Description"] == LABEL and picture.mode == "RGB"
        colours = np.asarray(picture).astype(int)
    red = colours[..., 0] > colours[..., 1] + 50
    plain = np.asarray(side_by_side(original, deblurred, display_window([original])))
    np.testing.assert_array_equal(colours[..., 1][~red], plain[~red])
    rows, columns = np.nonzero(red)
    half = (plain.shape[1] - 4) // 2
    scale = half / original.shape[1]
    for left in (0, half + 4):
        inside = (columns >= left) & (columns < left + half)
        assert abs(rows[inside].mean() - 10.5 * scale) < 1 and abs(columns[inside].mean() - left - 20.5 * scale) < 1
