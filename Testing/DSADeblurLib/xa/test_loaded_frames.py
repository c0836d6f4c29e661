"""Frames that another program has read: whose header they have, and the way back to the values of their file."""

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from DSADeblurLib.lazy_frames import LazyFrames
from DSADeblurLib.request import UserFacts
from DSADeblurLib.xa import plan_subtraction, read_run
from DSADeblurLib.xa.loaded_frames import ReaderRule, StoredValues, loaded_run

OTHER_VALUES = "The node's pixel values are not those of its DICOM file: they are taken as they are."


def as_read(path, dtype=np.int32):
    """Frames as Slicer's reader shows them: MONOCHROME1 inverted, then rescaled."""
    dataset = pydicom.dcmread(path)
    values = dataset.pixel_array.astype(np.int64)
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        values = -1 - values if dataset.PixelRepresentation else 2**dataset.BitsStored - 1 - values
    slope, intercept = float(dataset.get("RescaleSlope", 1)), float(dataset.get("RescaleIntercept", 0))
    return (values * slope + intercept).astype(dtype)


def _signed(dataset):
    frames = dataset.pixel_array.astype(np.int32) - 2048
    dataset.PixelData, dataset.PixelRepresentation = frames.astype("<i2").tobytes(), 1
    dataset.PixelIntensityRelationship = "LOG"
    for element in dataset.iterall():
        if element.VR == "US" and "LUT" not in element.keyword and element.keyword.endswith("PixelValue"):
            element.VR = "SS"


RESCALED = {"RescaleSlope": 2, "RescaleIntercept": -100, "RescaleType": "US"}
INVERTED = {"PhotometricInterpretation": "MONOCHROME1"}


@pytest.mark.parametrize("polarity", ["keep", "invert"])
@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
@pytest.mark.parametrize("changes", [{}, RESCALED, INVERTED, RESCALED | INVERTED], ids="-".join)
def test_stored_values_are_those_of_the_file(make_run, edit, polarity, signed, changes):
    """Whatever the reader did to them, and the result has the reader's values again."""
    facts = UserFacts(polarity=polarity)
    path = edit(make_run().path, touch=_signed if signed else None, **changes)
    frames, file = as_read(path), read_run(path, facts)
    loaded = loaded_run(frames, [path], facts)
    assert loaded.note == "" and loaded.run.frames.dtype == file.frames.dtype
    np.testing.assert_array_equal(np.asarray(loaded.run.frames), np.asarray(file.frames))
    np.testing.assert_array_equal(loaded.rule.shown(file.frames[2], frames.dtype), frames[2])
    assert loaded.rule.shown(file.frames[2], frames.dtype).dtype == frames.dtype
    assert loaded.rule.changes_values == (frames[2] != file.frames[2]).any()
    assert plan_subtraction(loaded.run) == plan_subtraction(file)
    assert (loaded.run.relationship, loaded.run.bits_stored) == (file.relationship, 12)


def test_slopes_that_are_no_whole_numbers(make_run, edit):
    made = make_run()
    path = edit(made.path, RescaleSlope="0.1", RescaleIntercept="-0.7", RescaleType="US")
    loaded = loaded_run(as_read(path, np.float64), [path], UserFacts())
    assert loaded.note == "" and loaded.run.frames.dtype == np.uint16
    np.testing.assert_array_equal(np.asarray(loaded.run.frames), made.frames)


@given(
    stored=arrays.arrays(np.uint16, (3, 4), elements=st.integers(0, 4095)),
    slope=st.sampled_from([1.0, 2.0, -1.0, 0.5, 16.0]),
    intercept=st.sampled_from([0.0, -1024.0, 4095.0]),
)
def test_rule_is_undone_exactly(stored, slope, intercept):
    rule = ReaderRule(np.dtype(np.uint16), 12, slope, intercept)
    shown = rule.shown(stored, np.float64 if slope == 0.5 else np.int32)
    np.testing.assert_array_equal(shown, stored * slope + intercept)
    np.testing.assert_array_equal(rule.stored(shown), stored)
    assert rule.stored(shown).dtype == np.uint16 and rule.fits(shown[None])


def test_values_beyond_the_bits_stored_do_not_fit():
    rule = ReaderRule(np.dtype(np.uint16), 12)
    assert not rule.fits(np.full((1, 2, 2), 4096, np.int16)) and not rule.fits(np.full((1, 2, 2), -1, np.int16))
    assert rule.stored(np.array([[-5, 7, 9999]], np.int16)).tolist() == [[0, 7, 4095]]


def test_stored_values_are_read_when_they_are_asked_for():
    frames = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    stored = StoredValues(frames, ReaderRule(np.dtype(np.uint8), 8, 1.0, 1.0))
    assert isinstance(stored, LazyFrames) and stored.shape == (2, 3, 4) and stored.dtype == np.uint8
    frames[1] += 10
    np.testing.assert_array_equal(stored[1], frames[1] - 1)


def assert_taken_as_they_are(loaded, frames, facts):
    assert loaded.rule is None and not loaded.run.has_file and loaded.run.frames is frames
    assert loaded.run.bits_stored is None and loaded.run.mask is None and loaded.run.times is None
    assert loaded.run.relationship == facts.relationship
    assert loaded.run.acquisition.focal_spot.value == facts.focal_spot_mm


FACTS = UserFacts(relationship="LOG", focal_spot_mm=1.2)


def test_another_number_of_frames(make_run):
    made = make_run()
    frames = made.frames[:4]
    loaded = loaded_run(frames, [made.path], FACTS)
    assert loaded.note == "The node has 4 frames, its DICOM file 6: the header is not used."
    assert_taken_as_they_are(loaded, frames, FACTS)


def test_other_values(make_run, edit):
    path = edit(make_run().path, **RESCALED)
    frames = as_read(path) + 1
    loaded = loaded_run(frames, [path], FACTS)
    assert loaded.note == OTHER_VALUES
    assert_taken_as_they_are(loaded, frames, FACTS)


def test_no_file():
    frames = np.zeros((3, 20, 20), np.float32)
    loaded = loaded_run(frames, [], FACTS, "No DICOM header behind this node.")
    assert loaded.note == "No DICOM header behind this node."
    assert_taken_as_they_are(loaded, frames, FACTS)


def test_file_that_cannot_be_read(make_run, edit, tmp_path):
    frames = make_run().frames
    (tmp_path / "notes.txt").write_text("hello")
    path = edit(make_run().path, **INVERTED)
    for name, words in ((tmp_path / "notes.txt", "Not a DICOM file."), (path, "choose the polarity")):
        loaded = loaded_run(frames, [name], FACTS)
        assert words in loaded.note
        assert_taken_as_they_are(loaded, frames, FACTS)


def test_several_files(split):
    """Whatever the order in which they are named, each frame is that of its own file, and all of them are one run."""
    made, paths = split()
    frames = made.frames.astype(np.int32)
    loaded = loaded_run(frames, paths[::-1], UserFacts(magnification=1.3))
    assert loaded.note == "" and loaded.run.has_file and loaded.run.relationship == "LIN"
    np.testing.assert_allclose(loaded.run.times, np.arange(len(paths)) * 0.125)
    assert loaded.run.source.instances == tuple(pydicom.dcmread(path).SOPInstanceUID for path in paths)
    assert loaded.run.acquisition.magnification.origin == "user"
    np.testing.assert_array_equal(np.asarray(loaded.run.frames), made.frames)
    assert loaded.run.frames.dtype == np.uint16


def test_several_files_in_another_order_than_they_were_taken(split):
    made, paths = split()
    order = [3, 0, 1, 2, 5, 4]
    loaded = loaded_run(made.frames[order].astype(np.int32), paths, UserFacts())
    assert loaded.run.times is None and "not in the order in which they were taken" in loaded.run.warnings[-1]
    assert loaded.run.source.instances == tuple(pydicom.dcmread(paths[index]).SOPInstanceUID for index in order)
    np.testing.assert_array_equal(np.asarray(loaded.run.frames), made.frames[order])


def test_several_files_of_equal_frames(split):
    made, paths = split()
    for path in paths[:2]:
        dataset = pydicom.dcmread(path)
        dataset.PixelData = made.frames[0].tobytes()
        dataset.save_as(path)
    loaded = loaded_run(made.frames[[0, 0, 2, 3, 4, 5]].astype(np.int32), paths, UserFacts())
    assert loaded.run.times is not None and len(set(loaded.run.source.instances)) == 6


def test_several_files_whose_frames_are_others(split):
    made, paths = split()
    frames = made.frames.astype(np.int32)
    frames[1] += 1
    loaded = loaded_run(frames, paths, FACTS)
    assert loaded.note == OTHER_VALUES
    assert_taken_as_they_are(loaded, frames, FACTS)
    loaded = loaded_run(frames[:4], paths, FACTS)
    assert loaded.note == "The node has 4 frames, its DICOM files 6: the header is not used."


def test_several_files_that_are_not_of_one_run(split, edit):
    made, paths = split()
    other = edit(paths[2], AcquisitionNumber="7")
    frames = made.frames.astype(np.int32)
    loaded = loaded_run(frames, [*paths[:2], other, *paths[3:]], FACTS)
    assert "not those of one run" in loaded.note
    assert_taken_as_they_are(loaded, frames, FACTS)


def test_several_files_at_a_glance(split):
    """No more than the first file is read."""
    made, paths = split()
    for path in paths[1:]:
        path.unlink()
    loaded = loaded_run(made.frames.astype(np.int32), paths, UserFacts(), at_a_glance=True)
    assert loaded.note == "" and loaded.run.has_file and loaded.run.times is None
    assert loaded.run.number_of_frames == 6 and loaded.run.bits_stored == 12


def test_values_that_the_file_cannot_hold_are_said(make_run):
    """The middle frame decides whether the file goes with the frames; what is wrong with others is said."""
    made = make_run()
    frames = made.frames.astype(np.int32)
    frames[1, 0, 0] = 5000
    loaded = loaded_run(frames, [made.path], UserFacts())
    assert loaded.note == "" and loaded.run.remarks() == []
    assert int(loaded.run.frames[1][0, 0]) == 4095
    (remark,) = loaded.run.remarks()
    assert "none that its DICOM file can store" in remark


def test_rescale_that_cannot_be_understood_costs_only_the_rule(make_run, edit):
    def touch(dataset):
        tag = Tag("RescaleSlope")
        dataset[tag] = RawDataElement(tag, "DS", 4, b"abc ", 0, False, True)

    made = make_run()
    loaded = loaded_run(made.frames, [edit(made.path, touch=touch)], UserFacts())
    assert loaded.rule is None and loaded.note == "" and loaded.run.has_file and loaded.run.bits_stored == 12
    assert loaded.run.frames is made.frames
