"""A reader's session: the items in his order, what is on which side, answers, going on, and the question at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from DSADeblurLib.regular_file import sha256_of
from DSADeblurLib.request import RequestError
from DSADeblurLib.study.answer_file import AnswerFile, last_answers, reader_code
from DSADeblurLib.study.definition import Definition, Item, image_path, read_definition
from DSADeblurLib.study.draws import draw, shuffled

BELIEFS = ("left", "right", "processed", "original", "unsure")
# Items of a session that the reader is asked about at its end.
ASKED_AT_THE_END = 5
_TRIES = 50


@dataclass(frozen=True)
class Shown:
    """An item as a reader sees it: what is left and what is right, or one image on the left alone."""

    item: Item
    left: str
    right: str | None


def order_for(definition: Definition, reader: str) -> list[Item]:
    """The items in the order of a reader: training first, repeats late, runs of a case apart where that can be.

    Seed and reader alone decide it.
    """
    reader = reader_code(reader)
    training = [item for item in definition.items if item.training]
    counted = [item for item in definition.items if not item.training]
    repeated = {item.repeat_of for item in counted if item.repeat_of is not None}

    def place(item: Item, attempt: str) -> float:
        chance = draw(definition.seed, "order", reader, attempt, item.repeat_of or item.name)
        if item.repeat_of is not None:  # of what came in the first half, a good while later
            return chance / 2 + 0.3 + 0.2 * draw(definition.seed, "again", reader, attempt, item.name)
        return chance / 2 if item.name in repeated else chance

    def neighbours(items: Sequence[Item]) -> int:
        return sum(one.case == two.case for one, two in pairwise(items))

    tries = (sorted(counted, key=lambda item: place(item, str(number))) for number in range(_TRIES))
    first = shuffled(definition.seed, [item.name for item in training], "order", reader)
    return [*map(definition.item, first), *min(tries, key=neighbours)]


def shown_to(definition: Definition, reader: str, item: Item) -> Shown:
    """What is left and what is right for a reader; seed, reader and item alone decide it."""
    if len(item.images) == 1:
        return Shown(item, item.images[0], None)
    first, second = item.images
    turned = draw(definition.seed, "side", reader_code(reader), item.name) < 0.5
    return Shown(item, *((second, first) if turned else (first, second)))


class Session:
    """One sitting of a reader; what a window needs and no more. A context manager, see `AnswerFile` for what it raises.

    Args:
        folder: of the study.
        reader: the code.
        clock: seconds that only rise.

    Attributes:
        definition: of the study.
        order: all items of this reader.
        position: of the item on the screen in `order`; that many items come before it.
        healed: bytes of an answer that was not finished when a session was killed, which are lost.
    """

    def __init__(self, folder: Path, reader: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.folder, self.reader, self._clock = Path(folder), reader_code(reader), clock
        self.definition = read_definition(self.folder)
        missing = [one for one in self.definition.images if not image_path(self.folder, one).is_file()]
        if missing:
            raise RequestError(f"{len(missing)} images of the study are missing; take a whole copy of it.")
        self.order = order_for(self.definition, self.reader)
        self._file = AnswerFile(self.folder, self.reader, self.definition)
        self.healed = self._file.healed
        self.answers = last_answers(self._file.records)
        self._seconds = 0.0
        self._since: float | None = None
        self._of_this_session: dict[str, None] = {}
        self.position = next((n for n, item in enumerate(self.order) if item.name not in self.answers), 0)
        self._start()

    @property
    def progress(self) -> tuple[int, int]:
        """Items answered, and their count."""
        return len(self.answers), len(self.order)

    @property
    def is_complete(self) -> bool:
        """Whether every item has an answer."""
        return len(self.answers) == len(self.order)

    @property
    def shown(self) -> Shown:
        """What is on the screen."""
        return self.at(self.position)

    def at(self, position: int) -> Shown:
        """What is shown at a position; of the next one to load its images while the present one is read."""
        return shown_to(self.definition, self.reader, self.order[position])

    def paths(self, shown: Shown) -> tuple[Path, ...]:
        """The files of what is shown, left first."""
        return tuple(image_path(self.folder, one) for one in (shown.left, shown.right) if one is not None)

    def is_intact(self, shown: Shown) -> bool:
        """Whether the files of what is shown are those of the study; reads them whole, best while they are loaded."""
        hashes = [self.definition.images[one] for one in (shown.left, shown.right) if one is not None]
        return [sha256_of(path) for path in self.paths(shown)] == hashes

    def previous_answer(self) -> dict[str, Any] | None:
        """What was answered to the item on the screen; None if nothing was."""
        return self.answers.get(self.shown.item.name)

    def answer(self, values: Mapping[str, int], comment: str = "") -> None:
        """Keep the answer to what is on the screen and go to the next. Raises RequestError for a wrong one, OSError."""
        self._keep(self.definition.protocol.checked(values), comment)

    def cannot_judge(self, comment: str = "") -> None:
        """Keep that the item on the screen cannot be judged, and go to the next. Raises OSError."""
        self._keep(None, comment)

    def back(self) -> None:
        """Show the item before, whose answer may be given again."""
        self.position = max(0, self.position - 1)
        self._start()

    def next(self) -> None:
        """Show the item after; one without an answer is not passed by."""
        if self.shown.item.name in self.answers:
            self.position = min(self.position + 1, len(self.order) - 1)
            self._start()

    def pause(self) -> None:
        """Stop counting the time of the item on the screen."""
        if self._since is not None:
            self._seconds, self._since = self._seconds + self._clock() - self._since, None

    def go_on(self) -> None:
        """Count it again."""
        if self._since is None:
            self._since = self._clock()

    def asked_at_the_end(self) -> list[Shown]:
        """Items of this session of which the reader is asked which side, or whether the image, was processed."""
        answered = [name for name in self._of_this_session if not self.definition.item(name).training]
        drawn = shuffled(self.definition.seed, answered, "belief", self.reader)[:ASKED_AT_THE_END]
        return [shown_to(self.definition, self.reader, self.definition.item(name)) for name in drawn]

    def believe(self, shown: Shown, belief: str) -> None:
        """Keep what the reader believes of an item: the side that was processed, or what its one image is.

        Raises:
            RequestError: it is no word for such an item. OSError: it cannot be written.
        """
        words = BELIEFS[2:] if shown.right is None else (*BELIEFS[:2], BELIEFS[4])
        if belief not in words:
            raise RequestError(f"What is believed is one of {', '.join(words)}, not {belief!r}.")
        self._file.append("belief", item=shown.item.name, left=shown.left, right=shown.right, believed=belief)

    def close(self) -> None:
        """End the session."""
        try:
            self._file.append("end", answered=len(self._of_this_session))
        finally:
            self._file.close()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def _start(self) -> None:
        self._seconds, self._since = 0.0, self._clock()

    def _keep(self, values: dict[str, int] | None, comment: str) -> None:
        self.pause()
        shown = self.shown
        record = self._file.append(
            "answer",
            item=shown.item.name,
            left=shown.left,
            right=shown.right,
            values=values,
            comment=comment,
            seconds=round(self._seconds, 2),
            position=self.position + 1,
        )
        self.answers[shown.item.name] = record
        self._of_this_session[shown.item.name] = None
        self.position = min(self.position + 1, len(self.order) - 1)
        self._start()
