"""The Mask Module: what validators let through is checked here."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from DSADeblurLib.xa.header.mask_module import MaskItem, read_mask_module


def _item(**values):
    item = Dataset()
    item.MaskOperation = "AVG_SUB"
    item.MaskFrameNumbers = [1, 2]
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item


def _read(*items, frames=12, **values):
    dataset = Dataset()
    dataset.MaskSubtractionSequence = list(items)
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return read_mask_module(dataset, frames)


def test_several_ranges_and_averaging():
    item = _item(ApplicableFrameRange=[3, 4, 7, 9], ContrastFrameAveraging=2, MaskSubPixelShift=[0.5, -1.25])
    module, warnings = _read(item, RecommendedViewingMode="SUB")
    assert warnings == () and module.viewing_mode == "SUB"
    assert module.usable == (MaskItem("AVG_SUB", (1, 2), ((3, 4), (7, 9)), 2, (0.5, -1.25)),)
    assert module.usable[0].contrast_frames(12) == (3, 4, 7, 8, 9)


def test_without_range_every_frame_with_a_full_average():
    module, _ = _read(_item(ContrastFrameAveraging=3))
    assert module.usable[0].contrast_frames(12) == tuple(range(1, 11))


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"ApplicableFrameRange": [4, 99]}, "Mask range 4-99 outside 1..12."),
        ({"ApplicableFrameRange": [9, 4]}, "Mask range 9-4 outside 1..12."),
        ({"ApplicableFrameRange": [4, 5, 6]}, "Mask range '4\\5\\6' is not a list of frame pairs."),
        ({"MaskFrameNumbers": [1, 13]}, "Mask frame 13 does not exist."),
        ({"MaskFrameNumbers": [0, 1]}, "Mask frame 0 does not exist."),
        ({"MaskFrameNumbers": None}, "Mask frame numbers missing."),
        ({"MaskSubPixelShift": [float("nan"), 0.0]}, "Mask shift is not a number."),
        ({"MaskSubPixelShift": [1.0, 0.0, 2.0, 0.0]}, "Mask shift is not one pair of numbers."),
        ({"ContrastFrameAveraging": 13}, "Contrast frame averaging '13' unusable."),
        ({"ContrastFrameAveraging": 0}, "Contrast frame averaging '0' unusable."),
        ({"MaskOperation": "MAGIC"}, "Unknown mask operation 'MAGIC'; showing native frames."),
        ({"MaskOperation": "TID", "TIDOffset": 0}, "TID offset 0 would subtract each frame from itself."),
        ({"MaskOperation": "TID", "TIDOffset": [1, 2]}, "TID offset '1\\2' unusable."),
        ({"MaskOperation": "TID", "TIDOffset": 12}, "The mask applies to no frame."),
        ({"MaskOperation": "REV_TID"}, "Mask operation REV_TID needs a frame range."),
        (
            {"MaskOperation": "REV_TID", "ApplicableFrameRange": [8, 9, 4, 5]},
            "Mask ranges of REV_TID are not in increasing order.",
        ),
        ({"ApplicableFrameRange": [12, 12], "ContrastFrameAveraging": 2}, "The mask applies to no frame."),
    ],
)
def test_each_problem_has_its_sentence(values, sentence):
    module, warnings = _read(_item(**values))
    assert warnings == (sentence,) and module.usable == ()


@pytest.mark.parametrize("operation", ["NONE", "AVG_SUB"])
def test_frame_zero_is_no_mask_and_no_complaint(operation):
    module, warnings = _read(_item(MaskOperation=operation, MaskFrameNumbers=0))
    assert module.usable == () and module.items == (MaskItem("NONE"),) and warnings == ()


def test_no_sequence_is_no_module():
    assert read_mask_module(Dataset(), 5) == (None, ())


def test_several_items_may_not_overlap():
    first, second = _item(ApplicableFrameRange=[3, 6]), _item(MaskFrameNumbers=[7], ApplicableFrameRange=[8, 12])
    module, warnings = _read(first, second)
    assert warnings == () and [item.ranges for item in module.usable] == [((3, 6),), ((8, 12),)]
    _, warnings = _read(first, _item(ApplicableFrameRange=[5, 12]))
    assert warnings == ("Mask items overlap; using the first where they do.",)


def _tid(operation="TID", **values):
    item = Dataset()
    item.MaskOperation = operation
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item


@pytest.mark.parametrize(
    ("values", "pairs"),
    [
        # An absent or empty offset is 1; without a range every frame whose mask exists.
        ({}, {2: 1, 3: 2, 4: 3, 5: 4, 6: 5}),
        ({"TIDOffset": None}, {2: 1, 3: 2, 4: 3, 5: 4, 6: 5}),
        ({"TIDOffset": 3}, {4: 1, 5: 2, 6: 3}),
        # A negative offset means masks after the contrast frames.
        ({"TIDOffset": -2}, {1: 3, 2: 4, 3: 5, 4: 6}),
        ({"TIDOffset": 1, "ApplicableFrameRange": [3, 3, 5, 6]}, {3: 2, 5: 4, 6: 5}),
        ({"TIDOffset": 1, "ContrastFrameAveraging": 2}, {2: 1, 3: 2, 4: 3, 5: 4}),
    ],
)
def test_time_interval_differencing(values, pairs):
    module, warnings = _read(_tid(**values), frames=6)
    (item,) = module.usable
    assert warnings == () and {one: item.masks_of(one) for one in item.contrast_frames(6)} == {
        contrast: (mask,) for contrast, mask in pairs.items()
    }


@given(first=st.integers(2, 30), length=st.integers(1, 30), offset=st.integers(-5, 10), gap=st.integers(0, 3))
def test_reversed_differencing_as_the_standard_words_it(first, length, offset, gap):
    """The offset is subtracted from the first frame, offset + 2 from the second, offset + 4 from the third and so on;
    frames between two pairs count on, because MFN = (FCFN - offset) - (CFN - FCFN)."""
    ranges = [first, first + length - 1, first + length + gap, first + length + gap]
    module, warnings = _read(_tid("REV_TID", TIDOffset=offset, ApplicableFrameRange=ranges), frames=80)
    named = [*range(first, first + length), first + length + gap]
    expected = {one: one - (offset + 2 * (one - first)) for one in named}
    expected = {one: mask for one, mask in expected.items() if 1 <= mask <= 80}
    if not expected:
        assert module.problems == ("The mask applies to no frame.",)
        return
    (item,) = module.usable
    assert {one: item.masks_of(one) for one in item.contrast_frames(80)} == {
        one: (mask,) for one, mask in expected.items()
    }
    assert bool(warnings) == (len(expected) < len(named))


def test_frames_whose_mask_does_not_exist_are_named():
    _, warnings = _read(_tid(TIDOffset=2, ApplicableFrameRange=[1, 6]), frames=6)
    assert warnings == ("Mask frame -1 does not exist; contrast frames 1 to 2 are left out.",)
    _, warnings = _read(_tid("REV_TID", TIDOffset=1, ApplicableFrameRange=[3, 5]), frames=6)
    assert warnings == ("Mask frame 0 does not exist; contrast frame 5 is left out.",)


@pytest.mark.parametrize("keyword", ["PositionerMotion", "TableMotion"])
def test_moving_device_is_reported(keyword):
    _, warnings = _read(_item(), **{keyword: "DYNAMIC"})
    assert warnings == ("C-arm moved during the run; static mask invalid.",)
    _, warnings = _read(_tid("REV_TID", ApplicableFrameRange=[7, 9]), **{keyword: "DYNAMIC"})
    assert warnings == ()


def test_hostile_modules_are_read_in_time():
    """Millions of named frames in a small header: each is counted once, and items have a limit."""
    ranges = [1, 60000] * 2000
    many = _item(ApplicableFrameRange=ranges, MaskFrameNumbers=[1, 2] * 2000)
    module, _ = _read(many, frames=60000)
    assert module.usable[0].mask_frames == (1, 2) and len(module.usable[0].contrast_frames(60000)) == 60000
    module, warnings = _read(*[_item(ApplicableFrameRange=[3, 4])] * 500)
    assert len(module.items) == 400
    assert warnings == (
        "The header has 500 mask items; only the first 400 are used.",
        "Mask items overlap; using the first where they do.",
    )
