"""The step of a batch: what it asks for, and the model that it loads once a process, wherever it is sent."""

import errno
import pickle
import subprocess
import sys
from dataclasses import asdict, replace

import numpy as np
import pytest

from DSADeblurLib.batch import DeblurStep
from DSADeblurLib.batch import step as step_module
from DSADeblurLib.batch.folder import is_disk_full
from DSADeblurLib.lab.simulation.xa_object import write_simulated_run
from DSADeblurLib.request import DeblurRequest
from DSADeblurLib.restoration import deblur, package
from DSADeblurLib.restoration.package import load_model
from DSADeblurLib.used import Used
from DSADeblurLib.xa import XAWriteError

FAST = DeblurRequest.of(device="cpu", engine="torch", precision="float32", frame_range=(1, 2))


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
    assert deblur.load_model is load_model  # it may load another one, to estimate the blur
    monkeypatch.setattr(package, "load_model", lambda name: loaded.append(name) or load_model(name))
    step = DeblurStep.of(small_model, FAST)
    assert step([source], tmp_path / "a.dcm").error is None and not loaded
    monkeypatch.setattr(step_module, "_models", {})
    sent = pickle.loads(pickle.dumps(step))
    assert len(pickle.dumps(step)) < 4000
    for name in "bcd":
        assert sent([source], tmp_path / f"{name}.dcm").used["frame_numbers"] == [1, 2]
    assert loaded == [str(small_model.card.folder)]


def test_another_model_is_refused(tmp_path, source, small_model):
    step = replace(DeblurStep.of(small_model, FAST), model_sha256="0" * 64)
    outcome = step([source], tmp_path / "out.dcm")
    assert "is another one (SHA-256 differs); install the same there." in outcome.error
    assert not (tmp_path / "out.dcm").exists()


def test_bundled_model_goes_by_its_name():
    from DSADeblurLib.paths import models_folder

    if not (models_folder() / "compact").is_dir():
        pytest.skip("the model compact is not there")
    assert DeblurStep.of(load_model("compact"), FAST).model == "compact"


def test_fingerprint_is_of_json_and_tells_choices_apart(small_model):
    import json

    request = FAST.with_choices(mask_frames=(1, 2))
    step = DeblurStep.of(small_model, request)
    assert json.loads(json.dumps(step.fingerprint())) == step.fingerprint()
    others = [
        DeblurStep.of(small_model, request.with_choices(**change))
        for change in ({"sharpness": 0.5}, {"noise_reduction": 0.25}, {"mask_frames": (1, 3)}, {"compression": "rle"})
    ]
    others.append(replace(step, model_sha256="0" * 64))
    assert all(other.fingerprint() != step.fingerprint() for other in others)
    assert DeblurStep.of(small_model, request.with_choices(model="elsewhere")).fingerprint() == step.fingerprint()


def test_outcome_tells_what_was_asked_and_what_was_used(tmp_path, source, small_model):
    import json

    outcome = DeblurStep.of(small_model, FAST)([source], tmp_path / "out.dcm")
    again = json.loads(json.dumps(asdict(outcome)))
    assert DeblurRequest.from_dict(again["request"]) == FAST.with_choices(model=small_model.card.name)
    used = Used.from_dict(again["used"])
    assert (used.model, used.model_sha256) == (small_model.card.name, small_model.sha256)
    assert (used.device, used.engine, used.precision) == ("cpu", "torch", "float32")
    assert used.frame_numbers == (1, 2) and used.mask_frames == () and used.as_dict() == again["used"]


@pytest.mark.slow
def test_threads_are_as_told(tmp_path, source, small_model):
    """In a process of its own, for PyTorch keeps the number."""
    code = (
        "import sys, pathlib, torch; from DSADeblurLib.batch import DeblurStep;"
        "from DSADeblurLib.request import DeblurRequest; from DSADeblurLib.restoration.package import load_model;"
        "step = DeblurStep.of(load_model(sys.argv[1]), DeblurRequest.of(device='cpu', engine='torch'));"
        "outcome = step([pathlib.Path(sys.argv[2])], pathlib.Path(sys.argv[3]), threads=3);"
        "print(outcome.error, torch.get_num_threads())"
    )
    words = [str(small_model.card.folder), str(source), str(tmp_path / "out.dcm")]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
    assert done.stdout.strip() == "None 3", done.stderr


def test_what_any_frame_showed_is_said_of_the_result(tmp_path, make_run, edit, small_model):
    """Opening a run looks at the first, the middle and the last frame; its result is made of all of them."""
    made = make_run()
    frames = made.frames.copy()
    frames[1, 0, 0] = 5000
    step = DeblurStep.of(small_model, FAST.with_choices(frame_range=(1, 3)))
    outcome = step([edit(made.path, PixelData=frames.tobytes())], tmp_path / "out.dcm")
    assert outcome.error is None and sum("clipped to 4095" in warning for warning in outcome.warnings) == 1
    assert "clipped" not in "".join(step([made.path], tmp_path / "whole.dcm").warnings)


def test_full_disk_is_seen_behind_other_errors(tmp_path, source, small_model, monkeypatch):
    """It is no outcome of the one run; any other failure is."""

    def fail(number):
        def write(*arguments, **more):
            try:
                raise OSError(number, "told by the system")
            except OSError as error:
                raise XAWriteError("Cannot write.") from error

        monkeypatch.setattr("DSADeblurLib.pipeline.write_derived", write)

    step = DeblurStep.of(small_model, FAST)
    fail(errno.EACCES)
    assert step([source], tmp_path / "out.dcm").error == "Cannot write."
    fail(errno.ENOSPC)
    with pytest.raises(XAWriteError) as told:
        step([source], tmp_path / "out.dcm")
    assert is_disk_full(told.value) and not is_disk_full(ValueError())
