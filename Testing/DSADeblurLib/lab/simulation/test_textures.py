"""Random fields have the spectrum they are asked for, on fine and coarse grids; blush holds no fine noise."""

import numpy as np
import pytest

from DSADeblurLib.lab.simulation.blush import random_blush
from DSADeblurLib.lab.simulation.textures import random_texture, smooth_texture, spread
from DSADeblurLib.lab.simulation.tubes import View


def slope_of(field, band):
    """Slope of the radial power spectrum between two frequencies in cycles per pixel."""
    window = np.outer(np.hanning(field.shape[0]), np.hanning(field.shape[1]))
    power = np.abs(np.fft.rfft2((field - field.mean()) * window)) ** 2
    radius = np.hypot(np.fft.fftfreq(field.shape[0])[:, None], np.fft.rfftfreq(field.shape[1])[None])
    edges = np.geomspace(*band, 12)
    power = [power[(radius >= a) & (radius < b)].mean() for a, b in zip(edges[:-1], edges[1:], strict=True)]
    return -np.polyfit(np.log(edges[:-1] * edges[1:]) / 2, np.log(power), 1)[0]


@pytest.mark.parametrize("slope", [3.0, 4.0])
def test_power_falls_as_asked(slope):
    field = random_texture(np.random.default_rng(0), (512, 512), slope, 200)
    assert field.std() == pytest.approx(1, rel=1e-3)
    assert slope_of(field, (0.02, 0.3)) == pytest.approx(slope, abs=0.3)


def test_a_coarse_texture_has_the_same_spectrum_and_nothing_finer():
    field = smooth_texture(np.random.default_rng(1), (512, 512), 3.5, 200, coarse=4)
    assert slope_of(field, (0.01, 0.06)) == pytest.approx(3.5, abs=0.6)
    assert slope_of(field, (0.1, 0.4)) > 3.5


@pytest.mark.parametrize("factor", [1, 2, 4, 8])
def test_spreading_keeps_a_smooth_field(factor):
    rows, columns = np.mgrid[0:130, 0:170]
    fine = np.sin(rows / 40.0) * np.cos(columns / 50.0)
    small = tuple(-(-n // factor) + 2 for n in fine.shape)
    r, c = np.mgrid[0 : small[0], 0 : small[1]] * factor
    grid = (np.sin(r / 40.0) * np.cos(c / 50.0)).astype(np.float32)
    np.testing.assert_allclose(spread(grid, factor, fine.shape), fine, atol=0.01)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("spacing", [0.1, 0.3])
def test_blush_is_soft(seed, spacing):
    blush = random_blush(np.random.default_rng(seed), View((384, 384), spacing, 1100.0, 750.0))
    assert blush.min() >= 0 and blush.max() > 0
    assert slope_of(blush, (0.1, 0.4)) > 3
