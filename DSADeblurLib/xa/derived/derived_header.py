"""The header of a derived object: what is copied, what is new, and which object class can hold it legally."""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
from pydicom.charset import python_encoding
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import generate_uid
from pydicom.valuerep import format_number_as_ds

from DSADeblurLib.errors import XAWriteError
from DSADeblurLib.xa.derived.attributes import ACQUISITION, CINE, COMMON, TYPE_2, copy_attributes, copy_item
from DSADeblurLib.xa.file.dataset import SC_BYTE, SC_CLASSES, SC_WORD, SECONDARY_CAPTURE, XA_IMAGE, XRF_IMAGE
from DSADeblurLib.xa.file.elements import items_of, numbers_of, text_of, texts_of
from DSADeblurLib.xa.header.enhanced import ENHANCED_XA, ENHANCED_XRF
from DSADeblurLib.xa.header.header import RunHeader
from DSADeblurLib.xa.header.purpose import lossy_method, was_lossy
from DSADeblurLib.xa.subtraction.plan import SubtractionPlan

_PLANES = ("SINGLE PLANE", "BIPLANE A", "BIPLANE B")
# Attributes that hold one increment per frame, and the angle they start from (PS3.3 C.8.7.4, C.8.7.5).
_INCREMENTS = (
    ("PositionerPrimaryAngleIncrement", "PositionerPrimaryAngle"),
    ("PositionerSecondaryAngleIncrement", "PositionerSecondaryAngle"),
    ("TableVerticalIncrement", None),
    ("TableLateralIncrement", None),
    ("TableLongitudinalIncrement", None),
)


def why_not_xray(source: Dataset, header: RunHeader, subtracted: bool, frames: int) -> str:
    """Return why the derived object cannot be an X-ray image object, '' when it can.

    The XA and RF object classes demand facts (type 1) that cannot be made up: without them the result is written as
    Secondary Capture, which demands none.
    """
    if header.source.sop_class_uid in SC_CLASSES:
        return "the source is a Secondary Capture"
    plane = header.source.image_type[2:3]
    if not plane or plane[0] not in _PLANES:
        return "the source does not name its plane in Image Type"
    if plane[0] != _PLANES[0] and not _references_other_plane(source):
        return "the biplane source does not reference its other plane"
    if text_of(source, "RadiationSetting") not in ("SC", "GR"):
        return "the source has no Radiation Setting"
    if not subtracted and header.relationship is None and not text_of(source, "PixelIntensityRelationship"):
        return "the source has no Pixel Intensity Relationship"
    if not subtracted and header.relationship == "LOG":
        if not _has_modality_lut(source):
            return "the logarithmic source has no Modality LUT"
        if header.stored_pixels.signed or header.stored_pixels.inverted:
            return "the source's Modality LUT is for other values"
    if frames > 1 and header.times is None:
        return "the source has no frame timing"
    return ""


def classic_class(header: RunHeader) -> str:
    """Return the class of the derived X-ray object: what comes from an enhanced object is written as a classic one."""
    enhanced = {ENHANCED_XA: XA_IMAGE, ENHANCED_XRF: XRF_IMAGE}
    return enhanced.get(header.source.sop_class_uid, header.source.sop_class_uid)


def _references_other_plane(source: Dataset) -> bool:
    """Tell whether the source names the other image of the biplane pair, 121314 (PS3.3 C.8.7.1)."""
    return any(
        text_of(code, "CodeValue") == "121314"
        for item in items_of(source, "ReferencedImageSequence")
        for code in items_of(item, "PurposeOfReferenceCodeSequence")
    )


def _has_modality_lut(source: Dataset) -> bool:
    return bool(items_of(source, "ModalityLUTSequence")) or len(numbers_of(source, "RescaleSlope") or ()) == 1


def base_dataset(source: Dataset, header: RunHeader, subtracted: bool, frames: int, bits_allocated: int) -> Dataset:
    """Return the copied part of the derived object, with its class, new UIDs and every type 2 element present."""
    capture = bool(why_not_xray(source, header, subtracted, frames))
    dataset = copy_attributes(source, COMMON if capture else COMMON | ACQUISITION | CINE)
    if not all(one in python_encoding for one in texts_of(dataset, "SpecificCharacterSet") or ("none",)):
        dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.StudyInstanceUID = header.source.study_instance_uid
    for keyword in TYPE_2:
        if keyword not in dataset:
            setattr(dataset, keyword, None)
    state_laterality(dataset)
    if capture:
        dataset.SOPClassUID = SECONDARY_CAPTURE if frames == 1 else (SC_BYTE if bits_allocated == 8 else SC_WORD)
        dataset.ImageType = ["DERIVED", "SECONDARY", "DEBLURRED"]
        dataset.ConversionType = "WSD"
        if not dataset.get("Modality"):
            dataset.Modality = "OT"
        if frames > 1:
            _multi_frame_capture(dataset, bits_allocated)
    else:
        dataset.SOPClassUID = classic_class(header)
        dataset.ImageType = ["DERIVED", "SECONDARY", header.source.image_type[2], "DEBLURRED"]
        if header.source.image_type[2] != _PLANES[0]:
            dataset.ReferencedImageSequence = [copy_item(one) for one in items_of(source, "ReferencedImageSequence")]
        dataset.Modality = "XA" if dataset.SOPClassUID == XA_IMAGE else "RF"
        add_xray_type_2(dataset, frames)
    now = datetime.now()
    for stem in ("InstanceCreation", "Series", "Content"):
        setattr(dataset, stem + "Date", now.strftime("%Y%m%d"))
        setattr(dataset, stem + "Time", now.strftime("%H%M%S"))
    # The new dates carry this computer's time zone, the copied ones do not know it.
    dataset.SOPInstanceUID, dataset.SeriesInstanceUID = generate_uid(prefix=None), generate_uid(prefix=None)
    number = header.source.series_number
    # The two planes of a biplane run are of one series.
    first = 9500 if header.source.plane == "BIPLANE B" else 9000
    dataset.SeriesNumber = first + (int(number) % 1_000_000 if number.lstrip("-").isdigit() else 0)
    dataset.InstanceNumber = 1
    return dataset


def state_laterality(dataset: Dataset) -> None:
    """Keep Laterality where it says something; otherwise state it empty only where the body part is not known.

    Type 2C: absent for an unpaired body part, empty when a paired part cannot be excluded (PS3.3 C.7.3.1).
    """
    if not dataset.get("Laterality") and "Laterality" in dataset:
        del dataset.Laterality
    known = ("Laterality", "ImageLaterality", "BodyPartExamined", "AnatomicRegionSequence")
    if not any(dataset.get(one) for one in known):
        dataset.Laterality = None


def _multi_frame_capture(dataset: Dataset, bits_allocated: int) -> None:
    # Type 1 here. Absence in the source means nobody looked, so the careful answer is given.
    if dataset.get("BurnedInAnnotation") not in ("YES", "NO"):
        dataset.BurnedInAnnotation = "YES"
    dataset.PresentationLUTShape = "IDENTITY"
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = "0", "1", "US"


def add_xray_type_2(dataset: Dataset, frames: int) -> None:
    """Add, empty, what the X-Ray Acquisition and Positioner modules want present (C.8.7.2, C.8.7.4, C.8.7.5)."""
    _default(dataset, "KVP")
    if "Exposure" not in dataset:
        _default(dataset, "XRayTubeCurrent", "ExposureTime")
    elif "XRayTubeCurrent" not in dataset or "ExposureTime" not in dataset:
        _default(dataset, "Exposure")
    if dataset.SOPClassUID == XA_IMAGE:
        _default(dataset, "PositionerPrimaryAngle", "PositionerSecondaryAngle")
        if frames > 1:
            _default(dataset, "PositionerMotion")


def _default(dataset: Dataset, *keywords: str) -> None:
    for keyword in keywords:
        if keyword not in dataset:
            setattr(dataset, keyword, None)


def add_timing(dataset: Dataset, header: RunHeader, numbers: Sequence[int]) -> None:
    """Write the frame count and the times of the chosen frames: Frame Time when uniform, else a vector."""
    if len(numbers) == 1:
        # One frame needs no Multi-frame module, and what belongs to playing frames goes with it.
        for keyword in CINE & {element.keyword for element in dataset}:
            del dataset[keyword]
        return
    dataset.NumberOfFrames = len(numbers)
    if header.times is None:
        # Secondary Capture only: frames are told apart by number, and no time is made up.
        dataset.FrameIncrementPointer = 0x00182001
        dataset.PageNumberVector = [int(one) for one in numbers]
        return
    times = header.times[np.asarray(numbers) - 1] * 1000.0
    steps = np.diff(times)
    if np.allclose(steps, steps[0], rtol=1e-6, atol=1e-6) and steps[0] > 0:
        dataset.FrameIncrementPointer = 0x00181063
        dataset.FrameTime = format_number_as_ds(round(float(steps[0]), 6))
    else:
        dataset.FrameIncrementPointer = 0x00181065
        dataset.FrameTimeVector = _decimals((0.0, *steps))


def _decimals(values: Sequence[float]) -> list[str]:
    """Return values as decimal strings, rounded no more than the length of one element makes necessary.

    An element with a text representation holds at most 65534 bytes (PS3.5 7.1.2).
    """
    for digits in (6, 3):
        texts = [format_number_as_ds(round(float(one), digits)) for one in values]
        if sum(map(len, texts)) + len(texts) <= 65534:
            return texts
    raise XAWriteError(
        f"The times or positions of {len(values)} frames do not fit one DICOM element; choose fewer frames."
    )


def add_motion(dataset: Dataset, source: Dataset, header: RunHeader, numbers: Sequence[int]) -> None:
    """Recount the increments of a moving positioner or table for the chosen frames; angles belong to the first one."""
    for keyword, angle in _INCREMENTS:
        values = numbers_of(source, keyword)
        if not values:
            continue
        if len(values) == 1:
            values = tuple(values[0] * index for index in range(header.number_of_frames))
        if len(values) != header.number_of_frames:
            continue
        first = values[numbers[0] - 1]
        chosen = [values[number - 1] - first for number in numbers]
        if angle and (start := numbers_of(source, angle)):
            setattr(dataset, angle, format_number_as_ds(round(start[0] + first, 6)))
        steps = np.diff(chosen)
        # One value is the step from each frame to the next, several are offsets from the first frame.
        uniform = len(steps) > 0 and np.allclose(steps, steps[0], atol=1e-6)
        written = [float(steps[0])] if uniform else chosen
        setattr(dataset, keyword, _decimals(written))
    if dataset.get("PositionerMotion") == "DYNAMIC":
        _default(dataset, "PositionerPrimaryAngleIncrement", "PositionerSecondaryAngleIncrement")
    if dataset.get("TableMotion") == "DYNAMIC":
        _default(dataset, "TableVerticalIncrement", "TableLateralIncrement", "TableLongitudinalIncrement")


def add_sources(dataset: Dataset, header: RunHeader, numbers: Sequence[int], plan: SubtractionPlan | None) -> None:
    """Reference the source object: processed frames (121322) and mask frames (121321), and its series."""
    used = sorted({one for number in numbers for one in (plan.averaged(number) if plan else (number,))})
    items = _source_items(header, codes.DCM.SourceImageForImageProcessingOperation, used)
    if plan is not None:
        items += _source_items(header, codes.DCM.MaskImageForImageProcessingOperation, plan.mask_frames)
    dataset.SourceImageSequence = items
    if header.source.series_instance_uid:
        series = Dataset()
        series.SeriesInstanceUID = header.source.series_instance_uid
        instances = header.source.instances or (header.source.sop_instance_uid,)
        series.ReferencedInstanceSequence = [_reference(header, one) for one in instances]
        dataset.ReferencedSeriesSequence = [series]


def _source_items(header: RunHeader, purpose: Code, numbers: Sequence[int]) -> list[Dataset]:
    """One item for the object that holds the frames, or where each is an object of its own, one for each."""
    if header.source.instances:
        items = [_reference(header, header.source.instances[number - 1]) for number in numbers]
    else:
        items = [_reference(header, header.source.sop_instance_uid)]
        if header.number_of_frames > 1:
            items[0].ReferencedFrameNumber = [int(one) for one in numbers]
    for item in items:
        item.PurposeOfReferenceCodeSequence = [code_item(purpose.value, "DCM", purpose.meaning)]
    return items


def _reference(header: RunHeader, instance: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = header.source.sop_class_uid
    item.ReferencedSOPInstanceUID = instance
    return item


def code_item(value: str, scheme: str, meaning: str) -> Dataset:
    """Return one new item of a code sequence."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def add_equipment(dataset: Dataset, source: Dataset, header: RunHeader, software: Sequence[str]) -> None:
    """Name this software as the equipment and the source's device as contributing to it (C.7.5.1, C.12.1.1.5)."""
    items = [copy_item(one) for one in items_of(source, "ContributingEquipmentSequence")]
    derived = header.source.image_type[:1] == ("DERIVED",)
    names = (
        "InstitutionName",
        "InstitutionAddress",
        "StationName",
        "InstitutionalDepartmentName",
        "ManufacturerModelName",
        "DeviceSerialNumber",
        "SoftwareVersions",
    )
    item = copy_attributes(source, frozenset(("Manufacturer", *names)))
    for name in names:
        if name in item and not item.get(name):
            del item[name]
    if not item.get("Manufacturer"):
        item.Manufacturer = "unknown"
    code = ("109102", "Processing Equipment") if derived else ("109101", "Acquisition Equipment")
    item.PurposeOfReferenceCodeSequence = [code_item(code[0], "DCM", code[1])]
    dataset.ContributingEquipmentSequence = [*items, item]
    dataset.Manufacturer = dataset.ManufacturerModelName = "DSADeblur"
    dataset.SoftwareVersions = list(software)


def add_lossy_history(dataset: Dataset, source: Dataset, header: RunHeader) -> None:
    """Say for ever that pixels were once compressed with loss, whatever the syntax of this file (C.7.6.1.1.5)."""
    method = lossy_method(header.source.transfer_syntax)
    if not was_lossy(source, header.source.transfer_syntax):
        return
    dataset.LossyImageCompression = "01"
    if method and not texts_of(dataset, "LossyImageCompressionMethod"):
        stored = header.stored_pixels
        if not texts_of(dataset, "LossyImageCompressionRatio"):
            ratio = stored.frames * stored.frame_bytes / max(stored.encoded_bytes, 1)
            dataset.LossyImageCompressionRatio = format_number_as_ds(round(ratio, 2))
        if len(texts_of(dataset, "LossyImageCompressionRatio")) == 1:
            dataset.LossyImageCompressionMethod = method
