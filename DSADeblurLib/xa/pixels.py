"""The frames of a run, decoded one at a time when they are asked for."""

import struct
from collections.abc import Iterator

import numpy as np
from pydicom.pixels import get_decoder
from pydicom.uid import (
    JPEG2000,
    UID,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from DSADeblurLib.xa.errors import XAReadError, reading
from DSADeblurLib.xa.inflated import InflatedFile
from DSADeblurLib.xa.input_file import InputFile
from DSADeblurLib.xa.layout import PixelLayout
from DSADeblurLib.xa.lazy import LazyFrames

# One fixed choice per syntax, so that the same file gives the same pixels whatever else is installed.
_PLUGINS = {
    JPEGBaseline8Bit: ("pillow", "gdcm"),
    JPEGExtended12Bit: ("pillow", "gdcm"),
    JPEGLossless: ("gdcm", "pylibjpeg"),
    JPEGLosslessSV1: ("gdcm", "pylibjpeg"),
    JPEGLSLossless: ("pyjpegls", "gdcm", "pylibjpeg"),
    JPEGLSNearLossless: ("pyjpegls", "gdcm", "pylibjpeg"),
    JPEG2000Lossless: ("pillow", "gdcm", "pylibjpeg"),
    JPEG2000: ("pillow", "gdcm", "pylibjpeg"),
    RLELossless: ("pydicom", "pylibjpeg"),
}

_COUNTED_FROM = 2**28

# JPEG markers, ITU-T T.81 table B.1: SOF0-15 without DHT, JPG and DAC; JPEG-LS has its own frame header.
_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}
_START_OF_SCAN = 0xDA
# Fill byte, frame headers, Huffman and quantisation tables, restart interval, application data, comment.
_KNOWN_SEGMENTS = _FRAME_HEADERS | {0xFF, 0xC4, 0xDB, 0xDD, 0xFE} | frozenset(range(0xE0, 0xF0))


class FrameStack(LazyFrames):
    """The stored frames of a file as a lazy, read-only array of shape (n, rows, columns), uint8 or uint16.

    `stack[i]` decodes one frame, (rows, columns); `stack[2:5]` and `stack[[0, 7]]` give (k, rows, columns). Bits
    above Bits Stored, where some devices keep overlays, are always cleared. Values mean what they mean in
    MONOCHROME2: where the user chose so, signed values v become v + 2**(bits - 1) and inverted ones top - v. Nothing
    is kept, so memory stays at one frame; the layout's file has to be open. Raises XAReadError when a frame cannot be
    decoded.
    """

    def __init__(self, layout: PixelLayout) -> None:
        self.layout = layout
        self.shape = (layout.frames, layout.rows, layout.columns)
        self.dtype = np.dtype(np.uint8 if layout.bits_allocated == 8 else np.uint16)
        self._inflated = None if layout.deflated_at is None else InflatedFile(layout.file, layout.deflated_at)

    def frame(self, index: int) -> np.ndarray:
        """Return frame `index` with the bits above Bits Stored cleared and the meaning of MONOCHROME2."""
        with reading():
            frame, top = self.raw(index), self.dtype.type(self.layout.top)
            frame &= top
            # Turning the sign bit of a two's complement number around adds half of the range.
            frame ^= self.dtype.type(self.layout.zero)
            return top - frame if self.layout.inverted else frame

    def raw(self, index: int) -> np.ndarray:
        """Return frame `index` as stored, (rows, columns), bits above Bits Stored included."""
        try:
            return self._stored(index).astype(self.dtype)
        except Exception:
            # Half of a file that is being written looks damaged; that it changes is the better reason.
            self.layout.file.check_unchanged()
            raise

    def _stored(self, index: int) -> np.ndarray:
        layout = self.layout
        if self._inflated is not None:
            data = self._inflated.read_at(layout.offset + index * layout.frame_bytes, layout.frame_bytes)
            return _native_pixels(_whole(data, layout.frame_bytes), layout)
        if layout.fragments is None:
            return _native_frame(layout, index)
        pieces = [_read_exactly(layout.file, start, length) for start, length in layout.fragments[index]]
        return _decode(b"".join(pieces), layout, index)


def _read_exactly(file: InputFile, start: int, length: int) -> bytes:
    return _whole(file.read_at(start, length), length)


def _whole(data: bytes, length: int) -> bytes:
    if len(data) != length:
        raise XAReadError(f"File is truncated: {len(data)} of {length} bytes.")
    return data


def _native_frame(layout: PixelLayout, index: int) -> np.ndarray:
    start = index * layout.frame_bytes
    # Swapped bytes come in pairs, and a frame of odd size may begin or end inside one.
    before = start % 2 if layout.word_swapped else 0
    after = (start + layout.frame_bytes) % 2 if layout.word_swapped else 0
    data = _read_exactly(layout.file, layout.offset + start - before, before + layout.frame_bytes + after)
    if layout.word_swapped:
        data = np.frombuffer(data, np.uint16).byteswap().tobytes()[before:before + layout.frame_bytes]
    return _native_pixels(data, layout)


def _native_pixels(data: bytes, layout: PixelLayout) -> np.ndarray:
    dtype = "u1" if layout.bits_allocated == 8 else (">u2" if layout.big_endian else "<u2")
    return np.frombuffer(data, dtype).reshape(layout.rows, layout.columns)


def _decode(data: bytes, layout: PixelLayout, index: int) -> np.ndarray:
    """Decode one compressed frame with a size check first: a codestream may claim any dimensions."""
    syntax = UID(layout.transfer_syntax)
    precision = layout.bits_stored
    if syntax == RLELossless:
        if len(data) > 2 * layout.frame_bytes + 65536:
            raise XAReadError(f"Compressed frame {index + 1} is larger than the image it should hold.")
        # Two bytes may stand for 128; where that is too much for memory, it is counted before it is decoded.
        if 64 * len(data) > _COUNTED_FROM and run_length_size(data) > 2 * layout.frame_bytes:
            raise XAReadError(f"Compressed frame {index + 1} decodes to more than the image it should hold.")
    else:
        rows, columns, components, precision = codestream_size(data)
        if (rows, columns, components) != (layout.rows, layout.columns, 1):
            raise XAReadError(f"Compressed frame {index + 1} is {rows} x {columns} with {components} component(s), "
                              f"the header says {layout.rows} x {layout.columns} with 1.")
        if precision > layout.bits_allocated:
            raise XAReadError(f"Compressed frame {index + 1} has {precision} bits, the header allocates "
                              f"{layout.bits_allocated}.")
    # A decoder told fewer bits than the codestream has would clip; the surplus bits are cleared afterwards.
    bits = max(precision, layout.bits_stored)
    if syntax == JPEGExtended12Bit and bits > 8:
        return _decode_extended_jpeg(data, layout, bits, index)
    if syntax in (JPEGLossless, JPEGLosslessSV1):
        data = bare_jpeg(data)
    decoder = get_decoder(syntax)
    plugins = [name for name in _PLUGINS.get(syntax, ()) if name in decoder.available_plugins]
    item = data + b"\0" * (len(data) % 2)
    single = b"\xfe\xff\x00\xe0\0\0\0\0" + b"\xfe\xff\x00\xe0" + struct.pack("<L", len(item)) + item
    try:
        array, _ = decoder.as_array(
            single, index=0, raw=True, decoding_plugin=plugins[0] if plugins else "", number_of_frames=1,
            rows=layout.rows, columns=layout.columns, samples_per_pixel=1, photometric_interpretation="MONOCHROME2",
            pixel_representation=0, bits_allocated=layout.bits_allocated, bits_stored=bits, pixel_keyword="PixelData",
        )
    except Exception as error:
        raise XAReadError(f"Compressed frame {index + 1} is damaged and cannot be decoded.") from error
    return array.reshape(layout.rows, layout.columns)


def _decode_extended_jpeg(data: bytes, layout: PixelLayout, bits: int, index: int) -> np.ndarray:
    """Decode 12-bit lossy JPEG with GDCM itself; pydicom does not offer this syntax to it at 12 bits."""
    import gdcm

    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(bare_jpeg(data))
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((layout.columns, layout.rows, 1))
    image.SetDataElement(element)
    kind = gdcm.PhotometricInterpretation.GetPIType("MONOCHROME2")
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(kind))
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(str(JPEGExtended12Bit))))
    image.SetPixelFormat(gdcm.PixelFormat(1, layout.bits_allocated, bits, bits - 1, 0))
    # GDCM hands bytes over as text; the surrogates are undone here.
    text = image.GetBuffer()
    if text is None:
        raise XAReadError(f"Compressed frame {index + 1} is damaged and cannot be decoded.")
    buffer = text.encode("utf-8", "surrogateescape")
    return np.frombuffer(buffer, "<u2").reshape(layout.rows, layout.columns)


def run_length_size(data: bytes) -> int:
    """Return the decoded bytes of a run-length frame, whose segments lie behind a header of 64 bytes (PS3.5 G.3)."""
    size, position = 0, 64
    while position < len(data):
        control = data[position]
        # 128 stands for nothing, less for so many bytes and one as they are, more for one byte repeated.
        size += control + 1 if control < 128 else (257 - control if control > 128 else 0)
        position += control + 2 if control < 128 else (2 if control > 128 else 1)
    return size


def codestream_size(data: bytes) -> tuple[int, int, int, int]:
    """Return (rows, columns, components, precision) from a JPEG, JPEG-LS or JPEG 2000 codestream.

    Sources: ITU-T T.81 B.2.2 (frame header), T.87 C.2.2 (JPEG-LS), T.800 A.5.1 (SIZ marker).
    """
    if data[:4] == b"\xff\x4f\xff\x51":
        x1, y1, x0, y0 = struct.unpack(">4L", data[8:24])
        return y1 - y0, x1 - x0, struct.unpack(">H", data[40:42])[0], (data[42] & 0x7F) + 1
    for marker, segment in _segments(data):
        if marker in _FRAME_HEADERS and len(segment) >= 10:
            precision, rows, columns, components = struct.unpack(">BHHB", segment[4:10])
            return rows, columns, components, precision
    raise XAReadError("Compressed pixel data is damaged: a frame has no size.")


def bare_jpeg(data: bytes) -> bytes:
    """Return a JPEG codestream with only the segments that matter for decoding grey-scale pixels.

    GDCM ends the whole process when its JPEG library so much as warns about the header, for example about an unknown
    JFIF version. Application data and comments therefore go, and a header that is not well formed is refused here.
    """
    kept, position = [data[:2]], 2
    for marker, segment in _segments(data):
        position += len(segment)
        if not (0xE0 <= marker <= 0xEF or marker == 0xFE):
            kept.append(segment)
        if marker == _START_OF_SCAN:
            return b"".join([*kept, data[position:]])
        if marker not in _KNOWN_SEGMENTS:
            break
    raise XAReadError("Compressed pixel data is damaged: the header of a frame is not well formed.")


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (marker, whole segment) from behind the start of image up to and including the start of scan."""
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        length = 1 if marker == 0xFF else 2 + struct.unpack(">H", data[position + 2:position + 4])[0]
        if position + length > len(data) or length in (2, 3):
            return
        yield marker, data[position:position + length]
        position += length
        if marker == _START_OF_SCAN:
            return


def check_decoder(layout: PixelLayout) -> None:
    """Raise XAReadError, naming the package to install, when this transfer syntax cannot be decoded here."""
    if layout.fragments is None:
        return
    syntax = UID(layout.transfer_syntax)
    if syntax not in _PLUGINS:
        raise XAReadError(f"Transfer syntax {syntax.name} is not supported; convert the file to "
                          "Explicit VR Little Endian first.")
    decoder = get_decoder(syntax)
    available = decoder.is_available
    if syntax == JPEGExtended12Bit and layout.bits_allocated > 8:
        available = "gdcm" in decoder.available_plugins
    if not available:
        package = {"pyjpegls": "pyjpegls", "pillow": "pillow"}.get(_PLUGINS.get(syntax, ("",))[0], "python-gdcm")
        if syntax == JPEGExtended12Bit:
            package = "python-gdcm"
        raise XAReadError(f"{syntax.name.split(' (')[0]} compression needs a decoder that is not installed: "
                          f"install the Python package {package}, or decompress the file first.")
