"""The estimator is learned once for a pool, and learns."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from DSADeblurLib.lab.training.estimator_training import estimates_of, estimator_of, keep_estimator
from DSADeblurLib.lab.training.pool import Pool
from DSADeblurLib.restoration.blur_condition import SMALLEST_PX
from DSADeblurLib.restoration.estimator import BlurEstimator

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.slow]


def error(estimator: BlurEstimator, pool) -> float:
    """Mean error of the logarithms on patches that it has not learned from."""
    inputs, _, widths, *_ = pool.patches(np.random.default_rng(99), 64, 64)
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


def test_an_estimator_that_exists_is_kept(small_pool, tmp_path):
    pool = Pool(tmp_path, replace(small_pool.options, regions=16))
    pool.complete(show_progress=False)
    with pytest.raises(ValueError, match="name that model"):
        estimator_of(pool, 0, show_progress=False)
    seen = []
    for scale in (1.0, 1.0, 0.5):
        estimator = BlurEstimator()
        estimator.load_state_dict({k: scale * v for k, v in estimator_of(small_pool, 2, False).state_dict().items()})
        keep_estimator(pool, estimator)
        kept = estimator_of(pool, 0, show_progress=False)
        assert all(torch.equal(a, b) for a, b in zip(kept.parameters(), estimator.parameters(), strict=True))
        seen.append(estimates_of(pool, 0, show_progress=False))
    np.testing.assert_array_equal(seen[0], seen[1])
    assert not np.allclose(seen[1], seen[2])
