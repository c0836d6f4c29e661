"""A small study: six runs of five patients in two groups, two arms."""

import csv
import shutil
from types import SimpleNamespace

import numpy as np
import pydicom
import pytest

from DSADeblurLib.lab.simulation.xa_object import write_simulated_run
from DSADeblurLib.request import DeblurRequest, UserFacts
from DSADeblurLib.study import Session


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory):
    """Runs run1.dcm to run6.dcm with names in their headers, and a table of them; runs 1 and 2 are of one patient."""
    folder = tmp_path_factory.mktemp("originals")
    rows = []
    for number in range(1, 7):
        frames = np.random.default_rng(number).integers(500, 3000, (4, 48, 48)).astype(np.uint16)
        path = write_simulated_run(
            folder / f"run{number}.dcm",
            frames,
            uid_seed=str(number),
            frame_time_ms=100,
            focal_spot_mm=1.0,
            sid_mm=1100,
            sod_mm=733,
            imager_pixel_spacing_mm=0.2,
            mask_frames=(1,) if number % 2 else None,
            contrast_frames=(2, 3, 4) if number % 2 else None,
        )
        dataset = pydicom.dcmread(path)
        dataset.PatientID, dataset.PatientName = f"QX{max(number, 2)}", "QZWX^Ada"
        dataset.save_as(path)
        rows.append({"file": path.name, "group": "AN" if number < 4 else "AVM", "patient": f"p{max(number, 2)}"})
    with open(folder / "runs.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, ["file", "group", "patient"])
        writer.writeheader()
        writer.writerows(rows)
    return folder


@pytest.fixture(scope="session")
def request_for_tests(tiny_model):
    return DeblurRequest.of(model=tiny_model, device="cpu", engine="torch", precision="float32")


@pytest.fixture(scope="session")
def make_study(run_folder, request_for_tests, tmp_path_factory):
    """Return a factory: it creates a study and gives its folder, key path, definition and key."""
    pytest.importorskip("dicomanonymizer", reason="dicom-anonymizer is not installed")
    from DSADeblurLib.study.arms import read_arms
    from DSADeblurLib.study.create import Wish, create_study
    from DSADeblurLib.study.originals import find_runs
    from DSADeblurLib.study.study_key import default_key_path, read_key

    def make(arms=(), runs=None, **wish):
        folder = tmp_path_factory.mktemp("studies") / "study"
        key_path = default_key_path(folder)
        runs = runs or find_runs(run_folder / "runs.csv", UserFacts())
        definition = create_study(folder, key_path, runs, read_arms(arms, request_for_tests), Wish(**wish))
        key = read_key(key_path, definition)
        return SimpleNamespace(folder=folder, key_path=key_path, definition=definition, key=key)

    return make


@pytest.fixture(scope="session")
def paired_study(make_study):
    """A paired study of all runs, which no test changes."""
    return make_study(seed=7, repeats=0.34, training=1)


@pytest.fixture
def study_copy(paired_study, tmp_path):
    """A copy of it with its key, for tests that answer."""
    folder, key_path = tmp_path / "study", tmp_path / "study-key.json"
    shutil.copytree(paired_study.folder, folder)
    shutil.copy(paired_study.key_path, key_path)
    return SimpleNamespace(**{**vars(paired_study), "folder": folder, "key_path": key_path})


@pytest.fixture
def answer_all():
    """Return a function by which a reader answers every item of a paired study with one level."""

    def answer(study, reader, level=4):
        with Session(study.folder, reader) as session:
            while not session.is_complete:
                session.answer({"comparison": level})

    return answer
