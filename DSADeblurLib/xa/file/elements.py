"""Read single header elements from untrusted data sets: a value, or nothing, never an exception."""

import math
from decimal import Decimal

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue


def text_of(dataset: Dataset, keyword: str) -> str:
    """Return the element as stripped text, '' when absent, empty or unreadable."""
    try:
        value = dataset.get(keyword)
    except Exception:
        return ""
    return "" if value is None else str(value).strip()


def texts_of(dataset: Dataset, keyword: str) -> tuple[str, ...]:
    """Return every value of the element as stripped text, () when absent or unreadable."""
    try:
        value = dataset.get(keyword)
    except Exception:
        return ()
    if value is None or value == "":
        return ()
    values = value if isinstance(value, MultiValue | list | tuple) else [value]
    return tuple(str(one).strip() for one in values)


def numbers_of(dataset: Dataset, keyword: str) -> tuple[float, ...] | None:
    """Return every value as a float: () when absent or empty, None when a value is not a finite number."""
    if keyword not in dataset:
        return ()
    try:
        value = dataset.get(keyword)
        if value is None or value == "":
            return ()
        values = value if isinstance(value, MultiValue | list | tuple) else [value]
        if len(values) == 0:
            return ()
        numbers = tuple(float(one) for one in values)
    except Exception:
        return None
    return numbers if all(math.isfinite(one) for one in numbers) else None


def integers_of(dataset: Dataset, keyword: str) -> tuple[int, ...] | None:
    """Return every value as an int: () when absent or empty, None when a value is not a whole number."""
    numbers = numbers_of(dataset, keyword)
    if numbers is None or any(one != int(one) for one in numbers):
        return None
    return tuple(int(one) for one in numbers)


def items_of(dataset: Dataset, keyword: str) -> tuple[Dataset, ...]:
    """Return the items of a sequence, () when absent, empty or unreadable."""
    try:
        value = dataset.get(keyword)
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
