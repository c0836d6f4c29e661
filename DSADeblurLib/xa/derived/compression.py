"""Lossless compression by name: which transfer syntax it is, and one frame at a time as a codestream."""

from collections.abc import Callable

import numpy as np
from pydicom.pixels import get_encoder
from pydicom.uid import UID, ExplicitVRLittleEndian, JPEG2000Lossless, JPEGLSLossless, RLELossless

from DSADeblurLib.errors import XAWriteError

COMPRESSIONS = {
    "none": ExplicitVRLittleEndian,
    "jpeg-ls": JPEGLSLossless,
    "jpeg-2000": JPEG2000Lossless,
    "rle": RLELossless,
}
# pydicom's encoders in the order they are tried, and the packages to install where there is none. For run lengths its
# own is always there and slow; GDCM's is left out because it ends the whole process on frames of odd size.
_PLUGINS = {
    JPEGLSLossless: (("pyjpegls",), "pyjpegls"),
    JPEG2000Lossless: (("pylibjpeg",), "pylibjpeg pylibjpeg-openjpeg"),
    RLELossless: (("pylibjpeg", "pydicom"), ""),
}


def transfer_syntax_of(compression: str) -> UID:
    """Return the transfer syntax UID of a compression, a key of `COMPRESSIONS`.

    Raises:
        XAWriteError: one sentence, when it is unknown or cannot be encoded here.
    """
    if compression not in COMPRESSIONS:
        raise XAWriteError(f"Unknown compression {compression!r}; choose {', '.join(COMPRESSIONS)}.")
    syntax = COMPRESSIONS[compression]
    if syntax in _PLUGINS and not _plugin(syntax):
        raise XAWriteError(
            f"Lossless {compression} compression needs an encoder that is not installed: "
            f"pip install {_PLUGINS[syntax][1]}, or choose another compression."
        )
    return syntax


def _plugin(syntax: UID) -> str:
    available = get_encoder(syntax).available_plugins
    return next((name for name in _PLUGINS[syntax][0] if name in available), "")


def fragment_encoder(syntax: UID, frame: Callable[[int], np.ndarray], bits_stored: int) -> Callable[[int], bytes]:
    """Return a function that compresses frame i to a codestream, and raises XAWriteError where that fails.

    Args:
        syntax: of a lossless compression.
        frame: gives frame i, (rows, columns) uint8 or uint16.
        bits_stored: of the frames.
    """
    encoder, plugin = get_encoder(syntax), _plugin(syntax)

    def fragment(index: int) -> bytes:
        pixels = np.ascontiguousarray(frame(index))
        try:
            return bytes(
                encoder.encode(
                    pixels,
                    encoding_plugin=plugin,
                    rows=pixels.shape[0],
                    columns=pixels.shape[1],
                    number_of_frames=1,
                    samples_per_pixel=1,
                    photometric_interpretation="MONOCHROME2",
                    pixel_representation=0,
                    bits_allocated=pixels.dtype.itemsize * 8,
                    bits_stored=bits_stored,
                )
            )
        except Exception as error:
            reason = " ".join(str(error).split())
            raise XAWriteError(f"Frame {index + 1} cannot be compressed ({reason}); write it uncompressed.") from error

    return fragment
