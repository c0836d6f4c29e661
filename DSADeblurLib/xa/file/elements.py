"""Read single header elements from untrusted data sets: a value, or nothing, never an exception."""

import math
from datetime import datetime
from decimal import Decimal
from typing import Any

from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import Tag
from pydicom.valuerep import DT

# pydicom takes 20 microseconds and 700 bytes for each value of a text element; no run has so many frames.
_MOST_VALUES = 20_000
_MULTIPLE_TEXT = frozenset(("AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "PN", "SH", "TM", "UC", "UI"))


def vr_of(raw: RawDataElement) -> str:
    """Return the VR of an element that was not read yet; the dictionary's where the file names none."""
    if raw.VR in (None, "UN") and dictionary_has_tag(raw.tag):
        return dictionary_VR(raw.tag)
    return raw.VR or "UN"


def value_of(dataset: Dataset, key: str | tuple[int, int]) -> Any:
    """Return the value as pydicom reads it, None when absent; raises where it cannot be read.

    Values are counted before they are read: an element of 3 MB may have a million.
    """
    tag = Tag(key)
    if tag not in dataset:
        return None
    raw: Any = dataset.get_item(tag)  # pydicom's types do not say that it may be raw
    if isinstance(raw, RawDataElement) and isinstance(raw.value, bytes) and vr_of(raw) in _MULTIPLE_TEXT:
        count = raw.value.count(b"\\") + 1
        if count > _MOST_VALUES:
            raise ValueError(f"{count} values")
    return dataset[tag].value


def text_of(dataset: Dataset, keyword: str) -> str:
    """Return the element as stripped text, '' when absent, empty or unreadable."""
    try:
        value = value_of(dataset, keyword)
    except Exception:
        return ""
    return "" if value is None else str(value).strip()


def texts_of(dataset: Dataset, keyword: str) -> tuple[str, ...]:
    """Return every value of the element as stripped text, () when absent or unreadable."""
    try:
        value = value_of(dataset, keyword)
    except Exception:
        return ()
    if value is None or value == "":
        return ()
    values = value if isinstance(value, MultiValue | list | tuple) else [value]
    return tuple(str(one).strip() for one in values)


def numbers_of(dataset: Dataset, keyword: str | tuple[int, int]) -> tuple[float, ...] | None:
    """Return every value as a float: () when absent or empty, None when a value is not a finite number."""
    try:
        value = value_of(dataset, keyword)
        if value is None or value == "":
            return ()
        values = value if isinstance(value, MultiValue | list | tuple) else [value]
        if len(values) == 0:
            return ()
        numbers = tuple(float(one) for one in values)
    except Exception:
        return None
    return numbers if all(math.isfinite(one) for one in numbers) else None


def integers_of(dataset: Dataset, keyword: str | tuple[int, int]) -> tuple[int, ...] | None:
    """Return every value as an int: () when absent or empty, None when a value is not a whole number."""
    numbers = numbers_of(dataset, keyword)
    if numbers is None or any(one != int(one) for one in numbers):
        return None
    return tuple(int(one) for one in numbers)


def moment_of(dataset: Dataset, *keywords: str) -> datetime | None:
    """Return the moment that a date and time element gives, or a date and a time element; None when it is not one."""
    texts = [text_of(dataset, keyword) for keyword in keywords]
    try:
        return DT("".join(texts)).replace(tzinfo=None) if all(texts) else None
    except Exception:
        return None


def items_of(dataset: Dataset, keyword: str) -> tuple[Dataset, ...]:
    """Return the items of a sequence, () when absent, empty or unreadable."""
    try:
        value = value_of(dataset, keyword)
        return tuple(item for item in value or () if isinstance(item, Dataset))
    except Exception:
        return ()


def printable(text: str, limit: int = 64) -> str:
    """Return text from a file in a form that can stand in a one-line message."""
    return "".join(one for one in text if one.isprintable()).strip()[:limit]


def raw_text(dataset: Dataset, keyword: str) -> str:
    """Return the value as it stands in the file, for messages about values that cannot be used."""
    try:
        element = dataset.get_item(keyword)
        value = element.value
        if isinstance(value, bytes):
            value = value.decode("latin-1", "replace")
        elif isinstance(value, MultiValue | list | tuple):
            value = "\\".join(str(one) for one in value)
        return printable(str(value))
    except Exception:
        return "?"


def as_written(value: float, coarsest: float) -> tuple[float, float]:
    """Return the lowest and highest number that a device may have rounded to `value`.

    Half a unit of the last digit written on either side. `coarsest` is the largest unit to think of, in that of the
    value: 1100 mm is whole millimetres, not hundreds.
    """
    digits = int(Decimal(repr(float(value))).normalize().as_tuple().exponent)
    half = min(10.0**digits, coarsest) / 2
    return value - half, value + half
