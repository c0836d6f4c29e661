"""Classical methods are tuned to the best of their grid; networks get as many frames as they take."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage

from DSADeblurLib.lab.evaluation import methods
from DSADeblurLib.lab.evaluation.grid import Case, Known
from DSADeblurLib.lab.evaluation.methods import FAMILIES, Family, assumed_blur, network_method, tune, unchanged
from DSADeblurLib.lab.image_quality.quality import psnr
from DSADeblurLib.request import LARGEST_BLUR_PX

PSF = np.full((3, 3), 1 / 9)
KNOWN = Known(PSF, (3.0, 2.0))


@pytest.fixture(scope="module")
def case():
    y, x = np.mgrid[:64, :64].astype(float)
    truth = -0.4 * np.sqrt(np.clip(1 - ((x - 0.2 * y - 25) / 5) ** 2, 0, None))
    noise = np.random.default_rng(0).normal(scale=0.003, size=truth.shape)
    blurred = ndimage.convolve(truth, PSF)
    return Case((blurred + noise)[None].astype(np.float32), blurred, truth, KNOWN)


def test_tuning_takes_the_best_of_the_grid(case):
    family = replace(FAMILIES[1], grid={"balance": (1e-4, 1e-3, 1e-2, 1e-1)})
    tuned = tune(family, [case])
    results = {b: family.method({"balance": b})(case.frames, KNOWN) for b in family.grid["balance"]}
    scores = {b: psnr(result, case.truth, data_range=1) for b, result in results.items()}
    assert tuned.setting["balance"] == max(scores, key=scores.get) and tuned.psnr == pytest.approx(max(scores.values()))
    np.testing.assert_array_equal(tuned.method(case.frames, KNOWN), family.method(tuned.setting)(case.frames, KNOWN))


@pytest.mark.parametrize("family", [family.coarse() for family in FAMILIES], ids=lambda family: family.name)
def test_every_family_beats_the_input_or_is_close(family, case):
    assert tune(family, [case]).psnr > psnr(case.frames[0], case.truth, data_range=1) - 1.0
    assert all(len(values) == 2 for values in family.grid.values())


def test_an_end_of_the_grid_is_told_unless_there_is_nothing_beyond():
    family = Family("f", unchanged, {"a": (0.0, 1.0, 2.0), "b": (1.0, 2.0, 3.0)}, natural_ends=(("a", 0.0),))
    assert family.at_edge({"a": 0.0, "b": 2.0}) == ()
    assert family.at_edge({"a": 2.0, "b": 1.0}) == ("a", "b")
    assert len(family.settings()) == 9


def test_a_network_gets_the_frames_round_the_middle(monkeypatch):
    calls = []

    def fake(frames, model, settings, *, header_px, engines):
        assert header_px == (3.0, 2.0)
        calls.append((frames.copy(), settings.frame_range))
        return SimpleNamespace(frames=frames[settings.frame_range[0] - 1 :][:1])

    monkeypatch.setattr(methods, "deblur", fake)
    frames = np.arange(5.0)[:, None, None] * np.ones((5, 16, 16))
    for count, expected in ((1, [2]), (3, [1, 2, 3]), (5, [0, 1, 2, 3, 4])):
        model = SimpleNamespace(architecture=SimpleNamespace(frames=count))
        assert (network_method(model)(frames, KNOWN) == 2).all()
        given, chosen = calls[-1]
        assert given[:, 0, 0].tolist() == expected and chosen == (count // 2 + 1, count // 2 + 1)
    assert (unchanged(frames, KNOWN) == 2).all()


def test_a_network_is_given_the_blur_of_the_header():
    """Or something wrong, or nothing, as is asked for."""
    assert assumed_blur(KNOWN) == (3.0, 2.0) and assumed_blur(KNOWN, 2.0) == (6.0, 4.0)
    assert assumed_blur(KNOWN, 100.0) == (LARGEST_BLUR_PX, LARGEST_BLUR_PX)
    assert assumed_blur(KNOWN, None) is assumed_blur(Known(PSF, None)) is None
