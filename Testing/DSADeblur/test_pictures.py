"""The pictures that other parts of the project ask for show what they say."""

from __future__ import annotations

import subprocess
import sys

import hostpaths
import numpy as np
import pytest
import samples
from matplotlib import pyplot

pytestmark = pytest.mark.slow


@pytest.fixture
def deblurred(tmp_path, tiny_model):
    """deblurred(**options of write_run): files of a run and of what the shell makes of it."""

    def make(subtract="auto", frames=None, **options):
        from DSADeblurLib.pipeline import deblur_run
        from DSADeblurLib.request import DeblurRequest
        from DSADeblurLib.restoration.package import load_model
        from DSADeblurLib.xa import read_run

        original, derived = tmp_path / "run.dcm", tmp_path / "derived.dcm"
        samples.write_run(original, samples.vessel_frames(6, 128, 128), **options)
        request = DeblurRequest.of(device="cpu", frame_range=frames, subtract=subtract)
        deblur_run(read_run(original), load_model(tiny_model), derived, request)
        return original, derived

    return make


def grey(path) -> np.ndarray:
    return pyplot.imread(path)[..., :3].mean(axis=-1)


def views(picture) -> list[np.ndarray]:
    """The three views of the upper row."""
    return [picture[30:512, start + 4 : start + 508] for start in (0, 518, 1036)]


@pytest.mark.parametrize(
    ("options", "frames"),
    [
        ({"mask_frames": (1, 2), "contrast_range": (3, 6)}, None),
        ({"mask_frames": (1, 2), "contrast_range": (3, 6)}, (4, 5)),
        ({}, (2, 4)),
        ({"frame_times": [0, 100, 100, 200, 200, 200]}, None),
    ],
)
def test_files_in_the_compare_layout(tmp_path, deblurred, options, frames):
    import demo_scene

    path = demo_scene.render_compare(*deblurred(frames=frames, **options), tmp_path / "picture.png")
    picture = grey(path)
    assert picture.shape == (512 * 2 + 6, 512 * 3 + 12)
    original, sharp, difference = views(picture)
    assert min(original.std(), sharp.std(), difference.std()) > 0.01
    # The same run in the same grey; the vessel in the middle is darker than the sides.
    assert np.corrcoef(original.ravel(), sharp.ravel())[0, 1] > 0.8
    assert original[100:200].min(axis=1).mean() < np.median(original) - 0.2


def test_script_needs_no_qt(tmp_path, deblurred):
    original, derived = deblurred()
    script = (
        "import runpy, sys\n"
        "sys.modules.update(PySide6=None, qt=None, ctk=None)\n"
        f"sys.argv = ['demo_scene.py', {str(original)!r}, {str(derived)!r}, {str(tmp_path / 'picture.png')!r}]\n"
        f"runpy.run_path({str(hostpaths.HOST / 'demo_scene.py')!r}, run_name='__main__')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(tmp_path / "picture.png") and grey(done.stdout.strip()).std() > 0.05


def test_files_that_do_not_belong_together(tmp_path, deblurred):
    import demo_scene

    _, derived = deblurred()
    samples.write_run(tmp_path / "other.dcm", samples.vessel_frames())
    with pytest.raises(ValueError, match="was not derived from"):
        demo_scene.render_compare(tmp_path / "other.dcm", derived, tmp_path / "picture.png")
    assert not (tmp_path / "picture.png").exists()


def test_layout(tmp_path, tiny_model, keep_modules):
    import screenshots

    run = tmp_path / "run.dcm"
    samples.write_run(run, samples.vessel_frames(4, 128, 128), mask_frames=(1,))
    screenshots.main(tmp_path / "pictures", run, tiny_model)
    assert all(view.std() > 0.01 for view in views(grey(tmp_path / "pictures" / "compare.png")))
    with pytest.raises(RuntimeError, match="no-such-model"):
        screenshots.main(tmp_path / "pictures", run, "no-such-model")


def test_panel_in_its_states(tmp_path, keep_modules):
    import panel_pictures

    panel_pictures.main(tmp_path)
    panel, states, fits = (grey(tmp_path / name) for name in panel_pictures.NAMES)
    assert panel.shape[1] == 460 and panel.shape[0] > 600
    assert states.shape[1] == 4 * 460 and fits.shape[1] == 460 + 320 + 460
    parts = [panel, *np.split(states, 4, axis=1), fits[:, :460], fits[:, 460:780], fits[:, 780:]]
    assert all(one.std() > 0.05 for one in parts)
    # Four states that look unlike each other, and a dark panel beside light ones.
    assert all(np.abs(one - other).max() > 0.3 for one, other in zip(parts[1:4], parts[2:5], strict=True))
    assert np.median(parts[5]) < 0.4 < np.median(parts[6])
