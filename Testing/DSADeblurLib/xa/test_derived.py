"""Derived objects: legal, traceable, exact, and judged by tools that know nothing of this project."""

import tracemalloc

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import JPEGLSLossless

from DSADeblurLib.xa import (
    Provenance,
    XAWriteError,
    derived,
    header,
    plan_subtraction,
    read_header,
    read_run,
    subtract,
    write_derived,
)


@pytest.fixture
def derive(tmp_path, provenance):
    """Return a function that derives from a file what its pixels are, native or subtracted."""
    def write(path, *, native=False, name="derived.dcm", numbers=None, mask_frames=None, bits=16, **options):
        run = read_run(path, **options)
        plan = None if native else plan_subtraction(run, mask_frames=mask_frames)
        if plan is None:
            numbers = numbers or range(1, len(run.frames) + 1)
            frames = run.frames[[one - 1 for one in numbers]]
        else:
            frames = subtract(run.frames, plan, run.relationship)
            numbers = frames.frame_numbers
        return write_derived(tmp_path / name, run, frames, frame_numbers=numbers, provenance=provenance, plan=plan,
                             bits=bits)
    return write


@pytest.fixture
def judged(validate, tool):
    """Return a function that asserts a derived file is valid, agrees with its source, and loads it."""
    def judge(path, source):
        assert validate(path) == []
        result = tool("dcentvfy", source, path)
        assert result.stdout + result.stderr == ""
        return pydicom.dcmread(path)
    return judge


@pytest.mark.parametrize("relationship", ["LIN", "LOG", "DISP"])
@pytest.mark.parametrize("bits", [8, 12])
def test_native(make_run, derive, judged, relationship, bits):
    made = make_run(relationship=relationship, bits=bits, transfer_syntax=JPEGLSLossless)
    path = derive(made.path, native=True)
    dataset = judged(path, made.path)
    np.testing.assert_array_equal(np.asarray(read_run(path).frames), made.frames)
    source = pydicom.dcmread(made.path)
    for keyword in ("BitsStored", "PixelIntensityRelationship", "WindowCenter", "MaskSubtractionSequence",
                    "RecommendedViewingMode", "FocalSpots", "PatientName", "BodyPartExamined", "FrameTime"):
        assert dataset[keyword].value == source[keyword].value
    assert ("ModalityLUTSequence" in dataset) == (relationship == "LOG")
    assert dataset.ImageType == ["DERIVED", "SECONDARY", "SINGLE PLANE", "DEBLURRED"]
    # The result is still native: it may be subtracted later, once.
    again = read_header(path)
    assert not again.subtracted and again.relationship == relationship
    assert "This series was already deblurred." in again.warnings


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
    for part in ("test-model", "0123456789abcdef", "mask frames 1,2", "Assumed focal spot 0.9 mm (user)", "strength 1"):
        assert part in text
    assert dataset.SeriesDescription.endswith("deblurred (research use only)") and len(dataset.SeriesDescription) <= 64


def test_devices_form_a_chain(make_run, derive, judged):
    made = make_run()
    first = derive(made.path, native=True, name="first.dcm")
    second = judged(derive(first, native=True, name="second.dcm"), made.path)
    device, software = second.ContributingEquipmentSequence
    assert device.PurposeOfReferenceCodeSequence[0].CodeValue == "109101"
    assert device.ManufacturerModelName == "DSADeblur simulator"
    assert software.PurposeOfReferenceCodeSequence[0].CodeValue == "109102"
    assert software.SoftwareVersions[2] == "test-model"


def test_unknown_manufacturer_is_said_to_be_unknown(make_run, derive, edit, judged):
    path = edit(make_run().path, Manufacturer="", ManufacturerModelName=None)
    dataset = judged(derive(path, native=True), path)
    assert dataset.ContributingEquipmentSequence[0].Manufacturer == "unknown"


def test_chosen_frames(make_run, derive, judged):
    made = make_run(frame_time_ms=[0, 100, 150, 150, 300, 100])
    dataset = judged(derive(made.path, native=True, numbers=[2, 3, 5]), made.path)
    assert "FrameTime" not in dataset and [float(one) for one in dataset.FrameTimeVector] == [0, 150, 450]
    # Frame numbers changed their meaning, so masks that name them are gone.
    assert "MaskSubtractionSequence" not in dataset and "RecommendedViewingMode" not in dataset
    assert list(dataset.SourceImageSequence[0].ReferencedFrameNumber) == [2, 3, 5]
    uniform = judged(derive(made.path, native=True, numbers=[2, 3, 4]), made.path)
    assert uniform.FrameTime == 150 and "FrameTimeVector" not in uniform


def test_single_frame(make_run, derive, judged):
    made = make_run()
    dataset = judged(derive(made.path, native=True, numbers=[4]), made.path)
    assert "FrameIncrementPointer" not in dataset
    still = make_run("still.dcm", count=1, mask_frames=None, contrast_frames=None)
    dataset = judged(derive(still.path), still.path)
    assert "ReferencedFrameNumber" not in dataset.SourceImageSequence[0]


def _clinical(dataset):
    """What real headers carry: things to keep, and things that must not follow the pixels."""
    block = dataset.private_block(0x0029, "VENDOR X", create=True)
    block.add_new(0x01, "LO", "secret")
    dataset.add_new(0x60000010, "US", 48)
    dataset.add_new(0x50000005, "US", 2)
    dataset.add_new("SmallestImagePixelValue", "US", 0)
    dataset.PixelAspectRatio = [1, 1]
    dataset.RWavePointer = [2, 4]
    dataset.RepresentativeFrameNumber = 3
    dataset.PresentationIntentType = "FOR PRESENTATION"
    dataset.LossyImageCompressionRetired = "01"
    icon = Dataset()
    icon.Rows = icon.Columns = 8
    dataset.IconImageSequence = [icon]
    dataset.WindowCenter, dataset.WindowWidth = [100, 200], [50]
    dataset.PatientSex, dataset.PatientAge = "F", "061Y"
    dataset.IrradiationEventUID = "1.2.3.4"
    dataset.ContrastBolusAgent = "Iodixanol"
    dataset.PositionerMotion = "DYNAMIC"
    dataset.PositionerPrimaryAngle, dataset.PositionerSecondaryAngle = "-30", "10"
    dataset.PositionerPrimaryAngleIncrement = ["0", "1", "2", "3", "4", "5"]
    dataset.PositionerSecondaryAngleIncrement = "0.5"
    dataset.TableMotion = "STATIC"
    dataset.CollimatorShape = "RECTANGULAR"
    dataset.CollimatorLeftVerticalEdge, dataset.CollimatorRightVerticalEdge = 0, 65
    dataset.CollimatorUpperHorizontalEdge, dataset.CollimatorLowerHorizontalEdge = 0, 49
    dataset.ShutterShape = "CIRCULAR"
    dataset.CenterOfCircularShutter, dataset.RadiusOfCircularShutter = [24, 32], 40
    dataset.PixelSpacing = [0.11, 0.11]
    dataset.PixelSpacingCalibrationType = "GEOMETRY"
    dataset.PixelSpacingCalibrationDescription = "isocentre"
    dataset.FieldOfViewShape, dataset.FieldOfViewDimensions = "RECTANGLE", [7, 10]
    dataset.AveragePulseWidth = "7.5"
    dataset.InstitutionName, dataset.StationName = "Hospital", "ROOM1"
    dataset.RequestAttributesSequence = []


def test_clinical_header(make_run, derive, edit, judged):
    path = edit(make_run().path, touch=_clinical)
    dataset = judged(derive(path, native=True, numbers=[3, 4, 5]), path)
    assert not any(element.tag.is_private for element in dataset)
    for group in (0x5000, 0x6000):
        assert not dataset.group_dataset(group)
    for keyword in ("SmallestImagePixelValue", "PixelAspectRatio", "RWavePointer", "RepresentativeFrameNumber",
                    "PresentationIntentType", "IconImageSequence", "WindowCenter", "LossyImageCompressionRetired"):
        assert keyword not in dataset
    for keyword, value in (("PatientSex", "F"), ("IrradiationEventUID", "1.2.3.4"), ("ContrastBolusAgent", "Iodixanol"),
                           ("ShutterShape", "CIRCULAR"), ("LossyImageCompression", "01"), ("AveragePulseWidth", 7.5)):
        assert dataset[keyword].value == value
    # Angles belong to the first frame, which is now frame 3 of the source.
    assert (dataset.PositionerPrimaryAngle, dataset.PositionerSecondaryAngle) == (-28, 11)
    assert (dataset.PositionerPrimaryAngleIncrement, dataset.PositionerSecondaryAngleIncrement) == (1, 0.5)
    device = dataset.ContributingEquipmentSequence[0]
    assert (device.InstitutionName, device.StationName) == ("Hospital", "ROOM1") and "StationName" not in dataset


def test_positions_of_frames_that_are_not_neighbours(make_run, derive, edit):
    path = edit(make_run().path, touch=_clinical)
    dataset = pydicom.dcmread(derive(path, native=True, numbers=[2, 3, 6]))
    assert (dataset.PositionerPrimaryAngle, dataset.PositionerSecondaryAngle) == (-29, 10.5)
    assert [float(one) for one in dataset.PositionerPrimaryAngleIncrement] == [0, 1, 4]
    assert [float(one) for one in dataset.PositionerSecondaryAngleIncrement] == [0, 0.5, 2]


@pytest.mark.parametrize("burned", ["YES", "NO", None])
def test_burned_in_text_is_never_denied(make_run, derive, edit, burned):
    path = edit(make_run().path, BurnedInAnnotation=burned)
    assert pydicom.dcmread(derive(path, native=True)).get("BurnedInAnnotation") == burned


def test_lossy_history_is_kept(make_run, derive, judged, tool, tmp_path):
    made = make_run(bits=8)
    tool("dcmcjpeg", "+eb", "+q", "70", made.path, tmp_path / "lossy.dcm")
    dataset = judged(derive(tmp_path / "lossy.dcm", native=True), made.path)
    assert dataset.LossyImageCompression == "01" and dataset.LossyImageCompressionMethod == "ISO_10918_1"
    assert float(dataset.LossyImageCompressionRatio) > 1


def test_biplane_keeps_its_other_plane(make_run, derive, edit, judged):
    def change(dataset):
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = header.XA_IMAGE, "1.2.3.4.5"
        code = Dataset()
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "121314", "DCM", "Other image of biplane pair"
        item.PurposeOfReferenceCodeSequence = [code]
        dataset.ReferencedImageSequence = [item]
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "BIPLANE A"]
    path = edit(make_run().path, touch=change)
    dataset = judged(derive(path), path)
    assert dataset.ImageType[2] == "BIPLANE A"
    assert dataset.ReferencedImageSequence[0].ReferencedSOPInstanceUID == "1.2.3.4.5"


@pytest.mark.parametrize("native", [True, False])
def test_radiofluoroscopy_stays_radiofluoroscopy(make_run, derive, edit, judged, native):
    def change(dataset):
        dataset.SOPClassUID, dataset.Modality = header.XRF_IMAGE, "RF"
        for keyword in ("PositionerMotion", "PositionerPrimaryAngle", "PositionerSecondaryAngle"):
            del dataset[keyword]
    path = edit(make_run().path, touch=change)
    dataset = judged(derive(path, native=native), path)
    assert dataset.SOPClassUID == header.XRF_IMAGE and dataset.Modality == "RF"


def _as_capture(uid):
    def change(dataset):
        dataset.SOPClassUID = uid
        dataset.ImageType = ["ORIGINAL", "PRIMARY"]
        for keyword in ("PixelIntensityRelationship", "MaskSubtractionSequence", "RecommendedViewingMode"):
            del dataset[keyword]
    return change


@pytest.mark.parametrize(("uid", "bits", "count", "native", "expected"), [
    (header.SECONDARY_CAPTURE, 12, 1, True, header.SECONDARY_CAPTURE),
    (header.SC_BYTE, 8, 6, True, header.SC_BYTE), (header.SC_WORD, 12, 6, True, header.SC_WORD),
    (header.SC_BYTE, 8, 6, False, header.SC_WORD),
])
def test_secondary_capture_stays_secondary_capture(
    make_run, derive, edit, judged, uid, bits, count, native, expected
):
    made = make_run(bits=bits, count=count, **({"mask_frames": None, "contrast_frames": None} if count == 1 else {}))
    path = edit(made.path, touch=_as_capture(uid)) if count > 1 else edit(made.path, SOPClassUID=uid)
    options = {} if native else {"relationship": "LIN", "mask_frames": [1, 2]}
    dataset = judged(derive(path, native=native, **options), path)
    assert dataset.SOPClassUID == expected and "KVP" not in dataset and dataset.Modality == "XA"
    if not native:
        assert "Assumed pixel intensity relationship LIN (user)" in dataset.DerivationDescription
        assert read_header(dataset.filename).subtracted


@pytest.mark.parametrize(("changes", "reason"), [
    ({"RadiationSetting": None}, "the source has no Radiation Setting"),
    ({"ImageType": ["ORIGINAL", "PRIMARY"]}, "the source does not name its plane in Image Type"),
    ({"ImageType": ["ORIGINAL", "PRIMARY", "BIPLANE B"]}, "the biplane source does not reference its other plane"),
    ({"PixelIntensityRelationship": None}, "the source has no Pixel Intensity Relationship"),
    ({"FrameTime": None}, "the source has no frame timing"),
])
def test_facts_that_are_missing_are_not_made_up(make_run, derive, edit, validate, changes, reason):
    path = edit(make_run().path, **changes)
    target = derive(path, native=True)
    dataset = pydicom.dcmread(target)
    assert validate(target) == []
    assert dataset.SOPClassUID == header.SC_WORD and reason in dataset.DerivationDescription
    assert dataset.BurnedInAnnotation == "NO"


def test_unknown_burned_in_text_counts_as_present_where_an_answer_is_demanded(make_run, derive, edit, validate):
    path = edit(make_run().path, BurnedInAnnotation=None, RadiationSetting=None)
    target = derive(path, native=True)
    assert pydicom.dcmread(target).BurnedInAnnotation == "YES" and validate(target) == []


def test_logarithmic_source_without_lut(make_run, derive, edit, validate):
    path = edit(make_run(relationship="LOG").path, ModalityLUTSequence=None)
    target = derive(path, native=True)
    assert validate(target) == [] and "no Modality LUT" in pydicom.dcmread(target).DerivationDescription
    # The difference of the same source is for display, and relative: it needs no LUT and gets no real world values.
    target = derive(path)
    dataset = pydicom.dcmread(target)
    assert dataset.SOPClassUID == header.XA_IMAGE and "RealWorldValueMappingSequence" not in dataset
    assert validate(target) == []


def test_fourteen_bits_are_written_as_sixteen(make_run, derive, edit, judged):
    made = make_run()
    path = edit(made.path, BitsStored=14, HighBit=13)
    dataset = judged(derive(path, native=True), path)
    assert dataset.BitsStored == 16
    np.testing.assert_array_equal(dataset.pixel_array, made.frames)


def test_illegal_values_are_left_out(make_run, derive, edit, validate):
    def change(dataset):
        dataset["PatientSex"]._value = "?"
        dataset["BodyPartExamined"]._value = "head & neck"
        dataset.Laterality = None
    target = derive(edit(make_run().path, touch=change), native=True)
    dataset = pydicom.dcmread(target)
    assert dataset.PatientSex == "" and "BodyPartExamined" not in dataset
    # Nothing says which body part it is: Laterality is stated as unknown, which is all the validator remarks on.
    assert [one.split(">")[0] for one in validate(target)] == ["Warning - </Laterality(0020,0060)"]


def test_names_in_any_script(make_run, derive, edit):
    path = edit(make_run().path, PatientName="Jérôme^山田")
    assert pydicom.dcmread(derive(path, native=True)).PatientName == "Jérôme^山田"


def test_other_readers_see_the_same_pixels(make_run, derive, tool, tmp_path):
    path = derive(make_run().path)
    ours = np.asarray(read_run(path).frames)
    tool("gdcmraw", "-i", path, "-o", tmp_path / "gdcm.raw")
    np.testing.assert_array_equal(np.fromfile(tmp_path / "gdcm.raw", "<u2").reshape(ours.shape), ours)
    for number in (1, len(ours)):
        tool("dcm2pnm", "+opw", "-W", "+F", number, path, tmp_path / "frame.pgm")
        words = (tmp_path / "frame.pgm").read_text().split()
        pixels = np.array(words[-ours[0].size:], dtype=int).reshape(ours[0].shape)
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
        write_derived(tmp_path / "out.dcm", run, frames, frame_numbers=plan.contrast_frames, provenance=provenance,
                      plan=plan)
    with pytest.raises(XAWriteError, match="Network produced invalid values in frame 6."):
        write_derived(tmp_path / "out.dcm", run, frames[2:3], frame_numbers=[6], provenance=provenance)
    assert sorted(tmp_path.iterdir()) == before


def test_flat_difference_is_mid_grey(make_run, provenance, tmp_path):
    run = read_run(make_run().path)
    plan = plan_subtraction(run)
    path = write_derived(tmp_path / "flat.dcm", run, np.zeros((4, 48, 64), np.float32), plan=plan,
                         frame_numbers=plan.contrast_frames, provenance=provenance)
    assert np.unique(np.asarray(read_run(path).frames)).tolist() == [32768]


def _frames(dtype=np.uint16, count=6):
    return np.zeros((count, 48, 64), dtype)


@pytest.mark.parametrize(("frames", "numbers", "options", "sentence"), [
    (_frames(count=5), range(1, 7), {}, "do not fit 6 frame numbers"),
    (_frames(), [1, 2, 3, 4, 5, 5], {}, "ascending and without repetition"),
    (_frames(), range(2, 8), {}, "Frame numbers 2-7 lie outside 1..6."),
    (_frames(), range(1, 7), {"bits": 14}, "16, 12 or 8 bits, not 14"),
    (_frames(np.float32), range(1, 7), {}, "Native frames are whole numbers of 12 bits, not float32."),
    (_frames() + 4096, range(1, 7), {}, "Frame 1 has values outside 0..4095."),
    (_frames(np.int16) - 1, range(1, 7), {}, "Frame 1 has values outside 0..4095."),
])
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


def test_source_that_changed_or_is_gone(make_run, edit, provenance, tmp_path):
    made = make_run()
    run = read_run(made.path)
    arguments = {"frame_numbers": range(1, 7), "provenance": provenance}
    made.path.write_bytes(edit(made.path, SOPInstanceUID="1.2.3.9").read_bytes())
    with pytest.raises(XAWriteError, match="The source run.dcm changed since it was read."):
        write_derived(tmp_path / "out.dcm", run, made.frames, **arguments)
    made.path.unlink()
    with pytest.raises(XAWriteError, match="The source run.dcm can no longer be read: The file does not exist."):
        write_derived(tmp_path / "out.dcm", run, made.frames, **arguments)


@pytest.mark.parametrize("changes", [{"StudyInstanceUID": None}, {"SOPInstanceUID": ""}])
def test_source_without_identity(make_run, edit, derive, changes):
    with pytest.raises(XAWriteError, match="no Study or SOP Instance UID"):
        derive(edit(make_run().path, **changes), native=True)


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
