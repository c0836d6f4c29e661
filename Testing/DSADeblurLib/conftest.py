"""What several tests of the library share: models, files that change, synthetic runs and the judges of files."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from DSADeblurLib.lab.simulation.xa_object import write_simulated_run

sys.path.insert(0, str(Path(__file__).parent))


def _with_other_pixels(path):
    return path.read_bytes()[:-1000] + bytes(1000)


def _overwrite(path):
    """As a copy over the file does, in a second when the clock of the file system has gone on."""
    later = path.stat().st_mtime + 1
    with open(path, "r+b") as file:
        file.write(_with_other_pixels(path))
    os.utime(path, (later, later))


def _append(path):
    with open(path, "ab") as file:
        file.write(bytes(1000))


def _truncate(path):
    os.truncate(path, path.stat().st_size - 1000)


def _replace(path):
    """Another file of the same name, size and time, as tools make that keep the time."""
    other = path.with_name("other")
    other.write_bytes(_with_other_pixels(path))
    shutil.copystat(path, other)
    os.replace(other, path)


def _remove(path):
    path.unlink(missing_ok=True)


@pytest.fixture(params=[_overwrite, _append, _truncate, _replace, _remove], ids=lambda one: one.__name__[1:])
def change(request):
    """What happens to a file while it is read, a function of its path. Its UIDs and its header stay the same."""
    if os.name == "nt" and request.param in (_replace, _remove):
        pytest.skip("Windows keeps an open file in its place")
    return request.param


@pytest.fixture(scope="session")
def small_model(tiny_model):
    """The tiny model, loaded."""
    from DSADeblurLib.restoration.package import load_model

    return load_model(tiny_model)


@pytest.fixture(scope="session")
def modulated_model(save_untrained):
    """A small untrained network that is told the blur, loaded."""
    from DSADeblurLib.restoration.architecture import UNetArchitecture
    from DSADeblurLib.restoration.package import load_model

    told = UNetArchitecture(features=4, growth=4, levels=1, attention_reduction=0, modulated=True)
    return load_model(save_untrained("modulated", told))


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
def tool():
    """Return a function that runs a command line tool, or skips the test when it is not installed."""

    def call(*command):
        if shutil.which(command[0]) is None:
            pytest.skip(f"{command[0]} is not installed")
        return subprocess.run([str(one) for one in command], capture_output=True, text=True, timeout=600)

    return call


@pytest.fixture
def validate(tool):
    """Return a function that gives dciodvfy's errors and warnings about a file, [] when there are none."""

    def judge(path):
        result = tool("dciodvfy", "-new", path)
        return [line for line in result.stderr.splitlines() if line.startswith(("Error", "Warning"))]

    return judge


@pytest.fixture
def split(make_run, tmp_path):
    """split(**options of make_run): the one-frame files of a run, named against their order, and the run."""

    def make(step_ms=125.0, **options):
        made = make_run(mask_frames=None, contrast_frames=None, **options)
        folder = tmp_path / "one by one"
        folder.mkdir()
        series, paths = generate_uid(), []
        for index, frame in enumerate(made.frames):
            dataset = pydicom.dcmread(made.path)
            for name in ("NumberOfFrames", "FrameTime", "FrameIncrementPointer"):
                delattr(dataset, name)
            dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
            dataset.SeriesInstanceUID, dataset.InstanceNumber = series, index + 1
            dataset.AcquisitionDate = "20260101"
            dataset.AcquisitionTime = f"1200{index * step_ms / 1000:09.6f}"
            dataset.PixelData = frame.astype("<u2").tobytes()
            paths.append(folder / f"{99 - index}.dcm")
            dataset.save_as(paths[-1], enforce_file_format=True)
        return made, paths

    return make
