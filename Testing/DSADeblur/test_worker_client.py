"""The client's side of the protocol, against a runner that plays the worker."""

from __future__ import annotations

import pytest
from fakerunner import FakeRunner

pytestmark = pytest.mark.usefixtures("host")


@pytest.fixture
def client():
    from DSADeblurScene.worker_client import WorkerClient

    FakeRunner.made.clear()
    return WorkerClient(FakeRunner)


@pytest.fixture
def heard():
    return []


def submit(client, heard):
    from DSADeblurScene.worker_client import Callbacks

    def keep(name):
        return lambda *arguments: heard.append((name, *arguments))

    names = ("progress", "notice", "finished", "cancelled", "error")
    job = client.submit({"frames": "in.npy"}, Callbacks(**{name: keep(name) for name in names}))
    return job, FakeRunner.made[-1]


def test_a_job_from_start_to_end(client, heard):
    job, runner = submit(client, heard)
    assert runner.sent == [{"type": "deblur", "job": job, "frames": "in.npy"}] and client.isBusy
    runner.say(type="ready", protocol=1, version="1", torch="2", device="cpu")
    runner.say(type="progress", job=job, done=1, total=4, seconds_left=None)
    runner.say(type="notice", job=job, message="Slow.")
    runner.say(type="finished", job=job, output="out.npy")
    assert [entry[0] for entry in heard] == ["progress", "notice", "finished"]
    assert heard[0] == ("progress", 1, 4, None) and heard[2][1]["output"] == "out.npy" and not client.isBusy
    submit(client, heard)
    assert len(FakeRunner.made) == 1  # the process stays warm


def test_one_job_at_a_time(client, heard):
    submit(client, heard)
    with pytest.raises(RuntimeError, match="already"):
        submit(client, heard)


def test_messages_of_other_jobs_and_noise_are_ignored(client, heard):
    job, runner = submit(client, heard)
    for line in ("", "noise", "[1]", "{}", '{"type": "finished", "job": "job-0", "output": "x"}', "null"):
        runner.line(line)
    assert heard == [] and client.isBusy
    runner.say(type="cancelled", job=job)
    runner.say(type="finished", job=job, output="x")
    assert heard == [("cancelled",)]


def test_cancel(client, heard):
    client.cancel()
    job, runner = submit(client, heard)
    client.cancel()
    assert runner.sent[-1] == {"type": "cancel", "job": job}


@pytest.fixture
def killed(monkeypatch):
    from DSADeblurScene import worker_client

    pids: list[int] = []
    monkeypatch.setattr(worker_client, "killWorker", pids.append)
    return pids


def test_worker_that_does_not_heed_a_cancel_is_killed(client, heard, killed):
    """By its own number: a launcher may stand between. The next job starts another process."""
    _, runner = submit(client, heard)
    runner.say(type="ready", pid=12345)
    client.cancel()
    runner.pass_time(5)
    assert killed == [12345] and runner.stopped and heard == [("cancelled",)] and not client.isBusy
    job, runner = submit(client, heard)
    runner.say(type="ready", pid=12346)
    client.cancel()
    runner.say(type="cancelled", job=job)
    submit(client, heard)
    runner.pass_time(5)
    assert killed == [12345] and client.isBusy  # the job that was cancelled had ended, another goes on


def test_worker_that_is_silent_is_told_of(client, heard, killed):
    job, runner = submit(client, heard)
    runner.pass_time(30)
    assert heard == []  # it is starting
    runner.say(type="ready", pid=1)
    runner.pass_time(30)
    runner.say(type="alive")
    runner.pass_time(30)
    assert heard == []
    runner.pass_time(30)
    assert heard == [("notice", "The worker has not answered for 30 seconds; Cancel ends it.")] and client.isBusy
    runner.say(type="cancelled", job=job)
    runner.pass_time(30)
    assert not runner.planned and killed == []


@pytest.mark.parametrize(
    ("status", "tail", "words"),
    [
        (None, "", "crashed or was killed"),
        (3, "a\nMemoryError: no memory\n\n", "exit status 3).*MemoryError: no memory"),
    ],
)
def test_worker_that_ends_in_a_job_is_one_sentence_and_the_next_job_starts_another(client, heard, status, tail, words):
    import re

    _, runner = submit(client, heard)
    runner.end(status, tail)
    assert heard[0][0] == "error" and re.search(words.replace(")", r"\)"), heard[0][1]) and "\n" not in heard[0][1]
    assert not client.isBusy
    submit(client, heard)
    assert len(FakeRunner.made) == 2


def test_reason_without_a_job_ends_the_job_once(client, heard):
    _, runner = submit(client, heard)
    runner.say(type="error", job=None, message="PyTorch is not installed.")
    runner.end(1, "Traceback")
    assert heard == [("error", "PyTorch is not installed.")]


def test_worker_that_ends_without_a_job_says_nothing(client, heard):
    job, runner = submit(client, heard)
    runner.say(type="error", job=job, message="Bad.")
    runner.end(None)
    assert heard == [("error", "Bad.", "", "")]


def test_forget_leaves_no_callback(client, heard):
    _, runner = submit(client, heard)
    client.forget()
    assert runner.stopped and heard == [] and not client.isBusy


def test_process_that_does_not_start(heard):
    from DSADeblurScene.worker_client import WorkerClient

    class Broken(FakeRunner):
        def start(self, onLine, onExit) -> None:
            raise FileNotFoundError("python")

    client = WorkerClient(Broken)
    with pytest.raises(RuntimeError, match="did not start"):
        submit(client, heard)
    assert not client.isBusy
