"""The evaluation itself: tune the classical methods, score all methods on frames, measure phantoms, collect."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict
from functools import partial
from pathlib import Path

import pandas as pd

from DSADeblurLib.lab.evaluation import model_processes as processes
from DSADeblurLib.lab.evaluation.extent import Plan
from DSADeblurLib.lab.evaluation.goals import targets_of
from DSADeblurLib.lab.evaluation.grid import NOISE_FREE, PAPER, draw_cases, draw_paper_case
from DSADeblurLib.lab.evaluation.methods import INPUT, Family, Tuned, tune, unchanged
from DSADeblurLib.lab.evaluation.phantom_tables import measure_phantoms
from DSADeblurLib.lab.evaluation.result import Evaluation, long_table
from DSADeblurLib.lab.evaluation.scores import margins, score_case, summaries
from DSADeblurLib.lab.simulation.pairs import KINDS
from DSADeblurLib.lab.simulation.sets import NOISE, PAPER_DATA_RANGE

# Frames of the validation set that nothing else looks at: tuning on those shown would flatter the classical methods.
_TUNING_INDEX = 500
_WRONG_HEADER_NOISE = ("paper-like", NOISE_FREE)
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
    processes.load_models(folders, **plan.controls)
    loaded = processes.networks()
    with processes.workers(folders, plan.workers) as run:
        chosen = _tuned(plan, run)
        scores = _scores(plan, chosen, run)
        phantoms = measure_phantoms(plan, {noise: chosen["subtracted", noise] for noise in NOISE}, run)
    ahead = margins(scores, loaded, [family.name for family in plan.families])
    figures = long_table([*summaries(scores), *ahead, *phantoms])
    described = tuple(
        {
            "name": name,
            "sha256": model.sha256,
            "frames_in": model.architecture.frames,
            "parameters": model.card.parameters,
            "engine": settings.engine,
            "precision": settings.precision,
        }
        for name, (model, settings) in loaded.items()
    )
    choices = tuple(
        {"kind": kind, "noise": noise, **asdict(tuned)} for (kind, noise), part in chosen.items() for tuned in part
    )
    targets = pd.DataFrame([target for name in loaded for target in targets_of(name, figures)])
    return Evaluation(plan, described, choices, figures, targets)


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
            cases.append(draw_paper_case("validation", _TUNING_INDEX + i, plan.tuning_size))
        else:
            blur = trained[i % len(trained)]
            found = draw_cases("validation", _TUNING_INDEX + i, kind, blur, (noise,), plan.tuning_size)
            cases.append(found[noise])
    return tune(family, cases)


def _scores(plan: Plan, chosen: dict, run: Callable) -> pd.DataFrame:
    """Scores of all methods, and of the modulated models without a header and with wrong ones."""
    indices = range(plan.frames)
    parts = run("frames", [partial(_score, plan, index, kind, chosen) for index in indices for kind in KINDS])
    parts += run("body phantoms", [partial(_score_paper, plan, index, chosen[_PAPER]) for index in indices])
    return pd.DataFrame([score for part in parts for score in part])


def _score(plan: Plan, index: int, kind: str, chosen: dict) -> list[dict]:
    quietest = next(iter(NOISE))
    wrong_header = processes.wrong_header_methods()
    scores = []
    for blur in plan.blurs:
        cases = draw_cases(plan.split, index, kind, blur, (*NOISE, NOISE_FREE), plan.size, processes.moments())
        for noise, case in cases.items():
            condition = dict(table="frames", kind=kind, noise=noise, condition=blur.name, index=index)
            # There is nothing to tune to in frames without noise; the settings for least noise come next.
            methods = processes.methods(chosen[kind, quietest if noise == NOISE_FREE else noise])
            scores += score_case(condition, case, methods)
            if wrong_header and blur.trained and noise in _WRONG_HEADER_NOISE:
                methods = {INPUT: unchanged, **wrong_header}
                scores += score_case({**condition, "table": "wrong header"}, case, methods)
    return scores


def _score_paper(plan: Plan, index: int, tuned: tuple[Tuned, ...]) -> list[dict]:
    case = draw_paper_case(plan.split, index, plan.size, processes.moments())
    condition = dict(table="paper", kind="native", noise=PAPER.name, condition=PAPER.name, index=index)
    return score_case(condition, case, processes.methods(tuned), PAPER_DATA_RANGE)
