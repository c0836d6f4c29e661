"""The shell: dsadeblur study create, merge, check, close, analyse, plan; one sentence and exit 2 for what is wrong."""

import json
import os
import re
import shutil

import pydicom
import pytest

from DSADeblurLib.cli import FINE, SOME_FAILED, WRONG_USE, main
from DSADeblurLib.study import Session
from DSADeblurLib.study.answer_file import answers_path

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("dicomanonymizer", reason="dicom-anonymizer is not installed")


@pytest.fixture
def create(tiny_model, tmp_path, capsys):
    """Return a function: it calls study create and gives the exit code and what was said."""

    def call(originals, *options, output=tmp_path / "made" / "study"):
        engine = ["--model", tiny_model, "--device", "cpu", "--engine", "torch"]
        code = main(["study", "create", str(originals), "--output", str(output), *engine, *map(str, options)])
        return code, capsys.readouterr()

    return call


@pytest.mark.slow
def test_a_whole_study_in_the_shell(create, run_folder, tmp_path, capsys):
    pytest.importorskip("statsmodels", reason="statsmodels is not installed")
    code, said = create(run_folder / "runs.csv", "--seed", "3", "--repeats", "0.2", "--groups", "AN,AVM")
    study = tmp_path / "made" / "study"
    assert code == FINE and f"{study}: 7 items, 0 for training, 1 shown again" in said.out
    assert "study-key.json: which image is which" in said.err and "a person must look" in said.err
    copy = shutil.copytree(study, tmp_path / "copy")
    with Session(copy, "R1") as session:
        while not session.is_complete:
            session.answer({"comparison": 5})
    assert main(["study", "merge", str(study), str(copy)]) == FINE
    assert "Answers of R1 were added." in capsys.readouterr().out
    assert main(["study", "close", str(study)]) == FINE
    assert re.search(r"seal: [0-9a-f]{64}", capsys.readouterr().out)
    assert main(["study", "check", str(study), "--json"]) == FINE
    assert json.loads(capsys.readouterr().out)["answered"] == {"R1": 7}
    assert main(["study", "analyse", str(study), "--output", str(tmp_path / "r"), "--resamples", "100"]) == FINE
    assert "report.pdf" in capsys.readouterr().out and (tmp_path / "r" / "report.pdf").stat().st_size > 10_000
    assert main(["study", "analyse", str(study), "--output", str(tmp_path / "r")]) == WRONG_USE
    path = answers_path(study, "R1")
    path.write_bytes(path.read_bytes().replace(b'"comparison":5', b'"comparison":4', 1))
    assert main(["study", "check", str(study)]) == SOME_FAILED
    assert "were changed" in capsys.readouterr().out


def test_a_folder_of_groups(create, run_folder, tmp_path):
    for group, numbers in (("AN", (1, 2)), ("AVM", (4,))):
        (tmp_path / "in" / group).mkdir(parents=True)
        for number in numbers:
            shutil.copy(run_folder / f"run{number}.dcm", tmp_path / "in" / group)
    code, said = create(tmp_path / "in", "--repeats", "0")
    assert code == FINE
    key = json.loads((tmp_path / "made" / "study-key.json").read_text())
    assert sorted(case["group"] for case in key["cases"]) == ["AN", "AN", "AVM"]
    assert len({case["patient"] for case in key["cases"]}) == 2


def table(folder, text):
    path = folder / "table.csv"
    path.write_text("file,group,patient\n" + text if not text.startswith("file") else text)
    return path


@pytest.mark.parametrize(
    "text, words",
    [
        ("{0}/run1.dcm,AN,a\n{0}/run1.dcm,AN,a\n", "is the same run as run1.dcm"),
        ("{0}/run1.dcm,AN,a\n{0}/run2.dcm,AVM,a\n", "patient a is in the groups AN and AVM"),
        ("{0}/run1.dcm,AN,a\n{0}/run2.dcm,AN,b\n", "its patient is called b here and a elsewhere"),
        ("{0}/run9.dcm,AN,a\n", "Line 2 of table.csv: No such file or folder"),
        ("bad.dcm,AN,a\n", "bad.dcm cannot be read: Not a DICOM file."),
        ("{0}/run1.dcm,XX,a\n", "The group 'XX' is none of AN, AVM."),
        ("{0}/run1.dcm,,a\n", "Line 2 of table.csv has no group."),
        ("file,group\n{0}/run1.dcm,AN\n", "has no column 'patient'"),
        ("file,group,patient,age\n{0}/run1.dcm,AN,a,4\n", "has a column 'age'"),
        ("file,group,patient,training\n{0}/run1.dcm,AN,a,perhaps\n", "training is yes or no"),
        ("file,group,patient,mark_frame,mark_row,mark_column\n{0}/run1.dcm,AN,a,9,1,1\n", "the mark lies outside"),
        ("", "There is no run in"),
    ],
)
def test_bad_tables(create, run_folder, tmp_path, text, words):
    (tmp_path / "bad.dcm").write_bytes(b"no")
    code, said = create(table(tmp_path, text.format(run_folder)), "--groups", "AN,AVM")
    assert code == WRONG_USE and words in said.err and said.err.count("\n") == 1 and said.err.startswith("dsadeblur: ")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "options, words",
    [
        (["--arm", "mild"], "An arm is a name and choices"),
        (["--arm", "mild: sharpness=7"], "Sharpness must be"),
        (["--arm", "other: model=nowhere"], "nowhere"),
        (["--protocol", "grading"], "needs at least one criterion"),
        (["--criterion", "edges"], "has no criteria"),
        (["--protocol", "visibility"], "has no mark"),
        (["--views", "blink"], "Views are some of"),
        (["--repeats", "0.9"], "From none to half"),
        (["--training", "5"], "leave none to be read"),
        (["--key", "{0}/made/study/key.json"], "must not lie in"),
    ],
)
def test_bad_wishes(create, run_folder, tmp_path, options, words):
    code, said = create(run_folder / "runs.csv", *(one.format(tmp_path) for one in options))
    assert code == WRONG_USE and words in said.err and said.err.count("\n") == 1
    assert not (tmp_path / "made").exists()


def test_a_folder_that_exists_is_left_alone(create, run_folder, tmp_path):
    (tmp_path / "there").mkdir()
    code, said = create(run_folder / "runs.csv", output=tmp_path / "there")
    assert code == WRONG_USE and "exists; a study gets a new folder" in said.err
    assert os.listdir(tmp_path / "there") == []


def test_a_run_without_its_pixels(create, run_folder, tmp_path):
    dataset = pydicom.dcmread(run_folder / "run1.dcm")
    del dataset.PixelData
    dataset.save_as(tmp_path / "empty.dcm")
    code, said = create(table(tmp_path, "empty.dcm,AN,a\n"))
    assert code == WRONG_USE and "empty.dcm cannot be read" in said.err


@pytest.mark.parametrize("step", ["check", "close", "merge", "analyse"])
def test_a_folder_that_is_no_study(step, tmp_path, capsys):
    pytest.importorskip("statsmodels", reason="statsmodels is not installed")
    more = {"merge": [str(tmp_path)], "analyse": ["--output", str(tmp_path / "r")]}.get(step, [])
    assert main(["study", step, str(tmp_path), *more]) == WRONG_USE
    assert "There is no" in capsys.readouterr().err and not (tmp_path / "r").exists()


def test_plan(capsys):
    assert main(["study", "plan", "--simulations", "100", "--levels", "0,5,25,45,25"]) == FINE
    assert re.search(r"\d+ cases a group give every reader's test a power of 80%\.", capsys.readouterr().out)
    assert main(["study", "plan", "--simulations", "100", "--levels", "0,5,25,45,25", "--json"]) == FINE
    assert json.loads(capsys.readouterr().out)["needed"] > 5
    assert main(["study", "plan", "--levels", "many"]) == WRONG_USE
    assert main(["study", "plan", "--power", "1"]) == WRONG_USE
