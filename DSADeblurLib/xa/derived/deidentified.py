"""Copies of derived objects without the patient's identity; dicognito replaces names, numbers, UIDs and dates."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset

from DSADeblurLib.atomic_write import write_new
from DSADeblurLib.errors import XAReadError, XAWriteError
from DSADeblurLib.xa.derived.attributes import ACQUISITION, CINE, COMMON, TYPE_2, copy_attributes
from DSADeblurLib.xa.derived.derived_object import result_name
from DSADeblurLib.xa.derived.save import attach_compressed_pixels, attach_native_pixels, why_not_written, write_dicom
from DSADeblurLib.xa.file.dataset import read_dataset
from DSADeblurLib.xa.file.elements import items_of, text_of, texts_of
from DSADeblurLib.xa.file.frame_stack import FrameStack
from DSADeblurLib.xa.file.input_file import InputFile
from DSADeblurLib.xa.file.reading import reading
from DSADeblurLib.xa.file.stored_pixels import StoredPixels

LOOK = (
    "No header can prove that no text is burned into the pixels: a person must look at every frame before a copy "
    "leaves the hospital."
)
BURNED_IN = "The header of {name} does not exclude text burned into the pixels, so it is not marked as de-identified."

# A list of what stays, not of what goes. Free text goes wherever it is: anyone may have written a name into it.
_FROM_SOURCE = (
    (
        COMMON
        & frozenset(
            """
SpecificCharacterSet PatientName PatientID PatientIdentityRemoved DeidentificationMethod StudyInstanceUID StudyDate
StudyTime StudyID AccessionNumber Modality Laterality BodyPartExamined PatientPosition AcquisitionDate AcquisitionTime
AcquisitionDateTime AcquisitionNumber PatientOrientation IrradiationEventUID AnatomicRegionSequence
PrimaryAnatomicStructureSequence ImageLaterality BurnedInAnnotation RecognizableVisualFeatures LossyImageCompression
LossyImageCompressionRatio LossyImageCompressionMethod
""".split()
        )
    )
    | CINE
    | (ACQUISITION - {"DeviceSequence", "InterventionSequence"})
)
_OF_RESULT = frozenset(
    """
ImageType SOPClassUID SOPInstanceUID SeriesInstanceUID SeriesNumber InstanceNumber InstanceCreationDate
InstanceCreationTime SeriesDate SeriesTime ContentDate ContentTime ConversionType PresentationLUTShape
Manufacturer ManufacturerModelName SoftwareVersions ContributingEquipmentSequence
DerivationDescription DerivationCodeSequence SourceImageSequence ReferencedSeriesSequence ReferencedImageSequence
NumberOfFrames FrameIncrementPointer FrameTime FrameTimeVector PageNumberVector
PositionerPrimaryAngleIncrement PositionerSecondaryAngleIncrement TableVerticalIncrement TableLateralIncrement
TableLongitudinalIncrement
SamplesPerPixel PhotometricInterpretation Rows Columns BitsAllocated BitsStored HighBit PixelRepresentation
PixelIntensityRelationship WindowCenter WindowWidth RescaleSlope RescaleIntercept RescaleType ModalityLUTSequence
RealWorldValueMappingSequence MaskSubtractionSequence RecommendedViewingMode
""".split()
)
_TEXT_VRS = frozenset("AE LO LT PN SH ST UC UT UR".split())
# What dicognito replaces, what this program wrote itself, and what names devices, codes and tables.
_KEPT_TEXT = frozenset(
    """
PatientName PatientID StudyID AccessionNumber DeidentificationMethod DerivationDescription Manufacturer
ManufacturerModelName SoftwareVersions CodeValue CodingSchemeDesignator CodingSchemeVersion CodeMeaning LUTExplanation
LUTLabel RescaleType
""".split()
)
_PUBLIC_SCHEMES = ("DCM", "SCT", "SRT", "SNM3", "UCUM", "FMA", "RADLEX")


@dataclass(frozen=True)
class DeidentifiedCopies:
    """The files written, in the order of their originals, and sentences for the user; there is always one."""

    paths: tuple[Path, ...]
    notes: tuple[str, ...]


def write_deidentified(
    paths: Sequence[str | os.PathLike], folder: str | os.PathLike, *, reviewed: bool = False
) -> DeidentifiedCopies:
    """Write a copy of each derived object into `folder`, without what tells who the patient is.

    Names, numbers, UIDs, dates and times are replaced by dicognito, the same value by the same one in all files of one
    call, so that the copies still refer to each other and to copies of nothing else. Free text, institution, station,
    birth date, sex and age are gone; device, geometry, derivation, model and its hash stay. Pixels are copied as they
    are stored. The copies are called deblurred-0001.dcm and so on, because a file's name may be the patient's.

    Nothing here looks at the pixels, and no header tag proves that no text is burned into them: a person must look.
    Patient Identity Removed speaks of the pixels too: it is YES where Burned In Annotation is NO, or by `reviewed`.

    Args:
        paths: of derived objects.
        folder: an existing one; what lies there stays.
        reviewed: a person looked at the frames of all files and found nothing.

    Raises:
        XAWriteError: one sentence; then no copy of this call is left.

    Source: PS3.3 C.7.1.1, PS3.15 E.
    """
    try:
        from dicognito.anonymizer import Anonymizer
    except ImportError as error:
        raise XAWriteError(
            "Dropping the patient's identity needs the Python package dicognito: pip install dicognito."
        ) from error
    anonymizer, written, notes = Anonymizer(), [], [LOOK]
    try:
        for path in map(Path, paths):
            copy, stored = _copy(path, anonymizer)
            if reviewed:
                copy.PatientIdentityRemoved = "YES"
            if copy.get("PatientIdentityRemoved") != "YES":
                copy.PatientIdentityRemoved = "NO"
                notes.append(BURNED_IN.format(name=path.name))
            with stored.file:
                written.append(_write_new(copy, stored, Path(folder)))
    except BaseException:
        for path in written:
            path.unlink(missing_ok=True)
        raise
    return DeidentifiedCopies(tuple(written), tuple(notes))


def _copy(path: Path, anonymizer) -> tuple[Dataset, StoredPixels]:
    try:
        with reading():
            source, stored = read_dataset(InputFile(path))
        if "DEBLURRED" not in texts_of(source, "ImageType") or text_of(source, "Manufacturer") != "DSADeblur":
            raise XAReadError("only derived objects of DSADeblur can be written without identity.")
        with reading():
            copy = copy_attributes(source, _FROM_SOURCE | _OF_RESULT)
            _drop_text(copy)
            _fill_gaps(copy)
            copy.file_meta = FileMetaDataset()
            anonymizer.anonymize(copy)
            # dicognito's new names look like real ones; this one cannot be taken for a patient's.
            copy.PatientName = f"ANONYMOUS^{copy.PatientID}"
    except XAReadError as error:
        raise XAWriteError(f"{path.name}: {error}") from error
    return copy, stored


def _drop_text(dataset: Dataset) -> None:
    """Delete free text, codes of local schemes and empty sequences, at any depth."""
    for element in list(dataset):
        if element.VR in _TEXT_VRS and element.keyword not in _KEPT_TEXT:
            del dataset[element.tag]
        elif element.VR == "SQ":
            for item in element.value:
                _drop_text(item)
            element.value = [one for one in element.value if len(one) and _is_public(one)]
            if not element.value:
                del dataset[element.tag]


def _is_public(item: Dataset) -> bool:
    return "CodeValue" not in item or text_of(item, "CodingSchemeDesignator") in _PUBLIC_SCHEMES


def _fill_gaps(copy: Dataset) -> None:
    """Give what the object class demands and identity took away (types 1C and 2)."""
    codes = [text_of(one, "CodeValue") for one in items_of(copy, "DerivationCodeSequence")]
    copy.SeriesDescription = result_name("113062" in codes)
    for keyword in TYPE_2:
        if keyword not in copy:
            setattr(copy, keyword, None)
    if any(one.keyword.startswith("ContrastBolus") for one in copy):
        copy.ContrastBolusAgent = None
    if "PixelSpacingCalibrationType" in copy:
        copy.PixelSpacingCalibrationDescription = "removed"


def _attach_pixels(copy: Dataset, stored: StoredPixels) -> None:
    fragments = stored.fragments
    if fragments is None:
        attach_native_pixels(copy, FrameStack(stored).raw, stored.frames, stored.frame_bytes, stored.bits_allocated)
        return

    def fragment(index: int) -> bytes:
        return b"".join(stored.file.read_at(start, length) for start, length in fragments[index])

    attach_compressed_pixels(copy, fragment, stored.frames)


def _write_new(copy: Dataset, stored: StoredPixels, folder: Path) -> Path:
    """Write it under the first name that nothing has, also not when it is complete."""
    _attach_pixels(copy, stored)

    def write(path: Path) -> Path:
        return write_dicom(copy, path, stored.transfer_syntax, stored.file)

    try:
        return write_new(folder, "deblurred", ".dcm", write, digits=4)[0]
    except OSError as error:
        raise XAWriteError(f"Cannot write into {folder}: {why_not_written(error)}.") from error
