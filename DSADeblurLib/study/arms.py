"""The arms of a study: the original and each way of deblurring it, made by the one road that every result takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from DSADeblurLib.batch import Batch, DeblurStep, Outcome, run_batch
from DSADeblurLib.errors import DSADeblurError
from DSADeblurLib.request import DeblurRequest, RequestError
from DSADeblurLib.study.originals import Original
from DSADeblurLib.study.study_key import KeyArm

ORIGINAL = "original"


@dataclass(frozen=True)
class Arm:
    """A name, and what is asked for every run of it."""

    name: str
    request: DeblurRequest


def read_arms(texts: Sequence[str], common: DeblurRequest) -> list[Arm]:
    """The arms of a study: the original first, then those described, or one as the common request asks.

    Args:
        texts: such as `mild: sharpness=0.5 noise_reduction=0.2` or `quality: model=quality`.
        common: what is the same for all arms where they say nothing else.

    Raises:
        RequestError: one sentence, for a description that cannot be understood.
    """
    # The original goes the same way with both controls at 0, which leaves every pixel as it is.
    untouched = common.with_choices(sharpness=0.0, noise_reduction=0.0)
    arms = [Arm(ORIGINAL, untouched), *(_described(text, common) for text in texts)]
    if not texts:
        arms.append(Arm("deblurred", common))
    for number, arm in enumerate(arms):
        for other in arms[:number]:
            if arm.name == other.name:
                raise RequestError(f"Two arms are called {arm.name!r}.")
            if arm.request == other.request or (number and arm.request.restoration.changes_nothing):
                raise RequestError(f"The arms {other.name!r} and {arm.name!r} are the same.")
    return arms


def _described(text: str, common: DeblurRequest) -> Arm:
    name, colon, words = text.partition(":")
    if not colon or not name.strip() or not words.strip():
        raise RequestError(f"An arm is a name and choices such as 'mild: sharpness=0.5', not {text!r}.")
    options = {"model": dict(common.options())["model"], **dict(type(common.restoration).options())}
    values = {}
    for word in words.split():
        key, equals, value = word.partition("=")
        key = key.replace("-", "_")
        if not equals or key not in options or key == "frame_range":
            raise RequestError(f"Arm {name.strip()!r}: {word!r} is no choice such as sharpness=0.5 or model=quality.")
        values[key] = options[key].parsed(key, value)
    return Arm(name.strip(), common.with_choices(**values))


def make_arm(
    arm: Arm,
    originals: Sequence[Original],
    folder: Path,
    workers: int = 1,
    finished: Callable[[Outcome, int, int], None] = lambda outcome, done, count: None,
) -> tuple[KeyArm, list[Outcome]]:
    """Deblur every run of an arm into a folder of its own; what an earlier call did there stays.

    Returns:
        The arm with its model's hash, and one outcome a run, in order.

    Raises:
        DSADeblurError: one sentence, for the first run that failed.
    """
    from DSADeblurLib.restoration.package import load_model

    model = load_model(arm.request.model)
    step = replace(DeblurStep.of(model, arm.request), comparable=True)
    runs = [tuple(map(str, (path.absolute() for path in one.files))) for one in originals]
    batch = Batch(resume=folder.exists(), workers=workers)
    inputs = [path for run in runs for path in run]
    outcomes = run_batch(inputs, folder, step, batch, grouped=lambda files: runs, finished=finished)
    for outcome in outcomes:
        if not outcome.succeeded:
            raise DSADeblurError(f"{Path(outcome.input).name}: {outcome.error or outcome.skipped}")
    request = {**arm.request.as_dict(), "model": model.card.name}
    return KeyArm(arm.name, request, model.card.name, model.sha256), outcomes
