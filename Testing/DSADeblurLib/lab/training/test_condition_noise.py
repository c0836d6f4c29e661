"""What is told in training is as wrong as it says, by chance, and as frames and headers will tell it."""

import numpy as np
import pytest

from DSADeblurLib.lab.training.condition_noise import CHANCE, ESTIMATED, HEADER, ConditionNoise

BATCH = 4000
EVERY = slice(None)


def test_by_chance_it_is_as_wrong_as_it_says():
    blur = np.full((BATCH, 2), 5.0, np.float32)
    noise = ConditionNoise.draw(np.random.default_rng(0), BATCH, estimated=False)
    assert (noise.ways == CHANCE).all()
    widths, spreads = np.split(noise.of(EVERY, blur, None), [2], axis=1)
    errors = np.abs(np.log(widths / 5)).mean(axis=1)
    for low, high in ((0.05, 0.1), (0.2, 0.4), (0.6, 0.9)):
        among = (spreads[:, 0] > low) & (spreads[:, 0] < high)
        assert errors[among].mean() == pytest.approx(spreads[among].mean(), rel=0.2)


def test_what_is_seen_is_told_alone_or_with_a_header():
    blur = np.full((BATCH, 2), 4.0, np.float32)
    estimated = np.tile(np.array([2.0, 2.5, 0.4], np.float32), (BATCH, 1))
    noise = ConditionNoise.draw(np.random.default_rng(0), BATCH, estimated=True)
    values = noise.of(EVERY, blur, estimated)
    np.testing.assert_array_equal(values[noise.ways == ESTIMATED], estimated[noise.ways == ESTIMATED])
    both = values[noise.ways == HEADER]
    assert 3 < np.median(both[:, 0]) < 4 and (both[:, 0] < 2).any()  # some headers are wrong
    assert min((noise.ways == way).mean() for way in (CHANCE, ESTIMATED, HEADER)) > 0.3
