"""A batch of pairs is what `acquire_pair` gives for each, noise apart; the noise has the same statistics."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from DSADeblurLib.lab.simulation.effects import Aperture, Effects, Tone
from DSADeblurLib.lab.simulation.pairs import KINDS, acquire_pair, open_field, random_conditions
from DSADeblurLib.lab.simulation.scene import Scene, random_scene
from DSADeblurLib.lab.simulation.sets import BLUR_PX, QUANTA
from DSADeblurLib.lab.training.batched_operators import Grid
from DSADeblurLib.lab.training.batched_pairs import Shots, acquire, fitted, shot
from DSADeblurLib.physics import blur
from DSADeblurLib.restoration.normalisation import fit_normalisation

SIDE, PADS = 96, (12, 12)
EFFECTS = {
    "none": Effects(),
    "collimator": Effects(collimator=Aperture(((2.0, 0.6), (91.0, 0.7)), None, 5.0, 0.03)),
    "shutter": Effects(shutter=Aperture((), 0.8, 2.0, 0.0)),
    "overexposed": Effects(overexposed=0.1),
    "zoom": Effects(zoom=1.3),
    "linear zoom and sharpening": Effects(zoom=1.2, zoom_order=1, sharpening=(2.0, 0.8)),
    "sharpening": Effects(sharpening=(1.0, 1.2)),
}


@pytest.fixture(scope="module")
def scene() -> Scene:
    return random_scene(np.random.default_rng(1), (SIDE, SIDE), 3, "targets")


@pytest.fixture
def on_this_grid(monkeypatch):
    """The simulation continues frames beyond their border as far as the batch does."""

    def forget():
        blur._cached_spot_blur.cache_clear()
        blur._cached_detector_blur.cache_clear()

    forget()
    monkeypatch.setattr(blur, "_pad_widths", lambda size, reach_px: PADS)
    yield
    forget()


def drawn(scene: Scene, number: int, effects: Effects):
    conditions = random_conditions(np.random.default_rng(number), scene, QUANTA, BLUR_PX)
    # Motion and rotation of all but one.
    moved = {"motion_px": (0.4, -1.2), "motion_deg": 0.3, "drift_px": (0.1, -0.2)} if number else {}
    return replace(conditions, noise_free=True, effects=effects, **moved)


def batch_of(scene: Scene, conditions: list, kinds: list[str], device, grid=None, exposures=None):
    """Degraded frames (B, moments, S, S) and truths (B, 1, S, S) of one scene under these conditions."""
    exposures = exposures or [open_field(scene, c) for c in conditions]
    rows = [shot(c, scene, exposure) for c, exposure in zip(conditions, exposures, strict=True)]
    shots, arrays = Shots(np.array(rows), device), (scene.static, scene.iodine)
    static, iodine = (torch.tensor(array, device=device).expand(len(rows), *array.shape) for array in arrays)
    subtracted = np.array([kind == "subtracted" for kind in kinds])
    grid, random = grid or Grid(SIDE, PADS, device), torch.Generator(device).manual_seed(5)
    return [values.cpu().numpy() for values in acquire(static, iodine, shots, subtracted, grid, random)]


@pytest.mark.parametrize("name", EFFECTS)
def test_as_the_simulation(device, scene, on_this_grid, name):
    """To 1e-5 of the truth's range, up to the border."""
    conditions = [drawn(scene, number, EFFECTS[name]) for number in range(4)]
    kinds = [KINDS[number % 2] for number in (0, 1, 1, 0)]
    degraded, truth = batch_of(scene, conditions, kinds, device)
    for number, (c, kind) in enumerate(zip(conditions, kinds, strict=True)):
        pair = acquire_pair(scene, c, kind, np.random.default_rng(0))
        most = 1e-5 * np.ptp(pair.truth)
        np.testing.assert_allclose(truth[number, 0], pair.truth, rtol=0, atol=most)
        np.testing.assert_allclose(degraded[number], pair.degraded, rtol=0, atol=most)
        assert np.abs(pair.degraded - pair.truth).max() > 100 * most


def test_as_the_simulation_through_a_table(device, scene, on_this_grid):
    """A value halfway between two of the table's steps may go to either."""
    conditions = [drawn(scene, number, Effects(tone=Tone(0.5, 0.4, 9))) for number in range(2)]
    degraded, truth = batch_of(scene, conditions, list(KINDS), device)
    for number, (c, kind) in enumerate(zip(conditions, KINDS, strict=True)):
        pair = acquire_pair(scene, c, kind, np.random.default_rng(0))
        most = 1e-5 * np.ptp(pair.truth)
        np.testing.assert_allclose(truth[number, 0], pair.truth, rtol=0, atol=most)
        assert (np.abs(degraded[number] - pair.degraded) > most).mean() < 0.005


def test_the_middle_of_a_region_is_that_of_the_frame():
    """What mirroring at a region's border changes where patches are cut, against the whole frame: less than a two
    hundredth of the range, of blur that changes a tenth and more."""
    whole = random_scene(np.random.default_rng(1), (256, 256), 1, "targets")
    region, patch = slice(64, 192), slice(96, 160)
    part = Scene(whole.view, whole.static[:, region, region], whole.iodine[:, :, region, region])
    conditions = [replace(drawn(whole, number, Effects()), motion_deg=0.0) for number in range(4)]
    kinds = [KINDS[number % 2] for number in range(4)]
    exposures = [open_field(whole, c) for c in conditions]
    cut = batch_of(part, conditions, kinds, "cpu", Grid(128, (16, 16)), exposures)
    for number, (c, kind) in enumerate(zip(conditions, kinds, strict=True)):
        pair = acquire_pair(whole, c, kind, np.random.default_rng(0))
        extent = np.ptp(pair.truth[patch, patch])
        for values, expected in zip(cut, (pair.frame, pair.truth), strict=True):
            wrong = np.abs(values[number, 0, 32:-32, 32:-32] - expected[patch, patch])
            assert wrong.max() < 5e-3 * extent
        assert np.abs(pair.frame - pair.truth)[patch, patch].max() > 0.1 * extent


def test_regions_of_a_frame_turn_about_its_middle(scene):
    c = replace(drawn(scene, 1, Effects()), motion_px=(0.5, 0.0), motion_deg=1.0)
    there = shot(c, scene, open_field(scene, c), from_middle_px=(0.0, 100.0))
    # From down towards the right: what lies to the right goes up.
    np.testing.assert_allclose(there["motion"], (0.5 - 100 * np.sin(np.radians(1.0)), 0.0), atol=0.02)


@pytest.mark.parametrize("quanta", [60.0, 3000.0])
@pytest.mark.parametrize("kind", KINDS)
def test_noise_has_the_statistics_of_the_simulation(scene, kind, quanta):
    """Mean, variance and correlation with the neighbours of a flat field's noise, which the detector's MTF makes."""
    flat = replace(scene, static=np.full_like(scene.static, 0.1), iodine=np.zeros_like(scene.iodine))
    base = replace(drawn(scene, 0, Effects()), noise_free=False, quanta=quanta, mask_frames=3)
    base = replace(base, detector=replace(base.detector, bits=14, electronic_noise_quanta=4.0))
    count = 16
    ours, _ = batch_of(flat, [base] * count, [kind] * count, "cpu")
    theirs = np.stack([acquire_pair(flat, base, kind, np.random.default_rng(n)).degraded for n in range(count)])
    for moment in range(3):
        a, b = (values[:, moment].astype(float) for values in (ours, theirs))
        deviation = b.std()
        # 16 x 96 x 96 pixels, of which neighbours are correlated.
        assert abs(a.mean() - b.mean()) < 0.05 * deviation
        assert a.std() == pytest.approx(deviation, rel=0.02)
        for far in (1, 2, 3):
            one, other = ((x[:, :, far:] - x.mean()) * (x[:, :, :-far] - x.mean()) for x in (a, b))
            assert one.mean() == pytest.approx(other.mean(), abs=0.02 * deviation**2)
    # Moments share the mask and nothing else.
    together = np.corrcoef(*(values[:, 0].ravel() for values in (ours[:, :1], ours[:, 1:2])))[0, 1]
    expected = np.corrcoef(*(values[:, 0].ravel() for values in (theirs[:, :1], theirs[:, 1:2])))[0, 1]
    assert together == pytest.approx(expected, abs=0.02)


def test_other_noise_each_time(scene):
    noisy = replace(drawn(scene, 1, Effects()), noise_free=False, quanta=1e3)
    degraded, _ = batch_of(scene, [noisy, noisy], ["native"] * 2, "cpu")
    assert not np.array_equal(degraded[0], degraded[1])


def test_fitted_as_the_run_is(device, scene):
    conditions = [drawn(scene, number, Effects()) for number in range(4)]
    degraded, _ = batch_of(scene, conditions, ["native", "subtracted"] * 2, device)
    offsets, scales = fitted(torch.from_numpy(degraded[:, 1]).to(device))
    for frame, offset, scale in zip(degraded[:, 1], offsets.tolist(), scales.tolist(), strict=True):
        expected = fit_normalisation(frame[None])
        assert offset == pytest.approx(expected.offset, abs=1e-5)
        assert scale == pytest.approx(expected.scale, rel=1e-4)
    offset, scale = fitted(torch.full((1, 40, 40), 3.0))
    assert (float(offset), float(scale)) == (3.0, 1.0)
