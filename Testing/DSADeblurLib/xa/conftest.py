"""What tests of files share: headers to be changed, derived objects, real files."""

import os
from pathlib import Path

import pydicom
import pytest

from DSADeblurLib.request import UserFacts
from DSADeblurLib.xa import Provenance, plan_subtraction, read_run, subtract, write_derived

_ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def header(make_run):
    """The data set of a synthetic run without its pixels, to be changed by tests of header facts."""
    return pydicom.dcmread(make_run("header.dcm").path, stop_before_pixels=True)


@pytest.fixture
def provenance():
    return Provenance("test-model", "0123456789abcdef" * 4, "1.2.3", "sharpness 1", ())


@pytest.fixture(scope="session")
def real_data():
    """The folder of real test files; tests that need it are skipped without it."""
    folder = Path(os.environ.get("DSADEBLUR_DATA", _ROOT.parent / "shared" / "data")) / "xa"
    if not folder.is_dir():
        pytest.skip("real test files are not here; set DSADEBLUR_DATA")
    return folder


@pytest.fixture
def derive(tmp_path, provenance):
    """Return a function that derives from a file what its pixels are, native or subtracted."""

    def write(
        path,
        *,
        native=False,
        name="derived.dcm",
        numbers=None,
        mask_frames=None,
        bits=16,
        compression="none",
        **options,
    ):
        run = read_run(path, UserFacts(**options))
        plan = None if native else plan_subtraction(run, mask_frames=mask_frames)
        if plan is None:
            numbers = numbers or range(1, len(run.frames) + 1)
            frames = run.frames[[one - 1 for one in numbers]]
        else:
            frames = subtract(run.frames, plan, run.relationship)
            numbers = frames.frame_numbers
        return write_derived(
            tmp_path / name,
            run,
            frames,
            frame_numbers=numbers,
            provenance=provenance,
            plan=plan,
            bits=bits,
            compression=compression,
        )

    return write


@pytest.fixture
def judged(validate, tool):
    """Return a function that asserts a derived file is valid, agrees with its source, and loads it."""

    def judge(path, source):
        assert validate(path) == []
        result = tool("dcentvfy", source, path)
        assert result.stdout + result.stderr == ""
        return pydicom.dcmread(path)

    return judge
