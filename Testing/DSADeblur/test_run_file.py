"""Header facts behind a node, and the way back from the values Slicer's reader gives to the stored ones."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import samples
import slicer
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scenes import load

from DSADeblurLib.xa import UserFacts

pytestmark = pytest.mark.usefixtures("host")


def facts_and_stored(node):
    from DSADeblurScene.dicom_facts import StoredFrames, factsForRun
    from DSADeblurScene.input import readInput

    run = readInput(node)
    facts = factsForRun(run)
    stored = StoredFrames(run.frames, facts.rule)
    return facts, stored[:]


@pytest.mark.parametrize("stack", [False, True])
@pytest.mark.parametrize(
    "extra", [{}, {"RescaleSlope": "2", "RescaleIntercept": "-100", "RescaleType": "US"}], ids=["plain", "rescaled"]
)
def test_stored_values_are_those_of_the_file(tmp_path, extra, stack):
    facts, stored = facts_and_stored(load(tmp_path / "a.dcm", extra=extra, stack=stack))
    assert facts.relationship == "LIN" and facts.bitsStored == 12 and facts.note == ""
    assert stored.dtype == np.uint16 and np.array_equal(stored, samples.vessel_frames())


def test_the_library_reads_the_same_values(tmp_path):
    from DSADeblurLib.xa import read_run

    pixels = samples.vessel_frames() | np.uint16(0x8000)  # overlay bits above the stored ones
    _, stored = facts_and_stored(load(tmp_path / "a.dcm", pixels))
    assert np.array_equal(stored, read_run(tmp_path / "a.dcm").frames[:])


def test_user_overrides_the_relationship(tmp_path):
    from DSADeblurScene.dicom_facts import factsForRun
    from DSADeblurScene.input import readInput

    run = readInput(load(tmp_path / "a.dcm"))
    assert factsForRun(run, UserFacts(relationship="LOG")).relationship == "LOG"


def test_geometry_of_the_user_is_marked_as_such(tmp_path):
    from DSADeblurScene.dicom_facts import factsForRun
    from DSADeblurScene.input import readInput

    said = UserFacts(focal_spot_mm=1.2, magnification=1.4, detector_spacing_mm=0.2)
    for node in (load(tmp_path / "a.dcm"), slicer.util.addVolumeFromArray(np.zeros((2, 20, 20), np.uint8))):
        acquisition = factsForRun(readInput(node), said).acquisition
        assert acquisition.focal_spot.origin == acquisition.imager_pixel_spacing.origin == "user"
        assert acquisition.removable_blur_px() is not None
    facts = factsForRun(readInput(node), UserFacts(focal_spot_mm=99.0))
    assert facts.acquisition is None and "Focal spot 99 mm" in facts.note


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
    facts, stored = facts_and_stored(node)
    assert words in facts.note and facts.header is None and facts.relationship is None and facts.rule is None
    assert np.array_equal(stored[0], readInput(node).frames[0])


@settings(max_examples=50, deadline=None)
@given(
    stored=arrays.arrays(np.uint16, (3, 4), elements=st.integers(0, 4095)),
    slope=st.sampled_from([1.0, 2.0, -1.0, 0.5, 16.0]),
    intercept=st.sampled_from([0.0, -1024.0, 4095.0]),
)
def test_rule_is_undone_exactly(stored, slope, intercept):
    from DSADeblurScene.dicom_facts import PixelRule

    rule = PixelRule(np.dtype(np.uint16), 12, slope, intercept)
    node = rule.toNode(stored, np.float64 if slope == 0.5 else np.int32)
    assert np.array_equal(node, stored * slope + intercept)
    assert np.array_equal(rule.toStored(node), stored) and rule.toStored(node).dtype == np.uint16


def test_facts_cannot_be_changed(tmp_path):
    facts, _ = facts_and_stored(load(tmp_path / "a.dcm"))
    with pytest.raises(dataclasses.FrozenInstanceError):
        facts.note = "a"
