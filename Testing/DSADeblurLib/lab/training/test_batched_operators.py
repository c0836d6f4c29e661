"""Every operator on batches of tensors gives what its original gives, frame by frame."""

import numpy as np
import pytest
import torch

from DSADeblurLib.lab.simulation import effects
from DSADeblurLib.lab.training.batched_operators import (
    Grid,
    aperture_numbers,
    detector_mtf,
    draw_quanta,
    removable_otf,
    sharpened,
    spot_otf,
    toned,
    transmission,
    turned_and_shifted,
    turned_spots,
    zoomed,
)
from DSADeblurLib.physics.acquisition import shift_frame
from DSADeblurLib.physics.blur import Blur
from DSADeblurLib.physics.detector import Detector
from DSADeblurLib.physics.focal_spot import SHAPES, FocalSpot
from DSADeblurLib.physics.noise import draw_quanta as draw_quanta_numpy

SIDE, PADS = 48, (8, 8)
SPACING = 0.2
CLOSE = {"rtol": 0, "atol": 1e-5}


@pytest.fixture
def frames() -> np.ndarray:
    """Three frames with hard edges, values from 0 to 1."""
    values = np.random.default_rng(0).random((3, SIDE, SIDE), np.float32)
    values[:, 10:30, 15:40] *= 0.1
    return values


def tensors(values, device) -> torch.Tensor:
    return torch.as_tensor(np.asarray(values, np.float32)).to(device)


def on_this_grid(transfer) -> Blur:
    """The blur of `physics`, continued beyond the border as far as the grid is."""
    reach = (PADS[0] - 2.5) * SPACING
    blur = Blur(transfer, (SIDE, SIDE), SPACING, (reach, reach))
    assert blur.padded_shape == (SIDE + sum(PADS),) * 2
    return blur


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("degrees", [0.0, 90.0, 33.0])
def test_spots(device, frames, shape, degrees):
    spots = [FocalSpot(0.6 + 0.2 * n, 1.1, shape, degrees) for n in range(3)]
    scales = np.array([0.25, 0.5])
    grid = Grid(SIDE, PADS, device)
    otfs = spot_otf(grid, tensors([s.otf_factors() for s in spots], device), tensors([scales / SPACING] * 3, device))
    spectrum, level = grid.spectrum(tensors(frames, device)[:, None])
    ours = grid.frames(spectrum * otfs, level).cpu().numpy()
    for spot, frame, found in zip(spots, frames, ours, strict=True):
        for scale, blurred in zip(scales, found, strict=True):
            blur = on_this_grid(lambda fu, fv, spot=spot, scale=scale: spot.otf(fu * scale, fv * scale))
            np.testing.assert_allclose(blurred, blur.apply(frame), **CLOSE)
    assert not np.allclose(ours[:, 0], frames, atol=1e-2)


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
def test_turned_spots_blur_turned_frames(frames, turns, mirrored):
    """As a pool turns its patches. The highest frequency of an even grid has one sign only: hence the tolerance."""
    spot = np.array([[*FocalSpot(1.2, 0.5, "gaussian", 33.0).otf_factors(), 4.0]], np.float32)
    turned = turned_spots(spot, np.array([turns % 2 == 1]), np.array([turns % 2 == 1]) != mirrored)

    def blurred(frame, spots):
        grid = Grid(SIDE, PADS)
        spectrum, level = grid.spectrum(tensors(frame.copy(), "cpu")[None, None])
        return grid.frames(spectrum * removable_otf(grid, tensors(spots, "cpu")), level)[0, 0].numpy()

    def placed(frame):
        frame = np.rot90(frame, turns)
        return frame[::-1] if mirrored else frame

    np.testing.assert_allclose(blurred(placed(frames[0]), turned), placed(blurred(frames[0], spot)), rtol=0, atol=1e-3)
    assert not np.allclose(blurred(frames[0], spot), frames[0], atol=0.05)


def test_detectors(device, frames):
    detectors = [Detector(SPACING, 0.3, glare_fraction=0.05 * n, glare_width_mm=2 + n) for n in range(3)]
    grid = Grid(SIDE, PADS, device)
    numbers = [(d.spacing_mm[0], d.scintillator_mm2, d.glare_fraction, d.glare_width_mm) for d in detectors]
    mtf = detector_mtf(grid, *tensors(numbers, device).unbind(1))
    spectrum, level = grid.spectrum(tensors(frames, device))
    ours = grid.frames(spectrum * mtf, level).cpu().numpy()
    for detector, frame, found in zip(detectors, frames, ours, strict=True):
        np.testing.assert_allclose(found, on_this_grid(detector.mtf).apply(frame), **CLOSE)


def test_turned_and_shifted(device, frames):
    shifts, degrees = [(0.3, -0.7), (2.6, 1.4), (0.0, 0.0)], [0.0, 0.4, -2.0]
    ours = turned_and_shifted(tensors(frames, device), tensors(shifts, device), tensors(degrees, device)).cpu().numpy()
    for frame, shift, turn, found in zip(frames, shifts, degrees, ours, strict=True):
        np.testing.assert_allclose(found, shift_frame(frame, shift, turn), **CLOSE)


@pytest.mark.parametrize("order", [1, 3])
def test_zoomed(device, frames, order):
    zooms = [1.05, 1.3, 1.6]
    ours = zoomed(tensors(frames, device), tensors(zooms, device), order).cpu().numpy()
    for frame, zoom, found in zip(frames, zooms, ours, strict=True):
        np.testing.assert_allclose(found, effects.zoomed(frame, zoom, order), **CLOSE)


def test_sharpened(device, frames):
    radii, amounts = [0.6, 1.7, 4.0], [0.2, 1.5, 0.7]
    both = np.stack((frames, frames[:, ::-1]), axis=1)
    ours = sharpened(tensors(both, device), tensors(radii, device), tensors(amounts, device)).cpu().numpy()
    for pair, radius, amount, found in zip(both, radii, amounts, ours, strict=True):
        np.testing.assert_allclose(found, effects.sharpened(pair, radius, amount), **CLOSE)


def test_apertures(device):
    apertures = [
        effects.Aperture(((3.0, 0.7), (92.0, 0.5)), None, 4.0, 0.02),
        effects.Aperture((), 0.7, 2.0, 0.05),
        None,
    ]
    numbers = tensors([aperture_numbers(a) for a in apertures], device)
    frame, offset = 60, [(0.0, 0.0), (-6.0, 6.0), (6.0, 0.0)]
    ours = transmission(numbers, SIDE, tensors([frame] * 3, device), tensors(offset, device)).cpu().numpy()
    for aperture, (row, column), found in zip(apertures[:2], offset, ours, strict=False):
        top, left = (int((frame - SIDE) / 2 + shift) for shift in (row, column))
        whole = aperture.transmission((frame, frame))
        np.testing.assert_allclose(found, whole[top : top + SIDE, left : left + SIDE], **CLOSE)
        assert found.min() < 0.1 < 0.9 < found.max()
    np.testing.assert_array_equal(ours[2], 1)


@pytest.mark.parametrize("kind", effects.DOMAINS)
def test_tables(device, kind):
    domain = effects.DOMAINS[kind]
    values = np.random.default_rng(1).uniform(domain.low - 1, domain.high + 1, (4, 2, 20, 20)).astype(np.float32)
    tones = [effects.Tone(0.7, 0.3, 8), effects.Tone(0.0, np.inf, 12), effects.Tone(0.4, np.inf, 9), effects.Tone()]
    numbers = tensors([(t.exponent, t.compression, t.bits) for t in tones], device)
    for quantised in (False, True):
        ours = toned(tensors(values, device), numbers, tensors([domain] * 4, device), quantised).cpu().numpy()
        for tone, value, found in zip(tones, values, ours, strict=True):
            wrong = np.abs(found - tone.apply(value, domain, quantised)) > 1e-5
            # A value halfway between two steps may go to either.
            assert wrong.mean() < (0.005 if quantised else 1e-9)


@pytest.mark.parametrize("expected", [0.0, 0.7, 30.0, 99.0, 150.0, 1e4])
def test_quanta(device, expected):
    """The same mean, variance and skewness as those of the simulation, within four standard errors."""
    count = 200_000
    random = torch.Generator(device).manual_seed(3)
    ours = draw_quanta(torch.full((count,), expected, device=device), random).cpu().numpy().astype(float)
    theirs = draw_quanta_numpy(np.full(count, expected, np.float32), np.random.default_rng(3)).astype(float)
    error = 4 * np.sqrt(2 / count)
    assert abs(ours.mean() - theirs.mean()) <= error * np.sqrt(expected)
    # Of a variance v the estimate varies by v sqrt((2 + 1/mean) / n).
    assert abs(ours.var() - theirs.var()) <= error * expected * np.sqrt(2 + 1 / max(expected, 1e-9))
    if expected < 100:
        np.testing.assert_array_equal(ours, ours.round())
