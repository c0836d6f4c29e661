"""What the networks are not made for is said in a sentence with the number, and nothing where all is well."""

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000, ExplicitVRLittleEndian, JPEG2000Lossless, JPEGBaseline8Bit

from DSADeblurLib.xa.header.purpose import outside_of_purpose, was_lossy


def outside(syntax=ExplicitVRLittleEndian, bits=12, relationship="LIN", blur=(2.0, 2.4), **header):
    dataset = Dataset()
    for name, value in header.items():
        setattr(dataset, name, value)
    return outside_of_purpose(dataset, syntax, bits, relationship, blur)


def test_nothing_is_said_of_what_it_is_for():
    assert outside() == outside(blur=None) == outside(relationship=None) == []
    # One direction is enough: a spot may be long and narrow.
    assert outside(blur=(0.4, 1.0)) == []


@pytest.mark.parametrize(
    ("words", "facts"),
    [
        ("0.4 x 0.3 pixels only", dict(blur=(0.42, 0.31))),
        ("hold 8 bits made for display", dict(bits=8)),
        ("hold values made for display", dict(relationship="DISP")),
        ("compressed with loss; ", dict(LossyImageCompression="01")),
        ("compressed with loss (to a 12th)", dict(LossyImageCompression="01", LossyImageCompressionRatio=["12.3"])),
        ("compressed with loss; ", dict(syntax=JPEGBaseline8Bit)),
    ],
)
def test_each_is_said_for_itself(words, facts):
    (sentence,) = outside(**facts)
    assert words in sentence and sentence.endswith(".")


def test_lossy_by_syntax_or_by_what_was_done_before():
    assert was_lossy(Dataset(), JPEG2000) and not was_lossy(Dataset(), JPEG2000Lossless)
    header = Dataset()
    header.add_new(0x00082110, "CS", "01")
    assert was_lossy(header, ExplicitVRLittleEndian)
