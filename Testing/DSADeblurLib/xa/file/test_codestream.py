"""Headers of codestreams: what they say, what is left out, and what is not well formed."""

import pytest

from DSADeblurLib.xa import XAReadError
from DSADeblurLib.xa.file.codestream import bare_jpeg, codestream_size, has_end


@pytest.mark.parametrize("middle", [b"garbage!", b"\xff\xe0\x00\x00", b"\xff\xc8\x00\x04\0\0", b""])
def test_jpeg_headers_that_are_not_well_formed(middle):
    with pytest.raises(XAReadError, match="the header of a frame is not well formed"):
        bare_jpeg(b"\xff\xd8" + middle + b"\xff\xda\x00")


def test_bare_jpeg_keeps_what_decoding_needs():
    tables, scan = b"\xff\xc4\x00\x03\x11", b"\xff\xda\x00\x02pixels\xff\xd9"
    assert bare_jpeg(b"\xff\xd8\xff\xe0\x00\x04ab" + tables + b"\xff\xfe\x00\x03c" + scan) == (
        b"\xff\xd8" + tables + scan
    )


@pytest.mark.parametrize(("process", "said"), [(b"\xc1", b"\0\x3f\0"), (b"\xc3", b"\1\0\0")])
def test_a_sequential_scan_has_all_coefficients(process, said):
    """GDCM's library prints a warning where the header says otherwise; in a lossless one the numbers mean something."""
    head = b"\xff\xd8\xff" + process + b"\x00\x0b\x0c\0\1\0\1\1\1\x11\0"
    data = head + b"\xff\xda\x00\x08\1\1\0\1\0\0pixels"
    assert bare_jpeg(data) == head + b"\xff\xda\x00\x08\1\1\0" + said + b"pixels"


@pytest.mark.parametrize("data", [b"\xff\xd8", b"\xff\xd8\x00\x00" * 5, b"\xff\xd8\xff\xe0\x00\x02" + b"\0" * 12])
def test_codestream_without_a_size(data):
    with pytest.raises(XAReadError, match="a frame has no size"):
        codestream_size(data)


@pytest.mark.parametrize(
    ("comment", "scan", "whole"),
    [
        (b"", b"pix\xff\x7fels\xff\xd9", True),
        (b"", b"pix\xff\xd0els\xff\xff\xd9\0", True),
        (b"", b"pixels", False),
        (b"", b"pix\xff\xe0els\xff\xd9", False),
        (b"\xff\xfe\x00\x04\xff\xd9", b"pixels", False),
    ],
)
def test_the_end_of_a_jpeg_ls_scan_lies_behind_its_start(comment, scan, whole):
    assert has_end(b"\xff\xd8" + comment + b"\xff\xda\x00\x02" + scan) == whole
