"""Merged, closed, checked: what was changed afterwards is seen and told."""

import json
import shutil

import pytest

from DSADeblurLib.request import RequestError
from DSADeblurLib.study import Session
from DSADeblurLib.study.answer_file import ChainBroken, answers_path
from DSADeblurLib.study.merge_copies import merge_copies
from DSADeblurLib.study.seal import check_study, close_study

pytest.importorskip("torch", reason="torch is not installed")


@pytest.fixture
def two_copies(study_copy, tmp_path):
    copies = [shutil.copytree(study_copy.folder, tmp_path / name) for name in ("copy1", "copy2")]
    for reader, copy in zip(("R1", "R2"), copies, strict=True):
        with Session(copy, reader) as session:
            session.answer({"comparison": 4})
    return copies


def test_copies_of_two_readers_are_joined(study_copy, two_copies):
    assert merge_copies(study_copy.folder, two_copies) == ["R1", "R2"]
    assert check_study(study_copy.folder).answered == {"R1": 1, "R2": 1}
    assert merge_copies(study_copy.folder, two_copies) == []
    with Session(two_copies[0], "R1") as session:
        session.answer({"comparison": 2})
    assert merge_copies(study_copy.folder, two_copies) == ["R1"]
    assert answers_path(study_copy.folder, "R1").read_bytes() == answers_path(two_copies[0], "R1").read_bytes()


def test_two_different_files_of_one_reader_are_not_joined(study_copy, two_copies):
    with Session(two_copies[1], "R1") as session:
        session.answer({"comparison": 1})
    with pytest.raises(RequestError, match="Reader R1 answered in"):
        merge_copies(study_copy.folder, two_copies)
    assert check_study(study_copy.folder).answered == {}


def test_a_changed_or_foreign_copy_is_not_joined(study_copy, two_copies, make_study):
    path = answers_path(two_copies[0], "R1")
    path.write_bytes(path.read_bytes().replace(b'"comparison":4', b'"comparison":5'))
    merge_copies(study_copy.folder, two_copies[1:])
    # Of the last line of an open file a change is seen once it is closed; of the others at once.
    with pytest.raises(ChainBroken):
        merge_copies(study_copy.folder, two_copies[:1])
    with pytest.raises(RequestError, match="copy of another study"):
        merge_copies(study_copy.folder, [make_study(repeats=0).folder])


@pytest.fixture
def closed(study_copy, answer_all):
    answer_all(study_copy, "R1")
    study_copy.seal = close_study(study_copy.folder, study_copy.key_path)
    return study_copy


def test_a_closed_study_takes_no_answers(two_copies, closed):
    assert len(closed.seal) == 64
    assert check_study(closed.folder, closed.key_path).problems == []
    with pytest.raises(RequestError, match="The study is closed"):
        Session(closed.folder, "R1")
    with pytest.raises(RequestError, match="The study is closed"):
        merge_copies(closed.folder, two_copies)
    with pytest.raises(RequestError, match="closed already"):
        close_study(closed.folder, closed.key_path)


def change_last_answer(study):
    path = answers_path(study.folder, "R1")
    path.write_bytes(path.read_bytes().replace(b'"answered":', b'"answerex":'))


def add_reader(study):
    shutil.copy(answers_path(study.folder, "R1"), answers_path(study.folder, "R2"))


def remove_answers(study):
    answers_path(study.folder, "R1").unlink()


def change_image(study):
    path = next((study.folder / "images").iterdir())
    path.write_bytes(path.read_bytes() + b"x")


def change_time(study):
    path = study.folder / "closed.json"
    values = json.loads(path.read_text())
    path.write_text(json.dumps({**values, "closed_at": "2020-01-01T00:00:00+00:00"}))


def take_seal_away(study):
    (study.folder / "closed.json").unlink()


def seal_anew_without_the_key(study):
    change_last_answer(study)
    path = study.folder / "closed.json"
    values = json.loads(path.read_text())
    from DSADeblurLib.regular_file import sha256_of

    values["answers_sha256"] = {"R1": sha256_of(answers_path(study.folder, "R1"))}
    path.write_text(json.dumps(values))


@pytest.mark.parametrize(
    "change, words",
    [
        (change_last_answer, "answers of reader R1 are not those"),
        (add_reader, "answers of reader R2 are not those"),
        (remove_answers, "answers of reader R1 are not those"),
        (change_image, "1 images are missing or changed"),
        (change_time, "was changed, or sealed without the key"),
        (take_seal_away, "closed.json is gone"),
        (seal_anew_without_the_key, "was changed, or sealed without the key"),
    ],
)
def test_any_change_after_closing_is_told(closed, change, words):
    change(closed)
    assert any(words in problem for problem in check_study(closed.folder, closed.key_path).problems)


def test_nothing_to_close(study_copy):
    with pytest.raises(RequestError, match="Nobody has answered"):
        close_study(study_copy.folder, study_copy.key_path)
