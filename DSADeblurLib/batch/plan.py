"""Begin and end of a batch in its output folder: what is to be done, under which names, and what is done already."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace

from DSADeblurLib.batch.folder import OutputFolder, Plan, is_key, key_of, read_json
from DSADeblurLib.batch.manifest import Manifest, read_manifest
from DSADeblurLib.batch.outcome import SUFFIX, Job, Outcome

# Bytes of a name that leave room for what is appended to it; file systems allow 255.
_LONGEST = 200


@contextlib.contextmanager
def batch_in(
    folder: OutputFolder, inputs: Iterable[str], asked: dict, resume: bool
) -> Iterator[tuple[list[Job], Manifest]]:
    """Take part in the folder's batch; gives this process's jobs in order, and the manifest.

    While another living process is at work there, the two share one batch: what either has done is done. Otherwise a
    new batch begins, which keeps good results of an earlier one if `resume` says so, and else none. At the end, however
    it comes, the manifest is written.

    Raises:
        ValueError: another process is at work in the folder and asks for something else.
        OSError: the folder cannot be written.
    """
    manifest = Manifest(folder)
    with folder.changing():
        folder.sweep()
        plan = folder.plan()
        if not folder.is_in_use() or plan is None:
            kept = _keep_good_results(folder, asked, resume)
            plan = Plan(asked, {outcome.input: key for key, outcome in kept.items()})
        elif plan.asked != asked:
            raise ValueError(
                "Another process works in the output folder with other settings; wait for it, or choose another folder."
            )
        jobs = _named(inputs, plan.runs)
        ours = {job.input: job.key for job in jobs}
        others = {path: key for path, key in plan.runs.items() if path not in ours}
        folder.write(folder.plan_file, vars(Plan(asked, {**ours, **others})))
        manifest.write()
        here = folder.enter()
    try:
        yield jobs, manifest
    finally:
        with folder.changing():
            try:
                manifest.write()
            except OSError:
                here.release()  # the records stay, so that the next call can write it
                raise
            folder.leave(here)


def _keep_good_results(folder: OutputFolder, asked: dict, resume: bool) -> dict[str, Outcome]:
    """Leave the records of what needs not be done again, and give them by key.

    Such are the good results of the manifest and of the records that it does not have yet, for the same settings.
    """
    recorded = {key_of(entry): Outcome.from_dict(read_json(folder.record(key_of(entry)))) for entry in folder.records()}
    kept = {}
    if resume:
        listed = {_key(outcome): outcome for outcome in read_manifest(folder)}
        for key, outcome in {**listed, **recorded}.items():
            if outcome is not None and is_key(key) and outcome.still_holds(folder.path, asked):
                kept[key] = replace(outcome, output=str(folder.result(key)))  # the folder may have been moved
    for key in recorded.keys() - kept.keys():
        folder.record(key).unlink(missing_ok=True)
    for key, outcome in kept.items():
        if outcome != recorded.get(key):
            folder.write(folder.record(key), vars(outcome))
    return kept


def _key(outcome: Outcome) -> str:
    return os.path.basename(str(outcome.output)).removesuffix(SUFFIX)


def _named(inputs: Iterable[str], known: dict[str, str]) -> list[Job]:
    """A name of its own for each input, also where files of several folders are called the same."""
    taken = {key.casefold() for key in known.values()}
    numbers: dict[str, int] = {}
    jobs = []
    for path in inputs:
        key = known.get(path)
        if key is None:
            name = os.fsdecode(os.fsencode(os.path.basename(path).removesuffix(".dcm"))[:_LONGEST])
            stem = key = name if is_key(name) else "run"
            while key.casefold() in taken:
                # Counted on from the last one of this name, for thousands of files may have the same.
                numbers[stem] = numbers.get(stem, 1) + 1
                key = f"{stem}-{numbers[stem]}"
            taken.add(key.casefold())
        jobs.append(Job(path, key))
    return jobs
