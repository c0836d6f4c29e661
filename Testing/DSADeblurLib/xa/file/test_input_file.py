"""An input file is one file from its opening to its end, and never stays open."""

import os
import warnings
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from DSADeblurLib.xa import XAReadError, read_header, read_run
from DSADeblurLib.xa.file.input_file import InputFile

_SENTENCE = "The source file.dcm changed since it was read.*; try again when it is in place and complete."


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "file.dcm"
    path.write_bytes(bytes(range(256)) * 2000)
    return path


def _open_files(folder):
    return [one.path for one in psutil.Process().open_files() if one.path.startswith(str(folder))]


@pytest.mark.parametrize("closed", [False, True])
def test_changes_are_told(path, change, closed):
    with InputFile(path) as file:
        file.check_unchanged()
        if closed:
            file.close()
        change(path)
        with pytest.raises(XAReadError, match=_SENTENCE):
            file.check_unchanged()
        with pytest.raises(XAReadError, match=_SENTENCE), file.opened():
            pass


def test_a_changed_beginning_is_told_whatever_size_and_time_say(path):
    before = path.stat()
    with InputFile(path) as file:
        with open(path, "r+b") as stream:
            stream.write(b"PATIENT")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert path.stat().st_mtime_ns == before.st_mtime_ns
        with pytest.raises(XAReadError, match=_SENTENCE):
            file.check_unchanged()


def test_reading_and_copying_a_file_change_nothing(path, tmp_path):
    with InputFile(path) as file:
        (tmp_path / "copy").write_bytes(path.read_bytes())
        path.chmod(0o400)
        file.check_unchanged()
        with file.opened() as same:
            assert same is file
        file.close()
        with file.opened() as again:
            assert again.read_at(255, 3) == b"\xff\x00\x01"
        with pytest.raises(XAReadError, match="file.dcm was closed; open the run again."):
            file.read_at(0, 1)


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps an open file in its place")
def test_the_file_opened_first_is_read_to_the_end(path, tmp_path):
    content = path.read_bytes()
    with InputFile(path) as file:
        assert file.read_at(0, 100) == content[:100]
        (tmp_path / "other").write_bytes(b"other")
        os.replace(tmp_path / "other", path)
        assert file.read_at(0, 10**7) == content and file.size == len(content)


def test_threads_may_read(path):
    content = path.read_bytes()
    with InputFile(path) as file, ThreadPoolExecutor(8) as pool:
        places = [(7919 * one % len(content), 1 + one) for one in range(2000)]
        for (start, size), data in zip(places, pool.map(lambda place: file.read_at(*place), places), strict=True):
            assert data == content[start : start + size]


def test_runs_do_not_stay_open(make_run, tmp_path):
    """Neither those that are closed and kept, nor those nobody closed, nor those that fail, whose errors are kept."""
    path = make_run().path
    broken = tmp_path / "broken.dcm"
    broken.write_bytes(path.read_bytes().replace(b"MONOCHROME2", b"MONOCHROME9"))
    kept = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(20):
            with read_run(path) as run:
                assert _open_files(tmp_path) == [str(path)]
            kept += [run, read_header(path)]
            with pytest.raises(XAReadError) as caught:
                read_run(broken)
            kept.append(caught.value)
            with pytest.raises(KeyError) as caught, read_run(path):
                raise KeyError
            kept.append(caught.value)
            assert read_run(path).frames[5].any()
    assert _open_files(tmp_path) == []
