"""Opening runs and listing inputs."""

import json

import numpy as np
import pytest
from pydicom.uid import generate_uid

from DSADeblurLib.request import RequestError, UserFacts
from DSADeblurLib.xa import Run, XAReadError, find_inputs, plan_subtraction, read_header, read_run


def test_run_has_the_header_and_the_frames(make_run):
    run = read_run(make_run().path, UserFacts(focal_spot_mm=1.0))
    assert run.frames.shape == (6, 48, 64) and run.bits_stored == 12 and run.relationship == "LIN"
    assert run.acquisition.focal_spot.origin == "user" and run.source.path.name == "run.dcm"


def test_frames_read_elsewhere_have_the_header_of_their_file(make_run):
    made = make_run()
    with read_run(made.path) as file:
        run = Run.from_frames(made.frames, read_header(made.path, UserFacts(focal_spot_mm=1.0)), UserFacts())
        assert run.frames is made.frames and run.has_file and run.bits_stored == 12
        assert run.acquisition.focal_spot.origin == "user" and plan_subtraction(run) == plan_subtraction(file)
        np.testing.assert_array_equal(run.times, file.times)


def test_times_of_another_number_of_frames_are_not_believed(make_run):
    made = make_run()
    run = Run.from_frames(made.frames[:4], read_header(made.path), UserFacts())
    assert run.number_of_frames == 4 and run.times is None and run.relationship == "LIN"


def test_frames_without_a_header_are_what_the_user_says():
    frames = np.zeros((3, 20, 30), np.float32)
    run = Run.from_frames(frames, None, UserFacts(relationship="LOG", magnification=1.4, focal_spot_mm=1.2))
    assert not run.has_file and run.bits_stored is None and run.frames is frames
    with pytest.raises(XAReadError, match="These frames come without a DICOM file; open their file.$"):
        _ = run.stored_pixels
    assert (run.number_of_frames, run.image_rows, run.image_columns) == (3, 20, 30)
    assert run.relationship == "LOG" and not run.subtracted and run.mask is None and run.times is None
    assert run.acquisition.focal_spot.origin == run.acquisition.magnification.origin == "user"
    assert run.exposed() is None and json.loads(json.dumps(run.as_dict()))["relationship"] == "LOG"
    assert Run.from_frames(frames, None, UserFacts()).relationship is None
    with run:
        pass


def test_a_run_ends_with_its_file(make_run):
    with read_run(make_run().path) as run:
        assert run.frames[0].shape == (48, 64)
    with pytest.raises(XAReadError, match="run.dcm was closed; open the run again."):
        run.frames[1]


def _stored_difference(dataset):
    rng = np.random.default_rng(0)
    values = np.clip(rng.normal(2048, 60, (6, 48, 64)), 0, 4095)
    dataset.PixelData = values.astype("<u2").tobytes()
    dataset.ImageType = ["DERIVED", "SECONDARY", "SINGLE PLANE"]
    dataset.PixelIntensityRelationship = "DISP"
    del dataset.MaskSubtractionSequence
    dataset.SOPInstanceUID = generate_uid()


def test_stored_differences_are_recognised(make_run, edit):
    run = read_run(edit(make_run().path, touch=_stored_difference))
    assert run.subtracted and run.warnings[0].startswith("This series looks already subtracted")
    assert plan_subtraction(run) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"ImageType": ["ORIGINAL", "PRIMARY", "SINGLE PLANE"]},
        {"PixelIntensityRelationship": "LIN"},
    ],
)
def test_native_frames_with_the_same_histogram_are_not(make_run, edit, changes):
    path = edit(make_run().path, touch=_stored_difference)
    assert not read_run(edit(path, "native.dcm", **changes)).subtracted


def test_anatomy_is_not_a_difference(make_run, edit):
    path = edit(
        make_run(relationship="DISP").path,
        MaskSubtractionSequence=None,
        ImageType=["DERIVED", "PRIMARY", "SINGLE PLANE"],
    )
    assert not read_run(path).subtracted


def test_inputs_are_sorted_and_listed_once(tmp_path):
    for name in ("b/2.dcm", "b/1.txt", "a.dcm", "b/c/3"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    names = [one.relative_to(tmp_path).as_posix() for one in find_inputs([tmp_path / "a.dcm", tmp_path])]
    assert names == ["a.dcm", "b/1.txt", "b/2.dcm", "b/c/3"]
    with pytest.raises(RequestError, match="No such file or folder: .*missing"):
        find_inputs([tmp_path / "missing"])
