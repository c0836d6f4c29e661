"""What devices write against the rules and yet without a doubt: mended when it is read, and said."""

import re
from collections.abc import Iterator
from typing import Any

from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

_DECIMAL, _THOUSANDS = re.compile(rb"[+-]?\d+([.,]\d*)?"), re.compile(rb"[+-]?[1-9]\d{0,2},\d{3}")
_TEXT_VRS = frozenset(("LO", "LT", "PN", "SH", "ST", "UC", "UT"))


def mend(dataset: Dataset) -> tuple[str, ...]:
    """Mend top-level elements of a data set whose values pydicom has not read yet; gives one sentence for each kind.

    Decimal commas become points where they cannot part thousands: 0,8 and 1100,0, but not 1,100 (PS3.5 6.2, DS). Text
    beyond ASCII without a Specific Character Set that is valid UTF-8 is taken for that (PS3.3 C.12.1.1.2).
    """
    commas, beyond_ascii = [], []
    for vr, raw, value in _unread(dataset):
        if vr == "DS" and b"," in value:
            numbers = [one.strip() for one in value.rstrip(b"\0").split(b"\\")]
            if all(_DECIMAL.fullmatch(one) and not _THOUSANDS.fullmatch(one) for one in numbers):
                dataset[raw.tag] = raw._replace(value=b"\\".join(numbers).replace(b",", b"."))
                commas.append(keyword_for_tag(raw.tag))
        elif vr in _TEXT_VRS and not value.isascii():
            beyond_ascii.append(value)
    sentences = [f"Decimal commas were read as points in {', '.join(commas)}."] if commas else []
    if beyond_ascii and not dataset.get("SpecificCharacterSet") and all(map(_is_utf8, beyond_ascii)):
        dataset.SpecificCharacterSet = "ISO_IR 192"
        implicit, little = dataset.original_encoding
        dataset.set_original_encoding(implicit, little, "utf_8")
        sentences.append("The header names no character set; its text was read as UTF-8.")
    return tuple(sentences)


def _unread(dataset: Dataset) -> Iterator[tuple[str, RawDataElement, bytes]]:
    """VR, element and value of those that still are the bytes of the file."""
    for tag in list(dataset.keys()):
        raw: Any = dataset.get_item(tag)  # pydicom's types do not say that it may be raw
        if isinstance(raw, RawDataElement) and isinstance(raw.value, bytes):
            yield raw.VR or (dictionary_VR(tag) if dictionary_has_tag(tag) else ""), raw, raw.value


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
