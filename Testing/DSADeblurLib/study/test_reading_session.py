"""A reader's session: orders, sides, answers, going on, killed at any moment."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from DSADeblurLib.request import RequestError
from DSADeblurLib.study import Session
from DSADeblurLib.study.answer_file import AnswerFile, ChainBroken, answers_path, last_answers, read_records
from DSADeblurLib.study.reading_session import order_for, shown_to

pytest.importorskip("torch", reason="torch is not installed")


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_orders_are_drawn_by_reader_and_seed(paired_study):
    definition = paired_study.definition
    orders = {reader: [item.name for item in order_for(definition, reader)] for reader in ("A", "B", "C", "D")}
    assert order_for(definition, "a") == order_for(definition, "A")
    assert len({tuple(one) for one in orders.values()}) > 1
    for reader in orders:
        order = order_for(definition, reader)
        assert sorted(item.name for item in order) == sorted(item.name for item in definition.items)
        training = [item.training for item in order]
        assert training == sorted(training, reverse=True)
        place = {item.name: number for number, item in enumerate(order)}
        for item in order:
            if item.repeat_of:
                assert place[item.name] > place[item.repeat_of] + 1


def test_sides_are_drawn(paired_study):
    definition = paired_study.definition
    sides = [
        shown_to(definition, reader, item).left == item.images[0]
        for reader in map(str, range(30))
        for item in definition.items
    ]
    assert 0.35 < sum(sides) / len(sides) < 0.65


def test_answers_are_kept_with_their_time_and_sides(study_copy):
    clock = Clock()
    with Session(study_copy.folder, "r1", clock) as session:
        first = session.shown
        assert session.progress == (0, len(study_copy.definition.items))
        assert [path.is_file() for path in session.paths(first)] == [True, True]
        clock.now += 5
        session.pause()
        clock.now += 100
        session.go_on()
        clock.now += 2.5
        session.answer({"comparison": 5}, "späte Arterie")
        assert session.progress[0] == 1 and session.shown.item != first.item
        session.cannot_judge("no contrast")
        session.back()
        session.back()
        assert session.shown == first and session.previous_answer()["values"] == {"comparison": 5}
        session.answer({"comparison": 2})
        session.next()
        session.next()  # what has no answer is not passed by
        assert session.position == 2
        for wrong in ({"comparison": 6}, {"comparison": "4"}, {}, {"comparison": 4, "other": 1}):
            with pytest.raises(RequestError, match="An answer has one of"):
                session.answer(wrong)
    records, rest = read_records(answers_path(study_copy.folder, "R1"), study_copy.definition)
    assert [record["kind"] for record in records] == ["begin", "answer", "answer", "answer", "end"] and not rest
    assert records[1]["seconds"] == 7.5 and records[1]["comment"] == "späte Arterie"
    assert (records[1]["left"], records[1]["right"]) == (first.left, first.right)
    last = last_answers(records)
    assert last[first.item.name]["values"] == {"comparison": 2} and len(last) == 2
    assert sorted(str(one["values"]) for one in last.values()) == ["None", "{'comparison': 2}"]


def test_the_next_session_goes_on(study_copy):
    with Session(study_copy.folder, "R1") as session:
        order = [item.name for item in session.order]
        session.answer({"comparison": 3})
    with Session(study_copy.folder, "r1") as session:
        assert [item.name for item in session.order] == order and session.position == 1
    with Session(study_copy.folder, "R1") as session, pytest.raises(RequestError, match="is open already"):
        Session(study_copy.folder, "R1")
    with Session(study_copy.folder, "R1") as session, Session(study_copy.folder, "R2"):
        assert session.position == 1


def test_a_half_written_line_is_healed_and_told(study_copy):
    with Session(study_copy.folder, "R1") as session:
        session.answer({"comparison": 3})
    path = answers_path(study_copy.folder, "R1")
    whole = path.read_bytes()
    for cut in (1, 17, len(whole) // 4):
        path.write_bytes(whole + whole[:cut].replace(b"\n", b" "))
        with Session(study_copy.folder, "R1") as session:
            assert session.healed == cut and session.progress[0] == 1
        records, rest = read_records(path, study_copy.definition)
        assert [one["bytes"] for one in records if one["kind"] == "healed"] == [cut] and not rest


def test_a_changed_line_is_seen(study_copy, answer_all):
    answer_all(study_copy, "R1")
    path = answers_path(study_copy.folder, "R1")
    path.write_bytes(path.read_bytes().replace(b'"comparison":4', b'"comparison":5', 1))
    with pytest.raises(ChainBroken, match="does not follow"):
        Session(study_copy.folder, "R1")


def test_a_full_disk_leaves_no_half_line(study_copy, monkeypatch):
    with AnswerFile(study_copy.folder, "R1", study_copy.definition) as file:
        before = file.path.read_bytes()
        real = os.write
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", lambda handle, data: real(handle, data[:10]))
            with pytest.raises(OSError, match="disk is full"):
                file.append("answer", item="I0001")
        assert file.path.read_bytes() == before
        file.append("answer", item="I0001")
    assert read_records(file.path, study_copy.definition)[0][-1]["item"] == "I0001"


_READER = """
import sys
from pathlib import Path
from DSADeblurLib.study import Session
session = Session(Path(sys.argv[1]), "KILLED")
while True:
    print(session.progress[0], flush=True)
    sys.stdin.readline()
    session.answer({"comparison": 4})
"""


@pytest.mark.slow
def test_a_killed_session_loses_the_item_on_the_screen_alone(study_copy):
    done = 0
    for answers in (2, 1):
        child = subprocess.Popen(
            [sys.executable, "-c", _READER, str(study_copy.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        )
        for _ in range(answers):
            assert int(child.stdout.readline()) == done
            child.stdin.write("\n")
            child.stdin.flush()
            done += 1
        assert int(child.stdout.readline()) == done
        child.send_signal(signal.SIGKILL if os.name != "nt" else signal.SIGTERM)
        child.wait()
        child.stdin.close()
        child.stdout.close()
    with Session(study_copy.folder, "KILLED") as session:
        assert session.progress[0] == session.position == done and session.healed == 0


def test_beliefs_are_asked_of_this_session_only(study_copy):
    with Session(study_copy.folder, "R1") as session:
        assert session.asked_at_the_end() == []
        while session.position < 3:
            session.answer({"comparison": 4})
    with Session(study_copy.folder, "R1") as session:
        before = session.position
        while not session.is_complete:
            session.answer({"comparison": 4})
        asked = session.asked_at_the_end()
        assert {shown.item.name for shown in asked} <= {item.name for item in session.order[before:]} and asked
        with pytest.raises(RequestError, match="one of left, right, unsure"):
            session.believe(asked[0], "processed")
        session.believe(asked[0], "right")
    line = json.loads(answers_path(study_copy.folder, "R1").read_text().splitlines()[-2])
    assert line["kind"] == "belief" and line["believed"] == "right" and line["item"] == asked[0].item.name


@pytest.mark.parametrize("code", ["", "../x", "a b", "ä", "x" * 33])
def test_codes_of_readers(study_copy, code):
    with pytest.raises(RequestError, match="A reader's code"):
        Session(study_copy.folder, code)


def test_a_changed_image_is_told_and_a_missing_one_refused(study_copy):
    with Session(study_copy.folder, "R1") as session:
        assert session.is_intact(session.shown)
        path = session.paths(session.shown)[1]
        path.write_bytes(path.read_bytes()[:-2] + b"xy")
        assert not session.is_intact(session.shown) and session.is_intact(session.at(1))
    path.unlink()
    with pytest.raises(RequestError, match="1 images of the study are missing"):
        Session(study_copy.folder, "R1")


def test_reading_needs_none_of_the_heavy_packages():
    """A window reads studies in Slicer's own process, where none of these need be installed."""
    heavy = "torch pandas scipy statsmodels matplotlib filelock pydicom openvino"
    code = f"import sys, DSADeblurLib.study; print([one for one in '{heavy}'.split() if one in sys.modules])"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert said.stdout.strip() == "[]"
