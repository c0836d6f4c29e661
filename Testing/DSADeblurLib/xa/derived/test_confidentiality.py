"""The confidentiality profile: of an object full of markers none is left, and no arithmetic finds a true date."""

from datetime import date, datetime, time, timedelta
from itertools import product

import pydicom
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydicom.datadict import DicomDictionary, dictionary_VR, keyword_for_tag, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from DSADeblurLib.errors import XAWriteError
from DSADeblurLib.xa.derived import confidentiality
from DSADeblurLib.xa.derived.confidentiality import Confidentiality
from DSADeblurLib.xa.derived.deidentified import Deidentifier
from DSADeblurLib.xa.file.dataset import XA_IMAGE

selector = pytest.importorskip("dicomanonymizer.dicomfields_selector", reason="dicom-anonymizer is not installed")

_MARKERS = {
    **dict.fromkeys("AE CS LO LT SH ST UC UT".split(), "QZWX MARK"),
    "PN": "QZWX^MARK",
    "UR": "http://QZWX.example",
    "AS": "061Y",
    "DA": "19630102",
    "TM": "070809.987613",
    "DT": "19630102070809.987613",
    "UI": "1.2.3.987654321",
    "DS": "4711.0815",
    "IS": "47110815",
    **dict.fromkeys("OB OD OF OL OV OW UN".split(), b"QZWXMARK"),
    **dict.fromkeys("FD FL".split(), 4711.0815),
    **dict.fromkeys("SL UL SV UV".split(), 47110815),
    **dict.fromkeys("SS US".split(), 4711),
    "AT": 0x00104711,
}
_FORBIDDEN = ("QZWX", "061Y", "19630102", "070809", "987613", "987654321")
# By these it is told that this is a result, and where its pixels lie.
_STRUCTURE = frozenset(
    """
SOPClassUID ImageType Manufacturer Modality RadiationSetting PixelIntensityRelationship PhotometricInterpretation
SamplesPerPixel Rows Columns BitsAllocated BitsStored HighBit PixelRepresentation NumberOfFrames FrameIncrementPointer
FrameTime PixelData FloatPixelData DoubleFloatPixelData PixelDataProviderURL ExtendedOffsetTable
ExtendedOffsetTableLengths SpecificCharacterSet
""".split()
)


def _marker(tag: int, vr: str | None = None) -> DataElement:
    vr = vr or dictionary_VR(tag).split(" or ")[0]
    return DataElement(tag, vr, _MARKERS[vr])


def _everything() -> Dataset:
    """An item with every attribute that DICOM knows, but for sequences."""
    item = Dataset()
    for tag, (vr, *_) in DicomDictionary.items():
        if vr.split(" or ")[0] in _MARKERS and Tag(tag).group > 2 and keyword_for_tag(tag) != "SpecificCharacterSet":
            item.add(_marker(tag))
    return item


def _mark(dataset: Dataset) -> None:
    inside = _everything()
    dataset.update({one.tag: one for one in inside if one.keyword not in _STRUCTURE})
    for tag, (vr, *_) in DicomDictionary.items():
        if vr == "SQ" and Tag(tag).group > 2:
            keyword, existing = keyword_for_tag(tag), dataset.get(tag)
            item = _everything() if keyword in confidentiality._IN_ITEMS else Dataset()
            item.PatientName = "QZWX^MARK"
            if keyword == "AnatomicRegionSequence":
                item.CodeValue, item.CodingSchemeDesignator = "69536005", "SCT"
                item.AnatomicRegionModifierSequence = [_everything()]
            for one in existing.value if existing else ():
                one.update(
                    {new.tag: new for new in inside if new.keyword not in ("CodeValue", "CodingSchemeDesignator")}
                )
            dataset[tag] = DataElement(tag, "SQ", [*(existing.value if existing else ()), item])
    block = dataset.private_block(0x0029, "QZWX MAKER", create=True)
    block.add_new(0x01, "LO", "QZWX MARK")
    block.add_new(0x02, "SQ", [_everything()])
    overlays = [Tag(group, element) for group in (0x6000, 0x601E, 0x5000) for element in (0x22, 0x1500, 0x3000, 0x4000)]
    for tag in overlays:
        dataset.add_new(tag, "OB" if tag.element == 0x3000 else "LO", "QZWX" if tag.element != 0x3000 else b"QZWX")


_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")


def _as_words(dataset: Dataset) -> None:
    """Every attribute that may stay as one of another kind, in which anything can be written."""
    for number, keyword in enumerate(sorted(confidentiality._KEPT | confidentiality._TERMS.keys())):
        tag = tag_for_keyword(keyword)
        if keyword not in (*_STRUCTURE, *_UIDS) and dictionary_VR(tag) != "SQ":
            dataset[tag] = _marker(tag, ("LO", "UT", "OB", "PN")[number % 4])


@pytest.mark.parametrize(
    ("mark", "dates"), [pytest.param(_mark, "shifted", marks=pytest.mark.slow), (_as_words, "removed")]
)
def test_no_marker_is_left(make_run, derive, validate, tmp_path, mark, dates):
    path = derive(make_run().path, native=True)
    with pydicom.config.disable_value_validation():
        dataset = pydicom.dcmread(path)
        mark(dataset)
        dataset.save_as(path, enforce_file_format=False)
    copy = Deidentifier(dates=dates, reviewed=True).write(path, tmp_path).path
    bare = copy.read_bytes().replace(dataset.PixelData, b"")
    assert len(bare) < len(copy.read_bytes())
    for text in _FORBIDDEN:
        for coding in ("utf-8", "utf-16-le", "utf-16-be"):
            assert text.encode(coding) not in bare, text
    if mark is _as_words:  # numbers that are markers contradict each other
        assert not [line for line in validate(copy) if line.startswith("Error")]
    if mark is _mark:
        assert pydicom.dcmread(copy).AnatomicRegionSequence[0].CodeMeaning.startswith("Head")
    told = {one.keyword for one in pydicom.dcmread(copy).iterall() if one.tag in _treated() and one.value}
    # What is said of the derivation is the program's own.
    assert told <= {"DerivationDescription", "SeriesDescription", *_TIMES}


_TIMES = ("ContrastBolusStartTime", "ContrastBolusStopTime")


def _treated() -> set:
    """What the profile takes away where an object may be without it."""
    table = selector.dicom_anonymization_database_selector("dicomfields_2026c")
    return {Tag(tag) for tag in table["X_TAGS"] if len(tag) == 2}


_moments = st.datetimes(datetime(1950, 1, 1), datetime(2060, 1, 1))


def _header(study: datetime, acquired: datetime, contrast: time, made: datetime) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = XA_IMAGE, "1.2.3.1"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.3.2", "1.2.3.3"
    dataset.ImageType, dataset.Modality = ["DERIVED", "SECONDARY", "SINGLE PLANE", "DEBLURRED"], "XA"
    dataset.PhotometricInterpretation, dataset.PixelIntensityRelationship = "MONOCHROME2", "LIN"
    dataset.RadiationSetting, dataset.PatientID = "GR", "4711"
    for stem, moment in {
        **{"Study": study, "Acquisition": acquired, "PerformedProcedureStepStart": study},
        **dict.fromkeys(("InstanceCreation", "Series", "Content", "PerformedProcedureStepEnd"), made),
    }.items():
        setattr(dataset, f"{stem}Date", f"{moment:%Y%m%d}")
        setattr(dataset, f"{stem}Time", f"{moment:%H%M%S.%f}")
    dataset.AcquisitionDateTime = f"{acquired:%Y%m%d%H%M%S.%f}"
    dataset.ContrastBolusStartTime = dataset.ContrastBolusStopTime = f"{contrast:%H%M%S.%f}"
    return dataset


def _days(dataset: Dataset) -> set[date]:
    values = [str(one.value) for one in dataset.iterall() if one.VR in ("DA", "DT") and one.value]
    return {datetime.strptime(one[:8], "%Y%m%d").date() for one in values}


def _clocks(dataset: Dataset) -> set[timedelta]:
    values = [str(one.value)[-13:] for one in dataset.iterall() if one.VR in ("TM", "DT") and one.value]
    return {_since_midnight(datetime.strptime(one, "%H%M%S.%f" if "." in one else "%H%M%S")) for one in values}


def _since_midnight(moment: datetime | time) -> timedelta:
    return timedelta(hours=moment.hour, minutes=moment.minute, seconds=moment.second, microseconds=moment.microsecond)


_A_DAY = timedelta(days=1)


@pytest.mark.parametrize("dates", confidentiality.DATES)
@given(_moments, _moments, st.times(), _moments, st.timedeltas(timedelta(0), timedelta(days=30)))
def test_no_arithmetic_of_dates_finds_a_true_one(dates, study, acquired, contrast, made, later):
    """A reader knows when the copy was made, guesses that the result was made then, and may subtract and add."""
    copy = Confidentiality(dates).copy(_header(study, acquired, contrast, made))
    known = {made.date(), (made + later).date()}
    true = {study.date(), acquired.date()}
    # Who guesses the date of one event is right by chance, whatever is in the copy.
    near = [one - other + days * _A_DAY for one, other, days in product(true, true, (-1, 0, 1))]
    assume(not any(day + apart in true for day, apart in product(known, near)))
    found = {one + (day - other) for one, other, day in product(_days(copy), _days(copy), known)}
    assert not true & (found | _days(copy))

    clocks, clock = {*map(_since_midnight, (study, acquired, contrast))}, _since_midnight(made)
    assume(not any((clock + one - other) % _A_DAY in clocks for one, other in product(clocks, clocks)))
    found = {(one + clock - other) % _A_DAY for one, other in product(_clocks(copy), _clocks(copy))}
    assert not clocks - {timedelta(0)} & (found | _clocks(copy))


@given(_moments, _moments, st.times(), _moments)
def test_shifted_dates_keep_what_lies_between_them(study, acquired, contrast, made):
    source = _header(study, acquired, contrast, made)
    confidentiality = Confidentiality("shifted")
    copy, shift = confidentiality.copy(source), confidentiality.shift_of(source)
    for stem, moment in {"Study": study, "Acquisition": acquired}.items():
        told = datetime.strptime(copy[f"{stem}Date"].value + copy[f"{stem}Time"].value, "%Y%m%d%H%M%S.%f")
        assert told == moment + shift
    assert datetime.strptime(copy.AcquisitionDateTime, "%Y%m%d%H%M%S.%f") == acquired + shift
    day = datetime(2000, 1, 1)
    assert copy.ContrastBolusStartTime == f"{datetime.combine(day, contrast) + shift:%H%M%S.%f}"
    assert timedelta(days=366) <= -shift <= timedelta(days=3660)


def test_the_same_stays_the_same_and_patients_do_not_mix():
    when = datetime(2019, 2, 3, 10, 11, 12)
    one, two, other = (_header(when, when, when.time(), when) for _ in range(3))
    two.SOPInstanceUID, two.IrradiationEventUID = "1.2.3.9", ["1.2.3.1", "1.2.840.10008.1.2"]
    other.PatientID = "4712"
    confidentiality = Confidentiality("shifted")
    first, second, third = map(confidentiality.copy, (one, two, other))
    assert first.PatientID == second.PatientID != third.PatientID
    assert first.StudyInstanceUID == second.StudyInstanceUID and first.SOPInstanceUID != second.SOPInstanceUID
    # Also where several stand in one attribute; what names a class or a syntax is everybody's.
    assert second.IrradiationEventUID == [first.SOPInstanceUID, "1.2.840.10008.1.2"]
    assert first.AcquisitionDateTime == second.AcquisitionDateTime != third.AcquisitionDateTime
    # A patient without a number is told by the study.
    one.PatientID = two.PatientID = ""
    two.StudyInstanceUID = "1.2.3.22"
    assert confidentiality.copy(one).PatientID != confidentiality.copy(two).PatientID


@pytest.mark.parametrize("value", ["2019", "0001", "201902", "QZWX", ["20190203", "20190204"], ""])
def test_dates_that_are_no_whole_dates_are_left_out(value):
    when = datetime(2019, 2, 3, 10, 11, 12)
    source = _header(when, when, when.time(), when)
    with pydicom.config.disable_value_validation():
        for keyword in ("AcquisitionDate", "AcquisitionDateTime"):
            source[keyword] = DataElement(tag_for_keyword(keyword), dictionary_VR(tag_for_keyword(keyword)), value)
    copy = Confidentiality("shifted").copy(source)
    assert not {"AcquisitionDate", "AcquisitionTime", "AcquisitionDateTime"} & {one.keyword for one in copy}


@pytest.mark.parametrize("keyword", ["ImageType", "RadiationSetting", "SOPInstanceUID"])
def test_an_object_without_what_its_class_demands_is_refused(keyword):
    when = datetime(2019, 2, 3)
    source = _header(when, when, when.time(), when)
    with pydicom.config.disable_value_validation():
        source[keyword].value = "QZWX"
    with pytest.raises(XAWriteError, match=f"its {keyword} is missing or none that DICOM allows"):
        Confidentiality().copy(source)
