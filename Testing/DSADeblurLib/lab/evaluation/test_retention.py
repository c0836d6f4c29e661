"""No vessel may fade: what the bundled models leave of thin faint vessels in simulated frames, as users run them."""

import numpy as np
import pytest
from skimage import io

from DSADeblurLib.lab.evaluation import model_processes as processes
from DSADeblurLib.lab.evaluation import retention
from DSADeblurLib.lab.evaluation.methods import network_method, unchanged
from DSADeblurLib.lab.image_quality.vessel_retention import noise_level
from DSADeblurLib.paths import models_folder
from DSADeblurLib.request import DeblurSettings
from DSADeblurLib.restoration.package import load_model

pytestmark = pytest.mark.slow

# At 1, 2, 3 and 8 times the noise.
LEAST = (0.87, 1.00, 1.05, 1.10)
FRAMES = 3


def left_by(name: str, **controls) -> np.ndarray:
    model = load_model(name)
    method = network_method(model, DeblurSettings(device="cpu", engine="torch", **controls))
    moments = model.network.architecture.frames
    frames = [retention.simulated_frame("validation", "paper-like", index, 256, moments) for index in range(FRAMES)]
    return retention.retained(method, frames, seed=1)


@pytest.mark.parametrize("name", ["compact", "quality", "sequence"])
def test_no_vessel_fades_at_the_default(name):
    if not (models_folder() / name).is_dir():
        pytest.skip(f"the model {name} is not there")
    left = left_by(name).mean(axis=1)
    assert (left >= LEAST).all(), left
    # The whole rest given back leaves every vessel as it was.
    assert (left_by(name, noise_reduction=0.0).mean(axis=1) >= 0.99).all()


def test_the_network_alone_lets_faint_vessels_fade():
    """What the controls are there for; should this fail, the default may rise."""
    assert left_by("compact", noise_reduction=1.0, uniform_noise_reduction=True).mean(axis=1)[0] < LEAST[0]


def test_frames_have_the_noise_that_they_say():
    one = retention.simulated_frame("validation", "clinical", 0, 256, 3)
    assert one.frames.shape == (3, 256, 256) and one.known.header_px is not None
    assert np.std(one.frames[0] - one.frames[2]) == pytest.approx(2**0.5 * one.noise, rel=0.2)
    np.testing.assert_allclose(retention.retained(unchanged, [one]), 1, atol=1e-3)


def test_command_prints_simulated_and_real_frames(tmp_path, capsys, small_model, monkeypatch):
    monkeypatch.setattr(retention, "NOISE", ("clinical",))
    rng = np.random.default_rng(0)
    for number in range(2):
        io.imsave(tmp_path / f"{number}.png", rng.normal(128, 9, (256, 250)).astype(np.uint8), check_contrast=False)
    frames = list(retention.real_frames(tmp_path))
    assert [frame.noise for frame in frames] == [noise_level(frame.frames[0]) for frame in frames]
    model = str(small_model.card.folder)
    assert retention.main(["--model", model, "--frames", "1", "--size", "256", "--set", "validation"]) == 0
    printed = capsys.readouterr().out
    for words in ("simulated validation frames", "clinical", "8 sigma", "noise left", "width error px"):
        assert words in printed
    assert retention.main(["--model", model, "--real", str(tmp_path)]) == 0
    assert "put into 2 real frames" in capsys.readouterr().out
    (tmp_path / "none").mkdir()
    with pytest.raises(ValueError, match="no subtracted frame"):
        retention.main(["--model", model, "--real", str(tmp_path / "none")])
    assert processes.networks()
