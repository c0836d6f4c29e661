"""Batches: a function of seed and step alone, in normalised units."""

from dataclasses import replace

import numpy as np
import pytest

from DSADeblurLib.restoration.normalisation import fit_normalisation
from DSADeblurLib.simulation.pairs import KINDS, acquire_pair, open_field, random_conditions
from DSADeblurLib.simulation.sets import PAPER_LIKE_QUANTA, SceneCache
from DSADeblurLib.training.batches import batches, foretold_normalisation
from DSADeblurLib.training.recipes import PAPER, QUICK

RECIPE = replace(QUICK, scenes=2, region=96, patch=40, batch=12)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return SceneCache(tmp_path_factory.mktemp("scenes"), RECIPE.scenes, size=512)


def taken(cache, recipe, first, count):
    stream = batches(cache, recipe, first)
    found = [next(stream) for _ in range(count)]
    stream.close()
    return found


def test_any_step_can_be_begun_with(cache):
    straight = taken(cache, RECIPE, 0, 11)
    for first in (3, 8, 9):
        later = taken(cache, RECIPE, first, 2)
        for one, other in zip(straight[first : first + 2], later, strict=True):
            np.testing.assert_array_equal(one, other)


def test_shapes_and_scale(cache):
    for inputs, truths in taken(cache, RECIPE, 0, 3):
        assert inputs.shape == truths.shape == (12, 1, 40, 40) and inputs.dtype == np.float32
        assert np.isfinite(inputs).all() and np.abs(truths).max() < 20
        assert not np.array_equal(inputs, truths)


def test_batches_larger_than_a_group_are_filled(cache):
    (inputs, _), = taken(cache, replace(PAPER, scenes=2, region=96), 0, 1)
    assert inputs.shape == (128, 1, 40, 40)
    assert len({patch.tobytes() for patch in inputs}) > 120


@pytest.mark.parametrize("kind", KINDS)
def test_foretold_normalisation_is_that_of_the_acquired_frame(cache, kind):
    rng = np.random.default_rng(4)
    whole = cache.region(0, slice(None), slice(None))
    thinned = cache.region(0, slice(None, None, 8), slice(None, None, 8))
    conditions = random_conditions(rng, whole, PAPER_LIKE_QUANTA)
    exposure = open_field(thinned, conditions, stride=1)
    foretold = foretold_normalisation(thinned, conditions, kind, exposure, rng)
    found = fit_normalisation(acquire_pair(whole, conditions, kind, rng, exposure).degraded[None])
    assert foretold.scale == pytest.approx(found.scale, rel=0.35)
    assert foretold.offset == pytest.approx(found.offset, abs=0.1 * found.scale)
