"""Copies without identity: nothing of the patient is left in the bytes, and all of the derivation is."""

import sys

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from DSADeblurLib.xa import XAWriteError, read_run
from DSADeblurLib.xa.derived import deidentified
from DSADeblurLib.xa.derived.confidentiality import DATES
from DSADeblurLib.xa.file.dataset import SC_WORD

pytest.importorskip("dicomanonymizer", reason="dicom-anonymizer is not installed")
Deidentifier = deidentified.Deidentifier

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


@pytest.mark.parametrize("dates", DATES)
@pytest.mark.parametrize(("native", "compression"), [(True, "none"), (False, "none"), (False, "jpeg-ls")])
def test_nothing_of_the_patient_is_left(make_run, derive, edit, validate, tmp_path, native, compression, dates):
    path = derive(
        edit(make_run().path, touch=_identified), native=native, compression=compression, name=f"{_MARK}_Jörg.dcm"
    )
    assert _MARK.encode() in path.read_bytes()
    written = Deidentifier(dates=dates).write(path, tmp_path)
    copy = written.path
    assert validate(copy) == [] and written.notes == ()
    dataset, original = pydicom.dcmread(copy), pydicom.dcmread(path)
    np.testing.assert_array_equal(dataset.pixel_array, original.pixel_array)
    assert dataset.PixelData == original.PixelData
    before_pixels = copy.read_bytes().replace(dataset.PixelData, b"")
    for text in _FORBIDDEN:
        for coding in ("utf-8", "latin-1", "utf-16-le"):
            assert text.encode(coding) not in before_pixels, text
    for uid in (original.SOPInstanceUID, original.SeriesInstanceUID):
        assert uid.encode() not in before_pixels
    assert dataset.PatientIdentityRemoved == "YES"
    methods = [one.CodeValue for one in dataset.DeidentificationMethodCodeSequence]
    assert methods == ["113100", "113105", "113107"][: 3 if dates == "shifted" else 2]
    assert dataset.LongitudinalTemporalInformationModified == ("MODIFIED" if dates == "shifted" else "REMOVED")
    assert dataset.PatientName == f"ANONYMOUS^{dataset.PatientID}"
    assert not dataset.PatientSex and not dataset.PatientBirthDate
    # Where it came from stays, and so does everything that is needed to read it.
    for keyword in (
        "DerivationCodeSequence",
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
    said = dataset.DerivationDescription
    assert said.startswith("RESEARCH USE ONLY. Focal-spot deblurring by DSADeblur, sha256 0123456789abcdef, ")
    assert "focal spot 0.6 mm" in said and said.endswith("sharpness 1.")
    assert read_run(copy).subtracted == (not native)


def test_several_files_still_belong_together(make_run, derive, edit, tmp_path):
    source = edit(make_run().path, touch=_identified)
    paths = [derive(source, native=True, name="a.dcm"), derive(source, name="b.dcm")]
    together = Deidentifier(dates="shifted")
    one, two = (pydicom.dcmread(together.write(path, tmp_path).path) for path in paths)
    assert one.StudyInstanceUID == two.StudyInstanceUID and one.PatientID == two.PatientID
    assert one.SOPInstanceUID != two.SOPInstanceUID and one.StudyDate == two.StudyDate
    reference = one.SourceImageSequence[0].ReferencedSOPInstanceUID
    assert (
        reference
        == two.SourceImageSequence[0].ReferencedSOPInstanceUID
        == (two.ReferencedSeriesSequence[0].ReferencedInstanceSequence[0].ReferencedSOPInstanceUID)
    )
    # A second call gives other names: without the first call's memory nothing can be put together.
    other = pydicom.dcmread(Deidentifier().write(paths[0], tmp_path).path)
    assert other.StudyInstanceUID != one.StudyInstanceUID
    assert sorted(path.name for path in tmp_path.glob("deblurred-*")) == [
        f"deblurred-000{number}.dcm" for number in (1, 2, 3)
    ]


@pytest.mark.parametrize("burned", ["YES", None])
def test_burned_in_text_is_left_to_a_person(make_run, derive, edit, validate, tmp_path, burned):
    path = derive(edit(make_run().path, BurnedInAnnotation=burned), native=True)
    copy = Deidentifier().write(path, tmp_path)
    dataset = pydicom.dcmread(copy.path)
    assert dataset.PatientIdentityRemoved == "NO" and dataset.get("BurnedInAnnotation") == burned
    assert copy.notes == (deidentified.BURNED_IN.format(name="derived.dcm"),)
    reviewed = Deidentifier(reviewed=True).write(path, tmp_path)
    assert pydicom.dcmread(reviewed.path).PatientIdentityRemoved == "YES" and reviewed.notes == ()
    assert validate(copy.path) == validate(reviewed.path) == []


def test_standard_codes_stay(make_run, derive, edit, tmp_path):
    def change(dataset):
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "69536005", "SCT", "Head"
        dataset.AnatomicRegionSequence = [item]

    path = derive(edit(make_run().path, touch=change), native=True)
    copy = pydicom.dcmread(Deidentifier().write(path, tmp_path).path)
    assert copy.AnatomicRegionSequence[0].CodeMeaning == "Head structure (body structure)"


def test_only_derived_objects(make_run, derive, tmp_path):
    make_run()
    before = sorted(tmp_path.iterdir())
    with pytest.raises(XAWriteError, match="run.dcm: only derived objects of DSADeblur can be written without"):
        Deidentifier().write(make_run().path, tmp_path)
    with pytest.raises(XAWriteError, match="none.dcm: The file does not exist."):
        Deidentifier().write(tmp_path / "none.dcm", tmp_path)
    assert sorted(tmp_path.iterdir()) == before


def test_name_that_is_taken_meanwhile(make_run, derive, tmp_path, monkeypatch):
    """The file of that name stays, and the copy gets the next name."""
    truly, derived = deidentified.write_dicom, derive(make_run().path, native=True)

    def late(*arguments):
        (tmp_path / "deblurred-0001.dcm").write_bytes(b"precious")
        return truly(*arguments)

    monkeypatch.setattr(deidentified, "write_dicom", late)
    copy = Deidentifier().write(derived, tmp_path).path
    assert copy.name == "deblurred-0002.dcm" and read_run(copy).bits_stored
    assert (tmp_path / "deblurred-0001.dcm").read_bytes() == b"precious"


def test_folder_that_does_not_exist(make_run, derive, tmp_path):
    with pytest.raises(XAWriteError, match="Cannot write into .*none: No such file or directory."):
        Deidentifier().write(derive(make_run().path, native=True), tmp_path / "none")


def test_without_the_library(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "dicomanonymizer.dicomfields_selector", None)
    with pytest.raises(XAWriteError, match="needs the Python package dicom-anonymizer: pip install"):
        Deidentifier()


def test_secondary_capture(make_run, derive, edit, validate, tmp_path):
    path = derive(edit(make_run().path, RadiationSetting=None), native=True)
    copy = Deidentifier().write(path, tmp_path).path
    assert validate(copy) == [] and pydicom.dcmread(copy).SOPClassUID == SC_WORD
