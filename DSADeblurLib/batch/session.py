"""Begin and end of a batch in its output folder: what is to be done, under which names, and what is done already."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import replace

from DSADeblurLib.batch.folder import OutputFolder, Plan, key_of
from DSADeblurLib.batch.manifest import Manifest, newest, read_manifest, set_foreign_manifest_aside
from DSADeblurLib.batch.other_settings import set_other_settings_aside
from DSADeblurLib.batch.outcome import INTERRUPTED, RESULTS, SUFFIX, Job, Outcome, folded, is_key, size_of

# Bytes of a name that leave room for what is appended to it; file systems allow 255.
_LONGEST = 200
ONLY_PICTURES = "The result was removed, and its pictures were not; call again."


@contextlib.contextmanager
def batch_in(
    folder: OutputFolder,
    runs: list[tuple[str, ...]],
    fingerprint: dict,
    resume: bool,
    overwrite: bool,
    verify: bool,
) -> Iterator[tuple[list[Job], Manifest, list[str]]]:
    """Take part in the folder's batch; gives this process's jobs in order, the manifest, and sentences for the user.

    `runs` are to be done, each of them the files of one.

    While another living process is at work there, the two share one batch: what either has done is done. Otherwise a
    new batch begins, which keeps good results of earlier ones for the same inputs if `resume` says so. Results of other
    settings are moved aside; what else earlier batches left stays, and stays in the manifest. At the end, however it
    comes, the manifest is written.

    With `verify` the whole of each input is compared with what an earlier result was made of, see
    `Outcome.of_what_lies_there`.

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
        in_use = folder.is_in_use()
        if plan is not None and plan.fingerprint != fingerprint and (in_use or folder.has_claims()):
            raise ValueError(
                "Another process works in the output folder with other settings; wait for it, or choose another folder."
            )
        notices: list[str] = []
        left = _left_by_earlier(folder, plan, recorded, {files[0] for files in runs})
        new = not in_use or plan is None
        if new:
            left, notices = set_other_settings_aside(folder, left, fingerprint)
            notices += _unknown_results(folder, left)
        own = _own_results(left, runs, verify)
        if new or plan is None:
            good = [one for one in own.values() if resume and one.succeeded]
            kept = {one.key: one for one in good if one.key is not None}
            plan = Plan(fingerprint, {}, [outcome for outcome in left if outcome.key not in kept])
            # What earlier batches left is safe in the plan before its records go.
            folder.write_plan(plan)
            _record_only(folder, kept, recorded)
        there = set(map(folded, os.listdir(folder.path)))
        jobs = _named(runs, plan, recorded, own, there, overwrite)
        ours = {job.input: job.key for job in jobs}
        folder.write_plan(replace(plan, runs=ours | {path: key for path, key in plan.runs.items() if path not in ours}))
        manifest.write()
        here = folder.enter()
    try:
        yield jobs, manifest, notices
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
    folder: OutputFolder, plan: Plan | None, recorded: dict[str, Outcome | None], inputs: set[str]
) -> list[Outcome]:
    """What the manifest says, and the plan and the records that it may not have yet, of what is still there.

    Results of `inputs` are read to the end, to see whether they are what was written.
    """
    outcomes = [*read_manifest(folder), *(plan.earlier if plan is not None else ()), *filter(None, recorded.values())]
    there = set(map(folded, os.listdir(folder.path)))
    left = []
    for outcome in newest(outcomes):
        if outcome.key is not None:
            result = folder.result(outcome.key)
            if folded(result.name) in there:
                # The folder may have been moved. A record that cannot be read may have told of something newer.
                damaged = outcome.key in recorded and recorded[outcome.key] is None
                if outcome.succeeded and not damaged:
                    same = outcome.output_bytes == size_of(result)
                    if not same or (outcome.input in inputs and not outcome.has_its_output(folder.path)):
                        continue  # that is another file, which somebody put there, or what is left of the result
                outcome = replace(outcome, output=str(result), error=INTERRUPTED if damaged else outcome.error)
            elif any(folded(f"{outcome.key}{suffix}") in there for suffix in RESULTS):
                outcome = replace(outcome, output=str(result), error=ONLY_PICTURES)
            elif outcome.succeeded:
                continue
            else:
                outcome = replace(outcome, output=None)
        elif outcome.succeeded:
            continue  # it names no result in this folder
        left.append(outcome)
    return left


def _unknown_results(folder: OutputFolder, left: list[Outcome]) -> list[str]:
    """A sentence where results lie in the folder that no manifest tells of."""
    known = {folded(f"{outcome.key}{SUFFIX}") for outcome in left if outcome.key is not None}
    unknown = [name for name in sorted(os.listdir(folder.path)) if name.endswith(SUFFIX) and folded(name) not in known]
    if not unknown:
        return []
    return [f"What {len(unknown)} of the results here were made of and how is unknown, of {unknown[0]} for instance."]


def _own_results(left: list[Outcome], runs: list[tuple[str, ...]], verify: bool) -> dict[str, Outcome]:
    """The results of just these runs by their first files: of the same paths, where the same files still lie."""
    wanted = set(runs)
    own = (one.of_what_lies_there(verify) for one in left if one.key and one.all_files in wanted)
    return {one.input: one for one in own if one is not None}


def _record_only(folder: OutputFolder, kept: dict[str, Outcome], recorded: dict[str, Outcome | None]) -> None:
    for key in recorded.keys() - kept.keys():
        folder.record(key).unlink(missing_ok=True)
    for key, outcome in kept.items():
        if outcome != recorded.get(key):
            folder.write(folder.record(key), vars(outcome))


def _named(
    runs: list[tuple[str, ...]],
    plan: Plan,
    recorded: dict[str, Outcome | None],
    own: dict[str, Outcome],
    there: set[str],
    overwrite: bool,
) -> list[Job]:
    """A name for each run: that of its own result, else one that nothing has, also where files are called the same.

    `overwrite` lets names be those of other inputs' results, but not within the batch.
    """
    taken = {
        folded(key) for key in (*plan.runs.values(), *(outcome.key for outcome in own.values())) if key is not None
    }
    if not overwrite:
        taken |= {name.removesuffix(suffix) for name in there for suffix in RESULTS if name.endswith(suffix)}
    numbers: dict[str, int] = {}
    jobs = []
    for files in runs:
        path = files[0]
        key, before = plan.runs.get(path), own.get(path)
        if key is not None and _was_replaced(files, recorded.get(key)):
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
            jobs.append(Job(files, key, True, tuple(before.identity().values())))
        else:
            jobs.append(Job(files, key, overwrite))
    return jobs


def _was_replaced(files: tuple[str, ...], done: Outcome | None) -> bool:
    """Whether the run has other files now than those that were done in this batch."""
    if done is None or done.input != files[0] or done.input_bytes is None:
        return False
    return done.all_files != files or not done.is_of_what_lies_there()
