"""Texts of the panel: frame numbers as people write them, and time spans."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.usefixtures("gui")


@pytest.fixture(autouse=True)
def module(gui):
    return gui.openModule()


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("", None), (" , ;", None), ("1", (1,)), ("1-3, 5", (1, 2, 3, 5)), ("5;1 - 2,2", (5, 1, 2)), ("07", (7,))],
)
def test_frame_numbers(text, numbers):
    from DSADeblurPanel.parameters import parseFrameNumbers

    assert parseFrameNumbers(text) == numbers


@pytest.mark.parametrize("text", ["a", "0", "3-1", "1-", "-2", "1-2-3", "1.5", "1-999999999", "1,,a"])
def test_what_are_no_frame_numbers(text):
    from DSADeblurPanel.parameters import parseFrameNumbers

    with pytest.raises(ValueError, match="Mask frames must be numbers") as caught:
        parseFrameNumbers(text)
    assert caught.value.__cause__ is None


def test_any_set_of_numbers_comes_back():
    from DSADeblurPanel.parameters import parseFrameNumbers

    @settings(max_examples=50, deadline=None)
    @given(st.lists(st.integers(1, 100000), min_size=1, max_size=20, unique=True))
    def check(numbers):
        assert parseFrameNumbers(", ".join(map(str, numbers))) == tuple(numbers)

    check()


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "1 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (3600, "60 min 0 s")]
)
def test_time_spans(seconds, text):
    from DSADeblurPanel.run_section import duration

    assert duration(seconds) == text
