"""Copies without identity: nothing of the patient is left in the bytes, and all of the derivation is."""

import sys

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from DSADeblurLib.xa import XAWriteError, read_run
from DSADeblurLib.xa.derived import deidentified
from DSADeblurLib.xa.header import header

pytest.importorskip("dicognito", reason="dicognito is not installed")
write_deidentified = deidentified.write_deidentified

# Every text element a derived object may take over gets a value that is found nowhere else.
_MARK = "QZWX"


def _code(scheme="99LOCAL"):
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = f"{_MARK}1", scheme, f"{_MARK} meaning"
    return item


def _identified(dataset):
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName, dataset.PatientID, dataset.IssuerOfPatientID = f"{_MARK}NAME^Jörg", f"{_MARK}-4711", _MARK
    dataset.PatientBirthDate, dataset.PatientBirthTime = "19630102", "070809.123456"
    dataset.PatientSex, dataset.PatientAge, dataset.PatientComments = "F", "061Y", f"{_MARK} is a friend of mine"
    dataset.OtherPatientNames, dataset.EthnicGroup, dataset.Occupation = f"{_MARK}^Maiden", _MARK, f"{_MARK} baker"
    dataset.AdditionalPatientHistory = f"{_MARK} fell off a ladder"
    dataset.StudyID, dataset.AccessionNumber = f"{_MARK}S", f"{_MARK}A"
    dataset.StudyDescription, dataset.SeriesDescription = f"{_MARK} study", f"{_MARK} series"
    dataset.ProtocolName, dataset.ImageComments = f"{_MARK} protocol", f"{_MARK} comment"
    dataset.ReferringPhysicianName, dataset.OperatorsName = f"{_MARK}REF^Doc", [f"{_MARK}OP^One", f"{_MARK}OP^Two"]
    dataset.PerformingPhysicianName = dataset.PhysiciansOfRecord = f"{_MARK}PERF^Doc"
    dataset.InstitutionName, dataset.InstitutionAddress = f"{_MARK} hospital", f"{_MARK} street 1"
    dataset.InstitutionalDepartmentName, dataset.StationName = f"{_MARK} ward", f"{_MARK}ROOM"
    dataset.DeviceSerialNumber, dataset.AdmissionID = f"{_MARK}SN", f"{_MARK}ADM"
    dataset.ContrastBolusAgent, dataset.ContrastBolusRoute = f"{_MARK} agent", f"{_MARK} arm"
    dataset.TypeOfFilters = f"{_MARK} filter"
    dataset.PixelSpacing, dataset.PixelSpacingCalibrationType = [0.11, 0.11], "GEOMETRY"
    dataset.PixelSpacingCalibrationDescription = f"{_MARK} calibrated"
    dataset.AcquisitionDeviceProcessingDescription = f"{_MARK} edge"
    dataset.RequestAttributesSequence = [Dataset()]
    dataset.RequestAttributesSequence[0].RequestedProcedureDescription = f"{_MARK} request"
    dataset.RequestAttributesSequence[0].RequestedProcedureID = _MARK
    dataset.ProcedureCodeSequence, dataset.AnatomicRegionSequence = [_code()], [_code()]
    dataset.DeviceSequence = [_code()]
    dataset.DeviceSequence[0].DeviceDescription = f"{_MARK} catheter"
    dataset.StudyInstanceUID, dataset.SOPInstanceUID = "1.2.3.987654321", "1.2.3.987654322"
    dataset.SeriesInstanceUID, dataset.IrradiationEventUID = "1.2.3.987654323", "1.2.3.987654324"
    dataset.StudyDate = dataset.AcquisitionDate = dataset.SeriesDate = dataset.ContentDate = "20190203"


# Every string of the source that tells who, where or when.
_FORBIDDEN = (_MARK, "Jörg", "19630102", "070809.123456", "20190203", "061Y", "1.2.3.9876543")


@pytest.mark.parametrize("compression", ["none", "jpeg-ls"])
@pytest.mark.parametrize("native", [True, False])
def test_nothing_of_the_patient_is_left(make_run, derive, edit, validate, tmp_path, native, compression):
    path = derive(
        edit(make_run().path, touch=_identified), native=native, compression=compression, name=f"{_MARK}_Jörg.dcm"
    )
    assert _MARK.encode() in path.read_bytes()
    copies = write_deidentified([path], tmp_path)
    copy = copies.paths[0]
    assert validate(copy) == [] and copies.notes == (deidentified.LOOK,)
    dataset, original = pydicom.dcmread(copy), pydicom.dcmread(path)
    np.testing.assert_array_equal(dataset.pixel_array, original.pixel_array)
    assert dataset.PixelData == original.PixelData
    before_pixels = copy.read_bytes().replace(dataset.PixelData, b"")
    for text in _FORBIDDEN:
        for coding in ("utf-8", "latin-1", "utf-16-le"):
            assert text.encode(coding) not in before_pixels, text
    for uid in (original.SOPInstanceUID, original.SeriesInstanceUID):
        assert uid.encode() not in before_pixels
    assert dataset.PatientIdentityRemoved == "YES" and dataset.DeidentificationMethod == "DICOGNITO"
    assert dataset.PatientName == f"ANONYMOUS^{dataset.PatientID}"
    assert not dataset.PatientSex and not dataset.PatientBirthDate
    # Where it came from stays, and so does everything that is needed to read it.
    for keyword in (
        "DerivationDescription",
        "DerivationCodeSequence",
        "SoftwareVersions",
        "FocalSpots",
        "FrameTime",
        "ImagerPixelSpacing",
        "PixelSpacing",
        "BodyPartExamined",
        "WindowCenter",
        "ImageType",
    ):
        assert dataset[keyword].value == original[keyword].value, keyword
    assert [one.ReferencedFrameNumber for one in dataset.SourceImageSequence] == [
        one.ReferencedFrameNumber for one in original.SourceImageSequence
    ]
    assert dataset.ContributingEquipmentSequence[0].ManufacturerModelName == "DSADeblur simulator"
    assert read_run(copy).subtracted == (not native)


def test_several_files_still_belong_together(make_run, derive, edit, tmp_path):
    source = edit(make_run().path, touch=_identified)
    paths = [derive(source, native=True, name="a.dcm"), derive(source, name="b.dcm")]
    one, two = (pydicom.dcmread(path) for path in write_deidentified(paths, tmp_path).paths)
    assert one.StudyInstanceUID == two.StudyInstanceUID and one.PatientID == two.PatientID
    assert one.SOPInstanceUID != two.SOPInstanceUID and one.StudyDate == two.StudyDate
    reference = one.SourceImageSequence[0].ReferencedSOPInstanceUID
    assert (
        reference
        == two.SourceImageSequence[0].ReferencedSOPInstanceUID
        == (two.ReferencedSeriesSequence[0].ReferencedInstanceSequence[0].ReferencedSOPInstanceUID)
    )
    # A second call gives other names: without the first call's memory nothing can be put together.
    other = pydicom.dcmread(write_deidentified(paths[:1], tmp_path).paths[0])
    assert other.StudyInstanceUID != one.StudyInstanceUID
    assert sorted(path.name for path in tmp_path.glob("deblurred-*")) == [
        f"deblurred-000{number}.dcm" for number in (1, 2, 3)
    ]


@pytest.mark.parametrize("burned", ["YES", None])
def test_burned_in_text_is_left_to_a_person(make_run, derive, edit, validate, tmp_path, burned):
    path = derive(edit(make_run().path, BurnedInAnnotation=burned), native=True)
    copies = write_deidentified([path], tmp_path)
    dataset = pydicom.dcmread(copies.paths[0])
    assert dataset.PatientIdentityRemoved == "NO" and dataset.get("BurnedInAnnotation") == burned
    assert copies.notes == (deidentified.LOOK, deidentified.BURNED_IN.format(name="derived.dcm"))
    reviewed = write_deidentified([path], tmp_path, reviewed=True)
    assert pydicom.dcmread(reviewed.paths[0]).PatientIdentityRemoved == "YES" and reviewed.notes == (deidentified.LOOK,)
    assert validate(copies.paths[0]) == validate(reviewed.paths[0]) == []


def test_standard_codes_stay(make_run, derive, edit, tmp_path):
    def change(dataset):
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "69536005", "SCT", "Head"
        dataset.AnatomicRegionSequence = [item]

    path = derive(edit(make_run().path, touch=change), native=True)
    copy = pydicom.dcmread(write_deidentified([path], tmp_path).paths[0])
    assert copy.AnatomicRegionSequence[0].CodeMeaning == "Head"


def test_only_derived_objects(make_run, derive, tmp_path):
    derived = derive(make_run().path, native=True)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(XAWriteError, match="run.dcm: only derived objects of DSADeblur can be written without"):
        write_deidentified([derived, make_run().path], tmp_path)
    with pytest.raises(XAWriteError, match="none.dcm: The file does not exist."):
        write_deidentified([derived, tmp_path / "none.dcm"], tmp_path)
    assert sorted(tmp_path.iterdir()) == before


def test_without_the_library(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "dicognito.anonymizer", None)
    with pytest.raises(XAWriteError, match="needs the Python package dicognito: pip install dicognito."):
        write_deidentified([], tmp_path)


def test_secondary_capture(make_run, derive, edit, validate, tmp_path):
    path = derive(edit(make_run().path, RadiationSetting=None), native=True)
    copy = write_deidentified([path], tmp_path).paths[0]
    assert validate(copy) == [] and pydicom.dcmread(copy).SOPClassUID == header.SC_WORD
