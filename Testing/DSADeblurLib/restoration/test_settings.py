"""Settings are checked at the door and survive JSON."""

import json

import pytest

from DSADeblurLib.request import LARGEST_BLUR_PX
from DSADeblurLib.restoration import DeblurSettings


def test_settings_survive_json():
    settings = DeblurSettings("cpu", "bfloat16", 256, 0.5, 0.25, (2, 7), "torch", (3, 4.5))
    assert DeblurSettings.from_dict(json.loads(json.dumps(settings.as_dict()))) == settings


def test_missing_entries_take_defaults():
    assert DeblurSettings.from_dict({"sharpness": 1}) == DeblurSettings()


def test_strength_stands_for_both_controls():
    assert DeblurSettings.from_dict({"strength": 1}) == DeblurSettings(sharpness=1, noise_reduction=1)
    assert DeblurSettings.from_dict({"strength": 0}).changes_nothing
    assert DeblurSettings.from_dict({"strength": None}) == DeblurSettings()
    assert DeblurSettings(sharpness=0, noise_reduction=0).changes_nothing and not DeblurSettings().changes_nothing


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"device": "tpu"}, "Device must be one of"),
        ({"precision": "int8"}, "Precision must be one of"),
        ({"engine": "onnx"}, "Engine must be one of auto, torch, openvino"),
        ({"tile": 8}, "at least 16 pixels"),
        ({"tile": 64.5}, "at least 16 pixels"),
        ({"tile": True}, "at least 16 pixels"),
        ({"sharpness": -0.1}, "Sharpness must be a number from 0 to 1"),
        ({"noise_reduction": float("nan")}, "Noise reduction must be a number from 0 to 1"),
        ({"strength": "1"}, "Strength must be a number from 0 to 1"),
        ({"strength": 1, "sharpness": 1}, "not both"),
        ({"frames": (0, 3)}, "first <= last"),
        ({"frames": (4, 3)}, "first <= last"),
        ({"frames": (1,)}, "first <= last"),
        ({"frames": 3}, "first <= last"),
        ({"blur_px": (1, -1)}, "two widths in pixels from 0 to 32"),
        ({"blur_px": (1, float("nan"))}, "two widths in pixels"),
        ({"blur_px": 3}, "two widths in pixels"),
        ({"speed": 1}, "Unknown setting 'speed'"),
    ],
)
def test_unusable_choices_are_refused_in_one_sentence(values, words):
    with pytest.raises(ValueError, match=words) as error:
        DeblurSettings.from_dict(values)
    assert str(error.value).endswith(".") and "\n" not in str(error.value)


def test_a_header_tells_the_blur_where_the_user_does_not():
    assert DeblurSettings().told(None) == DeblurSettings()
    assert DeblurSettings().told((2.0, 400.0)).blur_px == (2.0, LARGEST_BLUR_PX)
    assert DeblurSettings(blur_px=(1, 1)).told((2.0, 2.0)).blur_px == (1.0, 1.0)
