"""The command line: verbs, exit codes, tables and JSON."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pydicom
import pytest

from DSADeblurLib import __version__
from DSADeblurLib.batch.folder import HIDDEN
from DSADeblurLib.cli import FINE, INTERRUPTED, SOME_FAILED, WRONG_USE, main
from DSADeblurLib.lab.simulation.xa_object import write_simulated_run
from DSADeblurLib.pipeline import Used
from DSADeblurLib.xa import read_run
from DSADeblurLib.xa.derived import save


@pytest.fixture
def run_file(tmp_path):
    frames = np.random.default_rng(0).integers(500, 3000, (3, 48, 48)).astype(np.uint16)
    path = tmp_path / "in" / "run.dcm"
    path.parent.mkdir()
    return write_simulated_run(
        path, frames, frame_time_ms=100, focal_spot_mm=1.0, sid_mm=1100, sod_mm=733, imager_pixel_spacing_mm=0.2
    )


def test_info_table_names_the_origin_of_each_fact(run_file, capsys):
    assert main(["info", str(run_file), "--magnification", "1.4"]) == FINE
    text = capsys.readouterr().out
    assert "user" in text and "header" in text and "Magnification" in text


def test_info_json_gives_the_predicted_blur(run_file, capsys):
    assert main(["info", str(run_file), "--json"]) == FINE
    facts = json.loads(capsys.readouterr().out)["acquisition"]
    # f (M - 1) / spacing with f 1 mm, M 1100/733, spacing 0.2 mm
    assert facts["blur_detector_px"]["value"] == pytest.approx([2.503, 2.503], abs=1e-3)
    assert facts["magnification"]["origin"] == "header"


def test_info_names_the_plane_of_every_millimetre(run_file, capsys):
    assert main(["info", str(run_file)]) == FINE
    text = capsys.readouterr().out
    assert "patient plane, SID/SOD" in text and "detector plane" in text and "uncalibrated" in text
    assert main(["info", str(run_file), "--json", "--magnification", "2"]) == FINE
    calibrations = json.loads(capsys.readouterr().out)["calibration"]["calibrations"]
    assert calibrations[0]["kind"] == "user" and calibrations[0]["size"] == pytest.approx([0.1, 0.1])


def test_info_says_what_will_not_be_written(run_file, tmp_path, capsys, monkeypatch):
    dataset = pydicom.dcmread(run_file)
    dataset.StudyInstanceUID = ""
    dataset.save_as(tmp_path / "nameless.dcm")
    assert main(["info", str(tmp_path / "nameless.dcm")]) == SOME_FAILED
    assert "has no legal Study Instance UID; choose new UIDs" in capsys.readouterr().err
    assert main(["info", "--new-uids", str(tmp_path / "nameless.dcm")]) == FINE
    monkeypatch.setattr(save, "_MAX_NATIVE_BYTES", 100)
    assert main(["info", str(run_file)]) == SOME_FAILED
    assert "The frames exceed 4 GiB" in capsys.readouterr().err


def test_unreadable_file_is_one_sentence(tmp_path, capsys):
    path = tmp_path / "notes.txt"
    path.write_text("hello")
    assert main(["info", str(path)]) == SOME_FAILED
    assert capsys.readouterr().err == "dsadeblur: Not a DICOM file.\n"


@pytest.mark.slow
def test_deblur_exit_codes(run_file, tmp_path, small_model, capsys):
    model = ["--model", str(small_model.card.folder), "--device", "cpu"]
    assert main(["deblur", str(run_file), "--output", str(tmp_path / "a"), *model]) == FINE
    assert "1 deblurred, 0 not" in capsys.readouterr().out
    (run_file.parent / "bad.dcm").write_bytes(b"no")
    assert main(["deblur", str(run_file.parent), "--output", str(tmp_path / "b"), *model, "--json"]) == SOME_FAILED
    manifest = json.loads(capsys.readouterr().out)
    assert [run["error"] for run in manifest["runs"]] == ["Not a DICOM file.", None]
    assert (tmp_path / "b" / "manifest.json").exists()


@pytest.mark.slow
def test_two_patients_with_files_of_one_name(run_file, tmp_path, small_model, capsys):
    other = tmp_path / "p2" / run_file.name
    other.parent.mkdir()
    other.write_bytes(run_file.read_bytes())
    out, model = tmp_path / "out", ["--model", str(small_model.card.folder), "--device", "cpu", "--pictures", "png"]

    def deblur(*words):
        assert main(["deblur", *map(str, words), "--output", str(out), *model, "--json"]) == FINE
        return [Path(run["output"]).name for run in json.loads(capsys.readouterr().out)["runs"]]

    def listed():
        runs = json.loads((out / "manifest.json").read_text())["runs"]
        return {Path(run["output"]).name: run["input"] for run in runs}

    names = ["run_deblurred.dcm", "run_deblurred.png"]
    assert deblur(run_file) == names[:1]
    first = {name: (out / name).read_bytes() for name in names}
    assert deblur(other) == ["run-2_deblurred.dcm"]
    assert {name: (out / name).read_bytes() for name in names} == first and (out / "run-2_deblurred.png").exists()
    assert listed() == {"run_deblurred.dcm": str(run_file), "run-2_deblurred.dcm": str(other)}
    assert deblur(run_file, "--strength", "0.5") == names[:1]
    assert all((out / name).read_bytes() != before for name, before in first.items())
    assert {name: (out / "other-settings-1" / name).read_bytes() for name in names} == first
    (out / "manifest.json").unlink()
    assert deblur(other, "--overwrite") == names[:1] and listed() == {"run_deblurred.dcm": str(other)}
    assert deblur(run_file) == ["run-2_deblurred.dcm"]


def test_results_as_wanted_and_copies_without_identity(run_file, tmp_path, small_model, capsys):
    model = ["--model", str(small_model.card.folder), "--device", "cpu"]
    wanted = ["--compression", "jpeg-ls", "--pictures", "png,gif", "--subtract", "always", "--mask", "1"]
    wanted += ["--shift=-0.5,0.25", "--registration", "shift", "--order", "deblur-first", "--detector-spacing", "0.3"]
    assert main(["deblur", str(run_file), "--output", str(tmp_path / "a"), *model, *wanted]) == FINE
    result = tmp_path / "a" / "run_deblurred.dcm"
    dataset = pydicom.dcmread(result)
    assert dataset.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.80"
    assert "shift -0.5 rows 0.25 columns" in dataset.DerivationDescription
    assert (tmp_path / "a" / "run_deblurred.gif").exists() and (tmp_path / "a" / "run_deblurred.png").exists()
    pytest.importorskip("dicomanonymizer")
    capsys.readouterr()
    assert main(["deidentify", str(result), "--output", str(tmp_path / "copies"), "--reviewed"]) == FINE
    said = capsys.readouterr()
    copy = pydicom.dcmread(said.out.strip())
    assert f"stands in {tmp_path / 'copies-mapping.jsonl'}" in said.err
    assert copy.PatientIdentityRemoved == "YES" and copy.PatientName != dataset.PatientName
    assert "a person must look" in said.err
    assert main(["deidentify", str(run_file), "--output", str(tmp_path / "copies")]) == SOME_FAILED


def test_other_kinds_of_objects_are_left_out(run_file, tmp_path, small_model, capsys):
    model = ["--model", str(small_model.card.folder), "--device", "cpu"]
    report = pydicom.dcmread(run_file)
    report.SOPClassUID = "1.2.840.10008.5.1.4.1.1.88.11"
    report.save_as(run_file.parent / "report.dcm")
    assert main(["deblur", str(run_file.parent), "--output", str(tmp_path / "a"), *model]) == FINE
    assert "1 left out as no X-ray angiography: report.dcm\n1 deblurred, 0 not." in capsys.readouterr().out
    assert not (tmp_path / "a" / "report_deblurred.dcm").exists()
    report_alone = ["deblur", str(run_file.parent / "report.dcm"), "--output", str(tmp_path / "b"), *model, "--json"]
    assert main(report_alone) == SOME_FAILED
    (run,) = json.loads(capsys.readouterr().out)["runs"]
    assert run["skipped"].startswith("Unsupported SOP class") and run["error"] is None and run["output"] is None


ROOT = Path(__file__).resolve().parents[2]
_PATIENCE = 600  # seconds after which a test has failed, on the busiest machine too


def wait_for_frames(process: subprocess.Popen, out: Path, run: str) -> None:
    """Return when the process has begun the restored frames of a run; fail if it ends before."""
    deadline = time.monotonic() + _PATIENCE
    while not list((out / HIDDEN / "work").glob(f"{run}/*/frames.npy")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends processes without a signal")
def test_terminated_leaves_nothing_half_written(tmp_path, small_model):
    frames = np.random.default_rng(0).integers(500, 3000, (40, 512, 512)).astype(np.uint16)
    run = write_simulated_run(
        tmp_path / "run.dcm",
        frames,
        frame_time_ms=100,
        focal_spot_mm=None,
        sid_mm=None,
        sod_mm=None,
        imager_pixel_spacing_mm=None,
        transfer_syntax="1.2.840.10008.1.2.1",
    )
    out = tmp_path / "out"
    command = [sys.executable, "-m", "DSADeblurLib", "deblur", str(run), "--output", str(out), "--tile", "64"]
    command += ["--model", str(small_model.card.folder)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        wait_for_frames(process, out, "run")
        process.terminate()
        _, errors = process.communicate(timeout=_PATIENCE)
    assert process.returncode == INTERRUPTED and "Cancelled." in errors
    assert [path.name for path in out.iterdir()] == ["manifest.json"]
    assert json.loads((out / "manifest.json").read_text()) == {"runs": [], "waiting": 1}


def write_runs(folder: Path, count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        frames = np.random.default_rng(number).integers(500, 3000, (3, 128, 128)).astype(np.uint16)
        write_simulated_run(
            folder / f"{number}.dcm",
            frames,
            frame_time_ms=100,
            focal_spot_mm=1.0,
            sid_mm=1100,
            sod_mm=733,
            imager_pixel_spacing_mm=0.2,
            uid_seed=str(number),
        )
    return folder


@pytest.mark.slow
def test_resume_and_workers(tmp_path, small_model, capsys):
    """Two processes give what one gives, and a second call with --resume does only what is not done."""
    pytest.importorskip("distributed", reason="Dask is not installed")
    pytest.importorskip("cryptography", reason="cryptography is not installed")
    runs = write_runs(tmp_path / "in", 4)
    (runs / "3.dcm").write_bytes(b"no")
    model = ["--model", str(small_model.card.folder), "--device", "cpu", "--engine", "torch", "--precision", "float32"]
    command = ["deblur", str(runs), *model]
    one, two = tmp_path / "one", tmp_path / "two"
    assert main([*command, "--output", str(one), "--resume"]) == SOME_FAILED
    assert main([*command, "--output", str(two), "--workers", "2"]) == SOME_FAILED
    assert capsys.readouterr().out.count("3 deblurred, 1 not") == 2
    for name in ("0_deblurred.dcm", "1_deblurred.dcm", "2_deblurred.dcm"):
        difference = read_run(one / name).frames[:].astype(int) - read_run(two / name).frames[:]
        assert np.abs(difference).max() <= 1  # another number of threads adds up in another order
    written = {path: path.stat().st_mtime_ns for path in two.glob("*.dcm")}
    assert len(written) == 3
    write_simulated_run(
        runs / "3.dcm",
        np.full((2, 64, 64), 900, np.uint16),
        frame_time_ms=100,
        focal_spot_mm=None,
        sid_mm=None,
        sod_mm=None,
        imager_pixel_spacing_mm=None,
    )
    assert main([*command, "--output", str(two), "--workers", "2", "--resume"]) == FINE
    assert "4 deblurred, 0 not" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in written} == written
    assert len(json.loads((two / "manifest.json").read_text())["runs"]) == 4


@pytest.mark.slow
def test_killed_then_resumed(tmp_path, slow_model, capsys):
    """With kill -9 nothing can clean up; the next call does, and does the rest."""
    runs, out = write_runs(tmp_path / "in", 3), tmp_path / "out"
    command = ["deblur", str(runs), "--output", str(out), "--model", slow_model, "--device", "cpu", "--engine", "torch"]
    with subprocess.Popen([sys.executable, "-m", "DSADeblurLib", *command], stderr=subprocess.DEVNULL) as process:
        wait_for_frames(process, out, "1")
        process.kill()
    assert [path.name for path in out.glob("*.dcm")] == ["0_deblurred.dcm"]
    first = (out / "0_deblurred.dcm").stat().st_mtime_ns
    assert main([*command, "--resume"]) == FINE
    assert "3 deblurred, 0 not" in capsys.readouterr().out
    assert sorted(path.name for path in out.iterdir()) == [
        "0_deblurred.dcm",
        "1_deblurred.dcm",
        "2_deblurred.dcm",
        "manifest.json",
    ]
    assert (out / "0_deblurred.dcm").stat().st_mtime_ns == first


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no process groups with signals")
def test_workers_interrupted(tmp_path, slow_model):
    pytest.importorskip("distributed", reason="Dask is not installed")
    pytest.importorskip("cryptography", reason="cryptography is not installed")
    runs, out = write_runs(tmp_path / "in", 6), tmp_path / "out"
    command = [sys.executable, "-m", "DSADeblurLib", "deblur", str(runs), "--output", str(out), "--workers", "2"]
    command += ["--model", slow_model, "--device", "cpu", "--engine", "torch"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        wait_for_frames(process, out, "*")
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=_PATIENCE)
    assert process.returncode == INTERRUPTED and errors.strip().splitlines()[-1] == "Cancelled."
    assert "Traceback" not in errors
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["waiting"] and len(manifest["runs"]) + manifest["waiting"] == 6
    assert {path.name for path in out.iterdir()} == {
        "manifest.json",
        *(Path(run["output"]).name for run in manifest["runs"]),
    }


def test_unknown_model_fails_before_anything_is_written(run_file, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["deblur", str(run_file), "--output", str(out), "--model", "nonesuch"]) == WRONG_USE
    assert "nonesuch" in capsys.readouterr().err and not out.exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--strength", "1", "--sharpness", "1"], "give it, or these, not both"),
        (["--subtract", "never", "--mask", "1"], "asks for a subtraction, which 'never' forbids"),
        (["--shift=1,1", "--flip-shift"], "cannot be flipped too"),
        (["--blur", "frames", "--focal-spot", "0.6"], "takes no notice of a focal spot"),
        (["--engine", "openvino", "--device", "cuda"], "OpenVINO runs on the CPU"),
    ],
)
def test_choices_that_contradict_each_other(run_file, tmp_path, capsys, words, sentence):
    out = tmp_path / "out"
    assert main(["deblur", str(run_file), "--output", str(out), *words]) == WRONG_USE
    error = capsys.readouterr().err
    assert sentence in error and error.startswith("dsadeblur: ") and error.count("\n") == 1 and not out.exists()


def test_device_that_is_not_there(run_file, tmp_path, small_model, capsys, monkeypatch):
    from DSADeblurLib.restoration import torch_engine

    monkeypatch.setattr(torch_engine.torch.cuda, "is_available", lambda: False)
    out, model = tmp_path / "out", ["--model", str(small_model.card.folder)]
    assert main(["deblur", str(run_file), "--output", str(out), *model, "--device", "cuda"]) == WRONG_USE
    assert capsys.readouterr().err.startswith("dsadeblur: ") and not out.exists()


def test_inputs_that_are_not_there(tmp_path, small_model, capsys):
    out, model = tmp_path / "out", ["--model", str(small_model.card.folder)]
    missing, empty = tmp_path / "nothing.dcm", tmp_path / "empty"
    empty.mkdir()
    assert main(["info", str(missing)]) == main(["info", str(empty)]) == WRONG_USE
    told = f"dsadeblur: No such file or folder: {missing}.\ndsadeblur: There is no DICOM file.\n"
    assert capsys.readouterr().err == told
    for path, sentence in (
        (missing, f"No such file or folder: {missing}."),
        (empty, "There is no file among the inputs."),
    ):
        assert main(["deblur", str(path), "--output", str(out), *model]) == WRONG_USE
        assert capsys.readouterr().err.endswith(f"dsadeblur: {sentence}\n") and not out.exists()


def test_missing_path_among_others_stops_none(run_file, tmp_path, small_model, capsys):
    arguments = ["--output", str(tmp_path / "out"), "--model", str(small_model.card.folder), "--device", "cpu"]
    pipe = tmp_path / "pipe.dcm"
    os.mkfifo(pipe)
    assert main(["deblur", str(tmp_path / "nothing"), str(pipe), str(run_file), *arguments]) == SOME_FAILED
    lines = capsys.readouterr().out.splitlines()
    assert {line.split("\t")[1] for line in lines[:-1]} == {
        "The file does not exist.",
        "The file cannot be read: it is a pipe or a device.",
        str(tmp_path / "out" / "run_deblurred.dcm"),
    }
    assert lines[-1].startswith("1 deblurred, 2 not.")


@pytest.mark.parametrize("verb", ["deblur", "simulate"])
def test_output_that_is_a_file(run_file, tmp_path, capsys, verb):
    words = [str(run_file)] if verb == "deblur" else []
    for output in (run_file, run_file / "below"):
        assert main([verb, *words, "--output", str(output)]) == WRONG_USE
        assert capsys.readouterr().err == f"dsadeblur: {run_file} is no folder; choose another --output.\n"


def test_what_is_no_dicom_at_all_is_left_out(run_file, tmp_path, small_model, capsys):
    """Counted in one line, in no manifest, and no failure unless that is said; but what is called DICOM should be."""
    arguments = ["--output", str(tmp_path / "out"), "--model", str(small_model.card.folder), "--device", "cpu"]
    folder, words = run_file.parent, ["deblur", str(run_file.parent), *arguments, "--resume"]
    for name in ("Thumbs.db", "notes.txt", "empty", "zz"):
        (folder / name).write_bytes(b"x" * 200 if name != "empty" else b"")
    assert main(words) == FINE
    assert (
        "4 left out as no X-ray angiography: Thumbs.db, empty, notes.txt, ...\n1 deblurred" in capsys.readouterr().out
    )
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert [run["input"] for run in manifest["runs"]] == [str(run_file)]
    assert main([*words, "--strict"]) == SOME_FAILED
    capsys.readouterr()
    assert main([*words, "--json"]) == FINE and json.loads(capsys.readouterr().out)["left_out"] == 4
    (folder / "zz.dcm").write_bytes(b"no")
    assert main(words) == SOME_FAILED
    assert f"{folder / 'zz.dcm'}\tNot a DICOM file.\t\n" in capsys.readouterr().out
    run_file.unlink()
    (folder / "zz.dcm").unlink()
    assert main(words) == SOME_FAILED and "0 deblurred" in capsys.readouterr().out


def test_exit_codes_are_in_the_help(capsys):
    for words in (["--help"], ["deblur", "--help"]):
        with pytest.raises(SystemExit):
            main(words)
        said = " ".join(capsys.readouterr().out.split())
        assert "0 all done; 1 some runs failed; 2 wrong use" in said and "130 interrupted" in said


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["deblur", "x.dcm"],
        ["deblur", "x.dcm", "--output", "o", "--tile", "3"],
        ["deblur", "x.dcm", "--output", "o", "--strength", "1.5"],
        ["deblur", "x.dcm", "--output", "o", "--sharpness", "-1"],
        ["deblur", "x.dcm", "--output", "o", "--noise-reduction", "half"],
        ["deblur", "x.dcm", "--output", "o", "--frames", "9-3"],
        ["deblur", "x.dcm", "--output", "o", "--mask", "0,1"],
        ["deblur", "x.dcm", "--output", "o", "--subtract", "perhaps"],
        ["deblur", "x.dcm", "--output", "o", "--focal-spot", "600"],
        ["deblur", "x.dcm", "--output", "o", "--blur", "1,2,3"],
        ["info", "x.dcm", "--magnification", "0.5"],
        ["deblur", "x.dcm", "--output", "o", "--workers", "0"],
        ["deblur", "x.dcm", "--output", "o", "--scheduler", "foo"],
        ["deblur", "x.dcm", "--output", "o", "--workers", "2", "--scheduler", "tcp://127.0.0.1:8786"],
    ],
)
def test_wrong_use(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == WRONG_USE
    assert "usage:" in capsys.readouterr().err


@pytest.mark.slow
def test_controls_reach_the_manifest_and_the_object(run_file, tmp_path, small_model):
    model = ["--model", str(small_model.card.folder)]
    for number, (options, s, n) in enumerate(
        [
            ([], 1, 0.5),
            (["--strength", "0.25"], 0.25, 0.25),
            (["--sharpness", "0.5", "--noise-reduction", "0"], 0.5, 0),
        ]
    ):
        out = tmp_path / str(number)
        assert main(["deblur", str(run_file), "--output", str(out), *model, *options]) == FINE
        (run,) = json.loads((out / "manifest.json").read_text())["runs"]
        assert (run["request"]["sharpness"], run["request"]["noise_reduction"]) == (s, n)
        text = pydicom.dcmread(run["output"], stop_before_pixels=True).DerivationDescription
        assert f"sharpness {s:g}, noise reduction {n:g}" in text


def test_what_was_used_is_in_manifest_and_table(run_file, tmp_path, small_model, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")
    words = ["--model", str(small_model.card.folder), "--device", "cpu", "--engine", "torch", "--blur", "3,4.5"]
    assert main(["deblur", str(run_file), "--output", str(tmp_path / "a"), *words, "--frames", "2-3"]) == FINE
    table = capsys.readouterr().out
    (run,) = json.loads((tmp_path / "a" / "manifest.json").read_text())["runs"]
    used = Used.from_dict(run["used"])
    assert (used.model, used.device, used.engine, used.frame_numbers) == ("tiny", "cpu", "torch", (2, 3))
    assert used.blur_px == (3.0, 4.5) and used.blur_source == "given" and run["request"]["blur"] == [3.0, 4.5]
    assert used.in_words() in table and "frames 2-3, tiny, " in table
    text = pydicom.dcmread(run["output"], stop_before_pixels=True).DerivationDescription
    assert "blur 3,4.5" in text and "blur 3.0 x 4.5 px (given)" in text
    assert main(["deblur", str(run_file), "--output", str(tmp_path / "b"), *words, "--json"]) == FINE
    (listed,) = json.loads(capsys.readouterr().out)["runs"]
    assert listed["used"]["frame_numbers"] == [1, 2, 3] and listed["request"] == {**run["request"], "frame_range": None}


def test_nothing_asked_for_gives_the_stored_pixels(run_file, tmp_path, small_model):
    arguments = ["--subtract", "never", "--sharpness", "0", "--noise-reduction", "0"]
    out, model = tmp_path / "out", ["--model", str(small_model.card.folder)]
    assert main(["deblur", str(run_file), "--output", str(out), *model, *arguments]) == FINE
    (result,) = out.glob("*_deblurred.dcm")
    assert pydicom.dcmread(result).pixel_array.tobytes() == pydicom.dcmread(run_file).pixel_array.tobytes()


def test_module_is_the_command():
    done = subprocess.run([sys.executable, "-m", "DSADeblurLib", "--version"], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.strip() == f"dsadeblur {__version__}"


@pytest.mark.slow
def test_help_and_info_do_not_load_torch(run_file):
    code = (
        "import sys; from DSADeblurLib.cli import main; main(['info', sys.argv[1]]);"
        "assert 'torch' not in sys.modules, 'torch was imported'"
    )
    done = subprocess.run([sys.executable, "-c", code, str(run_file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_names_that_the_terminal_has_no_letters_for(run_file, tmp_path, small_model):
    odd = run_file.rename(run_file.with_name("lauf_ü_造.dcm"))
    words = ["deblur", str(odd), "--output", str(tmp_path / "out"), "--model", str(small_model.card.folder)]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "DSADeblurLib", *words, "--device", "cpu"],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and "lauf_\\xfc_\\u9020" in done.stdout, done.stderr
