"""The estimator is learned once for a pool, and learns."""

import numpy as np
import pytest
import torch

from DSADeblurLib.lab.training.estimator_training import estimator_of
from DSADeblurLib.restoration.estimator import SMALLEST_PX, BlurEstimator

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.slow]


def error(estimator: BlurEstimator, pool) -> float:
    """Mean error of the logarithms on patches that it has not learned from."""
    inputs, _, widths, _ = pool.patches(np.random.default_rng(99), 64, 64)
    with torch.no_grad():
        estimated, _ = estimator.logarithms(torch.from_numpy(inputs))
    return float(np.abs(estimated.numpy() - np.log(widths + SMALLEST_PX)).mean())


def test_learned_once_and_kept(small_pool):
    first = estimator_of(small_pool, 2, show_progress=False)
    before = {path.name: path.stat().st_mtime_ns for path in small_pool.folder.glob("estimator-*")}
    again = estimator_of(small_pool, 2, show_progress=False)
    assert before == {path.name: path.stat().st_mtime_ns for path in small_pool.folder.glob("estimator-*")}
    assert list(before) == ["estimator-2.safetensors"]
    for a, b in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b) and not a.requires_grad


def test_learns(small_pool):
    untrained, trained = (estimator_of(small_pool, steps, show_progress=False) for steps in (1, 120))
    assert error(trained, small_pool) < 0.7 * error(untrained, small_pool)
