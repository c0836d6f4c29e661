"""The request tree: it survives JSON, contradictions are refused, and a new choice is in all that is made from it."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given
from requestvalues import requests, values

from DSADeblurLib.batch import MANIFEST, DeblurStep, deblur_files
from DSADeblurLib.lab.simulation.xa_object import write_simulated_run
from DSADeblurLib.options import Text, choice
from DSADeblurLib.request import (
    DeblurRequest,
    DeblurSettings,
    RequestError,
    ResultOptions,
    SubtractionOptions,
    UserFacts,
)


@pytest.mark.slow
@given(requests())
def test_requests_survive_json(request):
    assert DeblurRequest.from_dict(json.loads(json.dumps(request.as_dict()))) == request


@given(requests())
def test_what_is_as_it_was_needs_not_be_said(request):
    default = DeblurRequest().as_dict()
    said = {name: value for name, value in request.as_dict().items() if value != default[name]}
    assert DeblurRequest.from_dict(said) == request == DeblurRequest().with_choices(**said)


@pytest.mark.parametrize("name", DeblurRequest.every_option())
def test_every_choice_is_its_own_text(name):
    option = DeblurRequest.every_option()[name]

    @given(values(option))
    def check(value):
        assert option.parsed(name, option.text(value)) == value

    check()


def test_names_are_those_of_the_whole_tree():
    groups = [DeblurRequest, *(group for _, _, group in DeblurRequest.groups())]
    names = [name for group in groups for name, _ in group.options()]
    assert len(names) == len(set(names)) and set(names) == set(DeblurRequest.every_option())
    flags = [one.flag or name for name, one in DeblurRequest.every_option().items()]
    assert len(flags) == len(set(flags)) and "strength" not in flags
    assert [group for _, _, group in DeblurRequest.groups()] == [
        DeblurSettings,
        SubtractionOptions,
        UserFacts,
        ResultOptions,
    ]
    assert all(option.help for option in DeblurRequest.every_option().values())


def test_a_choice_goes_where_it_belongs():
    request = DeblurRequest.of(
        model="quality", sharpness=0.5, mask_frames=[1, 2], magnification=1.4, pictures=["png"], frame_range=[2, 7]
    )
    assert request == DeblurRequest(
        "quality",
        DeblurSettings(sharpness=0.5, frame_range=(2, 7)),
        SubtractionOptions(mask_frames=(1, 2)),
        UserFacts(magnification=1.4),
        ResultOptions(pictures=("png",)),
    )
    assert request.with_choices(sharpness=1.0).restoration == DeblurSettings(frame_range=(2, 7))
    assert DeblurRequest.of() == DeblurRequest()


def test_strength_stands_for_both_controls():
    assert DeblurRequest.of(strength=1).restoration == DeblurSettings(sharpness=1, noise_reduction=1)
    assert DeblurRequest.of(strength=0).restoration.changes_nothing
    assert DeblurRequest.of(strength=None) == DeblurRequest.of()
    assert not DeblurRequest.of().restoration.changes_nothing


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"device": "tpu"}, "Device must be one of auto, cpu, cuda, not 'tpu'."),
        ({"precision": "int8"}, "Precision must be one of"),
        ({"engine": "onnx"}, "Engine must be one of auto, torch, openvino, not 'onnx'."),
        ({"tile": 8}, "Tile must be auto or a whole number of at least 16 and at most 16384 pixels, not 8."),
        ({"tile": 20_000}, "at least 16 and at most 16384 pixels"),
        ({"tile": 64.5}, "at least 16 and at most 16384 pixels"),
        ({"tile": True}, "at least 16 and at most 16384 pixels"),
        ({"sharpness": -0.1}, "Sharpness must be a number from 0 to 1, not -0.1."),
        ({"noise_reduction": float("nan")}, "Noise reduction must be a number from 0 to 1"),
        ({"strength": "1"}, "Strength must be a number from 0 to 1"),
        ({"strength": 2}, "Strength must be a number from 0 to 1"),
        ({"strength": 1, "sharpness": 1}, "Strength sets sharpness and noise reduction; give it, or these, not both."),
        ({"strength": 1, "noise_reduction": 1}, "give it, or these, not both."),
        ({"frame_range": (4, 3)}, "Frame range must be a range of frames"),
        ({"blur": (1, -1)}, "two widths in pixels such as 3.5,4, from 0 to 32"),
        ({"blur": "guess"}, "Blur must be auto, header, frames or two widths"),
        ({"subtract": "perhaps"}, "Subtract must be one of auto, always, find, never"),
        ({"mask_frames": (0, 1)}, "Mask frames must be frame numbers"),
        ({"mask_shift": (1, 20_000)}, "at most 10000 pixels"),
        ({"order": "backwards"}, "Order must be one of subtract-first, deblur-first, not 'backwards'."),
        ({"focal_spot_mm": 0}, "Focal spot must be a number above 0 mm and at most 3 mm, not 0."),
        ({"magnification": 1}, "Magnification must be a number above 1 and at most 2.5, not 1."),
        ({"detector_spacing_mm": 1}, "Detector spacing must be a number above 0.05 mm and at most 0.6 mm, not 1."),
        ({"relationship": "CUBIC"}, "Relationship must be one of LIN, LOG, DISP, not 'CUBIC'."),
        ({"polarity": "up"}, "Polarity must be one of keep, invert, not 'up'."),
        ({"compression": "zip"}, "Compression must be one of none, jpeg-ls, jpeg-2000, rle, not 'zip'."),
        ({"pictures": ("png", "bmp")}, "Pictures must be a list of png, gif, mp4"),
        ({"model": ""}, "Model must be a text, not ''."),
        ({"speed": 1}, "There is no choice 'speed'."),
        ({"cls": 1}, "There is no choice 'cls'."),
        ({"restoration": {}}, "There is no choice 'restoration'."),
    ],
)
def test_unusable_choices_are_refused_in_one_sentence(choices, words):
    for make in (DeblurRequest.from_dict, lambda values: DeblurRequest.of(**values)):
        if make is not DeblurRequest.from_dict and "cls" in choices:
            continue
        with pytest.raises(RequestError) as refused:
            make(choices)
        assert words in str(refused.value)
        assert str(refused.value).endswith(".") and "\n" not in str(refused.value)


@pytest.mark.parametrize("what", [[], "device", None, {1: 2}])
def test_what_is_no_request_at_all(what):
    with pytest.raises(RequestError, match="The choices must be values by name."):
        DeblurRequest.from_dict(what)


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"engine": "openvino", "device": "cuda"}, "OpenVINO runs on the CPU here"),
        ({"subtract": "never", "mask_frames": (1,)}, "Mask frames asks for a subtraction, which 'never' forbids"),
        ({"subtract": "never", "mask_shift": (1, 1)}, "Mask shift asks for a subtraction"),
        ({"subtract": "never", "flip_shift": True}, "Flip shift asks for a subtraction"),
        ({"subtract": "never", "registration": "shift"}, "Registration asks for a subtraction"),
        ({"subtract": "never", "order": "deblur-first"}, "Order asks for a subtraction"),
        ({"mask_shift": (1, 1), "flip_shift": True}, "cannot be flipped too"),
        ({"blur": "frames", "focal_spot_mm": 0.6}, "takes no notice of a focal spot"),
        ({"trust": True, "order": "deblur-first"}, "told of frames that are changed, and subtracted before that"),
        ({"trust": True, "sharpness": 0.0, "noise_reduction": 0.0}, "told of frames that are changed"),
    ],
)
def test_contradictions_are_refused(choices, words):
    with pytest.raises(RequestError, match=words) as refused:
        DeblurRequest.of(**choices)
    assert str(refused.value).endswith(".") and "\n" not in str(refused.value)
    for name in choices:
        DeblurRequest.of(**{other: value for other, value in choices.items() if other != name})


def test_contradictions_are_seen_however_a_request_is_changed():
    with pytest.raises(RequestError, match="'never' forbids"):
        DeblurRequest.of(mask_frames=(1,)).with_choices(subtract="never")
    with pytest.raises(RequestError, match="OpenVINO"):
        replace(DeblurSettings(engine="openvino"), device="cuda")
    with pytest.raises(RequestError, match="focal spot"):
        replace(DeblurRequest.of(blur="frames"), facts=UserFacts(focal_spot_mm=0.6))


def test_equal_controls_need_no_blur():
    equal = {"sharpness": 0.5, "noise_reduction": 0.5}
    assert DeblurSettings().needs_blur and DeblurSettings(**equal).needs_blur
    assert not DeblurSettings(**equal, uniform_noise_reduction=True).needs_blur


def test_geometry_is_said_by_any_of_its_values():
    assert not UserFacts(relationship="LIN", polarity="keep").say_geometry
    for name, value in (("focal_spot_mm", 0.6), ("magnification", 1.4), ("detector_spacing_mm", 0.2)):
        assert UserFacts(**{name: value}).say_geometry


def test_words_name_the_controls_and_what_was_changed():
    assert DeblurRequest().in_words() == "sharpness 1, noise reduction 0.5"
    changed = DeblurRequest.of(strength=0.25, blur=(3, 4.5), order="deblur-first", device="cpu", mask_frames=(1,))
    assert changed.in_words() == "sharpness 0.25, noise reduction 0.25, blur 3,4.5, order deblur-first"


# What a new choice takes: this, its use, and a widget where it is shown.


@dataclass(frozen=True)
class SignedResults(ResultOptions):
    reader: str | None = choice(None, Text("who looks at the result", optional=True, provenance="changed"))


@dataclass(frozen=True)
class SignedRequest(DeblurRequest):
    result: SignedResults = field(default=SignedResults(), metadata={"title": "results"})


@given(requests(SignedRequest))
def test_a_new_choice_survives_json(request):
    again = SignedRequest.from_dict(json.loads(json.dumps(request.as_dict())))
    assert again == request and again.result.reader == request.result.reader


def test_a_new_choice_is_checked_and_named():
    request = SignedRequest.of(reader="Ada", sharpness=0.5)
    assert request.as_dict() == DeblurRequest.of(sharpness=0.5).as_dict() | {"reader": "Ada"}
    assert request.in_words() == "sharpness 0.5, noise reduction 0.5, reader Ada"
    assert SignedRequest().in_words() == DeblurRequest().in_words()
    assert request.with_choices(reader=None) == SignedRequest.of(sharpness=0.5)
    with pytest.raises(RequestError, match="Reader must be a text, not 3."):
        request.with_choices(reader=3)
    with pytest.raises(RequestError, match="There is no choice 'reader'."):
        DeblurRequest.of(reader="Ada")


@pytest.mark.slow
def test_a_new_choice_is_in_manifest_and_object(tmp_path, small_model):
    frames = np.random.default_rng(0).integers(500, 3000, (2, 32, 32)).astype(np.uint16)
    nothing = dict.fromkeys(("focal_spot_mm", "sid_mm", "sod_mm", "imager_pixel_spacing_mm"))
    source = write_simulated_run(tmp_path / "run.dcm", frames, frame_time_ms=100, **nothing)
    request = SignedRequest.of(reader="Ada", device="cpu", engine="torch")
    (outcome,) = deblur_files([source], tmp_path / "out", small_model, request)
    (run,) = json.loads((tmp_path / "out" / MANIFEST).read_text())["runs"]
    assert outcome.error is None and run["request"]["reader"] == "Ada"
    assert SignedRequest.from_dict(run["request"]).result == request.result
    assert ", reader Ada, " in pydicom.dcmread(Path(run["output"])).DerivationDescription
    other = DeblurStep.of(small_model, request.with_choices(reader="Bob"))
    assert other.fingerprint() != outcome.fingerprint() == DeblurStep.of(small_model, request).fingerprint()
