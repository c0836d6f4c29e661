"""The simulator's files are valid, reproducible and readable by others."""

import hashlib

import numpy as np
import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian, JPEGLSLossless

from DSADeblurLib.lab.simulation.xa_object import frame_ranges, write_simulated_run
from DSADeblurLib.xa import XAWriteError, read_run


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, JPEGLSLossless])
@pytest.mark.parametrize(("relationship", "bits"), [("LIN", 12), ("LOG", 12), ("DISP", 8), ("LIN", 16), ("LOG", 10)])
def test_valid_object(make_run, validate, syntax, relationship, bits):
    made = make_run(relationship=relationship, bits=bits, transfer_syntax=syntax, shift=(0.5, -1.0))
    assert validate(made.path) == []


@pytest.mark.parametrize(
    "options",
    [
        {"count": 1, "mask_frames": None, "contrast_frames": None},
        {"frame_time_ms": [0, 100, 100, 250, 100, 100]},
        {"focal_spot_mm": (0.4, 0.8)},
        {"contrast_frames": [3, 4, 6]},
        {"contrast_frames": None},
        {"focal_spot_mm": None, "sid_mm": None, "sod_mm": None, "imager_pixel_spacing_mm": None},
        {"rows": 33, "columns": 35, "bits": 8, "count": 3},
    ],
)
def test_variants_are_valid(make_run, validate, options):
    assert validate(make_run(**options).path) == []


def test_same_arguments_same_bytes(make_run):
    def digest(name, **options):
        path = make_run(name, transfer_syntax=JPEGLSLossless, **options).path
        return hashlib.sha256(path.read_bytes()).hexdigest()

    assert digest("a.dcm", uid_seed="one") == digest("b.dcm", uid_seed="one")
    assert digest("a.dcm", uid_seed="one") != digest("c.dcm", uid_seed="two")


def test_every_file_says_that_it_is_simulated(make_run):
    dataset = pydicom.dcmread(make_run().path)
    assert dataset.PatientName == "SIMULATED^DSADEBLUR" and "no patient" in dataset.ImageComments
    assert "SIMULATED" in dataset.StudyDescription and dataset.PatientID == "SIMULATED"


def test_header_facts_come_back(make_run):
    run = read_run(make_run(shift=(0.5, -1.0), averaging=2, contrast_frames=[3, 5]).path)
    facts = run.acquisition
    assert facts.focal_spot.value == 0.6 and facts.imager_pixel_spacing.value == (0.154, 0.154)
    assert facts.magnification.value == pytest.approx(1100 / 720)
    (item,) = run.mask.usable
    assert item.mask_frames == (1, 2) and item.ranges == ((3, 3), (5, 5)) and item.averaging == 2
    assert item.shift == (0.5, -1.0)


def test_other_readers_see_the_same_pixels(make_run, tool, tmp_path):
    made = make_run(transfer_syntax=JPEGLSLossless)
    tool("dcmdjpls", made.path, tmp_path / "dcmtk.dcm")
    np.testing.assert_array_equal(pydicom.dcmread(tmp_path / "dcmtk.dcm").pixel_array, made.frames)
    tool("gdcmconv", "--raw", made.path, tmp_path / "gdcm.dcm")
    tool("gdcmraw", "-i", tmp_path / "gdcm.dcm", "-o", tmp_path / "gdcm.raw")
    raw = np.fromfile(tmp_path / "gdcm.raw", "<u2").reshape(made.frames.shape)
    np.testing.assert_array_equal(raw, made.frames)


def test_compression_pays(make_run):
    native = make_run("native.dcm", rows=256, columns=256).path.stat().st_size
    assert make_run("small.dcm", rows=256, columns=256, transfer_syntax=JPEGLSLossless).path.stat().st_size < native / 3


def test_ranges():
    assert frame_ranges([1, 2, 3, 7]) == [1, 3, 7, 7]
    assert frame_ranges([5, 4, 4]) == [4, 5]


_GOOD = np.full((3, 16, 16), 100, np.uint16)


@pytest.mark.parametrize(
    ("frames", "options", "sentence"),
    [
        (_GOOD[0], {}, "array of shape"),
        (_GOOD.astype(float), {}, "array of shape"),
        (_GOOD[:0], {}, "array of shape"),
        (_GOOD, {"bits_stored": 14}, "14 stored bits are not allowed"),
        (_GOOD * 100, {}, "exceed 12 bits"),
        (_GOOD, {"relationship": "OTHER"}, "must be LIN, LOG or DISP"),
        (_GOOD, {"frame_time_ms": [0, 1]}, "Frame Time Vector has 2 values for 3 frames."),
        (_GOOD, {"transfer_syntax": "1.2.840.10008.1.2.4.50"}, "JPEG-LS lossless or Explicit VR Little Endian only"),
    ],
)
def test_frames_that_do_not_fit_are_refused(tmp_path, frames, options, sentence):
    arguments = {
        "frame_time_ms": 100,
        "focal_spot_mm": 0.6,
        "sid_mm": 1100,
        "sod_mm": 720,
        "imager_pixel_spacing_mm": 0.154,
        **options,
    }
    with pytest.raises(XAWriteError, match=sentence):
        write_simulated_run(tmp_path / "bad.dcm", frames, **arguments)
    assert list(tmp_path.iterdir()) == []
