"""What is told in training is as wrong as it says, by chance, and as frames and headers will tell it."""

import numpy as np
import pytest

from DSADeblurLib.lab.training.condition_noise import CHANCE, HEADER, SEEN, Told

BATCH = 4000
EVERY = slice(None)


def test_by_chance_it_is_as_wrong_as_it_says():
    blur = np.full((BATCH, 2), 5.0, np.float32)
    told = Told.draw(np.random.default_rng(0), BATCH, seen=False)
    assert (told.ways == CHANCE).all()
    widths, spreads = np.split(told.of(EVERY, blur, None), [2], axis=1)
    errors = np.abs(np.log(widths / 5)).mean(axis=1)
    for low, high in ((0.05, 0.1), (0.2, 0.4), (0.6, 0.9)):
        among = (spreads[:, 0] > low) & (spreads[:, 0] < high)
        assert errors[among].mean() == pytest.approx(spreads[among].mean(), rel=0.2)


def test_what_is_seen_is_told_alone_or_with_a_header():
    blur = np.full((BATCH, 2), 4.0, np.float32)
    seen = np.tile(np.array([2.0, 2.5, 0.4], np.float32), (BATCH, 1))
    told = Told.draw(np.random.default_rng(0), BATCH, seen=True)
    values = told.of(EVERY, blur, seen)
    np.testing.assert_array_equal(values[told.ways == SEEN], seen[told.ways == SEEN])
    both = values[told.ways == HEADER]
    assert 3 < np.median(both[:, 0]) < 4 and (both[:, 0] < 2).any()  # some headers are wrong
    assert min((told.ways == way).mean() for way in (CHANCE, SEEN, HEADER)) > 0.3
