"""A training that is stopped keeps its steps, ends in time, and says on its card that it was stopped."""

import json
import os
import signal
from dataclasses import replace
from types import SimpleNamespace
from unittest.mock import create_autospec

import pytest
import torch
from safetensors import safe_open

from DSADeblurLib.cli import FINE, INTERRUPTED, main
from DSADeblurLib.lab.training import pool, recipes, stopping, trainer
from DSADeblurLib.lab.training.stopping import Stop, TrainingStopped
from DSADeblurLib.lab.training.trainer import CHECKPOINT, LOG, Session, train
from DSADeblurLib.lab.training.validation import HeldOut
from DSADeblurLib.restoration.architecture import RDNArchitecture, UNetArchitecture
from DSADeblurLib.restoration.package import load_model

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.slow]
STEPS = 12


@pytest.fixture(scope="module")
def held_out():
    return HeldOut(1, 96, 1)


@pytest.fixture
def quick(small_pool, held_out, monkeypatch):
    """The recipe `quick`, in small."""
    tiny = replace(
        recipes.QUICK, architecture=RDNArchitecture(features=4, growth=4, blocks=1, layers=2), patch=32, batch=16,
        steps=STEPS, pool=small_pool.options,
    )  # fmt: skip
    monkeypatch.setitem(recipes.RECIPES, "quick", tiny)
    monkeypatch.setattr(trainer, "HeldOut", create_autospec(trainer.HeldOut, return_value=held_out))
    return tiny


@pytest.fixture
def command(small_pool):
    return lambda folder, *more: main(
        ["train", "--recipe", "quick", "--device", "cpu", "--pool", str(small_pool.folder), "--output", str(folder)]
        + list(more)
    )


def steps_kept(folder) -> int:
    with safe_open(folder / CHECKPOINT, framework="pt") as file:
        return int(file.metadata()["step"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_within_a_step_keeps_every_step_and_resumes_exactly(
    tmp_path, quick, command, small_pool, held_out, monkeypatch, capsys, number
):
    straight, _ = train(quick, tmp_path / "straight", pool=small_pool.folder, held_out=held_out, show_progress=False)

    class Interrupted(Session):
        def learn(self, patches):
            if self.step == 6:
                os.kill(os.getpid(), number)
            return super().learn(patches)

    with monkeypatch.context() as patched:
        patched.setattr(trainer, "Session", Interrupted)
        assert command(tmp_path / "halves") == INTERRUPTED
    assert steps_kept(tmp_path / "halves") == 7
    captured = capsys.readouterr()
    assert f"Stopped early, after step 7 of 12, because {number.name} came; --resume goes on." in captured.err
    stopped = load_model(json.loads(captured.out.splitlines()[-1])["model"]).card
    assert stopped.training["validation_psnr_gain_db"] == {}  # whoever sent a signal waits
    assert stopped.training["stopped_early"] == f"after step 7 of 12, because {number.name} came"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert command(tmp_path / "halves", "--resume") == FINE
    resumed = load_model(tmp_path / "halves" / "model")
    for (name, value), other in zip(straight.state_dict().items(), resumed.network.state_dict().values(), strict=True):
        assert torch.equal(value, other), name
    assert resumed.card.training["stopped_early"] is None
    assert not any("stopped early" in limit for limit in resumed.card.limits)


def test_the_last_step_is_kept_before_it_is_validated(tmp_path, quick, small_pool, held_out, monkeypatch):
    def killed(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(held_out, "gains", killed)
    with pytest.raises(KeyboardInterrupt):
        train(quick, tmp_path, pool=small_pool.folder, held_out=held_out, show_progress=False)
    assert steps_kept(tmp_path) == STEPS


def test_a_signal_ends_a_validation(tmp_path, quick, small_pool, held_out, monkeypatch):
    gains, sent = held_out.gains, []

    def signalled(*arguments, **named):
        if not sent:
            sent.append(os.kill(os.getpid(), signal.SIGTERM))
        return gains(*arguments, **named)

    monkeypatch.setattr(held_out, "gains", signalled)
    _, summary = train(
        quick, tmp_path, pool=small_pool.folder, held_out=held_out, validate_every=5, show_progress=False
    )
    assert summary["interrupted"] and summary["psnr_gain_db"] == {} and steps_kept(tmp_path) == 6
    assert json.loads((tmp_path / LOG).read_text().splitlines()[0])["psnr_gain_db"] == {}


def test_a_second_signal_ends_at_once():
    stop = Stop(None, lambda: False)
    with pytest.raises(KeyboardInterrupt), stop.keeping():
        signal.raise_signal(signal.SIGINT)
        assert stop.signalled() and stop.cause() == "SIGINT came"
        signal.raise_signal(signal.SIGINT)


def test_what_its_time_ended_is_marked_on_its_card(tmp_path, quick, command):
    assert command(tmp_path, "--minutes", "0") == FINE
    card = load_model(tmp_path / "model").card
    assert card.training["stopped_early"] == "after step 1 of 12, because its time was over"
    assert card.training["validation_psnr_gain_db"]
    assert card.limits[0] == "Training was stopped early, after step 1 of 12, because its time was over."


@pytest.fixture
def rendering(monkeypatch):
    """Sets the seconds, of a clock of its own, that each shard takes."""
    now = [0.0]
    monkeypatch.setattr(stopping, "time", SimpleNamespace(monotonic=lambda: now[0]))
    render = pool._render_shard

    def takes(seconds):
        def slowly(*arguments):
            now[0] += seconds
            render(*arguments)

        monkeypatch.setattr(pool, "_render_shard", slowly)

    return takes


def test_rendering_counts(tmp_path, quick, held_out, rendering):
    rendering(40)
    _, summary = train(quick, tmp_path, held_out=held_out, minutes=1, show_progress=False)
    assert summary["stopped_early"] == "after step 1 of 12, because its time was over"


def test_rendering_ends_with_the_time_and_keeps_what_it_has(tmp_path, quick, held_out, rendering):
    rendering(70)
    with pytest.raises(TrainingStopped, match="before the first step"):
        train(quick, tmp_path, held_out=held_out, minutes=1, show_progress=False)
    assert [path.name for path in (tmp_path / "pool").glob("shard-?????.npy")] == ["shard-00000.npy"]


def test_the_estimator_ends_with_the_time(tmp_path, quick, small_pool, held_out, monkeypatch):
    # The clock goes on by a second whenever it is asked.
    clock = iter(range(1000))
    monkeypatch.setattr(stopping, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    architecture = UNetArchitecture(features=4, growth=4, levels=1, attention_reduction=0, modulated=True)
    recipe = replace(quick, architecture=architecture, estimator_steps=999)
    with pytest.raises(TrainingStopped):
        train(recipe, tmp_path, pool=small_pool.folder, held_out=held_out, minutes=0.1, show_progress=False)


def test_minutes_begin_where_the_caller_says(monkeypatch):
    monkeypatch.setattr(stopping, "time", SimpleNamespace(monotonic=lambda: 100.0))
    assert Stop(1, lambda: False).cause() is None
    assert Stop(1, lambda: False, began=30.0).cause() == "its time was over"
    assert Stop(None, lambda: True).cause() == "it was cancelled"
