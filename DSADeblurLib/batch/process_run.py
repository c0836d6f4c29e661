"""One run of a batch: claimed, done once, its result and its record put in place together."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from DSADeblurLib.batch.folder import OutputFolder, OutputFull, is_disk_full
from DSADeblurLib.batch.outcome import Job, Outcome, input_identity
from DSADeblurLib.batch.step import Step
from DSADeblurLib.regular_file import sha256_of


def process_run(
    job: Job,
    folder: OutputFolder,
    step: Step,
    fingerprint: dict,
    *,
    wait: bool,
    progress: Callable[[int, int], None] | None = None,
    threads: int | None = None,
) -> Outcome | None:
    """Do one run unless it is done. Any number of processes may try at the same time.

    Returns:
        What became of it; None if another process is at it and `wait` is False.

    Raises:
        OutputFull: the disk is full.
    """
    with full_disk_in_a_sentence(folder), folder.claimed(job.key, wait) as ours:
        if not ours:
            return None
        outcome = folder.outcome(job, fingerprint)
        if outcome is not None:
            return outcome
        unfinished = folder.work(job.key) / folder.result(job.key).name
        identity = input_identity(job.files)  # where there is none, the step says what is wrong
        outcome = step(tuple(map(Path, job.files)), unfinished, progress, threads)
        outcome = replace(outcome, files=list(job.files) if len(job.files) > 1 else [], **identity)
        contents = sha256_of(*job.files) if outcome.succeeded else None
        if outcome.succeeded and input_identity(job.files) not in (identity, {}):
            outcome = replace(outcome, output=None, error="The file was replaced while it was read; call again.")
        if not outcome.succeeded:
            return folder.keep(job.key, outcome)
        outcome = replace(
            outcome,
            input_sha256=contents,
            output=str(folder.result(job.key)),
            output_bytes=unfinished.stat().st_size,
            output_sha256=sha256_of(unfinished),
        )
        try:
            return folder.keep(job.key, outcome, unfinished, job.may_replace(identity))
        except OSError as error:  # an older result may be open in a viewer, for instance
            if is_disk_full(error):
                raise
            taken = "there is another file of that name now; call again"
            why = taken if isinstance(error, FileExistsError) else error.strerror
            sentence = f"Cannot write {Path(error.filename2 or unfinished).name}: {why}."
            return folder.keep(
                job.key, replace(outcome, output=None, output_bytes=None, output_sha256=None, error=sentence)
            )


@contextlib.contextmanager
def full_disk_in_a_sentence(folder: OutputFolder) -> Iterator[None]:
    """Turn whatever a full disk makes inside the block into one OutputFull."""
    try:
        yield
    except OutputFull:
        raise
    except Exception as error:
        if not is_disk_full(error):
            raise
        raise OutputFull(f"The disk of {folder.path} is full; free some space and call again with --resume.") from error
