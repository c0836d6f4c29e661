"""The worker process: what it answers, how it is cancelled, and how it ends."""

from __future__ import annotations

import importlib.util
import json
import os
import queue
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")


@pytest.fixture
def model(tiny_model) -> str:
    return tiny_model


class Process:
    """A worker, its messages as they come."""

    def __init__(self, *command: str, path: str = "") -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), path)), "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-u", *(command or ("-m", "DSADeblurLib.worker"))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip
        self._lines: queue.Queue = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def tell(self, **message) -> None:
        self.tell_line(json.dumps(message))

    def tell_line(self, line: str) -> None:
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def hear(self, *kinds: str) -> dict:
        """The next message of these kinds."""
        while True:
            line = self._lines.get(timeout=600)
            assert line is not None, self.process.stderr.read()
            message = json.loads(line)
            assert "error" in kinds or message["type"] != "error", message
            if message["type"] in kinds:
                return message

    def end(self) -> int:
        self.process.stdin.close()
        return self.process.wait(600)


@pytest.fixture
def worker():
    process = Process()
    yield process
    process.process.kill()
    process.process.wait()


@pytest.fixture(scope="module")
def shared():
    process = Process()
    yield process
    assert process.end() == 0


def frames_file(folder: Path, shape=(4, 40, 48)) -> Path:
    path = folder / "in.npy"
    y, x = np.mgrid[: shape[1], : shape[2]]
    pixels = 1500 + 10 * x + 200 * np.sin(y / 6) + np.random.default_rng(0).normal(0, 20, shape)
    np.save(path, np.clip(pixels - 300 * np.arange(shape[0])[:, None, None], 0, 4095).astype(np.uint16))
    return path


def message_for(folder: Path, model: str, /, job: str = "a", shape=(4, 40, 48), run=None, **choices) -> dict:
    """A job without a DICOM file; `run` changes what is said of the frames, `choices` the request."""
    # Left to themselves, two processes may find different engines fastest, which round differently.
    same = {"device": "cpu", "engine": "torch", "precision": "float32"}
    request = {**same, "model": model, "relationship": "LIN", **choices}
    about = {"frames": str(frames_file(folder, shape)), "files": [], "note": ""} | (run or {})
    return {"type": "deblur", "job": job, "run": about, "request": request, "output": str(folder / "out.npy")}


def direct(message: dict):
    """Frames, their numbers in the run, and the plan, as the library gives them in this process."""
    from DSADeblurLib.pipeline import prepare
    from DSADeblurLib.request import DeblurRequest
    from DSADeblurLib.restoration.deblur import deblur
    from DSADeblurLib.restoration.package import load_model
    from DSADeblurLib.xa import Run, read_run

    request, about = DeblurRequest.from_dict(message["request"]), message["run"]
    run = Run.from_frames(np.load(about["frames"]), None, request.facts)
    run = read_run(about["files"][0], request.facts) if about["files"] else run
    ready = prepare(run, request)
    meaning = dict(relationship=ready.relationship, bits_stored=ready.bits_stored, header_px=ready.header_px)
    result = deblur(ready.frames, load_model(request.model), ready.settings, **meaning)
    return np.asarray(result.frames), [ready.frame_numbers[n - 1] for n in result.frame_numbers], ready.plan


@pytest.mark.parametrize(
    "choices",
    [{}, {"frame_range": (2, 3), "tile": 24}, {"mask_frames": [1], "mask_shift": [0.5, 0]},
     {"mask_frames": [1, 2], "frame_range": (3, 4)}, {"relationship": None, "mask_frames": [1]}],
)  # fmt: skip
def test_gives_what_the_library_gives(shared, tmp_path, model, choices):
    from DSADeblurLib.pipeline import Used
    from DSADeblurLib.xa import SubtractionPlan

    message = message_for(tmp_path, model, **choices)
    shared.tell(**message)
    done = shared.hear("finished", "error")
    expected, numbers, plan = direct(message)
    out, used = np.load(done["output"]), Used.from_dict(done["used"])
    assert out.dtype == expected.dtype and np.array_equal(out, expected) and used.frame_numbers == tuple(numbers)
    assert (done["job"], used.model, used.device, used.engine) == ("a", "tiny", "cpu", "torch")
    assert len(used.model_sha256) == 64 and used.tile == choices.get("tile") and used.seconds > 0
    if plan is None:
        assert done["subtraction"] is None and done["relationship"] == "LIN" and used.mask_frames == ()
    else:
        assert SubtractionPlan.from_dict(done["subtraction"]) == plan and used.mask_frames == plan.mask_frames
        assert done["relationship"] == (choices.get("relationship", "LIN") or "DISP")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.npy", "out.npy"]


@pytest.mark.parametrize("choices", [{}, {"subtract": "never"}, {"order": "deblur-first"}])
def test_plans_by_the_header_of_the_file(shared, tmp_path, model, choices):
    """The frames come as another program shows them; header and planning are the worker's."""
    from DSADeblurLib.lab.simulation.xa_object import write_simulated_run

    message = message_for(tmp_path, model, run={"files": [str(tmp_path / "run.dcm")]}, relationship=None, **choices)
    geometry = dict(focal_spot_mm=1.0, sid_mm=1100, sod_mm=733, imager_pixel_spacing_mm=0.2)
    write_simulated_run(
        tmp_path / "run.dcm", np.load(message["run"]["frames"]), frame_time_ms=100, mask_frames=(1,),
        contrast_frames=(2, 3, 4), **geometry,
    )  # fmt: skip
    shared.tell(**message)
    done = shared.hear("finished", "error")
    assert done["relationship"] == "LIN" and done["used"]["blur_source"] == "geometry"
    assert done["used"]["frame_numbers"] == ([1, 2, 3, 4] if choices.get("subtract") else [2, 3, 4])
    assert (done["subtraction"] is None) == ("subtract" in choices)
    if "order" not in choices:
        np.testing.assert_array_equal(np.load(done["output"]), direct(message)[0])


def test_what_is_not_known_is_told(shared, tmp_path, model):
    """While it works, and again at the end."""
    message = message_for(tmp_path, model, run={"note": "There is no header."}, relationship=None, mask_frames=[1])
    shared.tell(**message)
    told = []
    while (answer := shared.hear("notice", "finished"))["type"] == "notice":
        told.append(answer["message"])
    assert told == answer["notices"] and told[0] == "There is no header." and "unknown meaning" in told[1]
    (tmp_path / "other.txt").write_text("hello")
    shared.tell(**message_for(tmp_path, model, run={"files": [str(tmp_path / "other.txt")]}))
    assert shared.hear("finished")["notices"] == ["Not a DICOM file."]


def test_is_ready_and_ends_with_stdin(worker):
    ready = worker.hear("ready")
    assert ready["protocol"] == 6 and ready["version"] and set(ready["engines"]) <= {"openvino", "torch"}
    assert worker.end() == 0


def test_all_frames_with_other_controls(shared, tmp_path, model):
    """As a deblurring with them gives them, while the process may be another one."""
    kept = str(tmp_path / "kept")
    shared.tell(**message_for(tmp_path, model), keep=kept)
    assert shared.hear("finished")["kept"] == kept
    other = message_for(tmp_path, model, sharpness=0.5, noise_reduction=0.25)
    expected, _, _ = direct(other)
    message = {"type": "recombine", "job": "b", "request": other["request"], "output": str(tmp_path / "again.npy")}
    shared.tell(**message, kept=kept)
    assert (shared.hear("progress")["total"], shared.hear("finished")["output"]) == (4, message["output"])
    again = np.load(tmp_path / "again.npy")
    assert again.dtype == expected.dtype and np.array_equal(again, expected)
    for changes, words in (({}, "lacks a part"), ({"kept": 1}, "of another kind"), ({"kept": "/nowhere"}, "/nowhere")):
        shared.tell(**message, **changes)
        assert words in shared.hear("error")["message"]
    shared.tell(type="cancel", job="b")
    shared.tell(**message, kept=kept)
    assert shared.hear("cancelled", "finished") == {"type": "cancelled", "job": "b"}


def test_how_far_a_result_can_be_trusted(shared, tmp_path, model):
    kept = str(tmp_path / "kept")
    shared.tell(**message_for(tmp_path, model), keep=kept)
    message = {"type": "trust", "job": "t", "kept": kept, "output": str(tmp_path / "map.npy")}
    shared.tell(**message, used=shared.hear("finished")["used"])
    done = shared.hear("finished")
    assert done["job"] == "t" and done["trust"]["sentence"].endswith("lets through.")
    found = np.load(done["output"])
    assert found.dtype == np.uint8 and found.shape == np.load(tmp_path / "kept" / "frame.npy").shape
    assert found.mean() == pytest.approx(done["trust"]["unexplained"])
    shared.tell(**message)
    assert "lacks a part" in shared.hear("error")["message"]


@pytest.mark.slow
def test_check_deblurs_a_trial_tile_and_says_what_did_it(shared):
    shared.tell(type="check", job="c")
    done = shared.hear("finished")
    assert done["job"] == "c" and done["engine"] in ("openvino", "torch") and done["reason"].endswith(".")


def test_progress_counts_to_the_end_and_estimates_the_rest(shared, tmp_path, model):
    shared.tell(**message_for(tmp_path, model, shape=(6, 128, 128), tile=16))
    seen = []
    while (message := shared.hear("progress", "finished"))["type"] == "progress":
        seen.append(message)
    assert seen[-1]["done"] == seen[-1]["total"] and seen[-1]["seconds_left"] == 0
    assert [one["done"] for one in seen] == sorted(one["done"] for one in seen)
    assert all(one["seconds_left"] is None or one["seconds_left"] >= 0 for one in seen)


@pytest.mark.slow
def test_cancel_within_a_job_leaves_nothing_and_the_process_goes_on(worker, tmp_path, model):
    many = dict(shape=(200, 128, 128), tile=16)
    worker.tell(**message_for(tmp_path, model, **many))
    while worker.hear("progress")["done"] == 0:
        pass
    worker.tell(type="cancel", job="a")
    assert worker.hear("cancelled", "finished") == {"type": "cancelled", "job": "a"}
    assert [path.name for path in tmp_path.iterdir()] == ["in.npy"]
    worker.tell(type="cancel", job="c")
    worker.tell(**message_for(tmp_path, model, job="b"))
    assert worker.hear("finished", "cancelled", "error")["type"] == "finished"
    worker.tell(**message_for(tmp_path, model, job="c"))
    assert worker.hear("finished", "cancelled", "error") == {"type": "cancelled", "job": "c"}


@pytest.mark.slow
@pytest.mark.parametrize("how", ["shutdown", "close"])
def test_ends_within_a_job_when_nobody_listens(worker, tmp_path, model, how):
    worker.tell(**message_for(tmp_path, model, shape=(200, 128, 128), tile=16))
    worker.hear("progress")
    if how == "shutdown":
        worker.tell(type="shutdown")
        assert worker.process.wait(600) == 0
    else:
        assert worker.end() == 0
    assert [path.name for path in tmp_path.iterdir()] == ["in.npy"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model": "no-such-model"}, "no-such-model"),
        ({"run": {"frames": "/nowhere/in.npy"}}, "/nowhere/in.npy"),
        ({"strength": 2}, "Strength must be"),
        ({"noise_reduction": 2}, "Noise reduction must be"),
        ({"colour": 2}, "There is no choice 'colour'."),
        ({"frame_range": [3, 9]}, "the run has 4"),
        ({"frame_range": [3, 9], "mask_frames": [1]}, "the run has 4"),
        ({"mask_frames": [7]}, "Mask frame 7 does not exist"),
        ({"subtract": "always"}, "This run has no usable mask"),
        ({"subtract": "never", "mask_frames": [1]}, "'never' forbids"),
        ({"mask_frames": [1], "mask_shift": [100, 0]}, "is larger than the image"),
        ({"blur": "header"}, "The header does not say how wide the blur is"),
        ({"relationship": "SQUARE"}, "SQUARE"),
    ],
)
def test_bad_job_is_one_sentence_and_the_process_goes_on(shared, tmp_path, model, changes, words):
    shared.tell(**message_for(tmp_path, model, **changes))
    check_refused(shared, tmp_path, words)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"type": "sing"}, "does not know"),
        ({"request": []}, "The choices must be values by name."),
        ({"request": None}, "The choices must be values by name."),
        ({"output": 1}, "of another kind"),
        ({"keep": 1}, "of another kind"),
        ({"run": {"frames": "", "files": [1], "note": ""}}, "of another kind"),
        ({"run": []}, "lacks a part"),
        ({"run": {}}, "lacks a part"),
        ({"run": {"frames": 1, "files": [], "note": ""}}, "of another kind"),
        ({"run": {"frames": "", "files": "no", "note": ""}}, "of another kind"),
    ],
)
def test_message_that_is_no_job(shared, tmp_path, model, changes, words):
    shared.tell(**{**message_for(tmp_path, model), **changes})
    check_refused(shared, tmp_path, words)


@pytest.mark.parametrize("part", ["request", "run", "output"])
def test_message_that_lacks_a_part(shared, tmp_path, model, part):
    message = message_for(tmp_path, model)
    del message[part]
    shared.tell(**message)
    check_refused(shared, tmp_path, "The job lacks a part that it needs; restart Slicer.")


def check_refused(shared, tmp_path, words):
    answer = shared.hear("error", "finished")
    assert answer["type"] == "error" and answer["job"] == "a"
    assert words in answer["message"] and "\n" not in answer["message"] and "Traceback" not in answer["message"]
    assert not (tmp_path / "out.npy").exists() and not list(tmp_path.glob("*.part"))


def test_line_that_is_no_message(shared):
    for line in ("{", "[]", "1", "[" * 200_000, '{"type":' * 100_000):
        shared.tell_line(line)
        assert "unreadable" in shared.hear("error")["message"]
    shared.tell_line("")


def test_says_that_it_is_alive_during_a_job(tmp_path):
    """However long a tile takes: here one ends when the heartbeat was heard."""
    script = (
        "import threading, DSADeblurLib.worker as worker\n"
        "worker._HEARTBEAT_SECONDS = 0.01\n"
        "heard = threading.Event()\n"
        "def deblur(self, job, message):\n"
        "    assert heard.wait(600)\n"
        "    raise ValueError('Heard.')\n"
        "worker.Worker._deblur = deblur\n"
        "truly = worker.json.dumps\n"
        "def dumps(message, **more):\n"
        "    if message['type'] == 'alive': heard.set()\n"
        "    return truly(message, **more)\n"
        "worker.json.dumps = dumps\n"
        "worker.main()\n"
    )
    process = Process("-c", script)
    ready = process.hear("ready")
    assert ready["pid"] == process.process.pid
    process.tell(type="deblur", job="a")
    assert process.hear("alive") == {"type": "alive"} and process.hear("error")["message"] == "Heard."
    assert process.end() == 0


def test_stray_prints_do_not_reach_the_protocol():
    script = (
        "import os, sys, DSADeblurLib.worker as worker\n"
        "def run(self):\n"
        "    print('python noise'); os.system('echo system noise'); os.write(1, b'raw noise\\n')\n"
        "    self._send({'type': 'ready', 'text': '\\u00e4'}); return 0\n"
        "worker.Worker.run = run\n"
        "sys.exit(worker.main())\n"
    )
    process = Process("-c", script)
    assert process.hear("ready")["text"] == "\u00e4"  # noise on stdout would not have been JSON
    assert process.end() == 0 and process.process.stderr.read().count("noise") == 3


@pytest.mark.slow
def test_needs_no_package_that_slicer_lacks(small_model):
    """Slicer 5.12 bundles numpy, scipy and pydicom; PyTorch's extension brings torch. Nothing else may be needed."""
    code = (
        "import sys\n"
        # None is how Python itself marks a module that cannot be found.
        "absent = 'safetensors', 'skimage', 'matplotlib', 'tqdm', 'rich', 'filelock', 'openvino', 'gdcm'\n"
        "absent += ('pandas', 'dicomanonymizer')\n"
        "sys.modules.update(dict.fromkeys(absent))\n"
        "import numpy as np\n"
        "from DSADeblurLib import worker\n"
        "from DSADeblurLib import pictures, pipeline, xa\n"
        "from DSADeblurLib.measurement import calibration, opacification\n"
        "from DSADeblurLib.restoration.deblur import deblur\n"
        "from DSADeblurLib.restoration.package import load_model\n"
        "frames = np.random.default_rng(0).normal(size=(1, 32, 32)).astype(np.float32)\n"
        "print(deblur(frames, load_model(sys.argv[1])).frames.shape)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(small_model.card.folder)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "(1, 32, 32)"
