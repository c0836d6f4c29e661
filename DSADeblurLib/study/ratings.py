"""All answers of a study as tables, with the key: whose run, which arm, and the level of the deblurred."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from DSADeblurLib.study.answer_file import answer_files, last_answers, read_records
from DSADeblurLib.study.definition import Definition
from DSADeblurLib.study.protocol import level_of
from DSADeblurLib.study.study_key import StudyKey

_COLUMNS = (
    *("reader", "item", "case", "patient", "group", "question", "arm", "against", "level", "training", "repeat_of"),
    *("left_is_tested", "seconds", "position", "comment"),
)


@dataclass(frozen=True)
class Ratings:
    """What readers said.

    Attributes:
        table: a row for each question of each item that was answered. `level` is 1 to 5; of a forced choice 1 where
            `arm` was preferred to `against`, else 0; NaN where it could not be judged.
        beliefs: a row for each item asked about at a session's end: `right` is 1, 0, or NaN of those who were unsure.
        changed: answers that readers gave again, by reader.
        healed: half-written answers that were lost, by reader.
    """

    table: pd.DataFrame
    beliefs: pd.DataFrame
    changed: dict[str, int]
    healed: dict[str, int]

    @property
    def counted(self) -> pd.DataFrame:
        """What the statistics are of: judged, no training, the first time that an item was shown."""
        table = self.table
        return table[~table["training"] & table["repeat_of"].isna() & table["level"].notna()]


def read_ratings(folder: Path, definition: Definition, key: StudyKey) -> Ratings:
    """Read the answers of all readers.

    Raises:
        ChainBroken, OSError: see `answer_file.read_records`.
    """
    rows: list[dict[str, Any]] = []
    beliefs: list[dict[str, Any]] = []
    changed, healed = {}, {}
    for reader, path in answer_files(folder).items():
        records, _ = read_records(path, definition)
        answers = last_answers(records)
        changed[reader] = sum(one["kind"] == "answer" for one in records) - len(answers)
        healed[reader] = sum(one["kind"] == "healed" for one in records)
        for answer in answers.values():
            rows += ({"reader": reader, **row} for row in _rows(answer, definition, key))
        for record in records:
            if record["kind"] == "belief" and (right := _is_right(record, key, definition)) is not ...:
                beliefs.append({"reader": reader, "item": record["item"], "right": right})
    table = pd.DataFrame(rows, columns=list(_COLUMNS)).astype({"level": float, "training": bool})
    return Ratings(table, pd.DataFrame(beliefs, columns=["reader", "item", "right"]), changed, healed)


def _rows(answer: dict[str, Any], definition: Definition, key: StudyKey) -> list[dict[str, Any]]:
    item = definition.item(answer["item"])
    case = key.case(item.case)
    order = [arm.name for arm in key.arms]
    left, right = (case.images.get(answer[side]) for side in ("left", "right"))
    arms = sorted((arm for arm in (left, right) if arm is not None), key=order.index)
    tested, against = arms[-1], arms[0] if len(arms) > 1 else ""
    common = {
        **{"item": item.name, "case": case.name, "patient": case.patient, "group": case.group},
        **{"arm": tested, "against": against, "training": item.training, "repeat_of": item.repeat_of},
        "left_is_tested": np.nan if right is None else float(left == tested),
        **{name: answer[name] for name in ("seconds", "position", "comment")},
    }
    rows = []
    for question in definition.protocol.questions():
        level = np.nan
        if answer["values"] is not None:
            level = answer["values"][question.name]
            if question.name == "comparison":
                level = level_of(int(level), right == tested)
            elif question.name == "preference":
                level = float((right if level == 2 else left) == tested)
        rows.append({"question": question.name, "level": level, **common})
    return rows


def _is_right(record: dict[str, Any], key: StudyKey, definition: Definition) -> Any:
    """1, 0 or NaN; ... where there is nothing to know, as between two deblurred images."""
    case = key.case(definition.item(record["item"]).case)
    left = case.images[record["left"]]
    if record["right"] is None:
        truth = "original" if left == key.original else "processed"
    else:
        sides = {left: "right", case.images[record["right"]]: "left"}
        if key.original not in sides:
            return ...
        truth = sides[key.original]  # the side that the original is not on
    return np.nan if record["believed"] == "unsure" else float(record["believed"] == truth)
