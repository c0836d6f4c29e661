"""Frames are decoded one by one, exactly, with surplus bits cleared."""

import struct
import tracemalloc

import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels import get_decoder
from pydicom.uid import JPEGLosslessSV1, JPEGLSLossless, RLELossless

from DSADeblurLib.xa import XAReadError, read_run


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
@pytest.mark.parametrize("syntax", ["native", JPEGLSLossless])
def test_frames_come_back_exactly(make_run, bits, syntax):
    made = make_run(bits=bits, **({} if syntax == "native" else {"transfer_syntax": syntax}))
    frames = read_run(made.path).frames
    assert frames.shape == made.frames.shape and frames.dtype == made.frames.dtype
    np.testing.assert_array_equal(np.asarray(frames), made.frames)
    np.testing.assert_array_equal(frames[-1], made.frames[-1])
    np.testing.assert_array_equal(frames[1:5:2], made.frames[1:5:2])
    np.testing.assert_array_equal(frames[[4, 0]], made.frames[[4, 0]])
    np.testing.assert_array_equal(np.stack(list(frames)), made.frames)
    for outside in (6, -7):
        with pytest.raises(IndexError):
            frames[outside]
    with pytest.raises(IndexError):
        frames["0"]


@pytest.mark.parametrize("bits", [8, 12])
@pytest.mark.parametrize("command", [("dcmconv", "+ti"), ("dcmconv", "+tb"), ("dcmcrle",)])
def test_other_byte_orders_and_run_lengths(make_run, tool, tmp_path, bits, command):
    # Odd dimensions: in big endian, 8-bit frames then begin in the middle of a swapped word.
    made = make_run(bits=bits, rows=33, columns=35, count=3)
    result = tool(*command, made.path, tmp_path / "other.dcm")
    assert result.returncode == 0, result.stderr
    np.testing.assert_array_equal(np.asarray(read_run(tmp_path / "other.dcm").frames), made.frames)


@pytest.mark.parametrize(
    "command",
    [
        ("dcmcjpeg", "+e1"),
        ("dcmcjpls", "+el"),
        ("dcmcrle",),
        ("gdcmconv", "--j2k"),
        ("gdcmconv", "--jpeg"),
    ],
)
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_files_of_other_encoders(make_run, tool, tmp_path, command, bits):
    pytest.importorskip("gdcm", reason="python-gdcm decodes JPEG Lossless")
    made = make_run(bits=bits)
    target = tmp_path / "encoded.dcm"
    result = tool(*command, made.path, target)
    assert result.returncode == 0, result.stderr
    np.testing.assert_array_equal(np.asarray(read_run(target).frames), made.frames)


def test_overlay_bits_are_cleared_and_reported(make_run, edit):
    made = make_run()

    def overlays(dataset):
        dataset.PixelData = (made.frames | 0x9000).astype("<u2").tobytes()
        for group, position in ((0x6000, 12), (0x6002, 15)):
            dataset.add_new((group, 0x0102), "US", position)

    run = read_run(edit(made.path, touch=overlays))
    np.testing.assert_array_equal(np.asarray(run.frames), made.frames)
    assert "Bits above the 12 stored ones hold an overlay and were cleared." in run.warnings


@pytest.mark.parametrize("overlay_with_data_of_its_own", [False, True])
def test_values_above_the_stored_bits_are_clipped_and_never_wrapped(make_run, edit, overlay_with_data_of_its_own):
    made = make_run()
    values = made.frames.copy()
    values[1:, 3:9] += 4096

    def twelve_bits_too_few(dataset):
        dataset.PixelData = values.astype("<u2").tobytes()
        if overlay_with_data_of_its_own:
            dataset.add_new((0x6000, 0x0102), "US", 12)
            dataset.add_new((0x6000, 0x3000), "OW", bytes(384))

    run = read_run(edit(made.path, touch=twelve_bits_too_few))
    np.testing.assert_array_equal(np.asarray(run.frames), np.minimum(values, 4095))
    (remark,) = [one for one in run.warnings if "stored bits" in one]
    assert remark.endswith("no overlay is said to be there: they were clipped to 4095.")


def test_missing_jpeg_lossless_decoder_is_named(make_run, tool, tmp_path, monkeypatch):
    tool("dcmcjpeg", "+e1", make_run().path, tmp_path / "lossless.dcm")
    monkeypatch.setattr(get_decoder(JPEGLosslessSV1), "_available", {})
    with pytest.raises(XAReadError, match="JPEG Lossless.*install the Python package python-gdcm"):
        read_run(tmp_path / "lossless.dcm")


def test_missing_jpeg_ls_decoder_is_named(make_run, monkeypatch):
    path = make_run(transfer_syntax=JPEGLSLossless).path
    monkeypatch.setattr(get_decoder(JPEGLSLossless), "_available", {})
    with pytest.raises(XAReadError, match="install the Python package pyjpegls"):
        read_run(path)


def test_unsupported_syntax_is_named(make_run, edit):
    def change(dataset):
        dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.102"
        dataset.PixelData = encapsulate([b"\xff\xd8" + b"\0" * 20] * 6)
        dataset["PixelData"].is_undefined_length = True

    with pytest.raises(XAReadError, match="MPEG-4.*is not supported; convert the file"):
        read_run(edit(make_run().path, touch=change))


def _with_frames(path, target, change):
    dataset = pydicom.dcmread(path)
    frames = [bytearray(one) for one in generate_frames(dataset.PixelData, number_of_frames=6)]
    change(frames)
    dataset.PixelData = encapsulate([bytes(one) for one in frames])
    dataset["PixelData"].is_undefined_length = True
    dataset.save_as(target)
    return target


def test_damaged_frame_is_found_when_it_is_reached(make_run, tmp_path):
    made = make_run(transfer_syntax=JPEGLSLossless)

    def damage(frames):
        frames[4] = frames[4][:40] + b"\xff\xd9"

    frames = read_run(_with_frames(made.path, tmp_path / "bad.dcm", damage)).frames
    np.testing.assert_array_equal(frames[3], made.frames[3])
    with pytest.raises(XAReadError, match="Compressed frame 5 is damaged and cannot be decoded."):
        frames[4]


def test_damaged_frame_of_extended_jpeg(make_run, tool, tmp_path):
    pytest.importorskip("gdcm", reason="python-gdcm decodes JPEG Extended")
    assert tool("dcmcjpeg", "+ee", make_run().path, tmp_path / "lossy.dcm").returncode == 0
    read_run(tmp_path / "lossy.dcm").frames[5]

    def damage(frames):
        # A Huffman table of impossible lengths.
        at = frames[4].index(b"\xff\xc4") + 5
        frames[4][at : at + 16] = b"\xff" * 16

    frames = read_run(_with_frames(tmp_path / "lossy.dcm", tmp_path / "bad.dcm", damage)).frames
    with pytest.raises(XAReadError, match="^Compressed frame 5 is damaged and cannot be decoded.$"):
        frames[4]


def test_codestream_may_not_claim_another_size(make_run, tmp_path):
    made = make_run(transfer_syntax=JPEGLSLossless)

    def enlarge(frames):
        at = frames[0].index(b"\xff\xf7")
        frames[0][at + 5 : at + 9] = struct.pack(">HH", 60000, 60000)

    path = _with_frames(made.path, tmp_path / "bomb.dcm", enlarge)
    with pytest.raises(XAReadError, match="Compressed frame 1 is 60000 x 60000 .* the header says 48 x 64"):
        read_run(path)


def test_codestream_deeper_than_the_header(make_run, edit):
    def change(dataset):
        dataset.BitsAllocated = dataset.BitsStored = 8
        dataset.HighBit = 7

    path = edit(make_run(transfer_syntax=JPEGLSLossless).path, touch=change)
    with pytest.raises(XAReadError, match="Compressed frame 1 has 12 bits, the header allocates 8."):
        read_run(path)


def test_run_length_frame_that_is_too_long(make_run, edit):
    def change(dataset):
        dataset.compress(RLELossless, generate_instance_uid=False, encoding_plugin="pydicom")
        dataset.PixelData = encapsulate([b"\0" * 200_000] * 6)
        dataset["PixelData"].is_undefined_length = True

    with pytest.raises(XAReadError, match="Compressed frame 1 is larger than the image it should hold."):
        read_run(edit(make_run().path, touch=change))


def test_run_length_bomb_is_counted_before_it_is_decoded(make_run, edit):
    def change(dataset):
        bomb = struct.pack("<16L", 2, 64, 3064, *[0] * 13) + b"\x81\0" * 3000
        dataset.compress(RLELossless, generate_instance_uid=False, encoding_plugin="pydicom")
        dataset.PixelData = encapsulate([bomb] * 6)
        dataset["PixelData"].is_undefined_length = True

    path = edit(make_run().path, touch=change)
    with pytest.raises(XAReadError, match="Compressed frame 1 decodes to more than the image it should hold."):
        read_run(path)


def test_header_remarks_of_gdcm_do_not_end_the_process(make_run, tool, tmp_path):
    pytest.importorskip("gdcm", reason="python-gdcm decodes JPEG Lossless")
    made = make_run()
    tool("dcmcjpeg", "+e1", made.path, tmp_path / "lossless.dcm")
    data = (tmp_path / "lossless.dcm").read_bytes()
    assert data.count(b"JFIF\0\x01") == 6
    (tmp_path / "future.dcm").write_bytes(data.replace(b"JFIF\0\x01", b"JFIF\0\x53"))
    np.testing.assert_array_equal(np.asarray(read_run(tmp_path / "future.dcm").frames), made.frames)


@pytest.mark.parametrize("options", [{}, {"transfer_syntax": JPEGLSLossless}])
def test_file_that_shrinks_after_opening(make_run, options):
    made = make_run(**options)
    with read_run(made.path) as run:
        made.path.write_bytes(made.path.read_bytes()[:-100])
        with pytest.raises(XAReadError, match="The source run.dcm changed since it was read; try again"):
            run.frames[5]
        np.testing.assert_array_equal(run.frames[0], made.frames[0])


@pytest.mark.parametrize("options", [{}, {"transfer_syntax": JPEGLSLossless}])
def test_memory_stays_at_a_few_frames(make_run, options):
    path = make_run(count=40, rows=256, columns=256, **options).path
    tracemalloc.start()
    total = sum(int(frame[0, 0]) for frame in read_run(path).frames)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total > 0 and peak < 10 * 256 * 256 * 2
