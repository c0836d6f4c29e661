"""Training from scenes made meanwhile: annealed when the time is up, resumable, and a package at the end."""

import json
import multiprocessing
import os
import signal
from dataclasses import replace
from unittest.mock import create_autospec

import numpy as np
import pytest
import torch

from DSADeblurLib.cli import FINE, SOME_FAILED, WRONG_USE, main
from DSADeblurLib.lab.training import online, recipes
from DSADeblurLib.lab.training.checkpoint import notes_in
from DSADeblurLib.lab.training.online import (
    COMPARED,
    SCENES_LOG,
    BatchMaker,
    Plan,
    restarted_peak,
    train_online,
)
from DSADeblurLib.lab.training.pool import PoolOptions
from DSADeblurLib.lab.training.recipes import LARGE, RECIPES, OnlineRecipe
from DSADeblurLib.lab.training.scene_ring import SceneRing
from DSADeblurLib.lab.training.trainer import CHECKPOINT, LOG, Session
from DSADeblurLib.restoration.architecture import UNetArchitecture
from DSADeblurLib.restoration.build_network import build_network
from DSADeblurLib.restoration.network import operations_per_pixel
from DSADeblurLib.restoration.package import load_model

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.slow]

TINY = OnlineRecipe(
    name="tiny",
    architecture=UNetArchitecture(features=4, growth=2, levels=1, frames=3, attention_reduction=0, modulated=True),
    patch=16,
    batch=8,
    pool=PoolOptions(scenes=4, side=32, frames=3, size=64),
    validation=(1, 96),
)


class Clock:
    """Goes on by a second whenever it is read."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


@pytest.fixture(scope="module")
def full_ring() -> SceneRing:
    """Four scenes, and no process that makes more."""
    with SceneRing(TINY.pool, 1) as ring:
        ring.wait(4)
    return ring


@pytest.fixture
def without_processes(monkeypatch, full_ring):
    """Trainings draw from these scenes."""
    monkeypatch.setattr(online, "SceneRing", create_autospec(online.SceneRing, return_value=full_ring))


@pytest.fixture
def rates(monkeypatch) -> list[float]:
    """The learning rates of all steps."""
    used = []

    class Watched(Session):
        def descend(self, frames, truths, blur_condition, spots, rate):
            used.append(rate)
            return super().descend(frames, truths, blur_condition, spots, rate)

    monkeypatch.setattr(online, "Session", Watched)
    return used


def lines(path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_large_is_within_its_compute():
    network = build_network(LARGE.architecture)
    assert 250 < operations_per_pixel(network) * 2**20 / 1e9 < 350
    assert LARGE.batch >= 64 and LARGE.patch == 128 and LARGE.architecture.frames == 5
    assert RECIPES["large"] is LARGE


def test_regions_are_twice_the_patch():
    with pytest.raises(ValueError, match="twice the patch"):
        replace(TINY, patch=20)


def test_the_rate_follows_the_clock():
    """Whatever the number of steps: up, then down to a hundredth when the minutes are over."""
    times = iter([0.0, 1.0, 3.0, 50.0, 75.0, 99.5, 100.0, 500.0])
    plan = Plan(TINY, 1e-3, 0.0, 100.0, lambda: next(times))
    rates = [plan.rate() for _ in range(8)]
    assert rates[0] < 0.02e-3 and rates[2] > 0.9e-3 and rates[3] == pytest.approx(0.505e-3)
    assert rates[2:6] == sorted(rates[2:6], reverse=True)
    assert rates[6] == rates[7] == pytest.approx(1e-5)


def test_a_later_call_begins_lower():
    # Annealed to the end: at half of the former peak. Interrupted early: where the rate was.
    assert restarted_peak(TINY, {"peak": 1e-3, "fraction": 1.0}) == 0.5e-3
    assert restarted_peak(TINY, {"peak": 1e-3, "fraction": 0.25}) == TINY.rate_at(0.25, 1e-3) > 0.8e-3


def test_batches_are_normalised_turned_and_told(full_ring):
    maker = BatchMaker(TINY, full_ring, load_model("quality").network.estimator)
    batches = [maker.batch(step) for step in range(12)]
    for batch in batches:
        assert batch.frames.shape == (8, 3, 16, 16) and batch.truths.shape == (8, 1, 16, 16)
        assert torch.isfinite(batch.frames).all() and torch.isfinite(batch.truths).all()
        blur_condition = batch.blur_condition()
        assert (
            blur_condition.shape == (8, 3)
            and blur_condition.dtype == torch.float32
            and (blur_condition[:, 2] > 0).all()
        )
    frames = torch.cat([batch.frames for batch in batches]).numpy()
    truths = torch.cat([batch.truths for batch in batches]).numpy()
    blurs = np.concatenate([batch.blur_px for batch in batches])
    # Frame and truth are turned together: what differs is blur and noise, far less than if they were not.
    residual, turned = np.abs(frames[:, 1] - truths[:, 0]), np.abs(frames[:, 1] - truths[:, 0, ::-1])
    assert np.median(residual) < 0.7 * np.median(turned)
    assert len(np.unique(blurs[:, 0])) > 75
    # One frame in seven is at an end of its run.
    same = [np.array_equal(frame[0], frame[1]) or np.array_equal(frame[1], frame[2]) for frame in frames]
    assert 0.01 < np.mean(same) < 0.3


def test_rows_and_columns_are_told_as_the_patch_lies(full_ring):
    def estimator(frames):
        return torch.tensor([[1.0, 10.0, 0.3]]).expand(len(frames), 3)

    batch = BatchMaker(TINY, full_ring, estimator).batch(0)
    rows = np.where(batch.turned, 10.0, 1.0)
    estimated = np.isclose(batch.blur_condition()[:, 2], 0.3)
    assert estimated.any() and batch.turned.any() and not batch.turned.all()
    np.testing.assert_allclose(batch.blur_condition()[estimated, 0], rows[estimated])


def test_annealed_and_resumed(tmp_path, rates, monkeypatch):
    """A call of a minute, by a clock that is read a few times a step, and a later one that is interrupted."""
    monkeypatch.setattr(online, "COMPARED", ("quality",))
    quiet = {"workers": 1, "show_progress": False}
    _, first = train_online(TINY, tmp_path, minutes=1, clock=Clock(), **quiet)
    assert first["steps"] == len(rates) > 12 and first["stopped_early"] is None
    assert max(rates) > 0.9 * TINY.learning_rate and rates[-1] < 0.05 * TINY.learning_rate
    notes = notes_in(tmp_path / CHECKPOINT)
    assert notes["fraction"] == 1.0 and notes["next_scene"] >= 4
    assert set(first["psnr_gain_db"]) == set(first["for_card"]["compared_psnr_gain_db"]["quality"])

    rates.clear()
    stop = iter([False] * 6).__next__

    def interrupted() -> bool:
        try:
            return stop()
        except StopIteration:
            raise KeyboardInterrupt from None

    with pytest.raises(KeyboardInterrupt):
        train_online(TINY, tmp_path, minutes=1, clock=Clock(), resume=True, is_cancelled=interrupted, **quiet)
    assert len(rates) == 6 and max(rates) <= 0.5 * TINY.learning_rate
    kept = notes_in(tmp_path / CHECKPOINT)
    assert kept["peak"] == 0.5 * TINY.learning_rate and 0 < kept["fraction"] < 1
    assert kept["next_scene"] > notes["next_scene"]
    assert [entry["step"] for entry in lines(tmp_path / LOG)][-1] == first["steps"] + 6
    scenes = lines(tmp_path / SCENES_LOG)
    assert len({entry["scene"] for entry in scenes}) == len(scenes) >= 5
    assert sum(entry["draws"] for entry in scenes) >= TINY.batch * (first["steps"] + 6)
    assert not [child for child in multiprocessing.active_children() if child.name.startswith("SpawnProcess")]


def test_from_the_command_to_a_package(tmp_path, capsys, monkeypatch, without_processes):
    monkeypatch.setitem(recipes.RECIPES, "tiny", TINY)

    def by_this_clock(*arguments, began, **more):
        return train_online(*arguments, clock=Clock(), **more)

    monkeypatch.setattr(online, "train_online", by_this_clock)
    words = ["train", "--recipe", "tiny", "--output", str(tmp_path), "--device", "cpu", "--workers", "1"]
    assert main([*words, "--minutes", "0.5"]) == FINE
    summary = json.loads(capsys.readouterr().out)
    model = load_model(tmp_path / "model")
    training = model.card.training
    assert model.card.name == "tiny" and training["steps"] == summary["steps"] > 3
    assert set(training["compared_psnr_gain_db"]) == set(COMPARED)
    assert training["pairs"] == 8 * summary["steps"] and training["scenes"] >= 4
    assert "--minutes 0.5" in training["command"]
    # It sees the blur as `quality` does.
    for a, b in zip(
        model.network.estimator.parameters(), load_model("quality").network.estimator.parameters(), strict=True
    ):
        assert torch.equal(a, b)

    assert main(words) == SOME_FAILED
    assert "how many with --minutes" in capsys.readouterr().err
    assert main([*words, "--minutes", "1", "--pool", str(tmp_path)]) == WRONG_USE
    assert "leave out --pool" in capsys.readouterr().err


def test_a_signal_keeps_what_was_learned(tmp_path, without_processes, rates):
    """Nothing is validated any more, and the network comes back with its checkpoint."""

    def after_three_steps() -> bool:
        if len(rates) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return False

    network, summary = train_online(
        TINY, tmp_path, minutes=1, clock=Clock(), show_progress=False, is_cancelled=after_three_steps
    )
    # The step that was asked about is done still.
    assert summary["steps"] == len(rates) == 4 and summary["interrupted"] and summary["psnr_gain_db"] == {}
    assert "SIGTERM" in summary["stopped_early"]
    assert notes_in(tmp_path / CHECKPOINT)["fraction"] < 1
    assert network.architecture == TINY.architecture


def test_a_loss_that_is_not_finite_ends_the_training(tmp_path, monkeypatch, without_processes):
    class Diverging(Session):
        def descend(self, *arguments):
            return torch.tensor(float("nan"))

    monkeypatch.setattr(online, "Session", Diverging)
    with pytest.raises(online.TrainingError, match="diverged"):
        train_online(TINY, tmp_path, minutes=1, clock=Clock(), workers=1, show_progress=False)
    assert not (tmp_path / CHECKPOINT).exists()
