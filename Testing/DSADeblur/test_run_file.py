"""The DICOM file behind a node, and the way back from the values Slicer's reader gives to the stored ones."""

from __future__ import annotations

import dicomhost
import numpy as np
import pydicom
import pytest
import samples
import slicer
from scenes import load, loadOneFrameFiles

from DSADeblurLib.request import UserFacts

pytestmark = pytest.mark.usefixtures("host")


def loaded(node, **facts):
    from DSADeblurScene.input import readInput
    from DSADeblurScene.run_file import loadedRun

    return loadedRun(readInput(node), UserFacts(**facts))


@pytest.mark.parametrize("stack", [False, True])
@pytest.mark.parametrize(
    "extra", [{}, {"RescaleSlope": "2", "RescaleIntercept": "-100", "RescaleType": "US"}], ids=["plain", "rescaled"]
)
def test_stored_values_are_those_of_the_file(tmp_path, extra, stack):
    found = loaded(load(tmp_path / "a.dcm", extra=extra, stack=stack))
    assert found.run.relationship == "LIN" and found.run.bits_stored == 12 and found.note == ""
    assert found.run.frames.dtype == np.uint16 and np.array_equal(found.run.frames[:], samples.vessel_frames())


def test_the_library_reads_the_same_values(tmp_path):
    from DSADeblurLib.xa import read_run

    path = tmp_path / "a.dcm"
    samples.write_run(path, samples.vessel_frames() | np.uint16(0x8000))
    dataset = pydicom.dcmread(path)
    dataset.add_new((0x6000, 0x0102), "US", 15)  # that bit is an overlay
    dataset.save_as(path)
    found = loaded(dicomhost.loadLikeSlicer(path))
    assert np.array_equal(found.run.frames[:], read_run(tmp_path / "a.dcm").frames[:])


def test_user_overrides_the_relationship(tmp_path):
    assert loaded(load(tmp_path / "a.dcm"), relationship="LOG").run.relationship == "LOG"


def test_geometry_of_the_user_is_marked_as_such(tmp_path):
    facts = {"focal_spot_mm": 1.2, "magnification": 1.4, "detector_spacing_mm": 0.2}
    for node in (load(tmp_path / "a.dcm"), slicer.util.addVolumeFromArray(np.zeros((2, 20, 20), np.uint8))):
        acquisition = loaded(node, **facts).run.acquisition
        assert acquisition.focal_spot.origin == acquisition.imager_pixel_spacing.origin == "user"
        assert acquisition.removable_blur_px() is not None


def without_file(tmp_path):
    node = load(tmp_path / "a.dcm")
    (tmp_path / "a.dcm").unlink()
    return node


def without_database(tmp_path):
    node = load(tmp_path / "a.dcm")
    slicer.dicomDatabase = None
    return node


def lost_frames(tmp_path):
    return load(tmp_path / "a.dcm", frame_time=0.4)  # index texts collide in Slicer's plug-in


def edited(tmp_path):
    node = load(tmp_path / "a.dcm", extra={"RescaleSlope": "2", "RescaleIntercept": "0", "RescaleType": "US"})
    for i in range(node.GetNumberOfDataNodes()):
        slicer.util.arrayFromVolume(node.GetNthDataNode(i))[:] += 1
    return node


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: load(path / "a.dcm", known=False), "not in the database"),
        (lambda path: slicer.util.addVolumeFromArray(np.zeros((2, 20, 20), np.uint8)), "No DICOM header"),
        (without_file, "not in the database"),
        (without_database, "not in the database"),
        (lost_frames, "header is not used"),
        (edited, "not those of its DICOM file"),
        (lambda path: load(path / "a.dcm", photometric="MONOCHROME1"), "MONOCHROME1"),
    ],
)
def test_missing_facts_are_told_and_values_taken_as_they_are(tmp_path, make, words):
    from DSADeblurScene.input import readInput

    node = make(tmp_path)
    found = loaded(node)
    assert words in found.note and not found.run.has_file and found.run.relationship is None and found.rule is None
    assert np.array_equal(found.run.frames[0], readInput(node).frames[0])


@pytest.mark.parametrize("sequence", [False, True])
def test_one_frame_files_are_one_run(tmp_path, sequence):
    source, paths = loadOneFrameFiles(tmp_path, sequence=sequence)
    found = loaded(source)
    assert found.note == "" and found.run.relationship == "LIN" and found.run.acquisition.focal_spot.value == 0.6
    np.testing.assert_allclose(found.run.times, np.arange(6) / 4)
    assert found.run.source.instances == tuple(pydicom.dcmread(path).SOPInstanceUID for path in paths)


def test_a_glance_reads_one_of_several_files(tmp_path):
    from DSADeblurScene.run_file import LastRead

    source, paths = loadOneFrameFiles(tmp_path)
    for path in paths[1:]:
        path.write_bytes(b"")
    _run, found = LastRead()(source, UserFacts())
    assert found.note == "" and found.run.has_file and found.run.number_of_frames == 6
