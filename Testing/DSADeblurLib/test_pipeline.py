"""From files to derived objects: one bad run does not stop the others, and nothing half-written is left."""

import hashlib
import json
from pathlib import Path
from unittest.mock import create_autospec

import numpy as np
import psutil
import pydicom
import pytest
from PIL import Image

from DSADeblurLib import pipeline
from DSADeblurLib.batch import MANIFEST, Batch, deblur_files
from DSADeblurLib.frame_file import FrameFile
from DSADeblurLib.lab.simulation.xa_object import write_simulated_run
from DSADeblurLib.pipeline import deblur_loaded, deblur_run, prepare, provenance
from DSADeblurLib.request import ORDERS, DeblurRequest, RequestError, UserFacts
from DSADeblurLib.restoration.deblur import DeblurCancelled, deblur
from DSADeblurLib.used import Used
from DSADeblurLib.xa import Run, plan_subtraction, read_run, subtract, write_derived
from DSADeblurLib.xa.derived import save
from DSADeblurLib.xa.loaded_frames import loaded_run

pytestmark = pytest.mark.slow

# What the network says by itself; what is given back of the frame has a test of its own.
FAST = DeblurRequest.of(
    device="cpu", engine="torch", precision="float32", noise_reduction=1.0, uniform_noise_reduction=True
)
NATIVE = FAST.with_choices(subtract="never")


def optical_densities(path):
    """The frames in the unit of their Real World Value Mapping, float32 (n, rows, columns)."""
    (mapping,) = pydicom.dcmread(path, stop_before_pixels=True).RealWorldValueMappingSequence
    values = read_run(path).frames[:] * mapping.RealWorldValueSlope + mapping.RealWorldValueIntercept
    return values.astype(np.float32)


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

    outcomes = deblur_files([inputs], out, small_model, FAST.with_choices())

    assert [outcome.error is None for outcome in outcomes] == [True, True, False]
    assert files_in(out) == [MANIFEST, "run-2_deblurred.dcm", "run_deblurred.dcm"]
    runs = json.loads((out / MANIFEST).read_text())["runs"]
    wanted = {"input", "output", "software", "model_sha256", "request", "used", "error"}
    assert len(runs) == 3 and all(wanted <= set(run) for run in runs)
    assert all(DeblurRequest.from_dict(run["request"]) == FAST.with_choices(model="tiny") for run in runs)
    errors = {Path(run["input"]).name: run["error"] for run in runs}
    assert "truncated" in errors["broken.dcm"] and "notes.txt" not in errors
    assert runs[0]["model_sha256"] == small_model.sha256
    assert [run["used"] is None for run in runs] == [run["error"] is not None for run in runs]
    used = Used.from_dict(runs[0]["used"])
    assert (used.model, used.model_sha256, used.mask_frames) == ("tiny", small_model.sha256, (1,))
    assert used.frame_numbers == (2, 3, 4) and used.seconds > 0 and used.blur_source == ""
    assert {path: hashlib.sha256(path.read_bytes()).digest() for path in before} == before


def test_result_on_disk_is_what_the_network_gave(tmp_path, small_model):
    source = write_run(tmp_path / "run.dcm")
    (outcome,) = deblur_files([source], tmp_path / "out", small_model, FAST)
    run = read_run(source)
    plan = plan_subtraction(run)
    expected = deblur(subtract(run.frames, plan, run.relationship), small_model, FAST.restoration).frames
    stored = optical_densities(outcome.output)
    half_a_step = np.ptp(expected) / 65535
    np.testing.assert_allclose(stored, expected, atol=half_a_step)

    (native,) = deblur_files([source], tmp_path / "native", small_model, NATIVE)
    np.testing.assert_array_equal(read_run(native.output).frames[:], deblur(run, small_model, FAST.restoration).frames)


def test_second_call_does_not_eat_its_own_results(tmp_path, small_model):
    write_run(tmp_path / "run.dcm")
    for _ in range(2):
        outcomes = deblur_files([tmp_path], tmp_path, small_model, FAST)
        assert [Path(outcome.input).name for outcome in outcomes] == ["run.dcm"]
    assert files_in(tmp_path) == [MANIFEST, "run.dcm", "run_deblurred.dcm"]


def test_failure_while_writing_leaves_nothing(tmp_path, small_model, monkeypatch):
    source = write_run(tmp_path / "run.dcm")
    monkeypatch.setattr(pipeline, "write_derived", create_autospec(write_derived, side_effect=OSError("disk full")))
    (outcome,) = deblur_files([source], tmp_path / "out", small_model, FAST)
    assert "disk full" in outcome.error and outcome.output is None
    assert files_in(tmp_path / "out") == [MANIFEST]


def test_what_cannot_be_written_is_not_computed(tmp_path, small_model, monkeypatch):
    source = write_run(tmp_path / "run.dcm")
    monkeypatch.setattr(save, "_MAX_NATIVE_BYTES", 1000)
    monkeypatch.setattr(pipeline, "restore", lambda *a, **k: pytest.fail("frames were computed"))
    (outcome,) = deblur_files([source], tmp_path / "out", small_model, FAST)
    assert "The frames exceed 4 GiB" in outcome.error


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

    request = FAST.with_choices(subtract=subtract, pictures=("png",))
    failed, done = deblur_files(
        [first.parent], tmp_path / "out", small_model, request, starting=starting, finished=finished
    )
    assert failed.error.startswith("The source a.dcm changed since it was read") and failed.output is None
    assert failed.error.endswith("; try again when it is in place and complete.")
    assert done.error is None and len(events) > 1 and not still_open
    assert files_in(tmp_path / "out") == ["b_deblurred.dcm", "b_deblurred.png", MANIFEST]


def test_frame_range_counts_the_runs_frames(tmp_path, small_model):
    source = write_run(tmp_path / "run.dcm", frames=6)

    def deblurred(**choices):
        request = DeblurRequest.of(device="cpu", engine="torch", precision="float32", **choices)
        return deblur_files([source], tmp_path / "out", small_model, request)[0]

    for more in ({}, {"subtract": "never"}):
        assert deblurred(frame_range=(3, 5), **more).used["frame_numbers"] == [3, 4, 5]
        assert deblurred(frame_range=(5, 9), **more).error == "Frames 5 to 9 were asked for, but the run has 6."
    assert deblurred(frame_range=(1, 1)).error == (
        "No contrast frame lies between frames 1 and 1; choose another range."
    )


def test_a_modulated_model_is_told_what_the_header_says(tmp_path, modulated_model):
    """Unless the user says what to believe; the width and where it came from are in the derived object."""
    run = read_run(write_run(tmp_path / "run.dcm"))
    header, output = run.acquisition.removable_blur_px(), tmp_path / "out.dcm"
    told, sources = {}, {}
    for blur in ("auto", "header", "frames", (7.0, 8.0)):
        used, _ = deblur_run(run, modulated_model, output, FAST.with_choices(blur=blur))
        told[blur], sources[blur] = used.blur_px, used.blur_source
        words = "blur {:.1f} x {:.1f} px ({})".format(*used.blur_px, used.blur_source)
        assert words in pydicom.dcmread(output, stop_before_pixels=True).DerivationDescription
    assert told["header"] == header and told[7.0, 8.0] == (7.0, 8.0)
    for width, *ends in zip(told["auto"], told["frames"], header, strict=True):
        assert min(ends) < width < max(ends)
    assert list(sources.values()) == ["geometry and frames", "geometry", "frames", "given"]


def test_what_is_given_back_is_found_with_the_blur_of_the_header(tmp_path, small_model):
    """Also for a network that is not told it; without a header the default model looks for it."""
    request = FAST.with_choices(noise_reduction=0.5)
    found = {}
    for focal_spot in (1.0, None):
        run = read_run(write_run(tmp_path / "run.dcm", focal_spot_mm=focal_spot))
        used, _ = deblur_run(run, small_model, tmp_path / "out.dcm", request)
        assert (run.acquisition.removable_blur_px() is None) == (focal_spot is None)
        assert used.blur_source == ("geometry" if focal_spot else "frames")
        found[focal_spot] = used.blur_px
        assert focal_spot is None or used.blur_px == run.acquisition.removable_blur_px()
    seen, _ = deblur_run(run, small_model, tmp_path / "out.dcm", request.with_choices(blur="frames"))
    assert found[None] == seen.blur_px != found[1.0]


def test_without_a_header_the_frames_tell(tmp_path, modulated_model):
    run = read_run(write_run(tmp_path / "run.dcm", focal_spot_mm=None))
    used, _ = deblur_run(run, modulated_model, tmp_path / "out.dcm", FAST)
    seen, _ = deblur_run(run, modulated_model, tmp_path / "out.dcm", FAST.with_choices(blur="frames"))
    assert used.blur_px == seen.blur_px and used.blur_source == seen.blur_source == "frames"
    with pytest.raises(RequestError, match="header does not say how wide the blur is"):
        deblur_run(run, modulated_model, tmp_path / "no.dcm", FAST.with_choices(blur="header"))
    assert not (tmp_path / "no.dcm").exists()


def test_frames_that_disagree_with_the_header_are_told(tmp_path, modulated_model):
    """By an estimator that is sure: an untrained one is not."""
    modulated_model.network.estimator.last.bias[1] = -2
    source = write_run(tmp_path / "run.dcm")
    request = FAST.with_choices(focal_spot_mm=3.0, magnification=2.0)
    (outcome,) = deblur_files([source], tmp_path / "out", modulated_model, request)
    assert any("follow from focal spot and magnification; check these" in warning for warning in outcome.warnings)


def test_user_geometry_is_recorded(tmp_path, small_model):
    source = write_run(tmp_path / "run.dcm", focal_spot_mm=None)
    (outcome,) = deblur_files([source], tmp_path / "out", small_model, FAST.with_choices(focal_spot_mm=0.8))
    said = pydicom.dcmread(outcome.output, stop_before_pixels=True).DerivationDescription
    assert "focal spot 0.8 mm (user)" in said and outcome.request["focal_spot_mm"] == 0.8


def test_user_says_what_pixel_values_mean(tmp_path, small_model):
    source = write_run(tmp_path / "run.dcm")
    results = []
    for relationship in (None, "LIN", "LOG"):
        request = NATIVE.with_choices(relationship=relationship)
        (outcome,) = deblur_files([source], tmp_path / f"out-{relationship}", small_model, request)
        assert outcome.error is None and outcome.request["relationship"] == relationship
        results.append(read_run(outcome.output).frames[:])
    np.testing.assert_array_equal(results[0], results[1])
    assert not np.array_equal(results[0], results[2])


def test_user_mask_implies_subtraction(tmp_path, small_model):
    source = write_run(tmp_path / "run.dcm", mask=None)
    (outcome,) = deblur_files([source], tmp_path / "out", small_model, FAST.with_choices(mask_frames=(1, 2)))
    assert outcome.error is None and outcome.used["frame_numbers"] == [1, 2, 3, 4]
    assert outcome.used["mask_frames"] == [1, 2]
    assert "RealWorldValueMappingSequence" not in pydicom.dcmread(source, stop_before_pixels=True)
    assert optical_densities(outcome.output).min() < 0


def test_prepare_without_plan_changes_nothing():
    frames = np.zeros((3, 32, 32), np.uint16)
    ready = prepare(Run.from_frames(frames, None, UserFacts(relationship="LIN")), FAST)
    assert ready.frames is frames and ready.relationship == "LIN" and ready.frame_numbers == (1, 2, 3)
    assert ready.settings == FAST.restoration and ready.plan is None and not ready.subtract_after


@pytest.mark.parametrize("frame_range", [None, (3, 4)])
def test_both_orders_of_deblurring_and_subtraction(tmp_path, small_model, frame_range):
    source = write_run(tmp_path / "run.dcm", frames=5, mask=(1, 2), contrast_frames=[3, 4, 5])
    run, request = read_run(source), FAST.with_choices(frame_range=frame_range)
    plan = plan_subtraction(run)
    stored = {}
    for order in ORDERS:
        (outcome,) = deblur_files([source], tmp_path / order, small_model, request.with_choices(order=order))
        assert outcome.error is None and outcome.request["order"] == order
        assert outcome.used["frame_numbers"] == ([3, 4] if frame_range else [3, 4, 5])
        assert outcome.used["mask_frames"] == [1, 2]
        assert files_in(tmp_path / order) == [MANIFEST, "run_deblurred.dcm"]
        stored[order] = optical_densities(outcome.output)
    native = deblur(run.frames[:].astype(np.float32), small_model, FAST.restoration, relationship="LIN").frames
    for order, expected in zip(
        ORDERS,
        (
            deblur(subtract(run.frames, plan, "LIN"), small_model, FAST.restoration).frames,
            np.asarray(subtract(native, plan, "LIN")),
        ),
        strict=True,
    ):
        expected = expected[: len(stored[order])]
        if frame_range is None:
            np.testing.assert_allclose(stored[order], expected, atol=np.ptp(expected) / 65535)
    assert not np.allclose(*stored.values(), atol=1e-4)


def test_deblurring_first_is_said_and_can_be_cancelled(tmp_path, small_model):
    run = read_run(write_run(tmp_path / "run.dcm"))
    request = FAST.with_choices(order="deblur-first", registration="shift")
    deblur_run(run, small_model, tmp_path / "out.dcm", request)
    text = pydicom.dcmread(tmp_path / "out.dcm", stop_before_pixels=True).DerivationDescription
    assert "order deblur-first" in text and "registered to each frame by one shift" in text
    asked = []

    def late():
        asked.append(True)
        return len(asked) > 5

    with pytest.raises(DeblurCancelled):
        deblur_run(run, small_model, tmp_path / "no.dcm", request, is_cancelled=late)
    assert files_in(tmp_path) == ["out.dcm", "run.dcm"]


def test_a_mask_is_found_for_a_run_without_one(tmp_path, small_model):
    source = write_run(tmp_path / "run.dcm", mask=None)
    (outcome,) = deblur_files([source], tmp_path / "out", small_model, FAST.with_choices(subtract="find"))
    assert outcome.error is None and outcome.used["frame_numbers"] == [2, 3, 4] and outcome.used["mask_frames"] == [1]


def test_no_such_input(tmp_path, small_model):
    with pytest.raises(RequestError, match="No such file"):
        deblur_files([tmp_path / "nothing"], tmp_path / "out", small_model, FAST)
    assert not (tmp_path / "out").exists()


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
    one, other = (deblur_files([path], tmp_path / path.stem, small_model, FAST)[0] for path in (linear, display))
    np.testing.assert_array_equal(optical_densities(one.output), optical_densities(other.output))


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
    (outcome,) = deblur_files([source], tmp_path / "out", small_model, FAST)
    expected = deblur(run, small_model, FAST.restoration, exposed=run.exposed()).frames
    np.testing.assert_array_equal(read_run(outcome.output).frames[:], expected)
    assert not np.array_equal(expected, deblur(run, small_model, FAST.restoration).frames)


@pytest.mark.parametrize(
    "choices",
    [
        {"pictures": ("png", "gif"), "compression": "rle"},
        {"pictures": ("png", "gif"), "subtract": "never"},
        {"pictures": ("gif",), "order": "deblur-first"},
    ],
    ids=lambda choices: list(choices.values())[1],
)
def test_pictures_lie_beside_the_result(tmp_path, small_model, choices):
    source = write_run(tmp_path / "in" / "run.dcm")
    request = FAST.with_choices(frame_range=(2, 3), sharpness=0.0, noise_reduction=0.0, **choices)
    (outcome,) = deblur_files([tmp_path / "in"], tmp_path / "out", small_model, request)
    assert outcome.error is None
    names = [f"run_deblurred.{kind}" for kind in ("dcm", *choices["pictures"])]
    assert files_in(tmp_path / "out") == sorted([MANIFEST, *names])
    with Image.open(tmp_path / "out" / "run_deblurred.gif") as film:
        assert film.n_frames == 2 and film.info["duration"] == 250
        picture = np.asarray(film.convert("L"), np.float64)
    # Where nothing is changed both halves show the same, but for their labels and the rounding of a subtraction.
    width, middle = (picture.shape[1] - 4) // 2, slice(picture.shape[0] // 3, 2 * picture.shape[0] // 3)
    np.testing.assert_allclose(picture[middle, :width], picture[middle, -width:], atol=1)
    # Neither pictures nor results are taken for input.
    again = deblur_files([source, tmp_path / "out"], tmp_path / "out", small_model, request)
    assert [Path(one.input).name for one in again] == ["run.dcm"]


def test_what_the_user_says_is_used_and_marked(tmp_path, modulated_model):
    source = write_run(tmp_path / "run.dcm", focal_spot_mm=None, sid_mm=None, sod_mm=None, imager_pixel_spacing_mm=None)
    request = FAST.with_choices(focal_spot_mm=1.2, magnification=1.5, detector_spacing_mm=0.2)
    assert read_run(source, request.facts).acquisition.removable_blur_px() is not None
    (outcome,) = deblur_files([source], tmp_path / "out", modulated_model, request)
    said = pydicom.dcmread(outcome.output).DerivationDescription
    assert "focal spot 1.2 mm (user)" in said and "imager pixel spacing" in said and "blur" in said


def test_polarity_and_frame_count_are_passed_on(tmp_path, small_model):
    source = write_run(tmp_path / "run.dcm", mask=None)
    dataset = pydicom.dcmread(source)
    dataset.decompress()
    dataset.PhotometricInterpretation, dataset.NumberOfFrames = "MONOCHROME1", 3
    dataset.save_as(source)
    (refused,) = deblur_files([source], tmp_path / "a", small_model, FAST)
    assert "MONOCHROME1" in refused.error or "frames" in refused.error
    (outcome,) = deblur_files(
        [source], tmp_path / "b", small_model, FAST.with_choices(polarity="invert", frames_in_file=True)
    )
    assert outcome.error is None and outcome.used["frame_numbers"] == [1, 2, 3, 4]


def test_what_was_used_survives_json():
    used = Used("1.2", "tiny", "ab" * 32, "cpu", "torch", "float32", 64, (3.06, 2.0), "geometry", (1, 2), (3, 5), 1.5)
    assert Used.from_dict(json.loads(json.dumps(used.as_dict()))) == used
    assert used.in_words() == "float32 on cpu by torch, blur 3.1 x 2.0 px (geometry)"
    without = Used("1.2", "tiny", "ab" * 32, "cpu", "torch", "float32", None, None, "", (), (1,), 1.5)
    assert Used.from_dict(json.loads(json.dumps(without.as_dict()))) == without
    assert without.in_words() == "float32 on cpu by torch"


def test_provenance_tells_choices_and_what_was_used():
    used = Used("1.2", "tiny", "ab" * 32, "cpu", "torch", "float32", None, None, "", (), (1,), 1.5)
    told = provenance(FAST.with_choices(order="deblur-first", blur=(3, 4)), used, ("magnification 1.4 (user)",))
    controls = "sharpness 1, noise reduction 1, uniform noise reduction true"
    assert told.settings == f"{controls}, blur 3,4, order deblur-first, float32 on cpu by torch"
    assert (told.model_name, told.model_sha256, told.software_version) == ("tiny", "ab" * 32, "1.2")
    assert told.assumed == ("magnification 1.4 (user)",)


@pytest.fixture
def loaded_file(tmp_path):
    """The stored frames of a run as another program shows them, in a file, and the run."""

    def load(path, slope=2, intercept=-100):
        dataset = pydicom.dcmread(path)
        dataset.RescaleSlope, dataset.RescaleIntercept, dataset.RescaleType = slope, intercept, "US"
        dataset.save_as(path)
        frames = (read_run(path).frames[:].astype(np.int32) * slope + intercept).astype(np.int16)
        with FrameFile.create(tmp_path / "in.npy", frames.shape, frames.dtype) as out:
            out[:] = frames
        return FrameFile.open(tmp_path / "in.npy")

    return load


def test_loaded_frames_are_restored_as_their_file(tmp_path, small_model, loaded_file):
    """Differences are the same; native results have values and type of the program that holds the frames."""
    source = write_run(tmp_path / "run.dcm")
    with loaded_file(source) as frames:
        loaded = loaded_run(frames, [source], UserFacts())
        done = deblur_loaded(frames, loaded, small_model, tmp_path / "out.npy", FAST)
        native = deblur_loaded(frames, loaded, small_model, tmp_path / "native.npy", NATIVE)
    run = read_run(source)
    plan = plan_subtraction(run, frames=run.frames)
    assert done.plan == plan and done.relationship == "LIN" and done.used.mask_frames == (1,)
    expected = deblur(subtract(run.frames, plan, "LIN"), small_model, FAST.restoration).frames
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), expected)
    assert native.plan is None and native.used.frame_numbers == (1, 2, 3, 4)
    shown = np.load(tmp_path / "native.npy")
    stored = deblur(run, small_model, FAST.restoration).frames
    np.testing.assert_array_equal(shown, stored.astype(int) * 2 - 100)
    assert shown.dtype == np.int16 and files_in(tmp_path) == ["in.npy", "native.npy", "out.npy", "run.dcm"]


def test_loaded_frames_without_a_file(tmp_path, small_model):
    """Values that nobody explains are subtracted as they are, and that is told."""
    frames = read_run(write_run(tmp_path / "run.dcm")).frames[:]
    np.save(tmp_path / "in.npy", frames)
    with FrameFile.open(tmp_path / "in.npy") as file:
        loaded = loaded_run(file, [], UserFacts(), "There is no header.")
        request = FAST.with_choices(mask_frames=(1,))
        done = deblur_loaded(file, loaded, small_model, tmp_path / "out.npy", request)
    plan = done.plan
    assert done.relationship == "DISP" and plan.mask_frames == (1,) and done.notices[0] == "There is no header."
    assert any("unknown meaning" in notice for notice in done.notices)
    expected = deblur(subtract(frames, plan, "DISP"), small_model, FAST.restoration).frames
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), expected)


def test_loaded_frames_cancelled_leave_nothing(tmp_path, small_model, loaded_file):
    source = write_run(tmp_path / "run.dcm")
    with loaded_file(source) as frames, pytest.raises(DeblurCancelled):
        loaded = loaded_run(frames, [source], UserFacts())
        deblur_loaded(frames, loaded, small_model, tmp_path / "out.npy", FAST, is_cancelled=lambda: True)
    assert files_in(tmp_path) == ["in.npy", "run.dcm"]


def test_what_is_not_to_be_trusted_is_told_everywhere(tmp_path, small_model):
    source = write_run(tmp_path / "run.dcm")
    request = FAST.with_choices(trust=True)
    (outcome,) = deblur_files([source], tmp_path / "out", small_model, request)
    trust = outcome.used["trust"]
    assert trust["count"] >= len(trust["places"]) and {place["frame"] for place in trust["places"]} <= {2, 3, 4}
    assert trust["sentence"] in outcome.warnings
    words = f"{trust['count']} places not explained by the data"
    assert words in Used.from_dict(outcome.used).in_words()
    assert words in pydicom.dcmread(outcome.output).DerivationDescription
    assert ("run_deblurred.trust.png" in files_in(tmp_path / "out")) == bool(trust["places"])
    (plain,) = deblur_files([source], tmp_path / "plain", small_model, FAST)
    assert plain.used["trust"] is None
    np.testing.assert_array_equal(optical_densities(outcome.output), optical_densities(plain.output))


def test_the_picture_of_an_older_result_goes_with_it(tmp_path, small_model):
    source = write_run(tmp_path / "run.dcm")
    deblur_files([source], tmp_path / "out", small_model, FAST.with_choices(trust=True))
    (tmp_path / "out" / "run_deblurred.trust.png").touch()
    deblur_files([source], tmp_path / "out", small_model, FAST, Batch(overwrite=True))
    assert not (tmp_path / "out" / "run_deblurred.trust.png").exists()
