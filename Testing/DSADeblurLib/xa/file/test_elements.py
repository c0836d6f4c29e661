"""Single elements of untrusted headers: a value or nothing, never an exception."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from DSADeblurLib.xa.derived.attributes import copy_attributes
from DSADeblurLib.xa.file.elements import as_written, integers_of, items_of, numbers_of, raw_text, text_of, texts_of


def _raw(tag, vr, value):
    dataset = Dataset()
    dataset._dict[Tag(tag)] = RawDataElement(Tag(tag), vr, len(value), value, 0, False, True)
    return dataset


_TIME = 0x00181063


@pytest.mark.parametrize(
    ("value", "numbers", "integers"),
    [
        (b"33", (33.0,), (33,)),
        (b"33.5 ", (33.5,), None),
        (b"1\\2", (1.0, 2.0), (1, 2)),
        (b"", (), ()),
        (b"nan ", None, None),
        (b"inf ", None, None),
        (b"12,5", None, None),
        (b"\xff\xfe", None, None),
        (b"1\\", None, None),
    ],
)
def test_numbers(value, numbers, integers):
    dataset = _raw(_TIME, "DS", value)
    assert numbers_of(dataset, "FrameTime") == numbers and integers_of(dataset, "FrameTime") == integers


def test_absent_elements():
    empty = Dataset()
    assert text_of(empty, "Modality") == "" and texts_of(empty, "ImageType") == ()
    assert numbers_of(empty, "FrameTime") == () and items_of(empty, "MaskSubtractionSequence") == ()


def test_wrong_binary_length():
    dataset = _raw(0x00280010, "US", b"\1\2\3")
    assert numbers_of(dataset, "Rows") is None and text_of(dataset, "Rows") == ""


def test_texts():
    assert texts_of(_raw(0x00080008, "CS", b"ORIGINAL\\PRIMARY "), "ImageType") == ("ORIGINAL", "PRIMARY")
    assert text_of(_raw(0x00080060, "CS", b"XA"), "Modality") == "XA"


@pytest.mark.parametrize(("vr", "value"), [("UN", b""), ("LO", b"garbage!"), ("US", b"\1\2\3")])
def test_sequences_that_are_none(vr, value):
    assert items_of(_raw(0x00286100, vr, value), "MaskSubtractionSequence") == ()


def test_raw_text_is_printable_and_short():
    text = raw_text(_raw(_TIME, "DS", b"abc\n\0\x1b[2J" + b"9" * 200), "FrameTime")
    assert text.startswith("abc[2J999") and text.isprintable() and len(text) <= 64


@pytest.mark.parametrize(
    ("value", "coarsest", "ends"),
    [
        (1100.0, 1.0, (1099.5, 1100.5)),
        (720.25, 1.0, (720.245, 720.255)),
        (0.2, 0.001, (0.1995, 0.2005)),
        (0.154, 0.001, (0.1535, 0.1545)),
        (1.53, 0.1, (1.525, 1.535)),
        (2.0, 0.1, (1.95, 2.05)),
        (1e-7, 1.0, (5e-8, 1.5e-7)),
    ],
)
def test_what_a_written_number_can_stand_for(value, coarsest, ends):
    assert as_written(value, coarsest) == pytest.approx(ends)


@given(st.floats(0.1, 2000), st.integers(0, 6))
def test_rounding_to_any_digit_is_covered(value, digits):
    low, high = as_written(round(value, digits), 1.0)
    assert low <= value + 1e-9 and value - 1e-9 <= high


def test_values_are_counted_before_they_are_read():
    """pydicom takes 20 s and 700 MB for an element of 3 MB."""
    dataset = _raw(_TIME, "DS", b"1\\" * 1_500_000 + b"1 ")
    assert numbers_of(dataset, "FrameTime") is None and texts_of(dataset, "FrameTime") == ()
    assert text_of(dataset, "FrameTime") == "" and copy_attributes(dataset, frozenset(["FrameTime"])) == Dataset()
    assert isinstance(dataset.get_item(_TIME), RawDataElement)
    assert len(numbers_of(_raw(_TIME, "DS", b"1\\" * 9_999 + b"1"), "FrameTime")) == 10_000
