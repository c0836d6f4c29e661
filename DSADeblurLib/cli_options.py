"""The choices of a request as options of the command line, and the request that options make."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from DSADeblurLib.options import Choices, Flag, Number, OneOf, Option
from DSADeblurLib.request import DeblurRequest, RequestError

_STRENGTH = Number("sharpness and noise reduction at once: 0 (input) to 1 (network)", maximum=1, optional=True)


def add_request(parser: argparse.ArgumentParser, request: type[DeblurRequest] = DeblurRequest) -> None:
    """All choices of a request, each group under its title."""
    (_, title, restoration), *groups = request.groups()
    box = parser.add_argument_group(title)
    add_choices(box, request)
    add_choices(box, restoration)
    _add_one(box, "strength", _STRENGTH, None)
    for _, title, group in groups:
        add_choices(parser.add_argument_group(title), group)


def add_choices(parser: Any, group: type[Choices], only: Iterable[str] | None = None) -> None:
    """The choices of a group, or some of them, for a parser or one of its groups."""
    for name, option in group.options():
        if only is None or name in only:
            _add_one(parser, name, option, getattr(group, name))


def chosen(options: argparse.Namespace, request: type[DeblurRequest] = DeblurRequest) -> dict[str, Any]:
    """The choices that were given, by name, for `request.of`."""
    names = {*request.every_option(), "strength"}
    return {name: value for name, value in vars(options).items() if name in names}


def address(text: str) -> str:
    """Where a Dask scheduler listens, such as tcp://127.0.0.1:8786."""
    if re.fullmatch(r"(\w+://)?(\[[\w:.%]+\]|[\w.-]+):\d{1,5}/?", text) is None:
        raise argparse.ArgumentTypeError(f"'{text}' is no address such as tcp://HOST:8786.")
    return text


def path_of(text: str) -> Path:
    """The path that an argument names."""
    if not text.strip():
        raise argparse.ArgumentTypeError("The path is empty; name a file or a folder.")
    return Path(text)


def _add_one(parser: Any, name: str, option: Option, default: Any) -> None:
    # What is not given is not in the namespace, so that defaults stand in one place.
    common = {"dest": name, "default": argparse.SUPPRESS}
    flag = "--" + (option.flag or name.replace("_", "-"))
    if isinstance(option, Flag):
        parser.add_argument(flag, **common, action="store_true", help=option.help)
        return
    if isinstance(option, OneOf) and option.own_flags:
        alternatives = parser.add_mutually_exclusive_group()
        for word in option.choices:
            alternatives.add_argument(f"--{word}", **common, action="store_const", const=word, help=option.help)
        return
    shown = f"; default {option.text(default)}" if option.text(default) else ""
    words = {"metavar": f"{{{','.join(option.choices)}}}" if isinstance(option, OneOf) else option.metavar}
    parser.add_argument(flag, **common, **words, type=reader(name, option), help=f"{option.help}{shown}")


def reader(name: str, option: Option) -> Callable[[str], Any]:
    """What turns an argument into the value of a choice, and refuses others in a sentence."""

    def read(text: str) -> Any:
        try:
            return option.parsed(name, text)
        except RequestError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read
