"""Finished files appear under their names in one step, and over no other file."""

import errno
import os

import pytest

from DSADeblurLib.atomic_write import is_plain_file, is_plain_folder, new_beside, put_in_place


def no_second_names(*_):
    raise OSError(errno.EPERM, os.strerror(errno.EPERM))


@pytest.fixture(params=["as it comes", "without hard links"])
def finished(request, tmp_path, monkeypatch):
    """A finished file, on a file system of either kind."""
    if request.param != "as it comes":
        monkeypatch.setattr(os, "link", no_second_names)
    path = new_beside(tmp_path / "result")
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
    finished = new_beside(tmp_path / "result")
    finished.write_bytes(b"new")
    os.link(finished, tmp_path / "result")
    put_in_place(finished, tmp_path / "result", replace=False)
    assert list(tmp_path.iterdir()) == [tmp_path / "result"] and (tmp_path / "result").read_bytes() == b"new"


def test_new_files_have_names_of_their_own_and_the_rights_of_others(tmp_path):
    paths = [new_beside(tmp_path / "film.mp4", ".mp4") for _ in range(3)]
    (tmp_path / "film.mp4").touch()
    assert len(set(paths)) == 3 and all(path.suffix == ".mp4" and path.stat().st_size == 0 for path in paths)
    assert {path.stat().st_mode for path in paths} == {(tmp_path / "film.mp4").stat().st_mode}


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
