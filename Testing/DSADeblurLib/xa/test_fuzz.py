"""A short, always equal share of `make fuzz`: damaged files of every kind give a run or one sentence."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

_FUZZ = Path(__file__).resolve().parents[2] / "fuzz"
_FILES_PER_SEED = 12


@pytest.fixture(scope="module")
def fuzz():
    """Return the modules of the fuzzing script."""
    sys.path.insert(0, str(_FUZZ))
    try:
        import fuzz_mutations
        import fuzz_seeds
        import fuzz_target
    finally:
        sys.path.remove(str(_FUZZ))
    return fuzz_mutations, fuzz_seeds, fuzz_target


@pytest.fixture(scope="module")
def seeds(fuzz, tmp_path_factory):
    return fuzz[1].make_seeds(tmp_path_factory.mktemp("seeds"))


def test_every_seed_goes_all_the_way(fuzz, seeds, tmp_path):
    """A seed that is refused would find nothing behind reading."""
    ways = {one.stem: fuzz[2].use(one, tmp_path / "derived.dcm") for one in seeds}
    assert len(ways) >= 10 and all(one.startswith("written") for one in ways.values()), ways
    assert sum(one == "written, subtracted" for one in ways.values()) > len(ways) / 2


@pytest.mark.slow
def test_damaged_files_give_a_run_or_a_sentence(fuzz, seeds, tmp_path):
    mutations, _, target = fuzz
    path, outcomes = tmp_path / "damaged.dcm", []
    for position, seed in enumerate(seeds):
        for number in range(_FILES_PER_SEED):
            other = random.Random(number).choice(seeds)
            path.write_bytes(mutations.mutate(seed.read_bytes(), other.read_bytes(), 1000 * position + number))
            outcomes.append(target.use(path, tmp_path / "derived.dcm"))
    # Damage that always or never matters would test little.
    written = sum(one.startswith("written") for one in outcomes)
    assert 0.05 < written / len(outcomes) < 0.95


def test_the_same_number_gives_the_same_file(fuzz, seeds):
    data = [one.read_bytes() for one in seeds[:2]]
    assert fuzz[0].mutate(*data, 7) == fuzz[0].mutate(*data, 7) != fuzz[0].mutate(*data, 8)


@pytest.mark.slow
def test_the_script_counts_and_finds(tmp_path):
    command = [sys.executable, _FUZZ / "run.py", "--without-real", "--keep", tmp_path / "kept", "--files"]
    done = subprocess.run([*command, "25"], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "25 files in" in done.stdout and "0 failures" in done.stdout and not (tmp_path / "kept").exists()
    # No process fits into so little memory: what is over the limit is a failure, and its file is kept.
    done = subprocess.run([*command, "2", "--memory", "10"], capture_output=True, text=True, timeout=600)
    assert done.returncode == 1 and "FAILURE, memory" in done.stdout
    assert len(list((tmp_path / "kept").iterdir())) == 2
