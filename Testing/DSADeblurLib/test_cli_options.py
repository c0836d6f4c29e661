"""The shell's options are those of the request: every request can be said, and what is not said is not chosen."""

import argparse
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from requestvalues import requests

from DSADeblurLib.cli_options import add_choices, add_request, chosen
from DSADeblurLib.options import Flag, OneOf, Text, choice
from DSADeblurLib.request import DeblurRequest, DeblurSettings, ResultOptions, UserFacts


def asked(*words: str, request=DeblurRequest):
    parser = argparse.ArgumentParser()
    add_request(parser, request)
    return request.of(**chosen(parser.parse_args(words), request))


def words_of(request: DeblurRequest) -> list[str]:
    """As a user would say it; what is left to the program is left out."""
    words, options = [], request.every_option()
    default = type(request)().as_dict()
    for name, value in request.as_dict().items():
        flag = "--" + (options[name].flag or name.replace("_", "-"))
        if isinstance(options[name], Flag):
            words += [flag] if value else []
        elif value != default[name] and isinstance(options[name], OneOf) and options[name].own_flags:
            words.append(f"--{value}")
        elif value != default[name]:
            words.append(f"{flag}={options[name].text(value)}")
    return words


@given(requests())
def test_every_request_can_be_said(request):
    assert asked(*words_of(request)) == request


def test_what_is_not_said_is_not_chosen():
    parser = argparse.ArgumentParser()
    add_request(parser)
    assert chosen(parser.parse_args([])) == {}
    assert chosen(parser.parse_args(["--frames", "3", "--strength", "1"])) == {"frame_range": (3, 3), "strength": 1.0}


def test_strength_stands_for_both_controls():
    assert asked("--strength", "0.5") == DeblurRequest.of(sharpness=0.5, noise_reduction=0.5)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["--tile", "8"],
            "argument --tile: Tile must be auto or a whole number of at least 16 and at most 16384 pixels, not 8.",
        ),
        (["--blur", "40"], "argument --blur: Blur must be auto, header, frames or two widths in pixels"),
        (["--shift=1"], "argument --shift: Mask shift must be a shift such as 1.5,-2"),
        (["--focal-spot", "600"], "argument --focal-spot: Focal spot must be a number above 0 mm"),
        (["--pictures", "png,bmp"], "argument --pictures: Pictures must be a list of png, gif, mp4"),
        (["--order", "backwards"], "argument --order: Order must be one of subtract-first, deblur-first"),
    ],
)
def test_wrong_values_name_their_option(words, sentence, capsys):
    with pytest.raises(SystemExit) as stopped:
        asked(*words)
    assert stopped.value.code == 2 and sentence in " ".join(capsys.readouterr().err.split())


def test_help_tells_defaults_words_and_groups():
    parser = argparse.ArgumentParser(prog="x")
    add_request(parser)
    text = " ".join(parser.format_help().split())
    for words in (
        "default compact",
        "default 0.5",
        "{subtract-first,deblur-first}",
        "--blur auto|header|frames|PX[,PX]",
    ):
        assert words in text
    for _, title, group in DeblurRequest.groups():
        assert f" {title}: " in text and all(one.help.split()[0] in text for _, one in group.options())


def test_a_part_of_the_choices():
    parser = argparse.ArgumentParser()
    add_choices(parser, DeblurSettings, only=("sharpness",))
    add_choices(parser, UserFacts)
    given = parser.parse_args(["--sharpness", "0.5", "--magnification", "1.4"])
    assert chosen(given) == {"sharpness": 0.5, "magnification": 1.4}
    with pytest.raises(SystemExit):
        parser.parse_args(["--noise-reduction", "0.5"])


@dataclass(frozen=True)
class SignedResults(ResultOptions):
    reader: str | None = choice(None, Text("who looks at the result", metavar="NAME", optional=True))


@dataclass(frozen=True)
class SignedRequest(DeblurRequest):
    result: SignedResults = field(default=SignedResults(), metadata={"title": "results"})


def test_a_new_choice_is_an_option():
    assert asked("--reader", "Ada", request=SignedRequest) == SignedRequest.of(reader="Ada")
    assert asked(request=SignedRequest).result.reader is None
    parser = argparse.ArgumentParser()
    add_request(parser, SignedRequest)
    assert "--reader NAME" in parser.format_help() and "who looks at the result" in parser.format_help()
    with pytest.raises(SystemExit):
        asked("--reader", "Ada")
