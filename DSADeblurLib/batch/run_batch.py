"""Do every run of a batch once, here or on a cluster."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from DSADeblurLib.batch.folder import HIDDEN, OutputFolder
from DSADeblurLib.batch.manifest import MANIFEST
from DSADeblurLib.batch.outcome import RESULTS, Job, Outcome
from DSADeblurLib.batch.process_run import full_disk_in_a_sentence, process_run
from DSADeblurLib.batch.session import batch_in
from DSADeblurLib.batch.step import DeblurStep, Step
from DSADeblurLib.request import DeblurRequest, RequestError
from DSADeblurLib.xa import find_inputs, may_be_dicom, not_followed, runs_of

if TYPE_CHECKING:
    from DSADeblurLib.restoration.package import Model


@dataclass(frozen=True)
class Batch:
    """How a batch is worked off.

    `resume` keeps the good results of an earlier call. `workers` is the number of processes on this computer;
    `scheduler` the address of a Dask cluster, which then does the work. `overwrite` lets results replace those of other
    inputs that have the same name. `verify` reads the inputs of an earlier call to the end, to see that they are the
    same. `one_by_one` takes each one-frame file for a run of its own, also where several of one series are one run.
    """

    resume: bool = False
    workers: int = 1
    scheduler: str | None = None
    overwrite: bool = False
    verify: bool = False
    one_by_one: bool = False


def deblur_files(
    inputs: Iterable[str | Path],
    folder: Path,
    model: Model,
    request: DeblurRequest,
    batch: Batch = Batch(),
    **callbacks,
) -> list[Outcome]:
    """Restore every run among `inputs` into `folder` with a model from `restoration.package.load_model`.

    The request is the same for all; the rest is as for `run_batch`.
    """
    step, grouped = DeblurStep.of(model, request), _one_run_each if batch.one_by_one else _runs_of
    return run_batch(inputs, folder, step, batch, wanted=may_be_dicom, grouped=grouped, **callbacks)


def _runs_of(files: Iterable[str]) -> list[tuple[str, ...]]:
    return [tuple(map(str, run)) for run in runs_of(map(Path, files))]


def _one_run_each(files: Iterable[str]) -> list[tuple[str, ...]]:
    return [(path,) for path in files]


def run_batch(
    inputs: Iterable[str | Path],
    folder: Path,
    step: Step,
    batch: Batch = Batch(),
    *,
    wanted: Callable[[str], bool] = lambda path: True,
    grouped: Callable[[Sequence[str]], list[tuple[str, ...]]] = _one_run_each,
    found: Callable[[int, list[str]], None] = lambda count, left_out: None,
    starting: Callable[[Path], Callable[[int, int], None] | None] = lambda path: None,
    finished: Callable[[Outcome, int, int], None] = lambda outcome, done, count: None,
    noticed: Callable[[str], None] = lambda sentence: None,
) -> list[Outcome]:
    """Do `step` with every run among `inputs`; one that fails does not stop the others.

    Args:
        inputs: files and folders, searched recursively.
        folder: gets one `<name>_deblurred.dcm` a run, under a name that nothing has yet unless it is that of the same
            input's own result, and manifest.json, which lists what earlier calls did too. Results of other settings are
            moved into a folder there. It is brought up to date
            after each run, or where that would take too much of the time, a little later. Other processes may work in
            the folder for the same settings, or have been killed there.
        step: what is done with each run.
        batch: how.
        wanted: whether a file is one to be done; others are left out, and nothing is noted of them.
        grouped: gives the files of each run, from those that are wanted.
        found: told how many runs there are to be done, and the paths of those left out.
        starting: told the first file of each run that is begun in this process; what it returns gets its progress.
        finished: told each outcome, with the number done and the count.
        noticed: told sentences about the folder, for instance what was moved aside.

    Returns:
        One outcome a run, in order, whoever did it; the manifest has the same. None where there is no file.

    Raises:
        RequestError: no input exists; then nothing is written. One of several that does not is a run that fails.
        OutputFull: the disk is full. No further run is begun, what is done stays done.
        ValueError: Dask is missing, its cluster is not usable, the folder is in use for something else, or its hidden
            folder is a link.
        OSError: the folder cannot be written.
    """
    inputs = list(inputs)
    files = _inputs(inputs, Path(folder))
    left_out = [path for path in files if not wanted(path)]
    unwanted = set(left_out)
    files = [path for path in files if path not in unwanted]
    runs = grouped(files)
    found(len(runs), left_out)
    if not runs:
        return []
    if others := not_followed(inputs):
        noticed(f"{len(others)} links to folders, pipes or devices were not followed: {others[0]} for instance.")
    once = set(itertools.chain.from_iterable(runs))
    if again := [path for path in files if path not in once]:
        noticed(f"{len(again)} files hold images that others hold too, and count once: {again[0]} for instance.")
    here = OutputFolder(folder)
    fingerprint = step.fingerprint()
    with contextlib.ExitStack() as stack:
        stack.enter_context(full_disk_in_a_sentence(here))
        # What can be wrong with a cluster is told before anything is written.
        work = stack.enter_context(_way_of_working(batch))
        jobs, manifest, notices = stack.enter_context(
            batch_in(here, runs, fingerprint, batch.resume, batch.overwrite, batch.verify)
        )
        for sentence in notices:
            noticed(sentence)
        outcomes = {job: outcome for job in jobs if (outcome := here.outcome(job, fingerprint)) is not None}
        waiting = [job for job in jobs if job not in outcomes]
        done = 0
        for outcome in outcomes.values():
            done += 1
            finished(outcome, done, len(jobs))
        results = stack.enter_context(contextlib.closing(work(waiting, here, step, fingerprint, starting=starting)))
        for job, outcome in results:
            outcomes[job] = outcome
            done += 1
            manifest.write_now_and_then()
            finished(outcome, done, len(jobs))
    return [outcomes[job] for job in jobs]


@contextlib.contextmanager
def _way_of_working(batch: Batch) -> Iterator[Callable[..., Generator[tuple[Job, Outcome], None, None]]]:
    """The function that works off a list of jobs and gives each with its outcome, as they are done."""
    if batch.scheduler is None and batch.workers == 1:
        yield _one_by_one
        return
    try:
        from DSADeblurLib.batch import cluster
    except ImportError as error:
        raise RequestError("Several workers need Dask; install it with 'pip install dsadeblur[cluster]'.") from error
    if batch.scheduler is None:
        yield lambda jobs, *common, starting: cluster.on_local_processes(batch.workers, jobs, *common)
        return
    with cluster.existing_cluster(batch.scheduler) as client:
        yield lambda jobs, *common, starting: cluster.on_cluster(client, jobs, *common)


def _one_by_one(
    jobs: list[Job], folder: OutputFolder, step: Step, fingerprint: dict, starting
) -> Generator[tuple[Job, Outcome], None, None]:
    elsewhere: list[Job] = []
    for wait in (False, True):
        for job in elsewhere if wait else jobs:
            outcome = process_run(job, folder, step, fingerprint, wait=wait, progress=starting(Path(job.input)))
            if outcome is None:
                elsewhere.append(job)  # another process is at it; if it dies, the run is ours
            else:
                yield job, outcome


def _inputs(inputs: Iterable[str | Path], folder: Path) -> list[str]:
    """The absolute paths of all files, but not of what this or an earlier call left: outputs may lie among inputs."""
    output = os.path.realpath(folder)

    def is_earlier_result(path: str) -> bool:
        parent, name = os.path.split(os.path.realpath(path))
        ours = name.startswith(MANIFEST) or name.endswith(RESULTS)
        return HIDDEN in parent.split(os.sep) or (ours and (parent + os.sep).startswith(os.path.join(output, "")))

    given = list(inputs)
    there = [path for path in given if os.path.exists(path)]
    missing = [path for path in given if not os.path.exists(path)] if there else []
    paths = dict.fromkeys(os.path.abspath(path) for path in (*find_inputs(there or given), *missing))
    return [path for path in paths if not is_earlier_result(path)]
