"""Measurements as a structured report: what highdicom reads back, what dciodvfy says, what is refused."""

from __future__ import annotations

import csv
import shutil
import subprocess

import pydicom
import pytest
from pydicom.dataset import Dataset

from DSADeblurLib.cli import WRONG_USE, main
from Testing.Host.samples import vessel_frames, write_run

highdicom = pytest.importorskip("highdicom")
COLUMNS = ("markup", "run", "frame", "measure", "method", "original", "deblurred", "unit", "calibration")
INTERVAL = (
    "original low",
    "original high",
    "deblurred low",
    "deblurred high",
    "controls",
    "model",
    "noise reduction 0",
    "points",
)
LINE, CURVE = "10.00 20.00; 12.00 30.50", "5.00 6.00; 7.00 8.00; 9.00 11.00"
ROWS = [
    (
        "D",
        "run",
        "4",
        "diameter",
        "model fit",
        "2.1",
        "2.0",
        "mm",
        "SID/SOD",
        "1.9",
        "2.3",
        "1.8",
        "2.2",
        "n 0.5",
        "m",
        "2.05",
        LINE,
    ),
    (
        "S",
        "run",
        "3",
        "stenosis, NASCET",
        "model fit",
        "52",
        "51",
        "%",
        "",
        "50",
        "54",
        "",
        "",
        "n 0.5",
        "m",
        "",
        CURVE,
    ),
    ("S", "run", "3", "least lumen", "model fit", "9.5", "", "px", "", "9", "10", "", "", "n 0.5", "m", "", CURVE),
]


@pytest.fixture
def files(tmp_path):
    """(table, original, derived) of a run whose frames 3 to 6 were deblurred."""
    original = write_run(tmp_path / "a.dcm", vessel_frames(), extra={"StudyID": "1"})
    used = Dataset()
    used.ReferencedSOPClassUID, used.ReferencedSOPInstanceUID = original.SOPClassUID, original.SOPInstanceUID
    used.ReferencedFrameNumber = [3, 4, 5, 6]
    purpose = Dataset()
    purpose.CodeValue, purpose.CodingSchemeDesignator = "121322", "DCM"
    purpose.CodeMeaning = "Source image for image processing operation"
    used.PurposeOfReferenceCodeSequence = [purpose]
    extra = {"StudyInstanceUID": original.StudyInstanceUID, "SourceImageSequence": [used]}
    write_run(tmp_path / "b.dcm", vessel_frames(4), extra=extra)
    write_table(tmp_path / "t.csv", ROWS)
    return tmp_path / "t.csv", tmp_path / "a.dcm", tmp_path / "b.dcm"


def write_table(path, rows):
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([(*COLUMNS, *INTERVAL), *rows])


def report(files, out, *, derived=True) -> int:
    table, original, result = map(str, files)
    return main(["report", table, "--original", original, *(["--derived", result] * derived), "--output", str(out)])


def test_highdicom_reads_back_what_was_written(files, tmp_path, capsys):
    assert report(files, tmp_path / "sr.dcm") == 0 and "6 measurements" in capsys.readouterr().out
    found = highdicom.sr.srread(tmp_path / "sr.dcm")
    groups = found.content.get_image_measurement_groups()
    names = ["D, original", "D, deblurred", "D, noise reduction 0", "S, original", "S, deblurred"]
    assert [one.tracking_identifier for one in groups] == names
    original, derived = (pydicom.dcmread(path, stop_before_pixels=True) for path in files[1:])
    sources = original, derived, original, original, derived
    for group, dataset, frame in zip(groups, sources, (4, 2, 4, 3, 1), strict=True):
        (item,) = (one for one in group[0].ContentSequence if one.ValueType == "IMAGE")
        image = highdicom.sr.SourceImageForMeasurementGroup.from_dataset(item)
        assert image.referenced_sop_instance_uid == dataset.SOPInstanceUID
        assert list(image.referenced_frame_numbers) == [frame]
    values = [(one.name.meaning, one.value, one.unit.value) for one in groups[0].get_measurements()]
    assert values == [("Diameter", value, "mm") for value in (2.1, 1.9, 2.3)]
    assert [one.value for one in groups[2].get_measurements()] == [2.05]
    assert [one.value for one in groups[3].get_measurements()] == [52, 50, 54, 9.5, 9, 10]
    assert [one.unit.value for one in groups[3].get_measurements()] == ["%"] * 3 + ["{pixels}"] * 3
    assert found.VerificationFlag == "UNVERIFIED" and found.PreliminaryFlag == "PRELIMINARY"


def test_lines_and_curves_are_read_back_in_their_frames(files, tmp_path):
    assert report(files, tmp_path / "sr.dcm") == 0
    groups = highdicom.sr.srread(tmp_path / "sr.dcm").content.get_image_measurement_groups()
    uids = [pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID for path in files[1:]]
    line, curve = [[20.5, 10.5], [31, 12.5]], [[6.5, 5.5], [8.5, 7.5], [11.5, 9.5]]
    for number, uid, frame, points in ((0, uids[0], 4, line), (1, uids[1], 2, line), (4, uids[1], 1, curve)):
        (place,) = groups[number].get_measurements()[0].referenced_coordinates
        assert place.graphic_type.value == "POLYLINE" and place.value.tolist() == points
        (image,) = (one.ReferencedSOPSequence[0] for one in place.ContentSequence)
        assert image.ReferencedSOPInstanceUID == uid and image.ReferencedFrameNumber == frame


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="not installed: dciodvfy")
def test_dciodvfy_finds_nothing_but_codes_of_our_own(files, tmp_path):
    assert report(files, tmp_path / "sr.dcm") == 0
    said = subprocess.run(["dciodvfy", "-new", tmp_path / "sr.dcm"], capture_output=True, text=True)
    remarks = [line for line in said.stderr.splitlines() if line.startswith(("Error", "Warning"))]
    assert [line for line in remarks if "Unrecognized defined term = <99DSADEBLUR>" not in line] == []


def test_only_an_original(files, tmp_path):
    assert report(files, tmp_path / "sr.dcm", derived=False) == 0
    groups = highdicom.sr.srread(tmp_path / "sr.dcm").content.get_image_measurement_groups()
    assert [one.tracking_identifier for one in groups] == ["D, original", "S, original"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda files: write_table(files[0], [("D", "run", "1", *ROWS[0][3:])]), "Frame 1 of the run is not in"),
        (lambda files: write_table(files[0], [*ROWS, ("E", "other", *ROWS[0][2:])]), "on 2 runs"),
        (
            lambda files: write_table(files[0], [(*ROWS[0][:5], "", "", *ROWS[0][7:-2], "", LINE)]),
            "no value that was measured",
        ),
        (lambda files: files[0].write_text("a,b\n1,2\n"), "no table of measurements"),
        (lambda files: shutil.copy(files[1], files[2]), "was not made of this run"),
        (lambda files: files[1].write_text("no"), "no DICOM file"),
    ],
)
def test_what_does_not_go_together_is_refused(files, tmp_path, capsys, change, words):
    change(files)
    assert report(files, tmp_path / "sr.dcm") == WRONG_USE
    assert words in capsys.readouterr().err and not (tmp_path / "sr.dcm").exists()


def test_nothing_is_replaced(files, tmp_path):
    (tmp_path / "sr.dcm").write_text("mine")
    assert report(files, tmp_path / "sr.dcm") == WRONG_USE and (tmp_path / "sr.dcm").read_text() == "mine"


@pytest.mark.slow
def test_an_object_that_was_really_derived(tmp_path):
    write_run(tmp_path / "a.dcm", vessel_frames(), mask_frames=(1, 2), contrast_range=(3, 6))
    assert main(["deblur", str(tmp_path / "a.dcm"), "--output", str(tmp_path / "out")]) == 0
    (derived,) = (tmp_path / "out").glob("*.dcm")
    write_table(tmp_path / "t.csv", ROWS)
    assert report((tmp_path / "t.csv", tmp_path / "a.dcm", derived), tmp_path / "sr.dcm") == 0
