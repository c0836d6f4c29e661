"""Which attributes of the source object a derived object carries over (PS3.3 A.14, A.16 and A.8), and the copying."""

from pydicom.config import RAISE
from pydicom.datadict import dictionary_is_retired, keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.valuerep import validate_value

from DSADeblurLib.xa.file.elements import numbers_of, value_of

# A list of what is known to belong, not of what to drop: private data, overlays, curves, icons, signatures, look-up
# tables and whatever a vendor added outside the standard stay behind without being named.
COMMON = frozenset(
    """
SpecificCharacterSet TimezoneOffsetFromUTC
PatientName PatientID IssuerOfPatientID IssuerOfPatientIDQualifiersSequence TypeOfPatientID PatientBirthDate
PatientBirthTime PatientSex OtherPatientNames OtherPatientIDsSequence EthnicGroup PatientComments
ReferencedPatientSequence QualityControlSubject ResponsiblePerson ResponsiblePersonRole ResponsibleOrganization
PatientSpeciesDescription PatientSpeciesCodeSequence PatientBreedDescription PatientBreedCodeSequence
PatientIdentityRemoved DeidentificationMethod DeidentificationMethodCodeSequence
ClinicalTrialSponsorName ClinicalTrialProtocolID ClinicalTrialProtocolName ClinicalTrialSiteID ClinicalTrialSiteName
ClinicalTrialSubjectID ClinicalTrialSubjectReadingID ClinicalTrialTimePointID ClinicalTrialTimePointDescription
ClinicalTrialCoordinatingCenterName
StudyInstanceUID StudyDate StudyTime ReferringPhysicianName StudyID AccessionNumber IssuerOfAccessionNumberSequence
StudyDescription PhysiciansOfRecord NameOfPhysiciansReadingStudy ReferencedStudySequence ProcedureCodeSequence
AdmittingDiagnosesDescription AdmittingDiagnosesCodeSequence PatientAge PatientSize PatientWeight Occupation
AdditionalPatientHistory AdmissionID PregnancyStatus MedicalAlerts Allergies SmokingStatus LastMenstrualDate
PatientState ServiceEpisodeID ServiceEpisodeDescription
Modality Laterality PerformingPhysicianName OperatorsName ProtocolName BodyPartExamined PatientPosition
RequestAttributesSequence PerformedProcedureStepID PerformedProcedureStepStartDate PerformedProcedureStepStartTime
PerformedProcedureStepDescription
AcquisitionDate AcquisitionTime AcquisitionDateTime AcquisitionNumber PatientOrientation IrradiationEventUID
AnatomicRegionSequence PrimaryAnatomicStructureSequence ImageLaterality QualityControlImage ImageComments
BurnedInAnnotation RecognizableVisualFeatures LossyImageCompression LossyImageCompressionRatio
LossyImageCompressionMethod
""".split()
)

ACQUISITION = frozenset(
    """
ContrastBolusAgent ContrastBolusAgentSequence ContrastBolusRoute ContrastBolusAdministrationRouteSequence
ContrastBolusVolume ContrastBolusStartTime ContrastBolusStopTime ContrastBolusTotalDose ContrastFlowRate
ContrastFlowDuration ContrastBolusIngredient ContrastBolusIngredientConcentration DeviceSequence InterventionSequence
AcquisitionDeviceProcessingDescription AcquisitionDeviceProcessingCode
KVP RadiationSetting XRayTubeCurrent XRayTubeCurrentInuA ExposureTime ExposureTimeInuS Exposure ExposureInuAs
AveragePulseWidth RadiationMode TypeOfFilters IntensifierSize FieldOfViewShape FieldOfViewDimensions
ImagerPixelSpacing PixelSpacing PixelSpacingCalibrationType PixelSpacingCalibrationDescription CalibrationImage
Grid GeneratorPower FocalSpots ImageAndFluoroscopyAreaDoseProduct
DistanceSourceToDetector DistanceSourceToPatient EstimatedRadiographicMagnificationFactor ColumnAngulation
CollimatorShape CollimatorLeftVerticalEdge CollimatorRightVerticalEdge CollimatorUpperHorizontalEdge
CollimatorLowerHorizontalEdge CenterOfCircularCollimator RadiusOfCircularCollimator
VerticesOfThePolygonalCollimator
ShutterShape ShutterLeftVerticalEdge ShutterRightVerticalEdge ShutterUpperHorizontalEdge ShutterLowerHorizontalEdge
CenterOfCircularShutter RadiusOfCircularShutter VerticesOfThePolygonalShutter ShutterPresentationValue
TableMotion TableAngle PositionerMotion PositionerPrimaryAngle PositionerSecondaryAngle DetectorPrimaryAngle
DetectorSecondaryAngle
""".split()
)

CINE = frozenset(("PreferredPlaybackSequencing", "RecommendedDisplayFrameRate", "CineRate", "ActualFrameDuration"))

# Type 2 of the Patient, Study, Series, Equipment and Image modules: present, empty when not known.
TYPE_2 = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
    "StudyID",
    "AccessionNumber",
    "PatientOrientation",
)

# Positive, or not known (PS3.3 10.7.1.3).
_SIZES = frozenset(("ImagerPixelSpacing", "PixelSpacing"))
_TEXT_VRS = frozenset("AE AS CS DA DS DT IS LO LT PN SH ST TM UC UI UR UT".split())


def copy_attributes(source: Dataset, keywords: frozenset[str]) -> Dataset:
    """Return a new data set with those attributes of `source` that are named and have a legal value."""
    copy = Dataset()
    for tag in sorted(source.keys()):
        if keyword_for_tag(tag) in keywords:
            element = _copy_element(source, tag)
            if element is not None:
                copy.add(element)
    for keyword in ("PixelSpacingCalibrationType", "PixelSpacingCalibrationDescription"):
        if keyword in copy and "PixelSpacing" not in copy:
            del copy[keyword]
    return copy


def copy_item(item: Dataset) -> Dataset:
    """Return a deep copy of a sequence item without private, retired or illegal elements."""
    copy = Dataset()
    for tag in sorted(item.keys()):
        element = _copy_element(item, tag)
        if element is not None:
            copy.add(element)
    return copy


def _copy_element(source: Dataset, tag) -> DataElement | None:
    if tag.is_private or not keyword_for_tag(tag) or dictionary_is_retired(tag):
        return None
    if keyword_for_tag(tag) in _SIZES and not all(one > 0 for one in numbers_of(source, tag) or (0,)):
        return None
    try:
        value_of(source, tag)
        element = source[tag]
        if element.VR == "SQ":
            items = [copy_item(item) for item in element.value]
            items = [item for item in items if len(item)]
            return DataElement(tag, "SQ", Sequence(items)) if items else None
        if element.VR in _TEXT_VRS:
            values = element.value if isinstance(element.value, MultiValue | list) else [element.value]
            for value in values:
                if value not in (None, ""):
                    validate_value(element.VR, str(value), RAISE)
        return DataElement(tag, element.VR, element.value)
    except Exception:
        # The value breaks the rules of its own type. It is left out: a derived object repeats no broken header.
        return None
