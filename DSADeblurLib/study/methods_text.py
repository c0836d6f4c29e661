"""The methods of a study in words: a paragraph to adapt, and how each figure is computed."""

from __future__ import annotations

from DSADeblurLib.study.analysis import Analysis

_SHOWN = {
    "paired": """Each original was compared with its deblurred counterpart, side by side, on five levels (1 worse with a
        negative influence on treatment, 2 worse, 3 equal, 4 better, 5 better and helpful for treatment). The side of
        the deblurred run was drawn for each case and reader; readers chose the better side and whether the difference
        matters for treatment, and levels were turned to the deblurred run afterwards.""",
    "2afc": """Of each two arms of a case the reader chose the better one (two-alternative forced choice); sides were
        drawn for each case and reader.""",
    "grading": """Each run was graded by itself on five steps of confidence that a criterion is fulfilled (absolute
        visual grading).""",
    "visibility": "The visibility of a marked vessel was graded in each run by itself on five steps.",
}
_STATISTICS = {
    "levels": """As in the paper, shares of levels 4-5, 5 and 1-2 are given for each reader and group with a
        Mann-Whitney U test against the middle level: the n levels are compared with n times the level 3, two-sided,
        normal approximation with corrections for ties and continuity (scipy.stats.mannwhitneyu). The second sample does
        not vary, so that this test rejects a true null hypothesis more often than 5 %; it is given for comparison
        only.""",
    "tests": """The tests to be relied on are Wilcoxon's signed-rank test against no difference (zeros left out, mean
        ranks, exact over all signs of patients) and the exact sign test, each adjusted by Holm over readers, groups,
        arms and questions, with the Hodges-Lehmann pseudomedian of patients' means and its 95 % interval. The rows of
        all groups together are a family of their own.""",
    "preferred": """Preference: share of cases in which an arm was preferred, its interval and the exact sign test,
        adjusted by Holm.""",
    "vgc": """Visual grading characteristics: area under the curve, 0.5 for no difference, bootstrap over patients.""",
    "harm": """Harm: patients of whom any run was judged worse (levels 1-2), with the exact one-sided 95 % limit
        (Clopper-Pearson). Harm is excluded where that limit lies below the margin set when the study was created. The
        rows of all readers count a patient whom any reader judged worse.""",
    "bradley_terry": """Several arms: Bradley-Terry model, log worth over the original; half a win is added to each side
        of each pair.""",
    "ordinal": """Ordinal regression: cumulative logit with fixed effects of arm, reader and group (statsmodels
        OrderedModel, which has no random effects); intervals by bootstrap over patients.""",
    "agreement": """Agreement between readers, and of a reader with himself on the items shown twice: Cohen's weighted
        kappa and Gwet's AC2, intervals by bootstrap over patients.""",
}


def methods_paragraph(analysis: Analysis) -> str:
    """What was done, to be adapted for a paper."""
    definition, key, counted = analysis.definition, analysis.key, analysis.ratings.counted
    arms = "; ".join(
        f"{arm.name} (model {arm.model}, sharpness {arm.request['sharpness']:g}, "
        f"noise reduction {arm.request['noise_reduction']:g})"
        for arm in key.arms[1:]
    )
    groups = ", ".join(f"{group} {part['patient'].nunique()}" for group, part in counted.groupby("group"))
    repeats = sum(item.repeat_of is not None for item in definition.items)
    training = len({item.case for item in definition.items if item.training})
    text = f"""{counted["reader"].nunique()} readers read {counted["case"].nunique()} runs of
        {counted["patient"].nunique()} patients ({groups}). Originals were compared with runs deblurred by DSADeblur
        {definition.software}: {arms}. {_SHOWN[definition.protocol.kind]} The order of cases was drawn for each reader
        (seed {definition.seed}); {repeats} items were shown twice, {training} cases for training did not count. Runs
        carried no identity and no mark of the arm; readers were not told which runs were processed, and were asked at
        the end of sessions what they believed. {analysis.blinding.verdict} Intervals are 95 %; those by bootstrap draw
        patients ({analysis.resamples} times)."""
    return _one_line(text)


def statistics_sentences(analysis: Analysis) -> list[str]:
    """How each table was computed, of those that there are."""
    return [_one_line(text) for name, text in _STATISTICS.items() if name in analysis.tables]


def _one_line(text: str) -> str:
    return " ".join(text.split())
