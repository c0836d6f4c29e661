"""Nothing behind a link is written or removed: others may plant links in the output folder."""

import os
import shutil
from pathlib import Path

import pytest
from batchprocesses import manifest_of
from batchsteps import Backwards

from DSADeblurLib.batch import HIDDEN, MANIFEST, Batch, run_batch
from DSADeblurLib.cli import SOME_FAILED, main

pytestmark = pytest.mark.slow

FOLDERS = ("processes", "claims", "work", "runs")


@pytest.fixture
def precious(tmp_path):
    """A folder of somebody else, with what could be taken for ours in it, and its `content`."""
    folder = tmp_path / "precious"
    names = ("x.lock", "run.json", "run.lock", "run/frames.npy", "case/notes.txt", *(f"{one}/a" for one in FOLDERS))
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"precious {name}")
    return folder, content(folder)


@pytest.fixture
def source(tmp_path) -> Path:
    path = tmp_path / "in" / "run.dcm"
    path.parent.mkdir()
    path.write_bytes(b"0123" * 10)
    return path


def content(folder: Path) -> dict[str, bytes | str | None]:
    """Everything below a folder: bytes of files, targets of links, None for folders."""
    return {
        str(path.relative_to(folder)): os.readlink(path)
        if path.is_symlink()
        else path.read_bytes()
        if path.is_file()
        else None
        for path in folder.rglob("*")
    }


def output_with(tmp_path: Path, name: str) -> Path:
    """An output folder as a killed call leaves it, but with nothing at `name`; gives the path of that."""
    out = tmp_path / "out"
    out.mkdir()
    if name != ".":
        for one in FOLDERS:
            if one != name:
                (out / HIDDEN / one).mkdir(parents=True)
    return out / HIDDEN if name == "." else out / HIDDEN / name


@pytest.mark.parametrize("kind", ["link", "dangling link", "file"])
@pytest.mark.parametrize("name", [".", *FOLDERS])
def test_folder_that_is_none_is_refused(tmp_path, precious, source, capsys, small_model, name, kind):
    folder, before = precious
    path = output_with(tmp_path, name)
    if kind == "file":
        path.write_bytes(b"precious")
    else:
        path.symlink_to(folder if kind == "link" else tmp_path / "nowhere")
    out, log = tmp_path / "out", tmp_path / "log"
    planted = content(out)
    sentence = f"{path} is a link or of another kind than it should be; remove it, then call again."
    with pytest.raises(ValueError) as told:
        run_batch([source], out, Backwards(str(log)))
    assert str(told.value) == sentence
    command = ["deblur", str(source), "--output", str(out), "--model", str(small_model.card.folder)]
    assert main(command) == SOME_FAILED and capsys.readouterr().err.replace("\n", "") == f"dsadeblur: {sentence}"
    assert content(out) == planted and content(folder) == before and not log.exists()
    assert not (tmp_path / "nowhere").exists()
    path.unlink()
    assert run_batch([source], out, Backwards(str(log)))[0].error is None


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_lock_of_the_folder_that_is_a_link_is_refused(tmp_path, precious, source, link):
    folder, before = precious
    path = output_with(tmp_path, "folder.lock")
    link(folder / "x.lock", path)
    planted = content(tmp_path / "out")
    with pytest.raises(ValueError, match="folder.lock is a link or of another kind than it should be; remove it"):
        run_batch([source], tmp_path / "out", Backwards(str(tmp_path / "log")))
    assert content(tmp_path / "out") == planted and content(folder) == before


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("work/run", "run"),
        ("work/run", "run/frames.npy"),
        ("work/run", "nothing"),
        ("work/another", "case"),
        ("claims/run.lock", "run.lock"),
        ("claims/run.lock", "nothing"),
        ("claims/another.lock", "run.lock"),
        ("processes/x.lock", "x.lock"),
        ("processes/x.lock", "nothing"),
        ("runs/run.json", "run.json"),
        ("runs/run.json", "nothing"),
        ("plan.json", "run.json"),
        ("plan.json", "nothing"),
        ("aside.json", "run.json"),
        ("aside.json", "nothing"),
        ("another", "case"),
    ],
)
@pytest.mark.parametrize("resume", [False, True])
def test_links_in_the_hidden_folder_are_removed_themselves(tmp_path, precious, source, name, target, resume):
    folder, before = precious
    output_with(tmp_path, name).symlink_to(folder / target)
    check_done(tmp_path, source, resume)
    assert content(folder) == before


@pytest.mark.parametrize("name", ["claims/run.lock", "claims/another.lock", "processes/x.lock"])
def test_hard_links_at_locks_are_removed_themselves(tmp_path, precious, source, name):
    """To lock a file can mean to empty it."""
    folder, before = precious
    os.link(folder / "x.lock", output_with(tmp_path, name))
    check_done(tmp_path, source)
    assert content(folder) == before and (folder / "x.lock").stat().st_nlink == 1


def check_done(tmp_path, source, resume=False):
    out = tmp_path / "out"
    (outcome,) = run_batch([source], out, Backwards(str(tmp_path / "log")), Batch(resume=resume))
    assert outcome.error is None and {path.name for path in out.iterdir()} == {MANIFEST, "run_deblurred.dcm"}
    assert (out / "run_deblurred.dcm").read_bytes() == source.read_bytes()[::-1]


def test_links_that_come_while_a_run_is_done(tmp_path, precious, source):
    """Into the folder of this very run, where its record and its result are about to be written."""
    folder, before = precious
    work = tmp_path / "out" / HIDDEN / "work" / "run"

    class Planting(Backwards):
        def __call__(self, files, output, progress=None, threads=None):
            outcome = super().__call__(files, output, progress, threads)
            for name in ("record.json", "run.json", ".record.json", "begun.json"):
                (work / name).symlink_to(folder / "run.json")
            (work.parents[1] / "runs" / "run.json").symlink_to(folder / "run.json")
            (work.parents[1] / "aside.json").symlink_to(folder / "run.json")
            return outcome

    (outcome,) = run_batch([source], tmp_path / "out", Planting(str(tmp_path / "log")))
    assert outcome.error is None and content(folder) == before
    assert {path.name for path in (tmp_path / "out").iterdir()} == {MANIFEST, "run_deblurred.dcm"}


def test_folder_that_is_exchanged_while_a_run_is_done(tmp_path, precious, source):
    folder, before = precious
    work = tmp_path / "out" / HIDDEN / "work"

    class Exchanging(Backwards):
        def __call__(self, files, output, progress=None, threads=None):
            outcome = super().__call__(files, output, progress, threads)
            shutil.move(work, tmp_path / "moved")
            work.symlink_to(folder)
            return outcome

    with pytest.raises(ValueError, match="work is a link or of another kind than it should be"):
        run_batch([source], tmp_path / "out", Exchanging(str(tmp_path / "log")))
    assert content(folder) == before


def test_manifest_that_is_a_link_is_replaced_itself(tmp_path, precious, source):
    folder, before = precious
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / MANIFEST).symlink_to(folder / "run.json")
    check_done(tmp_path, source)
    assert content(folder) == before and len(manifest_of(tmp_path / "out")["runs"]) == 1


def test_output_folder_may_be_a_link(tmp_path, source):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "elsewhere")
    check_done(tmp_path, source)
    assert len(list((tmp_path / "elsewhere").iterdir())) == 2
