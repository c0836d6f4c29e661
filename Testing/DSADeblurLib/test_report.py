"""Tables of the command line: a line a run, at most fifty on a terminal, and nothing in them that controls it."""

import dataclasses
from pathlib import Path

import pytest
from rich.console import Console

from DSADeblurLib import report
from DSADeblurLib.batch import Outcome
from DSADeblurLib.used import Used

USED = Used("1", "compact", "00", "cpu", "torch", "float32", None, (3.5, 3.6), "geometry", (1, 2), (3, 4, 5), 1.25)
EVIL = "/in/[red]a[bold]\x1b[31m\n\udcff.dcm"


def outcome(path: str, **values) -> Outcome:
    return dataclasses.replace(Outcome(path, f"/out/{Path(path).stem}_deblurred.dcm", used=USED.as_dict()), **values)


@pytest.fixture
def terminal(monkeypatch):
    """Makes the report believe that it writes on a terminal of 100 columns."""
    monkeypatch.setattr(
        report, "Console", lambda **more: Console(force_terminal=True, color_system=None, width=100, **more)
    )


def test_off_a_terminal_every_run_has_one_greppable_line(capsys):
    long = "/in/" + "long/" * 60 + "run.dcm"
    runs = [outcome(long, warnings=["One.", "Two."]), outcome(EVIL, output=None, error="It\nis \x1b[1mbad.")]
    report.print_outcomes([*runs, *(outcome(f"/in/{n}.dcm") for n in range(100))], [], "Notice.")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 103 and lines[-1] == "101 deblurred, 1 not. Notice."
    words = "frames 3-5, compact, float32 on cpu by torch, blur 3.5 x 3.6 px (geometry), mask frames 1,2, 1.2 s"
    assert lines[0].split("\t") == [long, "/out/run_deblurred.dcm", words, "One.", "Two."]
    assert lines[1].split("\t")[:2] == [r"/in/[red]a[bold]\x1b[31m\n\udcff.dcm", r"It\nis \x1b[1mbad."]


def test_on_a_terminal_there_are_at_most_fifty_lines(capsys, terminal):
    runs = [outcome(f"/in/{number}.dcm") for number in range(200)]
    runs[150] = dataclasses.replace(runs[150], error="Bad.", used=None)
    report.print_outcomes([*runs, outcome(EVIL)], ["/in/a", "/in/b", "/in/c", "/in/d"], "Notice.")
    lines = capsys.readouterr().out.splitlines()
    assert len([line for line in lines if ".dcm" in line]) == 50
    assert any("150.dcm" in line and "Bad." in line for line in lines)
    assert lines[-3:] == [
        "151 more are in the manifest.",
        "4 left out as no X-ray angiography: a, b, c, ...",
        "200 deblurred, 1 not. Notice.",
    ]


def test_names_and_headers_do_not_control_the_terminal(capsys, terminal, monkeypatch):
    report.print_outcomes([outcome(EVIL)], [EVIL], "Notice.")
    monkeypatch.setattr(report, "_progress_console", Console(force_terminal=True))
    report.BatchProgress().notice(EVIL)
    text = capsys.readouterr().out
    assert "\x1b[31m" not in text and text.count(r"[red]a[bold]\x1b[31m") == 4


def test_the_total_is_there_from_the_start():
    progress = report.BatchProgress()
    progress.found(7, ["/in/a"])
    (task,) = progress._progress.tasks
    assert (task.completed, task.total) == (0, 7) and progress.left_out == ["/in/a"]


@pytest.mark.parametrize(
    "used", [{}, {"model": 3}, USED.as_dict() | {"blur_px": "ab"}, USED.as_dict() | {"seconds": "s"}]
)
def test_what_a_manifest_says_wrongly_is_left_out(capsys, used):
    report.print_outcomes([outcome("/in/a.dcm", used=used)], [], "Notice.")
    assert capsys.readouterr().out.splitlines()[0] == "/in/a.dcm\t/out/a_deblurred.dcm\t"
