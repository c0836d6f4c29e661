"""Simulated runs: valid files, the same bytes every time, and places where widths can be measured."""

import hashlib

import numpy as np
import pytest

from DSADeblurLib import paths
from DSADeblurLib.lab.simulation.runs import (
    FACTS_FILE,
    RUN_FILE,
    TRUTH_FILE,
    SimulationOptions,
    read_facts,
    simulate_run,
    write_run,
)
from DSADeblurLib.measurement.width import vessel_width
from DSADeblurLib.xa import plan_subtraction, read_run, subtract

pytestmark = pytest.mark.slow

SMALL = SimulationOptions(seed=2, frames=4)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    run = simulate_run(SMALL)
    write_run(run, folder)
    return run, folder


def test_files_hold_what_was_simulated(written):
    run, folder = written
    for name, frames in ((RUN_FILE, run.frames), (TRUTH_FILE, run.truth)):
        read = read_run(folder / name)
        np.testing.assert_array_equal(read.frames[:], frames)
        assert read.relationship == "LIN" and read.bits_stored == 12
        assert plan_subtraction(read).mask_frames == (1, 2)
    facts = read_facts(folder)
    assert facts.options == SMALL and facts.sites == run.sites


def test_same_options_same_bytes(written, tmp_path):
    run, folder = written
    write_run(simulate_run(SMALL), tmp_path)
    for name in (RUN_FILE, TRUTH_FILE, FACTS_FILE):
        digests = [hashlib.sha256((place / name).read_bytes()).hexdigest() for place in (folder, tmp_path)]
        assert digests[0] == digests[1]


def test_mask_frames_hold_no_contrast_agent(written):
    run, _ = written
    np.testing.assert_array_equal(run.truth[0], run.truth[1])
    assert (run.truth[-1].astype(int) - run.truth[0]).min() < -100


def test_sites_are_vessels_and_blur_widens_the_thin_ones(written):
    run, folder = written
    read, truth = read_run(folder / RUN_FILE), read_run(folder / TRUTH_FILE)
    plan = plan_subtraction(read)
    blurred, sharp = (subtract(r.frames, plan, "LIN")[-1] for r in (read, truth))
    widths = np.array([[vessel_width(f, s.point, s.tangent) for f in (blurred, sharp)] for s in run.sites])
    assert len(widths) >= 3 and np.isfinite(widths[:, 1]).all()
    assert np.nanmean(widths[:, 0] - widths[:, 1]) > 0.2


@pytest.mark.parametrize("options", [{"frames": 2, "mask_frames": 2}, {"size": 8}])
def test_impossible_options_are_refused(options):
    with pytest.raises(ValueError):
        SimulationOptions(**options)


def test_bundled_sample_is_what_the_documented_command_makes():
    folder = paths.sample_data_folder()
    assert sum(path.stat().st_size for path in folder.iterdir()) < 3e6
    facts = read_facts(folder)
    assert facts.options == SimulationOptions()
    read = read_run(folder / RUN_FILE)
    assert read.frames.shape == (12, 512, 512) and read.bits_stored == 12
