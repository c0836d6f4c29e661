"""Both runners pass lines through and tell how a process ended."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import weakref

import hostpaths
import psutil
import pytest

ECHO = "import sys\nfor line in sys.stdin: print('got', line.strip(), flush=True)"
# The program of a launcher, and that of an application whose worker's stdin stays open in another process of it.
LAUNCHER = "import subprocess, sys; subprocess.call([sys.executable, *sys.argv[1:]])"
APPLICATION = """
import subprocess, sys, types
sys.path[:0] = sys.argv[1:3]
sys.modules["slicer.i18n"] = types.SimpleNamespace(tr=str)
from DSADeblurScene.runner import SubprocessRunner, workerArguments
before = ["-c", sys.argv[3]] if sys.argv[3:] else []
runner = SubprocessRunner(sys.executable, [*before, *workerArguments()])
lines = []
runner.start(lines.append, None)
while not lines:
    runner.wait(1)
subprocess.Popen([sys.executable, "-c", "input()"], pass_fds=[runner._process.stdin.fileno()])
print(lines[0], flush=True)
input()
"""
# Says that it is ready, and stops when it is told anything.
STOPPED = """
import json, os, signal
print(json.dumps({"type": "ready", "pid": os.getpid()}), flush=True)
input()
os.kill(os.getpid(), signal.SIGSTOP)
input()
"""
FAIL = "import sys; print('last words', file=sys.stderr); sys.exit(3)"


def subprocess_runner(_gui, program, arguments):
    from DSADeblurScene.runner import SubprocessRunner

    return SubprocessRunner(program, arguments)


def qprocess_runner(gui, program, arguments):
    gui.openModule()
    from DSADeblurScene.qprocess_runner import QProcessRunner

    return QProcessRunner(program, arguments)


@pytest.fixture(params=[subprocess_runner, qprocess_runner])
def run(request, gui):
    """run(script, until): gives (runner, lines, exits) after the condition holds."""
    runners = []

    def start(script, program=sys.executable):
        runner = request.param(gui, program, ["-u", "-c", script])
        runners.append(runner)
        lines, exits = [], []
        runner.start(lines.append, lambda *end: exits.append(end))
        return runner, lines, exits

    def wait(runner, condition):
        def arrived() -> bool:
            runner.wait(0.01)
            return bool(condition())

        assert gui.processEvents(arrived)

    start.wait = wait
    yield start
    for runner in runners:
        runner.stop()


def test_lines_in_and_out_and_end_with_stdin(run):
    runner, lines, exits = run(ECHO)
    runner.send("a")
    runner.send("b")
    run.wait(runner, lambda: len(lines) == 2)
    assert [line.strip() for line in lines] == ["got a", "got b"] and runner.isRunning()
    runner.stop()
    runner.wait(600)  # until its end has arrived, which is nobody's business any more
    assert not runner.isRunning() and exits == []


def test_exit_status_and_last_words(run):
    runner, _, exits = run(FAIL)
    run.wait(runner, lambda: exits)
    assert exits[0][0] == 3 and "last words" in exits[0][1] and not runner.isRunning()
    runner.send("nobody listens")
    runner.stop()


@pytest.mark.skipif(os.name == "nt", reason="no signals on Windows")
def test_killed_process_has_no_status(run):
    runner, lines, exits = run("import os; print(os.getpid(), flush=True); input()")
    run.wait(runner, lambda: lines)
    os.kill(int(lines[0]), 9)
    run.wait(runner, lambda: exits)
    assert exits[0][0] is None


def test_process_that_ignores_the_end_is_killed(run, monkeypatch):
    runner, lines, exits = run("import os, time; print(os.getpid(), flush=True); time.sleep(3600)")
    for name in ("runner", "qprocess_runner"):
        module = sys.modules.get(f"DSADeblurScene.{name}")
        if module:
            monkeypatch.setattr(module, "STOP_SECONDS", 0.2)
    run.wait(runner, lambda: lines)
    runner.stop()
    assert not runner.isRunning() and not psutil.pid_exists(int(lines[0]))


def test_what_is_called_later_is_called_on_the_owners_thread(run):
    runner, _, _ = run(ECHO)
    threads = []
    runner.later(0.01, lambda: threads.append(threading.current_thread()))
    run.wait(runner, lambda: threads)
    assert threads == [threading.main_thread()]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signal that stops a process for a while")
@pytest.mark.parametrize("make", [subprocess_runner, qprocess_runner])
def test_stopped_worker_is_killed_by_cancel(gui, make, monkeypatch):
    """Behind a launcher, which alone is known; it cannot read that it is cancelled."""
    made = make(gui, sys.executable, ["-c", LAUNCHER, "-u", "-c", STOPPED])
    from DSADeblurScene import worker_client

    monkeypatch.setattr(worker_client, "CANCEL_SECONDS", 0.01)
    client, ended = worker_client.WorkerClient(lambda: made), []
    client.submit({}, worker_client.Callbacks(cancelled=lambda: ended.append(1)))

    def wait(condition):
        assert gui.processEvents(lambda: made.wait(0.01) or condition())

    wait(lambda: client._pid is not None)
    process = psutil.Process(client._pid)
    wait(lambda: process.status() == psutil.STATUS_STOPPED)
    client.cancel()
    wait(lambda: ended)
    assert not psutil.wait_procs([process], timeout=600)[1] and not client.isBusy


@pytest.mark.parametrize("make", [subprocess_runner, qprocess_runner])
def test_program_that_does_not_exist(gui, make):
    runner, exits = make(gui, "/nowhere/python", []), []
    with pytest.raises(OSError, match="/nowhere/python"):
        runner.start(None, lambda *end: exits.append(end))
    runner.stop()
    gui.turnEventLoop()
    assert not runner.isRunning() and exits == []


def test_stopped_by_a_line_it_gave(gui):
    """A line may end the job and with it the process, from within the process's own signal."""
    runner = qprocess_runner(gui, sys.executable, ["-u", "-c", "print('a', flush=True); print('b'); input()"])
    lines, exits = [], []

    def onLine(line: str) -> None:
        lines.append(line)
        runner.stop()

    runner.start(onLine, lambda *end: exits.append(end))
    assert gui.processEvents(lambda: lines)
    assert len(lines) == 1 and exits == [] and not runner.isRunning()


def test_process_is_gone_once_the_event_loop_has_turned(gui):
    runner, exits = qprocess_runner(gui, sys.executable, ["-c", ""]), []
    runner.start(None, lambda *end: exits.append(end))
    process = weakref.ref(runner._process)
    assert gui.processEvents(lambda: exits) and exits[0][0] == 0
    assert gui.processEvents(lambda: process() is None)


@pytest.mark.skipif(os.name == "nt", reason="a process inherits other files on Windows")
@pytest.mark.parametrize("launcher", [[], [LAUNCHER]])
def test_worker_ends_with_an_application_that_is_killed(launcher):
    """Even while its stdin stays open in a process that inherited it, and where a launcher starts it."""
    command = [sys.executable, "-c", APPLICATION, str(hostpaths.ROOT), str(hostpaths.MODULE), *launcher]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as application:
        assert '"ready"' in application.stdout.readline()
        family = psutil.Process(application.pid).children(recursive=True)
        workers = [one for one in family if "DSADeblurLib.worker" in one.cmdline()]
        assert len(workers) == 1 + len(launcher) and len(family) == len(workers) + 1
        application.kill()
        application.wait()  # one that is not asked how it ended still has its number
        assert not psutil.wait_procs(workers, timeout=600)[1]


def test_python_of_slicer_is_preferred(host, monkeypatch, tmp_path):
    from DSADeblurScene import runner

    monkeypatch.setattr(runner.shutil, "which", lambda name: f"/opt/{name}")
    assert runner.pythonExecutable() == "/opt/PythonSlicer"
    monkeypatch.setattr(runner.shutil, "which", lambda name: None)
    assert runner.pythonExecutable() == sys.executable
    monkeypatch.setattr(runner.sys, "executable", "/opt/SlicerApp-real")
    with pytest.raises(RuntimeError, match="PythonSlicer was not found"):
        runner.pythonExecutable()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    paths = runner.workerEnvironment()["PYTHONPATH"].split(os.pathsep)
    assert paths[-1] == str(tmp_path) and os.path.isdir(os.path.join(paths[0], "DSADeblurLib"))
