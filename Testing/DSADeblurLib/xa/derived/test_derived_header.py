"""Headers of derived objects: what is kept, what is dropped, and which object class holds them legally."""

from types import SimpleNamespace

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from DSADeblurLib.xa import XAWriteError, read_header
from DSADeblurLib.xa.derived.derived_header import add_timing
from DSADeblurLib.xa.file.dataset import SC_BYTE, SC_WORD, SECONDARY_CAPTURE, XA_IMAGE, XRF_IMAGE


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
    for keyword in (
        "SmallestImagePixelValue",
        "PixelAspectRatio",
        "RWavePointer",
        "RepresentativeFrameNumber",
        "PresentationIntentType",
        "IconImageSequence",
        "WindowCenter",
        "LossyImageCompressionRetired",
    ):
        assert keyword not in dataset
    for keyword, value in (
        ("PatientSex", "F"),
        ("IrradiationEventUID", "1.2.3.4"),
        ("ContrastBolusAgent", "Iodixanol"),
        ("ShutterShape", "CIRCULAR"),
        ("LossyImageCompression", "01"),
        ("AveragePulseWidth", 7.5),
    ):
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
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = XA_IMAGE, "1.2.3.4.5"
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
        dataset.SOPClassUID, dataset.Modality = XRF_IMAGE, "RF"
        for keyword in ("PositionerMotion", "PositionerPrimaryAngle", "PositionerSecondaryAngle"):
            del dataset[keyword]

    path = edit(make_run().path, touch=change)
    dataset = judged(derive(path, native=native), path)
    assert dataset.SOPClassUID == XRF_IMAGE and dataset.Modality == "RF"


def _as_capture(uid):
    def change(dataset):
        dataset.SOPClassUID = uid
        dataset.ImageType = ["ORIGINAL", "PRIMARY"]
        for keyword in ("PixelIntensityRelationship", "MaskSubtractionSequence", "RecommendedViewingMode"):
            del dataset[keyword]

    return change


@pytest.mark.parametrize(
    ("uid", "bits", "count", "native", "expected"),
    [
        (SECONDARY_CAPTURE, 12, 1, True, SECONDARY_CAPTURE),
        (SC_BYTE, 8, 6, True, SC_BYTE),
        (SC_WORD, 12, 6, True, SC_WORD),
        (SC_BYTE, 8, 6, False, SC_WORD),
    ],
)
def test_secondary_capture_stays_secondary_capture(make_run, derive, edit, judged, uid, bits, count, native, expected):
    made = make_run(bits=bits, count=count, **({"mask_frames": None, "contrast_frames": None} if count == 1 else {}))
    path = edit(made.path, touch=_as_capture(uid)) if count > 1 else edit(made.path, SOPClassUID=uid)
    options = {} if native else {"relationship": "LIN", "mask_frames": [1, 2]}
    dataset = judged(derive(path, native=native, **options), path)
    assert dataset.SOPClassUID == expected and "KVP" not in dataset and dataset.Modality == "XA"
    if not native:
        assert "Assumed pixel intensity relationship LIN (user)" in dataset.DerivationDescription
        assert read_header(dataset.filename).subtracted


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"RadiationSetting": None}, "the source has no Radiation Setting"),
        ({"ImageType": ["ORIGINAL", "PRIMARY"]}, "the source does not name its plane in Image Type"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "BIPLANE B"]}, "the biplane source does not reference its other plane"),
        ({"PixelIntensityRelationship": None}, "the source has no Pixel Intensity Relationship"),
        ({"FrameTime": None}, "the source has no frame timing"),
    ],
)
def test_facts_that_are_missing_are_not_made_up(make_run, derive, edit, validate, changes, reason):
    path = edit(make_run().path, **changes)
    target = derive(path, native=True)
    dataset = pydicom.dcmread(target)
    assert validate(target) == []
    assert dataset.SOPClassUID == SC_WORD and reason in dataset.DerivationDescription
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
    assert dataset.SOPClassUID == XA_IMAGE and "RealWorldValueMappingSequence" not in dataset
    assert validate(target) == []


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


@pytest.mark.parametrize(
    "changes",
    [{"StudyInstanceUID": None}, {"SOPInstanceUID": "1.2.3.invalid"}, {"SeriesInstanceUID": "ANON-1"}],
)
def test_source_without_legal_uids(make_run, edit, derive, validate, changes):
    path = edit(make_run().path, **changes)
    dataset = pydicom.dcmread(derive(path, native=True, new_uids=True))
    assert validate(dataset.filename) == []
    new_study = "a new Study Instance UID (user)" in dataset.DerivationDescription
    assert new_study == ("StudyInstanceUID" in changes)


def test_sizes_that_are_not_positive_are_not_copied(make_run, derive, edit, validate):
    """PS3.3 10.7.1.3."""
    changes = {"ImagerPixelSpacing": [0, 0], "PixelSpacing": [0.2, 0], "PixelSpacingCalibrationType": "GEOMETRY"}
    dataset = pydicom.dcmread(derive(edit(make_run().path, **changes), native=True))
    assert not changes.keys() & {element.keyword for element in dataset} and validate(dataset.filename) == []


def test_biplane_reference_must_be_to_the_other_plane(make_run, derive, edit, validate):
    def change(dataset):
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = XA_IMAGE, "1.2.3.4.5"
        dataset.ReferencedImageSequence = [item]
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "BIPLANE A"]

    target = derive(edit(make_run().path, touch=change), native=True)
    assert validate(target) == []
    assert "does not reference its other plane" in pydicom.dcmread(target).DerivationDescription


def test_what_no_longer_holds_is_dropped(make_run, derive, edit, judged):
    def change(dataset):
        dataset.SyntheticData = "NO"
        dataset.FrameOfReferenceUID, dataset.PositionReferenceIndicator = "1.2.3.4", ""
        dataset.add_new("PixelPaddingValue", "US", 0)
        dataset.FrameNumbersOfInterest, dataset.FrameOfInterestDescription = 2, "x"
        dataset.add_new("LargestImagePixelValue", "US", 4095)
        for keyword in (
            "VOILUTSequence",
            "OriginalAttributesSequence",
            "DigitalSignaturesSequence",
            "MACParametersSequence",
        ):
            item = Dataset()
            item.LUTExplanation = "x"
            setattr(dataset, keyword, [item])

    path = edit(make_run().path, touch=change)
    path.write_bytes(b"MZ" + path.read_bytes()[2:])
    dataset = judged(derive(path, native=True), path)
    for keyword in (
        "SyntheticData",
        "FrameOfReferenceUID",
        "PixelPaddingValue",
        "FrameNumbersOfInterest",
        "LargestImagePixelValue",
        "VOILUTSequence",
        "OriginalAttributesSequence",
        "DigitalSignaturesSequence",
        "MACParametersSequence",
    ):
        assert keyword not in dataset
    assert dataset.preamble == b"\0" * 128


def test_times_of_very_many_frames_fit_one_element():
    dataset, steps = Dataset(), np.random.default_rng(1).uniform(10, 99, 9000)
    times = np.cumsum([0.0, *steps]) / 1000
    add_timing(dataset, SimpleNamespace(times=times), range(1, 9002))
    assert len("\\".join(map(str, dataset.FrameTimeVector))) <= 65534
    np.testing.assert_allclose([float(one) for one in dataset.FrameTimeVector][1:], steps, atol=6e-4)
    with pytest.raises(XAWriteError, match="of 20000 frames do not fit one DICOM element; choose fewer frames."):
        add_timing(dataset, SimpleNamespace(times=np.cumsum(np.arange(20000))), range(1, 20001))
