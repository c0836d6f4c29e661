"""Simulated readers give the levels that they are said to give."""

import numpy as np
import pytest

from DSADeblurLib.study.simulated_readers import SimulatedReaders


def test_shares_bias_and_agreement_are_as_said():
    readers = SimulatedReaders((5, 15, 40, 25, 15), (0.0, 0.7), 0.6)
    one, other = readers.draw(np.random.default_rng(0), 200_000)
    assert readers.level_shares(0) == pytest.approx(np.array([5, 15, 40, 25, 15]) / 100)
    for number, levels in enumerate((one, other)):
        found = np.bincount(levels, minlength=6)[1:] / len(levels)
        assert found == pytest.approx(readers.level_shares(number), abs=0.005)
    joint = np.zeros((5, 5))
    np.add.at(joint, (one - 1, other - 1), 1 / len(one))
    assert joint == pytest.approx(readers.joint_shares(0, 1), abs=0.005)
    assert other.mean() > one.mean()
