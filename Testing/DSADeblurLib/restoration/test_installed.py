"""Either engine is enough to deblur, by shell and worker, and neither is imported before it is needed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest

from DSADeblurLib.extras import is_installed
from DSADeblurLib.request import DeblurRequest
from DSADeblurLib.restoration import installed

ROOT = Path(__file__).resolve().parents[3]
# The estimator of the blur runs too.
CHOICES = {"model": "compact", "device": "cpu", "precision": "float32", "blur": "frames"}
BLOCK = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ImportError(f"{name} is blocked")
sys.meta_path.insert(0, Blocked())
"""


@pytest.fixture
def without(tmp_path):
    """Run Python where packages cannot be imported: arguments of Python, what goes in; what came out."""

    def run(blocked, *arguments, told=""):
        (tmp_path / "sitecustomize.py").write_text(f"BLOCKED = {blocked!r}\n{BLOCK}", encoding="utf-8")
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(tmp_path), str(ROOT))), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, *map(str, arguments)]
        return subprocess.run(command, input=told, capture_output=True, text=True, env=environment)

    return run


def by_shell(without, blocked, run, folder, *words):
    """Exit status, what was said, and the frames of the result."""
    options = [word for name, value in CHOICES.items() for word in (f"--{name}", value)]
    done = without(blocked, "-m", "DSADeblurLib", "deblur", run, "--output", folder, *options, *words)
    results = list(folder.glob("*.dcm"))
    return done, pydicom.dcmread(results[0]).pixel_array if results else None


def by_worker(without, blocked, folder):
    """The messages of a worker that deblurs frames.npy, and the frames of the result."""
    run = {"frames": str(folder / "frames.npy"), "files": [], "note": ""}
    request = DeblurRequest.of(**CHOICES).as_dict()
    job = {"type": "deblur", "job": "a", "run": run, "request": request, "output": str(folder / "out.npy")}
    lines = "\n".join(map(json.dumps, (job, {"type": "check", "job": "b"})))
    # Its end of stdin would cancel the jobs; it is closed when the last one has been answered.
    code = (
        "import io, sys, threading; from DSADeblurLib import worker\n"
        "answered = threading.Event()\n"
        "def lines():\n"
        "    yield from sys.stdin\n"
        "    answered.wait()\n"
        "def send(message):\n"
        "    import json; print(json.dumps(message), flush=True)\n"
        "    if message['type'] == 'error' or message.get('job') == 'b': answered.set()\n"
        "inbox = worker.Inbox(lines()); inbox.start()\n"
        "worker.Worker(inbox, send).run()\n"
        "print(sorted({'torch', 'openvino'} & set(sys.modules)), file=sys.stderr)\n"
    )
    done = without(blocked, "-c", code, told=lines)
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    return messages, np.load(folder / "out.npy") if (folder / "out.npy").exists() else done.stderr


@pytest.mark.slow
@pytest.mark.skipif(not (is_installed("openvino") and is_installed("torch")), reason="needs both engines")
def test_either_engine_alone_gives_what_both_give(without, make_run, tmp_path):
    run = make_run(rows=64, columns=80, count=4)
    frames = np.random.default_rng(0).normal(2000, 300, (2, 48, 64)).astype(np.float32)
    shells, workers = {}, {}
    for missing, engine in (("", "torch"), ("openvino", "torch"), ("torch", "openvino")):
        folder = tmp_path / (missing or "both")
        folder.mkdir()
        np.save(folder / "frames.npy", frames)
        blocked = (missing,)
        words = () if missing else ("--engine", "torch")
        done, shells[missing] = by_shell(without, blocked, run.path, folder / "out", *words)
        assert done.returncode == 0, done.stderr
        assert ("OpenVINO is used, because PyTorch is not installed.\n" in done.stderr) == (missing == "torch")
        used = json.loads((folder / "out" / "manifest.json").read_text())["runs"][0]["used"]
        assert used["engine"] == engine and used["blur_source"] == "frames"
        if missing:
            messages, workers[missing] = by_worker(without, blocked, folder)
            ready, checked = messages[0], messages[-1]
            assert set(ready["engines"]) == {engine} and (checked["type"], checked["engine"]) == ("finished", engine)
    np.testing.assert_array_equal(shells["openvino"], shells[""])
    # As the stored values are rounded.
    assert np.abs(shells["torch"].astype(int) - shells[""]).max() <= 1
    assert np.abs(workers["torch"] - workers["openvino"]).max() <= 1e-5 * np.ptp(workers["openvino"])
    assert np.abs(workers["torch"] - frames).max() > 1


@pytest.mark.slow
def test_without_both_one_sentence_says_how_to_get_one(without, make_run, tmp_path):
    both = ("openvino", "torch")
    done, frames = by_shell(without, both, make_run().path, tmp_path / "out")
    assert (done.returncode, frames) == (2, None) and not (tmp_path / "out").exists()
    assert done.stderr == "dsadeblur: Deblurring needs OpenVINO or PyTorch: pip install openvino\n"
    np.save(tmp_path / "frames.npy", np.zeros((1, 32, 32), np.float32))
    messages, _ = by_worker(without, both, tmp_path)
    assert [message["type"] for message in messages] == ["error"] and messages[0]["job"] is None
    assert "Neither OpenVINO nor PyTorch is installed" in messages[0]["message"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("missing", "words", "sentence"),
    [
        ("openvino", ("--engine", "openvino"), "--engine openvino needs what is not installed"),
        ("torch", ("--engine", "torch"), "--engine torch needs what is not installed"),
        ("torch", ("--device", "cuda"), "--device cuda needs what is not installed"),
    ],
)
def test_an_engine_that_was_asked_for_and_is_missing(without, make_run, tmp_path, missing, words, sentence):
    done, _ = by_shell(without, (missing,), make_run().path, tmp_path / "out", *words)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and not (tmp_path / "out").exists()
    assert sentence in done.stderr and f"pip install {missing}" in done.stderr


@pytest.mark.slow
def test_neither_is_imported_before_it_is_needed(without, make_run):
    code = (
        "import sys; from DSADeblurLib import batch, deidentify, measurement, pictures, pipeline, worker, xa\n"
        "from DSADeblurLib.cli import main\n"
        "from DSADeblurLib.restoration import deblur, export, package, selection\n"
        "assert main(['info', sys.argv[1]]) == 0\n"
        "assert not {'torch', 'openvino'} & set(sys.modules)\n"
    )
    done = without((), "-c", code, make_run().path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("nothing.txt", "", "Fake is not installed"),
        ("fake_engine/part.txt", "", "Fake is not installed"),
        ("fake_engine/__init__.py", "", "Fake is only half installed"),
        (
            "fake_engine.py",
            "raise OSError('libcudart is missing.\\nTry ...')",
            "does not load (OSError: libcudart is missing)",
        ),
        ("fake_engine.py", "__version__ = '1'", ""),
    ],
)
def test_an_installation_is_whole_or_told(tmp_path, monkeypatch, name, text, words):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(installed.ENGINES, "fake_engine", "Fake")
    monkeypatch.delitem(sys.modules, "fake_engine", raising=False)
    found = installed.problem_of.__wrapped__("fake_engine")
    monkeypatch.delitem(sys.modules, "fake_engine", raising=False)
    assert words in found and bool(found) == bool(words)
