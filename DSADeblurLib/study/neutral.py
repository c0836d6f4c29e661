"""The arms of a case as DICOM files that differ in their pixels and in UIDs drawn at random, and in nothing else."""

from __future__ import annotations

import copy
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from DSADeblurLib import __version__
from DSADeblurLib.errors import XAReadError, XAWriteError
from DSADeblurLib.xa.derived.confidentiality import Confidentiality
from DSADeblurLib.xa.derived.deidentified import attach_stored_pixels
from DSADeblurLib.xa.derived.derived_object import RESEARCH_USE
from DSADeblurLib.xa.derived.save import write_dicom
from DSADeblurLib.xa.file.dataset import read_dataset
from DSADeblurLib.xa.file.elements import items_of, text_of, texts_of
from DSADeblurLib.xa.file.input_file import InputFile
from DSADeblurLib.xa.file.reading import reading
from DSADeblurLib.xa.file.stored_pixels import StoredPixels

# What says how the stored pixels are to be read; arms that differ here could not be shown alike.
_OF_PIXELS = (
    *("SOPClassUID", "NumberOfFrames", "Rows", "Columns", "BitsAllocated", "BitsStored", "PixelRepresentation"),
    *("PhotometricInterpretation", "WindowCenter", "WindowWidth", "RealWorldValueMappingSequence", "FrameTime"),
    *("FrameTimeVector", "PixelIntensityRelationship", "ImagerPixelSpacing", "PixelSpacing"),
)
_TO_THE_SOURCE = ("SourceImageSequence", "ReferencedSeriesSequence")
_SUBTRACTED = "113062"
# The same for all files: when a file was written tells in which order.
_MOMENT = 946_684_800
_MOST_DIGITS = 10**38


class NeutralArms:
    """Writes the arms of cases without identity and without what was done, see `deidentified.Deidentifier`.

    Args:
        reviewed: a person looked at all frames and found no text in the pixels.

    Raises:
        ImportError: dicom-anonymizer is not installed.
    """

    def __init__(self, reviewed: bool) -> None:
        self._confidentiality, self._reviewed = Confidentiality(), reviewed

    def write(self, case: str, sources: Mapping[str, Path], targets: Mapping[str, Path]) -> None:
        """Write the arms of one case.

        Args:
            case: its name in the study.
            sources: the derived object of each arm; the header of all is that of the first.
            targets: where each arm goes.

        Raises:
            XAWriteError: one sentence, where an arm cannot be read, or would not be shown as the first.
        """
        first, header = self._first(next(iter(sources.values())), case)
        # In the order of their random names, for what was written first may be told from the disk.
        for arm in sorted(sources, key=lambda arm: targets[arm]):
            source, stored = _read(sources[arm])
            with stored.file:
                for keyword in _OF_PIXELS:
                    if source.get(keyword) != first.get(keyword):
                        raise XAWriteError(f"{sources[arm].name}: {keyword} of the arm {arm} is not the original's.")
                dataset = copy.deepcopy(header)
                dataset.SOPInstanceUID, dataset.SeriesInstanceUID = _uid(), _uid()
                attach_stored_pixels(dataset, stored)
                write_dicom(dataset, targets[arm], ExplicitVRLittleEndian, stored.file)
            os.utime(targets[arm], (_MOMENT, _MOMENT))

    def _first(self, path: Path, case: str) -> tuple[Dataset, Dataset]:
        """The data set of the first arm, and the header of all."""
        source, stored = _read(path)
        with stored.file:
            return source, self._header(source, case, _uid())

    def _header(self, source: Dataset, case: str, study_uid: UID) -> Dataset:
        header = self._confidentiality.copy(source)
        for keyword in _TO_THE_SOURCE:
            if keyword in header:
                del header[keyword]
        codes = [one for one in items_of(header, "DerivationCodeSequence") if text_of(one, "CodeValue") == _SUBTRACTED]
        header.DerivationCodeSequence = codes
        if not codes:
            del header.DerivationCodeSequence
        header.ImageType = [one for one in texts_of(header, "ImageType") if one != "DEBLURRED"]
        header.PatientID, header.PatientName = case, f"READER STUDY^{case}"
        header.StudyInstanceUID = study_uid
        header.SeriesNumber = header.InstanceNumber = 1
        header.SoftwareVersions = f"DSADeblur {__version__}"
        header.SeriesDescription = f"reader study {case} ({RESEARCH_USE.lower()})"
        header.DerivationDescription = (
            f"{RESEARCH_USE}. Made for a blinded reader study: it may have been deblurred by software, or not."
        )
        clear = self._reviewed or header.get("BurnedInAnnotation") == "NO"
        header.PatientIdentityRemoved = "YES" if clear else "NO"
        return header


def _read(path: Path) -> tuple[Dataset, StoredPixels]:
    try:
        with reading():
            return read_dataset(InputFile(path))
    except XAReadError as error:
        raise XAWriteError(f"{path.name}: {error}") from error


def _uid() -> UID:
    """A UID drawn at random, always of the same length, so that files are of one size."""
    return UID(f"2.25.{_MOST_DIGITS + secrets.randbelow(2**128 - _MOST_DIGITS)}")
