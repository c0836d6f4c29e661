"""False vessels are put in and found; the command prints the curve."""

import numpy as np
import pytest

from DSADeblurLib.lab.evaluation import trusted
from DSADeblurLib.lab.evaluation.retention import simulated_frame
from DSADeblurLib.request import DeblurSettings
from DSADeblurLib.restoration.package import load_model

pytestmark = pytest.mark.slow


def test_strong_false_vessels_are_found_by_the_bundled_model():
    frame = simulated_frame("validation", "clinical", 1, 384)
    found, clean = trusted.found_false(frame, load_model("compact"), DeblurSettings(device="cpu"), seed=3)
    assert found.shape == (len(trusted.CONTRASTS), len(trusted.THRESHOLDS)) and clean.shape == found.shape[1:]
    # The more is asked, the less is found; the stronger, the more.
    assert (np.diff(found, axis=1) <= 0).all() and (np.diff(clean) <= 0).all() and (np.diff(found, axis=0) >= 0).all()
    at = trusted.THRESHOLDS.index(trusted.UNEXPLAINED)
    assert found[-1, at] > 0.7 and clean[at] < 0.1


def test_command(capsys, monkeypatch):
    monkeypatch.setattr(trusted, "NOISE", ("clinical",))
    assert trusted.main(["--frames", "1", "--size", "256", "--set", "validation"]) == 0
    assert "false vessels found, simulated validation frames, clinical noise, 1 frames" in capsys.readouterr().out
