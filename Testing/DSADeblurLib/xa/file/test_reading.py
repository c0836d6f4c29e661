"""The boundary: whatever fails inside comes out as one sentence."""

import struct

import pytest
from pydicom.errors import InvalidDicomError

from DSADeblurLib.xa import XAReadError, XAWriteError
from DSADeblurLib.xa.file.reading import reading


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (InvalidDicomError(), "Not a DICOM file."),
        (FileNotFoundError(), "The file does not exist."),
        (IsADirectoryError(), "This is a folder, not a file."),
        (PermissionError(), "The file may not be read: permission denied."),
        (MemoryError(), "Not enough memory to read this file."),
        (struct.error("bad\n  length"), "The file is damaged or not conformant (error: bad length)."),
        (RecursionError(), "The file is damaged or not conformant (RecursionError: no reason given)."),
        (ValueError("x" * 1000), f"The file is damaged or not conformant (ValueError: {'x' * 160})."),
    ],
)
def test_every_failure_is_one_sentence(error, sentence):
    with pytest.raises(XAReadError) as caught, reading():
        raise error
    assert str(caught.value) == sentence and caught.value.__cause__ is error


@pytest.mark.parametrize("error", [XAReadError("As it is."), XAWriteError("As it is.")])
def test_own_errors_pass(error):
    with pytest.raises(type(error), match="^As it is.$"), reading():
        raise error


def test_cancelling_is_not_a_read_error():
    with pytest.raises(KeyboardInterrupt), reading():
        raise KeyboardInterrupt
