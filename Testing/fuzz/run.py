"""Damage files at random and put them through reading, subtraction and writing, in processes with limits.

    python Testing/fuzz/run.py --files 20000 --seconds-per-file 5 --memory 2000

prints how many files ended how. A crash, a hang, memory over the limit or an error that is not the library's own is a
failure: its file is kept in --keep, and the exit code is 1. The same --seed gives the same files. Seconds of a file are
those of the processor, so that a busy machine is no hang.
"""

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parent)]

from fuzz_mutations import mutate  # noqa: E402
from fuzz_seeds import make_seeds, real_folder  # noqa: E402

# Real files are large and slow; this share of the files is made from them.
_REAL_SHARE = 0.15
# A file that takes so long by the clock waits for something, however busy the machine is.
_STUCK_SECONDS = 600


def main() -> int:
    arguments = _parser().parse_args()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
        folder = Path(scratch)
        seeds = make_seeds(folder, None if arguments.without_real else real_folder())
        print(f"{len(seeds)} seeds: {' '.join(one.name for one in seeds)}", flush=True)
        simulated = [one for one in seeds if one.parent == folder]
        numbers = range(arguments.seed, arguments.seed + arguments.files)
        workers = [Worker(folder / f"worker{index}", arguments) for index in range(arguments.workers)]
        started, counts, failures, done = time.monotonic(), Counter(), [], 0
        pending = iter(numbers)
        while any([worker.step(pending, simulated, seeds, counts, failures) for worker in workers]):
            if sum(counts.values()) >= done + 1000:
                done = sum(counts.values())
                print(f"{done} files, {len(failures)} failures, {time.monotonic() - started:.0f} s", flush=True)
            time.sleep(0.0005)
        _report(
            counts,
            failures,
            max(worker.peak_mb for worker in workers),
            max(one.slowest for one in workers),
            time.monotonic() - started,
        )
        for worker in workers:
            worker.stop()
    return 1 if failures else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=20000, help="how many damaged files (20000)")
    parser.add_argument("--seconds-per-file", type=float, default=5.0, help="of the processor; longer is a hang (5)")
    parser.add_argument("--memory", type=int, default=2000, help="resident megabytes a process may take (2000)")
    parser.add_argument("--workers", type=int, default=1, help="processes at a time (1)")
    parser.add_argument("--seed", type=int, default=0, help="number of the first file (0)")
    parser.add_argument("--keep", type=Path, default=Path("out/fuzz"), help="folder for files that failed (out/fuzz)")
    parser.add_argument("--without-real", action="store_true", help="use no real files, even where there are some")
    return parser


class Worker:
    """One child process, and the file it is at."""

    def __init__(self, folder: Path, arguments) -> None:
        folder.mkdir()
        self._folder, self._arguments = folder, arguments
        self._process = None
        self._file = self._name = ""
        self._since = self._cpu_before = 0.0
        self._busy = False
        self.peak_mb, self.slowest = 0, 0.0

    def step(self, pending, simulated, seeds, counts: Counter, failures: list) -> bool:
        """Look after the file in work, or begin the next one; False when there is nothing left to do."""
        if not self._busy:
            number = next(pending, None)
            if number is None:
                return False
            self._begin(number, simulated, seeds)
            return True
        outcome = self._outcome()
        if outcome is None:
            return True
        self._busy = False
        kind, text = outcome
        counts[text if kind == "ok" else f"FAILURE, {kind}"] += 1
        if kind != "ok":
            failures.append((self._name, f"{kind}: {text}"))
            self._arguments.keep.mkdir(parents=True, exist_ok=True)
            (self._arguments.keep / f"{self._name}.dcm").write_bytes(Path(self._file).read_bytes())
        return True

    def _begin(self, number: int, simulated, seeds) -> None:
        import random

        rng = random.Random(f"seed {number}")
        pool = seeds[len(simulated) :] if len(seeds) > len(simulated) and rng.random() < _REAL_SHARE else simulated
        one, two = rng.choice(pool), rng.choice(simulated)
        self._name = f"{number}-{one.stem}"
        self._file = self._folder / "damaged.dcm"
        self._file.write_bytes(mutate(one.read_bytes(), two.read_bytes(), number))
        if self._process is None:
            self._start()
        self._since, self._cpu_before, self._busy = time.monotonic(), self._cpu_seconds(), True
        self._pipe.send(str(self._file))

    def _outcome(self) -> tuple[str, str] | None:
        if self._pipe.poll():
            try:
                kind, text, peak_mb, seconds = self._pipe.recv()
            except EOFError:
                return self._ended()
            self.slowest = max(self.slowest, seconds)
            self.peak_mb = max(self.peak_mb, peak_mb)
            if peak_mb > self._arguments.memory:
                self.stop()
                return "memory", f"{peak_mb} MB"
            return kind, text
        if not self._process.is_alive():
            return self._ended()
        limit, taken = self._arguments.seconds_per_file, time.monotonic() - self._since
        if taken > _STUCK_SECONDS or taken > limit < self._cpu_seconds() - self._cpu_before:
            self.stop()
            return "hang", f"more than {limit:g} s"
        return None

    def _cpu_seconds(self) -> float:
        times = psutil.Process(self._process.pid).cpu_times()
        return times.user + times.system

    def _ended(self) -> tuple[str, str]:
        self._process.join()
        code = self._process.exitcode
        self.stop()
        return "crash", f"exit code {code}"

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self._folder, self._arguments.memory), daemon=True)
        self._process.start()
        theirs.close()
        self._pipe.recv()

    def stop(self) -> None:
        """End the child process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._pipe.close()
            self._process = None


def _serve(pipe, folder: Path, memory_mb: int) -> None:
    """Use one file after the other, as the child process."""
    from fuzz_target import use

    # GDCM and others write on the streams themselves.
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    _limit(memory_mb)
    pipe.send("ready")
    while True:
        try:
            path = pipe.recv()
        except EOFError:
            return
        began = time.process_time()
        try:
            result = ("ok", use(Path(path), folder / "derived.dcm"))
        except BaseException as error:
            result = (type(error).__name__, " ".join(str(error).split())[:300])
        pipe.send((*result, _peak_mb(), time.process_time() - began))


def _limit(memory_mb: int) -> None:
    """Let allocations fail a little above the limit, so that a bomb is found and not the machine's end."""
    try:
        import resource
    except ImportError:
        return
    limit = psutil.Process().memory_info().vms + (memory_mb + 200) * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _peak_mb() -> int:
    try:
        import resource
    except ImportError:
        return psutil.Process().memory_info().peak_wset // 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform != "darwin" else 2**20)


def _report(counts: Counter, failures: list, peak_mb: int, slowest: float, seconds: float) -> None:
    for text, count in counts.most_common():
        print(f"{count:7d}  {text}")
    for name, text in failures:
        print(f"FAILED {name}: {text}")
    print(
        f"{sum(counts.values())} files in {seconds:.0f} s: {len(failures)} failures, slowest {slowest:.2f} s, "
        f"largest process {peak_mb} MB"
    )


if __name__ == "__main__":
    sys.exit(main())
