"""A whole reader study without patients: cases of four groups, readers who answer with known bias and agreement.

`python -m DSADeblurLib.lab.evaluation.simulated_study FOLDER` makes it, lets two readers answer in two copies (one
is interrupted and goes on), merges, closes and analyses it. The images are a few bytes each: nothing looks at them.
"""

from __future__ import annotations

import argparse
import json
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from DSADeblurLib.regular_file import sha256_of
from DSADeblurLib.request import DeblurRequest
from DSADeblurLib.study.analysis import analyse
from DSADeblurLib.study.create import Wish, items_of_cases
from DSADeblurLib.study.definition import ANSWERS, IMAGES, Definition, image_path
from DSADeblurLib.study.merge_copies import merge_copies
from DSADeblurLib.study.protocol import Protocol
from DSADeblurLib.study.reading_session import Session
from DSADeblurLib.study.results import save_results
from DSADeblurLib.study.seal import close_study
from DSADeblurLib.study.simulated_readers import SimulatedReaders
from DSADeblurLib.study.study_key import KeyArm, KeyCase, StudyKey, default_key_path

GROUPS = ("AN", "AVM", "SAVM", "STENOSIS")
# A little worse now and then, better mostly.
TRUTH = SimulatedReaders((3, 7, 30, 40, 20), (0.2, -0.2), 0.6)
_HASH = "0" * 64


@dataclass(frozen=True)
class SimulatedStudy:
    """A study's folder and key, and the levels that each reader gives to each case, int (readers, cases)."""

    folder: Path
    key_path: Path
    definition: Definition
    key: StudyKey
    levels: np.ndarray


def make_simulated_study(
    folder: Path, readers: SimulatedReaders = TRUTH, cases: int = 80, seed: int = 1, runs_of_patient: int = 1, **wish
) -> SimulatedStudy:
    """Make a paired study of four groups whose images are a few random bytes.

    Args:
        folder: of the study, new.
        readers: how they judge.
        cases: their number.
        seed: of everything drawn, but for the images' names.
        runs_of_patient: so many cases in a row are of one patient.
        wish: more of `create.Wish`.
    """
    wishes = Wish(title="Simulated reader study", seed=seed, **wish)
    arms = tuple(
        KeyArm(name, DeblurRequest.of(**controls).as_dict(), "simulated", _HASH)
        for name, controls in (("original", {"strength": 0.0}), ("deblurred", {}))
    )
    for name in (IMAGES, ANSWERS):
        (folder / name).mkdir(parents=True)
    made = []
    for number in range(cases):
        images = {secrets.token_hex(8): arm.name for arm in arms}
        patient, group = f"P{number // runs_of_patient:03d}", GROUPS[number * len(GROUPS) // cases]
        made.append(KeyCase(f"C{number:03d}", patient, group, (), _HASH, images, {}))
        for image in images:
            image_path(folder, image).write_bytes(secrets.token_bytes(16))
    key = StudyKey(secrets.token_hex(8), secrets.token_hex(32), arms, tuple(made))
    items = items_of_cases([(case, False, "", None) for case in made], key, wishes)
    images = {image: str(sha256_of(image_path(folder, image))) for case in made for image in case.images}
    own = (key.study, wishes.title, Protocol(), seed, wishes.harm_margin)
    definition = Definition(*own, images, items, key.sha256)
    definition.write(folder)
    key.write(default_key_path(folder))
    levels = readers.draw(np.random.default_rng(seed), cases)
    return SimulatedStudy(folder, default_key_path(folder), definition, key, levels)


def answer_by_session(
    study: SimulatedStudy, reader: int, folder: Path, until: int | None = None, seed: int = 2, sees_through: float = 0.0
) -> None:
    """Let a simulated reader answer as the window would, from where he was to the end, or to so many items.

    He says of a case that he sees again the same, or now and then the next level; he takes `sees_through` of the time
    the right side for the processed one at the end, else any.
    """
    rng, clock = np.random.default_rng([seed, reader]), [0.0]
    with Session(folder, f"R{reader + 1}", lambda: clock[0]) as session:
        while not session.is_complete and (until is None or session.progress[0] < until):
            shown = session.shown
            case = study.key.case(shown.item.case)
            level = int(study.levels[reader, study.key.cases.index(case)])
            if shown.item.repeat_of is not None and rng.random() < 0.3:
                level = int(np.clip(level + rng.choice([-1, 1]), 1, 5))
            clock[0] += rng.gamma(4, 5 if level == 3 else 4)
            if rng.random() < 0.01:
                session.cannot_judge("contrast missed")
            else:
                right_is_tested = case.images[str(shown.right)] != study.key.original
                session.answer({"comparison": level if right_is_tested else 6 - level})
        for shown in session.asked_at_the_end():
            case = study.key.case(shown.item.case)
            truth = "left" if case.images[shown.left] != study.key.original else "right"
            session.believe(
                shown, truth if rng.random() < sees_through else str(rng.choice(["left", "right", "unsure"]))
            )


def main(arguments: list[str] | None = None) -> None:
    """Do it all."""
    parser = argparse.ArgumentParser(description="Make, answer and analyse a simulated reader study.")
    parser.add_argument("folder", type=Path, help="new folder, for the study, its key and the results")
    parser.add_argument("--cases", type=int, default=80)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    study = make_simulated_study(options.folder / "study", cases=options.cases, seed=options.seed)
    copies = [shutil.copytree(study.folder, options.folder / f"copy-R{reader + 1}") for reader in range(2)]
    answer_by_session(study, 0, copies[0], until=12)  # stopped, and gone on with
    answer_by_session(study, 0, copies[0])
    answer_by_session(study, 1, copies[1])
    merge_copies(study.folder, copies)
    close_study(study.folder, study.key_path)
    analysis = analyse(study.folder, study.definition, study.key, study.key_path)
    print(*save_results(analysis, options.folder / "results"), sep="\n")
    truth = {f"R{reader + 1}": [round(one, 3) for one in TRUTH.level_shares(reader)] for reader in range(2)}
    print(json.dumps({"true shares of levels 1 to 5": truth}))


if __name__ == "__main__":
    main()
