"""What is mended in a header is said, is right in the result, and what is in doubt is left alone."""

import pydicom
import pytest
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from DSADeblurLib.xa import read_header
from DSADeblurLib.xa.file.elements import numbers_of
from DSADeblurLib.xa.file.mended import mend


def raw(keyword: str, vr: str, value: bytes) -> Dataset:
    dataset = Dataset()
    tag = Tag(keyword)
    dataset[tag] = RawDataElement(tag, vr, len(value), value, 0, False, True)
    return dataset


@pytest.mark.parametrize(
    ("value", "numbers"),
    [
        (b"0,8 ", (0.8,)),
        (b"1100,0", (1100.0,)),
        (b"0,2\\0,154", (0.2, 0.154)),
        (b"-1,5\\2.5", (-1.5, 2.5)),
        (b"1,100", None),
        (b"1,2,3", None),
        (b"a,b", None),
    ],
)
def test_decimal_commas(value, numbers):
    dataset = raw("ImagerPixelSpacing", "DS", value)
    assert bool(mend(dataset)) is (numbers is not None)
    assert numbers_of(dataset, "ImagerPixelSpacing") == numbers


def test_commas_in_text_stay():
    dataset = raw("SeriesDescription", "LO", b"0,8")
    assert mend(dataset) == () and dataset.SeriesDescription == "0,8"


def test_utf8_without_a_character_set(make_run, edit, derive):
    made = make_run()
    path = edit(made.path, SpecificCharacterSet=None, PatientName="MX_ller^JX_rg")
    data = path.read_bytes()
    name = "Müller^Jörg".encode()
    path.write_bytes(data.replace(b"MX_ller^JX_rg", name))
    assert "The header names no character set; its text was read as UTF-8." in read_header(path).warnings
    derived = pydicom.dcmread(derive(path))
    assert str(derived.PatientName) == "Müller^Jörg" and derived.SpecificCharacterSet == "ISO_IR 192"


def test_other_bytes_beyond_ascii_are_left_to_the_default(make_run, edit):
    path = edit(make_run().path, SpecificCharacterSet=None, PatientName="M_ller")
    path.write_bytes(path.read_bytes().replace(b"M_ller", "Müller".encode("latin-1")))
    assert read_header(path).warnings == ()
