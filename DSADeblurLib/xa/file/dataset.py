"""Open a DICOM file that nobody vouches for: bounded reads, its syntax and class, and where its pixels lie."""

import struct
from typing import Any, BinaryIO, cast

from pydicom import dcmread
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset as parse_dataset
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from DSADeblurLib.errors import XAReadError, XASkipped
from DSADeblurLib.xa.file.decoding import check_syntax
from DSADeblurLib.xa.file.elements import printable, text_of, vr_of
from DSADeblurLib.xa.file.input_file import InputFile
from DSADeblurLib.xa.file.memory import check_memory
from DSADeblurLib.xa.file.reading import reading
from DSADeblurLib.xa.file.stored_pixels import NO_CHOICES, PixelChoices, StoredPixels, locate_pixels
from DSADeblurLib.xa.header.enhanced import ENHANCED_CLASSES, make_classic

XA_IMAGE, XRF_IMAGE = "1.2.840.10008.5.1.4.1.1.12.1", "1.2.840.10008.5.1.4.1.1.12.2"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
SC_BYTE, SC_WORD = SECONDARY_CAPTURE + ".2", SECONDARY_CAPTURE + ".3"
SC_CLASSES = (SECONDARY_CAPTURE, SC_BYTE, SC_WORD)
_MAX_HEADER_ELEMENT = 256 * 2**20
# An enhanced header of a thousand frames takes some ten thousand; pydicom handles 50,000 a second.
_MAX_READS, _MAX_ITEMS = 200_000, 20_000
_TOO_MANY = "The header has more elements than any angiogram needs; it is damaged."
_UNCHECKED_SEQUENCE = 2**16


class _BoundedFile:
    """A binary file that refuses reads past its end, so that a false length cannot claim memory, and too many reads."""

    def __init__(self, stream, size: int) -> None:
        self._stream, self._size, self._reads = stream, size, 0
        self.seek, self.tell, self.name = stream.seek, stream.tell, getattr(stream, "name", None)

    def read(self, size: int = -1) -> bytes:
        self._reads += 1
        if self._reads > _MAX_READS:
            raise XAReadError(_TOO_MANY)
        left = self._size - self._stream.tell()
        # Up to eight bytes are asked for to find out whether an element follows.
        if size > 8 and size > left:
            raise XAReadError(f"File is truncated: {max(left, 0)} of {size} bytes.")
        if min(size if size >= 0 else left, left) > _MAX_HEADER_ELEMENT:
            raise XAReadError(f"A header element is larger than {_MAX_HEADER_ELEMENT // 2**20} MiB.")
        return self._stream.read(size)


def read_dataset(file: InputFile, choices: PixelChoices = NO_CHOICES) -> tuple[Dataset, StoredPixels]:
    """Return the data set without pixel data, and where the pixel data lies.

    An Enhanced XA or XRF object comes with the attributes of a classic one, see `enhanced.make_classic`.

    Args:
        file: open for reading.
        choices: of the user, where the header is illegal or wrong.

    Raises:
        XASkipped: one sentence, for other kinds of object.
        XAReadError: one sentence, for anything else that cannot be used.

    Source: PS3.10 7.1, PS3.5 7.
    """
    with reading():
        with file.at(0) as stream:
            syntax = _transfer_syntax(_BoundedFile(stream, file.size))
        with file.at(0) as stream:
            bounded = _BoundedFile(stream, file.size)
            dataset = dcmread(bounded, stop_before_pixels=True)
            check_sop_class(dataset)
            check_syntax(syntax)
            _check_sequences(dataset)
            stored = locate_pixels(file, bounded, file.size, dataset, syntax, choices)
        check_memory(stored)
        make_classic(dataset, stored.frames)
        return dataset, stored


def _check_sequences(dataset: Dataset) -> None:
    """Raise XAReadError for large sequences that are not items one behind the other, before pydicom takes them apart.

    They are still bytes here. pydicom makes an item of every eight of them, whatever they are, which takes minutes.
    """
    for tag in dataset.keys():
        raw: Any = dataset.get_item(tag)  # pydicom's types do not say that it may be raw
        value = raw.value if isinstance(raw, RawDataElement) else None
        if not isinstance(value, bytes) or len(value) <= _UNCHECKED_SEQUENCE or vr_of(raw) != "SQ":
            continue
        order = "<HHL" if raw.is_little_endian else ">HHL"
        position, items = 0, 0
        while position + 8 <= len(value):
            group, element, length = struct.unpack_from(order, value, position)
            items += 1
            if (group, element) != (0xFFFE, 0xE000) or items > _MAX_ITEMS:
                raise XAReadError(_TOO_MANY)
            if length == 0xFFFFFFFF:
                # Where such an item ends is told by what is in it; there cannot be more items than item tags.
                if value.count(struct.pack(order[:3], 0xFFFE, 0xE000)) > _MAX_ITEMS:
                    raise XAReadError(_TOO_MANY)
                break
            position += 8 + length


def _transfer_syntax(stream: _BoundedFile) -> str:
    """Return the transfer syntax from the file meta information alone (PS3.10 7.1)."""
    stream.seek(128)
    if stream.read(4) != b"DICM":
        raise XAReadError("Not a DICOM file.")
    # pydicom reads, seeks and tells, no more.
    meta = parse_dataset(cast(BinaryIO, stream), False, True, stop_when=lambda tag, vr, length: tag.group != 2)
    syntax = text_of(meta, "TransferSyntaxUID")
    if not syntax:
        raise XAReadError("The file does not name its transfer syntax; convert it to a DICOM file first.")
    if UID(syntax).is_private or not UID(syntax).is_transfer_syntax:
        raise XAReadError(f"Unknown transfer syntax {printable(syntax)}.")
    if syntax == DeflatedExplicitVRLittleEndian:
        # pydicom would inflate everything at once, whatever that comes to.
        raise XAReadError(
            f"Transfer syntax {UID(syntax).name} is not supported; convert the file to Explicit VR Little Endian first."
        )
    return syntax


def check_sop_class(dataset: Dataset) -> None:
    """Check that the object is one of the supported image classes.

    Raises:
        XASkipped: one sentence, where it is not.

    Source: PS3.4 B.5.
    """
    uid = text_of(dataset, "SOPClassUID")
    if uid not in (XA_IMAGE, XRF_IMAGE, *SC_CLASSES, *ENHANCED_CLASSES):
        raise XASkipped(
            f"Unsupported SOP class {printable(uid) or '(none)'}. Supported: X-Ray Angiographic / "
            "Radiofluoroscopic, also Enhanced, and grey-scale Secondary Capture."
        )
