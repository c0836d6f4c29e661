"""One-frame files of one series on the command line: each verb takes them for the run that they are."""

import json
import shutil

import numpy as np
import pydicom
import pytest

from DSADeblurLib.batch import MANIFEST
from DSADeblurLib.cli import FINE, SOME_FAILED, WRONG_USE, main
from DSADeblurLib.xa import read_run


@pytest.fixture
def deblur(tmp_path, small_model, capsys):
    """deblur(input, ..., options): exit code, columns of each line of the table, entries of the manifest."""

    def call(*arguments):
        out = tmp_path / "out"
        fixed = ["--output", out, "--model", small_model.card.folder, "--device", "cpu", "--engine", "torch"]
        code = main(["deblur", *map(str, (*arguments, *fixed))])
        lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
        return code, lines, json.loads((out / MANIFEST).read_text())["runs"]

    return call


def test_folder_is_one_run_with_one_result(split, deblur, tmp_path, validate):
    made, paths = split()
    (paths[0].parent / "Thumbs.db").write_bytes(b"nothing")
    code, lines, (entry,) = deblur(paths[0].parent, "--strength", "0")
    assert code == FINE and entry["files"] == list(map(str, paths)) and entry["input"] == str(paths[0])
    assert lines[0][0] == str(paths[0]) and lines[0][2].startswith(f"{len(paths)} files, frames 1-{len(paths)}, ")
    assert lines[-1][0].startswith("1 deblurred, 0 not.")
    dataset = pydicom.dcmread(entry["output"])
    assert [item.ReferencedSOPInstanceUID for item in dataset.SourceImageSequence] == [
        pydicom.dcmread(path).SOPInstanceUID for path in paths
    ]
    assert validate(entry["output"]) == []
    np.testing.assert_array_equal(np.asarray(read_run(entry["output"]).frames), made.frames)


def test_mask_and_resume(split, deblur, tmp_path, validate):
    _, paths = split()
    code, _, (entry,) = deblur(*paths, "--mask", "1,2", "--frames", "3-6")
    assert code == FINE and entry["used"]["frame_numbers"] == [3, 4, 5, 6]
    assert deblur(*paths, "--mask", "1,2", "--frames", "3-6", "--resume")[2] == [entry]
    items = pydicom.dcmread(entry["output"]).SourceImageSequence
    uids = [pydicom.dcmread(path).SOPInstanceUID for path in paths]
    assert [item.ReferencedSOPInstanceUID for item in items] == [*uids[2:], *uids[:2]]
    assert validate(entry["output"]) == []


def test_one_by_one_where_it_is_asked_for(split, deblur):
    _, paths = split(count=3)
    code, lines, entries = deblur(paths[0].parent, "--one-by-one", "--strength", "0")
    assert code == FINE and len(entries) == 3 and not any(entry["files"] for entry in entries)
    assert all(len(read_run(entry["output"]).frames) == 1 for entry in entries)


def test_damaged_file_is_named(split, deblur):
    _, paths = split(count=3)
    paths[1].write_bytes(paths[1].read_bytes()[:-100])
    code, lines, (entry,) = deblur(paths[0].parent)
    assert code == SOME_FAILED and entry["error"].startswith(f"{paths[1].name}: File is truncated")
    assert lines[0][1:3] == [entry["error"], "3 files"]


def test_copies_of_a_file_count_once(split, deblur, capsys):
    _, paths = split(count=3)
    shutil.copy(paths[0], paths[0].with_name("again.dcm"))
    main(["info", str(paths[0].parent), "--json"])
    assert json.loads(capsys.readouterr().out)["number_of_frames"] == 3
    code, _, (entry,) = deblur(paths[0].parent, "--strength", "0")
    assert code == FINE and len(entry["files"]) == 3


def test_files_that_store_their_pixels_differently_are_runs_of_their_own(split, deblur):
    _, paths = split(count=4)
    dataset = pydicom.dcmread(paths[1])
    dataset.PixelData = (dataset.pixel_array // 16).astype(np.uint8).tobytes()
    dataset["PixelData"].VR = "OB"
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit = 7
    dataset.save_as(paths[1])
    code, lines, entries = deblur(paths[0].parent, "--strength", "0")
    assert code == FINE and sorted(len(entry["files"]) for entry in entries) == [0, 3]
    several = next(entry for entry in entries if entry["files"])
    assert "Frames seem to be missing: these are 3 of instances 1 to 4." in several["warnings"]


def test_info_of_files_or_their_folder(split, tmp_path, capsys):
    made, paths = split()
    for inputs in ([paths[0].parent], paths):
        assert main(["info", *map(str, inputs), "--json"]) == FINE
        facts = json.loads(capsys.readouterr().out)
        assert facts["number_of_frames"] == len(paths) and len(facts["source"]["instances"]) == len(paths)
    assert main(["info", str(paths[0])]) == FINE
    assert main(["info", str(paths[0]), str(made.path)]) == WRONG_USE
    assert capsys.readouterr().err == "dsadeblur: These are the files of 2 runs; name those of one.\n"
