"""MONOCHROME1, signed pixels and sign -1: asked about, decided by the user, and legal when they are written again."""

import numpy as np
import pydicom
import pytest

from DSADeblurLib.request import UserFacts
from DSADeblurLib.xa import XAReadError, plan_subtraction, read_run, subtract

_TOP = 4095


def _as_monochrome1(edit, made, inverted):
    """Write a run as MONOCHROME1, with its values kept or mirrored."""

    def change(dataset):
        dataset.PhotometricInterpretation = "MONOCHROME1"
        stored = _TOP - made.frames if inverted else made.frames
        dataset.PixelData = stored.astype("<u2").tobytes()
        if inverted and "ModalityLUTSequence" in dataset:
            item = dataset.ModalityLUTSequence[0]
            item.LUTData = np.frombuffer(item.LUTData, "<u2")[::-1].tobytes()

    return edit(made.path, touch=change)


def _as_signed(edit, made):
    def change(dataset):
        dataset.PixelRepresentation = 1
        # Two's complement of 12 bits, with the sign repeated above.
        dataset.PixelData = (made.frames.astype(int) - 2048).astype("<i2").tobytes()
        dataset.WindowCenter = float(dataset.WindowCenter) - 2048

    return edit(made.path, touch=change)


@pytest.mark.parametrize("polarity", ["keep", "invert"])
@pytest.mark.parametrize("relationship", ["LIN", "LOG"])
def test_frames_mean_what_monochrome2_means(make_run, edit, polarity, relationship):
    made = make_run(relationship=relationship)
    path = _as_monochrome1(edit, made, polarity == "invert")
    with pytest.raises(XAReadError, match="^MONOCHROME1 image, never inverted silently: choose the polarity 'keep'"):
        read_run(path)
    run, plain = read_run(path, UserFacts(polarity=polarity)), read_run(made.path)
    np.testing.assert_array_equal(np.asarray(run.frames), made.frames)
    assert run.log_slope == pytest.approx(plain.log_slope) and any("(user)" in one for one in run.warnings)
    plan = plan_subtraction(run)
    np.testing.assert_allclose(
        np.asarray(subtract(run.frames, plan, run.relationship)),
        np.asarray(subtract(plain.frames, plan_subtraction(plain), plain.relationship)),
        atol=1e-6,
    )


@pytest.mark.parametrize("polarity", ["keep", "invert"])
def test_values_that_fall_with_the_xrays_are_asked_about(make_run, edit, polarity):
    made = make_run()

    def change(dataset):
        dataset.PixelIntensityRelationshipSign = -1
        stored = _TOP - made.frames if polarity == "invert" else made.frames
        dataset.PixelData = stored.astype("<u2").tobytes()

    path = edit(made.path, touch=change)
    with pytest.raises(XAReadError, match="^The header says that stored values fall with the X-rays, never inverted"):
        read_run(path)
    run = read_run(path, UserFacts(polarity=polarity))
    np.testing.assert_array_equal(np.asarray(run.frames), made.frames)


@pytest.mark.parametrize("polarity", ["keep", "invert"])
@pytest.mark.parametrize("native", [True, False])
def test_derived_from_monochrome1(make_run, edit, derive, judged, polarity, native):
    made = make_run()
    path = _as_monochrome1(edit, made, polarity == "invert")
    dataset = judged(derive(path, native=native, polarity=polarity), path)
    assert dataset.PhotometricInterpretation == "MONOCHROME2"
    assert f"polarity of stored values: {polarity} (user)" in dataset.DerivationDescription
    if native:
        np.testing.assert_array_equal(dataset.pixel_array, made.frames)


def test_window_is_mirrored_with_the_values(make_run, edit, derive, judged):
    path = _as_monochrome1(edit, make_run(), True)
    source = pydicom.dcmread(path)
    dataset = judged(derive(path, native=True, polarity="invert"), path)
    assert (dataset.WindowCenter, dataset.WindowWidth) == (_TOP + 1 - source.WindowCenter, source.WindowWidth)


def test_the_lut_of_mirrored_values_is_not_written(make_run, edit, derive, judged):
    path = _as_monochrome1(edit, make_run(relationship="LOG"), True)
    dataset = judged(derive(path, native=True, polarity="invert"), path)
    assert "ModalityLUTSequence" not in dataset and dataset.SOPClassUID.name.startswith("Multi-frame Grayscale")


def test_ordinary_files_are_not_touched_by_a_polarity(make_run):
    made = make_run()
    run = read_run(made.path, UserFacts(polarity="invert"))
    np.testing.assert_array_equal(np.asarray(run.frames), made.frames)
    assert run.warnings == ()


@pytest.mark.parametrize("relationship", ["DISP", "LIN"])
def test_signed_pixels_are_shifted(make_run, edit, derive, judged, relationship):
    made = make_run(relationship=relationship)
    path = _as_signed(edit, made)
    with pytest.raises(XAReadError, match="^Signed pixels are not valid for XA; polarity unknown: choose"):
        read_run(path)
    run = read_run(path, UserFacts(polarity="keep"))
    np.testing.assert_array_equal(np.asarray(run.frames), made.frames)
    assert "Signed pixels: 2048 was added to every stored value (user)." in run.warnings
    assert not any("overlay" in one for one in run.warnings)
    if relationship == "LIN":
        # A zero in the middle of the range is no intensity.
        assert run.relationship is None
        assert "Pixel intensity relationship missing; choose linear or log." in run.warnings
        with pytest.raises(XAReadError, match="Signed pixels cannot be linear intensities"):
            read_run(path, UserFacts(polarity="keep", relationship="LIN"))
    else:
        dataset = judged(derive(path, native=True, polarity="keep"), path)
        assert dataset.PixelRepresentation == 0 and dataset.WindowCenter == pydicom.dcmread(made.path).WindowCenter
        np.testing.assert_array_equal(dataset.pixel_array, made.frames)
    inverted = read_run(path, UserFacts(polarity="invert"))
    np.testing.assert_array_equal(np.asarray(inverted.frames), _TOP - made.frames)


@pytest.mark.parametrize("command", [("dcmcjpeg", "+e1"), ("dcmcjpls", "+el"), ("dcmcrle",), ("gdcmconv", "--j2k")])
def test_compressed_signed_pixels(make_run, edit, tool, tmp_path, command):
    pytest.importorskip("gdcm", reason="python-gdcm decodes JPEG Lossless")
    made = make_run(relationship="DISP")
    result = tool(*command, _as_signed(edit, made), tmp_path / "packed.dcm")
    assert result.returncode == 0, result.stderr
    np.testing.assert_array_equal(
        np.asarray(read_run(tmp_path / "packed.dcm", UserFacts(polarity="keep")).frames), made.frames
    )
