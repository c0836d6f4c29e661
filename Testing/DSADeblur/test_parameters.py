"""The panel's parameters are the choices of the request: every request of the panel is in the scene and comes back."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import slicer
from hypothesis import given

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "DSADeblurLib"))
from requestvalues import requests  # noqa: E402

from DSADeblurLib.options import Flag, Number, OneOf, RequestError, Text, choice  # noqa: E402
from DSADeblurLib.request import DeblurRequest, ResultOptions, UserFacts  # noqa: E402

pytestmark = pytest.mark.usefixtures("host")


@dataclass(frozen=True)
class SignedResults(ResultOptions):
    reader: str | None = choice(None, Text("who looks at the result", optional=True))
    copies: float = choice(1.0, Number("how many of it", minimum=1, maximum=9))
    paper: str = choice("matt", OneOf("of the print", choices=("matt", "glossy")))
    secret: bool = choice(False, Flag("for nobody else"))


@dataclass(frozen=True)
class SignedRequest(DeblurRequest):
    result: SignedResults = field(default=SignedResults(), metadata={"title": "results"})


def parameterNode(request: type[DeblurRequest] = DeblurRequest):
    """A parameter node in the scene with the choices of a request, and what makes it of its node."""
    from slicer.parameterNodeWrapper import parameterNodeWrapper

    from DSADeblurPanel.parameters import packOf

    members = {"__annotations__": {"request": packOf(request)}}
    wrapper = parameterNodeWrapper(type("Parameters", (), members))
    return wrapper(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode")), wrapper


def show(parameters, request: DeblurRequest) -> None:
    """As a user does it, who leaves a number at 0 and a text empty where the header decides."""
    for name, option in request.every_option().items():
        if option.in_panel:
            value = request.as_dict()[name]
            before = getattr(parameters, name)
            if isinstance(option, OneOf):
                value = type(before)(value or "")
            elif isinstance(option, Number):
                value = type(before)(value or 0)
            elif not isinstance(option, Flag):
                value = option.text(value)
            setattr(parameters, name, value)


def shown(request: DeblurRequest) -> DeblurRequest:
    """The request without what the panel has no parameter for."""
    hidden = [name for name, option in request.every_option().items() if not option.in_panel]
    default = type(request)().as_dict()
    return request.with_choices(**{name: default[name] for name in hidden})


@pytest.mark.parametrize("request_class", [DeblurRequest, SignedRequest])
def test_a_new_node_asks_for_what_is_asked_without_a_word(request_class):
    from DSADeblurPanel.parameters import requestFrom

    node, _ = parameterNode(request_class)
    assert requestFrom(node.request, request_class) == request_class()


@pytest.mark.parametrize("request_class", [DeblurRequest, SignedRequest])
def test_every_request_of_the_panel_comes_back_from_the_scene(request_class):
    """Through the texts of the node, as a saved scene holds them."""
    from DSADeblurPanel.parameters import requestFrom

    node, wrapper = parameterNode(request_class)

    @given(requests(request_class))
    def check(request):
        show(node.request, request)
        again = wrapper(node.parameterNode).request
        assert requestFrom(again, request_class) == shown(request)

    check()


def test_every_choice_of_the_panel_is_a_parameter_under_its_own_name():
    node, _ = parameterNode()
    names = [name for name, option in DeblurRequest.every_option().items() if option.in_panel]
    assert sorted(node.parameterNode.GetParameterNames()) == sorted(f"request.{name}" for name in names)


def test_a_new_choice_is_a_parameter():
    from DSADeblurPanel.parameters import requestFrom

    node, wrapper = parameterNode(SignedRequest)
    parameters = node.request
    assert (parameters.reader, parameters.copies, parameters.paper.value, parameters.secret) == ("", 1.0, "matt", False)
    parameters.reader, parameters.copies, parameters.secret = "Ada", 2.0, True
    parameters.paper = type(parameters.paper)("glossy")
    assert node.parameterNode.GetParameter("request.reader") == "Ada"
    request = requestFrom(wrapper(node.parameterNode).request, SignedRequest)
    assert request == SignedRequest.of(reader="Ada", copies=2, paper="glossy", secret=True)
    assert SignedRequest.from_dict(request.as_dict()) == request
    with pytest.raises(ValueError, match="not within"):
        parameters.copies = 10.0


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("magnification", 0.5, "Magnification must be a number above 1"),
        ("tile", 3, "Tile must be auto or a whole number of at least 16 and at most 16384 pixels, not 3."),
        ("mask_frames", "two", "Mask frames must be frame numbers such as 1-3,5, not 'two'."),
        ("frame_range", "9-3", "Frame range must be a range of frames"),
        ("blur", "wide", "Blur must be auto, header, frames or two widths"),
        ("mask_shift", "1", "Mask shift must be a shift such as 1.5,-2"),
        ("model", " ", "Model must be a text"),
    ],
)
def test_what_is_no_choice_is_told(name, value, words):
    from DSADeblurPanel.parameters import factsFrom, requestFrom

    parameters = parameterNode()[0].request
    setattr(parameters, name, value)
    with pytest.raises(RequestError, match=words):
        requestFrom(parameters)
    assert factsFrom(parameters) == UserFacts()


def test_facts_are_those_of_the_user():
    from DSADeblurPanel.parameters import factsFrom

    parameters = parameterNode()[0].request
    parameters.focal_spot_mm, parameters.relationship = 0.6, type(parameters.relationship)("LOG")
    parameters.mask_frames = "two"  # does not matter for them
    assert factsFrom(parameters) == UserFacts(focal_spot_mm=0.6, relationship="LOG")


def test_words_have_labels():
    from DSADeblurPanel.parameters import labels

    parameters = parameterNode()[0].request
    words = {name: type(getattr(parameters, name)) for name, one in DeblurRequest.every_option().items()
             if isinstance(one, OneOf)}  # fmt: skip
    known = {(name, word.value) for name, kind in words.items() for word in kind}
    assert set(labels()) <= known
    assert words["relationship"]("").label() == "As the header says" and words["device"]("auto").label() == "Automatic"
    assert words["precision"]("bfloat16").label() == "bfloat16" and words["order"].__name__ == "order"
    for kind in words.values():
        assert len({word.label() for word in kind}) == len(kind) and all(word.label() for word in kind)
