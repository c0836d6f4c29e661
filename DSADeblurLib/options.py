"""Kinds of choices: what values one may have, how it is read from text, and how it is written as text.

A dataclass whose fields are made with `choice` checks them when it is made. The same description gives the shell its
options and the panel its parameters, so that a choice is described once.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from DSADeblurLib.errors import DSADeblurError

# What text stands for a choice that is left to the header, or to this computer.
NOTHING = ""


class RequestError(DSADeblurError, ValueError):
    """A choice is not usable, or two contradict each other."""


@dataclass(frozen=True)
class Option:
    """Description of one choice; each subclass is a kind of value.

    Attributes:
        help: one line for the user.
        flag: name in the shell where it is not that of the field.
        metavar: of its value in the shell.
        optional: None is allowed: the header, or the program, decides.
        in_panel: the panel has a parameter for it.
        provenance: a derived object names it, 'always', when it is 'changed' from its default, or 'never'.
    """

    help: str
    flag: str = ""
    metavar: str | None = None
    optional: bool = False
    in_panel: bool = True
    provenance: str = "never"

    def checked(self, name: str, value: object) -> Any:
        """The value in its own type. Raises RequestError, one sentence, if it is not usable."""
        if value is None and self.optional:
            return None
        try:
            return self.converted(value)
        except (TypeError, ValueError, OverflowError):
            raise RequestError(f"{in_words(name)} must be {self.expected()}, not {value!r}.", name) from None

    def parsed(self, name: str, text: str) -> Any:
        """The value that a text stands for. Raises RequestError, one sentence, if there is none."""
        text = text.strip()
        if text == NOTHING and self.optional:
            return None
        try:
            value = self.read(text)
        except ValueError:
            value = text
        return self.checked(name, value)

    def text(self, value: Any) -> str:
        """The text that `parsed` takes for a value."""
        return NOTHING if value is None else self.written(value)

    # What subclasses say.

    def converted(self, value: Any) -> Any:
        """The value in its own type; raises TypeError or ValueError if it cannot be."""
        raise NotImplementedError

    def expected(self) -> str:
        """What a value must be, to end a sentence."""
        raise NotImplementedError

    def read(self, text: str) -> Any:
        """What a text says; raises ValueError."""
        return text

    def written(self, value: Any) -> str:
        """A value as text."""
        return str(value)


@dataclass(frozen=True)
class Text(Option):
    """Any text that is not empty; blanks around it do not count."""

    def converted(self, value: Any) -> str:
        if not isinstance(value, str) or not value.strip():
            raise ValueError
        return value.strip()

    def expected(self) -> str:
        return "a text"


@dataclass(frozen=True)
class OneOf(Option):
    """One of some words; `own_flags` gives each word an option of its own in the shell: --native."""

    choices: tuple[str, ...] = ()
    own_flags: bool = False

    def converted(self, value: Any) -> str:
        if value not in self.choices:
            raise ValueError
        return value

    def expected(self) -> str:
        return f"one of {', '.join(self.choices)}"


@dataclass(frozen=True)
class SomeOf(Option):
    """Any of some words, each once, in the order given: png,gif."""

    choices: tuple[str, ...] = ()

    def converted(self, value: Any) -> tuple[str, ...]:
        words = tuple(dict.fromkeys(value))
        if isinstance(value, str) or not set(words) <= set(self.choices):
            raise ValueError
        return words

    def expected(self) -> str:
        return f"a list of {', '.join(self.choices)}"

    def read(self, text: str) -> tuple[str, ...]:
        return tuple(text.split(",")) if text else ()

    def written(self, value: Any) -> str:
        return ",".join(value)


@dataclass(frozen=True)
class Flag(Option):
    """Yes or no."""

    def converted(self, value: Any) -> bool:
        if not isinstance(value, bool):
            raise ValueError
        return value

    def expected(self) -> str:
        return "true or false"

    def read(self, text: str) -> bool:
        if text not in ("true", "false"):
            raise ValueError
        return text == "true"

    def written(self, value: Any) -> str:
        return str(value).lower()


@dataclass(frozen=True)
class Number(Option):
    """A finite number from `minimum` to `maximum`, in `unit`; `above` says that the minimum itself is too small."""

    minimum: float = 0.0
    maximum: float = math.inf
    unit: str = ""
    above: bool = False

    def converted(self, value: Any) -> float:
        if not _is_number(value):
            raise TypeError
        if not self.minimum <= value <= self.maximum or not math.isfinite(value):
            raise ValueError
        if self.above and value == self.minimum:
            raise ValueError
        return float(value)

    def expected(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        most = f" and at most {self.maximum:g}{unit}" if math.isfinite(self.maximum) else ""
        if self.above:
            return f"a number above {self.minimum:g}{unit}{most}"
        if not most:
            return f"a number of at least {self.minimum:g}{unit}"
        return f"a number from {self.minimum:g} to {self.maximum:g}{unit}"

    def read(self, text: str) -> float | None:
        return float(text)

    def written(self, value: Any) -> str:
        return _shortest(value)


@dataclass(frozen=True)
class WholeNumber(Number):
    """A whole number; the word auto leaves an optional one to the program."""

    def converted(self, value: Any) -> int:
        if not isinstance(value, Integral):
            raise TypeError
        super().converted(value)
        return int(value)

    def expected(self) -> str:
        most = f" and at most {self.maximum:g}" if math.isfinite(self.maximum) else ""
        auto = "auto or " if self.optional else ""
        return f"{auto}a whole number of at least {self.minimum:g}{most} {self.unit}".rstrip()

    def read(self, text: str) -> int | None:
        return None if text == "auto" and self.optional else int(text)

    def written(self, value: Any) -> str:
        return str(value)


@dataclass(frozen=True)
class FrameRange(Option):
    """First and last frame, counted from 1, both included: 1-20."""

    def converted(self, value: Any) -> tuple[int, int]:
        first, last = value
        if not _are_whole(first, last) or not 1 <= first <= last:
            raise ValueError
        return int(first), int(last)

    def expected(self) -> str:
        return "a range of frames such as 1-20, with 1 <= first <= last"

    def read(self, text: str) -> tuple[int, int]:
        first, dash, last = text.partition("-")
        return int(first), int(last if dash else first)

    def written(self, value: Any) -> str:
        return "{}-{}".format(*value)


@dataclass(frozen=True)
class FrameNumbers(Option):
    """Frame numbers, counted from 1: 1-3,5."""

    def converted(self, value: Any) -> tuple[int, ...]:
        numbers = tuple(dict.fromkeys(value))
        if isinstance(value, str | bytes) or not numbers or not _are_whole(*numbers) or min(numbers) < 1:
            raise ValueError
        return tuple(int(number) for number in numbers)

    def expected(self) -> str:
        return "frame numbers such as 1-3,5"

    def read(self, text: str) -> tuple[int, ...]:
        numbers: list[int] = []
        for part in filter(str.strip, text.replace(";", ",").split(",")):
            first, dash, last = part.partition("-")
            # A run has fewer frames; a slip of the finger must not fill the memory.
            if dash and int(last) - int(first) not in range(100_000):
                raise ValueError
            numbers += range(int(first), int(last) + 1) if dash else [int(first)]
        return tuple(numbers)

    def written(self, value: Any) -> str:
        return ",".join(map(str, value))


@dataclass(frozen=True)
class Shift(Option):
    """Pixels along rows and columns, each from -`limit` to `limit`: 1.5,-2."""

    limit: float = math.inf

    def converted(self, value: Any) -> tuple[float, float]:
        rows, columns = _two_numbers(value)
        if not (abs(rows) <= self.limit and abs(columns) <= self.limit):
            raise ValueError
        return rows, columns

    def expected(self) -> str:
        return f"a shift such as 1.5,-2 of at most {self.limit:g} pixels"

    def read(self, text: str) -> tuple[float, ...]:
        return tuple(float(part) for part in text.split(","))

    def written(self, value: Any) -> str:
        return ",".join(map(_shortest, value))


@dataclass(frozen=True)
class WordOrWidths(Option):
    """One of some words, or two widths in pixels, rows and columns, from 0 to `limit`: 3.5,4. One stands for both."""

    choices: tuple[str, ...] = ()
    limit: float = math.inf

    def converted(self, value: Any) -> str | tuple[float, float]:
        if isinstance(value, str):
            if value not in self.choices:
                raise ValueError
            return value
        rows, columns = _two_numbers(value)
        if not (0 <= rows <= self.limit and 0 <= columns <= self.limit):
            raise ValueError
        return rows, columns

    def expected(self) -> str:
        return f"{', '.join(self.choices)} or two widths in pixels such as 3.5,4, from 0 to {self.limit:g}"

    def read(self, text: str) -> str | tuple[float, float]:
        if text in ("", *self.choices):
            return text or self.choices[0]
        rows, _, columns = text.partition(",")
        return float(rows), float(columns or rows)

    def written(self, value: Any) -> str:
        return value if isinstance(value, str) else ",".join(map(_shortest, value))


def _shortest(value: float) -> str:
    """The shortest text that is read as this number: 0.5, 3."""
    return repr(float(value)).removesuffix(".0")


def _two_numbers(value: Any) -> tuple[float, float]:
    first, second = value
    if isinstance(value, Mapping) or not (_is_number(first) and _is_number(second)):
        raise ValueError
    return float(first), float(second)


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _are_whole(*values: object) -> bool:
    return all(isinstance(value, Integral) and not isinstance(value, bool) for value in values)


def in_words(name: str) -> str:
    """The name of a choice at the start of a sentence."""
    return name.removesuffix("_mm").replace("_", " ").capitalize()


def choice(default: Any, option: Option) -> Any:
    """A field of a `Choices` dataclass."""
    return dataclasses.field(default=default, metadata={"option": option})


@dataclass(frozen=True)
class Choices:
    """Base of frozen dataclasses whose fields are made with `choice`: each is checked when it is made."""

    def __post_init__(self) -> None:
        for name, option in self.options():
            object.__setattr__(self, name, option.checked(name, getattr(self, name)))

    @classmethod
    def options(cls) -> Iterator[tuple[str, Option]]:
        """Name and description of each choice."""
        for field in dataclasses.fields(cls):
            yield field.name, field.metadata["option"]
