"""Blur conditions in training are as wrong as they say, by chance, and as frames and headers will have them."""

import numpy as np
import pytest

from DSADeblurLib.lab.training.condition_noise import CHANCE, ESTIMATED, HEADER, ConditionNoise

BATCH = 4000
EVERY = slice(None)


def test_by_chance_it_is_as_wrong_as_it_says():
    blur = np.full((BATCH, 2), 5.0, np.float32)
    noise = ConditionNoise.draw(np.random.default_rng(0), BATCH, estimated=False)
    assert (noise.sources == CHANCE).all()
    widths, spreads = np.split(noise.blur_condition(EVERY, blur, None), [2], axis=1)
    errors = np.abs(np.log(widths / 5)).mean(axis=1)
    for low, high in ((0.05, 0.1), (0.2, 0.4), (0.6, 0.9)):
        among = (spreads[:, 0] > low) & (spreads[:, 0] < high)
        assert errors[among].mean() == pytest.approx(spreads[among].mean(), rel=0.2)


def test_an_estimate_counts_alone_or_with_a_header():
    blur = np.full((BATCH, 2), 4.0, np.float32)
    estimated = np.tile(np.array([2.0, 2.5, 0.4], np.float32), (BATCH, 1))
    noise = ConditionNoise.draw(np.random.default_rng(0), BATCH, estimated=True)
    values = noise.blur_condition(EVERY, blur, estimated)
    np.testing.assert_array_equal(values[noise.sources == ESTIMATED], estimated[noise.sources == ESTIMATED])
    both = values[noise.sources == HEADER]
    assert 3 < np.median(both[:, 0]) < 4 and (both[:, 0] < 2).any()  # some headers are wrong
    assert min((noise.sources == source).mean() for source in (CHANCE, ESTIMATED, HEADER)) > 0.3
