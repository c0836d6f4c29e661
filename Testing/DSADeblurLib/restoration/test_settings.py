"""Settings are checked at the door and survive JSON."""

import json

import pytest

from DSADeblurLib.restoration import DeblurSettings


def test_settings_survive_json():
    settings = DeblurSettings("cpu", "bfloat16", 256, 0.5, (2, 7), "torch")
    assert DeblurSettings.from_dict(json.loads(json.dumps(settings.as_dict()))) == settings


def test_missing_entries_take_defaults():
    assert DeblurSettings.from_dict({"strength": 1}) == DeblurSettings()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"device": "tpu"}, "Device must be one of"),
        ({"precision": "int8"}, "Precision must be one of"),
        ({"engine": "onnx"}, "Engine must be one of auto, torch, openvino"),
        ({"tile": 8}, "at least 16 pixels"),
        ({"tile": 64.5}, "at least 16 pixels"),
        ({"tile": True}, "at least 16 pixels"),
        ({"strength": -0.1}, "from 0 to 1"),
        ({"strength": float("nan")}, "from 0 to 1"),
        ({"strength": "1"}, "from 0 to 1"),
        ({"frames": (0, 3)}, "first <= last"),
        ({"frames": (4, 3)}, "first <= last"),
        ({"frames": (1,)}, "first <= last"),
        ({"frames": 3}, "first <= last"),
        ({"speed": 1}, "Unknown setting 'speed'"),
    ],
)
def test_unusable_choices_are_refused_in_one_sentence(values, words):
    with pytest.raises(ValueError, match=words) as error:
        DeblurSettings.from_dict(values)
    assert str(error.value).endswith(".") and "\n" not in str(error.value)
