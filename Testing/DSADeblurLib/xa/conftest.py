"""Synthetic XA runs with known optical density, and the third-party judges of the files written."""

import os
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian

from DSADeblurLib.lab.simulation.xa_object import write_simulated_run
from DSADeblurLib.request import UserFacts
from DSADeblurLib.xa import Provenance, plan_subtraction, read_run, subtract, write_derived

_ROOT = Path(__file__).resolve().parents[3]


def _phantom(count=6, rows=48, columns=64, masks=2):
    """A background with an edge and a vessel that fills after the mask frames; returns line integrals per frame."""
    y, x = np.mgrid[:rows, :columns]
    background = 0.3 + 0.4 * (x > columns // 3) + 0.2 * np.sin(y / 5.0)
    vessel = np.exp(-((x - 0.6 * columns - 0.1 * y) ** 2) / 18.0)
    iodine = np.array([0.0 if frame < masks else 0.15 * (frame - masks + 1) for frame in range(count)])
    return background, iodine[:, None, None] * vessel


@pytest.fixture
def make_run(tmp_path):
    """Return a factory: it writes a run and gives its path, stored frames and the true D of each frame."""

    def make(name="run.dcm", *, relationship="LIN", bits=12, count=6, rows=48, columns=64, **options):
        background, iodine = _phantom(count, rows, columns)
        top = (1 << bits) - 1
        intensity = 0.9 * top * np.exp(-background - iodine)
        stored = intensity
        if relationship == "LOG":
            # The stored value v stands for exp(v ln(65535) / top), the writer's own Modality LUT.
            stored = np.log(intensity * 65535 / top) * top / np.log(65535)
        frames = np.rint(stored).astype(np.uint8 if bits == 8 else np.uint16)
        arguments = {
            "frame_time_ms": 125.0,
            "focal_spot_mm": 0.6,
            "sid_mm": 1100.0,
            "sod_mm": 720.0,
            "imager_pixel_spacing_mm": (0.154, 0.154),
            "mask_frames": (1, 2),
            "contrast_frames": range(3, count + 1),
            "transfer_syntax": ExplicitVRLittleEndian,
            **options,
        }
        path = write_simulated_run(tmp_path / name, frames, bits_stored=bits, relationship=relationship, **arguments)
        return SimpleNamespace(path=path, frames=frames, difference=-iodine)

    return make


@pytest.fixture
def edit(tmp_path):
    """Return a function that writes a changed copy of a file: keyword=value, or keyword=None to delete."""

    def change(path, name="edited.dcm", touch=None, **values):
        dataset = pydicom.dcmread(path)
        for keyword, value in values.items():
            if value is None:
                del dataset[keyword]
            else:
                setattr(dataset, keyword, value)
        if touch:
            touch(dataset)
        dataset.save_as(tmp_path / name, enforce_file_format=False)
        return tmp_path / name

    return change


@pytest.fixture
def header(make_run):
    """The data set of a synthetic run without its pixels, to be changed by tests of header facts."""
    return pydicom.dcmread(make_run("header.dcm").path, stop_before_pixels=True)


@pytest.fixture
def provenance():
    return Provenance("test-model", "0123456789abcdef" * 4, "1.2.3", "sharpness 1", ())


@pytest.fixture
def tool():
    """Return a function that runs a command line tool, or skips the test when it is not installed."""

    def call(*command):
        if shutil.which(command[0]) is None:
            pytest.skip(f"{command[0]} is not installed")
        return subprocess.run([str(one) for one in command], capture_output=True, text=True, timeout=60)

    return call


@pytest.fixture
def validate(tool):
    """Return a function that gives dciodvfy's errors and warnings about a file, [] when there are none."""

    def judge(path):
        result = tool("dciodvfy", "-new", path)
        return [line for line in result.stderr.splitlines() if line.startswith(("Error", "Warning"))]

    return judge


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
