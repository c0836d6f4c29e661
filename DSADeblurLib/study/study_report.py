"""The report of a study, page by page."""

from __future__ import annotations

import platform
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context

from DSADeblurLib.study.analysis import ALL, Analysis
from DSADeblurLib.study.methods_text import methods_paragraph, statistics_sentences
from DSADeblurLib.study.protocol import LEVELS
from DSADeblurLib.study.report_layout import Pages, interval, percent, probability
from DSADeblurLib.study.stacked_bars import COLOURS, draw_diverging_bars

_BAR = 0.3


def report_pages(analysis: Analysis) -> list:
    """The figures of the report, A4 each."""
    with rc_context({"text.parse_math": False}):  # names of groups may hold anything
        return _pages(analysis)


def _pages(analysis: Analysis) -> list:
    definition = analysis.definition
    pages = Pages(f"RESEARCH USE ONLY    {definition.title}    study {definition.study}")
    _first_page(pages, analysis)
    several_arms = len(analysis.key.arms) > 2
    for name, draw in _SECTIONS.items():
        if name in analysis.tables:
            draw(pages, analysis.tables[name], analysis, several_arms)
    _methods(pages, analysis)
    return pages.figures


def _first_page(pages: Pages, analysis: Analysis) -> None:
    definition, table = analysis.definition, analysis.ratings.table
    pages.heading(definition.title, 18)
    pages.paragraph("Blinded reader study. RESEARCH USE ONLY: not for diagnosis or treatment.", weight="bold")
    closed = f"closed {analysis.closed}" if analysis.closed else "NOT CLOSED, results are preliminary"
    arms = ", ".join(arm.name for arm in analysis.key.arms)
    pages.paragraph(f"Protocol {definition.protocol.kind}; arms: {arms}; {closed}.")
    for warning in analysis.warnings:
        pages.paragraph(f"! {warning}", color="#b2182b")
    if analysis.blinding.verdict not in analysis.warnings:
        pages.paragraph(analysis.blinding.verdict)
    _in_short(pages, analysis)
    pages.heading("Flow of cases")
    _flow_chart(pages.axes(2.2, left=0.1, right=0.1, below=0.1), analysis)
    flow = analysis.tables["flow"]
    titles = ["Reader", "Items", "Training", "Shown\nagain", "Answered", "Not\njudged", "Missing", "Answered\nanew"]
    columns = ["items", "training", "shown_again", "answered", "not_judged", "missing", "answered_again"]
    pages.table(titles, [[str(row["reader"]), *(str(row[one]) for one in columns)] for _, row in flow.iterrows()])
    if int(table["level"].isna().sum()):
        pages.paragraph("Items that could not be judged are left out of all statistics.")


def _in_short(pages: Pages, analysis: Analysis) -> None:
    """What a reader of the report wants first: all groups together, or the one there is."""
    pages.heading("In short")
    for _, row in _whole(analysis, "vgc").iterrows():
        if row["reader"] == ALL or analysis.ratings.counted["reader"].nunique() == 1:
            pages.paragraph(
                f"{row['question']}, {row['arm']} against {analysis.key.original}, all readers: area under the curve "
                f"{interval(row, 'area')}, 0.5 is no difference."
            )
    for _, row in _whole(analysis, "preferred").iterrows():
        pages.paragraph(
            f"{row['reader']} preferred {row['arm']} to {row['against']} in {interval(row, 'share', percents=True)} of "
            f"{row['runs']} runs."
        )
    levels = _whole(analysis, "levels")
    if levels.empty:
        return
    tests, harm = analysis.tables["tests"], analysis.tables["harm"]
    names = ["arm", "reader", "group"]
    joined = levels.merge(tests[[*names, "p_signed_rank"]], on=names)
    for _, row in joined.merge(harm[[*names, "upper"]], on=names).iterrows():
        equal = percent(row["level_3"] / row["runs"])
        better, worse = (interval(row, f"share_{name}", percents=True) for name in ("4_5", "1_2"))
        p = probability(row["p_signed_rank"])
        pages.paragraph(
            f"{row['reader']} found {row['arm']} better in {better}, equal in {equal} and worse in {worse} of "
            f"{row['runs']} runs. Signed-rank test: p {p if p.startswith('<') else '= ' + p}. Upper 95 % limit of "
            f"patients with a run judged worse: {100 * row['upper']:.0f} %."
        )


def _whole(analysis: Analysis, name: str) -> pd.DataFrame:
    """The rows of a table, if there is one, of all groups together, or of the one group there is."""
    table = analysis.tables.get(name, pd.DataFrame({"group": []}))
    return table[table["group"] == ALL] if (table["group"] == ALL).any() else table


def _flow_chart(axes, analysis: Analysis) -> None:
    cases, items = analysis.key.cases, analysis.definition.items
    training = {item.case for item in items if item.training}
    counted = [case for case in cases if case.name not in training]
    repeats = sum(item.repeat_of is not None for item in items)
    patients = len({case.patient for case in counted})
    by_group = pd.Series([case.group for case in counted]).value_counts(sort=False).sort_index()
    judged = analysis.ratings.counted
    shown = len({item.name for item in items if not item.training and item.repeat_of is None})
    boxes = [
        f"{len(cases)} runs of {len({case.patient for case in cases})} patients",
        f"{len(counted)} runs of {patients} patients: {', '.join(f'{group} {n}' for group, n in by_group.items())}",
        f"{shown} items for each reader, {repeats} of them shown twice",
        f"{judged['item'].nunique()} items judged by {judged['reader'].nunique()} readers, "
        f"{judged.groupby('reader')['item'].nunique().sum()} judgements in the statistics",
    ]
    axes.set(xlim=(0, 1), ylim=(-len(boxes) + 0.4, 0.6))
    axes.axis("off")
    style = {"boxstyle": "round,pad=0.5", "facecolor": "#eef3f8", "edgecolor": "0.4"}
    for number, text in enumerate(boxes):
        axes.text(0.4, -number, text, ha="center", va="center", fontsize=9, bbox=style)
        if number:
            arrow = {"arrowstyle": "-|>", "color": "0.3"}
            axes.annotate("", (0.4, -number + 0.27), (0.4, -number + 0.73), arrowprops=arrow)
    if training:
        axes.text(0.99, -0.5, f"{len(training)} for training,\nnot counted", ha="right", va="center", fontsize=8)


def _levels(pages: Pages, table: pd.DataFrame, _, several_arms: bool) -> None:
    for arm, part in table.groupby("arm"):
        of_arm = f", arm {arm}" if several_arms else ""
        shown, height = part.sort_values(["group", "reader"], key=_all_last), _BAR * len(part) + 0.2
        pages.heading(f"Levels of the deblurred run against the original{of_arm}", before=height + 1)
        names = [f"{row['group'][:20]}  {row['reader'][:12]} (n = {row['runs']})" for _, row in shown.iterrows()]
        axes = pages.axes(height)
        draw_diverging_bars(axes, shown, names)
        handles = [_patch(COLOURS[level]) for level in LEVELS]
        labels = [f"{level} {words}" for level, words in LEVELS.items()]
        legend = pages.axes(0.35, left=0, right=0, below=0.1)
        legend.axis("off")
        legend.legend(handles, labels, ncol=3, fontsize=7, loc="upper left", frameon=False)
        pages.paragraph(
            "Worse to the left, better to the right, level 3 across the middle; counts in the bars.", size=8
        )
        pages.heading(f"Shares of levels, and the paper's test{of_arm}")
        titles = ["Group", "Reader", "n", *(f"{level}" for level in LEVELS), "4-5", "5", "1-2", "U", "p", "p Holm"]
        rows = []
        for _, row in shown.iterrows():
            cells = [str(row[f"level_{level}"]) for level in LEVELS]
            shares = [percent(row[f"share_{name}"]) for name in ("4_5", "5", "1_2")]
            ps = [probability(row[one]) for one in ("p_mann_whitney", "p_mann_whitney_holm")]
            rows.append([row["group"], row["reader"], str(row["runs"]), *cells, *shares, f"{row['U']:g}", *ps])
        pages.table(titles, rows)
        pages.paragraph(
            "As the paper's Table 2. U: Mann-Whitney against n times the level 3. This test rejects too often, see the "
            "methods; the tests below are the ones to be relied on.",
            size=8,
        )


def _tests(pages: Pages, table: pd.DataFrame, analysis: Analysis, several_arms: bool) -> None:
    against = "the middle level" if analysis.definition.protocol.kind == "paired" else "the original"
    pages.heading(f"Tests against {against}")
    one_question = table["question"].nunique() == 1
    titles = ["Group", "Reader", "Patients", "Pseudomedian of differences", "p signed\nrank", "Holm", "p sign", "Holm"]
    for (question, arm), part in table.groupby(["question", "arm"]):
        if several_arms or not one_question:
            pages.paragraph(
                ", ".join(([] if one_question else [question]) + ([arm] if several_arms else [])), weight="bold"
            )
        rows = [
            [
                row["group"],
                row["reader"],
                str(row["patients"]),
                interval(row, "hodges_lehmann"),
                *(probability(row[one]) for one in ("p_signed_rank", "p_signed_rank_holm", "p_sign", "p_sign_holm")),
            ]
            for _, row in part.sort_values(["group", "reader"], key=_all_last).iterrows()
        ]
        pages.table(titles, rows)


def _harm(pages: Pages, table: pd.DataFrame, _, several_arms: bool) -> None:
    pages.heading("Harm: patients with a run judged worse (levels 1-2)")
    titles = [
        "Group",
        "Reader",
        *(["Arm"] if several_arms else []),
        "Patients",
        "Worse",
        "Share",
        "Upper limit",
        "Margin",
        "Excluded",
    ]
    rows = [
        [
            row["group"],
            row["reader"],
            *([row["arm"]] if several_arms else []),
            str(row["patients"]),
            str(row["harmed"]),
            percent(row["share"]),
            f"{100 * row['upper']:.1f} %",
            f"{100 * row['margin']:g} %",
            "yes" if row["excluded"] else "no",
        ]
        for _, row in table.sort_values(["group", "reader"], key=_all_last).iterrows()
    ]
    pages.table(titles, rows)


def _agreement(pages: Pages, table: pd.DataFrame, *_) -> None:
    pages.heading("Agreement between readers, and of readers with themselves")
    several = table["question"].nunique() > 1
    titles = ["Who", *(["Question"] if several else []), "Weights", "Items", "Same", "Weighted kappa", "Gwet's AC2"]
    rows = []
    for _, row in table.iterrows():
        who = str(row["who"]) if row["of"] == "readers" else f"{row['who']}, again"
        kappa, ac2 = interval(row, "kappa"), interval(row, "ac2")
        same = percent(float(row.get("same", np.nan)))
        question = [str(row["question"])[:30]] if several else []
        rows.append([who, *question, row["weights"], str(row["items"]), same, kappa, ac2])
    pages.table(titles, rows)


def _simple(title: str, columns: dict[str, str], value: str, name: str, p: str | None = None) -> Callable:
    """A section that is one table: names, a figure with its interval, perhaps p."""

    def draw(pages: Pages, table: pd.DataFrame, *_) -> None:
        pages.heading(title)
        ends = [] if p is None else [p, f"{p}_holm"]
        told = {one: words for one, words in columns.items() if one != "question" or table[one].nunique() > 1}
        rows = []
        order = [one for one in ("question", "arm", "against", "group", "reader") if one in columns]
        for _, row in table.sort_values(order, key=_all_last, kind="stable").iterrows():
            figure = interval(row, value, percents=value == "share")
            rows.append([*(str(row[one])[:40] for one in told), figure, *(probability(row[one]) for one in ends)])
        pages.table([*told.values(), name, *(["p sign", "Holm"] if p else [])], rows)

    return draw


def _blinding(pages: Pages, table: pd.DataFrame, analysis: Analysis, _) -> None:
    pages.heading("Blinding: what readers believed was processed")
    titles = ["Reader", "Right", "Wrong", "Unsure", "Share right", "p", "Bang's index"]
    rows = [
        [
            row["reader"],
            *(str(row[one]) for one in ("right", "wrong", "unsure")),
            interval(row, "share", percents=True),
            probability(row["p"]),
            f"{row['bang']:.2f}",
        ]
        for _, row in table.iterrows()
    ]
    pages.table(titles, rows)
    pages.paragraph(analysis.blinding.verdict)


def _time(pages: Pages, table: pd.DataFrame, analysis: Analysis, _) -> None:
    height = _BAR * len(table) + 0.3
    pages.heading("Time for each item", before=height + 1)
    items = analysis.ratings.table[~analysis.ratings.table["training"]].drop_duplicates(["reader", "item"])
    readers = list(table["reader"])
    axes = pages.axes(height)
    seconds = [items[items["reader"] == reader]["seconds"].to_numpy() for reader in readers]
    axes.boxplot(seconds, orientation="horizontal", whis=(5, 95), widths=0.6, showfliers=False)
    axes.set(yticks=range(1, len(readers) + 1), yticklabels=readers, xlim=(0, None))
    axes.set_xlabel("seconds (box: quartiles, whiskers: 5 % and 95 %)", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.invert_yaxis()
    rows = [
        [
            row["reader"],
            str(row["items"]),
            f"{row['median_s']:.1f} s ({row['lower_quartile_s']:.1f} to {row['upper_quartile_s']:.1f})",
            f"{row['hours']:.1f} h",
        ]
        for _, row in table.iterrows()
    ]
    pages.table(["Reader", "Items", "Median (quartiles)", "Together"], rows)


def _sides(pages: Pages, table: pd.DataFrame, *_) -> None:
    pages.heading("Sides: how often left was found better")
    rows = [
        [row["reader"], str(row["decided"]), str(row["left"]), interval(row, "share", percents=True)]
        for _, row in table.iterrows()
    ]
    pages.table(["Reader", "Decided", "Left", "Share of left"], rows)


_SECTIONS: dict[str, Callable[[Pages, pd.DataFrame, Analysis, bool], None]] = {
    "levels": _levels,
    "tests": _tests,
    "preferred": _simple(
        "Preference",
        {"group": "Group", "reader": "Reader", "arm": "Arm", "against": "Against"},
        "share",
        "Share",
        "p_sign",
    ),
    "vgc": _simple(
        "Visual grading characteristics: 0.5 is no difference",
        {"group": "Group", "reader": "Reader", "question": "Question", "arm": "Arm"},
        "area",
        "Area under the curve",
    ),
    "harm": _harm,
    "bradley_terry": _simple(
        "All arms on one scale (Bradley-Terry)", {"arm": "Arm", "against": "Against"}, "log_worth", "Log worth"
    ),
    "ordinal": _simple(
        "Ordinal regression: log odds ratio of a higher level",
        {"effect": "Effect", "question": "Question"},
        "log_odds_ratio",
        "Log odds ratio",
    ),
    "agreement": _agreement,
    "blinding": _blinding,
    "sides": _sides,
    "time": _time,
}


def _methods(pages: Pages, analysis: Analysis) -> None:
    pages.heading("Methods, to be adapted")
    pages.paragraph(methods_paragraph(analysis))
    for sentence in statistics_sentences(analysis):
        pages.paragraph(sentence, size=8)
    pages.heading("What was used")
    facts = study_facts(analysis)
    for name, value in facts.items():
        pages.paragraph(f"{name}: {value}", size=7.5)


def study_facts(analysis: Analysis) -> dict[str, Any]:
    """Seeds, hashes and versions."""
    import scipy
    import statsmodels

    from DSADeblurLib import __version__

    definition, key = analysis.definition, analysis.key
    facts = {
        "study": definition.study,
        "definition sha256": definition.sha256,
        "key sha256": key.sha256,
        "seed": definition.seed,
        "created by": f"DSADeblur {definition.software}",
        "analysed by": f"DSADeblur {__version__}, Python {platform.python_version()}, numpy {np.__version__}, scipy "
        f"{scipy.__version__}, pandas {pd.__version__}, statsmodels {statsmodels.__version__}",
    }
    defaults = key.arms[0].request
    for arm in key.arms:
        asked = ", ".join(
            f"{name} {value}"
            for name, value in arm.request.items()
            if name in ("sharpness", "noise_reduction") or value != defaults[name]
        )
        facts[f"arm {arm.name}"] = f"{asked}; model {arm.model}, sha256 {arm.model_sha256}"
    return facts


def _all_last(column: pd.Series) -> pd.Series:
    return column.map(lambda one: (one == ALL, str(one)))


def _patch(colour: str):
    from matplotlib.patches import Patch

    return Patch(color=colour)
