"""Subtraction against the known line integrals of a phantom."""

import numpy as np
import pytest
from scipy import ndimage

from DSADeblurLib.xa import SubtractionPlan, XAReadError, plan_subtraction, read_header, read_run, subtract
from DSADeblurLib.xa.subtraction.plan import PlannedMask
from DSADeblurLib.xa.subtraction.subtract import is_quantitative


def _subtracted(path, mode="auto", **options):
    run = read_run(path)
    plan = plan_subtraction(run, mode, **options)
    return subtract(run.frames, plan, run.relationship)


@pytest.mark.parametrize(("relationship", "tolerance"), [("LIN", 2e-3), ("LOG", 3e-3)])
def test_difference_is_the_line_integral(make_run, relationship, tolerance):
    made = make_run(relationship=relationship)
    result = _subtracted(made.path)
    assert result.frame_numbers == (3, 4, 5, 6) and result.shape == (4, 48, 64) and result.dtype == np.float32
    np.testing.assert_allclose(np.asarray(result), made.difference[2:], atol=tolerance)


def test_vessels_are_negative_and_do_not_wrap(make_run):
    result = np.asarray(_subtracted(make_run().path))
    assert result.min() < -0.5 and result.max() < 0.01


def test_contrast_along_the_vessel_does_not_depend_on_the_background(make_run):
    # Subtracting linear intensities would make the same iodine look weaker behind denser background.
    result = _subtracted(make_run().path)[-1]
    ridge = result.min(axis=1)
    assert np.ptp(ridge) < 0.02 * abs(ridge.mean())


@pytest.mark.parametrize(("shift", "expected"), [((1, 0), (5, 4)), ((0, 1), (4, 3)), ((-2, -1), (2, 5))])
def test_shift_signs_of_the_standard(shift, expected):
    frames = np.full((2, 9, 9), 100, np.uint16)
    frames[0, 4, 4] = 1000
    plan = SubtractionPlan.single((1,), (2,), shift)
    mask = subtract(frames, plan, "LIN").mask(0)
    assert np.unravel_index(mask.argmax(), mask.shape) == expected


def test_subpixel_shift_undoes_a_moved_mask():
    rng = np.random.default_rng(1)
    anatomy = ndimage.gaussian_filter(rng.normal(size=(64, 64)), 3, mode="wrap") * 3
    moved = ndimage.fourier_shift(np.fft.fft2(anatomy), (0.4, -0.3))
    frames = np.stack([np.exp(anatomy) * 5000, np.exp(np.fft.ifft2(moved).real) * 5000])
    frames = np.rint(frames).astype(np.uint16)
    # The picture moved down by 0.4 and left by 0.3, both positive in the standard's signs.
    right = subtract(frames, SubtractionPlan.single((1,), (2,), (0.4, 0.3)), "LIN")[0][8:-8, 8:-8]
    none = subtract(frames, SubtractionPlan.single((1,), (2,)), "LIN")[0][8:-8, 8:-8]
    assert np.abs(right).max() < 0.03 * np.abs(none).max()


def test_mask_and_contrast_averages(make_run):
    made = make_run(averaging=2, contrast_frames=[3, 4, 5])
    result = _subtracted(made.path)
    stored = made.frames.astype(float)
    expected = np.log((stored[2] + stored[3]) / 2) - np.log((stored[0] + stored[1]) / 2)
    np.testing.assert_allclose(result[0], expected, atol=1e-6)


def test_black_pixels_stay_finite():
    frames = np.zeros((2, 16, 16), np.uint16)
    frames[1] = 65535
    result = subtract(frames, SubtractionPlan.single((1,), (2,)), "LIN")[0]
    assert np.isfinite(result).all() and result[0, 0] == pytest.approx(np.log(65535))


def test_indexing_like_an_array(make_run):
    result = _subtracted(make_run().path)
    whole = np.asarray(result)
    assert whole.shape == result.shape == result[:].shape and len(result) == 4
    np.testing.assert_array_equal(result[-1], whole[3])
    np.testing.assert_array_equal(result[[0, 2]], whole[[0, 2]])
    np.testing.assert_array_equal(np.stack(list(result)), whole)
    with pytest.raises(IndexError):
        result[4]


def test_inverted_log_values_come_out_negative(make_run, edit):
    made = make_run(relationship="LOG")

    def invert(dataset):
        dataset.PixelData = (4095 - made.frames).tobytes()
        item = dataset.ModalityLUTSequence[0]
        item.LUTData = np.frombuffer(item.LUTData, "<u2")[::-1].tobytes()

    path = edit(made.path, touch=invert)
    np.testing.assert_allclose(np.asarray(_subtracted(path)), made.difference[2:], atol=3e-3)


def test_display_values_are_flagged(make_run):
    made = make_run(relationship="DISP", bits=8)
    run = read_run(made.path)
    plan = plan_subtraction(run)
    result = subtract(run.frames, plan, "DISP")
    assert not is_quantitative(run, plan) and "not quantitative" in plan.notes[0]
    stored = made.frames.astype(float)
    np.testing.assert_allclose(result[0], stored[2] - stored[:2].mean(axis=0), atol=1e-4)


def test_log_without_lut_is_relative(make_run, edit):
    path = edit(make_run(relationship="LOG").path, ModalityLUTSequence=None)
    plan = plan_subtraction(read_header(path))
    assert plan.log_slope is None and "relative" in plan.notes[0]


def test_plan_for_another_run_is_refused():
    frames = np.ones((3, 8, 8), np.uint16)
    with pytest.raises(XAReadError, match="Mask frame 4 does not exist."):
        subtract(frames, SubtractionPlan.single((4,), (2,)), "LIN")
    with pytest.raises(XAReadError, match="Contrast frame 3 does not exist."):
        subtract(frames, SubtractionPlan.single((1,), (3,), averaging=2), "LIN")
    with pytest.raises(XAReadError, match="Pixel intensity relationship missing"):
        subtract(frames, SubtractionPlan.single((1,), (2,)), None)


class _Counted:
    """Frames that count how often each is read."""

    def __init__(self, frames):
        self.frames, self.shape, self.reads = frames, frames.shape, []

    def __getitem__(self, index):
        self.reads.append(index)
        return self.frames[index]


def test_a_mask_is_read_once_for_neighbouring_frames():
    frames = _Counted(np.arange(1, 7, dtype=np.uint16)[:, None, None] * np.ones((6, 8, 8), np.uint16))
    plan = SubtractionPlan((PlannedMask((1, 2), (3, 4)), PlannedMask((2,), (5, 6), (0.5, 0.0))))
    result = subtract(frames, plan, "LIN")
    assert frames.reads == []
    values = np.asarray(result)[:, 4, 4]
    np.testing.assert_allclose(values, np.log([3, 4, 5, 6]) - np.log([1.5, 1.5, 2, 2]), rtol=1e-6)
    assert sorted(frames.reads) == [0, 1, 1, 2, 3, 4, 5]
    assert [result.shift(one) for one in range(4)] == [(0.0, 0.0)] * 2 + [(0.5, 0.0)] * 2
