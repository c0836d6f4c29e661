"""Creating a study: nothing tells arm from arm, nothing tells the patient, nothing is half-written."""

import json
import os
import stat
import sys
from dataclasses import replace

import numpy as np
import pydicom
import pytest

from DSADeblurLib.request import RequestError, UserFacts
from DSADeblurLib.study.arms import read_arms
from DSADeblurLib.study.create import Wish, create_study
from DSADeblurLib.study.definition import Mark, image_path, read_definition
from DSADeblurLib.study.originals import find_runs
from DSADeblurLib.study.protocol import Protocol
from DSADeblurLib.study.study_key import read_key

pytest.importorskip("torch", reason="torch is not installed")

_RANDOM = ("SOPInstanceUID", "SeriesInstanceUID")


def elements(dataset):
    """All elements by their path, of all depths, without pixels."""
    found = {}

    def walk(one, where):
        for element in one:
            if element.VR == "SQ":
                for number, item in enumerate(element.value):
                    walk(item, (*where, element.tag, number))
            elif element.keyword != "PixelData":
                found[(*where, element.tag)] = (element.VR, element.value)

    walk(dataset, ())
    walk(dataset.file_meta, ("meta",))
    return found


def test_arms_differ_in_pixels_and_random_uids_only(paired_study):
    for case in paired_study.key.cases:
        paths = {arm: image_path(paired_study.folder, image) for image, arm in case.images.items()}
        one, other = (pydicom.dcmread(paths[arm]) for arm in ("original", "deblurred"))
        assert one.pixel_array.shape == other.pixel_array.shape and (one.pixel_array != other.pixel_array).any()
        first, second = elements(one), elements(other)
        differing = {where for where in first.keys() | second.keys() if first.get(where) != second.get(where)}
        uids = {(pydicom.tag.Tag(name),) for name in _RANDOM}
        meta = ("meta", pydicom.tag.Tag("MediaStorageSOPInstanceUID"))
        assert differing == uids | {meta}
        assert all(len(str(first[where][1])) == len(str(second[where][1])) for where in differing)
        status = [os.stat(path) for path in paths.values()]
        assert status[0].st_size == status[1].st_size and status[0].st_mtime_ns == status[1].st_mtime_ns
        # Byte by byte, the header and what lies behind the pixels too.
        heads = [path.read_bytes()[: -one.pixel_array.nbytes] for path in paths.values()]
        for number, uid in enumerate((one, other)):
            for name in _RANDOM:
                heads[number] = heads[number].replace(str(uid[name].value).encode(), name.encode())
        assert heads[0] == heads[1]


def test_arms_are_legal(paired_study, validate):
    for path in (paired_study.folder / "images").iterdir():
        assert [line for line in validate(path) if line.startswith("Error")] == []


def test_no_arm_is_ever_first(make_study):
    """Random names sort as they fall: over cases and studies either arm comes first."""
    firsts = set()
    for seed in range(2):
        study = make_study(seed=seed)
        for item in study.definition.items:
            assert list(item.images) == sorted(item.images)
            firsts.add(study.key.case(item.case).images[item.images[0]])
    assert firsts == {"original", "deblurred"}


def test_the_original_arm_is_the_original(paired_study, run_folder):
    for case in paired_study.key.cases:
        image = next(image for image, arm in case.images.items() if arm == "original")
        shown = pydicom.dcmread(image_path(paired_study.folder, image))
        source = pydicom.dcmread(case.files[0])
        if case.used["original"]["mask_frames"]:
            frames = np.log(source.pixel_array.astype(float))
            wanted = frames[1:] - frames[0]
            mapping = shown.RealWorldValueMappingSequence[0]
            got = shown.pixel_array * mapping.RealWorldValueSlope + mapping.RealWorldValueIntercept
            assert np.abs(got - wanted).max() < mapping.RealWorldValueSlope
        else:
            assert np.array_equal(shown.pixel_array, source.pixel_array)


def test_nothing_tells_the_patient_or_the_arm(paired_study):
    definition_text = (paired_study.folder / "definition.json").read_text()
    for word in ("original", "deblurred", "AVM", "run1", "QZWX", "QX2", str(paired_study.key.secret)):
        assert f'"{word}' not in definition_text
    for path in paired_study.folder.rglob("*.dcm"):
        contents = path.read_bytes()
        for word in (b"QZWX", b"QX2", b"run1", b"DEBLURRED", b"sharpness", b"tiny"):
            assert word not in contents
    readme = (paired_study.folder / "README.txt").read_text()
    assert "RESEARCH USE ONLY" in readme and "AI-DEBLURRED" in readme
    assert not paired_study.key_path.is_relative_to(paired_study.folder)
    if sys.platform != "win32":
        assert stat.S_IMODE(paired_study.key_path.stat().st_mode) == 0o600


def test_items_repeats_and_training(paired_study):
    items = paired_study.definition.items
    repeats = [item for item in items if item.repeat_of]
    training = [item for item in items if item.training]
    assert len({item.name for item in items}) == len(items)
    patients = {case.name: case.patient for case in paired_study.key.cases}
    assert len({patients[item.case] for item in training}) == 1
    counted = len(items) - len(repeats) - len(training)
    assert counted + len(training) == 6 and len(repeats) == round(0.34 * counted)
    for item in repeats:
        first = paired_study.definition.item(item.repeat_of)
        assert first.images == item.images and not first.training
    # Runs 1 and 2 are of one patient, which has one pseudonym.
    assert len(set(patients.values())) == 5


def test_all_pairs_of_several_arms(make_study, tiny_model):
    study = make_study(["mild: sharpness=0.5", "strong: noise_reduction=1"], protocol=Protocol("2afc"), repeats=0)
    assert len(study.definition.items) == 6 * 3
    assert [arm.name for arm in study.key.arms] == ["original", "mild", "strong"]
    assert study.key.arms[1].request["sharpness"] == 0.5 and len(study.key.arms[1].model_sha256) == 64


def test_a_mark_follows_its_frame(make_study, run_folder):
    runs = find_runs(run_folder / "runs.csv", UserFacts())
    runs = [replace(one, mark=Mark(3, 10.0, 20.5)) for one in runs]
    study = make_study(runs=runs, protocol=Protocol("visibility"), repeats=0)
    for item in study.definition.items:
        subtracted = study.key.case(item.case).used["original"]["mask_frames"]
        assert item.mark == Mark(2 if subtracted else 3, 10.0, 20.5) and len(item.images) == 1


def test_a_changed_definition_is_refused(study_copy):
    path = study_copy.folder / "definition.json"
    path.write_text(path.read_text().replace('"seed": 7', '"seed": 8'))
    with pytest.raises(RequestError, match="was changed after it was written"):
        read_definition(study_copy.folder)


def test_a_key_of_another_study_is_refused(paired_study, make_study):
    other = make_study(repeats=0)
    with pytest.raises(RequestError, match="the key of another study"):
        read_key(other.key_path, paired_study.definition)


def test_a_failure_leaves_neither_folder_nor_key(run_folder, request_for_tests, tmp_path, monkeypatch):
    from DSADeblurLib.study import create

    runs, arms = find_runs(run_folder / "runs.csv", UserFacts())[:2], read_arms([], request_for_tests)

    def fail(*_):
        raise OSError("no room")

    monkeypatch.setattr(create.Definition, "write", fail)
    with pytest.raises(OSError, match="no room"):
        create_study(tmp_path / "s", tmp_path / "k.json", runs, arms, Wish())
    assert [path.name for path in tmp_path.iterdir()] == [".s-in-the-making"]
    monkeypatch.undo()
    # The next call goes on with what was made.
    create_study(tmp_path / "s", tmp_path / "k.json", runs, arms, Wish())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["k.json", "s"]
    assert json.loads((tmp_path / "k.json").read_text())["format"] == "DSADeblur reader study key"


def test_a_folder_or_key_that_exists_is_left_alone(paired_study, run_folder, request_for_tests, tmp_path):
    arms = read_arms([], request_for_tests)
    with pytest.raises(RequestError, match="exists; a study gets a new folder"):
        create_study(paired_study.folder, tmp_path / "k.json", [], arms, Wish())
    with pytest.raises(RequestError, match="must not lie in"):
        create_study(tmp_path / "s", tmp_path / "s" / "k.json", [], arms, Wish())


@pytest.mark.parametrize(
    "texts, words",
    [
        (["mild"], "is a name and choices"),
        (["mild: sharpnes=1"], "is no choice"),
        (["mild: sharpness=2"], "Sharpness must be"),
        (["a: sharpness=0 noise_reduction=0"], "are the same"),
        (["original: sharpness=0.5"], "Two arms are called"),
    ],
)
def test_arms_that_make_no_sense(texts, words, request_for_tests):
    with pytest.raises(RequestError, match=words):
        read_arms(texts, request_for_tests)
