"""Kinds of choices: every value is its own text, and what is no value is refused in one sentence."""

import math
from dataclasses import FrozenInstanceError, dataclass
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from requestvalues import values

from DSADeblurLib.options import (
    NOTHING,
    Choices,
    Flag,
    FrameNumbers,
    FrameRange,
    Number,
    OneOf,
    RequestError,
    Shift,
    SomeOf,
    Text,
    WholeNumber,
    WordOrWidths,
    choice,
    in_words,
)

KINDS = {
    "text": Text("words"),
    "optional text": Text("words", optional=True),
    "one of": OneOf("a word", choices=("left", "right")),
    "some of": SomeOf("words", choices=("png", "gif", "mp4")),
    "flag": Flag("yes or no"),
    "number": Number("how much", minimum=-2, maximum=1e9),
    "number above": Number("how much", minimum=1, maximum=2.5, above=True, optional=True),
    "whole number": WholeNumber("how many", minimum=16, maximum=10**9, optional=True),
    "frame range": FrameRange("from, to", optional=True),
    "frame numbers": FrameNumbers("which"),
    "shift": Shift("how far", limit=10_000),
    "word or widths": WordOrWidths("how wide", choices=("auto", "header"), limit=32),
}
every_kind = pytest.mark.parametrize("option", KINDS.values(), ids=KINDS)


@every_kind
@given(data=st.data())
def test_a_value_is_what_its_text_says(option, data):
    value = data.draw(values(option))
    assert option.checked("name", value) == value
    text = option.text(value)
    assert isinstance(text, str) and option.parsed("name", text) == option.parsed("name", f" {text}\n") == value


@every_kind
@given(text=st.text())
def test_a_text_is_a_value_or_is_refused(option, text):
    try:
        value = option.parsed("what_it_is", text)
    except RequestError as error:
        assert str(error).startswith(f"What it is must be {option.expected()}, not ") and "\n" not in str(error)
    else:
        assert option.checked("what_it_is", value) == value


@every_kind
def test_nothing_is_a_value_where_something_else_decides(option):
    if option.optional:
        assert option.checked("name", None) is None and option.text(None) == NOTHING
        assert option.parsed("name", " ") is None
    else:
        with pytest.raises(RequestError, match="Name must be .*, not None."):
            option.checked("name", None)


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        ("text", "", "a text"),
        ("text", " \n", "a text"),
        ("text", 3, "a text"),
        ("one of", "up", "one of left, right"),
        ("one of", ["left"], "one of left, right"),
        ("some of", "png", "a list of png, gif, mp4"),
        ("some of", ("png", "bmp"), "a list of png, gif, mp4"),
        ("some of", 3, "a list of png, gif, mp4"),
        ("some of", [["png"]], "a list of png, gif, mp4"),
        ("flag", 1, "true or false"),
        ("flag", "true", "true or false"),
        ("number", -2.1, "a number from -2 to 1e+09"),
        ("number", math.nan, "a number from -2 to 1e+09"),
        ("number", math.inf, "a number from -2 to 1e+09"),
        ("number", True, "a number from -2 to 1e+09"),
        ("number", "1", "a number from -2 to 1e+09"),
        ("number", 1j, "a number from -2 to 1e+09"),
        ("number above", 1, "a number above 1 and at most 2.5"),
        ("number above", 2.6, "a number above 1 and at most 2.5"),
        ("whole number", 15, "auto or a whole number of at least 16"),
        ("whole number", 64.0, "auto or a whole number of at least 16"),
        ("whole number", True, "auto or a whole number of at least 16"),
        ("whole number", 10**400, "auto or a whole number of at least 16"),
        ("frame range", (0, 3), "1 <= first <= last"),
        ("frame range", (4, 3), "1 <= first <= last"),
        ("frame range", (1,), "1 <= first <= last"),
        ("frame range", 3, "1 <= first <= last"),
        ("frame range", (1.0, 2), "1 <= first <= last"),
        ("frame range", "12", "1 <= first <= last"),
        ("frame range", (True, 2), "1 <= first <= last"),
        ("frame numbers", (), "frame numbers such as 1-3,5"),
        ("frame numbers", (0, 1), "frame numbers such as 1-3,5"),
        ("frame numbers", (1.5,), "frame numbers such as 1-3,5"),
        ("frame numbers", 1, "frame numbers such as 1-3,5"),
        ("frame numbers", "12", "frame numbers such as 1-3,5"),
        ("shift", (1,), "a shift such as 1.5,-2 of at most 10000 pixels"),
        ("shift", (1, 10_001), "at most 10000 pixels"),
        ("shift", (math.nan, 1), "at most 10000 pixels"),
        ("shift", "12", "at most 10000 pixels"),
        ("shift", ("a", "b"), "at most 10000 pixels"),
        ("word or widths", "frames", "auto, header or two widths in pixels such as 3.5,4, from 0 to 32"),
        ("word or widths", (1, -1), "two widths in pixels"),
        ("word or widths", (1, 33), "two widths in pixels"),
        ("word or widths", (1, math.nan), "two widths in pixels"),
        ("word or widths", 3, "two widths in pixels"),
    ],
)
def test_what_is_no_value_is_refused_in_one_sentence(kind, value, words):
    with pytest.raises(RequestError) as refused:
        KINDS[kind].checked("mask_shift", value)
    sentence = str(refused.value)
    assert sentence.startswith("Mask shift must be ") and words in sentence
    assert sentence.endswith(f", not {value!r}.") and "\n" not in sentence


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("whole number", "auto", None),
        ("frame range", "7", (7, 7)),
        ("frame range", "1-20", (1, 20)),
        ("frame numbers", "1-3,5", (1, 2, 3, 5)),
        ("frame numbers", "2;1;2", (2, 1)),
        ("shift", "1.5,-2", (1.5, -2.0)),
        ("word or widths", "3.5,4", (3.5, 4.0)),
        ("word or widths", "3.5", (3.5, 3.5)),
        ("word or widths", "", "auto"),
        ("some of", "gif,png,gif", ("gif", "png")),
        ("some of", "", ()),
    ],
)
def test_short_texts(kind, text, value):
    assert KINDS[kind].parsed("name", text) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("flag", "no"),
        ("flag", ""),
        ("frame numbers", "3-1"),
        ("frame numbers", "1-1000000000"),
        ("shift", "1,2,3"),
        ("whole number", "16.5"),
        ("number", "a lot"),
    ],
)
def test_texts_that_say_nothing(kind, text):
    with pytest.raises(RequestError, match=r"^Name must be "):
        KINDS[kind].parsed("name", text)


def test_values_get_the_type_of_their_kind():
    assert type(KINDS["number"].checked("name", np.float32(0.5))) is float
    assert KINDS["number"].checked("name", Fraction(1, 4)) == 0.25
    assert type(KINDS["whole number"].checked("name", np.int16(64))) is int
    assert KINDS["frame range"].checked("name", np.array([2, 3])) == (2, 3)
    assert KINDS["frame numbers"].checked("name", range(2, 4)) == (2, 3)
    assert KINDS["shift"].checked("name", [1, 2]) == (1.0, 2.0)
    assert KINDS["text"].checked("name", " a folder ") == "a folder"


def test_numbers_are_written_short():
    assert [KINDS["number"].text(value) for value in (0.0, 1.0, 0.5, 0.1, 1e-7)] == ["0", "1", "0.5", "0.1", "1e-07"]


@dataclass(frozen=True)
class Drink(Choices):
    size: float = choice(0.3, Number("in litres", maximum=2))
    ice: str | None = choice(None, OneOf("how much", choices=("some", "much"), optional=True))


def test_choices_are_checked_when_they_are_made():
    assert [name for name, _ in Drink.options()] == ["size", "ice"]
    assert Drink(np.float64(1)).size == 1.0 and Drink(ice="some").ice == "some"
    with pytest.raises(RequestError, match="Size must be a number from 0 to 2, not 3."):
        Drink(3)
    with pytest.raises(FrozenInstanceError):
        Drink().size = 1.0


def test_units_are_left_out_of_names():
    assert in_words("focal_spot_mm") == "Focal spot" and in_words("noise_reduction") == "Noise reduction"
