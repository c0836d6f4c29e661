"""Sizes and positions are checked before anything is decoded."""

import re
import struct

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import MPEG4HP41, ExplicitVRLittleEndian, JPEGLSLossless, RLELossless

from DSADeblurLib.request import RequestError, UserFacts
from DSADeblurLib.xa import XAReadError, read_header, read_run
from DSADeblurLib.xa.file import stored_pixels
from DSADeblurLib.xa.file.stored_pixels import PixelChoices


def _refused(path):
    with pytest.raises(XAReadError) as caught:
        read_header(path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"PhotometricInterpretation": "RGB", "SamplesPerPixel": 3}, "Colour or palette image (screen capture?)."),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "Colour or palette image (screen capture?)."),
        (
            {"PhotometricInterpretation": "MONOCHROME1"},
            "MONOCHROME1 image, never inverted silently: choose the polarity",
        ),
        ({"HighBit": 15}, "Bit depth inconsistent: allocated 16, stored 12, high bit 15."),
        ({"BitsAllocated": 12}, "Bit depth inconsistent: allocated 12, stored 12, high bit 11."),
        ({"BitsStored": 17, "HighBit": 16}, "Bit depth inconsistent: allocated 16, stored 17, high bit 16."),
        ({"BitsStored": None}, "Bit depth inconsistent: allocated 16, stored None, high bit 11."),
        ({"PixelRepresentation": 1}, "Signed pixels are not valid for XA; polarity unknown: choose"),
        ({"Rows": 0}, "Invalid image size."),
        ({"Columns": None}, "Invalid image size."),
        ({"NumberOfFrames": -3}, "Invalid image size."),
        ({"Rows": 60000, "Columns": 60000}, "Image too large: 6 frames of 60000 x 60000 pixels."),
        ({"NumberOfFrames": 10**8}, "Image too large: 100000000 frames of 48 x 64 pixels."),
        ({"NumberOfFrames": 5}, "Header says 5 frames, file holds 6. Refusing to guess; choose 'use 6' to take"),
        ({"NumberOfFrames": None}, "Header says 1 frames, file holds 6."),
        ({"NumberOfFrames": 0}, "Header says 0 frames, file holds 6."),
        ({"NumberOfFrames": 7}, "Header says 7 frames, file holds 6."),
        ({"PixelData": None}, "No pixel data in this file."),
        ({"PixelData": b""}, "No pixel data in this file."),
        (
            {"PixelData": b"\0" * (6 * 48 * 64 * 2 + 6 * 48 * 2)},
            "Pixel data of 37440 bytes does not fit 6 frames of 6144 bytes.",
        ),
        (
            {"Rows": 47},
            "Pixel data of 36864 bytes does not fit 6 frames of 6016 bytes.",
        ),
    ],
)
def test_each_unusable_image_has_its_sentence(make_run, edit, changes, sentence):
    assert sentence in _refused(edit(make_run().path, **changes))


@pytest.mark.parametrize("surplus", [2, 512])
def test_bytes_behind_the_last_frame_are_left_there(make_run, edit, surplus):
    """Less than one line of each frame, so that no other size of the frames explains them."""
    made = make_run()
    run = read_run(edit(made.path, PixelData=made.frames.astype("<u2").tobytes() + b"\7" * surplus))
    np.testing.assert_array_equal(np.asarray(run.frames), made.frames)
    assert f"{surplus} bytes behind the last frame are not used." in run.warnings


@pytest.mark.parametrize("bits", [8, 12])
@pytest.mark.parametrize("table", [True, False])
def test_run_length_frames_in_pieces(make_run, tmp_path, bits, table):
    """The standard wants one fragment a frame; devices write more."""
    made = make_run(bits=bits)
    dataset = pydicom.dcmread(made.path)
    dataset.compress(RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)
    frames = list(generate_frames(dataset.PixelData, number_of_frames=6))
    dataset.PixelData = encapsulate(frames, fragments_per_frame=3, has_bot=table)
    dataset["PixelData"].is_undefined_length = True
    dataset.save_as(tmp_path / "pieces.dcm")
    np.testing.assert_array_equal(np.asarray(read_run(tmp_path / "pieces.dcm").frames), made.frames)


def test_a_frame_that_lost_its_start_is_not_added_to_the_one_before(compressed, tmp_path):
    """Where there is a fragment for each frame, another count would be wrong advice."""

    def damage(frames):
        return encapsulate([*frames[:2], b"\0\0" + frames[2][2:], *frames[3:]])

    path = _encapsulated(compressed.path, tmp_path / "start.dcm", damage)
    assert _refused(path) == "Compressed pixel data is damaged: frame 3 has no start."


def test_video_is_not_supported_and_not_damaged(make_run, tmp_path):
    dataset = pydicom.dcmread(make_run().path)
    dataset.PixelData = encapsulate([b"\0\0\1\xba" * 20])
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = MPEG4HP41
    dataset.save_as(tmp_path / "film.dcm")
    sentence = _refused(tmp_path / "film.dcm")
    assert sentence.startswith("Transfer syntax MPEG-4 ") and "is not supported; convert the file" in sentence


def test_a_frame_that_claims_too_many_pixels_is_not_decoded(make_run, tmp_path):
    dataset = pydicom.dcmread(make_run(transfer_syntax=JPEGLSLossless).path)
    dataset.Rows = dataset.Columns = 8192
    dataset.save_as(tmp_path / "claims.dcm")
    assert re.fullmatch(
        "Compressed frame 1 has [0-9]+ bytes, too few for 8192 x 8192 pixels.", _refused(tmp_path / "claims.dcm")
    )


@pytest.mark.parametrize(("declared", "options"), [(5, {}), (7, {}), (None, {}), (0, {"syntax": JPEGLSLossless})])
def test_the_count_of_the_file_is_used_when_the_user_says_so(make_run, edit, declared, options):
    made = make_run(transfer_syntax=options.get("syntax", ExplicitVRLittleEndian))
    run = read_run(edit(made.path, NumberOfFrames=declared), UserFacts(frames_in_file=True))
    np.testing.assert_array_equal(np.asarray(run.frames), made.frames)
    assert run.number_of_frames == 6 and run.mask.usable is not None
    assert f"Header says {declared if declared is not None else 1} frames; the 6 of the file are used (user)." in (
        run.warnings
    )


def test_a_derived_object_says_whose_count_it_has(make_run, edit, derive, judged):
    path = edit(make_run().path, NumberOfFrames=5)
    dataset = judged(derive(path, frames_in_file=True), path)
    assert dataset.NumberOfFrames == 4 and "6 frames as the file holds (user)" in dataset.DerivationDescription


def test_polarity_has_two_names():
    with pytest.raises(RequestError, match="Polarity must be one of keep, invert, not 'up'."):
        UserFacts(polarity="up")
    with pytest.raises(XAReadError, match="Polarity must be 'keep' or 'invert', not 'up'."):
        PixelChoices(polarity="up")


def test_float_pixels_are_not_frames(make_run, edit):
    def change(dataset):
        del dataset.PixelData
        dataset.FloatPixelData = b"\0" * 16

    assert _refused(edit(make_run().path, touch=change)) == "No integer pixel data in this file."


def test_an_icon_is_no_pixel_data(make_run, edit):
    def change(dataset):
        icon = Dataset()
        icon.Rows = icon.Columns = icon.BitsAllocated = 8
        icon.PixelData = dataset.PixelData[:64]
        dataset.IconImageSequence = [icon]
        del dataset.PixelData

    assert _refused(edit(make_run().path, touch=change)) == "No pixel data in this file."


def test_truncated_native_file(make_run, tmp_path):
    data = make_run().path.read_bytes()
    cut = tmp_path / "cut.dcm"
    cut.write_bytes(data[:-1000])
    assert _refused(cut) == "File is truncated: 35864 of 36864 bytes."


@pytest.mark.parametrize(
    ("length", "sentence"),
    [
        (0xFFFFFFF0, "File is truncated: 36864 of 4294967280 bytes."),
        (0xFFFFFFFF, "Uncompressed pixel data has no length"),
    ],
)
def test_false_native_length_claims_no_memory(make_run, tmp_path, length, sentence):
    data = bytearray(make_run().path.read_bytes())
    at = data.rindex(b"\xe0\x7f\x10\x00OW") + 8
    data[at : at + 4] = struct.pack("<L", length)
    (tmp_path / "long.dcm").write_bytes(data)
    assert sentence in _refused(tmp_path / "long.dcm")


@pytest.fixture
def compressed(make_run):
    return make_run("jls.dcm", transfer_syntax=JPEGLSLossless)


def _encapsulated(path, target, change):
    """Write a copy of a compressed file whose list of encoded frames went through `change`."""
    dataset = pydicom.dcmread(path)
    frames = list(generate_frames(dataset.PixelData, number_of_frames=int(dataset.NumberOfFrames)))
    dataset.PixelData = change(frames)
    dataset["PixelData"].is_undefined_length = True
    dataset.save_as(target)
    return target


@pytest.mark.parametrize("options", [{"fragments_per_frame": 3}, {"has_bot": False}, {}])
def test_fragments_are_joined_with_or_without_offset_table(compressed, tmp_path, options):
    path = _encapsulated(compressed.path, tmp_path / "pieces.dcm", lambda frames: encapsulate(frames, **options))
    np.testing.assert_array_equal(np.asarray(read_run(path).frames), compressed.frames)


def test_several_fragments_without_offset_table(compressed, tmp_path):
    path = _encapsulated(
        compressed.path,
        tmp_path / "pieces.dcm",
        lambda frames: encapsulate(frames, fragments_per_frame=4, has_bot=False),
    )
    np.testing.assert_array_equal(np.asarray(read_run(path).frames), compressed.frames)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda frames: encapsulate(frames[:5]), "Header says 6 frames, file holds 5."),
        (lambda frames: encapsulate([*frames, frames[0]]), "Header says 6 frames, file holds 7."),
        (lambda frames: encapsulate([b"garbage!", *frames[1:]]), "Compressed pixel data is damaged: the first frame"),
        (lambda frames: encapsulate(frames, has_bot=False)[:8], "No pixel data in this file."),
        (
            lambda frames: (
                encapsulate(frames, has_bot=False)
                .replace(b"\xfe\xff\x00\xe0", b"\xfe\xff\x01\xe0")
                .replace(b"\xfe\xff\x01\xe0", b"\xfe\xff\x00\xe0", 2)
            ),
            "an item tag is missing.",
        ),
    ],
)
def test_damaged_encapsulation(compressed, tmp_path, change, sentence):
    assert sentence in _refused(_encapsulated(compressed.path, tmp_path / "bad.dcm", change))


def test_truncated_compressed_file(compressed, tmp_path):
    data = compressed.path.read_bytes()
    for keep in (len(data) - 8, len(data) - 500):
        (tmp_path / "cut.dcm").write_bytes(data[:keep])
        assert _refused(tmp_path / "cut.dcm").startswith("File is truncated:")


def test_compressed_data_must_be_encapsulated(make_run, tmp_path):
    data = make_run().path.read_bytes()
    # The same length, so that the file meta group stays valid.
    (tmp_path / "odd.dcm").write_bytes(data.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.5\0", 1))
    assert "is not encapsulated" in _refused(tmp_path / "odd.dcm")


def test_fragment_count_is_limited(compressed, monkeypatch):
    monkeypatch.setattr(stored_pixels, "MAX_FRAGMENTS", 3)
    assert _refused(compressed.path) == "Compressed pixel data has more than 3 fragments."
