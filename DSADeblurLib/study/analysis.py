"""The statistics of a study: every table of its report."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from DSADeblurLib.measurement.stenosis import Range
from DSADeblurLib.study.blinding import Blinding, blinding_of
from DSADeblurLib.study.clustered import bootstrapped, by_patient
from DSADeblurLib.study.definition import Definition
from DSADeblurLib.study.grading_curve import vgc_area
from DSADeblurLib.study.harm import harm_of
from DSADeblurLib.study.level_tests import exact_share, hodges_lehmann, paper_test, sign_test, signed_rank
from DSADeblurLib.study.ordinal_model import RESAMPLES, ordinal_effects
from DSADeblurLib.study.preferences import worths
from DSADeblurLib.study.protocol import MIDDLE
from DSADeblurLib.study.ratings import Ratings, read_ratings
from DSADeblurLib.study.reader_agreement import WEIGHTS, ac2, kappa
from DSADeblurLib.study.sample_size import holm
from DSADeblurLib.study.seal import check_study
from DSADeblurLib.study.study_key import StudyKey

ALL = "all"
_CATEGORIES = 5


@dataclass(frozen=True)
class Analysis:
    """All of an analysis.

    Attributes:
        definition, key: of the study.
        ratings: what it is of.
        tables: by name; what a protocol has no use for is not there.
        blinding: of all readers together.
        closed: when the study was closed; None while it is open.
        resamples: of patients, for intervals.
        warnings: sentences for whoever reads the results.
    """

    definition: Definition
    key: StudyKey
    ratings: Ratings
    tables: dict[str, pd.DataFrame]
    blinding: Blinding
    closed: str | None
    resamples: int
    warnings: tuple[str, ...]


def analyse(folder: Path, definition: Definition, key: StudyKey, key_path: Path, resamples: int = 2000) -> Analysis:
    """Analyse the answers of a study.

    Raises:
        ValueError: one sentence; there is no answer that counts.
        ChainBroken, OSError: see `answer_file.read_records`.
    """
    checked = check_study(folder, key_path)
    ratings = read_ratings(folder, definition, key)
    counted = ratings.counted
    if counted.empty:
        raise ValueError("There is no answer that counts yet.")
    kind = definition.protocol.kind
    tables = {"flow": _flow(ratings, definition), "agreement": _agreement(ratings, kind, resamples)}
    if kind == "paired":
        tables["levels"] = _levels(counted, resamples)
        tables["tests"] = _tests(counted.assign(difference=counted["level"] - MIDDLE))
        tables["harm"] = _harm(counted, definition.harm_margin)
    elif kind == "2afc":
        tables["preferred"] = _preferred(counted, resamples)
    else:
        tables["tests"] = _tests(_less_original(counted, key))
        tables["vgc"] = _vgc(counted, key, resamples)
    if definition.protocol.of_pairs and (kind == "2afc" or len(key.arms) > 2):
        tables["bradley_terry"] = _bradley_terry(counted, key, resamples)
    if kind != "2afc":
        original_first = counted.sort_values("arm", key=lambda arms: arms != key.original, kind="stable")
        tables["ordinal"] = _ordinal(original_first, min(RESAMPLES, resamples))
    blinding = blinding_of(ratings.beliefs["right"].to_numpy(dtype=float))
    tables["blinding"] = _blinding(ratings)
    tables["time"] = _time(ratings)
    tables["sides"] = _sides(counted)
    warnings = list(checked.problems)
    if checked.closed is None:
        warnings.append("The study is not closed: these results are preliminary.")
    missing = int(tables["flow"]["missing"].sum())
    if missing:
        warnings.append(f"{missing} items have no answer yet.")
    if blinding.right + blinding.wrong == 0 or "NOT BLIND" in blinding.verdict:
        warnings.append(blinding.verdict)
    tables = {name: table for name, table in tables.items() if not table.empty}
    return Analysis(definition, key, ratings, tables, blinding, checked.closed, resamples, tuple(warnings))


def _parts(table: pd.DataFrame, *columns: str) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    """Each combination of values of columns, in order, with its rows; groups also all together."""
    for values, rows in table.groupby(list(columns), sort=True):
        yield dict(zip(columns, values, strict=True)), rows


def _with_all(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of each group, and all of them again as the group `ALL`, where there are several."""
    return pd.concat([table, table.assign(group=ALL)]) if table["group"].nunique() > 1 else table


def _flow(ratings: Ratings, definition: Definition) -> pd.DataFrame:
    rows = []
    for reader, table in ratings.table.drop_duplicates(["reader", "item"]).groupby("reader"):
        unjudged = ratings.table[(ratings.table["reader"] == reader) & ratings.table["level"].isna()]["item"].nunique()
        rows.append(
            {
                "reader": reader,
                "items": len(definition.items),
                "training": int(table["training"].sum()),
                "shown_again": int(table["repeat_of"].notna().sum()),
                "answered": len(table),
                "not_judged": unjudged,
                "missing": len(definition.items) - len(table),
                "answered_again": ratings.changed[str(reader)],
                "lost_by_kill": ratings.healed[str(reader)],
            }
        )
    return pd.DataFrame(rows)


def _levels(counted: pd.DataFrame, resamples: int) -> pd.DataFrame:
    """The paper's table: how the levels are spread, and its test."""
    rows = []
    for names, part in _parts(_with_all(counted), "arm", "reader", "group"):
        levels, patients = part["level"].to_numpy(int), part["patient"].to_numpy()
        row = {**names, "runs": len(levels), "patients": len(np.unique(patients))}
        row |= {f"level_{level}": int((levels == level).sum()) for level in range(1, 6)}
        for name, chosen in (("4_5", levels >= 4), ("5", levels == 5), ("1_2", levels <= 2)):
            row |= _range(f"share_{name}", _share(chosen, patients, resamples))
        test = paper_test(levels)
        rows.append({**row, "U": test.statistic, "p_mann_whitney": test.p})
    return _adjusted(pd.DataFrame(rows), "p_mann_whitney")


def _share(chosen: np.ndarray, patients: np.ndarray, resamples: int) -> Range:
    """A share of runs; exact where each is of another patient, else by the bootstrap over patients.

    Of none or all of them nothing can be resampled: then the exact interval is that of so many patients.
    """
    everyone = len(np.unique(patients))
    if everyone == len(patients) or chosen.all() or not chosen.any():
        return exact_share(round(everyone * chosen.mean()), everyone)
    counts = by_patient(patients, np.stack([chosen, np.ones_like(chosen)], axis=1).astype(float))
    return bootstrapped(counts, lambda sums: sums[:, 0] / sums[:, 1], resamples)


def _tests(table: pd.DataFrame) -> pd.DataFrame:
    """The better tests, of the column `difference`."""
    rows = []
    for names, part in _parts(_with_all(table), "question", "arm", "reader", "group"):
        differences, patients = part["difference"].to_numpy(float), part["patient"].to_numpy()
        ranks, signs = signed_rank(differences, patients), sign_test(differences, patients)
        of_patients = part.groupby("patient")["difference"].mean().to_numpy()
        rows.append(
            {
                **names,
                "runs": len(differences),
                "patients": len(of_patients),
                **_range("hodges_lehmann", hodges_lehmann(of_patients)),
                "W": ranks.statistic,
                "p_signed_rank": ranks.p,
                "better": int(signs.statistic),
                "p_sign": signs.p,
            }
        )
    return _adjusted(_adjusted(pd.DataFrame(rows), "p_signed_rank"), "p_sign")


def _adjusted(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """Holm's p over readers, groups, arms and questions; all groups together are a family of their own."""
    if table.empty:
        return table
    together = (table["group"] == ALL).to_numpy()
    adjusted = np.full(len(table), np.nan)
    for family in (together, ~together):
        if family.any():
            adjusted[family] = holm(table[column].to_numpy()[family][None])[0]
    return table.assign(**{f"{column}_holm": adjusted})


def _less_original(counted: pd.DataFrame, key: StudyKey) -> pd.DataFrame:
    """The grade of each other arm less that of the original, of the same case by the same reader."""
    same = ["reader", "case", "question"]
    original = counted[counted["arm"] == key.original][[*same, "level"]]
    both = counted[counted["arm"] != key.original].merge(original, on=same, suffixes=("", "_original"))
    return both.assign(difference=both["level"] - both["level_original"])


def _harm(counted: pd.DataFrame, margin: float) -> pd.DataFrame:
    rows = []
    everyone = _with_all(counted)
    several = counted["reader"].nunique() > 1
    for names, part in _parts(
        pd.concat([everyone, everyone.assign(reader=ALL)]) if several else everyone, "arm", "reader", "group"
    ):
        harm = harm_of(part["level"].to_numpy(), part["patient"].to_numpy())
        rows.append({**names, **harm._asdict(), "margin": margin, "excluded": harm.upper < margin})
    return pd.DataFrame(rows)


def _agreement(ratings: Ratings, kind: str, resamples: int) -> pd.DataFrame:
    table = ratings.table[~ratings.table["training"] & ratings.table["level"].notna()]
    if kind == "2afc":  # no or yes are the categories 1 and 2
        table = table.assign(level=table["level"] + 1)
    categories = 2 if kind == "2afc" else _CATEGORIES
    rows = []
    for question, asked in table.groupby("question"):
        first_time = asked[asked["repeat_of"].isna()]
        wide = first_time.pivot(index=["patient", "item"], columns="reader", values="level")
        pairs = [(f"{one} and {other}", wide[[one, other]]) for one, other in combinations(wide.columns, 2)]
        if len(wide.columns) > 2:
            pairs.append((ALL, wide))
        for name, both in pairs:
            rows += _agreeing({"question": question, "of": "readers", "who": name}, both, categories, resamples)
        again = asked[asked["repeat_of"].notna()]
        for reader, repeats in again.groupby("reader"):
            once = first_time[first_time["reader"] == reader].set_index("item")["level"]
            both = pd.DataFrame({"first": once.reindex(repeats["repeat_of"]).to_numpy(), "again": repeats["level"]})
            both.index = pd.MultiIndex.from_arrays([repeats["patient"], repeats["item"]], names=["patient", "item"])
            rows += _agreeing({"question": question, "of": "itself", "who": reader}, both, categories, resamples)
    return pd.DataFrame(rows)


def _agreeing(names: dict[str, Any], both: pd.DataFrame, categories: int, resamples: int) -> list[dict[str, Any]]:
    rows = []
    for weighting in WEIGHTS if categories > 2 else ("linear",):
        whole = both.dropna()
        row = {**names, "weights": weighting, "items": len(whole)}
        if both.shape[1] == 2 and len(whole):
            one, other = (whole.iloc[:, number].to_numpy(int) for number in (0, 1))
            patients = whole.index.get_level_values("patient").to_numpy()
            row["same"] = float((one == other).mean())
            row |= _range("kappa", kappa(one, other, patients, categories, weighting, resamples))
        patients = both.index.get_level_values("patient").to_numpy()
        rows.append({**row, **_range("ac2", ac2(both.to_numpy(float), patients, categories, weighting, resamples))})
    return rows


def _vgc(counted: pd.DataFrame, key: StudyKey, resamples: int) -> pd.DataFrame:
    rows = []
    everyone = pd.concat([counted, counted.assign(reader=ALL)]) if counted["reader"].nunique() > 1 else counted
    for arm in [one.name for one in key.arms[1:]]:
        two = everyone[everyone["arm"].isin([key.original, arm])]
        for names, part in _parts(_with_all(two), "question", "reader", "group"):
            grades, patients = part["level"].to_numpy(int), part["patient"].to_numpy()
            area = vgc_area(grades, (part["arm"] == arm).to_numpy(), patients, _CATEGORIES, resamples)
            rows.append({"arm": arm, **names, "images": len(part), **_range("area", area)})
    return pd.DataFrame(rows)


def _preferred(counted: pd.DataFrame, resamples: int) -> pd.DataFrame:
    rows = []
    for names, part in _parts(_with_all(counted), "arm", "against", "reader", "group"):
        preferred, patients = part["level"].to_numpy(), part["patient"].to_numpy()
        test = sign_test(2 * preferred - 1, patients)
        share = _range("share", _share(preferred == 1, patients, resamples))
        rows.append({**names, "runs": len(part), "preferred": int(preferred.sum()), **share, "p_sign": test.p})
    return _adjusted(pd.DataFrame(rows), "p_sign")


def _bradley_terry(counted: pd.DataFrame, key: StudyKey, resamples: int) -> pd.DataFrame:
    level = counted["level"].to_numpy()
    middle = 0.5 if level.max() <= 1 else MIDDLE
    preferred = np.where(level > middle, 1.0, np.where(level < middle, 0.0, 0.5))
    columns = [counted[name].to_numpy() for name in ("arm", "against")]
    arms = [arm.name for arm in key.arms]
    found = worths(arms, columns[0], columns[1], preferred, counted["patient"].to_numpy(), resamples)
    rows = [{"arm": arm, "against": key.original, **_range("log_worth", one)} for arm, one in found.items()]
    return pd.DataFrame(rows)


def _ordinal(counted: pd.DataFrame, resamples: int) -> pd.DataFrame:
    rows = []
    for question, part in counted.groupby("question"):
        for effect, one in ordinal_effects(part, resamples).items():
            rows.append({"question": question, "effect": effect, **_range("log_odds_ratio", one)})
    return pd.DataFrame(rows)


def _blinding(ratings: Ratings) -> pd.DataFrame:
    beliefs = ratings.beliefs
    parts = [(reader, part) for reader, part in beliefs.groupby("reader")] + [(ALL, beliefs)]
    rows = []
    for reader, part in parts if len(beliefs) else ():
        found = blinding_of(part["right"].to_numpy(dtype=float))
        counts = {name: getattr(found, name) for name in ("right", "wrong", "unsure")}
        rows.append({"reader": reader, **counts, **_range("share", found.share), "p": found.p, "bang": found.bang})
    return pd.DataFrame(rows)


def _time(ratings: Ratings) -> pd.DataFrame:
    items = ratings.table[~ratings.table["training"]].drop_duplicates(["reader", "item"])
    rows = []
    for reader, seconds in items.groupby("reader")["seconds"]:
        low, middle, high = np.percentile(seconds, (25, 50, 75))
        times = {"median_s": middle, "lower_quartile_s": low, "upper_quartile_s": high, "hours": seconds.sum() / 3600}
        rows.append({"reader": reader, "items": len(seconds), **times})
    return pd.DataFrame(rows)


def _sides(counted: pd.DataFrame) -> pd.DataFrame:
    """How often the left side was found better, whatever was there: a reader who likes a side is told."""
    rows = []
    for reader, part in counted[counted["left_is_tested"].notna()].groupby("reader"):
        level, left = part["level"].to_numpy(), part["left_is_tested"].to_numpy() == 1
        middle = 0.5 if level.max() <= 1 else MIDDLE
        decided = level != middle
        chosen = int(((level > middle) == left)[decided].sum())
        share = exact_share(chosen, int(decided.sum()))
        rows.append({"reader": reader, "decided": int(decided.sum()), "left": chosen, **_range("share", share)})
    return pd.DataFrame(rows)


def _range(name: str, one: Range) -> dict[str, float]:
    return {name: one.value, f"{name}_low": one.low, f"{name}_high": one.high}
