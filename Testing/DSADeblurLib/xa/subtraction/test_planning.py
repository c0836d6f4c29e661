"""The rules for when a run is subtracted, and with which masks."""

import copy

import numpy as np
import pytest
from scipy import ndimage

from DSADeblurLib.lab.simulation.xa_object import write_simulated_run
from DSADeblurLib.request import UserFacts
from DSADeblurLib.xa import XAReadError, plan_subtraction, read_header, read_run, subtract
from DSADeblurLib.xa.subtraction.plan import PlannedMask


def test_modes(make_run, edit):
    path = make_run().path
    header = read_header(path)
    assert plan_subtraction(header).mask_frames == (1, 2)
    assert plan_subtraction(header, "always") == plan_subtraction(header)
    assert plan_subtraction(header, "never", mask_frames=[1]) is None
    with pytest.raises(ValueError, match="mode must be"):
        plan_subtraction(header, "sometimes")

    bare = read_header(edit(path, MaskSubtractionSequence=None, RecommendedViewingMode=None))
    assert plan_subtraction(bare) is None
    with pytest.raises(XAReadError, match="This run has no usable mask; give the numbers of the mask frames."):
        plan_subtraction(bare, "always")
    plan = plan_subtraction(bare, mask_frames=[2, 1])
    assert plan.mask_frames == (2, 1) and plan.contrast_frames == (1, 2, 3, 4, 5, 6)
    for wrong in (0, 7):
        with pytest.raises(XAReadError, match=f"Mask frame {wrong} does not exist."):
            plan_subtraction(bare, mask_frames=[wrong])


def test_user_masks_keep_the_ranges_but_not_the_shift(make_run):
    header = read_header(make_run(shift=(1.0, 2.0)).path)
    plan = plan_subtraction(header, mask_frames=[2])
    assert plan.masks == (PlannedMask((2,), (3, 4, 5, 6)),)
    assert plan_subtraction(header).masks[0].shift == (1.0, 2.0)


def test_tid_frames_get_masks_of_their_own(make_run, edit):
    def change(dataset):
        item = dataset.MaskSubtractionSequence[0]
        item.MaskOperation, item.TIDOffset = "TID", 2
        del item.MaskFrameNumbers

    run = read_run(edit(make_run().path, touch=change))
    plan = plan_subtraction(run)
    assert {one: plan.mask_of(one).frames for one in plan.contrast_frames} == {3: (1,), 4: (2,), 5: (3,), 6: (4,)}
    stored = run.frames[:].astype(float)
    result = subtract(run.frames, plan, run.relationship)
    np.testing.assert_allclose(np.asarray(result), np.log(stored[2:]) - np.log(stored[:-2]), atol=1e-6)
    # A user's mask replaces them for the same frames.
    assert plan_subtraction(run, mask_frames=[1]).masks == (PlannedMask((1,), (3, 4, 5, 6)),)


def test_overlapping_items_give_each_frame_its_first(make_run, edit):
    def change(dataset):
        first, second = dataset.MaskSubtractionSequence[0], copy.deepcopy(dataset.MaskSubtractionSequence[0])
        first.ApplicableFrameRange, second.ApplicableFrameRange = [3, 4], [4, 4, 6, 6]
        second.MaskFrameNumbers, second.MaskSubPixelShift = [2], [0.5, 0.25]
        dataset.MaskSubtractionSequence.append(second)

    header = read_header(edit(make_run().path, touch=change))
    assert "Mask items overlap; using the first where they do." in header.warnings
    plan = plan_subtraction(header)
    assert plan.masks == (PlannedMask((1, 2), (3, 4)), PlannedMask((2,), (6,), (0.5, 0.25)))
    assert plan.contrast_frames == (3, 4, 6)


def test_moving_arm_needs_insistence(make_run, edit):
    header = read_header(edit(make_run().path, PositionerMotion="DYNAMIC"))
    assert plan_subtraction(header) is None
    assert plan_subtraction(header, "always").notes == ("C-arm moved during the run; static mask invalid.",)


def test_rotation_with_a_reversed_mask_run_is_subtracted(make_run, edit):
    def change(dataset):
        item = dataset.MaskSubtractionSequence[0]
        item.MaskOperation, item.TIDOffset, item.ApplicableFrameRange = "REV_TID", 1, [4, 6]

    plan = plan_subtraction(read_header(edit(make_run().path, touch=change, PositionerMotion="DYNAMIC")))
    assert plan.notes == () and [plan.mask_of(one).frames for one in (4, 5, 6)] == [(3,), (2,), (1,)]


@pytest.mark.parametrize(
    "change",
    [
        {"DerivationDescription": "DSA, Subtracted by device"},
        {"AcquisitionDeviceProcessingDescription": "EDGE ENH, SUBTRACT"},
    ],
)
def test_a_guess_asks_and_blocks_nothing(make_run, edit, change):
    path = edit(make_run().path, **change)
    header = read_header(path)
    assert header.subtracted and header.subtraction_guessed
    assert header.warnings[0].startswith("This series looks already subtracted (its header says '")
    assert plan_subtraction(header) is None
    for options in ({"mode": "always"}, {"mask_frames": [1]}):
        assert plan_subtraction(header, **options) is not None
    assert plan_subtraction(read_header(path, UserFacts(content="native"))) is not None
    sure = read_header(path, UserFacts(content="subtracted"))
    for options in ({"mode": "always"}, {"mask_frames": [1]}):
        with pytest.raises(XAReadError, match="This series was subtracted already; deblur it without subtraction."):
            plan_subtraction(sure, **options)


@pytest.mark.parametrize(
    "text",
    [
        "Unsubtracted",
        "not subtracted",
        "non-subtracted mask run",
        "Edge enhanced",
        "Subtraction: none",
        "SUBTRACTION OFF",
        "Scatter subtraction on",
    ],
)
def test_saying_that_nothing_was_subtracted(make_run, edit, text):
    assert not read_header(edit(make_run().path, DerivationDescription=text)).subtracted


def test_relationship_must_be_known(make_run, edit):
    header = read_header(edit(make_run().path, PixelIntensityRelationship=None))
    assert header.relationship is None and plan_subtraction(header) is None
    sentence = "Pixel intensity relationship missing; choose linear or log."
    assert sentence in header.warnings
    with pytest.raises(XAReadError, match=sentence):
        plan_subtraction(header, "always")
    chosen = read_header(header.source.path, UserFacts(relationship="LIN"))
    assert plan_subtraction(chosen).mask_frames == (1, 2) and sentence not in chosen.warnings


def test_single_frame_and_huge_shift(make_run):
    single = make_run("one.dcm", count=1, contrast_frames=None, mask_frames=None)
    with pytest.raises(XAReadError, match="A single frame cannot be subtracted"):
        plan_subtraction(read_header(single.path), mask_frames=[1])
    with pytest.raises(XAReadError, match="is larger than the image"):
        plan_subtraction(read_header(make_run(shift=(0.0, 64.0)).path))


def test_user_shift_and_flipped_shift(make_run):
    header = read_header(make_run(shift=(0.5, -1.0)).path)
    assert plan_subtraction(header).masks[0].shift == (0.5, -1.0)
    assert plan_subtraction(header, flip_shift=True).masks[0].shift == (-0.5, 1.0)
    assert plan_subtraction(header, mask_shift=(0.25, 2), flip_shift=True).masks[0].shift == (0.25, 2.0)
    assert plan_subtraction(header, mask_frames=[1], mask_shift=(1, 1)).masks[0].shift == (1.0, 1.0)
    assert plan_subtraction(header, registration="shift").registration == "shift"
    with pytest.raises(ValueError, match="registration must be one of"):
        plan_subtraction(header, registration="magic")


@pytest.mark.parametrize("flipped", [False, True])
def test_a_shift_of_the_wrong_sign_is_doubted(tmp_path, flipped):
    rng = np.random.default_rng(3)
    anatomy = 0.3 * ndimage.gaussian_filter(rng.normal(size=(96, 96)), 2, mode="wrap") / 0.14
    # The patient moved down and to the left by 1.5 pixels: both positive in the standard's signs.
    moved = np.fft.ifft2(ndimage.fourier_shift(np.fft.fft2(anatomy), (1.5, -1.5))).real
    frames = rng.poisson(3000 * np.exp(0.3 * np.stack([anatomy, moved, moved]))).clip(0, 4095).astype(np.uint16)
    sign = -1 if flipped else 1
    path = write_simulated_run(
        tmp_path / "run.dcm",
        frames,
        frame_time_ms=100,
        focal_spot_mm=None,
        sid_mm=None,
        sod_mm=None,
        imager_pixel_spacing_mm=None,
        mask_frames=[1],
        contrast_frames=[2, 3],
        shift=(1.5 * sign, 1.5 * sign),
    )
    run = read_run(path)
    doubts = [one for one in plan_subtraction(run, frames=run.frames).notes if "try the other sign" in one]
    assert len(doubts) == flipped
    assert plan_subtraction(run, flip_shift=flipped, frames=run.frames).notes == ()


def test_a_found_mask_serves_the_frames_after_it(make_run, edit):
    run = read_run(
        edit(make_run(count=8, rows=96, columns=96).path, MaskSubtractionSequence=None, RecommendedViewingMode=None)
    )
    assert plan_subtraction(run, frames=run.frames) is None
    plan = plan_subtraction(run, "find", frames=run.frames)
    assert plan.masks == (PlannedMask((1, 2), (3, 4, 5, 6, 7, 8)),)
    assert plan.notes == ("Mask frames 1, 2 chosen automatically: contrast agent arrives after frame 2.",)
    with pytest.raises(ValueError, match="needs the frames"):
        plan_subtraction(run, "find")
    subtracted = read_header(run.source.path, UserFacts(content="subtracted"))
    with pytest.raises(XAReadError, match="subtracted already"):
        plan_subtraction(subtracted, "find", frames=run.frames)
    masked = read_run(make_run(mask_frames=[2]).path)
    assert plan_subtraction(masked, "find", frames=masked.frames).mask_frames == (2,)
