"""One compressed frame, decoded; what is seen to be damaged is refused."""

import struct
from typing import Any

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

from DSADeblurLib.errors import XAReadError
from DSADeblurLib.xa.file.codestream import bare_jpeg, codestream_size, has_end
from DSADeblurLib.xa.file.huffman import holds_image
from DSADeblurLib.xa.file.jpeg2000 import looks_whole
from DSADeblurLib.xa.file.stored_pixels import StoredPixels

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
# A progressive JPEG has some ten scans; each goes over the whole frame, however few bytes it has.
_SCAN, _MOST_SCANS = b"\xff\xda", 100
_DAMAGED = "Compressed frame {} is damaged and cannot be decoded."


def check_syntax(transfer_syntax: str) -> None:
    """Check that frames in this transfer syntax can be decoded at all.

    Raises:
        XAReadError: one sentence.
    """
    syntax = UID(transfer_syntax)
    if syntax.is_encapsulated and syntax not in _PLUGINS:
        raise XAReadError(
            f"Transfer syntax {syntax.name} is not supported; convert the file to Explicit VR Little Endian first."
        )


def check_decoder(stored: StoredPixels) -> None:
    """Check that the transfer syntax can be decoded here.

    Raises:
        XAReadError: one sentence, which names the package to install.
    """
    if stored.fragments is None:
        return
    syntax = UID(stored.transfer_syntax)
    decoder = get_decoder(syntax)
    available = decoder.is_available
    if syntax == JPEGExtended12Bit and stored.bits_allocated > 8:
        available = "gdcm" in decoder.available_plugins
    if not available:
        package = {"pyjpegls": "pyjpegls", "pillow": "pillow"}.get(_PLUGINS.get(syntax, ("",))[0], "python-gdcm")
        if syntax == JPEGExtended12Bit:
            package = "python-gdcm"
        raise XAReadError(
            f"{syntax.name.split(' (')[0]} compression needs a decoder that is not installed: "
            f"install the Python package {package}, or decompress the file first."
        )


def decode(data: bytes, stored: StoredPixels, index: int) -> np.ndarray:
    """Decode one compressed frame.

    A codestream may claim any dimensions, so these are checked first. A few changed bytes are often not seen: the codes
    still count right.

    Args:
        data: of the frame, its fragments together.
        stored: what the header says of it.
        index: of the frame, for the messages.

    Returns:
        uint8 or uint16 (rows, columns), bits above Bits Stored included.

    Raises:
        XAReadError: one sentence, for a frame that does not fit the header or is seen to be damaged.

    Source: PS3.5 8.2, A.4.
    """
    syntax = UID(stored.transfer_syntax)
    precision = stored.bits_stored
    if syntax == RLELossless:
        if len(data) > 2 * stored.frame_bytes + 65536:
            raise XAReadError(f"Compressed frame {index + 1} is larger than the image it should hold.")
        if not run_lengths_fit(data, stored.rows * stored.columns):
            raise XAReadError(f"Compressed frame {index + 1} decodes to more than the image it should hold.")
    else:
        rows, columns, components, precision = codestream_size(data)
        if (rows, columns, components) != (stored.rows, stored.columns, 1):
            raise XAReadError(
                f"Compressed frame {index + 1} is {rows} x {columns} with {components} component(s), "
                f"the header says {stored.rows} x {stored.columns} with 1."
            )
        if precision > stored.bits_allocated:
            raise XAReadError(
                f"Compressed frame {index + 1} has {precision} bits, the header allocates {stored.bits_allocated}."
            )
        if not _can_be_whole(data, syntax):
            raise XAReadError(_DAMAGED.format(index + 1))
    # A decoder told fewer bits than the codestream has would clip; the surplus bits are cleared afterwards.
    bits = max(precision, stored.bits_stored)
    if syntax == JPEGExtended12Bit and bits > 8:
        return _decode_extended_jpeg(data, stored, index)
    if syntax in (JPEGLossless, JPEGLosslessSV1):
        data = bare_jpeg(data)
    decoder = get_decoder(syntax)
    plugins = [name for name in _PLUGINS.get(syntax, ()) if name in decoder.available_plugins]
    item = data + b"\0" * (len(data) % 2)
    single = b"\xfe\xff\x00\xe0\0\0\0\0" + b"\xfe\xff\x00\xe0" + struct.pack("<L", len(item)) + item
    # pydicom's signature says of each of these that it is all of them.
    form: dict[str, Any] = {
        "number_of_frames": 1,
        "rows": stored.rows,
        "columns": stored.columns,
        "samples_per_pixel": 1,
        "photometric_interpretation": "MONOCHROME2",
        "pixel_representation": 0,
        "bits_allocated": stored.bits_allocated,
        "bits_stored": bits,
        "pixel_keyword": "PixelData",
    }
    try:
        array, _ = decoder.as_array(single, index=0, raw=True, decoding_plugin=plugins[0] if plugins else "", **form)
    except Exception as error:
        raise XAReadError(_DAMAGED.format(index + 1)) from error
    if syntax in (JPEGLossless, JPEGLosslessSV1) and array.max() >> precision:
        # The decoder adds up differences; a sum that no encoder can have meant has a damaged one in it.
        raise XAReadError(_DAMAGED.format(index + 1))
    return array.reshape(stored.rows, stored.columns)


def _can_be_whole(data: bytes, syntax: UID) -> bool:
    """Return False for what decoders would make pixels of, though it is damaged; their warnings reach nobody."""
    if syntax in (JPEG2000, JPEG2000Lossless):
        return looks_whole(data)
    if syntax in (JPEGLSLossless, JPEGLSNearLossless):
        return has_end(data)
    return data.count(_SCAN) <= _MOST_SCANS and holds_image(data)


def _decode_extended_jpeg(data: bytes, stored: StoredPixels, index: int) -> np.ndarray:
    """Decode 12-bit lossy JPEG with GDCM itself; pydicom does not offer this syntax to it at 12 bits."""
    import gdcm

    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(bare_jpeg(data))
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element, decoded = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010)), gdcm.DataElement()
    element.SetValue(fragments.__ref__())
    codec = gdcm.JPEGCodec()
    codec.SetDimensions((stored.columns, stored.rows, 1))
    kind = gdcm.PhotometricInterpretation.GetPIType("MONOCHROME2")
    codec.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(kind))
    # Told 16 bits, it would try those first, and say on the terminal that this did not work.
    codec.SetPixelFormat(gdcm.PixelFormat(1, 12, 12, 11, 0))
    if not codec.Decode(element, decoded):
        raise XAReadError(_DAMAGED.format(index + 1))
    # GDCM hands bytes over as text; the surrogates are undone here.
    buffer = decoded.GetByteValue().GetBuffer().encode("utf-8", "surrogateescape")
    if len(buffer) != 2 * stored.rows * stored.columns:
        raise XAReadError(_DAMAGED.format(index + 1))
    return np.frombuffer(buffer, "<u2").reshape(stored.rows, stored.columns)


def run_lengths_fit(data: bytes, pixels: int) -> bool:
    """Return False when a segment of a run-length frame goes on behind its last pixel (PS3.5 G.3).

    Two bytes may stand for 128, so this comes before decoding. One pixel too many is written by real devices, and zeros
    at the end are padding.
    """
    count = min(struct.unpack("<L", data[:4])[0], 15) if len(data) >= 64 else 0
    bounds = [*struct.unpack(f"<{count}L", data[4 : 4 + 4 * count]), len(data)]
    for position, end in zip(bounds, bounds[1:], strict=False):
        size = 0
        while position < end <= len(data) and size < pixels:
            control = data[position]
            # 128 stands for nothing, less for so many bytes and one as they are, more for one byte repeated.
            size += control + 1 if control < 128 else (257 - control if control > 128 else 0)
            position += control + 2 if control < 128 else (2 if control > 128 else 1)
        if size > pixels + 1 or any(data[position + 2 : end]):
            return False
    return True
