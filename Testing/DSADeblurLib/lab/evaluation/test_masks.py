"""Pictures of remasking and registration: drawn for a run without a device's mask, never into a repository."""

import numpy as np
import pytest
from skimage import io

from DSADeblurLib.lab.evaluation import masks
from DSADeblurLib.lab.simulation.runs import SimulationOptions, simulate_run
from DSADeblurLib.lab.simulation.xa_object import write_simulated_run
from DSADeblurLib.physics.acquisition import shift_frame
from DSADeblurLib.xa import read_run

pytestmark = pytest.mark.slow


def _write(path, mask):
    frames = simulate_run(SimulationOptions(seed=2, frames=7, size=160, mask_frames=3)).frames
    frames = np.stack([shift_frame(frame, (0.3 * n, -0.2 * n)) for n, frame in enumerate(frames)]).astype(np.uint16)
    return write_simulated_run(
        path,
        frames,
        frame_time_ms=250,
        focal_spot_mm=None,
        sid_mm=None,
        sod_mm=None,
        imager_pixel_spacing_mm=None,
        mask_frames=mask,
        contrast_frames=None,
    )


def test_command_draws_two_pictures(tmp_path, capsys):
    assert masks.main([str(_write(tmp_path / "run.dcm", None)), "--output", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out.split()
    assert [name.rsplit("/", 1)[-1] for name in printed] == ["remasking.png", "registration.png"]
    for name, rows in zip(printed, (2, 3), strict=True):
        picture = io.imread(name)
        assert picture.shape[0] > 340 * rows and np.ptp(picture) == 255


def test_the_devices_mask_is_where_remasking_starts(tmp_path):
    run = read_run(_write(tmp_path / "run.dcm", [2]))
    plans = masks.remasked(run)
    assert list(plans) == ["mask 2", "mask 1, 2, 3"]
    assert [plan.registration for plan in masks.registered(plans["mask 2"]).values()] == [
        "none",
        "shift",
        "deformation",
    ]


def test_bad_input_is_one_sentence(tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("no")
    assert masks.main([str(tmp_path / "notes.txt"), "--output", str(tmp_path)]) == 1
    assert capsys.readouterr().err == "Not a DICOM file.\n"
    (tmp_path / "repository" / ".git").mkdir(parents=True)
    run = _write(tmp_path / "run.dcm", None)
    assert masks.main([str(run), "--output", str(tmp_path / "repository")]) == 1
    assert "must not lie in a git repository" in capsys.readouterr().err
