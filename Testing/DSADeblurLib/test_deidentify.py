"""The verb deidentify: the manifest is followed, one fault stops nothing, and only the owner knows who is who."""

import json
import os
import stat
import sys

import numpy as np
import pydicom
import pytest

from DSADeblurLib.cli import FINE, SOME_FAILED, WRONG_USE, main
from DSADeblurLib.lab.simulation.xa_object import write_simulated_run

pytest.importorskip("dicomanonymizer", reason="dicom-anonymizer is not installed")


@pytest.fixture
def batch(tmp_path, small_model, capsys):
    """The output folder of a batch of three runs of two patients."""
    (tmp_path / "in").mkdir()
    for number in (1, 2, 3):
        frames = np.random.default_rng(number).integers(500, 3000, (2, 48, 48)).astype(np.uint16)
        path = tmp_path / "in" / f"run{number}.dcm"
        write_simulated_run(
            path,
            frames,
            uid_seed=str(number),
            frame_time_ms=100,
            focal_spot_mm=1.0,
            sid_mm=1100,
            sod_mm=733,
            imager_pixel_spacing_mm=0.2,
            transfer_syntax="1.2.840.10008.1.2.1",
        )
        dataset = pydicom.dcmread(path)
        dataset.PatientID, dataset.PatientName = f"QX{min(number, 2)}", "=QZWX^Jörg"
        dataset.SpecificCharacterSet = "ISO_IR 192"
        dataset.save_as(path)
    model = ["--model", str(small_model.card.folder), "--device", "cpu", "--strength", "0"]
    assert main(["deblur", str(tmp_path / "in"), "--output", str(tmp_path / "batch"), *model]) == FINE
    capsys.readouterr()
    return tmp_path / "batch"


def lines(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_results_of_the_manifest_are_copied_and_mapped(batch, tmp_path, capsys):
    stray = batch / "run1_deblurred-old.dcm"
    stray.write_bytes((batch / "run1_deblurred.dcm").read_bytes())
    assert main(["deidentify", str(batch), "--output", str(tmp_path / "copies"), "--reviewed"]) == FINE
    said = capsys.readouterr()
    copies = said.out.split()
    assert len(copies) == 3 and sorted(map(str, (tmp_path / "copies").iterdir())) == sorted(copies)
    mapping = tmp_path / "copies-mapping.jsonl"
    assert str(mapping) in said.err
    if sys.platform != "win32":
        assert stat.S_IMODE(mapping.stat().st_mode) == 0o600
    told = lines(mapping)
    assert [one["copy"]["file"] for one in told] == copies
    for one in told:
        original, copy = (pydicom.dcmread(one[which]["file"]) for which in ("original", "copy"))
        for keyword in ("PatientID", "PatientName", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
            assert one["original"][keyword] == str(original[keyword].value)
            assert one["copy"][keyword] == str(copy[keyword].value) != one["original"][keyword]
        assert b"QZWX" not in copy.filename.encode() and b"QZWX" not in open(copy.filename, "rb").read()
    # The same patient has the same name in all copies.
    assert told[1]["copy"]["PatientID"] == told[2]["copy"]["PatientID"] != told[0]["copy"]["PatientID"]
    # Nothing is written over: neither the mapping nor a copy.
    before = mapping.read_bytes()
    assert main(["deidentify", str(batch), "--output", str(tmp_path / "copies"), "--dates", "shifted"]) == FINE
    assert mapping.read_bytes() == before and len(list((tmp_path / "copies").iterdir())) == 6
    again = lines(tmp_path / "copies-mapping 2.jsonl")
    assert (
        again[1]["dates_shifted_by_seconds"]
        == again[2]["dates_shifted_by_seconds"]
        != again[0]["dates_shifted_by_seconds"]
    )


def test_one_fault_does_not_stop_the_others(batch, tmp_path, capsys):
    (batch / "run1_deblurred.dcm").unlink()
    with open(batch / "run2_deblurred.dcm", "ab") as file:
        file.write(bytes(2))
    arguments = [str(batch), str(tmp_path / "none.dcm"), str(tmp_path / "in" / "run1.dcm")]
    assert main(["deidentify", *arguments, "--output", str(tmp_path / "copies")]) == SOME_FAILED
    said = capsys.readouterr()
    assert len(said.out.split()) == 1 and len(lines(tmp_path / "copies-mapping.jsonl")) == 1
    for sentence in (
        "run1_deblurred.dcm: The file does not exist.",
        "run2_deblurred.dcm: This is not the result that manifest.json tells of",
        "none.dcm: The file does not exist.",
        "run1.dcm: only derived objects of DSADeblur",
    ):
        assert sentence in said.err


def test_runs_that_failed_are_no_results(batch, tmp_path, capsys):
    manifest = json.loads((batch / "manifest.json").read_text())
    manifest["runs"][0]["error"], manifest["runs"][1]["output"] = "It failed.", 7
    (batch / "manifest.json").write_text(json.dumps(manifest))
    assert main(["deidentify", str(batch), "--output", str(tmp_path / "copies")]) == FINE
    assert len(capsys.readouterr().out.split()) == 1


def test_folder_without_a_manifest(batch, tmp_path, capsys):
    (batch / "manifest.json").unlink()
    copies = str(batch / "anonymous")  # another folder in it does no harm, and is no original the next time
    keep = ["--mapping", str(tmp_path / "safe")]
    for _ in range(2):
        assert main(["deidentify", str(batch), "--output", copies, *keep]) == FINE
        assert len(capsys.readouterr().out.split()) == 3
    assert len(list((tmp_path / "safe").iterdir())) == 2


def test_wrong_use_is_found_before_anything_is_written(batch, tmp_path, capsys):
    before = sorted(tmp_path.rglob("*"))
    for arguments, sentence in (
        ([str(tmp_path / "none.dcm"), "--output", str(tmp_path / "copies")], "no result among the inputs"),
        ([str(batch), "--output", str(batch)], "holds originals"),
        ([str(batch / "run1_deblurred.dcm"), "--output", str(batch)], "holds originals"),
    ):
        assert main(["deidentify", *arguments]) == WRONG_USE
        assert sentence in capsys.readouterr().err
    inside = ["--mapping", str(tmp_path / "copies" / "deep")]
    assert main(["deidentify", str(batch), "--output", str(tmp_path / "copies"), *inside]) == WRONG_USE
    assert "must not lie in" in capsys.readouterr().err
    assert [path for path in sorted(tmp_path.rglob("*")) if path.name != "copies"] == before


def test_without_a_copy_there_is_no_mapping(batch, tmp_path):
    assert main(["deidentify", str(tmp_path / "in" / "run1.dcm"), "--output", str(tmp_path / "copies")]) == SOME_FAILED
    assert not list(tmp_path.glob("*.jsonl")) and not list((tmp_path / "copies").iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_mapping_through_a_link_into_the_copies_is_refused(batch, tmp_path):
    (tmp_path / "copies").mkdir()
    os.symlink(tmp_path / "copies", tmp_path / "elsewhere")
    arguments = ["--output", str(tmp_path / "copies"), "--mapping", str(tmp_path / "elsewhere")]
    assert main(["deidentify", str(batch), *arguments]) == WRONG_USE
    assert not list((tmp_path / "copies").iterdir())


def test_copy_that_cannot_be_mapped_is_none(batch, tmp_path, monkeypatch, capsys):
    from DSADeblurLib.deidentify import MappingFile

    def full(self, mapping):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(MappingFile, "add", full)
    assert main(["deidentify", str(batch), "--output", str(tmp_path / "copies")]) == SOME_FAILED
    assert "No space left" in capsys.readouterr().err
    assert not list((tmp_path / "copies").iterdir()) and not list(tmp_path.glob("*.jsonl"))
