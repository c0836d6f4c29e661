"""A derived object's header without what tells who the patient is.

PS3.15 E.1, the Basic Application Level Confidentiality Profile with clean descriptors.
"""

import re
import secrets
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import Any

from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sr.codedict import codes
from pydicom.uid import UID, UID_dictionary, generate_uid
from pydicom.valuerep import DA, DT, TM

from DSADeblurLib.errors import XAWriteError
from DSADeblurLib.xa.derived.attributes import ACQUISITION, CINE, TYPE_2, copy_attributes
from DSADeblurLib.xa.derived.derived_header import add_xray_type_2, code_item, state_laterality
from DSADeblurLib.xa.derived.derived_object import OPTICAL_DENSITY, RESEARCH_USE, result_name
from DSADeblurLib.xa.file.dataset import XA_IMAGE, XRF_IMAGE
from DSADeblurLib.xa.file.elements import items_of, text_of, texts_of

DATES = ("removed", "shifted")
# The edition of table E.1-1 in dicom-anonymizer.
_TABLE = "dicomfields_2026c"

# Lists of what stays, not of what goes. What the table treats goes even if it stands here; text goes wherever it is,
# for anyone may have written a name into it, and so does a value of another kind than the attribute's.
_KEPT = (
    frozenset(
        """
SOPClassUID SOPInstanceUID StudyInstanceUID SeriesInstanceUID IrradiationEventUID
SeriesNumber AcquisitionNumber InstanceNumber PatientOrientation
SourceImageSequence ReferencedSeriesSequence ReferencedImageSequence DerivationCodeSequence AnatomicRegionSequence
PrimaryAnatomicStructureSequence ModalityLUTSequence RealWorldValueMappingSequence MaskSubtractionSequence
NumberOfFrames FrameIncrementPointer FrameTime FrameTimeVector PageNumberVector
PositionerPrimaryAngleIncrement PositionerSecondaryAngleIncrement TableVerticalIncrement TableLateralIncrement
TableLongitudinalIncrement
SamplesPerPixel Rows Columns BitsAllocated BitsStored HighBit PixelRepresentation
WindowCenter WindowWidth RescaleSlope RescaleIntercept LossyImageCompressionRatio
""".split()
    )
    | CINE
    | ACQUISITION
)
_REFERENCE = "ReferencedSOPClassUID ReferencedSOPInstanceUID ReferencedFrameNumber PurposeOfReferenceCodeSequence"
# The sequences that may stay, and what may stay in their items beside a standard code.
_IN_ITEMS = {
    sequence: frozenset(keywords.split())
    for sequence, keywords in {
        "AnatomicRegionSequence": "AnatomicRegionModifierSequence",
        "AnatomicRegionModifierSequence": "",
        "ContrastBolusAdministrationRouteSequence": "",
        "ContrastBolusAgentSequence": "",
        "DerivationCodeSequence": "",
        "MaskSubtractionSequence": "MaskOperation MaskFrameNumbers ApplicableFrameRange ContrastFrameAveraging "
        "MaskSubPixelShift TIDOffset",
        "MeasurementUnitsCodeSequence": "",
        "ModalityLUTSequence": "LUTDescriptor LUTData ModalityLUTType",
        "PrimaryAnatomicStructureModifierSequence": "",
        "PrimaryAnatomicStructureSequence": "PrimaryAnatomicStructureModifierSequence",
        "PurposeOfReferenceCodeSequence": "",
        "RealWorldValueMappingSequence": "RealWorldValueFirstValueMapped RealWorldValueLastValueMapped "
        "RealWorldValueIntercept RealWorldValueSlope RealWorldValueLUTData MeasurementUnitsCodeSequence",
        "ReferencedImageSequence": _REFERENCE,
        "ReferencedInstanceSequence": _REFERENCE,
        "ReferencedSeriesSequence": "SeriesInstanceUID ReferencedInstanceSequence",
        "SourceImageSequence": _REFERENCE,
    }.items()
}
# The defined terms of what is written in words. Any other word may be a name.
_TERMS = {
    keyword: frozenset(terms.split("|"))
    for keyword, terms in {
        "BodyPartExamined": "ABDOMEN|ABDOMENPELVIS|ANKLE|AORTA|ARM|BRAIN|CAROTID|CHEST|CHESTABDOMEN|CORONARYARTERY|"
        "ELBOW|EXTREMITY|FOOT|FOREARM|HAND|HEAD|HEADNECK|HEART|HIP|KIDNEY|KNEE|LEG|LIVER|LUNG|NECK|PELVIS|SHOULDER|"
        "SKULL|SPINE|THIGH|WHOLEBODY|WRIST",
        "BurnedInAnnotation": "YES|NO",
        "CalibrationImage": "YES|NO",
        "CollimatorShape": "RECTANGULAR|CIRCULAR|POLYGONAL",
        "ContrastBolusIngredient": "IODINE|GADOLINIUM|CARBON DIOXIDE|BARIUM|XENON",
        "ConversionType": "WSD",
        "FieldOfViewShape": "ROUND|RECTANGLE|HEXAGONAL",
        "Grid": "FIXED|FOCUSED|RECIPROCATING|PARALLEL|CROSSED|NONE",
        "ImageLaterality": "R|L|U|B",
        "ImageType": "DERIVED|SECONDARY|SINGLE PLANE|BIPLANE A|BIPLANE B|DEBLURRED",
        "Laterality": "R|L",
        "LossyImageCompression": "00|01",
        "LossyImageCompressionMethod": "ISO_10918_1|ISO_14495_1|ISO_15444_1|ISO_15444_2",
        "MaskOperation": "NONE|AVG_SUB|TID|REV_TID",
        "Modality": "XA|RF|OT|CR|DX|CT|MR|US|NM|SC",
        "ModalityLUTType": "OD|HU|US|MGML|Z_EFF|ED|EDW|HU_MOD|PCT",
        "PatientPosition": "HFP|HFS|HFDR|HFDL|FFP|FFS|FFDR|FFDL|LFP|LFS|RFP|RFS|AFDR|AFDL|PFDR|PFDL",
        "PhotometricInterpretation": "MONOCHROME2",
        "PixelIntensityRelationship": "LIN|LOG|DISP",
        "PixelSpacingCalibrationType": "GEOMETRY|FIDUCIAL",
        "PositionerMotion": "STATIC|DYNAMIC",
        "PresentationLUTShape": "IDENTITY",
        "RadiationMode": "CONTINUOUS|PULSED",
        "RadiationSetting": "SC|GR",
        "RecognizableVisualFeatures": "YES|NO",
        "RecommendedViewingMode": "SUB|NAT",
        "RescaleType": "OD|HU|US|MGML|Z_EFF|ED|EDW|HU_MOD|PCT",
        "ShutterShape": "RECTANGULAR|CIRCULAR|POLYGONAL",
        "TableMotion": "STATIC|DYNAMIC",
        "VOILUTFunction": "LINEAR|LINEAR_EXACT|SIGMOID",
    }.items()
}
_ORIENTATION = re.compile("[AFHLPR]{1,3}")
# Kinds of values, but for LO and CS, of which some are terms.
_NEVER = frozenset("AE AS DA DT LT PN SH SQ ST TM UC UN UR UT".split())
_DEMANDED = (
    *("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"),
    *("ImageType", "Modality", "PhotometricInterpretation"),
)
_DEMANDED_OF_XRAY = ("PixelIntensityRelationship", "RadiationSetting")
# When the patient was there. Never when this object was made: the day that a file appears is known, and from both
# would follow by how much all dates were shifted.
_LONGITUDINAL = frozenset(
    """
StudyDate StudyTime AcquisitionDate AcquisitionTime AcquisitionDateTime ContrastBolusStartTime ContrastBolusStopTime
""".split()
)
_NUMBER = r"\d{1,4}(?:\.\d{1,4})?"
# What of a derivation description is the program's own in any case: neither names of models nor words of a header.
_OWN_WORDS = re.compile(
    rf"Focal-spot deblurring by DSADeblur|sha256 [0-9a-f]{{16}}|focal spot {_NUMBER} mm|magnification {_NUMBER}|"
    rf"blur {_NUMBER} x {_NUMBER} px|sharpness {_NUMBER}|noise reduction {_NUMBER}"
)
_OWN_SOFTWARE = re.compile(r"DSADeblur \d{1,3}(\.\d{1,3}){1,3}|[0-9a-f]{64}")
# Where nothing would be legal too, but archives sort by it.
_DUMMIES = {"StudyDate": "19000101", "StudyTime": "000000", "StudyID": "1"}
_SHORTEST_SHIFT, _LONGEST_SHIFT = timedelta(days=366), timedelta(days=3660)
_MICROSECOND = timedelta(microseconds=1)


class Confidentiality:
    """Takes identity away, from the same patient or UID always in the same way, so that copies still fit each other.

    Args:
        dates: "removed", or "shifted" by a time of its own for each patient, years long and known to nobody, which is
            the option Retain Longitudinal Temporal Information with Modified Dates (PS3.15 E.3.6).

    Raises:
        ImportError: dicom-anonymizer, which has the table of the profile, is not installed.
    """

    def __init__(self, dates: str = "removed") -> None:
        from dicomanonymizer.dicomfields_selector import dicom_anonymization_database_selector

        table = dicom_anonymization_database_selector(_TABLE)
        # U: UIDs, and references that stay with other UIDs in them.
        self._treated = {*table["ALL_TAGS"]} - {*table["U_TAGS"]} - {*table["X_Z_U_STAR_TAGS"]}
        self._shifted = dates == "shifted"
        self._uids: dict[str, UID] = {}
        self._patients: dict[tuple[str, ...], tuple[str, timedelta]] = {}

    def copy(self, source: Dataset) -> Dataset:
        """Return the header of a derived object without the patient's identity, legal in the class of the object.

        Raises:
            XAWriteError: one sentence, where what its class demands is missing or is no defined term.
        """
        patient, shift = self._patient(source)
        copy = copy_attributes(source, _KEPT | _TERMS.keys())
        self._clean(copy, _KEPT)
        if self._shifted:
            copy.update(_shifted_times(copy_attributes(source, _LONGITUDINAL), shift))
        _fill_gaps(copy, source)
        copy.PatientID, copy.PatientName = patient, f"ANONYMOUS^{patient}"
        methods = [codes.DCM.BasicApplicationConfidentialityProfile, codes.DCM.CleanDescriptorsOption]
        if self._shifted:
            methods.append(codes.DCM.RetainLongitudinalTemporalInformationModifiedDatesOption)
        copy.DeidentificationMethodCodeSequence = [code_item(one.value, "DCM", one.meaning) for one in methods]
        copy.LongitudinalTemporalInformationModified = "MODIFIED" if self._shifted else "REMOVED"
        return copy

    def shift_of(self, source: Dataset) -> timedelta | None:
        """Return by how much the dates of this patient are shifted; None where they are removed."""
        return self._patient(source)[1] if self._shifted else None

    def _patient(self, source: Dataset) -> tuple[str, timedelta]:
        number = text_of(source, "PatientID")
        key = (number, text_of(source, "IssuerOfPatientID")) if number else (text_of(source, "StudyInstanceUID"),)
        if key not in self._patients:
            # To the microsecond, so that not even the fractions of seconds stay.
            span = (_LONGEST_SHIFT - _SHORTEST_SHIFT) // _MICROSECOND
            shift = -_SHORTEST_SHIFT - secrets.randbelow(span) * _MICROSECOND
            self._patients[key] = secrets.token_hex(6).upper(), shift
        return self._patients[key]

    def _clean(self, dataset: Dataset, kept: frozenset[str]) -> None:
        for element in list(dataset):
            keyword = element.keyword
            if keyword in kept and keyword in _IN_ITEMS and element.VR == "SQ":
                items = [item for item in element.value if self._is_left(item, keyword)]
                element.value = items
                if items:
                    continue
            elif keyword in kept | _TERMS.keys() and self._may_stay(element):
                continue
            del dataset[element.tag]

    def _is_left(self, item: Dataset, sequence: str) -> bool:
        """Clean an item of a sequence; whether what is left of it is worth anything."""
        scheme, value = text_of(item, "CodingSchemeDesignator"), text_of(item, "CodeValue")
        own = text_of(item, "LUTLabel") == "OD"
        self._clean(item, _IN_ITEMS[sequence])
        if not _IN_ITEMS[sequence] or value:
            # The meaning, too, is free text in the file.
            if (scheme, value) not in _meanings():
                return False
            item.update(code_item(value, scheme, _meanings()[scheme, value]))
        if sequence == "RealWorldValueMappingSequence":
            item.LUTLabel, item.LUTExplanation = OPTICAL_DENSITY if own else ("removed", "removed")
            return "MeasurementUnitsCodeSequence" in item
        if sequence == "ModalityLUTSequence" and "ModalityLUTType" not in item:
            item.ModalityLUTType = "US"
        return len(item) > 0

    def _may_stay(self, element: DataElement) -> bool:
        """Whether the value tells nobody's identity; UIDs are replaced."""
        if (element.tag.group, element.tag.element) in self._treated or element.VR in _NEVER:
            return False
        if element.VR not in dictionary_VR(element.tag).split(" or "):
            return False
        if element.is_empty:
            return True
        values = element.value if isinstance(element.value, MultiValue | list) else [element.value]
        if element.VR == "UI":
            element.value = [self._new_uid(str(one)) for one in values]
        elif element.keyword == "PatientOrientation":
            return all(_ORIENTATION.fullmatch(str(one)) for one in values)
        elif element.VR in ("CS", "LO"):
            return all(one in _TERMS.get(element.keyword, ()) for one in values)
        return True

    def _new_uid(self, uid: str) -> UID:
        if uid in UID_dictionary:
            return UID(uid)  # of a class, the same for everybody
        return self._uids.setdefault(uid, generate_uid(prefix=None))


@cache
def _meanings() -> dict[tuple[str, str], str]:
    """The meaning of each standard code by scheme and value."""
    concepts = (one for scheme in codes.schemes() for one in getattr(codes, scheme).concepts.values())
    return {(one.scheme_designator, one.value): one.meaning for one in concepts if len(one.meaning) <= 64}


def _shifted_times(times: Dataset, shift: timedelta) -> Dataset:
    """Return the dates and times moved. What is no whole date is left out, and so are time zones."""
    shifted = Dataset()

    def move(day: date | None, clock: time | None, **keywords: str) -> None:
        try:
            moved = datetime.combine(day or date(2000, 1, 1), clock or time()) + shift
        except OverflowError:
            return
        words = {"date": moved.date().isoformat(), "time": moved.time().isoformat("microseconds")}
        words["datetime"] = words["date"] + words["time"]
        for kind, keyword in keywords.items():
            setattr(shifted, keyword, words[kind].replace("-", "").replace(":", ""))

    for stem in ("Study", "Acquisition"):
        day, clock = _parsed(DA, times, f"{stem}Date"), _parsed(TM, times, f"{stem}Time")
        if day is not None:
            move(day, clock, date=f"{stem}Date", **({} if clock is None else {"time": f"{stem}Time"}))
    moment = _parsed(DT, times, "AcquisitionDateTime")
    if moment is not None and len(text_of(times, "AcquisitionDateTime")) >= len("YYYYMMDDhhmmss"):
        move(moment.date(), moment.time(), datetime="AcquisitionDateTime")
    for keyword in ("ContrastBolusStartTime", "ContrastBolusStopTime"):
        if (clock := _parsed(TM, times, keyword)) is not None:
            move(None, clock, time=keyword)
    return shifted


def _parsed(kind: type, times: Dataset, keyword: str) -> Any:
    """Return the value as one of Python's dates or times; None where it is none, or several."""
    try:
        return kind(text_of(times, keyword))
    except (ValueError, TypeError):
        return None


def _fill_gaps(copy: Dataset, source: Dataset) -> None:
    """Give what the class of the object demands and identity took away, and what this program says of itself."""
    xray = copy.SOPClassUID in (XA_IMAGE, XRF_IMAGE)
    if not xray:
        copy.ConversionType = "WSD"
        copy.Modality = copy.get("Modality") or "OT"
    for keyword in _DEMANDED + (_DEMANDED_OF_XRAY if xray else ()):
        if not copy.get(keyword):
            raise XAWriteError(f"its {keyword} is missing or none that DICOM allows.")
    viewing = ("RecommendedViewingMode",) if "MaskSubtractionSequence" in copy else ()
    for keyword in (*TYPE_2, "SeriesNumber", "InstanceNumber", *viewing):
        if keyword not in copy:
            setattr(copy, keyword, _DUMMIES.get(keyword))
    state_laterality(copy)
    if xray:
        add_xray_type_2(copy, int(copy.get("NumberOfFrames") or 1))
    elif "NumberOfFrames" in copy and "BurnedInAnnotation" not in copy:
        copy.BurnedInAnnotation = "YES"
    if any(one.keyword.startswith("ContrastBolus") for one in copy):
        copy.ContrastBolusAgent = None
    if "PixelSpacingCalibrationType" in copy:
        copy.PixelSpacingCalibrationDescription = "removed"
    if "RescaleSlope" in copy and "RescaleType" not in copy:
        copy.RescaleType = "US"
    copy.Manufacturer = copy.ManufacturerModelName = "DSADeblur"
    software = [one for one in texts_of(source, "SoftwareVersions") if _OWN_SOFTWARE.fullmatch(one)]
    copy.SoftwareVersions = software or "DSADeblur"
    subtracted = "113062" in [text_of(one, "CodeValue") for one in items_of(copy, "DerivationCodeSequence")]
    copy.SeriesDescription = result_name(subtracted)
    words = dict.fromkeys(_OWN_WORDS.findall(text_of(source, "DerivationDescription")))
    copy.DerivationDescription = f"{RESEARCH_USE}. {', '.join(words)}."
