"""Derived objects: legal, traceable, exact, and judged by tools that know nothing of this project."""

import dataclasses
import os
import tracemalloc

import numpy as np
import pydicom
import pytest
from pydicom.uid import JPEGLSLossless

from DSADeblurLib.lazy_frames import LazyFrames
from DSADeblurLib.request import UserFacts
from DSADeblurLib.xa import (
    Provenance,
    Run,
    XAWriteError,
    check_derived,
    plan_subtraction,
    read_header,
    read_run,
    subtract,
    write_derived,
)
from DSADeblurLib.xa.derived import derived_object as derived
from DSADeblurLib.xa.derived import save
from DSADeblurLib.xa.file.dataset import XA_IMAGE


@pytest.mark.parametrize("relationship", ["LIN", "LOG", "DISP"])
@pytest.mark.parametrize("bits", [8, 12])
def test_native(make_run, derive, judged, relationship, bits):
    made = make_run(relationship=relationship, bits=bits, transfer_syntax=JPEGLSLossless)
    path = derive(made.path, native=True)
    dataset = judged(path, made.path)
    np.testing.assert_array_equal(np.asarray(read_run(path).frames), made.frames)
    source = pydicom.dcmread(made.path)
    for keyword in (
        "BitsStored",
        "PixelIntensityRelationship",
        "WindowCenter",
        "MaskSubtractionSequence",
        "RecommendedViewingMode",
        "FocalSpots",
        "PatientName",
        "BodyPartExamined",
        "FrameTime",
    ):
        assert dataset[keyword].value == source[keyword].value
    assert ("ModalityLUTSequence" in dataset) == (relationship == "LOG")
    assert dataset.ImageType == ["DERIVED", "SECONDARY", "SINGLE PLANE", "DEBLURRED"]
    # The result is still native: it may be subtracted later, once.
    again = read_header(path)
    assert not again.subtracted and again.relationship == relationship
    assert "This series was already deblurred." in again.warnings


def test_what_cannot_be_written_is_found_before_the_frames_are(make_run, monkeypatch):
    header = read_header(make_run().path)
    for plan in (None, plan_subtraction(header)):
        check_derived(header, (1, 3, 4) if plan is None else plan.contrast_frames, plan=plan, compression="jpeg-ls")
    times = np.cumsum(np.random.default_rng(0).uniform(0, 1, 9000))
    many = dataclasses.replace(header, number_of_frames=9000, times=times)
    with pytest.raises(XAWriteError, match="of 9000 frames do not fit one DICOM element; choose fewer frames"):
        check_derived(many, range(1, 9001))
    monkeypatch.setattr(save, "_MAX_NATIVE_BYTES", 10_000)
    with pytest.raises(XAWriteError, match="The frames exceed 4 GiB"):
        check_derived(header, range(1, 7))
    with pytest.raises(XAWriteError, match="Unknown compression 'zip'"):
        check_derived(header, range(1, 7), compression="zip")


@pytest.mark.parametrize(("bits", "half_step"), [(16, 2e-5), (12, 2e-4), (8, 4e-3)])
def test_subtracted(make_run, derive, judged, bits, half_step):
    made = make_run(shift=(0.0, 0.0))
    path = derive(made.path, bits=bits)
    dataset = judged(path, made.path)
    assert (dataset.PixelIntensityRelationship, dataset.BitsStored) == ("DISP", bits)
    assert "MaskSubtractionSequence" not in dataset and "RecommendedViewingMode" not in dataset
    item = dataset.RealWorldValueMappingSequence[0]
    mid = 1 << (bits - 1)
    assert item.RealWorldValueSlope * mid + item.RealWorldValueIntercept == pytest.approx(0, abs=1e-12)
    run = read_run(made.path)
    truth = np.asarray(subtract(run.frames, plan_subtraction(run), "LIN"))
    values = np.asarray(read_run(path).frames) * item.RealWorldValueSlope + item.RealWorldValueIntercept
    np.testing.assert_allclose(values, truth, atol=half_step)
    assert np.abs(values - truth).max() <= item.RealWorldValueSlope / 2 + 1e-9
    again = read_header(path)
    assert again.subtracted and plan_subtraction(again) is None
    codes = [one.CodeValue for one in dataset.DerivationCodeSequence]
    assert codes == ["113062", "113086"]


def test_real_world_values_read_by_an_independent_library(make_run, derive):
    highdicom = pytest.importorskip("highdicom")
    made = make_run()
    path = derive(made.path)
    image = highdicom.imread(path)
    values = image.get_frames(apply_real_world_transform=True, dtype=np.float64)
    np.testing.assert_allclose(values, made.difference[2:], atol=3e-3)


def test_where_it_came_from(make_run, derive):
    made = make_run(averaging=2, contrast_frames=[3, 5])
    source, dataset = pydicom.dcmread(made.path), pydicom.dcmread(derive(made.path, focal_spot_mm=0.9))
    assert dataset.StudyInstanceUID == source.StudyInstanceUID
    assert dataset.SeriesInstanceUID != source.SeriesInstanceUID and dataset.SOPInstanceUID != source.SOPInstanceUID
    image, mask = dataset.SourceImageSequence
    assert image.PurposeOfReferenceCodeSequence[0].CodeValue == "121322"
    assert mask.PurposeOfReferenceCodeSequence[0].CodeValue == "121321"
    assert image.ReferencedSOPInstanceUID == mask.ReferencedSOPInstanceUID == source.SOPInstanceUID
    assert list(image.ReferencedFrameNumber) == [3, 4, 5, 6] and list(mask.ReferencedFrameNumber) == [1, 2]
    series = dataset.ReferencedSeriesSequence[0]
    assert series.SeriesInstanceUID == source.SeriesInstanceUID
    assert series.ReferencedInstanceSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID
    assert dataset.Manufacturer == "DSADeblur"
    assert list(dataset.SoftwareVersions) == ["DSADeblur 1.2.3", "0123456789abcdef" * 4, "test-model"]
    text = dataset.DerivationDescription
    assert text.startswith("RESEARCH USE ONLY.") and len(text) <= 1024
    parts = ("test-model", "0123456789abcdef", "mask frames 1,2", "Assumed focal spot 0.9 mm (user)", "sharpness 1")
    for part in parts:
        assert part in text
    assert dataset.SeriesDescription.endswith("deblurred (research use only)") and len(dataset.SeriesDescription) <= 64


def test_fourteen_bits_are_written_as_sixteen(make_run, derive, edit, judged):
    made = make_run()
    path = edit(made.path, BitsStored=14, HighBit=13)
    dataset = judged(derive(path, native=True), path)
    assert dataset.BitsStored == 16
    np.testing.assert_array_equal(dataset.pixel_array, made.frames)


def test_other_readers_see_the_same_pixels(make_run, derive, tool, tmp_path):
    path = derive(make_run().path)
    ours = np.asarray(read_run(path).frames)
    tool("gdcmraw", "-i", path, "-o", tmp_path / "gdcm.raw")
    np.testing.assert_array_equal(np.fromfile(tmp_path / "gdcm.raw", "<u2").reshape(ours.shape), ours)
    for number in (1, len(ours)):
        tool("dcm2pnm", "+opw", "-W", "+F", number, path, tmp_path / "frame.pgm")
        words = (tmp_path / "frame.pgm").read_text().split()
        pixels = np.array(words[-ours[0].size :], dtype=int).reshape(ours[0].shape)
        np.testing.assert_array_equal(pixels, ours[number - 1])
    itk = pytest.importorskip("SimpleITK")
    np.testing.assert_array_equal(itk.GetArrayFromImage(itk.ReadImage(str(path))), ours)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_invalid_network_output_is_not_written(make_run, provenance, tmp_path, value):
    run = read_run(make_run().path)
    plan = plan_subtraction(run)
    frames = np.zeros((4, 48, 64), np.float32)
    frames[2, 5, 5] = value
    before = sorted(tmp_path.iterdir())
    # The number is the source frame's: the third subtracted frame is frame 5 of the run.
    with pytest.raises(XAWriteError, match="Network produced invalid values in frame 5."):
        write_derived(
            tmp_path / "out.dcm", run, frames, frame_numbers=plan.contrast_frames, provenance=provenance, plan=plan
        )
    with pytest.raises(XAWriteError, match="Network produced invalid values in frame 6."):
        write_derived(tmp_path / "out.dcm", run, frames[2:3], frame_numbers=[6], provenance=provenance)
    assert sorted(tmp_path.iterdir()) == before


def test_flat_difference_is_mid_grey(make_run, provenance, tmp_path):
    run = read_run(make_run().path)
    plan = plan_subtraction(run)
    path = write_derived(
        tmp_path / "flat.dcm",
        run,
        np.zeros((4, 48, 64), np.float32),
        plan=plan,
        frame_numbers=plan.contrast_frames,
        provenance=provenance,
    )
    assert np.unique(np.asarray(read_run(path).frames)).tolist() == [32768]


def test_results_of_one_run_share_a_scale(make_run, provenance, tmp_path):
    run = read_run(make_run().path)
    plan = plan_subtraction(run)
    originals = subtract(run.frames, plan, run.relationship)
    stored = {}
    for factor in (1, 3, 0.5):
        frames = np.asarray(originals) * np.float32(factor)
        path = tmp_path / f"{factor}.dcm"
        numbers = plan.contrast_frames
        write_derived(path, run, frames, frame_numbers=numbers, provenance=provenance, plan=plan, scale_of=originals)
        dataset = pydicom.dcmread(path)
        mapping = dataset.RealWorldValueMappingSequence[0]
        stored[factor] = (mapping.RealWorldValueSlope, dataset.WindowCenter, dataset.WindowWidth)
        values = dataset.pixel_array * mapping.RealWorldValueSlope + mapping.RealWorldValueIntercept
        assert np.abs(values - frames).max() <= 0.51 * mapping.RealWorldValueSlope
    assert len(set(stored.values())) == 1
    frames[0, 0, 0] = np.nan
    with pytest.raises(XAWriteError, match="invalid values"):
        write_derived(path, run, frames, frame_numbers=numbers, provenance=provenance, plan=plan, scale_of=originals)


def test_frames_without_a_file_are_not_written(provenance, tmp_path):
    frames = np.zeros((2, 20, 30), np.uint16)
    run = Run.from_frames(frames, None, UserFacts())
    with pytest.raises(XAWriteError, match="These frames come without a DICOM file; open their file."):
        write_derived(tmp_path / "out.dcm", run, frames, frame_numbers=[1, 2], provenance=provenance)
    assert not any(tmp_path.iterdir())


def _frames(dtype=np.uint16, count=6):
    return np.zeros((count, 48, 64), dtype)


@pytest.mark.parametrize(
    ("frames", "numbers", "options", "sentence"),
    [
        (_frames(count=5), range(1, 7), {}, "do not fit 6 frame numbers"),
        (_frames(), [1, 2, 3, 4, 5, 5], {}, "ascending and without repetition"),
        (_frames(), range(2, 8), {}, "Frame numbers 2-7 lie outside 1..6."),
        (_frames(), range(1, 7), {"bits": 14}, "16, 12 or 8 bits, not 14"),
        (_frames(np.float32), range(1, 7), {}, "Native frames are whole numbers of 12 bits, not float32."),
        (_frames() + 4096, range(1, 7), {}, "Frame 1 has values outside 0..4095."),
        (_frames(np.int16) - 1, range(1, 7), {}, "Frame 1 has values outside 0..4095."),
    ],
)
def test_frames_that_do_not_fit(make_run, provenance, tmp_path, frames, numbers, options, sentence):
    run = read_run(make_run().path)
    with pytest.raises(XAWriteError, match=sentence):
        write_derived(tmp_path / "out.dcm", run, frames, frame_numbers=numbers, provenance=provenance, **options)
    assert not (tmp_path / "out.dcm").exists()


def test_originals_are_safe(make_run, provenance, tmp_path):
    path = make_run().path
    before = path.read_bytes()
    run = read_run(path)
    (tmp_path / "link.dcm").symlink_to(path)
    for target in (path, tmp_path / "link.dcm"):
        with pytest.raises(XAWriteError, match="may not replace its source"):
            write_derived(target, run, run.frames, frame_numbers=range(1, 7), provenance=provenance)
    write_derived(tmp_path / "out.dcm", run, run.frames, frame_numbers=range(1, 7), provenance=provenance)
    assert path.read_bytes() == before


@pytest.mark.parametrize("read", [read_header, read_run])
def test_source_that_changed_is_refused(make_run, provenance, tmp_path, read, change):
    """Whatever its UIDs say: while the last frame is written, and before the first."""
    made = make_run()

    class Changing(LazyFrames):
        shape, dtype = made.frames.shape, made.frames.dtype

        def frame(self, index):
            if index == 5:
                change(made.path)
            return made.frames[index]

    run = read(made.path)
    for frames in (Changing(), made.frames):
        with pytest.raises(XAWriteError, match="The source run.dcm changed since it was read.*; try again when"):
            write_derived(tmp_path / "out.dcm", run, frames, frame_numbers=range(1, 7), provenance=provenance)
        assert {path.name for path in tmp_path.iterdir()} <= {"run.dcm"}


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps an open file in its place")
def test_header_and_frames_are_those_of_the_file_opened_first(make_run, tmp_path):
    made = make_run(patient_name="FIRST")
    with read_run(made.path) as run:
        os.replace(make_run("other.dcm", patient_name="SECOND", bits=16).path, made.path)
        np.testing.assert_array_equal(run.frames[:], made.frames)
        with run.stored_pixels.file.at(0) as stream:
            assert pydicom.dcmread(stream, stop_before_pixels=True).PatientName == "FIRST"


def test_long_texts_keep_the_warning(make_run, tmp_path):
    run = read_run(make_run(series_description="x" * 64).path)
    long = Provenance("m\\n" * 400, "f" * 64, "1" * 90, "s" * 2000, tuple("assumed " * 40 for _ in range(40)))
    path = write_derived(tmp_path / "out.dcm", run, run.frames, frame_numbers=range(1, 7), provenance=long)
    dataset = pydicom.dcmread(path)
    assert dataset.DerivationDescription.startswith(derived.RESEARCH_USE) and len(dataset.DerivationDescription) <= 1024
    assert dataset.SeriesDescription.endswith("deblurred (research use only)") and len(dataset.SeriesDescription) <= 64
    assert all(len(one) <= 64 for one in dataset.SoftwareVersions)


def test_memory_stays_at_a_few_frames(make_run, derive):
    path = make_run(count=40, rows=256, columns=256, transfer_syntax=JPEGLSLossless).path
    frame = 256 * 256 * 8
    tracemalloc.start()
    derive(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Forty frames of float32 alone would be twenty of these.
    assert peak < 12 * frame


def test_a_difference_stays_a_difference(make_run, derive, judged):
    """Deblurring a subtracted run again keeps its real-world values and its mark, and never subtracts twice."""
    made = make_run()
    first = derive(made.path, name="first.dcm")
    again = read_run(first)
    assert plan_subtraction(again) is None
    dataset = judged(derive(first, native=True, name="second.dcm"), first)
    assert [one.CodeValue for one in dataset.DerivationCodeSequence] == ["113062", "113086"]
    assert dataset.RealWorldValueMappingSequence == pydicom.dcmread(first).RealWorldValueMappingSequence
    np.testing.assert_array_equal(dataset.pixel_array, np.asarray(again.frames))
    assert read_header(dataset.filename).subtracted


def test_planes_of_a_biplane_run_are_told_apart(make_run, derive, edit, validate):
    names = []
    for plane in ("A", "B"):
        path = edit(
            make_run().path,
            f"{plane}.dcm",
            ImageType=["ORIGINAL", "PRIMARY", f"BIPLANE {plane}"],
            PositionerPrimaryAngle="30",
            PositionerSecondaryAngle="-10",
        )
        dataset = pydicom.dcmread(derive(path))
        assert f"Plane {plane}, positioner angles 30, -10." in dataset.DerivationDescription
        names.append((dataset.SeriesDescription, int(dataset.SeriesNumber)))
    (text_a, number_a), (text_b, number_b) = names
    assert text_a.replace("plane A", "plane B") == text_b != text_a and number_a != number_b


def test_values_of_an_unknown_kind_are_written_for_display(make_run, derive, edit, validate):
    target = derive(edit(make_run().path, PixelIntensityRelationship="DRM"), native=True)
    dataset = pydicom.dcmread(target)
    assert dataset.SOPClassUID == XA_IMAGE and dataset.PixelIntensityRelationship == "DISP"
    assert "values for display (pixel intensity relationship DRM)" in dataset.DerivationDescription
    assert validate(target) == []


def test_what_the_device_subtracted_stays_marked(make_run, derive, edit, validate):
    path = edit(
        make_run(mask_frames=None, contrast_frames=None).path,
        RadiationSetting=None,
        AcquisitionDeviceProcessingDescription="SUBTRACTED",
    )
    target = derive(path, native=True)
    # As Secondary Capture it loses the device's text, which belongs to the X-ray modules. That was a guess, so it is no
    # code that says the same.
    found = read_header(target)
    assert validate(target) == [] and found.subtracted and found.subtraction_guessed
    assert [item.CodeValue for item in pydicom.dcmread(target).DerivationCodeSequence] == ["113086"]


@pytest.mark.parametrize(
    ("charset", "words", "kept"),
    [
        ("ISO_IR 192", "Müller 造影", "Müller 造影"),
        ("ISO_IR 100", "Müller", "Müller"),
        (["ISO 2022 IR 6", "ISO 2022 IR 87"], "plain", "plain"),
    ],
)
def test_the_series_description_keeps_its_letters(make_run, derive, edit, validate, charset, words, kept):
    path = edit(make_run().path, SpecificCharacterSet=charset, SeriesDescription=words)
    target = derive(path)
    assert pydicom.dcmread(target).SeriesDescription.startswith(f"{kept} subtracted, deblurred")
    assert validate(target) == []
