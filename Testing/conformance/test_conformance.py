"""The checks of `make conformance`, on fewer variants; and judges that find nothing wrong with anything are no use."""

from dataclasses import replace

import numpy as np
import pydicom
import pytest
import run
from judges import JUDGES
from variants import VARIANTS, make

pytestmark = pytest.mark.slow

# One of each kind; `make conformance` judges all.
SOME = (
    "native 12 bit",
    "native LOG",
    "native, odd size",
    "subtracted 16 bit",
    "subtracted 8 bit",
    "subtracted, deblurred again",
    "single frame",
    "frame time vector, subtracted",
    "biplane A",
    "clinical header, C-arm moved",
    "lossy source",
    "RF subtracted",
    "SC word, subtracted",
    "XA as SC: no frame timing",
    "jpeg-ls subtracted 16 bit",
    "jpeg-2000 native 12 bit",
    "rle native 8 bit",
    "without identity, native",
)


def _named(name):
    return next(one for one in VARIANTS if one.name == name)


@pytest.mark.parametrize("name", SOME)
def test_variant(name, tmp_path):
    said = dict(zip((judge.name for judge in JUDGES), run.judged(_named(name), tmp_path), strict=True))
    assert [one for one in said.items() if run.kind_of(one[1]) == "failed"] == []
    if all(one == "not installed" for one in said.values()):
        pytest.skip("an encoder or a library this variant needs is not installed")


def test_names_differ():
    assert len({one.name for one in VARIANTS}) == len(VARIANTS)


def _said(specimen, *names):
    judges = [one for one in JUDGES if one.name in names and not one.missing]
    return [run.kind_of(run.verdict(one, specimen)) for one in judges]


@pytest.fixture
def specimen(tmp_path):
    return make(_named("native 12 bit"), tmp_path)


READERS = ("DCMTK", "GDCM", "pydicom", "SimpleITK", "highdicom", "Slicer reader")


def test_readers_see_one_wrong_pixel(specimen):
    pixels = specimen.pixels.copy()
    pixels[-1, -1, -1] ^= 1
    said = _said(replace(specimen, pixels=pixels), *READERS)
    assert said and set(said) == {"failed"}


def test_readers_miss_a_frame(specimen):
    said = _said(replace(specimen, pixels=np.concatenate([specimen.pixels, specimen.pixels[:1]])), *READERS)
    assert said and set(said) == {"failed"}


def test_validator_sees_an_illegal_header(specimen):
    dataset = pydicom.dcmread(specimen.path)
    dataset.BitsStored, dataset.HighBit = 14, 13
    dataset.save_as(specimen.path)
    assert set(_said(specimen, "dciodvfy")) <= {"failed"}


def test_another_patient_is_noticed(specimen):
    dataset = pydicom.dcmread(specimen.path)
    dataset.PatientName = "Somebody^Else"
    dataset.save_as(specimen.path)
    assert set(_said(specimen, "dcentvfy")) <= {"failed"}


def test_file_that_is_none(specimen):
    specimen.path.write_bytes(b"no DICOM file")
    said = _said(specimen, *(judge.name for judge in JUDGES))
    assert said and set(said) == {"failed"}


def test_table_and_exit_code(capsys, monkeypatch):
    assert run.main(["--only", "single frame of a run"]) == 0
    assert "1 variants:" in capsys.readouterr().out
    monkeypatch.setattr(run, "JUDGES", [replace(JUDGES[4], check=lambda specimen: "always wrong")])
    assert run.main(["--only", "single frame of a run"]) == 1
    assert "failed: single frame of a run, pydicom: always wrong" in capsys.readouterr().out
