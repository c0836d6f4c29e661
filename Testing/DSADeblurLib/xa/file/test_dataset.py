"""Opening files nobody vouches for: what is read is bounded before pydicom makes objects of it."""

import struct

import pytest
from pydicom.dataset import Dataset

from DSADeblurLib.xa import XAReadError, XASkipped, read_header
from DSADeblurLib.xa.file import dataset as opening

_TOO_MANY = "The header has more elements than any angiogram needs; it is damaged."
_ITEM = b"\xfe\xff\x00\xe0"


def _refused(path):
    with pytest.raises(XAReadError) as caught:
        read_header(path)
    return str(caught.value)


def _with_sequence(path, target, content, undefined=False):
    """Put a Mask Subtraction Sequence of these bytes in front of the pixel data."""
    data = path.read_bytes()
    at = data.index(b"\xe0\x7f\x10\x00OW")
    length = 0xFFFFFFFF if undefined else len(content)
    target.write_bytes(data[:at] + b"\x28\x00\x00\x61SQ\0\0" + struct.pack("<L", length) + content + data[at:])
    return target


@pytest.mark.parametrize(
    "content",
    [
        b"\0" * 2**18,
        (_ITEM + b"\0" * 4) * 30_000,
        _ITEM + struct.pack("<L", 8) + b"\0" * 2**17,
        (_ITEM + b"\xff\xff\xff\xff\xfe\xff\x0d\xe0\0\0\0\0") * 30_000,
    ],
)
@pytest.mark.parametrize("undefined", [False, True])
def test_sequences_of_nothing_are_refused_at_once(make_run, tmp_path, monkeypatch, content, undefined):
    monkeypatch.setattr(opening, "_MAX_READS", 20_000)
    path = make_run(mask_frames=None, contrast_frames=None).path
    message = _refused(_with_sequence(path, tmp_path / "items.dcm", content * (4 if undefined else 1), undefined))
    assert message == _TOO_MANY or (undefined and message.endswith("."))


def test_large_sequences_of_items_are_read(make_run, tmp_path):
    path = make_run(mask_frames=None, contrast_frames=None).path
    operation = b"\x28\x00\x01\x61CS\x08\x00AVG_SUB "
    item = _ITEM + struct.pack("<L", len(operation)) + operation
    facts = read_header(_with_sequence(path, tmp_path / "items.dcm", item * 5000))
    assert len(facts.mask.items) == 400 and any("5000 mask items" in warning for warning in facts.warnings)


def test_an_enhanced_run_of_many_frames_is_within_the_limit(make_run, tool, tmp_path):
    """DCMTK writes sequences of undefined length, which take most reads."""
    import pydicom

    dataset = pydicom.dcmread(make_run(count=400, rows=8, columns=8).path)
    groups = []
    for _ in range(400):
        group = Dataset()
        for keyword in (
            "FrameContentSequence",
            "PositionerPositionSequence",
            "TablePositionSequence",
            "XRayGeometrySequence",
            "CollimatorShapeSequence",
            "FrameVOILUTSequence",
        ):
            inner = Dataset()
            inner.PositionerPrimaryAngle = inner.PositionerSecondaryAngle = "1"
            inner.WindowCenter, inner.WindowWidth, inner.DistanceSourceToDetector = "1", "2", "3"
            setattr(group, keyword, [inner])
        groups.append(group)
    dataset.PerFrameFunctionalGroupsSequence = groups
    dataset.save_as(tmp_path / "groups.dcm")
    assert tool("dcmconv", "-e", tmp_path / "groups.dcm", tmp_path / "undefined.dcm").returncode == 0
    for name in ("groups.dcm", "undefined.dcm"):
        assert read_header(tmp_path / name).number_of_frames == 400


def test_reads_of_a_header_are_counted(make_run, monkeypatch):
    path = make_run().path
    monkeypatch.setattr(opening, "_MAX_READS", 20)
    assert _refused(path) == _TOO_MANY


@pytest.mark.parametrize(
    "values",
    [
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2"},
        {"PhotometricInterpretation": "RGB", "SamplesPerPixel": 3},
        {"PhotometricInterpretation": "PALETTE COLOR"},
    ],
)
def test_what_is_no_angiogram_is_skipped_and_not_a_failure(make_run, edit, values):
    with pytest.raises(XASkipped):
        read_header(edit(make_run().path, **values))


def test_files_that_are_no_dicom_are_a_failure(tmp_path):
    """They may be damaged ones."""
    (tmp_path / "note.txt").write_text("Seen at noon.\n" * 100)
    with pytest.raises(XAReadError, match="^Not a DICOM file.$") as caught:
        read_header(tmp_path / "note.txt")
    assert not isinstance(caught.value, XASkipped)


@pytest.mark.parametrize("start", [b"MZ", b"\x7fELF"])
def test_executable_preambles_are_not_written_again(make_run, derive, tmp_path, start):
    data = make_run().path.read_bytes()
    (tmp_path / "disguised.dcm").write_bytes(start + data[len(start) :])
    assert derive(tmp_path / "disguised.dcm").read_bytes()[:128] == b"\0" * 128
