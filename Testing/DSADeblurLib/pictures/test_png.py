"""PNG pictures, as Pillow reads them back."""

import os

import numpy as np
import pytest
from PIL import Image

from DSADeblurLib.pictures import LABEL, PictureError, display_window, side_by_side, write_png


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
