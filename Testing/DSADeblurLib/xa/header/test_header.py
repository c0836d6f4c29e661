"""What a file is, its timing and its meaning; everything else is refused with one sentence."""

import json

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from DSADeblurLib.request import DeblurRequest, RequestError, UserFacts
from DSADeblurLib.xa import XAReadError, read_header, read_run
from DSADeblurLib.xa.file import dataset as opening
from DSADeblurLib.xa.file.dataset import SC_BYTE, SC_WORD, SECONDARY_CAPTURE, XRF_IMAGE


def _refused(path, **options):
    with pytest.raises(XAReadError) as caught:
        read_header(path, UserFacts(**options))
    return str(caught.value)


def test_complete_header(make_run):
    facts = read_header(make_run().path)
    assert (facts.number_of_frames, facts.image_rows, facts.image_columns) == (6, 48, 64)
    assert (facts.bits_allocated, facts.bits_stored, facts.relationship) == (16, 12, "LIN")
    assert facts.warnings == () and not facts.subtracted and not facts.moved
    assert facts.source.modality == "XA" and facts.source.image_type == ("ORIGINAL", "PRIMARY", "SINGLE PLANE")
    np.testing.assert_allclose(facts.times, np.arange(6) * 0.125)
    assert json.loads(json.dumps(facts.as_dict()))["mask"]["items"][0]["mask_frames"] == [1, 2]


def test_log_scale_comes_from_the_lut(make_run):
    assert read_header(make_run(relationship="LOG").path).log_slope == pytest.approx(np.log(65535) / 4095, rel=1e-3)
    assert read_header(make_run("lin.dcm").path).log_slope is None


def test_broken_lut_gives_no_scale(make_run, edit):
    def change(dataset):
        dataset.ModalityLUTSequence[0].LUTData = b"\0\0"

    facts = read_header(edit(make_run(relationship="LOG").path, touch=change))
    assert facts.relationship == "LOG" and facts.log_slope is None


@pytest.mark.parametrize("content", [b"", b"text", b"\x89PNG" + b"\0" * 500, b"\0" * 128 + b"DICX"])
def test_other_files(tmp_path, content):
    (tmp_path / "other").write_bytes(content)
    assert _refused(tmp_path / "other") == "Not a DICOM file."


def test_missing_file_and_folder(tmp_path):
    assert _refused(tmp_path / "none.dcm") == "The file does not exist."
    assert _refused(tmp_path) == "This is a folder, not a file."


@pytest.mark.parametrize(
    "uid", ["1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.7.4", "1.2.840.10008.5.1.4.1.1.7.1"]
)
def test_other_objects(make_run, edit, uid):
    assert _refused(edit(make_run().path, SOPClassUID=uid)).startswith(f"Unsupported SOP class {uid}. Supported: X-Ray")


@pytest.mark.parametrize("uid", [XRF_IMAGE, SECONDARY_CAPTURE, SC_BYTE, SC_WORD])
def test_supported_objects(make_run, edit, uid):
    assert read_header(edit(make_run().path, SOPClassUID=uid)).source.sop_class_uid == uid


def test_secondary_capture_has_no_physics_and_no_complaint(make_run, edit):
    facts = read_header(edit(make_run().path, SOPClassUID=SC_WORD, PixelIntensityRelationship=None))
    assert facts.relationship is None and facts.warnings == ()
    other = read_header(edit(make_run().path, SOPClassUID=SC_WORD, Modality="CT"))
    assert "Modality is CT, not XA: is this an angiogram?" in other.warnings


def test_relationship_of_an_angiogram_is_asked_for(make_run, edit):
    path = edit(make_run().path, PixelIntensityRelationship="OTHER")
    warnings = read_header(path).warnings
    assert "Pixel intensity relationship 'OTHER' is of an unknown kind; choose one." in warnings
    assert "Its mask is not subtracted before it is known what pixel values mean." in warnings
    missing = read_header(edit(path, "missing.dcm", PixelIntensityRelationship=None))
    assert "Pixel intensity relationship missing; choose linear or log." in missing.warnings
    assert read_header(path, UserFacts(relationship="LOG")).relationship == "LOG"
    with pytest.raises(RequestError, match="Relationship must be one of LIN, LOG, DISP, not 'CUBIC'."):
        UserFacts(relationship="CUBIC")


def test_transfer_syntaxes_that_are_refused(make_run, tmp_path):
    data = make_run().path.read_bytes()
    at = data.index(b"1.2.840.10008.1.2.1\0")
    for uid, sentence in (
        (b"1.2.840.10008.5.9.9\0", "Unknown transfer syntax 1.2.840.10008.5.9.9."),
        (b"1.2.999.10008.1.2.1\0", "Unknown transfer syntax 1.2.999.10008.1.2.1."),
    ):
        (tmp_path / "syntax.dcm").write_bytes(data[:at] + uid + data[at + len(uid) :])
        assert _refused(tmp_path / "syntax.dcm") == sentence
    # Rename the element: the file then names no transfer syntax.
    element = data.index(b"\x02\x00\x10\x00UI")
    (tmp_path / "none.dcm").write_bytes(data[:element] + b"\x02\x00\x15\x00UI" + data[element + 6 :])
    assert _refused(tmp_path / "none.dcm").startswith("The file does not name its transfer syntax")


def test_header_element_sizes_are_limited(make_run, edit, tmp_path, monkeypatch):
    path = edit(make_run().path, ImageComments="x" * 9000)
    monkeypatch.setattr(opening, "_MAX_HEADER_ELEMENT", 8000)
    assert _refused(path).startswith("A header element is larger than")
    monkeypatch.undo()
    data = path.read_bytes()
    (tmp_path / "cut.dcm").write_bytes(data[: data.index(b"xxxx") + 4000])
    assert _refused(tmp_path / "cut.dcm") == "File is truncated: 4000 of 9000 bytes."


def test_nested_sequences_end_in_one_error(make_run, tmp_path):
    data = make_run().path.read_bytes()
    at = data.index(b"\x08\x00\x05\x00CS")
    item = b"\x08\x00\x15\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    (tmp_path / "deep.dcm").write_bytes(data[:at] + item * 3000)
    assert _refused(tmp_path / "deep.dcm").startswith("The file is damaged or not conformant (RecursionError")


def test_frame_time_vector(make_run):
    facts = read_header(make_run(frame_time_ms=[0, 100, 100, 250, 250, 500]).path)
    np.testing.assert_allclose(facts.times, [0, 0.1, 0.2, 0.45, 0.7, 1.2])


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"FrameTimeVector": [0, 10, 10]}, "Frame Time Vector has 3 values for 6 frames."),
        ({"FrameTimeVector": [0, 1, 1, 1, 1, -1]}, "Frame Time Vector unusable; frames numbered only."),
    ],
)
def test_unusable_time_vector(make_run, edit, changes, sentence):
    facts = read_header(edit(make_run(frame_time_ms=[0, 1, 1, 1, 1, 1]).path, **changes))
    assert facts.times is None and facts.warnings == (sentence,)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"FrameTime": "0"}, "Frame Time '0' unusable; frames numbered only."),
        ({"FrameTime": "-33"}, "Frame Time '-33' unusable; frames numbered only."),
        ({"FrameTime": None}, "Frame timing missing; frames numbered only."),
        ({"FrameIncrementPointer": 0x00280009}, "Frame timing missing; frames numbered only."),
    ],
)
def test_unusable_frame_time(make_run, edit, changes, sentence):
    facts = read_header(edit(make_run().path, **changes))
    assert facts.times is None and facts.warnings == (sentence,)


@pytest.mark.parametrize(
    ("changes", "rate"),
    [
        ({}, 8.0),
        ({"FrameTime": "40"}, 25.0),
        ({"FrameTime": None}, 8.0),
        ({"FrameTime": None, "CineRate": 15}, 15.0),
        ({"FrameTime": None, "CineRate": "0"}, 8.0),
        ({"FrameTime": None, "CineRate": None, "RecommendedDisplayFrameRate": 7}, 7.0),
        ({"FrameTime": None, "CineRate": None, "RecommendedDisplayFrameRate": None}, None),
    ],
)
def test_playback_rate(make_run, edit, changes, rate):
    facts = read_header(edit(make_run().path, **changes))
    assert facts.playback_fps == rate and (facts.times is None) == ("FrameTime" in changes and not changes["FrameTime"])


def test_playback_rate_of_a_vector(make_run):
    assert read_header(make_run(frame_time_ms=[0, 100, 100, 250, 250, 300]).path).playback_fps == pytest.approx(5)


def test_rescale_of_an_angiogram_is_not_applied(make_run, edit):
    made = make_run()
    path = edit(made.path, RescaleSlope="2", RescaleIntercept="-100")
    run = read_run(path)
    np.testing.assert_array_equal(np.asarray(run.frames), made.frames)
    assert run.warnings == ("Rescale of an X-ray angiogram is not applied: stored values are used.",)
    assert read_header(edit(path, "same.dcm", RescaleSlope="1", RescaleIntercept="0")).warnings == ()
    assert read_header(edit(path, "capture.dcm", SOPClassUID=SC_WORD)).warnings == ()


def test_single_frame_needs_no_timing(make_run):
    facts = read_header(make_run(count=1, mask_frames=None, contrast_frames=None).path)
    assert facts.warnings == () and facts.times.tolist() == [0.0]


def test_subtraction_code(make_run, edit):
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "113062", "DCM", "Pixel by pixel subtraction"
    facts = read_header(edit(make_run().path, DerivationCodeSequence=[item]))
    assert facts.subtracted and not facts.subtraction_guessed
    assert facts.warnings == ("This series was subtracted already; it is deblurred without subtraction.",)
    assert not read_header(facts.source.path, UserFacts(content="native")).subtracted


def test_what_the_user_says_of_the_content_is_no_guess(make_run, edit):
    path = edit(make_run().path, DerivationDescription="subtracted")
    for content in ("native", "subtracted"):
        said = read_header(path, UserFacts(content=content))
        assert (said.subtracted, said.subtraction_guessed) == (content == "subtracted", False)
    with pytest.raises(RequestError, match="subtracted already are not subtracted again"):
        DeblurRequest.of(content="subtracted", subtract="always")


def test_times_that_stand_still_are_no_times(make_run, edit):
    still = read_header(edit(make_run(frame_time_ms=[0, 100, 100, 250, 250, 300]).path, FrameTimeVector=["0"] * 6))
    assert still.times is None and "Frame Time Vector holds zeros only and is not used." in still.warnings
    pointed_at_nothing = read_header(edit(make_run().path, FrameIncrementPointer=0))
    assert pointed_at_nothing.times is not None and pointed_at_nothing.warnings == ()


def test_reading_changes_nothing(make_run):
    path = make_run().path
    before = path.read_bytes()
    read_header(path)
    assert path.read_bytes() == before and pydicom.dcmread(path).SOPInstanceUID
