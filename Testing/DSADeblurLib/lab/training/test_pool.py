"""The pool: rendered once, the same wherever it is rendered, and batches that a generator alone decides."""

import os
from dataclasses import replace

import numpy as np
import pytest

from DSADeblurLib.lab.training import pool as module
from DSADeblurLib.lab.training.batched_operators import SPOT_SIZE
from DSADeblurLib.lab.training.pool import (
    CLASSES,
    JUMP_SHARE,
    Pool,
    PoolOptions,
    jumps_of,
    neighbours_of,
    training_pair,
)
from DSADeblurLib.restoration.normalisation import fit_normalisation

pytestmark = pytest.mark.slow


def test_a_generator_decides_the_batch(small_pool):
    one, same, other = (small_pool.patches(np.random.default_rng(seed), 8, 32) for seed in (1, 1, 2))
    for a, b, c in zip(one, same, other, strict=True):
        np.testing.assert_array_equal(a, b)
        assert not np.array_equal(a, c)


def test_shares_make_up_the_batch(small_pool):
    whole = small_pool.patches(np.random.default_rng(3), 8, 32)
    shares = [small_pool.patches(np.random.default_rng(3), 8, 32, slice(a, a + 4)) for a in (0, 4)]
    for name in whole._fields:
        parts = np.concatenate([getattr(share, name) for share in shares])
        np.testing.assert_array_equal(parts, getattr(whole, name))


def test_shapes_and_scale(small_pool):
    inputs, truths, blur, blur_condition, spots = small_pool.patches(np.random.default_rng(0), 16, 48)
    assert inputs.shape == truths.shape == (16, 1, 48, 48) and inputs.dtype == np.float32
    assert np.isfinite(inputs).all() and np.abs(truths).max() < 20
    assert blur.shape == (16, 2) and (blur >= 0).all() and blur.max() > 0
    assert blur_condition.shape == (16, 3) and (blur_condition > 0).all() and blur_condition.dtype == np.float32
    assert spots.shape == (16, SPOT_SIZE) and spots.dtype == np.float32
    np.testing.assert_allclose(np.hypot(spots[:, 0], spots[:, 1]), 1, rtol=1e-5)


def test_what_an_estimator_sees_is_turned_with_the_patch(small_pool):
    """Without it, and apart from it, batches stay the same."""
    estimated = np.tile(np.array([1.0, 10.0, 0.3], np.float32), (small_pool.options.regions, 1))
    with_it, without = (small_pool.patches(np.random.default_rng(0), 32, 48, estimated=s) for s in (estimated, None))
    for name in ("inputs", "truths", "blur_px"):
        np.testing.assert_array_equal(getattr(with_it, name), getattr(without, name))
    alone = with_it.blur_condition[np.isclose(with_it.blur_condition[:, 2], 0.3)]
    assert {tuple(widths) for widths in alone[:, :2].tolist()} == {(1.0, 10.0), (10.0, 1.0)}
    share = small_pool.patches(np.random.default_rng(0), 32, 48, slice(8, 16), estimated=estimated)
    np.testing.assert_array_equal(share.blur_condition, with_it.blur_condition[8:16])


def test_some_patches_are_at_an_end_of_their_run(tmp_path):
    """There the last frame stands for those that are missing; the restored frame is always there."""
    pool = Pool(tmp_path, PoolOptions(regions=16, side=32, scenes=1, frames=5, size=64))
    pool.complete(show_progress=False)
    inputs = pool.patches(np.random.default_rng(0), 64, 32).inputs
    whole = [len(np.unique(frames.reshape(5, -1), axis=0)) == 5 for frames in inputs]
    assert 0.7 < np.mean(whole) < 0.98
    for frames in inputs:
        equal = [np.array_equal(a, b) for a, b in zip(frames, frames[1:], strict=False)]
        # What is missing is missing at the outside.
        assert equal[:2] in ([False, False], [True, False], [True, True])
        assert equal[2:] in ([False, False], [False, True], [True, True])


def test_some_neighbours_lie_beyond_a_jump():
    """Never the middle one, and from some place on outwards."""
    rng = np.random.default_rng(5)
    neighbours = neighbours_of(rng, 4000, 5)
    jumps = jumps_of(rng, neighbours)
    assert not jumps[:, 2].any() and not jumps[(neighbours != np.arange(5)).any(axis=1)].any()
    # Of those that jump one in nine has both places outside of what is seen.
    assert jumps.any(axis=1).mean() == pytest.approx(JUMP_SHARE * 0.8 * 8 / 9, abs=0.03)
    assert (jumps[:, 1] <= jumps[:, 0]).all() and (jumps[:, 3] <= jumps[:, 4]).all()
    assert not jumps_of(rng, neighbours_of(rng, 100, 1)).any()


def test_beyond_a_jump_there_is_another_place_and_the_rest_is_as_it_was(tmp_path, monkeypatch):
    pool = Pool(tmp_path, PoolOptions(regions=16, side=64, scenes=1, frames=5, size=128))
    pool.complete(show_progress=False)
    found = pool.patches(np.random.default_rng(0), 64, 32)
    monkeypatch.setattr(module, "jumps_of", lambda rng, there: jumps_of(rng, there) & False)
    still = pool.patches(np.random.default_rng(0), 64, 32)
    np.testing.assert_array_equal(found.truths, still.truths)
    np.testing.assert_array_equal(found.inputs[:, 2], still.inputs[:, 2])
    other = (found.inputs != still.inputs).any(axis=(2, 3))
    assert 0.05 < other.any(axis=1).mean() < 0.25 and np.isfinite(found.inputs).all()


def test_a_batch_has_every_class(small_pool, monkeypatch):
    estimated = []
    read = small_pool._shard
    monkeypatch.setattr(small_pool, "_shard", lambda number: estimated.append(number) or read(number))
    small_pool.patches(np.random.default_rng(0), CLASSES, 32)
    assert len(estimated) == CLASSES


def test_what_is_missing_is_rendered_the_same(small_pool, tmp_path):
    shard = sorted(small_pool.folder.glob("shard-*.npy"))[0]
    (tmp_path / "scenes").symlink_to(small_pool.folder / "scenes")
    again = Pool(tmp_path, replace(small_pool.options, regions=16))
    again.complete(workers=2, show_progress=False)
    assert (tmp_path / shard.name).read_bytes() == shard.read_bytes()
    before = os.stat(tmp_path / shard.name).st_mtime_ns
    again.complete(show_progress=False)
    assert os.stat(tmp_path / shard.name).st_mtime_ns == before


def test_several_frames_have_one_truth(tmp_path):
    options = PoolOptions(regions=16, side=48, scenes=1, frames=3, size=192)
    pair, facts = training_pair(tmp_path, options, 1)
    quanta, offset, scale = facts[2:5]
    assert pair.degraded.shape == (3, *pair.truth.shape)
    assert scale > 0 and quanta > 0 and np.isfinite(offset)


def test_the_region_has_about_the_scale_of_its_run(tmp_path):
    """Within the jitter that is put on it, which stands for frames with other contents."""
    options = PoolOptions(regions=16, side=256, scenes=2, size=256)
    ratios = []
    for region in range(16):
        pair, facts = training_pair(tmp_path, options, region)
        ratios.append(facts[4] / fit_normalisation(pair.degraded).scale)
    assert 0.6 < np.median(ratios) < 1.6


def test_another_pool_in_the_same_folder_is_refused(small_pool):
    with pytest.raises(ValueError, match="other options"):
        Pool(small_pool.folder, replace(small_pool.options, side=32)).complete(show_progress=False)


@pytest.mark.parametrize("numbers", [{"regions": 5}, {"side": 0}, {"side": 300, "size": 200}])
def test_unusable_options_are_refused(numbers):
    with pytest.raises(ValueError, match="pool holds|side must be"):
        PoolOptions(**numbers)
