"""Open a DICOM file that nobody vouches for: bounded reads, its syntax and class, and where its pixels lie."""

import os
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import FileDataset
from pydicom.filereader import read_dataset as parse_dataset
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from DSADeblurLib.xa.elements import printable, text_of
from DSADeblurLib.xa.enhanced import ENHANCED_CLASSES, make_classic
from DSADeblurLib.xa.errors import XAReadError, XASkipped, reading
from DSADeblurLib.xa.layout import NO_CHOICES, PixelChoices, PixelLayout, locate_pixels
from DSADeblurLib.xa.memory import check_memory

XA_IMAGE, XRF_IMAGE = "1.2.840.10008.5.1.4.1.1.12.1", "1.2.840.10008.5.1.4.1.1.12.2"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
SC_BYTE, SC_WORD = SECONDARY_CAPTURE + ".2", SECONDARY_CAPTURE + ".3"
SC_CLASSES = (SECONDARY_CAPTURE, SC_BYTE, SC_WORD)
_MAX_HEADER_ELEMENT = 256 * 2**20


class _BoundedFile:
    """A binary file that refuses reads past its end, so that a false length cannot claim memory."""

    def __init__(self, stream, size: int) -> None:
        self._stream, self._size = stream, size
        self.seek, self.tell, self.name = stream.seek, stream.tell, stream.name

    def read(self, size: int = -1) -> bytes:
        left = self._size - self._stream.tell()
        # Up to eight bytes are asked for to find out whether an element follows.
        if size > 8 and size > left:
            raise XAReadError(f"File is truncated: {max(left, 0)} of {size} bytes.")
        if min(size if size >= 0 else left, left) > _MAX_HEADER_ELEMENT:
            raise XAReadError(f"A header element is larger than {_MAX_HEADER_ELEMENT // 2**20} MiB.")
        return self._stream.read(size)


def read_dataset(
    path: str | os.PathLike, choices: PixelChoices = NO_CHOICES
) -> tuple[FileDataset, PixelLayout]:
    """Return the data set without pixel data, and where the pixel data lies. Raises XAReadError.

    An Enhanced XA or XRF object comes with the attributes of a classic one, see `enhanced.make_classic`.
    """
    path = Path(path)
    with reading(), open(path, "rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        bounded = _BoundedFile(stream, size)
        syntax = _transfer_syntax(bounded)
        stream.seek(0)
        dataset = dcmread(bounded, stop_before_pixels=True)
        check_sop_class(dataset)
        layout = locate_pixels(path, bounded, size, dataset, syntax, choices)
        check_memory(layout)
        make_classic(dataset, layout.frames)
        return dataset, layout


def _transfer_syntax(stream: _BoundedFile) -> str:
    """Return the transfer syntax from the file meta information alone: a deflated file must not be inflated to ask."""
    stream.seek(128)
    if stream.read(4) != b"DICM":
        raise XASkipped("Not a DICOM file.")
    meta = parse_dataset(stream, False, True, stop_when=lambda tag, vr, length: tag.group != 2)
    syntax = text_of(meta, "TransferSyntaxUID")
    if not syntax:
        raise XAReadError("The file does not name its transfer syntax; convert it to a DICOM file first.")
    if syntax == DeflatedExplicitVRLittleEndian:
        raise XAReadError("Deflated transfer syntax is not supported; convert the file to "
                          "Explicit VR Little Endian first.")
    if UID(syntax).is_private or not UID(syntax).is_transfer_syntax:
        raise XAReadError(f"Unknown transfer syntax {printable(syntax)}.")
    return syntax


def check_sop_class(dataset: FileDataset) -> None:
    """Raise XASkipped unless the object is one of the supported image classes."""
    uid = text_of(dataset, "SOPClassUID")
    if uid not in (XA_IMAGE, XRF_IMAGE, *SC_CLASSES, *ENHANCED_CLASSES):
        raise XASkipped(f"Unsupported SOP class {printable(uid) or '(none)'}. Supported: X-Ray Angiographic / "
                        "Radiofluoroscopic, also Enhanced, and grey-scale Secondary Capture.")
