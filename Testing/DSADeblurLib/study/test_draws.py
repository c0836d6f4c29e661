"""What is drawn is the same everywhere and for ever, and even."""

import numpy as np
import pytest

from DSADeblurLib.study.draws import draw, shuffled


def test_a_draw_is_the_same_for_ever():
    assert draw(1, "order", "R1", "I0001") == 0.635452759467551
    assert draw(1, "a", "b") == draw(1, "a", "b") != draw(1, "ab") != draw(2, "a", "b")
    assert shuffled(7, ["a", "b", "c", "d"], "x") == shuffled(7, ["d", "c", "b", "a"], "x")


def test_draws_are_even():
    values = [draw(3, str(number)) for number in range(4000)]
    assert 0 <= min(values) and max(values) < 1
    assert np.histogram(values, 10, (0, 1))[0] == pytest.approx(400, abs=80)
