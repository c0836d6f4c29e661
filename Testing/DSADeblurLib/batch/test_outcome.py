"""Whether what is recorded of a run still holds: by hashes of result and input, and only what has the right types."""

import os

import pytest
from batchsteps import Backwards, notes

from DSADeblurLib.batch import Batch, run_batch
from DSADeblurLib.batch.outcome import Outcome
from DSADeblurLib.regular_file import sha256_of


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "in" / "run.dcm"
    path.parent.mkdir()
    path.write_bytes(b"0" * 2**17)
    return path


@pytest.fixture
def call(tmp_path, source):
    """Resumes a batch of one file; gives its result's name and whether it was done again."""

    def run(**batch) -> tuple[str, bool]:
        log = tmp_path / "log"
        before = len(notes(log, "begin"))
        (outcome,) = run_batch([source], tmp_path / "out", Backwards(str(log)), Batch(resume=True, **batch))
        assert outcome.error is None
        return os.path.basename(outcome.output), len(notes(log, "begin")) > before

    assert run() == ("run_deblurred.dcm", True)
    return run


def test_hashes_are_those_of_the_files(tmp_path, source, call):
    (outcome,) = run_batch([source], tmp_path / "out", Backwards(str(tmp_path / "log")), Batch(resume=True))
    assert outcome.input_sha256 == sha256_of(source) and outcome.output_sha256 == sha256_of(outcome.output)


def test_result_of_the_same_size_that_was_changed(tmp_path, call):
    """It is not taken for the result, and it is not overwritten: nobody knows whose it is."""
    result = tmp_path / "out" / "run_deblurred.dcm"
    status, changed = result.stat(), bytearray(result.read_bytes())
    changed[1000] ^= 1
    result.write_bytes(changed)
    os.utime(result, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert call() == ("run-2_deblurred.dcm", True) and result.read_bytes() == changed
    assert call() == ("run-2_deblurred.dcm", False)


@pytest.mark.parametrize("verify", [False, True])
def test_input_that_was_only_touched_is_the_same(source, call, verify):
    os.utime(source, ns=(10**18, 10**18))
    assert call(verify=verify) == ("run_deblurred.dcm", False)
    assert call(verify=verify) == ("run_deblurred.dcm", False)


def test_input_changed_behind_its_head(source, call):
    """With its time set back only --verify sees it; it is another input then, whose result has a name of its own."""
    status = source.stat()
    with open(source, "r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"1")
    os.utime(source, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert call() == ("run_deblurred.dcm", False)
    assert call(verify=True) == ("run-2_deblurred.dcm", True)
    os.utime(source, ns=(10**18, 10**18))
    assert call() == ("run-2_deblurred.dcm", False)


GOOD = {"input": "/in/run.dcm", "warnings": ["One."], "used": {"model": "compact"}, "input_bytes": 3}


@pytest.mark.parametrize(
    "wrong",
    [
        {"input": 1}, {"output": ["a"]}, {"request": None}, {"used": "compact"}, {"error": 3}, {"warnings": "One."},
        {"warnings": [1]}, {"input_bytes": "3"}, {"output_sha256": {}}, {"software": []},
    ],
)  # fmt: skip
def test_entries_of_wrong_types_are_none(wrong):
    assert Outcome.from_dict(GOOD).input_bytes == 3 and Outcome.from_dict(GOOD | {"unknown": 1}) is not None
    assert Outcome.from_dict(GOOD | wrong) is None and Outcome.from_dict([]) is None
