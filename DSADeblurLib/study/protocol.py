"""What a reader is asked about an item, and what an answer by sides says once the key tells which arm was where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from DSADeblurLib.request import RequestError

KINDS = ("paired", "2afc", "grading", "visibility")
VIEWS = ("side-by-side", "swipe", "flicker")
WINDOWS = ("locked", "linked")
MIDDLE = 3
# What is stored of a pair is of its right side, or which side; the key turns it to the deblurred.
_PAIRED = {
    1: "Left better, and it matters for the treatment",
    2: "Left better",
    3: "Equal",
    4: "Right better",
    5: "Right better, and it matters for the treatment",
}
_PREFERENCE = {1: "Left", 2: "Right"}
_FULFILLED = {
    1: "Confident that it is not fulfilled",
    2: "Somewhat confident that it is not fulfilled",
    3: "Indecisive",
    4: "Somewhat confident that it is fulfilled",
    5: "Confident that it is fulfilled",
}
_VISIBLE = {1: "Not visible", 2: "Hardly visible", 3: "Visible", 4: "Well visible", 5: "Clearly visible, edges sharp"}
# The same of a deblurred image against its original, as in the paper.
LEVELS = {
    1: "worse, negative influence on treatment",
    2: "worse",
    3: "equal",
    4: "better",
    5: "better and helpful for treatment",
}


@dataclass(frozen=True)
class Question:
    """One thing asked of an item: its name in the answers, the words for the reader, what each key means."""

    name: str
    text: str
    choices: dict[int, str]


@dataclass(frozen=True)
class Protocol:
    """How items are shown and what is asked.

    Attributes:
        kind: a word of `KINDS`.
        criteria: of a grading, each asked of each image.
        views: how a pair may be shown.
        window: "locked" for all readers, or "linked" between the sides and free.
    """

    kind: str = "paired"
    criteria: tuple[str, ...] = ()
    views: tuple[str, ...] = VIEWS
    window: str = "linked"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise RequestError(f"There is no protocol {self.kind!r}; use one of {', '.join(KINDS)}.")
        if not self.views or not set(self.views) <= set(VIEWS):
            raise RequestError(f"Views are some of {', '.join(VIEWS)}, not {', '.join(self.views) or 'none'}.")
        if self.window not in WINDOWS:
            raise RequestError(f"The window is one of {', '.join(WINDOWS)}, not {self.window!r}.")
        if (self.kind == "grading") != bool(self.criteria):
            need = "needs at least one criterion" if self.kind == "grading" else "has no criteria; leave them out"
            raise RequestError(f"The protocol {self.kind} {need}.")
        if len(set(self.criteria)) != len(self.criteria) or not all(map(str.strip, self.criteria)):
            raise RequestError("Criteria are texts, each once.")

    @property
    def of_pairs(self) -> bool:
        """Whether an item is two images side by side; else it is one."""
        return self.kind in ("paired", "2afc")

    def questions(self) -> tuple[Question, ...]:
        """What is asked of each item, in order."""
        if self.kind == "paired":
            return (Question("comparison", "Which side is better?", _PAIRED),)
        if self.kind == "2afc":
            return (Question("preference", "Which side is better?", _PREFERENCE),)
        if self.kind == "visibility":
            return (Question("visibility", "How well is the marked vessel seen?", _VISIBLE),)
        return tuple(Question(one, one, _FULFILLED) for one in self.criteria)

    def checked(self, values: Mapping[str, int]) -> dict[str, int]:
        """The values of an answer. Raises RequestError where one is missing or no choice."""
        asked = {question.name: question.choices for question in self.questions()}
        good = values.keys() == asked.keys() and all(
            isinstance(value, int) and value in asked[name] for name, value in values.items()
        )
        if not good:
            raise RequestError("An answer has one of the offered values for each question, and nothing else.")
        return {name: int(values[name]) for name in asked}

    def as_dict(self) -> dict:
        """Values of JSON's types by name."""
        return {name: list(one) if isinstance(one, tuple) else one for name, one in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: Mapping) -> Protocol:
        """Inverse of `as_dict`. Raises KeyError, TypeError or RequestError on anything else."""
        return cls(values["kind"], tuple(values["criteria"]), tuple(values["views"]), values["window"])


def level_of(comparison: int, tested_is_right: bool) -> int:
    """The level of the tested image against the other, from what was said of right against left."""
    return comparison if tested_is_right else 2 * MIDDLE - comparison
