"""Every lossless syntax, encoded by DCMTK and GDCM, decodes bit-exactly; their own decoders and ITK are the judges."""

import numpy as np
import pydicom
import pytest
from pydicom.pixels import get_decoder
from pydicom.uid import UID, JPEG2000Lossless, JPEGLosslessSV1, JPEGLSLossless, RLELossless

from DSADeblurLib.xa import XAReadError, read_run
from DSADeblurLib.xa.file.decoding import check_decoder

pytestmark = pytest.mark.slow

_BITS = (8, 10, 12, 16)
# (encoder, syntax of the result, DCMTK's decoder or None where it has none).
_ENCODERS = {
    "dcmtk implicit": (("dcmconv", "+ti"), "1.2.840.10008.1.2", ("dcmconv", "+te")),
    "dcmtk explicit": (("dcmconv", "+te"), "1.2.840.10008.1.2.1", ("dcmconv", "+te")),
    "dcmtk big endian": (("dcmconv", "+tb"), "1.2.840.10008.1.2.2", ("dcmconv", "+te")),
    "dcmtk JPEG Lossless SV1": (("dcmcjpeg", "+e1"), "1.2.840.10008.1.2.4.70", ("dcmdjpeg",)),
    "dcmtk JPEG Lossless": (("dcmcjpeg", "+el"), "1.2.840.10008.1.2.4.57", ("dcmdjpeg",)),
    "dcmtk JPEG-LS": (("dcmcjpls", "+el"), "1.2.840.10008.1.2.4.80", ("dcmdjpls",)),
    "dcmtk RLE": (("dcmcrle",), "1.2.840.10008.1.2.5", ("dcmdrle",)),
    "gdcm JPEG Lossless": (("gdcmconv", "--jpeg"), "1.2.840.10008.1.2.4.70", ("dcmdjpeg",)),
    "gdcm JPEG-LS": (("gdcmconv", "--jpegls"), "1.2.840.10008.1.2.4.80", ("dcmdjpls",)),
    "gdcm JPEG 2000": (("gdcmconv", "--j2k"), "1.2.840.10008.1.2.4.90", None),
    "gdcm RLE": (("gdcmconv", "--rle"), "1.2.840.10008.1.2.5", ("dcmdrle",)),
}


@pytest.fixture
def encoded(make_run, tool, tmp_path):
    """Return a function that writes a run of odd size in another tool's encoding: (path, true frames)."""

    def make(name, bits):
        if "JPEG Lossless" in name:
            pytest.importorskip("gdcm", reason="python-gdcm decodes JPEG Lossless")
        made = make_run(bits=bits, rows=31, columns=45, count=3, contrast_frames=[3])
        command, syntax, _ = _ENCODERS[name]
        target = tmp_path / "encoded.dcm"
        result = tool(*command, made.path, target)
        assert result.returncode == 0, result.stderr
        assert pydicom.dcmread(target, stop_before_pixels=True).file_meta.TransferSyntaxUID == syntax
        return target, made.frames

    return make


@pytest.mark.parametrize("bits", _BITS)
@pytest.mark.parametrize("name", _ENCODERS)
def test_frames_equal_the_originals_and_those_of_every_judge(encoded, tool, tmp_path, name, bits):
    path, frames = encoded(name, bits)
    read = np.asarray(read_run(path).frames)
    np.testing.assert_array_equal(read, frames)

    decoder = _ENCODERS[name][2]
    if decoder:
        result = tool(*decoder, path, tmp_path / "dcmtk.dcm")
        assert result.returncode == 0, result.stderr
        np.testing.assert_array_equal(_native_pixels(tmp_path / "dcmtk.dcm", read), read)
    result = tool("gdcmconv", "--raw", path, tmp_path / "gdcm.dcm")
    assert result.returncode == 0, result.stderr
    assert tool("gdcmraw", "-i", tmp_path / "gdcm.dcm", "-o", tmp_path / "gdcm.raw").returncode == 0
    raw = (tmp_path / "gdcm.raw").read_bytes()[: read.nbytes]
    swapped = name == "dcmtk big endian" and bits > 8 and _is_big_endian(tmp_path / "gdcm.dcm")
    np.testing.assert_array_equal(np.frombuffer(raw, read.dtype.newbyteorder(">" if swapped else "<")), read.ravel())
    itk = pytest.importorskip("SimpleITK")
    np.testing.assert_array_equal(itk.GetArrayFromImage(itk.ReadImage(str(path))), read)


def _is_big_endian(path):
    return not pydicom.dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID.is_little_endian


def _native_pixels(path, like):
    """Return the pixels of an uncompressed little-endian file without any decoder."""
    data = pydicom.dcmread(path).PixelData
    return np.frombuffer(data[: like.nbytes], like.dtype.newbyteorder("<")).reshape(like.shape)


@pytest.mark.parametrize("bits", [8, 12])
def test_pictures_of_dcmtk_show_the_same_values(encoded, tool, tmp_path, bits):
    """dcm2pnm goes through DCMTK's own pixel pipeline, with the window that changes nothing."""
    path, frames = encoded("dcmtk JPEG-LS", bits)
    result = tool("dcmdjpls", path, tmp_path / "plain.dcm")
    assert result.returncode == 0, result.stderr
    top = (1 << bits) - 1
    result = tool(
        "dcm2pnm",
        "+opw",
        "+Ww",
        str((top + 1) / 2),
        str(top + 1),
        "+F",
        "2",
        tmp_path / "plain.dcm",
        tmp_path / "two.pgm",
    )
    assert result.returncode == 0, result.stderr
    values = (tmp_path / "two.pgm").read_text().split()
    assert values[:4] == ["P2", "45", "31", "65535"]
    shown = np.array(values[4:], dtype=int).reshape(31, 45)
    # Sixteen bits of grey for `bits` of values: the same picture, stretched.
    np.testing.assert_array_equal(np.rint(shown * (top / 65535)).astype(int), read_run(path).frames[1])


@pytest.mark.parametrize(
    ("name", "syntax", "sentence"),
    [
        ("dcmtk JPEG Lossless SV1", JPEGLosslessSV1, "JPEG Lossless.*install the Python package python-gdcm"),
        ("dcmtk JPEG Lossless", UID("1.2.840.10008.1.2.4.57"), "JPEG Lossless.*install the Python package python-gdcm"),
        ("gdcm JPEG-LS", JPEGLSLossless, "JPEG-LS.*install the Python package pyjpegls"),
        ("gdcm JPEG 2000", JPEG2000Lossless, "JPEG 2000.*install the Python package pillow"),
    ],
)
def test_each_missing_decoder_has_its_sentence(encoded, monkeypatch, name, syntax, sentence):
    path, _ = encoded(name, 12)
    monkeypatch.setattr(get_decoder(syntax), "_available", {})
    with pytest.raises(XAReadError, match=f"^{sentence}, or decompress the file first.$"):
        read_run(path)


def test_deflated_files_are_refused(make_run, tool, tmp_path):
    assert tool("dcmconv", "+td", make_run().path, tmp_path / "deflated.dcm").returncode == 0
    sentence = (
        "^Transfer syntax Deflated Explicit VR Little Endian is not supported; "
        "convert the file to Explicit VR Little Endian first.$"
    )
    with pytest.raises(XAReadError, match=sentence):
        read_run(tmp_path / "deflated.dcm")


def test_run_lengths_need_nothing_but_pydicom(encoded):
    path, _ = encoded("dcmtk RLE", 12)
    run = read_run(path)
    check_decoder(run.stored_pixels)
    assert "pydicom" in get_decoder(RLELossless).available_plugins
