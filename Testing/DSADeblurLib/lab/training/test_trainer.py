"""Training: it learns, it is deterministic, a resumed training is the same to the bit, and two processes are one."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from DSADeblurLib.lab.simulation.pairs import KINDS
from DSADeblurLib.lab.simulation.sets import NOISE
from DSADeblurLib.lab.training.checkpoint import CheckpointError
from DSADeblurLib.lab.training.losses import relative
from DSADeblurLib.lab.training.recipes import QUICK
from DSADeblurLib.lab.training.trainer import CHECKPOINT, LOG, train
from DSADeblurLib.lab.training.validation import NOISE_FREE, HeldOut
from DSADeblurLib.restoration.architecture import RDNArchitecture, UNetArchitecture

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.slow]


@pytest.fixture(scope="module")
def quiet():
    return {"held_out": HeldOut(1, 96, 1), "show_progress": False}


@pytest.fixture
def tiny(small_pool):
    architecture = RDNArchitecture(features=4, growth=4, blocks=1, layers=2)
    return replace(QUICK, architecture=architecture, patch=32, batch=16, steps=12, pool=small_pool.options)


def assert_same_weights(one, other):
    for (name, a), b in zip(one.state_dict().items(), other.state_dict().values(), strict=True):
        assert torch.equal(a, b), name


@pytest.mark.parametrize(
    "architecture",
    [RDNArchitecture(features=4, growth=4, blocks=1), UNetArchitecture(features=4, growth=2, levels=1)],
    ids=lambda a: a.kind,
)
def test_resumed_training_is_exact(tmp_path, small_pool, tiny, quiet, architecture):
    recipe, pool = replace(tiny, architecture=architecture), small_pool.folder
    straight, _ = train(recipe, tmp_path / "straight", pool=pool, **quiet)
    stop = iter([False] * 6 + [True]).__next__
    _, halfway = train(recipe, tmp_path / "halves", pool=pool, is_cancelled=stop, **quiet)
    assert halfway["steps"] == 7
    resumed, summary = train(recipe, tmp_path / "halves", pool=pool, resume=True, **quiet)
    assert summary["steps"] == 12 and summary["minutes"] >= halfway["minutes"]
    assert_same_weights(straight, resumed)


def test_lines_are_the_same_after_a_stop_and_by_themselves_in_the_log(tmp_path, small_pool, tiny, quiet, monkeypatch):
    """With a checkpoint after each step."""
    monkeypatch.setattr("DSADeblurLib.lab.training.trainer.SAVE_SECONDS", -1.0)
    recipe, pool = replace(tiny, line_weight=1.0), small_pool.folder
    straight, _ = train(recipe, tmp_path / "straight", pool=pool, **quiet)
    stop = iter([False] * 6 + [True]).__next__
    train(recipe, tmp_path / "halves", pool=pool, is_cancelled=stop, **quiet)
    resumed, _ = train(recipe, tmp_path / "halves", pool=pool, resume=True, **quiet)
    assert_same_weights(straight, resumed)
    (entry,) = [json.loads(line) for line in (tmp_path / "straight" / LOG).read_text().splitlines()]
    assert {"clinical 1 sigma", "quiet 8 sigma", "paper-like noise"} <= set(entry["lines_kept"])


def test_a_finished_training_is_returned_as_it_is(tmp_path, small_pool, tiny, quiet):
    once, _ = train(tiny, tmp_path, pool=small_pool.folder, **quiet)
    again, summary = train(tiny, tmp_path, pool=small_pool.folder, resume=True, **quiet)
    assert summary["steps"] == 12 and summary["psnr_gain_db"]
    assert_same_weights(once, again)


def test_other_seed_other_weights(tmp_path, small_pool, tiny, quiet):
    recipe = replace(tiny, steps=2)
    one, _ = train(recipe, tmp_path / "one", pool=small_pool.folder, **quiet)
    other, _ = train(replace(recipe, seed=2), tmp_path / "other", pool=small_pool.folder, **quiet)
    assert not torch.equal(one.shallow_first.weight, other.shallow_first.weight)


def test_learns_and_keeps_a_log(tmp_path, small_pool, tiny, quiet):
    wider = RDNArchitecture(features=8, growth=8, blocks=1, layers=2)
    recipe = replace(tiny, architecture=wider, steps=200, learning_rate=5e-3, average=0.9)
    network, _ = train(recipe, tmp_path, pool=small_pool.folder, validate_every=50, **quiet)
    losses = []
    for seed in range(6):
        inputs, truths, *_ = (
            torch.from_numpy(a) for a in small_pool.patches(np.random.default_rng(10_000 + seed), 16, 32)
        )
        with torch.inference_mode():
            losses.append(float(relative(network(inputs), inputs, truths)))
    # The input itself would cost 1.
    assert np.mean(losses) < 0.97
    entries = [json.loads(line) for line in (tmp_path / LOG).read_text().splitlines()]
    assert [entry["step"] for entry in entries] == [50, 100, 150, 200]
    conditions = {f"{kind} {noise}{edge}" for kind in KINDS for noise in (*NOISE, NOISE_FREE) for edge in ("", " edge")}
    assert all(set(entry["psnr_gain_db"]) == conditions for entry in entries)


def test_checkpoint_of_another_recipe_is_refused(tmp_path, small_pool, tiny, quiet):
    train(replace(tiny, steps=1), tmp_path, pool=small_pool.folder, **quiet)
    with pytest.raises(CheckpointError, match="another recipe"):
        train(replace(tiny, steps=2), tmp_path, pool=small_pool.folder, resume=True, **quiet)


def test_damaged_checkpoint_is_refused(tmp_path, small_pool, tiny, quiet):
    (tmp_path / CHECKPOINT).write_bytes(b"not a checkpoint")
    with pytest.raises(CheckpointError, match="cannot be read"):
        train(tiny, tmp_path, pool=small_pool.folder, resume=True, **quiet)


SCRIPT = """
import sys, torch
from dataclasses import replace
from pathlib import Path
torch.set_num_threads(1)
from DSADeblurLib.restoration.architecture import RDNArchitecture
from DSADeblurLib.lab.training.pool import PoolOptions
from DSADeblurLib.lab.training.recipes import QUICK
from DSADeblurLib.lab.training import trainer
from DSADeblurLib.lab.training.validation import HeldOut
trainer.bfloat16_pays = lambda device: False
recipe = replace(
    QUICK, architecture=RDNArchitecture(features=4, growth=4, blocks=1, layers=2), patch=32, batch=16, steps=12,
    schedule="step", pool=PoolOptions(regions=32, side=64, scenes=2, size=256),
)
quiet = {"held_out": HeldOut(1, 64, 1), "show_progress": False}
network, _ = trainer.train(recipe, Path(sys.argv[1]), pool=Path(sys.argv[2]), **quiet)
"""


def test_two_processes_give_what_one_gives(tmp_path, small_pool, tiny, quiet, monkeypatch):
    """Gloo on the CPU, started by torchrun, in float32. Sums in another order differ in the last bits, and Adam makes
    more of them: weights agree to a fiftieth of the largest change in training."""
    from safetensors.torch import load_file

    monkeypatch.setattr("DSADeblurLib.lab.training.trainer.bfloat16_pays", lambda device: False)
    (tmp_path / "script.py").write_text(SCRIPT)
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    run = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--master-port=29617"]
    command = [*run, str(tmp_path / "script.py"), str(tmp_path / "two"), str(small_pool.folder)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    # Without a warm-up the weights change by far more than rounding.
    tiny = replace(tiny, schedule="step")
    alone, _ = train(tiny, tmp_path / "one", pool=small_pool.folder, **quiet)
    together = load_file(tmp_path / "two" / CHECKPOINT)
    started, _ = train(replace(tiny, steps=1, learning_rate=0.0), tmp_path / "start", pool=small_pool.folder, **quiet)
    changed = max(float((value - started.state_dict()[name]).abs().max()) for name, value in alone.state_dict().items())
    for name, value in alone.state_dict().items():
        torch.testing.assert_close(together[f"average.{name}"], value, rtol=0, atol=0.02 * changed)
