"""Begin and end of a batch in its output folder: what is to be done, under which names, and what is done already."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from DSADeblurLib.batch.folder import OutputFolder, Plan, key_of
from DSADeblurLib.batch.manifest import Manifest, newest, read_manifest, set_foreign_manifest_aside
from DSADeblurLib.batch.outcome import INTERRUPTED, RESULTS, Job, Outcome, folded, is_key

# Bytes of a name that leave room for what is appended to it; file systems allow 255.
_LONGEST = 200


@contextlib.contextmanager
def batch_in(
    folder: OutputFolder, inputs: list[str], fingerprint: dict, resume: bool, overwrite: bool
) -> Iterator[tuple[list[Job], Manifest]]:
    """Take part in the folder's batch; gives this process's jobs in order, and the manifest.

    While another living process is at work there, the two share one batch: what either has done is done. Otherwise a
    new batch begins, which keeps good results of earlier ones for the same inputs if `resume` says so. What else
    earlier batches left stays, and stays in the manifest. At the end, however it comes, the manifest is written.

    Raises:
        ValueError: another process is at work in the folder and asks for something else, or links are in the way.
        OSError: the folder cannot be written.
    """
    manifest = Manifest(folder)
    with folder.changing():
        folder.sweep()
        set_foreign_manifest_aside(folder)
        plan = folder.plan()
        recorded = {key_of(entry): folder.recorded(key_of(entry)) for entry in folder.records()}
        there = set(map(folded, os.listdir(folder.path)))
        left = _left_by_earlier(folder, plan, recorded, there)
        own = _own_results(left, inputs)
        if not folder.is_in_use() or plan is None:
            good = [one for one in own.values() if resume and one.still_holds(folder.path, fingerprint)]
            kept = {one.key: one for one in good if one.key is not None}
            plan = Plan(fingerprint, {}, [outcome for outcome in left if outcome.key not in kept])
            # What earlier batches left is safe in the plan before its records go.
            folder.write_plan(plan)
            _record_only(folder, kept, recorded)
        elif plan.fingerprint != fingerprint:
            raise ValueError(
                "Another process works in the output folder with other settings; wait for it, or choose another folder."
            )
        jobs = _named(inputs, plan, recorded, own, there, overwrite)
        ours = {job.input: job.key for job in jobs}
        folder.write_plan(replace(plan, runs=ours | {path: key for path, key in plan.runs.items() if path not in ours}))
        manifest.write()
        here = folder.enter()
    try:
        yield jobs, manifest
    finally:
        with folder.changing():
            try:
                folder.sweep()
                manifest.write()
            except OSError:
                here.release()  # the records stay, so that the next call can write it
                raise
            folder.leave(here)


def _left_by_earlier(
    folder: OutputFolder, plan: Plan | None, recorded: dict[str, Outcome | None], there: set[str]
) -> list[Outcome]:
    """What the manifest says, and the plan and the records that it may not have yet, of what is still there.

    `there` are the names in the output folder, `folded`.
    """
    outcomes = [*read_manifest(folder), *(plan.earlier if plan is not None else ()), *filter(None, recorded.values())]
    left = []
    for outcome in newest(outcomes):
        if outcome.key is not None:
            result = folder.result(outcome.key)
            if folded(result.name) in there:
                # The folder may have been moved. A record that cannot be read may have told of something newer.
                damaged = outcome.key in recorded and recorded[outcome.key] is None
                if outcome.succeeded and not damaged and _size(result) != outcome.output_bytes:
                    continue  # that is another file, which somebody put there, or what is left of the result
                outcome = replace(outcome, output=str(result), error=INTERRUPTED if damaged else outcome.error)
            elif outcome.succeeded:
                continue
            else:
                outcome = replace(outcome, output=None)
        elif outcome.succeeded:
            continue  # it names no result in this folder
        left.append(outcome)
    return left


def _size(path: Path) -> int | None:
    try:
        return os.lstat(path).st_size
    except OSError:
        return None


def _own_results(left: list[Outcome], inputs: list[str]) -> dict[str, Outcome]:
    """The results of just these inputs: of the same paths, where the same files still lie."""
    wanted = set(inputs)
    return {one.input: one for one in left if one.key and one.input in wanted and one.is_of_what_lies_there()}


def _record_only(folder: OutputFolder, kept: dict[str, Outcome], recorded: dict[str, Outcome | None]) -> None:
    for key in recorded.keys() - kept.keys():
        folder.record(key).unlink(missing_ok=True)
    for key, outcome in kept.items():
        if outcome != recorded.get(key):
            folder.write(folder.record(key), vars(outcome))


def _named(
    inputs: list[str],
    plan: Plan,
    recorded: dict[str, Outcome | None],
    own: dict[str, Outcome],
    there: set[str],
    overwrite: bool,
) -> list[Job]:
    """A name for each input: that of its own result, else one that nothing has, also where files are called the same.

    `overwrite` lets names be those of other inputs' results, but not within the batch.
    """
    taken = {
        folded(key) for key in (*plan.runs.values(), *(outcome.key for outcome in own.values())) if key is not None
    }
    if not overwrite:
        taken |= {name.removesuffix(suffix) for name in there for suffix in RESULTS if name.endswith(suffix)}
    numbers: dict[str, int] = {}
    jobs = []
    for path in inputs:
        key, before = plan.runs.get(path), own.get(path)
        if key is not None and _was_replaced(path, recorded.get(key)):
            key = None
        if key is None and before is not None:
            key = before.key
        if key is None:
            name = os.fsdecode(os.fsencode(os.path.basename(path).removesuffix(".dcm"))[:_LONGEST])
            stem = key = name if is_key(name) else "run"
            while folded(key) in taken:
                # Counted on from the last one of this name, for thousands of files may have the same.
                numbers[stem] = numbers.get(stem, 1) + 1
                key = f"{stem}-{numbers[stem]}"
            taken.add(folded(key))
        if before is not None and key == before.key and not overwrite:
            jobs.append(Job(path, key, True, tuple(before.identity().values())))
        else:
            jobs.append(Job(path, key, overwrite))
    return jobs


def _was_replaced(path: str, done: Outcome | None) -> bool:
    """Whether another file lies at the path than the one that was done in this batch."""
    if done is None or done.input != path or done.input_bytes is None:
        return False
    return not done.is_of_what_lies_there()
