"""Batches on Dask: a real scheduler and real worker processes on loopback, some of which are killed."""

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from batchprocesses import PATHS, WITH_THIS_PROCESS, end, manifest_of, start
from batchsteps import PATIENCE, Backwards, check_all_done, notes, processes_begun, times_done, until

from DSADeblurLib.batch import HIDDEN, MANIFEST, Batch, OutputFull, run_batch

pytestmark = pytest.mark.slow

pytest.importorskip("distributed", reason="Dask is not installed")
pytest.importorskip("cryptography", reason="cryptography is not installed")


@pytest.fixture
def dask(tmp_path):
    """Starts a part of a Dask cluster, `scheduler` or `worker`, and gives its process when the scheduler knows it."""
    processes = []

    def run(part: str, *words, paths: str = PATHS) -> subprocess.Popen:
        environment, path = {**os.environ, "PYTHONPATH": paths}, tmp_path / f"{part}.log"
        command = [*WITH_THIS_PROCESS, "dask", part, *words, "--no-dashboard", "--host", "127.0.0.1"]
        with open(path, "a") as log:
            before = path.read_text().count("Registered to:")
            processes.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=tmp_path))
        until(lambda: part == "scheduler" or path.read_text().count("Registered to:") > before)
        return processes[-1]

    yield run
    for process in reversed(processes):
        process.kill()
        process.wait()


@pytest.fixture
def scheduler(dask, tmp_path):
    """The address of a scheduler without workers."""
    file = tmp_path / "scheduler.json"
    dask("scheduler", "--port", "0", "--scheduler-file", str(file))

    def written():
        try:
            return json.loads(file.read_text())["address"]
        except (OSError, ValueError):
            return None

    until(written)
    return written()


def add_worker(dask, scheduler) -> subprocess.Popen:
    return dask("worker", scheduler, "--nthreads", "1", "--no-nanny")


def start_impatient(seconds: float, *words, **environment) -> subprocess.Popen:
    """As `start`; the process ends when no worker has been there for so long."""
    code = (
        "import sys, batchsteps; from DSADeblurLib.batch import cluster\n"
        f"cluster._ALONE_SECONDS = cluster._ANSWER_SECONDS = {seconds}\n"
        "sys.exit(batchsteps.main())"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, words)],
        env={**os.environ, "PYTHONPATH": PATHS, **environment},
        stderr=subprocess.PIPE,
        text=True,
    )


def check_ended_alone(client: subprocess.Popen) -> None:
    """The call said what was wrong, at last and in one line."""
    last = end(client, 1).splitlines()[-1]
    assert last.startswith("ValueError: No worker has been there for ") and last.endswith("; call again with --resume.")


def test_existing_cluster_loses_a_worker_midway(tmp_path, inputs, dask, scheduler):
    """Every run is done exactly once in the output, and the manifest is whole."""
    source, out, log, gate = inputs(30), tmp_path / "out", tmp_path / "log", tmp_path / "gate"
    workers = [add_worker(dask, scheduler) for _ in range(2)]
    client = start(source, out, log, f"scheduler={scheduler}", "together=2", f"gate={gate}")
    until(lambda: len(processes_begun(log)) == 2)
    victim, other = workers
    victim.kill()  # in the middle of a run
    victim.wait()
    (cut,) = {note["run"] for note in notes(log, "begin") if note["pid"] == victim.pid}
    gate.touch()
    end(client)
    assert set(times_done(log).values()) == {1} and len(times_done(log)) == 30
    assert {note["pid"] for note in notes(log, "end")} == {other.pid}
    assert [note["pid"] for note in notes(log, "begin") if note["run"] == cut] == [victim.pid, other.pid]
    check_all_done(out, source)


def test_existing_cluster_loses_its_last_worker(tmp_path, inputs, dask, scheduler):
    """As long as it is there it is waited for, however long it takes."""
    source, out, log, gate = inputs(4), tmp_path / "out", tmp_path / "log", tmp_path / "gate"
    (source / "0002" / "run.dcm").write_bytes(b"die")
    add_worker(dask, scheduler)
    client = start_impatient(0.2, source, out, log, f"scheduler={scheduler}", f"gate={gate}")
    until(lambda: notes(log, "begin"))
    with pytest.raises(subprocess.TimeoutExpired):
        client.wait(1)
    gate.touch()
    check_ended_alone(client)
    manifest = manifest_of(out)
    assert {Path(entry["input"]).parent.name for entry in manifest["runs"]} == {"0000", "0001"}
    assert manifest["waiting"] == 2


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signal that stops a process for a while")
def test_last_worker_dies_before_it_gives_its_results(tmp_path, inputs, dask, scheduler):
    """Its runs are done all the same."""
    source, out, log, gate = inputs(2), tmp_path / "out", tmp_path / "log", tmp_path / "gate"
    worker = add_worker(dask, scheduler)
    client = start_impatient(0.2, source, out, log, f"scheduler={scheduler}", f"gate={gate}")
    until(lambda: notes(log, "begin"))
    client.send_signal(signal.SIGSTOP)
    gate.touch()
    # A record says first that its result is on the way, and at last that there is no error.
    until(lambda: sum('"error": null' in path.read_text() for path in (out / HIDDEN / "runs").glob("*.json")) == 2)
    worker.kill()
    worker.wait()
    client.send_signal(signal.SIGCONT)
    check_ended_alone(client)
    check_all_done(out, source)


def test_client_killed_and_resumed_on_the_cluster(tmp_path, inputs, dask, scheduler):
    """Its workers end what they have in hand, and that counts."""
    source, out, log, gate = inputs(12), tmp_path / "out", tmp_path / "log", tmp_path / "gate"
    add_worker(dask, scheduler)
    client = start(source, out, log, f"scheduler={scheduler}", f"gate={gate}")
    until(lambda: notes(log, "begin"))
    client.kill()
    client.communicate(timeout=PATIENCE)
    assert manifest_of(out)["waiting"] == 12 and len(list((out / HIDDEN / "work").iterdir())) == 1
    again = start(source, out, log, "resume")
    until(lambda: len(times_done(log)) == 11)  # all but the one that the worker still has
    gate.touch()
    end(again)
    assert set(times_done(log).values()) == {1} and len(times_done(log)) == 12
    check_all_done(out, source)


def test_scheduler_that_is_not_there_or_has_no_workers(tmp_path, inputs, scheduler, monkeypatch):
    from DSADeblurLib.batch import cluster

    monkeypatch.setattr(cluster, "_CONNECT_SECONDS", 1)
    source, step = inputs(2), Backwards(str(tmp_path / "log"))
    for address, sentence in (
        ("tcp://127.0.0.1:1", "No Dask scheduler answers at tcp://127.0.0.1:1; start one with 'dask scheduler'."),
        ("nonsense://", "No Dask scheduler answers at nonsense://; start one"),
        (scheduler, f"The Dask scheduler at {scheduler} has no workers; start some with 'dask worker {scheduler}'."),
    ):
        with pytest.raises(ValueError) as told:
            run_batch([source], tmp_path / "out", step, Batch(scheduler=address))
        assert str(told.value).startswith(sentence)
    assert not (tmp_path / "out").exists()


def test_worker_without_the_library(tmp_path, inputs, dask, scheduler):
    """One that finds something else under its name."""
    (tmp_path / "old" / "DSADeblurLib").mkdir(parents=True)
    (tmp_path / "old" / "DSADeblurLib" / "__init__.py").touch()
    dask("worker", scheduler, "--nthreads", "1", "--no-nanny", paths=str(tmp_path / "old"))
    with pytest.raises(ValueError, match="cannot load DSADeblur .*; install the same version there"):
        run_batch([inputs(2)], tmp_path / "out", Backwards(str(tmp_path / "log")), Batch(scheduler=scheduler))
    assert not (tmp_path / "out").exists()


def test_scheduler_that_dies(tmp_path, inputs, dask):
    source, out, log = inputs(6), tmp_path / "out", tmp_path / "log"
    file = tmp_path / "mortal.json"
    process = dask("scheduler", "--port", "0", "--scheduler-file", str(file))
    until(lambda: file.exists() and file.read_text().endswith("}"))
    address = json.loads(file.read_text())["address"]
    add_worker(dask, address)
    client = start(source, out, log, f"scheduler={address}", f"gate={tmp_path / 'never'}")
    until(lambda: notes(log, "begin"))
    process.kill()
    assert "The connection to the scheduler is lost; call again with --resume." in end(client, 1)
    assert manifest_of(out)["waiting"] == 6


def test_local_processes_share_the_cores_and_survive_one_another(tmp_path, inputs):
    """Some of the processes are ended by one run, which is given up; all others are done once."""
    source, out, log = inputs(12), tmp_path / "out", tmp_path / "log"
    (source / "0003" / "run.dcm").write_bytes(b"die")
    (source / "0005" / "run.dcm").write_bytes(b"fail")
    seen = []
    outcomes = run_batch(
        [source], out, Backwards(str(log)), Batch(workers=2), finished=lambda *told: seen.append(told[1:])
    )
    errors = {Path(outcome.input).parent.name: outcome.error for outcome in outcomes if outcome.error}
    assert errors == {
        "0003": "The process that worked on this run died, again and again; it may need more memory than there is.",
        "0005": "This run cannot be done.",
    }
    assert seen == [(number, 12) for number in range(1, 13)]
    assert [entry["error"] for entry in manifest_of(out)["runs"]] == [outcome.error for outcome in outcomes]
    assert set(times_done(log).values()) == {1} and len(times_done(log)) == 11
    from dask.system import cpu_count

    assert {note["threads"] for note in notes(log, "begin")} == {max(1, cpu_count() // 2)}
    assert len(list(out.iterdir())) == 11
    left = [" ".join(process.cmdline()) for process in psutil.Process().children(recursive=True)]
    assert not [command for command in left if "resource_tracker" not in command]  # that one is Python's own


def test_processes_killed_at_random_then_all_of_them_and_a_run_that_kills(tmp_path, inputs):
    """The batch ends, and resumes; only the run that kills its process is blamed, and every other is done once."""
    source, out, log, gate = inputs(16), tmp_path / "out", tmp_path / "log", tmp_path / "gate"
    (source / "0001" / "run.dcm").write_bytes(b"die")
    chance = random.Random(9)
    client = start(source, out, log, "workers=3", f"gate={gate}")

    def kill_one(count: int) -> None:
        """Once so many processes have begun a run in all, kill one of those that are in the middle of one."""
        until(lambda: len(processes_begun(log)) >= count)
        family = {process.pid for process in psutil.Process(client.pid).children(recursive=True)}
        psutil.Process(chance.choice(sorted(processes_begun(log) & family))).kill()

    for count in (3, 4, 5):
        kill_one(count)
    # With the client its scheduler dies.
    until(lambda: len(processes_begun(log)) >= 6)
    family = psutil.Process(client.pid).children(recursive=True)
    client.kill()
    client.communicate(timeout=PATIENCE)
    assert not psutil.wait_procs(family, timeout=PATIENCE)[1] and manifest_of(out)["waiting"] == 16
    begun = len(processes_begun(log))
    client = start(source, out, log, "resume", "workers=3", f"gate={gate}")
    kill_one(begun + 3)
    gate.touch()
    end(client, 1)
    errors = {Path(run["input"]).parent.name: run["error"] for run in manifest_of(out)["runs"] if run["error"]}
    assert list(errors) == ["0001"] and errors["0001"].startswith("The process that worked on this run died")
    assert set(times_done(log).values()) == {1} and len(times_done(log)) == 15
    (source / "0001" / "run.dcm").write_bytes(b"0001" * 750)
    end(start(source, out, log, "resume"))
    assert set(times_done(log).values()) == {1}
    check_all_done(out, source)


def test_local_processes_that_do_not_start(tmp_path, inputs):
    from dask import config

    (tmp_path / "preload.py").write_text("raise ImportError('Something is missing.')")
    with config.set({"distributed.worker.preload": str(tmp_path / "preload.py")}):
        with pytest.raises(ValueError, match="cannot be started .Something is missing.*; use fewer --workers"):
            run_batch([inputs(2)], tmp_path / "out", Backwards(str(tmp_path / "log")), Batch(workers=2))
    assert manifest_of(tmp_path / "out")["waiting"] == 2


def processes_replaced(tmp_path, source: Path, seconds: float, what: str) -> tuple[subprocess.Popen, list]:
    """A batch on up to two processes of this computer, all killed in a run. Those started in their place do this first.

    Gives the client when one of the latter is there or the call has ended, and the processes that belong to it.
    """
    log, came, preload = tmp_path / "log", tmp_path / "came", tmp_path / "preload.py"
    preload.write_text(
        f"import os, time\nif os.path.exists({str(log)!r}):\n    open({str(came)!r}, 'w').close()\n    {what}\n"
    )
    client = start_impatient(
        seconds,
        *(source, tmp_path / "out", log, "workers=2", f"gate={tmp_path / 'gate'}"),
        DASK_DISTRIBUTED__WORKER__PRELOAD=str(preload),
        DASK_DISTRIBUTED__DEPLOY__LOST_WORKER_TIMEOUT="100ms",  # no process can be back so soon
    )
    until(lambda: len(processes_begun(log)) == min(2, len(list(source.iterdir()))))
    for victim in processes_begun(log):
        psutil.Process(victim).kill()
    until(lambda: came.exists() or client.poll() is not None)
    ended = client.returncode is not None  # on a busy computer that may be first
    return client, [] if ended else psutil.Process(client.pid).children(recursive=True)


def test_local_processes_are_waited_for_until_others_have_taken_their_place(tmp_path, inputs):
    source = inputs(4)
    client, _ = processes_replaced(tmp_path, source, PATIENCE, "time.sleep(0.5)")
    (tmp_path / "gate").touch()
    end(client)
    check_all_done(tmp_path / "out", source)


@pytest.mark.parametrize("what", ["os._exit(3)", "time.sleep(1000)"])
def test_local_process_that_cannot_be_replaced(tmp_path, inputs, what):
    """All that are started die at once, or none comes up."""
    client, family = processes_replaced(tmp_path, inputs(1), 3, what)
    check_ended_alone(client)
    assert not psutil.wait_procs(family, timeout=PATIENCE)[1]
    assert manifest_of(tmp_path / "out") == {"runs": [], "waiting": 1}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signal for one process alone")
def test_interrupted_while_no_worker_is_there(tmp_path, inputs):
    client, family = processes_replaced(tmp_path, inputs(1), 1000, "time.sleep(1000)")
    client.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in end(client, -signal.SIGINT)
    assert not psutil.wait_procs(family, timeout=PATIENCE)[1]
    assert manifest_of(tmp_path / "out") == {"runs": [], "waiting": 1}


def test_full_disk_stops_all_processes(tmp_path, inputs):
    source, out, log = inputs(8), tmp_path / "out", tmp_path / "log"
    (source / "0002" / "run.dcm").write_bytes(b"full")
    with pytest.raises(OutputFull, match="is full; free some space and call again with --resume"):
        run_batch([source], out, Backwards(str(log)), Batch(workers=2))
    manifest = manifest_of(out)
    assert len(manifest["runs"]) + manifest["waiting"] == 8 and not (out / HIDDEN).exists()
    assert {entry["input"] for entry in manifest["runs"]} == set(times_done(log))
    (source / "0002" / "run.dcm").write_bytes(b"0002" * 750)
    run_batch([source], out, Backwards(str(log)), Batch(resume=True))
    assert set(times_done(log).values()) == {1}
    check_all_done(out, source)


def test_worker_that_is_not_like_the_client(tmp_path):
    """Another version, or a folder that it does not see and would make on a disk of its own."""
    from DSADeblurLib.batch import cluster
    from DSADeblurLib.batch.outcome import Job

    step, job, folder = Backwards(str(tmp_path / "log")), Job(("/in/run.dcm",), "run"), str(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match="has another version of DSADeblur; install the same there"):
        cluster._do_there(job, folder, step, {**step.fingerprint(), "software": "2"}, {}, False)
    with pytest.raises(ValueError, match="does not see .*elsewhere; use a folder that all share"):
        cluster._do_there(job, folder, step, step.fingerprint(), {}, False)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no process groups with signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_local_processes_end_with_their_client(tmp_path, inputs, number):
    """Interrupted as a terminal does it, which tells all of them, or killed alone."""
    source, out, log, gate = inputs(8), tmp_path / "out", tmp_path / "log", tmp_path / "gate"
    client = start(source, out, log, "workers=2", "together=2", f"gate={gate}", start_new_session=True)
    until(lambda: len(processes_begun(log)) == 2)
    family = psutil.Process(client.pid).children(recursive=True)
    if number == signal.SIGINT:
        os.killpg(client.pid, number)
        assert end(client, 130) == "Cancelled.\n"
        assert [path.name for path in out.iterdir()] == [MANIFEST]
    else:
        client.kill()
        client.communicate(timeout=PATIENCE)
    assert not psutil.wait_procs(family, timeout=PATIENCE)[1]
    assert manifest_of(out) == {"runs": [], "waiting": 8}
    gate.touch()
    run_batch([source], out, Backwards(str(log)), Batch(resume=True))
    assert set(times_done(log).values()) == {1}
    check_all_done(out, source)


def test_local_cluster_listens_on_loopback_only(tmp_path, inputs):
    source, out, log, gate = inputs(4), tmp_path / "out", tmp_path / "log", tmp_path / "gate"
    client = start(source, out, log, "workers=2", "together=2", f"gate={gate}")
    until(lambda: len(processes_begun(log)) == 2)
    family = [psutil.Process(client.pid), *psutil.Process(client.pid).children(recursive=True)]
    listening = {
        connection.laddr.ip
        for process in family
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    gate.touch()
    end(client)
    assert listening == {"127.0.0.1"}


def test_without_dask(tmp_path, inputs):
    code = (
        "import sys; sys.modules[sys.argv[5]] = None\n"
        "from DSADeblurLib.batch import Batch, run_batch; from batchsteps import Backwards\n"
        "run_batch(sys.argv[1:2], sys.argv[2], Backwards(sys.argv[3]), Batch(workers=int(sys.argv[4])))"
    )
    words = [inputs(2), tmp_path / "out", tmp_path / "log"]

    def done(workers, missing):
        command = [sys.executable, "-c", code, *map(str, words), str(workers), missing]
        return subprocess.run(command, env={**os.environ, "PYTHONPATH": PATHS}, capture_output=True, text=True)

    sentence = "RequestError: Several workers need Dask; install it with 'pip install dsadeblur[cluster]'.\n"
    for missing in ("distributed", "cryptography"):
        assert done(2, missing).stderr.endswith(sentence) and not (tmp_path / "out").exists()
    assert done(1, "distributed").returncode == 0
    check_all_done(tmp_path / "out", tmp_path / "in")
