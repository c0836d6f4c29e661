"""What in a header says that a run is not what the networks are made for: frames for display, or hardly any blur."""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000, UID, JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless

from DSADeblurLib.xa.file.elements import numbers_of, text_of

_LOSSY_METHODS = {
    JPEGBaseline8Bit: "ISO_10918_1",
    JPEGExtended12Bit: "ISO_10918_1",
    JPEGLSNearLossless: "ISO_14495_1",
    JPEG2000: "ISO_15444_1",
}
# Less than this in pixels is not told from none.
_LEAST_BLUR_PX = 1.0
_FEWEST_BITS = 10


def lossy_method(transfer_syntax: str) -> str | None:
    """The defined term for how a transfer syntax compresses with loss; None where it does not (C.7.6.1.1.5)."""
    return _LOSSY_METHODS.get(UID(transfer_syntax))


def was_lossy(dataset: Dataset, transfer_syntax: str) -> bool:
    """Whether pixels were ever compressed with loss, by the syntax of the file or by what its header says."""
    # (0008,2110) is the retired place of the flag; old files have it only there.
    said = "01" in (text_of(dataset, "LossyImageCompression"), text_of(dataset, "LossyImageCompressionRetired"))
    return said or lossy_method(transfer_syntax) is not None


def outside_of_purpose(
    dataset: Dataset,
    transfer_syntax: str,
    bits_stored: int,
    relationship: str | None,
    blur_px: tuple[float, float] | None,
) -> list[str]:
    """Return one sentence for each thing that the networks were not trained for.

    Args:
        dataset: the header.
        transfer_syntax: of the file.
        bits_stored: of a pixel.
        relationship: the Pixel Intensity Relationship, None where unknown.
        blur_px: width (rows, columns) of what the focal spot blurs more than a small one; None where unknown.
    """
    found = []
    if blur_px is not None and max(blur_px) < _LEAST_BLUR_PX:
        found.append(
            "The focal spot blurs these frames by {:.1f} x {:.1f} pixels only: what makes them soft is something else, "
            "for which DSADeblur is not made.".format(*blur_px)
        )
    if bits_stored < _FEWEST_BITS or relationship == "DISP":
        values = f"{bits_stored} bits" if bits_stored < _FEWEST_BITS else "values"
        found.append(f"These frames hold {values} made for display; faint vessels may have been lost before.")
    if was_lossy(dataset, transfer_syntax):
        ratios = numbers_of(dataset, "LossyImageCompressionRatio") or ()
        words = f" (to a {ratios[0]:.0f}th)" if ratios and ratios[0] > 1 else ""
        found.append(f"These frames were once compressed with loss{words}; what that did to them is sharpened too.")
    return found
