"""Where the frames of a DICOM file lie: sizes checked and capped before a single pixel is decoded."""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from pydicom.dataset import Dataset
from pydicom.filebase import ReadableBuffer
from pydicom.uid import UID, RLELossless

from DSADeblurLib.errors import XAReadError, XASkipped
from DSADeblurLib.request import POLARITIES
from DSADeblurLib.xa.file.elements import integers_of, items_of, text_of
from DSADeblurLib.xa.file.input_file import InputFile

_FRAME_PIXELS = "FramePixelDataPropertiesSequence"
MAX_FRAME_PIXELS = 8192 * 8192
MAX_RUN_BYTES = 16 * 2**30
MAX_FRAGMENTS = 1_000_000
_UNDEFINED = 0xFFFFFFFF
_ITEM, _DELIMITER = (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)
# What the user says of stored values whose meaning the header leaves open.
_CHOOSE_POLARITY = (
    "choose the polarity 'keep' where stored values rise with the X-rays (a viewer shows vessels "
    "{rising}), or 'invert' where they fall (vessels {falling})."
)
# First bytes of a JPEG or JPEG-LS and of a JPEG 2000 codestream.
_JPEG_START, _JPEG2000_START = b"\xff\xd8", b"\xff\x4f\xff\x51"
# A blank frame compresses to next to nothing, so frames of a usual size may be as small as they like.
_USUAL_FRAME_PIXELS, _PIXELS_PER_BYTE = 2048 * 2048, 2048


@dataclass(frozen=True)
class PixelChoices:
    """What the user decides about pixel data whose header is illegal or wrong; nothing of it is ever guessed.

    `polarity` is asked for where MONOCHROME1, signed pixels or a Pixel Intensity Relationship Sign of -1 leave it open
    and has no effect on other files: 'keep' where stored values rise with the X-rays, 'invert' where they fall.
    `frames_in_file` takes as many frames as the file holds where Number of Frames says another count.
    """

    polarity: str | None = None
    frames_in_file: bool = False

    def __post_init__(self) -> None:
        if self.polarity not in (None, *POLARITIES):
            raise XAReadError(f"Polarity must be 'keep' or 'invert', not {self.polarity!r}.")


NO_CHOICES = PixelChoices()


@dataclass(frozen=True)
class StoredPixels:
    """Position and form of the pixel data of one file.

    `file` is open as long as its frames are read, and closed where only its header was. `offset` is the file position
    of the first frame (native). `fragments` holds, for encapsulated data, the (offset, length) pieces of each frame;
    it is None for native data. `signed` and `inverted` say how stored values become frame values (see `FrameStack`),
    `declared_frames` is the count of the header and `choices` are the user's. `overlay_bits` are those above Bits
    Stored that overlays of the header lie in (a mask), `padding` counts the bytes behind the last frame.
    """

    file: InputFile
    transfer_syntax: str
    frames: int
    rows: int
    columns: int
    bits_allocated: int
    bits_stored: int
    offset: int
    big_endian: bool
    word_swapped: bool
    fragments: tuple[tuple[tuple[int, int], ...], ...] | None
    signed: bool = False
    inverted: bool = False
    declared_frames: int = 0
    choices: PixelChoices = NO_CHOICES
    overlay_bits: int = 0
    padding: int = 0

    @property
    def path(self) -> Path:
        """Where the file lies."""
        return self.file.path

    @property
    def top(self) -> int:
        """The largest value a pixel can have."""
        return (1 << self.bits_stored) - 1

    @property
    def zero(self) -> int:
        """The frame value of a stored 0, before inversion: half the range where pixels are signed."""
        return 1 << (self.bits_stored - 1) if self.signed else 0

    @property
    def remarks(self) -> tuple[str, ...]:
        """One sentence for each thing that was done because the user chose it, or that the pixel data has too much."""
        remarks = []
        if self.signed:
            remarks.append(f"Signed pixels: {self.zero} was added to every stored value (user).")
        if self.inverted:
            remarks.append(f"Stored values were inverted to {self.top} - v, as in MONOCHROME2 (user).")
        elif self.choices.polarity == "keep":
            remarks.append("Stored values were taken to rise with the X-rays (user).")
        if self.frames != self.declared_frames:
            remarks.append(f"Header says {self.declared_frames} frames; the {self.frames} of the file are used (user).")
        if self.padding:
            remarks.append(f"{self.padding} bytes behind the last frame are not used.")
        return tuple(remarks)

    @property
    def frame_bytes(self) -> int:
        """Bytes of one decoded frame."""
        return self.rows * self.columns * self.bits_allocated // 8

    @property
    def encoded_bytes(self) -> int:
        """Bytes of all frames as they are stored."""
        if self.fragments is None:
            return self.frames * self.frame_bytes
        return sum(length for pieces in self.fragments for _, length in pieces)


class PixelModule(TypedDict):
    """The fields of `StoredPixels` that the Image Pixel module gives."""

    declared_frames: int
    rows: int
    columns: int
    bits_allocated: int
    bits_stored: int
    signed: bool
    inverted: bool
    choices: PixelChoices
    overlay_bits: int


def check_pixel_module(dataset: Dataset, choices: PixelChoices) -> PixelModule:
    """Return what the Image Pixel module says of a grey-scale image that can be used.

    Raises:
        XASkipped: for colour.
        XAReadError: for undecided MONOCHROME1 or signed pixels, inconsistent depth and impossible or oversized
            dimensions.

    Source: PS3.3 C.7.6.3, C.8.7.1.
    """
    samples = integers_of(dataset, "SamplesPerPixel")
    photometric = text_of(dataset, "PhotometricInterpretation")
    if samples not in ((), (1,)) or photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise XASkipped("Colour or palette image (screen capture?). Grey-scale angiography needed.")

    depth = [integers_of(dataset, name) for name in ("BitsAllocated", "BitsStored", "HighBit")]
    allocated, stored, high = (one[0] if one else None for one in depth)
    if allocated not in (8, 16) or stored is None or not 1 <= stored <= allocated or high != stored - 1:
        raise XAReadError(f"Bit depth inconsistent: allocated {allocated}, stored {stored}, high bit {high}.")
    signed = integers_of(dataset, "PixelRepresentation") not in ((), (0,))
    reasons = {
        "Signed pixels are not valid for XA; polarity unknown: ": signed,
        "MONOCHROME1 image, never inverted silently: ": photometric == "MONOCHROME1",
        "The header says that stored values fall with the X-rays, never inverted silently: ": _fall_with_xrays(dataset),
    }
    asked = any(reasons.values())
    if asked and choices.polarity is None:
        rising, falling = ("white", "black") if photometric == "MONOCHROME1" else ("black", "white")
        reason = next(reason for reason, applies in reasons.items() if applies)
        raise XAReadError(reason + _CHOOSE_POLARITY.format(rising=rising, falling=falling))

    size = [integers_of(dataset, name) for name in ("NumberOfFrames", "Rows", "Columns")]
    if size[0] == ():
        size[0] = (1,)
    frames, rows, columns = (one[0] if one and len(one) == 1 else -1 for one in size)
    if frames < 0 or min(rows, columns) < 1:
        raise XAReadError("Invalid image size.")
    _check_size(frames, rows, columns, allocated)
    return {
        "declared_frames": frames,
        "rows": rows,
        "columns": columns,
        "bits_allocated": allocated,
        "bits_stored": stored,
        "signed": signed,
        "inverted": asked and choices.polarity == "invert",
        "choices": choices if asked else PixelChoices(None, choices.frames_in_file),
        "overlay_bits": _overlay_bits(dataset, allocated) >> stored << stored,
    }


def _overlay_bits(dataset: Dataset, allocated: int) -> int:
    """Return the bits of a pixel that hold overlays, as a mask (PS3.5 8.1.2, retired; devices still write them)."""
    groups = [group for group in range(0x6000, 0x6100, 2) if (group, 0x3000) not in dataset]
    positions = [integers_of(dataset, (group, 0x0102)) for group in groups]
    return sum({1 << one[0] for one in positions if one and 0 <= one[0] < allocated})


def _fall_with_xrays(dataset: Dataset) -> bool:
    """Tell whether a Pixel Intensity Relationship Sign is -1, also of single frames (PS3.3 C.8.11.3.1.2)."""
    groups = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
    items = [one for name in groups for group in items_of(dataset, name) for one in items_of(group, _FRAME_PIXELS)]
    return any(integers_of(one, "PixelIntensityRelationshipSign") == (-1,) for one in (dataset, *items))


def _check_size(frames: int, rows: int, columns: int, allocated: int) -> None:
    if rows * columns > MAX_FRAME_PIXELS or frames * rows * columns * allocated // 8 > MAX_RUN_BYTES:
        raise XAReadError(f"Image too large: {frames} frames of {rows} x {columns} pixels.")


def locate_pixels(
    file: InputFile,
    stream: ReadableBuffer,
    file_size: int,
    dataset: Dataset,
    transfer_syntax: str,
    choices: PixelChoices = NO_CHOICES,
) -> StoredPixels:
    """Find the frames in the pixel data element; only item headers are read.

    Args:
        file: that the pixels are read from later.
        stream: its content, at the pixel data element.
        file_size: bytes of the content.
        dataset: the header before the pixel data element.
        transfer_syntax: its UID.
        choices: of the user, where the header is wrong.

    Raises:
        XAReadError: one sentence, when the data is missing, truncated, or does not hold exactly the declared number of
            frames and the user did not choose the file's count; see also `check_pixel_module`.

    Source: PS3.5 8.2, A.4.
    """
    module = check_pixel_module(dataset, choices)
    frame_bytes = module["rows"] * module["columns"] * module["bits_allocated"] // 8
    syntax = UID(transfer_syntax)
    order = "<" if syntax.is_little_endian else ">"
    head = stream.read(8)
    if len(head) < 8:
        raise XAReadError("No pixel data in this file.")
    group, element = struct.unpack(order + "HH", head[:4])
    if (group, element) != (0x7FE0, 0x0010):
        raise XAReadError("No integer pixel data in this file.")
    if syntax.is_implicit_VR:
        vr, length = b"OW", struct.unpack(order + "L", head[4:])[0]
    else:
        vr, length = head[4:6], struct.unpack(order + "L", stream.read(4))[0]
    offset = stream.tell()
    if length == 0:
        raise XAReadError("No pixel data in this file.")

    fragments, padding = None, 0
    if syntax.is_encapsulated:
        if length != _UNDEFINED:
            raise XAReadError("Compressed pixel data is not encapsulated; the file is damaged.")
        fragments = _frames_of_fragments(stream, _fragments(stream, file_size), syntax, module)
        held = len(fragments)
        for number, pieces in enumerate(fragments, start=1):
            _check_compression(number, sum(size for _, size in pieces), module)
    else:
        held, padding = _frames_of_length(offset, length, file_size, module, frame_bytes)
    if held != module["declared_frames"]:
        if not choices.frames_in_file or held == 0:
            raise XAReadError(
                f"Header says {module['declared_frames']} frames, file holds {held}. Refusing to guess; "
                + (f"choose 'use {held}' to take those of the file." if held else "export it again.")
            )
        _check_size(held, module["rows"], module["columns"], module["bits_allocated"])
    return StoredPixels(
        file=file,
        transfer_syntax=str(syntax),
        frames=held,
        offset=offset,
        big_endian=not syntax.is_little_endian,
        # Eight-bit pixels in 16-bit big-endian words: pairs of bytes are exchanged (PS3.5 annex A.3, table 8.2.1).
        word_swapped=not syntax.is_little_endian and module["bits_allocated"] == 8 and vr == b"OW",
        fragments=fragments,
        padding=padding,
        **module,
    )


def _frames_of_length(
    offset: int, length: int, file_size: int, module: PixelModule, frame_bytes: int
) -> tuple[int, int]:
    """Return how many whole frames native pixel data of that length holds, and how many bytes lie behind them."""
    available = file_size - offset
    if length == _UNDEFINED:
        raise XAReadError("Uncompressed pixel data has no length; the file is damaged.")
    if length > available:
        raise XAReadError(f"File is truncated: {max(available, 0)} of {length} bytes.")
    held, surplus = divmod(length, frame_bytes)
    # A pad byte makes the length even, and readers are to be prepared for more (PS3.5 8.1.1). Less than one line of
    # each frame cannot come from wrong Rows or Columns.
    line = frame_bytes // max(module["rows"], module["columns"])
    if held == module["declared_frames"] and (surplus >= max(held * line, 2) or not held):
        raise XAReadError(f"Pixel data of {length} bytes does not fit {held} frames of {frame_bytes} bytes.")
    return held, surplus if surplus != frame_bytes * held % 2 else 0


def _check_compression(number: int, length: int, module: PixelModule) -> None:
    """Refuse a frame that claims more pixels than its bytes can be a picture of, before a decoder makes room for it."""
    pixels = module["rows"] * module["columns"]
    if pixels > max(_USUAL_FRAME_PIXELS, _PIXELS_PER_BYTE * length):
        raise XAReadError(
            f"Compressed frame {number} has {length} bytes, too few for {module['rows']} x {module['columns']} pixels."
        )


def _fragments(stream: ReadableBuffer, file_size: int) -> list[tuple[int, int]]:
    """Return (offset, length) of every fragment behind the basic offset table."""
    found: list[tuple[int, int]] = []
    first = True
    while True:
        head = stream.read(8)
        if len(head) < 8:
            raise XAReadError(f"File is truncated: {file_size} bytes, and the pixel data does not end.")
        group, element, length = struct.unpack("<HHL", head)
        if (group, element) == _DELIMITER:
            return found
        start = stream.tell()
        if (group, element) != _ITEM or length == _UNDEFINED:
            raise XAReadError("Compressed pixel data is damaged: an item tag is missing.")
        if start + length > file_size:
            raise XAReadError(f"File is truncated: {file_size} of {start + length} bytes.")
        if not first:
            found.append((start, length))
            if len(found) > MAX_FRAGMENTS:
                raise XAReadError(f"Compressed pixel data has more than {MAX_FRAGMENTS} fragments.")
        first = False
        stream.seek(start + length)


def _frames_of_fragments(
    stream: ReadableBuffer, fragments: list[tuple[int, int]], syntax: UID, module: PixelModule
) -> tuple[tuple[tuple[int, int], ...], ...]:
    """Group fragments into frames by where one starts; offset tables are not needed, and not trusted.

    The bytes that start a JPEG codestream cannot occur in entropy-coded data, so a fragment that begins with them
    begins a frame. Run-length frames are one fragment each (PS3.5 G.2); where there are more, their headers tell.
    """
    starts: tuple[bytes, ...] = _JPEG_START, _JPEG2000_START
    if syntax == RLELossless:
        if len(fragments) == module["declared_frames"]:
            return tuple((one,) for one in fragments)
        # A segment for each byte of a pixel, the first one behind the header (G.5).
        starts = (struct.pack("<LL", module["bits_allocated"] // 8, 64),)
    frames: list[list[tuple[int, int]]] = []
    begins = []
    for start, length in fragments:
        stream.seek(start)
        begins.append(stream.read(min(length, 64)).startswith(starts))
        if begins[-1]:
            frames.append([(start, length)])
        elif frames:
            frames[-1].append((start, length))
        elif length:
            raise XAReadError("Compressed pixel data is damaged: the first frame has no start.")
    if not frames:
        raise XAReadError("No pixel data in this file.")
    if len(frames) < len(fragments) == module["declared_frames"]:
        raise XAReadError(f"Compressed pixel data is damaged: frame {begins.index(False) + 1} has no start.")
    return tuple(tuple(pieces) for pieces in frames)
