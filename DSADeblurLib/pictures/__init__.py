"""Pictures and films for talks: original and deblurred side by side, marked as what they are."""

from DSADeblurLib.errors import PictureError
from DSADeblurLib.pictures.compose import LABEL, display_window, side_by_side
from DSADeblurLib.pictures.gif import write_gif
from DSADeblurLib.pictures.mp4 import write_mp4
from DSADeblurLib.pictures.png import write_marked_png, write_png

__all__ = [
    "LABEL",
    "PictureError",
    "display_window",
    "side_by_side",
    "write_gif",
    "write_marked_png",
    "write_mp4",
    "write_png",
]
