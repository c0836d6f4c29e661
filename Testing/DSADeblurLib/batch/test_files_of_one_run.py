"""A run of several files in a batch: one result, and what is known of the input is known of each of its files."""

import json
import os
from pathlib import Path

import pytest
from batchprocesses import manifest_of
from batchsteps import Backwards, notes

from DSADeblurLib.batch import Batch, run_batch
from DSADeblurLib.regular_file import sha256_of


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    paths = [folder / f"{number}.dcm" for number in range(3)]
    for path in paths:
        path.write_bytes(path.name.encode() * 2**14)
    return paths


@pytest.fixture
def call(tmp_path, files):
    """Resumes a batch in which all files of the folder are one run; the outcome's key and whether it was done again."""

    def run(**batch) -> tuple[str, bool]:
        log = tmp_path / "log"
        before = len(notes(log, "begin"))
        (outcome,) = run_batch(
            [tmp_path / "in"],
            tmp_path / "out",
            Backwards(str(log)),
            Batch(resume=True, **batch),
            grouped=lambda found: [tuple(found)],
        )
        assert outcome.error is None
        content = b"".join(path.read_bytes() for path in sorted((tmp_path / "in").iterdir()))
        assert Path(outcome.output).read_bytes() == content[::-1]
        return outcome.key, len(notes(log, "begin")) > before

    assert run() == ("0", True)
    return run


def changed(path, position, byte=b"!"):
    """One byte is another one, and the time of the last change is as it was."""
    status = path.stat()
    with open(path, "r+b") as file:
        file.seek(position)
        file.write(byte)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_manifest_lists_all_files_and_their_hash(tmp_path, files, call):
    (entry,) = manifest_of(tmp_path / "out")["runs"]
    assert entry["input"] == str(files[0]) and entry["files"] == list(map(str, files))
    assert entry["input_sha256"] == sha256_of(*files) and entry["input_bytes"] == sum(
        path.stat().st_size for path in files
    )
    assert call() == ("0", False)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_file_that_was_only_touched_is_the_same(files, call, which):
    os.utime(files[which], ns=(10**18, 10**18))
    assert call() == ("0", False)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_another_head_of_one_file_is_another_run(files, call, which):
    changed(files[which], 100)
    assert call() == ("0-2", True) and call() == ("0-2", False)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_file_that_was_changed_behind_its_head(files, call, which):
    """With its time set back only --verify sees it, with any other time every call does."""
    changed(files[which], 2**16 + 10)
    assert files[which].stat().st_size > 2**16 + 10
    status = files[which].stat()
    os.utime(files[which], ns=(status.st_atime_ns, status.st_mtime_ns - 10**12))
    assert call() == ("0-2", True)
    changed(files[which], 2**16 + 10, b"?")
    with pytest.raises(AssertionError):  # the result is that of before
        call()
    assert call(verify=True) == ("0-3", True)


def test_file_that_is_added_or_goes_makes_another_run(files, call):
    (files[0].parent / "3.dcm").write_bytes(b"3")
    assert call() == ("0-2", True)
    (files[0].parent / "3.dcm").unlink()
    files[2].unlink()
    assert call() == ("0-3", True) and call() == ("0-3", False)


def test_several_processes(tmp_path, files):
    pytest.importorskip("distributed")
    outcomes = run_batch(
        [tmp_path / "in"],
        tmp_path / "out",
        Backwards(str(tmp_path / "log")),
        Batch(workers=2),
        grouped=lambda found: [tuple(found[:2]), tuple(found[2:])],
    )
    assert [outcome.files for outcome in outcomes] == [list(map(str, files[:2])), []]
    assert json.loads(json.dumps(vars(outcomes[0])))["output_sha256"] == sha256_of(outcomes[0].output)
