"""Batches without a network: real processes that are killed, that work side by side, and disks that are full."""

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import batchsteps
import pytest
from batchprocesses import PATHS, end, manifest_of, start
from batchsteps import (
    PATIENCE,
    Backwards,
    check_all_done,
    check_nothing_is_half_written,
    notes,
    recorded,
    times_done,
    until,
)

from DSADeblurLib.batch import HIDDEN, MANIFEST, Batch, OutputFull, run_batch
from DSADeblurLib.batch import manifest as manifest_module
from DSADeblurLib.batch.other_settings import ASIDE
from DSADeblurLib.batch.outcome import Outcome

pytestmark = pytest.mark.slow


def test_killed_at_any_moment(tmp_path, inputs):
    """What is visible is whole, and the next call does only what nothing says is done."""
    source, out, log = inputs(400), tmp_path / "out", tmp_path / "log"
    chance = random.Random(1)
    for _ in range(8):
        done = recorded(out)
        begun = len(notes(log, "begin"))
        process = start(source, out, log, "resume")
        wanted = begun + chance.randint(0, 40)
        until(lambda process=process, wanted=wanted: len(notes(log, "begin")) > wanted or process.poll() is not None)
        for _ in range(chance.randint(0, 20000)):
            pass
        process.kill()
        process.communicate(timeout=PATIENCE)
        check_nothing_is_half_written(out)
        again = {note["run"] for note in notes(log, "begin")[begun:]}
        assert again and not again & done
    assert 0 < len(recorded(out)) < 400
    end(start(source, out, log, "resume"))
    check_all_done(out, source)
    assert len(notes(log, "begin")) <= 400 + 8


def test_unfinished_work_of_a_killed_process_is_removed(tmp_path, inputs):
    source, out, log, gate = inputs(3), tmp_path / "out", tmp_path / "log", tmp_path / "gate"
    process = start(source, out, log, f"gate={gate}")
    until(lambda: notes(log, "begin"))
    process.kill()
    process.communicate(timeout=PATIENCE)
    assert {path.name for path in out.iterdir()} == {HIDDEN, MANIFEST} and manifest_of(out)["waiting"] == 3
    (left,) = (out / HIDDEN / "work").iterdir()
    gate.touch()
    run_batch([source], out, Backwards(str(log)), Batch(resume=True))
    check_all_done(out, source)


def test_what_changed_is_done_again(tmp_path, inputs):
    source, out = inputs(6), tmp_path / "out"
    log = tmp_path / "log"

    def resumed(**asked):
        before = len(notes(log, "begin"))
        outcomes = run_batch([source], out, Backwards(str(log), **asked), Batch(resume=True))
        assert len(outcomes) == 6 and not any(outcome.error for outcome in outcomes)
        return [Path(note["run"]).parent.name for note in notes(log, "begin")[before:]]

    assert len(resumed()) == 6 and resumed() == []
    outputs = [Path(entry["output"]) for entry in manifest_of(out)["runs"]]
    outputs[1].unlink()
    outputs[2].write_bytes(outputs[2].read_bytes()[:1000])
    assert resumed() == ["0001", "0002"]
    # Nobody knows whose that is now: it is left alone, and the run has a new name.
    assert len(outputs[2].read_bytes()) == 1000
    outputs[2].unlink()
    assert len(resumed(strength=0.5)) == 6 and resumed(strength=0.5) == []
    shutil.rmtree(out / f"{ASIDE}1")
    check_all_done(out, source)
    (source / "0003" / "run.dcm").write_bytes(b"9876" * 750)
    assert resumed(strength=0.5) == ["0003"]
    (out / MANIFEST).write_text("{")
    assert len(resumed(strength=0.5)) == 6
    assert len(run_batch([source], out, Backwards(str(log), strength=0.5))) == 6 and len(notes(log, "begin")) == 27


def test_names_stay_when_files_are_added(tmp_path, inputs):
    source, out, log = inputs(3), tmp_path / "out", tmp_path / "log"
    step = Backwards(str(log))
    before = {outcome.input: outcome.output for outcome in run_batch([source], out, step)}
    shutil.copytree(source / "0001", source / "0000" / "more")
    after = {outcome.input: outcome.output for outcome in run_batch([source], out, step, Batch(resume=True))}
    assert len(after) == 4 and before.items() <= after.items() and len(notes(log, "begin")) == 4
    check_all_done(out, source)


def test_a_failing_run_stops_no_other_and_is_tried_again(tmp_path, inputs):
    source, out, log = inputs(3), tmp_path / "out", tmp_path / "log"
    (source / "0001" / "run.dcm").write_bytes(b"fail")
    for _ in range(2):
        outcomes = run_batch([source], out, Backwards(str(log)), Batch(resume=True))
        assert [outcome.error for outcome in outcomes] == [None, "This run cannot be done.", None]
        assert [entry["error"] for entry in manifest_of(out)["runs"]] == [None, "This run cannot be done.", None]
        assert len(list(out.iterdir())) == 3
    assert len(notes(log, "begin")) == 4


def test_two_processes_share_one_batch(tmp_path, inputs):
    source, out, log = inputs(60), tmp_path / "out", tmp_path / "log"
    processes = [start(source, out, log, "together=2") for _ in range(2)]
    for process in processes:
        end(process)
    assert set(times_done(log).values()) == {1} and len(times_done(log)) == 60
    assert len({note["pid"] for note in notes(log, "end")}) == 2
    check_all_done(out, source)


def test_two_processes_with_inputs_of_their_own(tmp_path, inputs):
    source, out, log = inputs(40), tmp_path / "out", tmp_path / "log"
    for number in range(20):
        (tmp_path / "more").mkdir(exist_ok=True)
        shutil.move(source / f"{number:04d}", tmp_path / "more" / f"{number:04d}")
    processes = [start(one, out, log, "together=2") for one in (source, tmp_path / "more")]
    for process in processes:
        end(process)
    manifest = manifest_of(out)
    assert len({entry["output"] for entry in manifest["runs"]}) == 40 and manifest["waiting"] == 0
    check_nothing_is_half_written(out)


def test_one_of_two_processes_is_killed(tmp_path, inputs):
    source, out, log, gate = inputs(30), tmp_path / "out", tmp_path / "log", tmp_path / "gate"
    victim = start(source, out, log, f"gate={gate}")
    until(lambda: notes(log, "begin"))
    other = start(source, out, log)
    until(lambda: len(times_done(log)) == 29)
    victim.kill()  # it has one run in its hands, for which the other one waits
    victim.communicate(timeout=PATIENCE)
    end(other)
    assert set(times_done(log).values()) == {1}
    check_all_done(out, source)


def test_other_settings_have_to_wait(tmp_path, inputs):
    source, out, log, gate = inputs(2), tmp_path / "out", tmp_path / "log", tmp_path / "gate"
    process = start(source, out, log, f"gate={gate}")
    until(lambda: notes(log, "begin"))
    with pytest.raises(ValueError, match="Another process works in the output folder with other settings"):
        run_batch([source], out, Backwards(str(log), strength=0.5))
    gate.touch()
    end(process)
    check_all_done(out, source)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no such signal to one process")
def test_interrupted_leaves_nothing_half_written(tmp_path, inputs):
    source, out, log, gate = inputs(3), tmp_path / "out", tmp_path / "log", tmp_path / "gate"
    process = start(source, out, log, f"gate={gate}")
    until(lambda: notes(log, "begin"))
    process.send_signal(signal.SIGINT)
    assert end(process, 130) == "Cancelled.\n"
    assert [path.name for path in out.iterdir()] == [MANIFEST]
    assert manifest_of(out) == {"runs": [], "waiting": 3}


def test_full_disk_stops_the_batch_with_one_sentence(tmp_path, inputs, monkeypatch):
    """By a step that finds no space; the manifest stays whole and the next call goes on."""
    source, out, log = inputs(5), tmp_path / "out", tmp_path / "log"
    step = Backwards(str(log))
    truly = Backwards.__call__

    def full(self, path, output, *more):
        if "0002" in str(path):
            output.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        return truly(self, path, output, *more)

    monkeypatch.setattr(Backwards, "__call__", full)
    with pytest.raises(OutputFull, match=r"^The disk of \S+ is full; free some space and call again with --resume\.$"):
        run_batch([source], out, step)
    monkeypatch.undo()
    assert len(manifest_of(out)["runs"]) == 2 and manifest_of(out)["waiting"] == 3
    assert len(list(out.iterdir())) == 3
    run_batch([source], out, step, Batch(resume=True))
    assert set(times_done(log).values()) == {1}
    check_all_done(out, source)


def test_truly_full_disk(tmp_path, inputs):
    """On a small file system of its own, where this machine lets us make one."""
    source, log = inputs(300), tmp_path / "log"
    (tmp_path / "disk").mkdir()
    script = (
        f"mount -t tmpfs -o size=400k none {tmp_path}/disk && cd {tmp_path}/disk && "
        f'{sys.executable} {batchsteps.__file__} {source} out {log}; echo "code $?"; '
        f"cat out/{MANIFEST}; echo; find out -type f | wc -l"
    )
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script]
    try:
        done = subprocess.run(
            command, env={**os.environ, "PYTHONPATH": PATHS}, capture_output=True, text=True, timeout=PATIENCE
        )
    except FileNotFoundError:
        pytest.skip("there is no unshare here")
    if "code" not in done.stdout:
        pytest.skip("no file system may be mounted here")
    assert "is full; free some space and call again with --resume." in done.stderr and "code 1" in done.stdout
    text, _, count = done.stdout.partition("code 1\n")[2].rstrip().rpartition("\n")
    manifest = json.loads(text)
    assert len(manifest["runs"]) + manifest["waiting"] == 300 and 0 < len(manifest["runs"]) < 300
    assert int(count) >= len(manifest["runs"])


def test_thousands_of_runs_are_no_square(tmp_path, inputs, monkeypatch):
    """Records are read once, and the manifest takes its share of the time, however many runs there are."""
    count = 1000
    source, out, log = inputs(count, size=4), tmp_path / "out", tmp_path / "log"
    read, written = [], []
    from_dict, write = Outcome.from_dict, manifest_module.Manifest.write
    ticks = iter(range(10**9))
    monkeypatch.setattr(manifest_module, "time", SimpleNamespace(monotonic=lambda: next(ticks)))
    monkeypatch.setattr(Outcome, "from_dict", lambda values: read.append(1) or from_dict(values))
    monkeypatch.setattr(manifest_module.Manifest, "write", lambda self: written.append(1) or write(self))
    seen = []
    outcomes = run_batch([source], out, Backwards(str(log)), finished=lambda *told: seen.append(told[1:]))
    assert len(outcomes) == count and len({outcome.output for outcome in outcomes}) == count
    assert seen == [(number, count) for number in range(1, count + 1)]
    # Every run is looked for twice before it is done, and read once for the manifest.
    assert len(read) <= 3 * count and len(written) <= count / 10 + 3
    read.clear()
    assert len(run_batch([source], out, Backwards(str(log)), Batch(resume=True))) == count
    assert len(notes(log, "begin")) == count and len(read) <= 4 * count


def test_names_that_could_lead_elsewhere(tmp_path):
    """What a file is called decides which folders are made and removed, so nothing but a plain name is taken."""
    source, out, log = tmp_path / "in", tmp_path / "out", tmp_path / "log"
    for number, name in enumerate((".dcm", "..dcm", "...dcm", "run.dcm", "RUN.dcm")):
        (source / str(number)).mkdir(parents=True)
        (source / str(number) / name).write_bytes(f"{number:04d}".encode() * 750)
    for _ in range(2):
        outcomes = run_batch([source], out, Backwards(str(log)), Batch(resume=True))
        names = [Path(outcome.output).name.removesuffix("_deblurred.dcm") for outcome in outcomes]
        assert names[:4] == ["run", "run-2", "run-3", "run-4"] and len({name.casefold() for name in names}) == 5
        check_nothing_is_half_written(out)
    assert len(notes(log, "begin")) == 5
    # A plan and a manifest from elsewhere are not believed either.
    manifest = manifest_of(out)
    manifest["runs"][0]["output"] = str(tmp_path / ".._deblurred.dcm")
    (out / MANIFEST).write_text(json.dumps(manifest))
    (out / HIDDEN).mkdir()
    plan = {"fingerprint": Backwards("").fingerprint(), "runs": {manifest["runs"][1]["input"]: "../../in"}}
    (out / HIDDEN / "plan.json").write_text(json.dumps(plan))
    run_batch([source], out, Backwards(str(log)), Batch(resume=True))
    assert len(notes(log, "begin")) == 6 and len(list(source.iterdir())) == 5


def test_folder_that_was_moved(tmp_path, inputs):
    source, log = inputs(3), tmp_path / "log"
    run_batch([source], tmp_path / "out", Backwards(str(log)))
    (tmp_path / "out").rename(tmp_path / "moved")
    outcomes = run_batch([source], tmp_path / "moved", Backwards(str(log)), Batch(resume=True))
    assert {Path(outcome.output).parent for outcome in outcomes} == {tmp_path / "moved"}
    assert len(notes(log, "begin")) == 3
    check_all_done(tmp_path / "moved", source)


def test_result_that_cannot_be_put_in_place(tmp_path, inputs):
    """It is the failure of this run alone."""
    source, out, log = inputs(3), tmp_path / "out", tmp_path / "log"
    (out / "run-2_deblurred.dcm" / "in the way").mkdir(parents=True)
    outcomes = run_batch([source], out, Backwards(str(log)), Batch(overwrite=True))
    assert [outcome.error is None for outcome in outcomes] == [True, False, True]
    assert outcomes[1].error.startswith("Cannot write run-2_deblurred.dcm: ") and outcomes[1].output is None
    assert [entry["error"] for entry in manifest_of(out)["runs"]] == [outcome.error for outcome in outcomes]
    assert not (out / HIDDEN).exists()


def test_no_input_writes_nothing(tmp_path):
    (tmp_path / "in").mkdir()
    assert run_batch([tmp_path / "in"], tmp_path / "out", Backwards("")) == [] and not (tmp_path / "out").exists()


def test_names_that_are_no_text(tmp_path):
    """File systems of Linux hold any bytes; records and manifest give them back."""
    source, out, log = tmp_path / "in", tmp_path / "out", tmp_path / "log"
    source.mkdir()
    try:
        Path(os.fsdecode(os.fsencode(source) + b"/r\xff.dcm")).write_bytes(b"0000" * 750)
    except OSError:
        pytest.skip("this file system wants text")
    (source / ("long" * 62 + ".dcm")).write_bytes(b"0000" * 750)
    for begun in (2, 2):
        outcomes = run_batch([source], out, Backwards(str(log)), Batch(resume=True))
        assert [outcome.error for outcome in outcomes] == [None, None] and len(notes(log, "begin")) == begun
    assert len(list(out.iterdir())) == 3
