"""The evaluation finds differences that are there, tunes on validation frames only, and fills the card."""

import json

import numpy as np
import pytest
import torch

from DSADeblurLib.restoration.architecture import RDNArchitecture
from DSADeblurLib.restoration.card import read_card
from DSADeblurLib.restoration.network import build_network
from DSADeblurLib.restoration.package import load_model
from DSADeblurLib.simulation.pairs import KINDS, acquire_pair
from DSADeblurLib.simulation.phantom import DIAMETERS_MM, vessel_phantom
from DSADeblurLib.training import evaluation
from DSADeblurLib.training.packaging import package_model, write_metrics
from DSADeblurLib.training.recipes import QUICK


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "untrained"
    torch.manual_seed(0)
    network = build_network(RDNArchitecture(features=4, growth=4, blocks=1, layers=1))
    package_model(folder, network, QUICK, {"steps": 0, "minutes": 0.0, "psnr_gain_db": {}})
    return folder


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(evaluation, "TUNING_FRAMES", 1)
    monkeypatch.setattr(evaluation, "TUNING_SIZE", 128)


def test_untrained_network_is_its_input(package, small, monkeypatch):
    asked = []
    pair = evaluation.held_out_pair
    monkeypatch.setattr(evaluation, "held_out_pair", lambda split, *rest, **more: asked.append(split) or pair(
        split, *rest, **more))
    result = evaluation.evaluate(load_model(package), "test", frames=2, size=128)
    assert asked.count("validation") == len(KINDS) and asked.count("test") == 2 * len(KINDS)
    for row in result.rows:
        if row.method == "quick":
            # bfloat16 leaves the zero of the last layer a zero.
            assert row.psnr_gain == pytest.approx(0.0, abs=1e-3)
        if row.method == "input":
            assert row.psnr_gain == 0 and 20 < row.psnr < 70
    assert {row.method for row in result.rows} == {"input", "unsharp", "Wiener", "Richardson-Lucy", "quick"}
    widths = {(w.method, w.contrast): w for w in result.widths}
    assert widths["input", "same for all"].error_px > 0.2

    card = write_metrics(package, result)
    assert card.metrics["command"].startswith("dsadeblur evaluate --model quick --set test --frames 2 --size 128")
    written = json.loads((package / "card.json").read_text())["metrics"]
    assert written["data"] == "simulated, held out" and len(written["rows"]) == len(result.rows)
    assert read_card(package).sha256 == result.model_sha256


def test_phantom_vessels_have_their_widths():
    phantom = vessel_phantom(same_contrast=True)
    pair = acquire_pair(phantom.scene, phantom.conditions, "subtracted", np.random.default_rng(0))
    widths = evaluation.phantom_widths(phantom, pair.truth)
    scale = phantom.scene.view.magnification(0.0) / phantom.scene.view.spacing_mm
    expected = 0.866 * np.array(DIAMETERS_MM) * scale
    # The micro spot and the detector widen the thinnest; the others are as wide as they are.
    assert np.all(np.diff(widths) > 0) and widths[0] > 1.1 * expected[0]
    np.testing.assert_allclose(widths[2:], expected[2:], rtol=0.06)


def test_same_contrast_is_the_same():
    phantom = vessel_phantom(same_contrast=True)
    line = phantom.scene.iodine.sum(axis=0)[255]
    peaks = [line[int(c) - 8 : int(c) + 9].max() for _, c in phantom.points]
    assert max(peaks[3:]) / min(peaks[3:]) < 1.1
