"""Real angiograms of several devices and codecs: read exactly, derived legally."""

import numpy as np
import pydicom
import pytest
from pydicom.pixels import get_decoder
from pydicom.uid import JPEGExtended12Bit

from DSADeblurLib.xa import XAReadError, find_inputs, plan_subtraction, read_run, subtract, write_derived

_SC = [f"XA1_{one}.dcm" for one in ("UNC", "RLE", "JPLL", "JLSL", "J2KR", "J2KI", "JPLY")]
_ALL = [*_SC, "coronary_96f_jpegbaseline.dcm", "rf_modality_lut_anon.dcm"]
# What the sources themselves lack: a body part (so Laterality is unknown), a Study ID, a structured name.
_ACCEPTED = ("</Laterality(0020,0060)>", "</StudyID(0020,0010)>", "Retired Person Name form")


def test_nothing_is_left_untested(real_data):
    assert {one.name for one in find_inputs([real_data]) if one.suffix == ".dcm"} == set(_ALL)


@pytest.mark.parametrize("name", ["XA1_RLE.dcm", "XA1_JPLL.dcm", "XA1_JLSL.dcm", "XA1_J2KR.dcm"])
def test_lossless_codecs_agree(real_data, name):
    if name == "XA1_JPLL.dcm":
        pytest.importorskip("gdcm")
    reference = read_run(real_data / "XA1_UNC.dcm").frames[0]
    np.testing.assert_array_equal(read_run(real_data / name).frames[0], reference)


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("XA1_RLE.dcm", ("dcmdrle",)),
        ("XA1_JPLL.dcm", ("dcmdjpeg",)),
        ("XA1_JLSL.dcm", ("dcmdjpls",)),
        ("XA1_JPLY.dcm", ("dcmdjpeg",)),
        ("coronary_96f_jpegbaseline.dcm", ("dcmdjpeg",)),
        ("XA1_J2KR.dcm", ("gdcmconv", "--raw")),
        ("XA1_J2KI.dcm", ("gdcmconv", "--raw")),
        ("rf_modality_lut_anon.dcm", ("gdcmconv", "--raw")),
        ("XA1_UNC.dcm", ("gdcmconv", "--raw")),
    ],
)
def test_pixels_equal_those_of_another_decoder(real_data, tool, tmp_path, name, command):
    if name in ("XA1_JPLL.dcm", "XA1_JPLY.dcm"):
        pytest.importorskip("gdcm")
    result = tool(*command, real_data / name, tmp_path / "raw.dcm")
    assert result.returncode == 0, result.stderr
    run, other = read_run(real_data / name), pydicom.dcmread(tmp_path / "raw.dcm").pixel_array
    other = other.reshape(run.frames.shape)
    for index in {0, len(run.frames) // 2, len(run.frames) - 1}:
        np.testing.assert_array_equal(run.frames[index], other[index])


def test_lossy_twelve_bits_resemble_the_original(real_data):
    pytest.importorskip("gdcm")
    original = read_run(real_data / "XA1_UNC.dcm").frames[0].astype(float)
    lossy = read_run(real_data / "XA1_JPLY.dcm").frames[0].astype(float)
    assert np.corrcoef(original.ravel(), lossy.ravel())[0, 1] > 0.99 and np.abs(lossy - original).mean() < 10


def test_lossy_twelve_bits_need_gdcm_and_say_so(real_data, monkeypatch):
    monkeypatch.setattr(get_decoder(JPEGExtended12Bit), "_available", {})
    with pytest.raises(XAReadError, match="JPEG Extended.*install the Python package python-gdcm"):
        read_run(real_data / "XA1_JPLY.dcm")


def test_coronary_cine(real_data):
    run = read_run(real_data / "coronary_96f_jpegbaseline.dcm")
    assert run.frames.shape == (96, 512, 512) and run.frames.dtype == np.uint8 and run.relationship == "LIN"
    assert run.times[-1] == pytest.approx(95 * 0.033)
    # Operation NONE with mask frame 0 is no mask, and not an error.
    assert not run.mask.usable and plan_subtraction(run) is None
    assert run.warnings == (
        "No pixel size: the header cannot say how wide the blur is.",
        "These frames hold 8 bits made for display; faint vessels may have been lost before.",
        "These frames were once compressed with loss; what that did to them is sharpened too.",
    )
    assert {row[3] for row in run.acquisition.rows()} == {"unknown"}


def test_secondary_captures_have_no_physics(real_data):
    run = read_run(real_data / "XA1_UNC.dcm")
    assert run.relationship is None and not run.subtracted and run.bits_stored == 10


def test_fluoroscopy_lut_is_not_applied(real_data):
    run = read_run(real_data / "rf_modality_lut_anon.dcm")
    stored = pydicom.dcmread(real_data / "rf_modality_lut_anon.dcm").PixelData
    assert run.frames[0].tobytes() == stored and run.log_slope is None


@pytest.mark.parametrize("name", _ALL)
def test_derived_objects_are_valid(real_data, provenance, validate, tmp_path, capfd, name):
    if name in ("XA1_JPLL.dcm", "XA1_JPLY.dcm"):
        pytest.importorskip("gdcm")
    run = read_run(real_data / name)
    path = write_derived(
        tmp_path / "derived.dcm", run, run.frames, frame_numbers=range(1, len(run.frames) + 1), provenance=provenance
    )
    printed = capfd.readouterr()
    assert printed.out + printed.err == ""
    remarks = validate(path)
    assert [one for one in remarks if one.startswith("Error") or not any(known in one for known in _ACCEPTED)] == []
    again = read_run(path)
    assert again.source.sop_class_uid == run.source.sop_class_uid and not again.subtracted
    np.testing.assert_array_equal(again.frames[-1], run.frames[-1])
    lossy = name in ("XA1_J2KI.dcm", "XA1_JPLY.dcm", "coronary_96f_jpegbaseline.dcm")
    assert (pydicom.dcmread(path, stop_before_pixels=True).get("LossyImageCompression") == "01") == lossy


def test_coronary_cine_subtracted_with_chosen_masks(real_data, provenance, validate, tmp_path):
    run = read_run(real_data / "coronary_96f_jpegbaseline.dcm")
    plan = plan_subtraction(run, mask_frames=[1, 2])
    frames = subtract(run.frames, plan, run.relationship)
    path = write_derived(
        tmp_path / "derived.dcm", run, frames, frame_numbers=frames.frame_numbers, plan=plan, provenance=provenance
    )
    assert [one for one in validate(path) if not any(known in one for known in _ACCEPTED)] == []
    assert read_run(path).subtracted


def test_other_files_of_the_folder_are_refused_with_a_sentence(real_data):
    for path in find_inputs([real_data.parent / "dsa", real_data.parent / "phantoms"]):
        with pytest.raises(XAReadError, match=r"^[A-Z].*\.$"):
            read_run(path)
