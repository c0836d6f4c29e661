"""Runs on the workers of a Dask cluster: one that exists, or one of processes on this computer.

Dask's messages can carry code. So the cluster on this computer speaks TLS with credentials of its own, on the loopback
interface only; of one that exists the user decides whom it trusts (`tls://` addresses, certificates in Dask's
configuration).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import platform
import signal
import threading
import time
from collections import Counter
from collections.abc import Generator, Iterator

import cryptography  # noqa: F401 - Dask makes credentials with it, and says too late that it is missing
import dask
import psutil
from dask.system import cpu_count
from distributed import CancelledError, Client, KilledWorker, LocalCluster, WorkerPlugin, as_completed, get_worker
from distributed.comm import get_address_host
from distributed.security import Security
from distributed.utils import silence_logging_cmgr

from DSADeblurLib.batch.folder import OutputFolder, OutputFull
from DSADeblurLib.batch.outcome import Job, Outcome
from DSADeblurLib.batch.process_run import process_run
from DSADeblurLib.batch.step import Step, in_a_sentence
from DSADeblurLib.options import RequestError

_CONNECT_SECONDS = 30
# A worker may be busy for hours; but one must be there.
_ALONE_SECONDS = 60
_LOOK_SECONDS = 0.5
# What a worker gives is small, so that what does not come for so long is lost with its worker, or it is late.
_ANSWER_SECONDS = 10
_CLOSE_SECONDS = 30
_ON_ONE_COMPUTER = {
    # What does not answer on the same computer for so long is dead.
    "distributed.comm.timeouts.connect": 10,
    # A process gets its next run when it is done with one, so that its death is not blamed on those in its queue.
    "distributed.scheduler.worker-saturation": 1.0,
    # How often the process of a run may die before it becomes a suspect.
    "distributed.scheduler.allowed-failures": 1,
    # Dask gives up for ever a process that takes longer to come back; a busy computer may take very long.
    "distributed.deploy.lost-worker-timeout": "1 day",
}
# Dask reports each worker that dies at length; what matters to the user is in the outcomes.
_NEVER = logging.CRITICAL + 1
# One run at a time in a process: a run uses all the threads that its process may use.
_turn = threading.Lock()


@contextlib.contextmanager
def existing_cluster(address: str) -> Iterator[Client]:
    """The client of the cluster whose scheduler has this address, once it has a worker.

    Raises:
        RequestError: it cannot be reached, or there is no worker, or none that can load DSADeblur.
    """
    with silence_logging_cmgr(_NEVER):
        try:
            client = Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
        except Exception as error:  # a wrong address fails in many ways
            raise RequestError(f"No Dask scheduler answers at {address}; start one with 'dask scheduler'.") from error
        with client:
            try:
                client.wait_for_workers(1, timeout=_CONNECT_SECONDS)
            except asyncio.TimeoutError as error:
                raise RequestError(
                    f"The Dask scheduler at {address} has no workers; start some with 'dask worker {address}'."
                ) from error
            try:
                client.run(cpu_count_here)
            except Exception as error:
                raise RequestError(
                    f"A worker of {address} cannot load DSADeblur ({error}); install the same version there."
                ) from error
            yield client


def on_local_processes(
    workers: int, jobs: list[Job], folder: OutputFolder, step: Step, fingerprint: dict
) -> Generator[tuple[Job, Outcome], None, None]:
    """As `on_cluster`, on so many processes of this computer, which end with it.

    Raises:
        ValueError: as there, or they cannot be started.
    """
    if not jobs:
        return
    with (
        silence_logging_cmgr(_NEVER),
        dask.config.set(_ON_ONE_COMPUTER),
        _processes(min(workers, len(jobs))) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        client.register_plugin(_InterruptsGoToTheClient())
        with contextlib.closing(on_cluster(client, jobs, folder, step, fingerprint)) as results:
            yield from results


@contextlib.contextmanager
def _processes(count: int) -> Iterator[LocalCluster]:
    try:
        cluster = LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            worker_dashboard_address="127.0.0.1:0",
            security=Security.temporary(),
            memory_limit=None,  # a process that Dask stops for its memory would wait for ever
            silence_logs=_NEVER,
        )
    except Exception as error:  # Dask's own, or what the process met
        raise RequestError(
            f"The processes cannot be started ({error.__cause__ or error}); use fewer --workers, or one alone."
        ) from error
    try:
        yield cluster
    finally:
        cluster.sync(_end_what_is_starting, cluster)
        with contextlib.suppress(asyncio.TimeoutError):  # what is left then ends with this process
            cluster.close(timeout=_CLOSE_SECONDS)


async def _end_what_is_starting(cluster: LocalCluster) -> None:
    """Dask ends a process that is starting only when it is up, and that may be never.

    A coroutine only so that it runs where Dask starts processes, and none comes or goes meanwhile.
    """
    known = () if cluster.scheduler is None else cluster.scheduler.workers
    for nanny in cluster.workers.values():
        pid = nanny.pid
        if pid is not None and nanny.worker_address not in known:
            nanny.close_gracefully()  # so that no other process takes its place
            with contextlib.suppress(psutil.NoSuchProcess):
                psutil.Process(pid).kill()


def on_cluster(
    client: Client, jobs: list[Job], folder: OutputFolder, step: Step, fingerprint: dict
) -> Generator[tuple[Job, Outcome], None, None]:
    """Do runs on the workers of a cluster, which see inputs and folder under the same paths; gives them as they end.

    A run whose worker dies is done by another one. Dask blames such a death on all runs that the worker was given; so
    one that is blamed too often is done once more, while no other is. Closing the generator takes back what is not
    begun.

    Raises:
        OutputFull: the disk is full.
        ValueError: the connection to the scheduler is lost, or there has been no worker for a minute.
    """
    cores = client.run(cpu_count_here, on_error="return")
    threads = _threads_by_host({address: count for address, count in cores.items() if isinstance(count, int)})
    common = dict(folder=str(folder.path), step=step, fingerprint=fingerprint, threads=threads)
    elsewhere: list[Job] = []
    suspects: list[Job] = []
    for wait in (False, True):
        for job, result in _results(client, elsewhere if wait else jobs, wait=wait, **common):
            if isinstance(result, KilledWorker):
                suspects.append(job)
            elif result is None:
                elsewhere.append(job)  # another process is at it; if it dies, the run is ours
            else:
                yield job, result if isinstance(result, Outcome) else _failed(folder, job, fingerprint, result)
    for suspect in suspects:
        for job, result in _results(client, [suspect], wait=True, **common):
            if result is None:  # it was waited for
                continue
            yield job, result if isinstance(result, Outcome) else _failed(folder, job, fingerprint, result)


def _results(client: Client, jobs: list[Job], **common) -> Iterator[tuple[Job, Outcome | Exception | None]]:
    job_of = dict(zip(client.map(_do_there, jobs, **common, pure=False), jobs, strict=True))
    done = as_completed(list(job_of), loop=client.loop)
    try:
        while job_of:
            _wait_for_one(client, done)
            future = next(done)
            try:
                result = future.result(timeout=_ANSWER_SECONDS)
            except OutputFull:
                raise
            except CancelledError as error:
                raise ValueError("The connection to the scheduler is lost; call again with --resume.") from error
            except Exception as error:
                if isinstance(error, asyncio.TimeoutError) and future.status != "error":
                    done.add(future)  # its worker died before it gave the result: it is done again
                    continue
                result = error
            yield job_of.pop(future), result
    finally:
        with contextlib.suppress(Exception):  # where the scheduler is gone there is nothing to take back
            client.cancel(list(job_of))


def _wait_for_one(client: Client, done: as_completed) -> None:
    """Wait until one is done, as long as that takes, unless all workers are gone and none comes."""
    seen = time.monotonic()
    while not done.has_ready():
        try:
            there = bool(client.nthreads())
        except OSError:
            there = True  # nobody knows; a scheduler that is gone is noticed by Dask, which cancels all
        if there:
            seen = time.monotonic()
        elif time.monotonic() - seen > _ALONE_SECONDS:
            raise ValueError(
                f"No worker has been there for {_ALONE_SECONDS} seconds (they may need more memory than there is); "
                "call again with --resume."
            )
        time.sleep(_LOOK_SECONDS)


def cpu_count_here() -> int:
    """Processor cores that a worker may use."""
    return cpu_count()


def _do_there(
    job: Job, folder: str, step: Step, fingerprint: dict, threads: dict[str, int], wait: bool
) -> Outcome | None:
    """In the worker. If it seemed dead and was not, another one may be at the same run: the claim decides."""
    if step.fingerprint() != fingerprint:
        raise ValueError(f"{platform.node()} has another version of DSADeblur; install the same there.")
    if not OutputFolder(folder).plan_file.exists():
        raise ValueError(f"{platform.node()} does not see {folder}; use a folder that all share by this path.")
    count = threads.get(get_address_host(get_worker().address), 1)
    with _turn:
        return process_run(job, OutputFolder(folder), step, fingerprint, wait=wait, threads=count)


def _threads_by_host(cores: dict[str, int]) -> dict[str, int]:
    """Threads for each worker's network by host, so that its workers together use its cores once."""
    workers = Counter(map(get_address_host, cores))
    return {
        get_address_host(address): max(1, count // workers[get_address_host(address)])
        for address, count in cores.items()
    }


def _failed(folder: OutputFolder, job: Job, fingerprint: dict, error: Exception) -> Outcome:
    """Record a run whose worker could not say itself what went wrong."""
    sentence = in_a_sentence(error)
    if isinstance(error, KilledWorker):
        sentence = "The process that worked on this run died, again and again; it may need more memory than there is."
    files = list(job.files) if len(job.files) > 1 else []
    outcome = Outcome(job.input, files=files, **fingerprint, error=sentence)
    with folder.claimed(job.key, wait=True):
        done = folder.outcome(job, fingerprint)
        if done is None:
            folder.keep(job.key, outcome)
    return done or outcome


class _InterruptsGoToTheClient(WorkerPlugin):
    """Ctrl+C in a terminal reaches every process; the client alone ends the others."""

    def setup(self, worker) -> None:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, signal.SIG_IGN)
