"""The Mask Module: what validators let through is checked here."""

import pytest
from pydicom.dataset import Dataset

from DSADeblurLib.xa.mask import MaskItem, read_mask_module


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
    assert module.usable == MaskItem("AVG_SUB", (1, 2), ((3, 4), (7, 9)), 2, (0.5, -1.25))
    assert module.usable.contrast_frames(12) == (3, 4, 7, 8, 9)


def test_without_range_every_frame_with_a_full_average():
    module, _ = _read(_item(ContrastFrameAveraging=3))
    assert module.usable.contrast_frames(12) == tuple(range(1, 11))


@pytest.mark.parametrize(("values", "sentence"), [
    ({"ApplicableFrameRange": [4, 99]}, "Mask range 4-99 outside 1..12."),
    ({"ApplicableFrameRange": [9, 4]}, "Mask range 9-4 outside 1..12."),
    ({"ApplicableFrameRange": [4, 5, 6]}, "Mask range '4\\5\\6' is not a list of frame pairs."),
    ({"MaskFrameNumbers": [1, 13]}, "Mask frame 13 does not exist."),
    ({"MaskFrameNumbers": 0}, "Mask frame 0 does not exist."),
    ({"MaskFrameNumbers": None}, "Mask frame numbers missing."),
    ({"MaskSubPixelShift": [float("nan"), 0.0]}, "Mask shift is not a number."),
    ({"MaskSubPixelShift": [1.0, 0.0, 2.0, 0.0]}, "Mask shift is not one pair of numbers."),
    ({"ContrastFrameAveraging": 13}, "Contrast frame averaging '13' unusable."),
    ({"ContrastFrameAveraging": 0}, "Contrast frame averaging '0' unusable."),
    ({"MaskOperation": "MAGIC"}, "Unknown mask operation 'MAGIC'; showing native frames."),
    ({"MaskOperation": "TID"}, "Mask operation TID is not supported yet; showing native frames."),
    ({"MaskOperation": "REV_TID"}, "Mask operation REV_TID is not supported yet; showing native frames."),
    ({"ApplicableFrameRange": [12, 12], "ContrastFrameAveraging": 2}, "The mask applies to no frame."),
])
def test_each_problem_has_its_sentence(values, sentence):
    module, warnings = _read(_item(**values))
    assert warnings == (sentence,) and module.usable is None


def test_none_with_frame_zero_is_no_mask_and_no_complaint():
    module, warnings = _read(_item(MaskOperation="NONE", MaskFrameNumbers=0))
    assert module.usable is None and warnings == ()


def test_no_sequence_is_no_module():
    assert read_mask_module(Dataset(), 5) == (None, ())


def test_first_of_several_items():
    first, second = _item(ApplicableFrameRange=[3, 6]), _item(MaskFrameNumbers=[7], ApplicableFrameRange=[8, 12])
    module, warnings = _read(first, second)
    assert warnings == ("Several mask items; using the first.",) and module.usable.ranges == ((3, 6),)
    _, warnings = _read(first, _item(ApplicableFrameRange=[5, 12]))
    assert warnings == ("Mask items overlap; using the first.",)


@pytest.mark.parametrize("keyword", ["PositionerMotion", "TableMotion"])
def test_moving_device_is_reported(keyword):
    _, warnings = _read(_item(), **{keyword: "DYNAMIC"})
    assert warnings == ("C-arm moved during the run; static mask invalid.",)
