"""Lossless compression: the same pixels behind fewer bytes, one frame at a time, for every reader."""

import tracemalloc

import numpy as np
import pydicom
import pytest
from pydicom.encaps import generate_fragments
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, JPEGLSLossless, RLELossless

from DSADeblurLib.xa import XAWriteError, read_run
from DSADeblurLib.xa.derived import compression
from DSADeblurLib.xa.derived.compression import COMPRESSIONS, fragment_encoder, transfer_syntax_of

SYNTAXES = [JPEGLSLossless, JPEG2000Lossless, RLELossless]


def _compressed(name, derive, path, **options):
    if name == "jpeg-2000":
        pytest.importorskip("openjpeg", reason="pylibjpeg-openjpeg is not installed")
    return derive(path, compression=name, name=f"{name}.dcm", **options)


@pytest.mark.parametrize("name", [one for one in COMPRESSIONS if one != "none"])
@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_same_object_with_fewer_bytes(make_run, derive, judged, name, bits):
    made = make_run(bits=bits, rows=97, columns=101)
    plain, path = derive(made.path, native=True), _compressed(name, derive, made.path, native=True)
    dataset = judged(path, made.path)
    assert dataset.file_meta.TransferSyntaxUID == COMPRESSIONS[name]
    assert dataset.file_meta.MediaStorageSOPInstanceUID == dataset.SOPInstanceUID
    assert path.stat().st_size < plain.stat().st_size
    np.testing.assert_array_equal(dataset.pixel_array, made.frames)
    np.testing.assert_array_equal(np.asarray(read_run(path).frames), made.frames)
    assert len(list(generate_fragments(dataset.PixelData))) == 1 + len(made.frames)
    # But for identity, time of writing and pixel data the header is the uncompressed object's.
    other = pydicom.dcmread(plain)
    assert {one.tag for one in dataset} == {one.tag for one in other}
    changed = {one.keyword for one in dataset if one.value != other[one.tag].value}
    assert changed <= {
        "SOPInstanceUID",
        "SeriesInstanceUID",
        "PixelData",
        "InstanceCreationTime",
        "SeriesTime",
        "ContentTime",
        "InstanceCreationDate",
        "SeriesDate",
        "ContentDate",
    }


@pytest.mark.parametrize("name", list(COMPRESSIONS))
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_differences_survive(make_run, derive, judged, name, bits):
    made = make_run()
    expected = np.asarray(read_run(derive(made.path, bits=bits)).frames)
    path = _compressed(name, derive, made.path, bits=bits)
    judged(path, made.path)
    np.testing.assert_array_equal(np.asarray(read_run(path).frames), expected)


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize(("dtype", "bits"), [(np.uint8, 8), (np.uint16, 10), (np.uint16, 12), (np.uint16, 16)])
def test_noise_and_extremes(make_run, syntax, dtype, bits):
    """Values that do not compress, and the largest and smallest a depth can hold."""
    if syntax == JPEG2000Lossless:
        pytest.importorskip("openjpeg", reason="pylibjpeg-openjpeg is not installed")
    frames = np.random.default_rng(bits).integers(0, 1 << bits, (3, 37, 53), dtype=dtype)
    frames[1], frames[2, 0] = (1 << bits) - 1, 0
    encode = fragment_encoder(syntax, frames.__getitem__, bits)
    decoder = pydicom.pixels.get_decoder(syntax)
    for index in range(3):
        options = {
            "rows": 37,
            "columns": 53,
            "number_of_frames": 1,
            "samples_per_pixel": 1,
            "bits_stored": bits,
            "bits_allocated": frames.itemsize * 8,
            "photometric_interpretation": "MONOCHROME2",
            "pixel_representation": 0,
            "pixel_keyword": "PixelData",
        }
        decoded, _ = decoder.as_array(pydicom.encaps.encapsulate([encode(index)]), index=0, **options)
        np.testing.assert_array_equal(decoded, frames[index])


def test_unknown_compression(make_run, derive):
    with pytest.raises(XAWriteError, match="Unknown compression 'zip'; choose none, jpeg-ls, jpeg-2000, rle."):
        derive(make_run().path, compression="zip")
    assert transfer_syntax_of("none") == ExplicitVRLittleEndian


def test_missing_encoder_names_its_package(make_run, derive, tmp_path, monkeypatch):
    path = make_run().path
    before = sorted(tmp_path.iterdir())
    monkeypatch.setattr(compression, "_plugin", lambda syntax: "")
    with pytest.raises(XAWriteError, match="pip install pylibjpeg pylibjpeg-openjpeg, or choose another compression."):
        derive(path, compression="jpeg-2000")
    assert sorted(tmp_path.iterdir()) == before


def test_frame_that_no_encoder_takes():
    encode = fragment_encoder(JPEGLSLossless, lambda index: np.zeros((0, 4), np.uint8), 8)
    with pytest.raises(XAWriteError, match="Frame 1 cannot be compressed"):
        encode(0)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["jpeg-ls", "jpeg-2000", "rle"])
def test_memory_stays_at_a_few_frames(make_run, derive, name):
    path = make_run(count=40, rows=256, columns=256, transfer_syntax=JPEGLSLossless).path
    tracemalloc.start()
    _compressed(name, derive, path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Forty frames of float32 alone would be twenty of these.
    assert peak < 14 * 256 * 256 * 8
