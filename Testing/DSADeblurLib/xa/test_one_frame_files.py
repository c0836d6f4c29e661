"""One-frame files of one series are one run: the same one as if they had been one file."""

import shutil

import numpy as np
import pydicom
import pytest
from pydicom.uid import generate_uid

from DSADeblurLib.xa import (
    XAReadError,
    plan_subtraction,
    read_files,
    read_run,
    runs_of,
    subtract,
    write_derived,
)


def changed(path, **values):
    dataset = pydicom.dcmread(path)
    for name, value in values.items():
        setattr(dataset, name, value)
    dataset.save_as(path, enforce_file_format=True)


def test_they_are_one_run_in_their_order(split):
    made, paths = split()
    assert runs_of(sorted(paths)) == [tuple(paths)]
    run = read_files(paths)
    np.testing.assert_array_equal(np.asarray(run.frames), made.frames)
    np.testing.assert_allclose(run.times, np.arange(len(paths)) * 0.125)
    assert run.warnings[0] == f"One run of {len(paths)} one-frame files." and run.number_of_frames == len(paths)


def test_they_are_subtracted_as_one_file_is(split):
    made, paths = split()
    run, whole = read_files(paths), read_run(made.path)
    for options in ({"mask_frames": [1]}, {"mode": "find"}):
        found = [plan_subtraction(one, frames=one.frames, **options) for one in (run, whole)]
        differences = [
            np.asarray(subtract(one.frames, plan, one.relationship))
            for one, plan in zip((run, whole), found, strict=True)
        ]
        np.testing.assert_array_equal(*differences)


def test_the_result_refers_to_each_file(split, provenance, tmp_path, validate):
    _, paths = split()
    run, target = read_files(paths), tmp_path / "derived.dcm"
    write_derived(target, run, run.frames, frame_numbers=range(1, len(paths) + 1), provenance=provenance)
    dataset = pydicom.dcmread(target)
    uids = [pydicom.dcmread(path).SOPInstanceUID for path in paths]
    sources = list(dataset.SourceImageSequence)
    assert [item.ReferencedSOPInstanceUID for item in sources] == uids
    assert not any("ReferencedFrameNumber" in item for item in sources)
    (series,) = dataset.ReferencedSeriesSequence
    assert [one.ReferencedSOPInstanceUID for one in series.ReferencedInstanceSequence] == uids
    assert dataset.NumberOfFrames == len(paths) and validate(target) == []
    np.testing.assert_array_equal(np.asarray(read_run(target).frames), np.asarray(read_files(paths).frames))


def test_other_files_are_for_themselves(split, tmp_path):
    made, paths = split()
    changed(paths[0], SeriesInstanceUID=generate_uid())
    changed(paths[1], AcquisitionNumber="77")
    text = tmp_path / "notes.txt"
    text.write_text("no angiogram")
    assert runs_of([made.path, *paths, text]) == [(made.path,), (paths[0],), (paths[1],), tuple(paths[2:]), (text,)]


@pytest.mark.parametrize(
    "other", [{"PatientID": "another"}, {"PatientName": "Another"}, {"StudyInstanceUID": generate_uid()}]
)
def test_no_two_patients_or_studies_become_one_run(split, other):
    _, paths = split()
    changed(paths[3], **other)
    runs = runs_of(paths)
    assert sorted(map(len, runs)) == [1, len(paths) - 1] and (paths[3],) in runs


def test_one_instance_with_two_sets_of_pixels_is_refused(split):
    _, paths = split()
    again = paths[2].with_name("again.dcm")
    dataset = pydicom.dcmread(paths[2])
    dataset.PixelData = pydicom.dcmread(paths[5]).PixelData
    dataset.save_as(again, enforce_file_format=True)
    (run,) = runs_of([*paths, again])
    with pytest.raises(XAReadError, match="say that they are the same image, and are not"):
        read_files(run)
    # The same pixels with another header are a copy.
    changed(paths[2], SeriesDescription="touched")
    shutil.copy(paths[2], again)
    changed(again, SeriesDescription="touched again")
    (run,) = runs_of([*paths, again])
    assert len(run) == len(paths)


def test_an_order_that_is_not_known_is_told(split):
    _, paths = split()
    for path in paths:
        changed(path, InstanceNumber="1", AcquisitionTime="101010", ContentTime="101010", AcquisitionDateTime=None)
    (run,) = runs_of(paths)
    assert any("their order is that of the files' names" in one for one in read_files(run).warnings)


def test_numbers_against_times_are_told(split):
    _, paths = split()
    for number, path in enumerate(paths):
        changed(path, InstanceNumber=str(len(paths) - number))
    (run,) = runs_of(paths)
    assert run == tuple(paths[::-1])
    assert any("Instance numbers and times contradict each other" in one for one in read_files(run).warnings)


def test_what_files_say_differently_of_the_acquisition_is_told(split):
    _, paths = split()
    assert not any("different things" in one for one in read_files(paths).warnings)
    changed(paths[4], FocalSpots=[0.3], ImagerPixelSpacing=[0.4, 0.4])
    (sentence,) = (one for one in read_files(paths).warnings if "different things" in one)
    assert "focal spot" in sentence and "imager pixel spacing" in sentence


def test_an_instance_counts_once(split):
    _, paths = split()
    again = paths[0].with_name("again.dcm")
    shutil.copy(paths[0], again)
    (run,) = runs_of([*paths, again])
    assert len(run) == len(paths)


def test_missing_frames_and_unknown_times_are_said(split):
    _, paths = split(step_ms=0)
    run = read_files([*paths[:2], *paths[3:]])
    assert run.times is None and "Frame timing missing; frames numbered only." in run.warnings
    assert f"Frames seem to be missing: these are {len(paths) - 1} of instances 1 to {len(paths)}." in run.warnings


def test_a_c_arm_that_moved_is_noticed(split):
    _, paths = split()
    changed(paths[-1], PositionerPrimaryAngle="20")
    assert read_files(paths).moved and not read_files(paths[:-1]).moved


def test_files_that_do_not_belong_together_are_refused(split):
    made, paths = split()
    with pytest.raises(XAReadError, match="are not of one run"):
        read_files([*paths, made.path])


def test_values_above_the_stored_bits_are_clipped_and_said(split):
    made, paths = split()
    for path, frame in zip(paths, made.frames, strict=True):
        changed(path, PixelData=(frame + 4096).astype("<u2").tobytes())
    run = read_files(paths)
    assert int(run.frames[1].min()) == 4095 and any("clipped to 4095" in one for one in run.warnings)


def test_values_above_the_stored_bits_of_any_file_are_said_when_it_is_read(split):
    made, paths = split()
    changed(paths[1], PixelData=(made.frames[1] + 4096).astype("<u2").tobytes())
    run = read_files(paths)
    assert not any("clipped" in one for one in run.warnings) and run.remarks() == []
    np.asarray(run.frames)
    (remark,) = run.remarks()
    assert "clipped to 4095" in remark


def test_one_uid_for_all_of_them_loses_none(split):
    _, paths = split()
    for path in paths:
        changed(path, SOPInstanceUID="1.2.3")
    assert runs_of(paths) == [tuple(paths)]


def test_frames_that_look_subtracted_are_asked_about(split):
    _, paths = split(relationship="DISP")
    for path in paths:
        pixels = np.full((48, 64), 2048, "<u2")
        changed(path, ImageType=["DERIVED", "PRIMARY", "SINGLE PLANE"], PixelData=pixels.tobytes())
    run = read_files(paths)
    assert run.subtracted and run.subtraction_guessed and "looks already subtracted" in run.warnings[0]


def test_a_file_that_changes_is_noticed(split):
    _, paths = split()
    run = read_files(paths)
    changed(paths[2], InstanceNumber=9)
    with pytest.raises(XAReadError, match="changed since it was read"):
        run.frames[2]
    assert run.frames[1].shape == run.frames.shape[1:]
