"""Enhanced XA objects, generated with pydicom, are read through their functional groups like classic ones."""

import copy

import numpy as np
import pydicom
import pytest
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import generate_uid

from DSADeblurLib.request import UserFacts
from DSADeblurLib.xa import plan_subtraction, read_header, read_run, subtract
from DSADeblurLib.xa.header.enhanced import ENHANCED_XA, ENHANCED_XRF

_SID, _ISOCENTRE = 1100.0, 720.0
# dciodvfy's complaints about these parts would mean that the fixture is not what the standard describes.
_GROUPS = (
    "FunctionalGroups",
    "FramePixelData",
    "XRayGeometry",
    "FrameContent",
    "PixelShift",
    "IntensityRelationship",
    "FrameVOI",
    "PositionerPosition",
    "TablePosition",
    "CollimatorShape",
    "MaskSubtraction",
)


def _item(**values):
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item


def _properties(relationship="LIN", **more):
    return _item(
        FrameType=["ORIGINAL", "PRIMARY", "SINGLE PLANE", "NONE"],
        PixelIntensityRelationshipSign=1,
        PixelIntensityRelationship=relationship,
        ImagerPixelSpacing=[0.154, 0.154],
        GeometricalProperties="UNIFORM",
        ImageProcessingApplied="NONE",
        **more,
    )


def _lut(function="TO_LINEAR", bits=12):
    count = 1 << bits
    item = _item(LUTExplanation="to linear", LUTFunction=function)
    item.add_new("LUTDescriptor", "US", [count, 0, 16])
    table = np.rint(np.exp(np.arange(count) * (np.log(65535) / (count - 1)))).astype("<u2")
    item.add_new("LUTData", "OW", table.tobytes())
    return item


@pytest.fixture
def enhance(tmp_path):
    """Return a function that turns a classic run into an enhanced one; `touch(dataset, shared, per_frame)` edits it."""

    def convert(path, touch=None, name="enhanced.dcm", relationship="LIN", sop_class=ENHANCED_XA, frames=6):
        dataset = pydicom.dcmread(path)
        dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, generate_uid()
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "SINGLE PLANE", "NONE"]
        dataset.PositionerType = "CARM"
        shared, per_frame = Dataset(), [Dataset() for _ in range(frames)]
        shared.FramePixelDataPropertiesSequence = [_properties(relationship)]
        shared.XRayGeometrySequence = [_item(DistanceSourceToIsocenter=_ISOCENTRE, DistanceSourceToDetector=_SID)]
        shared.FrameVOILUTSequence = [_item(WindowCenter="2000", WindowWidth="1500")]
        if relationship in ("LOG", "OTHER"):
            shared.PixelIntensityRelationshipLUTSequence = [_lut()]
        for index, group in enumerate(per_frame):
            group.FrameContentSequence = [
                _item(
                    FrameAcquisitionNumber=1,
                    FrameReferenceDateTime=f"20260101120000.{index * 125:03d}000",
                    FrameAcquisitionDateTime=f"20260101120000.{index * 125:03d}000",
                    FrameAcquisitionDuration=5.0,
                )
            ]
            group.PositionerPositionSequence = [_item(PositionerPrimaryAngle=30.0, PositionerSecondaryAngle=-10.0)]
            group.TablePositionSequence = [
                _item(
                    TableTopVerticalPosition=100.0,
                    TableTopLongitudinalPosition=50.0,
                    TableTopLateralPosition=0.0,
                    TableHorizontalRotationAngle=0.0,
                    TableHeadTiltAngle=0.0,
                    TableCradleTiltAngle=0.0,
                )
            ]
        for keyword in (
            "PixelIntensityRelationship",
            "ImagerPixelSpacing",
            "DistanceSourceToDetector",
            "WindowCenter",
            "DistanceSourceToPatient",
            "EstimatedRadiographicMagnificationFactor",
            "WindowWidth",
            "FrameTime",
            "FrameIncrementPointer",
            "PositionerPrimaryAngle",
            "PositionerSecondaryAngle",
            "PositionerMotion",
            "ModalityLUTSequence",
            "RecommendedViewingMode",
        ):
            if keyword in dataset:
                del dataset[keyword]
        for item in dataset.get("MaskSubtractionSequence", ()):
            item.SubtractionItemID = 1
        dataset.FrameDisplaySequence = [_item(StartTrim=1, StopTrim=frames, RecommendedViewingMode="SUB")]
        if touch:
            touch(dataset, shared, per_frame)
        dataset.SharedFunctionalGroupsSequence = [shared]
        dataset.PerFrameFunctionalGroupsSequence = per_frame
        dataset.file_meta.MediaStorageSOPClassUID = sop_class
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        dataset.save_as(tmp_path / name)
        return tmp_path / name

    return convert


@pytest.mark.parametrize("sop_class", [ENHANCED_XA, ENHANCED_XRF])
def test_an_enhanced_run_says_what_the_classic_one_says(make_run, enhance, sop_class):
    made = make_run()
    classic, run = read_run(made.path), read_run(enhance(made.path, sop_class=sop_class))
    assert run.warnings == () and run.source.sop_class_uid == sop_class and run.source.plane == "SINGLE PLANE"
    assert run.relationship == "LIN" and run.acquisition.sid.value == _SID and run.acquisition.sod.value == _ISOCENTRE
    assert run.acquisition.imager_pixel_spacing.value == (0.154, 0.154)
    assert run.acquisition.blur_detector_px.value == pytest.approx(classic.acquisition.blur_detector_px.value)
    np.testing.assert_allclose(run.times, classic.times)
    assert run.mask.usable == classic.mask.usable and run.mask.viewing_mode == "SUB"
    assert (run.windows[0].center, run.windows[0].width) == (2000, 1500) and not run.moved
    np.testing.assert_allclose(run.motion.primary_angles, 30)
    np.testing.assert_array_equal(np.asarray(run.frames), made.frames)


def test_the_fixture_is_built_as_the_standard_says(make_run, enhance, tool):
    report = tool("dciodvfy", "-new", enhance(make_run(relationship="LOG").path, relationship="LOG"))
    assert "EnhancedXAImage" in report.stderr
    lines = [line for line in report.stderr.splitlines() if line.startswith("Error")]
    # What only a whole acquisition has is missing, and named; what is there is right.
    wrong = [one for one in lines if "Missing attribute" not in one and any(part in one for part in _GROUPS)]
    assert wrong == []


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("relationship", ["LIN", "LOG"])
def test_derived_from_enhanced_is_a_legal_classic_object(make_run, enhance, derive, validate, native, relationship):
    made = make_run(relationship=relationship)
    path = enhance(made.path, relationship=relationship)
    derived = derive(path, native=native)
    assert validate(derived) == []
    dataset = pydicom.dcmread(derived)
    assert dataset.SOPClassUID.name == "X-Ray Angiographic Image Storage"
    assert dataset.SourceImageSequence[0].ReferencedSOPClassUID == ENHANCED_XA
    assert "SharedFunctionalGroupsSequence" not in dataset
    again = read_header(derived)
    np.testing.assert_allclose(np.diff(again.times), 0.125)
    assert again.acquisition.magnification.value == pytest.approx(_SID / _ISOCENTRE)
    if not native:
        run = read_run(path)
        frames = np.asarray(subtract(run.frames, plan_subtraction(run), run.relationship))
        np.testing.assert_allclose(frames, made.difference[2:], atol=3e-3)


def test_logarithmic_values_have_their_scale_from_the_lut(make_run, enhance):
    run = read_header(enhance(make_run(relationship="LOG").path, relationship="LOG"))
    assert run.log_slope == pytest.approx(np.log(65535) / 4095, rel=1e-3)


def test_other_values_with_a_table_to_intensity_are_display_values(make_run, enhance):
    path = make_run(relationship="LOG").path
    facts = read_header(enhance(path, relationship="OTHER"))
    assert facts.relationship == "DISP" and facts.to_linear is not None

    def change(dataset, shared, per_frame):
        shared.PixelIntensityRelationshipLUTSequence = [_lut("TO_LOG")]

    asked = read_header(enhance(path, change, relationship="OTHER"))
    assert asked.relationship is None
    assert asked.warnings[0] == "Pixel intensity relationship 'OTHER' is of an unknown kind; choose one."


def test_relationships_that_differ_are_asked_about(make_run, enhance):
    def change(dataset, shared, per_frame):
        del shared.FramePixelDataPropertiesSequence
        for index, group in enumerate(per_frame):
            group.FramePixelDataPropertiesSequence = [_properties("LOG" if index else "LIN")]

    path = enhance(make_run().path, change)
    facts = read_header(path)
    assert facts.relationship is None and "Pixel intensity relationship differs between frames." in facts.warnings
    assert read_header(path, UserFacts(relationship="LIN")).relationship == "LIN"


def test_what_differs_between_frames_is_told(make_run, enhance):
    def change(dataset, shared, per_frame):
        del shared.XRayGeometrySequence
        for index, group in enumerate(per_frame):
            group.XRayGeometrySequence = [
                _item(DistanceSourceToIsocenter=_ISOCENTRE, DistanceSourceToDetector=_SID + index)
            ]
            group.PositionerPositionSequence[0].PositionerPrimaryAngle = 30.0 + 2 * index

    facts = read_header(enhance(make_run().path, change))
    assert "Source to detector distance differs between frames; that of frame 1 is used." in facts.warnings
    assert facts.acquisition.sid.value == _SID and facts.moved
    np.testing.assert_allclose(facts.motion.primary_angles, 30 + 2 * np.arange(6))


def test_moments_that_are_no_times_give_none(make_run, enhance):
    def change(dataset, shared, per_frame):
        for group in per_frame:
            group.FrameContentSequence[0].FrameAcquisitionDateTime = "20260101120000"
            group.FrameContentSequence[0].FrameReferenceDateTime = "20260101120000"

    facts = read_header(enhance(make_run().path, change))
    assert facts.times is None and facts.warnings == ("Frame timing missing; frames numbered only.",)


def test_frame_pixel_shift_overrides_the_mask_shift(make_run, enhance):
    def change(dataset, shared, per_frame):
        shared.FramePixelShiftSequence = [
            _item(SubtractionItemID=2, MaskSubPixelShift=[9.0, 9.0]),
            _item(SubtractionItemID=1, MaskSubPixelShift=[1.5, -0.5]),
        ]

    assert read_header(enhance(make_run().path, change)).mask.usable[0].shift == (1.5, -0.5)


def test_shifts_that_differ_between_frames_are_not_used(make_run, enhance):
    def change(dataset, shared, per_frame):
        for index, group in enumerate(per_frame):
            group.FramePixelShiftSequence = [_item(SubtractionItemID=1, MaskSubPixelShift=[0.1 * index, 0.0])]

    facts = read_header(enhance(make_run().path, change))
    assert facts.mask.usable == () and "Mask shift is not one pair of numbers." in facts.warnings


def test_collimator_of_the_groups(make_run, enhance):
    def change(dataset, shared, per_frame):
        shared.CollimatorShapeSequence = [
            _item(
                CollimatorShape="RECTANGULAR",
                CollimatorLeftVerticalEdge=0,
                CollimatorRightVerticalEdge=65,
                CollimatorUpperHorizontalEdge=10,
                CollimatorLowerHorizontalEdge=49,
            )
        ]

    exposed = read_header(enhance(make_run().path, change)).exposed()
    assert exposed[10:].all() and not exposed[:10].any()


def test_planes_of_a_biplane_pair_refer_to_each_other(make_run, enhance, derive, validate):
    def change(dataset, shared, per_frame):
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "BIPLANE A", "NONE"]
        dataset.ReferencedOtherPlaneSequence = [
            _item(ReferencedSOPClassUID=ENHANCED_XA, ReferencedSOPInstanceUID="1.2.3.4")
        ]

    path = enhance(make_run().path, change)
    facts = read_header(path)
    assert facts.source.plane == "BIPLANE A" and facts.source.other_planes == ("1.2.3.4",) and facts.warnings == ()
    derived = derive(path)
    assert validate(derived) == []
    assert pydicom.dcmread(derived).ReferencedImageSequence[0].ReferencedSOPInstanceUID == "1.2.3.4"


def test_groups_of_another_count_say_nothing_of_single_frames(make_run, enhance):
    facts = read_header(enhance(make_run().path, frames=4))
    assert "Functional groups describe 4 frames, file holds 6: what they say of single frames is not used." in (
        facts.warnings
    )
    assert facts.times is None and facts.motion.primary_angles is None and facts.relationship == "LIN"


def test_monochrome1_is_legal_here_and_still_asked_about(make_run, enhance, derive, validate):
    made = make_run()

    def change(dataset, shared, per_frame):
        dataset.PhotometricInterpretation, dataset.PresentationLUTShape = "MONOCHROME1", "INVERSE"

    path = enhance(made.path, change)
    np.testing.assert_array_equal(np.asarray(read_run(path, UserFacts(polarity="keep")).frames), made.frames)
    assert validate(derive(path, native=True, polarity="keep")) == []


@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom's, while the test writes what is wrong on purpose
def test_damaged_groups_are_no_reason_to_fail(make_run, enhance):
    def change(dataset, shared, per_frame):
        shared.FramePixelDataPropertiesSequence = []
        shared.XRayGeometrySequence = [_item(DistanceSourceToDetector=float("nan"))]
        shared.CollimatorShapeSequence = [_item(CollimatorShape="RECTANGULAR")]
        tag = Tag(tag_for_keyword("CollimatorLeftVerticalEdge"))
        shared.CollimatorShapeSequence[0]._dict[tag] = RawDataElement(tag, "IS", 4, b"left", 0, False, True)
        per_frame[0] = copy.deepcopy(Dataset())

    facts = read_header(enhance(make_run().path, change))
    assert facts.relationship is None and facts.acquisition.sid.value is None and facts.times is None
    assert "Collimator shape 'RECTANGULAR' unusable; it is not taken into account." in facts.warnings
