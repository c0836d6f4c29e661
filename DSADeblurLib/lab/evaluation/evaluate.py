"""The evaluation itself: tune the classical methods, score all methods on frames, measure phantoms, collect."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from DSADeblurLib.lab.evaluation import model_processes as processes
from DSADeblurLib.lab.evaluation.extent import Plan
from DSADeblurLib.lab.evaluation.frames import Score, margins, rows, score_case
from DSADeblurLib.lab.evaluation.goals import targets_of
from DSADeblurLib.lab.evaluation.grid import NOISE_FREE, PAPER, Cell, draw_cases, draw_paper_case
from DSADeblurLib.lab.evaluation.methods import INPUT, Family, Tuned, tune, unchanged
from DSADeblurLib.lab.evaluation.phantom_tables import measure_phantoms
from DSADeblurLib.lab.evaluation.result import Choice, EvaluatedModel, Evaluation
from DSADeblurLib.lab.image_quality.quality import DATA_RANGE
from DSADeblurLib.lab.simulation.pairs import KINDS
from DSADeblurLib.lab.simulation.sets import NOISE, PAPER_DATA_RANGE

# Frames of the validation set that nothing else looks at: tuning on those shown would flatter the classical methods.
_TUNING_INDEX = 500
_MISLED_NOISE = ("paper-like", NOISE_FREE)
_PAPER = ("native", PAPER.name)


def evaluate(models: Iterable[str | Path], plan: Plan | None = None) -> Evaluation:
    """Measure models, tuned classical methods and the untouched input on the same simulated frames and phantoms.

    Args:
        models: names of bundled models or folders of packages, at least one; compared in the order given.
        plan: how much is measured.

    Returns:
        All figures; nothing is written.

    Raises:
        ModelError: a model cannot be loaded.
        ValueError: one sentence: no model, or no frames.
    """
    plan = plan or Plan()
    folders = [str(model) for model in models]
    if not folders or plan.frames < 1:
        raise ValueError("An evaluation needs at least one model and one frame.")
    processes.load_models(folders, sharpness=plan.sharpness, noise_reduction=plan.noise_reduction)
    loaded = processes.networks()
    with processes.workers(folders, plan.workers) as run:
        chosen = _tuned(plan, run)
        scores, misled = _scores(plan, chosen, run)
        paper = [score for part in run("body phantoms", _paper_tasks(plan, chosen)) for score in part]
        measured = measure_phantoms(plan, {noise: chosen["subtracted", noise] for noise in NOISE}, run)
    table = rows(scores)
    body = rows(paper)
    ahead = margins(scores, tuple(loaded), tuple(family.name for family in plan.families))
    led_astray = rows(misled)
    judged = table, body, ahead, measured["widths"], measured["still"], led_astray
    return Evaluation(
        models=tuple(
            EvaluatedModel(
                name, model.sha256, model.network.architecture.frames, model.card.parameters, s.engine, s.precision
            )
            for name, (model, s) in loaded.items()
        ),
        split=plan.split,
        frames=plan.frames,
        size=plan.size,
        sharpness=plan.sharpness,
        noise_reduction=plan.noise_reduction,
        data_range=DATA_RANGE,
        choices=tuple(Choice(*key, tuned) for key, part in chosen.items() for tuned in part),
        rows=table,
        paper=body,
        paper_data_range=PAPER_DATA_RANGE,
        margins=ahead,
        misled=led_astray,
        targets=tuple(target for name in loaded for target in targets_of(name, *judged)),
        **measured,
    )


def _tuned(plan: Plan, run: Callable) -> dict[tuple[str, str], tuple[Tuned, ...]]:
    """For each kind and noise level the best setting of every classical method."""
    conditions = [(kind, noise) for kind in KINDS for noise in NOISE] + [_PAPER]
    tasks = [partial(_tune, plan, kind, noise, family) for kind, noise in conditions for family in plan.families]
    count = len(plan.families)
    found = run("tune classical methods", tasks)
    return {key: tuple(found[i * count : (i + 1) * count]) for i, key in enumerate(conditions)}


def _tune(plan: Plan, kind: str, noise: str, family: Family) -> Tuned:
    trained = [blur for blur in plan.blurs if blur.trained]
    cases = []
    for i in range(plan.tuning_frames):
        if (kind, noise) == _PAPER:
            case = draw_paper_case("validation", _TUNING_INDEX + i, plan.tuning_size)
        else:
            blur = trained[i % len(trained)]
            case = draw_cases("validation", _TUNING_INDEX + i, kind, blur, (noise,), plan.tuning_size)[noise]
        cases.append((case.frames, case.truth, case.known))
    return tune(family, cases)


def _scores(plan: Plan, chosen: dict, run: Callable) -> tuple[list[Score], list[Score]]:
    """Scores of all methods, and of the modulated models without a header and with wrong ones."""
    tasks = [partial(_score, plan, index, kind, chosen) for index in range(plan.frames) for kind in KINDS]
    parts = run("frames", tasks)
    return tuple([score for part in parts for score in part[which]] for which in (0, 1))


def _score(plan: Plan, index: int, kind: str, chosen: dict) -> tuple[list[Score], list[Score]]:
    quietest = next(iter(NOISE))
    misled = processes.misled_methods()
    scores, astray = [], []
    for blur in plan.blurs:
        cases = draw_cases(plan.split, index, kind, blur, (*NOISE, NOISE_FREE), plan.size, processes.moments())
        for noise, case in cases.items():
            cell = Cell(kind, noise, blur)
            # There is nothing to tune to in frames without noise; the settings for least noise come next.
            methods = processes.methods(chosen[kind, quietest if noise == NOISE_FREE else noise])
            scores += score_case(cell, index, case, methods)
            if misled and blur.trained and noise in _MISLED_NOISE:
                astray += score_case(cell, index, case, {INPUT: unchanged, **misled})
    return scores, astray


def _paper_tasks(plan: Plan, chosen: dict) -> list[Callable]:
    return [partial(_score_paper, plan, index, chosen[_PAPER]) for index in range(plan.frames)]


def _score_paper(plan: Plan, index: int, tuned: tuple[Tuned, ...]) -> list[Score]:
    case = draw_paper_case(plan.split, index, plan.size, processes.moments())
    return score_case(Cell(*_PAPER, PAPER), index, case, processes.methods(tuned), PAPER_DATA_RANGE)
