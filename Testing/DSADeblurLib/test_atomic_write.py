"""Finished files appear under their names in one step, and over no other file."""

import errno
import os
import subprocess
import sys

import pytest

from DSADeblurLib.atomic_write import (
    atomic_folder,
    atomic_write,
    is_plain_file,
    is_plain_folder,
    put_in_place,
    write_new,
)


def no_second_names(*_):
    raise OSError(errno.EPERM, os.strerror(errno.EPERM))


@pytest.fixture(params=["as it comes", "without hard links"])
def finished(request, tmp_path, monkeypatch):
    """A finished file, on a file system of either kind."""
    if request.param != "as it comes":
        monkeypatch.setattr(os, "link", no_second_names)
    path = tmp_path / "finished"
    path.write_bytes(b"new")
    return path


def test_moves_to_a_free_name(tmp_path, finished):
    put_in_place(finished, tmp_path / "result", replace=False)
    assert (tmp_path / "result").read_bytes() == b"new" and list(tmp_path.iterdir()) == [tmp_path / "result"]
    assert is_plain_file(tmp_path / "result", one_name=True)


@pytest.mark.parametrize("kind", ["file", "folder", "dangling link"])
def test_what_is_there_stays(tmp_path, finished, kind):
    target = tmp_path / "result"
    if kind == "file":
        target.write_bytes(b"precious")
    elif kind == "folder":
        target.mkdir()
    else:
        target.symlink_to(tmp_path / "nowhere")
    before = os.lstat(target)
    with pytest.raises(FileExistsError):
        put_in_place(finished, target, replace=False)
    assert os.path.samestat(os.lstat(target), before) and finished.read_bytes() == b"new"
    assert sorted(tmp_path.iterdir()) == sorted([finished, target])
    assert kind != "file" or target.read_bytes() == b"precious"


def test_link_is_replaced_itself(tmp_path, finished):
    (tmp_path / "other").write_bytes(b"precious")
    (tmp_path / "result").symlink_to(tmp_path / "other")
    put_in_place(finished, tmp_path / "result", replace=True)
    assert (tmp_path / "other").read_bytes() == b"precious" and is_plain_file(tmp_path / "result")
    assert (tmp_path / "result").read_bytes() == b"new"


def test_failure_leaves_nothing(tmp_path, finished, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "link", no_second_names)
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        put_in_place(finished, tmp_path / "result", replace=False)
    assert list(tmp_path.iterdir()) == [finished]


@pytest.mark.skipif(os.name == "nt", reason="Windows renames")
def test_nfs_that_doubts_its_own_success(tmp_path):
    finished = tmp_path / "finished"
    finished.write_bytes(b"new")
    os.link(finished, tmp_path / "result")
    put_in_place(finished, tmp_path / "result", replace=False)
    assert list(tmp_path.iterdir()) == [tmp_path / "result"] and (tmp_path / "result").read_bytes() == b"new"


@pytest.mark.parametrize("folder", ["beside", "elsewhere"])
def test_written_file_appears_when_it_is_complete(tmp_path, folder):
    target, hidden = tmp_path / "film.mp4", tmp_path / "hidden"
    hidden.mkdir()
    target.write_bytes(b"old")
    with atomic_write(target, replace=True, folder=None if folder == "beside" else hidden) as unfinished:
        assert unfinished.parent == (tmp_path if folder == "beside" else hidden)
        assert unfinished.suffix == ".mp4" and unfinished.read_bytes() == b"" and target.read_bytes() == b"old"
        unfinished.write_bytes(b"new")
    assert target.read_bytes() == b"new" and sorted(tmp_path.rglob("*")) == [target, hidden]


@pytest.mark.parametrize("failure", [ValueError("broken"), KeyboardInterrupt()])
@pytest.mark.parametrize("replace", [True, False])
def test_failed_write_leaves_nothing(tmp_path, failure, replace):
    with pytest.raises(type(failure)), atomic_write(tmp_path / "result", replace=replace) as unfinished:
        unfinished.write_bytes(b"half")
        raise failure
    assert list(tmp_path.iterdir()) == []


def test_written_file_replaces_nothing_unless_it_may(tmp_path):
    with pytest.raises(FileExistsError), atomic_write(tmp_path / "result", replace=False) as unfinished:
        unfinished.write_bytes(b"new")
        (tmp_path / "result").write_bytes(b"precious")
    assert (tmp_path / "result").read_bytes() == b"precious" and list(tmp_path.iterdir()) == [tmp_path / "result"]


def test_new_files_have_names_of_their_own_and_the_rights_of_others(tmp_path):
    (tmp_path / "film.mp4").touch()
    with (
        atomic_write(tmp_path / "film.mp4", replace=True) as one,
        atomic_write(tmp_path / "film.mp4", replace=True) as two,
    ):
        assert one != two
        assert one.stat().st_mode == two.stat().st_mode == (tmp_path / "film.mp4").stat().st_mode


@pytest.mark.parametrize("older", [True, False])
def test_folder_is_replaced_as_a_whole(tmp_path, older):
    target = tmp_path / "folder"
    if older:
        target.mkdir()
        (target / "old").touch()
    with pytest.raises(ValueError), atomic_folder(target) as unfinished:
        (unfinished / "half").touch()
        raise ValueError
    assert list(tmp_path.rglob("*")) == ([target, target / "old"] if older else [])
    with atomic_folder(target) as unfinished:
        (unfinished / "new").touch()
        assert target.exists() is older
    assert list(tmp_path.rglob("*")) == [target, target / "new"]


def test_folder_that_cannot_be_moved_leaves_the_older_one(tmp_path, monkeypatch):
    truly, target = os.replace, tmp_path / "folder"
    target.mkdir()
    (target / "old").touch()

    def fails_once(source, destination):
        if destination == target:
            monkeypatch.setattr(os, "replace", truly)
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        truly(source, destination)

    monkeypatch.setattr(os, "replace", fails_once)
    with pytest.raises(OSError, match="Permission denied"), atomic_folder(target):
        pass
    assert list(tmp_path.rglob("*")) == [target, target / "old"]


@pytest.mark.parametrize(
    ("digits", "names"), [(0, ["run.dcm", "run 2.dcm", "run 3.dcm"]), (4, [f"run-000{number}.dcm" for number in "123"])]
)
def test_new_file_gets_a_name_that_nothing_has(tmp_path, digits, names):
    (tmp_path / names[0]).symlink_to(tmp_path / "nowhere")

    def write(path):
        assert path.name == names[1]
        (tmp_path / names[1]).write_bytes(b"precious")
        path.write_bytes(b"new")
        return "returned"

    assert write_new(tmp_path, "run", ".dcm", write, digits=digits) == (tmp_path / names[2], "returned")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    assert (tmp_path / names[1]).read_bytes() == b"precious" and (tmp_path / names[2]).read_bytes() == b"new"


def test_new_file_that_is_not_made_leaves_nothing(tmp_path):
    def write(path):
        path.write_bytes(b"half")
        raise ValueError

    with pytest.raises(ValueError):
        write_new(tmp_path, "run", ".dcm", write)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(FileNotFoundError):
        write_new(tmp_path / "none", "run", ".dcm", write)


def test_links_are_nothing_plain(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    for name in ("folder", "file", "nothing"):
        (tmp_path / f"link to {name}").symlink_to(tmp_path / name)
        assert not is_plain_folder(tmp_path / f"link to {name}", or_nothing=True)
        assert not is_plain_file(tmp_path / f"link to {name}", or_nothing=True)
    assert is_plain_folder(tmp_path / "folder") and not is_plain_file(tmp_path / "folder", or_nothing=True)
    assert is_plain_file(tmp_path / "file", one_name=True) and not is_plain_folder(tmp_path / "file", or_nothing=True)
    assert not is_plain_file(tmp_path / "nothing") and is_plain_file(tmp_path / "nothing", or_nothing=True)
    os.link(tmp_path / "file", tmp_path / "hard link")
    assert is_plain_file(tmp_path / "file") and not is_plain_file(tmp_path / "file", one_name=True)


def test_what_a_killed_process_left_goes_with_the_next_file(tmp_path):
    """And nothing else: not what a living process works on, nor one of another computer, nor behind a link."""
    code = (
        "import os, sys; from DSADeblurLib.atomic_write import write_new\n"
        "write_new(sys.argv[1], 'run', '.dcm', lambda path: path.write_bytes(b'half') and os._exit(9))"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)]).returncode == 9
    (left,) = tmp_path.iterdir()
    beginning, number, _ = left.name.rsplit("-", 2)
    kept = [f"{beginning}-{os.getpid()}-abc", f".dsadeblur-00000000-{number}-abc", ".dsadeblur", "others"]
    kept += [f"{beginning}-{'9' * 30}-abc", f"{beginning}-{number}"]
    for name in kept:
        (tmp_path / name).mkdir()
        (tmp_path / name / "in.npy").touch()
    (tmp_path / f"{beginning}-{number}-link").symlink_to(tmp_path / "others")
    path, _ = write_new(tmp_path, "run", ".dcm", lambda path: path.write_bytes(b"new"))
    assert {one.name for one in tmp_path.iterdir()} == {*kept, f"{beginning}-{number}-link", path.name}
    assert (tmp_path / "others" / "in.npy").exists()
