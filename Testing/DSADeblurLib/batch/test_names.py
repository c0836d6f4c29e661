"""No result replaces another: names are taken, also between calls, and the manifest keeps what earlier calls did."""

import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from batchprocesses import PATHS, end, manifest_of, start
from batchsteps import PATIENCE, Backwards, notes, until

from DSADeblurLib.batch import HIDDEN, MANIFEST, Batch, run_batch
from DSADeblurLib.batch import folder as folder_module

pytestmark = pytest.mark.slow


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def call(tmp_path, out):
    """Does one batch with files, in a folder `out`; gives the names of the results, or the errors."""

    def run(*paths, strength=1.0, step=None, **batch) -> list[str]:
        step = step or Backwards(str(tmp_path / "log"), strength=strength)
        outcomes = run_batch(paths, out, step, Batch(**batch))
        assert [outcome.input for outcome in outcomes] == [str(path) for path in paths]
        assert not (out / HIDDEN).exists()
        return [outcome.error or Path(outcome.output).name.removesuffix("_deblurred.dcm") for outcome in outcomes]

    return run


def write(path: Path, text: str) -> Path:
    """An input; all have the same size, as the runs of one device do."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_bytes(text.encode().ljust(40, b"."))
    return path


def result(out: Path, key: str) -> str:
    return (out / f"{key}_deblurred.dcm").read_bytes()[::-1].decode().rstrip(".")


def listed(out: Path) -> list[tuple]:
    """Of each entry of the manifest: the input's folder, the name of its result, the strength, and its error."""
    return [
        (
            Path(entry["input"]).parent.name,
            entry["output"] and Path(entry["output"]).name.removesuffix("_deblurred.dcm"),
            entry["request"]["strength"],
            entry["error"],
        )
        for entry in manifest_of(out)["runs"]
    ]


def test_two_patients_with_files_of_one_name(tmp_path, out, call):
    one, two = write(tmp_path / "p1" / "run.dcm", "Ada"), write(tmp_path / "p2" / "run.dcm", "Bob")
    assert call(one) == ["run"] and call(two) == ["run-2"]
    assert result(out, "run") == "Ada" and result(out, "run-2") == "Bob"
    assert listed(out) == [("p1", "run", 1.0, None), ("p2", "run-2", 1.0, None)] and manifest_of(out)["waiting"] == 0
    # Both are known by now, with --resume and without.
    assert call(two, one, resume=True) == ["run-2", "run"] and len(notes(tmp_path / "log", "begin")) == 2
    assert call(two, one) == ["run-2", "run"] and len(list(out.iterdir())) == 3


def test_another_patient_at_the_same_path_with_the_same_size_and_time(tmp_path, out, call):
    """As `cp -p` and archives leave them."""
    path = write(tmp_path / "in" / "run.dcm", "Ada")
    os.utime(path, ns=(10**18, 10**18))
    assert call(path) == ["run"]
    os.utime(write(path, "Bob"), ns=(10**18, 10**18))
    assert call(path, resume=True) == ["run-2"]
    assert result(out, "run") == "Ada" and result(out, "run-2") == "Bob"
    assert [name for _, name, _, _ in listed(out)] == ["run", "run-2"]


def test_a_file_that_was_put_in_the_place_of_a_result(tmp_path, out, call):
    one = write(tmp_path / "p1" / "run.dcm", "Ada")
    call(one)
    (out / "run_deblurred.dcm").write_bytes(b"somebody's only copy")
    assert call(one) == ["run-2"] and result(out, "run-2") == "Ada"
    assert (out / "run_deblurred.dcm").read_bytes() == b"somebody's only copy"


@pytest.mark.parametrize("text", ['{"name": "another program\'s"}', "no JSON", ""])
def test_a_manifest_that_is_none_is_kept_under_another_name(tmp_path, out, call, text):
    out.mkdir()
    (out / MANIFEST).write_text(text)
    one = write(tmp_path / "p1" / "run.dcm", "Ada")
    assert call(one) == ["run"] and listed(out) == [("p1", "run", 1.0, None)]
    assert (out / f"{MANIFEST}.1").read_text() == text
    assert call(one) == ["run"] and not (out / f"{MANIFEST}.2").exists()


def test_a_folder_in_the_place_of_the_manifest(tmp_path, out, call):
    (out / MANIFEST).mkdir(parents=True)
    with pytest.raises(ValueError, match="is a folder; rename it"):
        call(write(tmp_path / "p1" / "run.dcm", "Ada"))
    assert [path.name for path in out.iterdir() if path.name != HIDDEN] == [MANIFEST]


def test_the_same_input_replaces_its_own(tmp_path, out, call):
    one, two = write(tmp_path / "p1" / "run.dcm", "Ada"), write(tmp_path / "p2" / "run.dcm", "Bob")
    call(one)
    call(two)
    assert call(two) == ["run-2"] and len(notes(tmp_path / "log", "begin")) == 3
    assert listed(out) == [("p1", "run", 1.0, None), ("p2", "run-2", 1.0, None)]
    assert result(out, "run") == "Ada" and result(out, "run-2") == "Bob" and len(list(out.iterdir())) == 3


@pytest.mark.parametrize("resume", [False, True])
def test_another_patient_at_the_same_path(tmp_path, out, call, resume):
    inbox = tmp_path / "inbox" / "run.dcm"
    for text, key in (("Ada", "run"), ("Bob", "run-2"), ("Cyd", "run-3")):
        assert call(write(inbox, text), resume=resume) == [key]
    assert [result(out, key) for key in ("run", "run-2", "run-3")] == ["Ada", "Bob", "Cyd"]
    assert listed(out) == [("inbox", key, 1.0, None) for key in ("run", "run-2", "run-3")]
    assert call(inbox, resume=True) == ["run-3"] and len(notes(tmp_path / "log", "begin")) == 3


@dataclass(frozen=True)
class Refilling(Backwards):
    """While the second file is done, the first is replaced, and another process is called with it."""

    def __call__(self, files, output, progress=None, threads=None):
        outcome = super().__call__(files, output, progress, threads)
        if files[0].parent.name == "1":
            inbox = write(files[0].parents[1] / "0" / "run.dcm", "Bob")
            end(start(inbox, files[0].parents[2] / "out", self.log))
        return outcome


def test_another_patient_at_the_same_path_while_a_batch_goes_on(tmp_path, out, call):
    paths = [write(tmp_path / "in" / name / "run.dcm", text) for name, text in (("0", "Ada"), ("1", "Cyd"))]
    assert call(*paths, step=Refilling(str(tmp_path / "log"))) == ["run", "run-2"]
    assert [result(out, key) for key in ("run", "run-2", "run-3")] == ["Ada", "Cyd", "Bob"]
    assert sorted(listed(out)) == [("0", "run", 1.0, None), ("0", "run-3", 1.0, None), ("1", "run-2", 1.0, None)]


def test_overwrite(tmp_path, out, call):
    paths = [write(tmp_path / name / "run.dcm", name) for name in ("p1", "p2", "p3")]
    assert call(paths[0]) == ["run"]
    assert call(*paths[1:], overwrite=True) == ["run", "run-2"]  # but never that of the same call
    assert result(out, "run") == "p2" and result(out, "run-2") == "p3"
    assert listed(out) == [("p2", "run", 1.0, None), ("p3", "run-2", 1.0, None)]
    # It is not asked of the result, so that what is done without it counts as well.
    assert call(*paths[1:], resume=True) == ["run", "run-2"] and len(notes(tmp_path / "log", "begin")) == 3
    assert call(paths[0], resume=True) == ["run-3"] and result(out, "run") == "p2"


@pytest.mark.parametrize(
    "name", ["run_deblurred.dcm", "RUN_Deblurred.DCM", "run_deblurred.png", "run_deblurred.gif", "Run_deblurred.mp4"]
)
@pytest.mark.parametrize("kind", ["file", "folder", "dangling link"])
def test_what_the_manifest_does_not_know_is_taken_too(tmp_path, out, call, name, kind):
    out.mkdir()
    if kind == "file":
        (out / name).write_bytes(b"precious")
    elif kind == "folder":
        (out / name).mkdir()
    else:
        (out / name).symlink_to(tmp_path / "nowhere")
    assert call(write(tmp_path / "p1" / "run.dcm", "Ada")) == ["run-2"] and not (tmp_path / "nowhere").exists()
    assert {path.name for path in out.iterdir()} == {name, "run-2_deblurred.dcm", MANIFEST}
    assert kind != "file" or (out / name).read_bytes() == b"precious"


def test_manifest_keeps_what_earlier_calls_did(tmp_path, out, call):
    good, other = write(tmp_path / "p1" / "run.dcm", "Ada"), write(tmp_path / "p2" / "run.dcm", "Bob")
    bad, worse = write(tmp_path / "p3" / "run.dcm", "fail"), write(tmp_path / "p4" / "run.dcm", "fail again")
    error = "This run cannot be done."
    assert call(good, bad, worse) == ["run", error, error] and call(other) == ["run-2"]
    assert call(write(bad, "Cyd"), resume=True) == ["run-3"]
    everything = [
        ("p1", "run", 1.0, None),
        ("p4", None, 1.0, error),
        ("p2", "run-2", 1.0, None),
        ("p3", "run-3", 1.0, None),
    ]
    assert listed(out) == everything
    (out / "run_deblurred.dcm").unlink()
    # Whose result is gone is forgotten; a good result stays listed where another try of its input fails.
    write(worse, "fail once more")
    assert call(worse) == [error]
    assert listed(out) == [*everything[2:], ("p4", None, 1.0, error)]


def test_failure_leaves_the_older_result_and_its_entry(tmp_path, out, call):
    path = write(tmp_path / "p1" / "run.dcm", "Ada")
    call(path)

    @dataclass(frozen=True)
    class Failing(Backwards):
        def __call__(self, files, output, progress=None, threads=None):
            return replace(super().__call__(files, output), error="Not this time.")

    assert call(path, step=Failing(str(tmp_path / "log"))) == ["Not this time."]
    assert listed(out) == [("p1", "run", 1.0, None), ("p1", None, 1.0, "Not this time.")]
    assert call(path, resume=True) == ["run"] and len(notes(tmp_path / "log", "begin")) == 2
    assert call(path) == ["run"] and listed(out) == [("p1", "run", 1.0, None)]


@dataclass(frozen=True)
class Racing(Backwards):
    """While it works, a file comes to lie at `appears`."""

    appears: str = ""

    def __call__(self, files, output, progress=None, threads=None):
        outcome = super().__call__(files, output, progress, threads)
        output.with_suffix(".png").write_bytes(b"picture")
        write(Path(self.appears), "precious")
        return outcome


@pytest.mark.parametrize("ending", ["dcm", "png"])
def test_file_that_appears_meanwhile_stays(tmp_path, out, call, ending):
    path, target = write(tmp_path / "p1" / "run.dcm", "Ada"), out / f"run_deblurred.{ending}"
    step = Racing(str(tmp_path / "log"), appears=str(target))
    (error,) = call(path, step=step)
    assert error == f"Cannot write {target.name}: there is another file of that name now; call again."
    assert target.read_bytes().startswith(b"precious") and sorted(out.iterdir()) == sorted([out / MANIFEST, target])
    assert call(path) == ["run-2"] and target.read_bytes().startswith(b"precious")


def test_file_that_appears_in_the_last_moment_stays(tmp_path, out, call, monkeypatch):
    """After it was looked for, when the result's picture is in place already."""
    truly, target = folder_module.put_in_place, out / "run_deblurred.png"

    def late(finished, path, **more):
        if Path(path) == target:
            target.write_bytes(b"precious")
        truly(finished, path, **more)

    monkeypatch.setattr(folder_module, "put_in_place", late)
    step = Racing(str(tmp_path / "log"), appears=str(tmp_path / "elsewhere"))
    (error,) = call(write(tmp_path / "p1" / "run.dcm", "Ada"), step=step)
    assert error == "Cannot write run_deblurred.png: there is another file of that name now; call again."
    assert target.read_bytes() == b"precious" and sorted(out.iterdir()) == sorted([out / MANIFEST, target])


def test_input_that_is_replaced_while_it_is_read(tmp_path, out, call):
    path = write(tmp_path / "inbox" / "run.dcm", "Ada")
    call(path)
    step = Racing(str(tmp_path / "log"), appears=str(path))
    assert call(path, step=step) == ["The file was replaced while it was read; call again."]
    assert result(out, "run") == "Ada"


def test_input_that_is_replaced_before_its_turn(tmp_path, out, call):
    """Its own result may be replaced, but not by that of the other file."""
    first, second = write(tmp_path / "in" / "a.dcm", "Cyd"), write(tmp_path / "in" / "b.dcm", "Ada")
    call(first, second)
    step = Racing(str(tmp_path / "log"), appears=str(second))

    @dataclass(frozen=True)
    class Once(Racing):
        def __call__(self, files, output, progress=None, threads=None):
            return (Racing if files[0] == first else Backwards).__call__(self, files, output, progress, threads)

    error = "Cannot write b_deblurred.dcm: there is another file of that name now; call again."
    assert call(first, second, step=Once(step.log, appears=step.appears)) == ["a", error]
    assert result(out, "b") == "Ada" and call(first, second, resume=True) == ["a", "b-2"]
    assert result(out, "b-2") == "precious"


@pytest.mark.parametrize("whose", ["own", "of another"])
def test_pictures_go_with_the_result_that_they_belong_to(tmp_path, out, call, whose):
    """None of another patient, or of other settings, lies beside a result."""
    one, two = write(tmp_path / "p1" / "run.dcm", "Ada"), write(tmp_path / "p2" / "run.dcm", "Bob")
    assert call(one, step=Racing(str(tmp_path / "log"), appears=str(tmp_path / "elsewhere"))) == ["run"]
    (out / "run_deblurred.txt").write_text("a note of somebody")
    assert call(one if whose == "own" else two, overwrite=whose != "own") == ["run"]
    assert {path.name for path in out.iterdir()} == {"run_deblurred.dcm", "run_deblurred.txt", MANIFEST}


def test_names_that_differ_in_how_an_accent_is_written(tmp_path, out, call):
    one, two = write(tmp_path / "p1" / "J\u00f6rg.dcm", "Ada"), write(tmp_path / "p2" / "Jo\u0308rg.dcm", "Bob")
    assert call(one) == ["J\u00f6rg"] and call(two) == ["Jo\u0308rg-2"]
    assert call(two, one, resume=True) == ["Jo\u0308rg-2", "J\u00f6rg"]


KILLED = """
import os, sys
from DSADeblurLib.batch import Batch, folder, run_batch
from batchsteps import Backwards
truly = folder.put_in_place
def killed(finished, path, **more):
    truly(finished, path, **more)
    if str(path).endswith("_deblurred.dcm"):
        os._exit(9)
folder.put_in_place = killed
run_batch(sys.argv[1:2], sys.argv[2], Backwards(sys.argv[3]), Batch(overwrite=True))
"""


@pytest.mark.parametrize("whose", ["own", "of another"])
def test_killed_between_result_and_record(tmp_path, out, call, whose):
    """The manifest still tells of the result that was there before, of the same size: it must not be believed."""
    one, two = write(tmp_path / "p1" / "run.dcm", "Ada"), write(tmp_path / "p2" / "run.dcm", "Bob")
    assert call(one) == ["run"]
    path = one if whose == "own" else two
    command = [sys.executable, "-c", KILLED, path, out, tmp_path / "log"]
    killed = subprocess.run(list(map(str, command)), env={"PYTHONPATH": PATHS}, timeout=PATIENCE)
    assert killed.returncode == 9 and (out / HIDDEN).exists()
    assert result(out, "run") == ("Ada" if whose == "own" else "Bob")
    # A call with another file clears up; what was interrupted is told, and is nobody's good result.
    assert call(write(tmp_path / "p3" / "other.dcm", "Cyd")) == ["other"]
    interrupted = "The process was ended while it put the result in place; call again."
    assert listed(out) == [(path.parent.name, "run", 1.0, interrupted), ("p3", "other", 1.0, None)]
    begun = len(notes(tmp_path / "log", "begin"))
    assert call(one, resume=True) == ["run" if whose == "own" else "run-2"]
    assert len(notes(tmp_path / "log", "begin")) == begun + 1
    assert call(two, resume=True) == ["run-2" if whose == "own" else "run"]
    assert {result(out, "run"), result(out, "run-2")} == {"Ada", "Bob"} and len(list(out.iterdir())) == 4
    assert all(error is None for *_, error in listed(out))


def test_killed_before_the_result_is_in_place(tmp_path, out, call):
    """The older result is as it was, and --resume still knows it."""
    path, log, gate = write(tmp_path / "p1" / "run.dcm", "Ada"), tmp_path / "log", tmp_path / "gate"
    call(path)
    process = start(path, out, log, f"gate={gate}")
    until(lambda: len(notes(log, "begin")) == 2)
    process.kill()
    process.communicate(timeout=PATIENCE)
    assert listed(out) == [("p1", "run", 1.0, None)] and manifest_of(out)["waiting"] == 1
    assert call(path, resume=True) == ["run"] and len(notes(log, "begin")) == 2
    assert call(path, resume=True, strength=0.5) == ["run"] and listed(out) == [("p1", "run", 0.5, None)]


def test_pictures_that_cannot_be_replaced(tmp_path, out, call):
    """The new result is there, but not in full, so that nothing says it is done."""
    path = write(tmp_path / "p1" / "run.dcm", "Ada")
    step = Racing(str(tmp_path / "log"), appears=str(tmp_path / "elsewhere"))
    assert call(path, step=step) == ["run"]
    (out / "run_deblurred.png").unlink()
    (out / "run_deblurred.png").mkdir()
    (error,) = call(path, step=step)
    assert error.startswith("Cannot write run_deblurred.png: ") and listed(out) == [("p1", "run", 1.0, error)]
    (out / "run_deblurred.png").rmdir()
    assert call(path, step=step, resume=True) == ["run"] and listed(out) == [("p1", "run", 1.0, None)]
    assert (out / "run_deblurred.png").read_bytes() == b"picture"
