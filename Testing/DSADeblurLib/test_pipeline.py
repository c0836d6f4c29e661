"""From files to derived objects: one bad run does not stop the others, and nothing half-written is left."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pydicom
import pytest
from PIL import Image

from DSADeblurLib import pipeline
from DSADeblurLib.batch import MANIFEST, deblur_files
from DSADeblurLib.lab.simulation.xa_object import write_simulated_run
from DSADeblurLib.pipeline import RunOptions, prepare
from DSADeblurLib.request import DeblurSettings
from DSADeblurLib.restoration.deblur import DeblurCancelled, deblur
from DSADeblurLib.xa import XAReadError, plan_subtraction, read_run, subtract
from DSADeblurLib.xa.derived.real_world_values import read_mapped

# What the network says by itself; what is given back of the frame has a test of its own.
FAST = DeblurSettings(device="cpu", engine="torch", precision="float32", noise_reduction=1.0)


def write_run(path, *, frames=4, seed="a", mask=(1,), **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    rows, columns = np.indices((48, 64))
    pixels = 2000 + 200 * np.sin(rows / 5) + rng.normal(0, 20, (frames, 48, 64))
    pixels[1:, :, 30:34] -= 600
    arguments = {
        "frame_time_ms": 250,
        "focal_spot_mm": 1.0,
        "sid_mm": 1100,
        "sod_mm": 733,
        "imager_pixel_spacing_mm": 0.2,
        "mask_frames": mask,
        "contrast_frames": range(2, frames + 1) if mask else None,
        "uid_seed": seed,
    }
    write_simulated_run(path, pixels.astype(np.uint16), **{**arguments, **more})
    return path


def files_in(folder):
    return sorted(path.name for path in Path(folder).iterdir())


def test_every_file_is_listed_and_good_runs_are_done(tmp_path, small_model):
    inputs = tmp_path / "in"
    write_run(inputs / "a" / "run.dcm")
    write_run(inputs / "b" / "run.dcm", seed="b", mask=None)
    (inputs / "notes.txt").write_text("not DICOM")
    (inputs / "broken.dcm").write_bytes((inputs / "a" / "run.dcm").read_bytes()[:3000])
    before = {path: hashlib.sha256(path.read_bytes()).digest() for path in inputs.rglob("*") if path.is_file()}
    out = tmp_path / "out"

    outcomes = deblur_files([inputs], out, small_model, FAST, RunOptions())

    assert [outcome.error is None for outcome in outcomes] == [True, True, False, False]
    assert files_in(out) == [MANIFEST, "run-2_deblurred.dcm", "run_deblurred.dcm"]
    runs = json.loads((out / MANIFEST).read_text())["runs"]
    wanted = {"input", "output", "model", "model_sha256", "settings", "frames", "seconds", "error"}
    assert len(runs) == 4 and all(wanted <= set(run) for run in runs)
    errors = {Path(run["input"]).name: run["error"] for run in runs}
    assert errors["notes.txt"] == "Not a DICOM file." and "truncated" in errors["broken.dcm"]
    assert runs[0]["model_sha256"] == small_model.sha256 and runs[0]["frames"] == [2, 3, 4]
    assert {path: hashlib.sha256(path.read_bytes()).digest() for path in before} == before


def test_result_on_disk_is_what_the_network_gave(tmp_path, small_model):
    source = write_run(tmp_path / "run.dcm")
    (outcome,) = deblur_files([source], tmp_path / "out", small_model, FAST, RunOptions())
    run = read_run(source)
    plan = plan_subtraction(run)
    expected = deblur(subtract(run.frames, plan, run.relationship), small_model, FAST).frames
    stored = read_mapped(outcome.output)
    half_a_step = np.ptp(expected) / 65535
    np.testing.assert_allclose(stored, expected, atol=half_a_step)

    (native,) = deblur_files([source], tmp_path / "native", small_model, FAST, RunOptions(subtract="never"))
    np.testing.assert_array_equal(read_run(native.output).frames[:], deblur(run, small_model, FAST).frames)


def test_second_call_does_not_eat_its_own_results(tmp_path, small_model):
    write_run(tmp_path / "run.dcm")
    for _ in range(2):
        outcomes = deblur_files([tmp_path], tmp_path, small_model, FAST, RunOptions())
        assert [Path(outcome.input).name for outcome in outcomes] == ["run.dcm"]
    assert files_in(tmp_path) == [MANIFEST, "run.dcm", "run_deblurred.dcm"]


def test_failure_while_writing_leaves_nothing(tmp_path, small_model, monkeypatch):
    source = write_run(tmp_path / "run.dcm")
    monkeypatch.setattr(pipeline, "write_derived", lambda *a, **k: (_ for _ in ()).throw(OSError("disk full")))
    (outcome,) = deblur_files([source], tmp_path / "out", small_model, FAST, RunOptions())
    assert "disk full" in outcome.error and outcome.output is None
    assert files_in(tmp_path / "out") == [MANIFEST]


@pytest.mark.parametrize("subtract", ["auto", "never"])
def test_source_that_changes_while_it_is_deblurred(tmp_path, small_model, change, subtract):
    """Its run fails and leaves nothing, the other is done; nothing stays open."""
    first, other = write_run(tmp_path / "in" / "a.dcm", frames=8), write_run(tmp_path / "in" / "b.dcm", seed="b")
    events, still_open = [], []

    def starting(path):
        if path == first:
            return lambda done, count: events.append(done) or (len(events) == 1 and change(first))

    def finished(outcome, done, count):
        still_open.extend(set(map(Path, (one.path for one in psutil.Process().open_files()))) & {first, other})

    options = RunOptions(subtract=subtract, pictures=("png",))
    failed, done = deblur_files(
        [first.parent], tmp_path / "out", small_model, FAST, options, starting=starting, finished=finished
    )
    assert failed.error.startswith("The source a.dcm changed since it was read") and failed.output is None
    assert failed.error.endswith("; try again when it is in place and complete.")
    assert done.error is None and len(events) > 1 and not still_open
    assert files_in(tmp_path / "out") == ["b_deblurred.dcm", "b_deblurred.png", MANIFEST]


def test_frame_range_counts_the_runs_frames(tmp_path, small_model):
    source = write_run(tmp_path / "run.dcm", frames=6)
    settings = DeblurSettings(device="cpu", engine="torch", precision="float32", frames=(3, 5))
    (subtracted,) = deblur_files([source], tmp_path / "s", small_model, settings, RunOptions())
    (native,) = deblur_files([source], tmp_path / "n", small_model, settings, RunOptions(subtract="never"))
    assert subtracted.frames == native.frames == [3, 4, 5]
    outside = DeblurSettings(frames=(1, 1))
    (failed,) = deblur_files([source], tmp_path / "o", small_model, outside, RunOptions())
    assert failed.error == "No contrast frame lies between frames 1 and 1; choose another range."
    beyond = DeblurSettings(frames=(5, 9))
    (failed,) = deblur_files([source], tmp_path / "o", small_model, beyond, RunOptions(subtract="never"))
    assert "5 to 9" in failed.error and "has 6" in failed.error


def test_a_modulated_model_is_told_what_the_header_says(tmp_path, modulated_model):
    """Unless the user says what to believe; the width is in the derived object."""
    from pydicom import dcmread

    run = read_run(write_run(tmp_path / "run.dcm"))
    output = tmp_path / "out.dcm"
    told = {}
    for blur in ("auto", "header", "frames"):
        result = pipeline.deblur_run(run, modulated_model, output, FAST, RunOptions(blur=blur))
        told[blur] = result.blur_px
    assert told["auto"] == told["header"] != told["frames"] == result.blur_seen_px
    for width, *ends in zip(told["header"], result.blur_seen_px, run.acquisition.removable_blur_px(), strict=True):
        assert min(ends) < width < max(ends)
    given = replace(FAST, blur_px=(7.0, 8.0))
    rows, columns = pipeline.deblur_run(run, modulated_model, output, given, RunOptions()).blur_px
    assert rows < columns and min(rows, columns) > max(told["frames"])
    assert f"blur {rows:.1f} x {columns:.1f} px" in dcmread(output, stop_before_pixels=True).DerivationDescription


def test_what_is_given_back_is_found_with_the_blur_of_the_header(tmp_path, small_model):
    """Also for a network that is not told it; without a header the default model looks for it."""
    settings = replace(FAST, noise_reduction=0.5)
    for focal_spot in (1.0, None):
        run = read_run(write_run(tmp_path / "run.dcm", focal_spot_mm=focal_spot))
        result = pipeline.deblur_run(run, small_model, tmp_path / "out.dcm", settings, RunOptions())
        header = run.acquisition.removable_blur_px()
        assert result.blur_px == (header if focal_spot else result.blur_seen_px)
        assert (header is None) == (focal_spot is None)


def test_without_a_header_the_frames_tell(tmp_path, modulated_model):
    run = read_run(write_run(tmp_path / "run.dcm", focal_spot_mm=None))
    result = pipeline.deblur_run(run, modulated_model, tmp_path / "out.dcm", FAST, RunOptions())
    assert result.blur_px == result.blur_seen_px
    with pytest.raises(ValueError, match="header does not say how wide the blur is"):
        pipeline.deblur_run(run, modulated_model, tmp_path / "no.dcm", FAST, RunOptions(blur="header"))
    assert not (tmp_path / "no.dcm").exists()


def test_frames_that_disagree_with_the_header_are_told(tmp_path, modulated_model):
    """By an estimator that is sure: an untrained one is not."""
    modulated_model.network.estimator.last.bias[1] = -2
    source = write_run(tmp_path / "run.dcm")
    options = RunOptions(focal_spot_mm=3.0, magnification=2.0)
    (outcome,) = deblur_files([source], tmp_path / "out", modulated_model, FAST, options)
    assert any("follow from focal spot and magnification; check these" in warning for warning in outcome.warnings)


def test_user_geometry_is_recorded(tmp_path, small_model):
    from pydicom import dcmread

    source = write_run(tmp_path / "run.dcm", focal_spot_mm=None)
    options = RunOptions(focal_spot_mm=0.8)
    (outcome,) = deblur_files([source], tmp_path / "out", small_model, FAST, options)
    assert "focal spot 0.8 mm (user)" in dcmread(outcome.output, stop_before_pixels=True).DerivationDescription
    assert outcome.settings["focal_spot_mm"] == 0.8


def test_user_says_what_pixel_values_mean(tmp_path, small_model):
    source = write_run(tmp_path / "run.dcm")
    results = []
    for relationship in (None, "LIN", "LOG"):
        options = RunOptions(subtract="never", relationship=relationship)
        (outcome,) = deblur_files([source], tmp_path / f"out-{relationship}", small_model, FAST, options)
        assert outcome.error is None and outcome.settings["relationship"] == relationship
        results.append(read_run(outcome.output).frames[:])
    np.testing.assert_array_equal(results[0], results[1])
    assert not np.array_equal(results[0], results[2])


def test_user_mask_implies_subtraction(tmp_path, small_model):
    source = write_run(tmp_path / "run.dcm", mask=None)
    (outcome,) = deblur_files([source], tmp_path / "out", small_model, FAST, RunOptions(mask_frames=(1, 2)))
    assert outcome.error is None and outcome.frames == [1, 2, 3, 4]
    with pytest.raises(XAReadError):
        read_mapped(source)
    assert read_mapped(outcome.output).dtype == np.float32


def test_prepare_without_plan_changes_nothing():
    frames = np.zeros((3, 32, 32), np.uint16)
    ready = prepare(frames, "LIN", 12, None, FAST)
    assert ready.frames is frames and ready.relationship == "LIN" and ready.frame_numbers == (1, 2, 3)


@pytest.mark.parametrize("frame_range", [None, (3, 4)])
def test_both_orders_of_deblurring_and_subtraction(tmp_path, small_model, frame_range):
    source = write_run(tmp_path / "run.dcm", frames=5, mask=(1, 2), contrast_frames=[3, 4, 5])
    run, settings = read_run(source), replace(FAST, frames=frame_range)
    plan = plan_subtraction(run)
    stored = {}
    for order in pipeline.ORDERS:
        (outcome,) = deblur_files([source], tmp_path / order, small_model, settings, RunOptions(order=order))
        assert outcome.error is None and outcome.settings["order"] == order
        assert outcome.frames == ([3, 4] if frame_range else [3, 4, 5])
        assert files_in(tmp_path / order) == [MANIFEST, "run_deblurred.dcm"]
        stored[order] = read_mapped(outcome.output)
    native = deblur(run.frames[:].astype(np.float32), small_model, FAST, relationship="LIN").frames
    for order, expected in zip(
        pipeline.ORDERS,
        (
            deblur(subtract(run.frames, plan, "LIN"), small_model, FAST).frames,
            np.asarray(subtract(native, plan, "LIN")),
        ),
        strict=True,
    ):
        expected = expected[: len(stored[order])]
        if frame_range is None:
            np.testing.assert_allclose(stored[order], expected, atol=np.ptp(expected) / 65535)
    assert not np.allclose(*stored.values(), atol=1e-4)


def test_deblurring_first_is_said_and_can_be_cancelled(tmp_path, small_model):
    from pydicom import dcmread

    run = read_run(write_run(tmp_path / "run.dcm"))
    options = RunOptions(order="deblur-first", registration="shift")
    pipeline.deblur_run(run, small_model, tmp_path / "out.dcm", FAST, options)
    text = dcmread(tmp_path / "out.dcm", stop_before_pixels=True).DerivationDescription
    assert "deblurred before subtraction" in text and "registered to each frame by one shift" in text
    asked = []

    def late():
        asked.append(True)
        return len(asked) > 5

    with pytest.raises(DeblurCancelled):
        pipeline.deblur_run(run, small_model, tmp_path / "no.dcm", FAST, options, is_cancelled=late)
    assert files_in(tmp_path) == ["out.dcm", "run.dcm"]
    with pytest.raises(ValueError, match="order must be one of"):
        pipeline.deblur_run(run, small_model, tmp_path / "no.dcm", FAST, RunOptions(order="backwards"))


def test_a_mask_is_found_for_a_run_without_one(tmp_path, small_model):
    source = write_run(tmp_path / "run.dcm", mask=None)
    (outcome,) = deblur_files([source], tmp_path / "out", small_model, FAST, RunOptions(subtract="find"))
    assert outcome.error is None and outcome.frames == [2, 3, 4]


def test_no_such_input(tmp_path, small_model):
    with pytest.raises(XAReadError, match="No such file"):
        deblur_files([tmp_path / "nothing"], tmp_path / "out", small_model, FAST, RunOptions())


def as_display_values(source, target):
    """The same run with values for display, and the Modality LUT that leads back to linear intensity."""
    dataset = pydicom.dcmread(source)
    lut = pydicom.Dataset()
    # Display value d stands for intensity 4095 - d: a rule that no other way of subtracting would find.
    lut.add_new("LUTDescriptor", "US", [4096, 0, 16])
    lut.add_new("LUTData", "OW", np.arange(4095, -1, -1).astype("<u2").tobytes())
    lut.ModalityLUTType = "OD"
    frames = dataset.pixel_array
    dataset.decompress()
    dataset.PixelData = (4095 - frames).astype("<u2").tobytes()
    dataset.PixelIntensityRelationship, dataset.ModalityLUTSequence = "DISP", [lut]
    dataset.save_as(target)
    return target


def test_display_values_go_through_the_modality_lut(tmp_path, small_model):
    linear = write_run(tmp_path / "linear.dcm")
    display = as_display_values(linear, tmp_path / "display.dcm")
    one, other = (
        deblur_files([path], tmp_path / path.stem, small_model, FAST, RunOptions())[0] for path in (linear, display)
    )
    np.testing.assert_array_equal(read_mapped(one.output), read_mapped(other.output))


def test_shutters_count_for_neither_scale_nor_blur(tmp_path, small_model):
    source = write_run(tmp_path / "run.dcm", mask=None)
    dataset = pydicom.dcmread(source)
    dataset.decompress()
    frames = dataset.pixel_array.copy()
    frames[:, :20] = 4095
    dataset.PixelData = frames.tobytes()
    dataset.ShutterShape = "RECTANGULAR"
    dataset.ShutterUpperHorizontalEdge, dataset.ShutterLowerHorizontalEdge = 20, 49
    dataset.ShutterLeftVerticalEdge, dataset.ShutterRightVerticalEdge = 0, 65
    dataset.save_as(source)
    run = read_run(source)
    assert not run.exposed()[:20].any() and run.exposed()[21:].all()
    (outcome,) = deblur_files([source], tmp_path / "out", small_model, FAST, RunOptions())
    expected = deblur(run, small_model, FAST, exposed=run.exposed()).frames
    np.testing.assert_array_equal(read_run(outcome.output).frames[:], expected)
    assert not np.array_equal(expected, deblur(run, small_model, FAST).frames)


@pytest.mark.parametrize(
    "options",
    [
        RunOptions(pictures=("png", "gif"), compression="rle"),
        RunOptions(pictures=("png", "gif"), subtract="never"),
        RunOptions(pictures=("gif",), order="deblur-first"),
    ],
    ids=lambda options: f"{options.subtract}, {options.order}",
)
def test_pictures_lie_beside_the_result(tmp_path, small_model, options):
    source = write_run(tmp_path / "in" / "run.dcm")
    settings = replace(FAST, frames=(2, 3), sharpness=0.0, noise_reduction=0.0)
    (outcome,) = deblur_files([tmp_path / "in"], tmp_path / "out", small_model, settings, options)
    assert outcome.error is None
    names = [f"run_deblurred.{kind}" for kind in ("dcm", *options.pictures)]
    assert files_in(tmp_path / "out") == sorted([MANIFEST, *names])
    with Image.open(tmp_path / "out" / "run_deblurred.gif") as film:
        assert film.n_frames == 2 and film.info["duration"] == 250
        picture = np.asarray(film.convert("L"), np.float64)
    # Where nothing is changed both halves show the same, but for their labels and the rounding of a subtraction.
    width, middle = (picture.shape[1] - 4) // 2, slice(picture.shape[0] // 3, 2 * picture.shape[0] // 3)
    np.testing.assert_allclose(picture[middle, :width], picture[middle, -width:], atol=1)
    # Neither pictures nor results are taken for input.
    again = deblur_files([source, tmp_path / "out"], tmp_path / "out", small_model, settings, options)
    assert [Path(one.input).name for one in again] == ["run.dcm"]


def test_what_the_user_says_is_used_and_marked(tmp_path, modulated_model):
    source = write_run(tmp_path / "run.dcm", focal_spot_mm=None, sid_mm=None, sod_mm=None, imager_pixel_spacing_mm=None)
    options = RunOptions(focal_spot_mm=1.2, magnification=1.5, detector_spacing_mm=0.2)
    assert options.read(source).acquisition.removable_blur_px() is not None
    (outcome,) = deblur_files([source], tmp_path / "out", modulated_model, FAST, options)
    said = pydicom.dcmread(outcome.output).DerivationDescription
    assert "focal spot 1.2 mm (user)" in said and "imager pixel spacing" in said and "blur" in said


def test_polarity_and_frame_count_are_passed_on(tmp_path, small_model):
    source = write_run(tmp_path / "run.dcm", mask=None)
    dataset = pydicom.dcmread(source)
    dataset.decompress()
    dataset.PhotometricInterpretation, dataset.NumberOfFrames = "MONOCHROME1", 3
    dataset.save_as(source)
    (refused,) = deblur_files([source], tmp_path / "a", small_model, FAST, RunOptions())
    assert "MONOCHROME1" in refused.error or "frames" in refused.error
    (outcome,) = deblur_files(
        [source], tmp_path / "b", small_model, FAST, RunOptions(polarity="invert", frames_in_file=True)
    )
    assert outcome.error is None and outcome.frames == [1, 2, 3, 4]
