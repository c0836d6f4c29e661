"""Training: it learns, it is deterministic, and a resumed training is the same to the bit."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from DSADeblurLib.restoration.architecture import RDNArchitecture
from DSADeblurLib.simulation.pairs import KINDS
from DSADeblurLib.simulation.sets import SceneCache
from DSADeblurLib.training.batches import batches
from DSADeblurLib.training.checkpoint import CheckpointError
from DSADeblurLib.training.losses import restoration_loss
from DSADeblurLib.training.recipes import QUICK
from DSADeblurLib.training.trainer import CHECKPOINT, LOG, train

TINY = replace(
    QUICK,
    architecture=RDNArchitecture(features=4, growth=4, blocks=1, layers=2),
    patch=32,
    batch=16,
    steps=12,
    scenes=2,
    region=96,
)
QUIET = {"held_out": (2, 96), "show_progress": False}


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    return tmp_path_factory.mktemp("scenes")


@pytest.fixture(autouse=True)
def one_thread():
    # Sums over several threads may be added in another order.
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_resumed_training_is_exact(tmp_path, scenes):
    straight, _ = train(TINY, tmp_path / "straight", scenes=scenes, validate_every=100, **QUIET)
    stop = iter([False] * 6 + [True]).__next__
    _, halfway = train(TINY, tmp_path / "halves", scenes=scenes, is_cancelled=stop, validate_every=100, **QUIET)
    assert halfway["steps"] == 7
    resumed, summary = train(TINY, tmp_path / "halves", scenes=scenes, resume=True, validate_every=100, **QUIET)
    assert summary["steps"] == 12 and summary["minutes"] >= halfway["minutes"]
    for (name, one), other in zip(straight.state_dict().items(), resumed.state_dict().values(), strict=True):
        assert torch.equal(one, other), name


def test_other_seed_other_weights(tmp_path, scenes):
    recipe = replace(TINY, steps=2)
    one, _ = train(recipe, tmp_path / "one", scenes=scenes, **QUIET)
    other, _ = train(replace(recipe, seed=2), tmp_path / "other", scenes=scenes, **QUIET)
    assert not torch.equal(one.shallow_first.weight, other.shallow_first.weight)


def test_learns_and_keeps_a_log(tmp_path, scenes):
    wider = RDNArchitecture(features=8, growth=8, blocks=1, layers=2)
    recipe = replace(TINY, architecture=wider, steps=150, learning_rate=5e-3, average=0.9)
    network, _ = train(recipe, tmp_path, scenes=scenes, validate_every=50, **QUIET)
    stream = batches(SceneCache(scenes, recipe.scenes), recipe, first_step=10_000)
    losses = []
    for _ in range(6):
        inputs, truths = map(torch.from_numpy, next(stream))
        with torch.inference_mode():
            losses.append(float(restoration_loss(network(inputs), inputs, truths, recipe.gradient_weight)))
    stream.close()
    # The input itself would cost 1.
    assert np.mean(losses) < 0.95
    entries = [json.loads(line) for line in (tmp_path / LOG).read_text().splitlines()]
    assert [entry["step"] for entry in entries] == [50, 100, 150]
    assert all(set(entry["psnr_gain_db"]) == set(KINDS) for entry in entries)


def test_checkpoint_of_another_recipe_is_refused(tmp_path, scenes):
    train(replace(TINY, steps=1), tmp_path, scenes=scenes, **QUIET)
    with pytest.raises(CheckpointError, match="another recipe"):
        train(replace(TINY, steps=2), tmp_path, scenes=scenes, resume=True, **QUIET)


def test_damaged_checkpoint_is_refused(tmp_path, scenes):
    (tmp_path / CHECKPOINT).write_bytes(b"not a checkpoint")
    with pytest.raises(CheckpointError, match="cannot be read"):
        train(TINY, tmp_path, scenes=scenes, resume=True, **QUIET)
