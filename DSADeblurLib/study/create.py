"""Create a study: its arms, its items, its key, and the folder that readers get."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

from DSADeblurLib import __version__
from DSADeblurLib.atomic_write import atomic_folder
from DSADeblurLib.batch import Outcome
from DSADeblurLib.regular_file import sha256_of
from DSADeblurLib.request import RequestError
from DSADeblurLib.study.arms import Arm, make_arm
from DSADeblurLib.study.definition import ANSWERS, IMAGES, Definition, Item, Mark, image_path
from DSADeblurLib.study.draws import draw, shuffled
from DSADeblurLib.study.neutral import NeutralArms
from DSADeblurLib.study.originals import Original
from DSADeblurLib.study.protocol import Protocol
from DSADeblurLib.study.study_key import KeyArm, KeyCase, StudyKey

README = "README.txt"
_README = """RESEARCH USE ONLY. Not for diagnosis or treatment.

This folder is a blinded reader study, made by DSADeblur {software}: "{title}".

Some of the images were deblurred by software, others are the originals. To keep readers blinded, the labels that mark
a deblurred image everywhere else ("AI-DEBLURRED", Image Type DEBLURRED, the derivation description) were left out of
the files here. They must be used in a session of this study only, and never be sent to an archive.
Which image is which stands in the key, which does not belong into this folder or into a reader's hands.

definition.json   what is read, and how; nothing in it tells which image is which
images/           DICOM, without the patients' identity
answers/          one file a reader, one line an answer, each chained to the one before it
closed.json       after the study was closed: what the answers were then
"""


@dataclass(frozen=True)
class Wish:
    """What a study is to be: a seed, the share of items to be repeated, training patients to be drawn beside those
    that the originals name, and the share of harm that must be excluded."""

    title: str = "Reader study"
    protocol: Protocol = Protocol()
    seed: int = 0
    repeats: float = 0.1
    training: int = 0
    harm_margin: float = 0.1
    reviewed: bool = False
    workers: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.repeats <= 0.5:
            raise RequestError(f"From none to half of the items are repeated (0 to 0.5), not {self.repeats:g}.")
        if not 0 < self.harm_margin < 1:
            raise RequestError(f"The harm margin is a share above 0 and below 1, not {self.harm_margin:g}.")


def check_places(folder: Path, key_path: Path) -> None:
    """Raise RequestError where the study or its key cannot be put, before any work."""
    for path in (folder, key_path):
        if os.path.lexists(path):
            raise RequestError(f"{path} exists; a study gets a new folder and a new key.")
    if key_path.resolve().is_relative_to(folder.resolve()):
        raise RequestError(f"The key tells which image is which and must not lie in {folder}.")


def create_study(
    folder: Path,
    key_path: Path,
    originals: Sequence[Original],
    arms: Sequence[Arm],
    wish: Wish,
    finished: Callable[[str, Outcome, int, int], None] = lambda arm, outcome, done, count: None,
) -> Definition:
    """Make a study; both folder and key appear when all is done.

    Results that are made meanwhile lie in a hidden folder beside `folder`, private to its owner, with which a call that
    was interrupted goes on; it is gone at the end.

    Args:
        folder: of the study, which does not exist.
        key_path: of its key, which does not exist and lies elsewhere.
        originals: from `originals.find_runs`.
        arms: from `arms.read_arms`, the original first.
        wish: see there.
        finished: told the arm, its outcome, the number done and the count.

    Raises:
        RequestError: one sentence, before anything is written.
        DSADeblurError, OSError: one run cannot be deblurred, or the disk is full.
    """
    check_places(folder, key_path)
    originals = _with_training(originals, wish)
    if wish.protocol.kind == "visibility" and (unmarked := [one.name for one in originals if one.mark is None]):
        raise RequestError(f"{unmarked[0]} has no mark, which the protocol visibility asks about.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = folder.parent / f".{folder.name}-in-the-making"
    work.mkdir(mode=0o700, exist_ok=True)
    made = [
        make_arm(
            arm,
            originals,
            work / f"arm-{number}",
            wish.workers,
            lambda outcome, done, count, name=arm.name: finished(name, outcome, done, count),  # type: ignore[misc]
        )
        for number, arm in enumerate(arms)
    ]
    key_arms, outcomes = tuple(arm for arm, _ in made), [done for _, done in made]
    cases = _cases(originals, key_arms, outcomes, wish.seed)
    results = {
        case.name: {arm.name: Path(str(done[number].output)) for arm, done in zip(key_arms, outcomes, strict=True)}
        for number, case in cases
    }
    key = StudyKey(secrets.token_hex(8), secrets.token_hex(32), key_arms, tuple(case for _, case in cases))
    read = [(case, originals[number]) for number, case in cases]
    items = items_of_cases(
        [(case, one.training, one.question, _mark_in_result(one, case)) for case, one in read], key, wish
    )
    with _taken_back(key_path), atomic_folder(folder) as unfinished:
        for name in (IMAGES, ANSWERS):
            (unfinished / name).mkdir()
        neutral = NeutralArms(wish.reviewed)
        for case in key.cases:
            targets = {arm: image_path(unfinished, image) for image, arm in case.images.items()}
            neutral.write(case.name, results[case.name], targets)
        hashes = {image: str(sha256_of(image_path(unfinished, image))) for case in key.cases for image in case.images}
        images = dict(sorted(hashes.items()))
        definition = Definition(
            key.study, wish.title, wish.protocol, wish.seed, wish.harm_margin, images, items, key.sha256
        )
        definition.write(unfinished)
        (unfinished / README).write_text(_README.format(software=__version__, title=wish.title), encoding="utf-8")
        key.write(key_path)  # first, for without it the folder is worth nothing
    shutil.rmtree(work, ignore_errors=True)
    return definition


@contextlib.contextmanager
def _taken_back(key_path: Path) -> Iterator[None]:
    """Remove the key where the folder does not appear."""
    try:
        yield
    except BaseException:
        key_path.unlink(missing_ok=True)
        raise


def _with_training(originals: Sequence[Original], wish: Wish) -> list[Original]:
    patients = {one.patient for one in originals if not one.training}
    if wish.training >= len(patients):
        raise RequestError(f"{wish.training} of {len(patients)} patients for training leave none to be read.")
    drawn = set(shuffled(wish.seed, sorted(patients), "training")[: wish.training])
    return [replace(one, training=one.training or one.patient in drawn) for one in originals]


def _cases(
    originals: Sequence[Original], arms: Sequence[KeyArm], outcomes: Sequence[Sequence[Outcome]], seed: int
) -> list[tuple[int, KeyCase]]:
    """The cases in an order that tells nothing of groups, each with the place of its original."""
    pseudonyms = {
        patient: f"P{number:03d}"
        for number, patient in enumerate(shuffled(seed, sorted({one.patient for one in originals}), "patient"), start=1)
    }
    order = shuffled(seed, range(len(originals)), "case")
    cases = []
    for count, number in enumerate(order, start=1):
        one = originals[number]
        images = {secrets.token_hex(8): arm.name for arm in arms}
        used = {arm.name: done[number].used or {} for arm, done in zip(arms, outcomes, strict=True)}
        paths = tuple(str(path.absolute()) for path in one.files)
        name, sha256 = f"C{count:03d}", str(sha256_of(*one.files))
        cases.append((number, KeyCase(name, pseudonyms[one.patient], one.group, paths, sha256, images, used)))
    return cases


def _mark_in_result(original: Original, case: KeyCase) -> Mark | None:
    """The mark, its frame counted in the results, which may begin later than the run."""
    if original.mark is None:
        return None
    numbers = next(iter(case.used.values()))["frame_numbers"]
    if original.mark.frame not in numbers:
        raise RequestError(f"{original.name}: frame {original.mark.frame} of the mark is none of the result.")
    return replace(original.mark, frame=numbers.index(original.mark.frame) + 1)


def items_of_cases(
    cases: Sequence[tuple[KeyCase, bool, str, Mark | None]], key: StudyKey, wish: Wish
) -> tuple[Item, ...]:
    """What is asked of cases, each with whether it is for training, its question and its mark; repeats come last."""
    shown: list[tuple[Item, str]] = []
    for case, training, question, mark in cases:
        by_arm = {arm: image for image, arm in case.images.items()}
        arms = [arm.name for arm in key.arms]
        sets: list[tuple[str, ...]]
        if wish.protocol.kind == "paired":
            sets = [(key.original, arm) for arm in arms[1:]]
        elif wish.protocol.kind == "2afc":
            sets = list(combinations(arms, 2))
        else:
            sets = [(arm,) for arm in arms]
        for one in sets:
            images = tuple(sorted(by_arm[arm] for arm in one))
            item = Item("", case.name, images, training, None, question, mark)
            shown.append((item, case.group))
    # Names by an order drawn from what is random anyway: they tell neither arm nor group.
    shown.sort(key=lambda one: draw(wish.seed, "item", *one[0].images))
    named = [(replace(item, name=f"I{number:04d}"), group) for number, (item, group) in enumerate(shown, start=1)]
    counted = [(item, group) for item, group in named if not item.training]
    again = _spread_over_groups(counted, wish)[: round(wish.repeats * len(counted))]
    repeats = [
        replace(item, name=f"I{number:04d}", repeat_of=item.name)
        for number, item in enumerate(again, start=len(named) + 1)
    ]
    return tuple([item for item, _ in named] + repeats)


def _spread_over_groups(items: Sequence[tuple[Item, str]], wish: Wish) -> list[Item]:
    """The items in a drawn order in which the groups take turns."""
    turns: Counter[str] = Counter()
    ranked = []
    for item, group in sorted(items, key=lambda one: draw(wish.seed, "repeat", one[0].name)):
        turns[group] += 1
        ranked.append((turns[group], item))
    return [item for _, item in sorted(ranked, key=lambda one: one[0])]
