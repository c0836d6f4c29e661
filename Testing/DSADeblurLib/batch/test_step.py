"""The step of a batch: what it asks for, and the model that it loads once a process, wherever it is sent."""

import errno
import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from DSADeblurLib.batch import DeblurStep
from DSADeblurLib.batch import step as step_module
from DSADeblurLib.batch.folder import is_disk_full
from DSADeblurLib.lab.simulation.xa_object import write_simulated_run
from DSADeblurLib.pipeline import RunOptions
from DSADeblurLib.request import DeblurSettings
from DSADeblurLib.restoration import package
from DSADeblurLib.restoration.package import load_model
from DSADeblurLib.xa import XAWriteError

FAST = DeblurSettings(device="cpu", engine="torch", precision="float32", frames=(1, 2))


@pytest.fixture
def source(tmp_path):
    frames = np.random.default_rng(0).integers(500, 3000, (3, 32, 32)).astype(np.uint16)
    return write_simulated_run(
        tmp_path / "run.dcm",
        frames,
        frame_time_ms=100,
        focal_spot_mm=None,
        sid_mm=None,
        sod_mm=None,
        imager_pixel_spacing_mm=None,
    )


def test_model_is_loaded_once_a_process(tmp_path, source, small_model, monkeypatch):
    loaded = []
    monkeypatch.setattr(package, "load_model", lambda name: loaded.append(name) or load_model(name))
    step = DeblurStep.of(small_model, FAST, RunOptions())
    assert step(source, tmp_path / "a.dcm").error is None and not loaded
    monkeypatch.setattr(step_module, "_models", {})
    sent = pickle.loads(pickle.dumps(step))
    assert len(pickle.dumps(step)) < 4000
    for name in "bcd":
        assert sent(source, tmp_path / f"{name}.dcm").frames == [1, 2]
    assert loaded == [str(small_model.card.folder)]


def test_another_model_is_refused(tmp_path, source, small_model):
    step = replace(DeblurStep.of(small_model, FAST, RunOptions()), model_sha256="0" * 64)
    outcome = step(source, tmp_path / "out.dcm")
    assert "is another one (SHA-256 differs); install the same there." in outcome.error
    assert not (tmp_path / "out.dcm").exists()


def test_bundled_model_goes_by_its_name():
    from DSADeblurLib.paths import models_folder

    if not (models_folder() / "compact").is_dir():
        pytest.skip("the model compact is not there")
    assert DeblurStep.of(load_model("compact"), FAST, RunOptions()).model == "compact"


def test_asked_is_of_json_and_tells_choices_apart(small_model):
    import json

    step = DeblurStep.of(small_model, FAST, RunOptions(mask_frames=(1, 2)))
    assert json.loads(json.dumps(step.asked())) == step.asked()
    others = [
        replace(step, settings=replace(FAST, sharpness=0.5)),
        replace(step, settings=replace(FAST, noise_reduction=0.25)),
        replace(step, options=RunOptions(mask_frames=(1, 3))),
        replace(step, model_sha256="0" * 64),
    ]
    assert all(other.asked() != step.asked() for other in others)


def test_threads_are_as_told(tmp_path, source, small_model):
    """In a process of its own, for PyTorch keeps the number."""
    code = (
        "import sys, pathlib, torch; from DSADeblurLib.batch import DeblurStep;"
        "from DSADeblurLib.pipeline import RunOptions; from DSADeblurLib.restoration.package import load_model;"
        "from DSADeblurLib.request import DeblurSettings;"
        "step = DeblurStep.of(load_model(sys.argv[1]), DeblurSettings(device='cpu', engine='torch'), RunOptions());"
        "outcome = step(pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]), threads=3);"
        "print(outcome.error, torch.get_num_threads())"
    )
    words = [str(small_model.card.folder), str(source), str(tmp_path / "out.dcm")]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
    assert done.stdout.strip() == "None 3", done.stderr


def test_full_disk_is_seen_behind_other_errors(tmp_path, source, small_model, monkeypatch):
    """It is no outcome of the one run; any other failure is."""

    def fail(number):
        def write(*arguments, **more):
            try:
                raise OSError(number, "told by the system")
            except OSError as error:
                raise XAWriteError("Cannot write.") from error

        monkeypatch.setattr("DSADeblurLib.pipeline.write_derived", write)

    step = DeblurStep.of(small_model, FAST, RunOptions())
    fail(errno.EACCES)
    assert step(source, tmp_path / "out.dcm").error == "Cannot write."
    fail(errno.ENOSPC)
    with pytest.raises(XAWriteError) as told:
        step(source, tmp_path / "out.dcm")
    assert is_disk_full(told.value) and not is_disk_full(ValueError())
