"""Quality figures agree with their formulas, with scikit-image, and with a second implementation."""

import math
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from scipy.special import erf

from DSADeblurLib.lab.image_quality.quality import edge_psnr, near_edges, psnr, ssim

WALLS = (34.2, 45.7)


@pytest.fixture
def truth():
    y, x = np.mgrid[:80, :100].astype(float)
    return -0.25 * (erf(x - WALLS[0]) - erf(x - WALLS[1])) + 0.0005 * y


@given(error=st.floats(1e-4, 1), data_range=st.floats(0.1, 10))
def test_psnr_of_a_constant_error(error, data_range):
    frame = np.zeros((4, 5))
    assert psnr(frame + error, frame, data_range=data_range) == pytest.approx(20 * math.log10(data_range / error))


def test_equal_frames(truth):
    assert psnr(truth, truth, data_range=1) == math.inf
    assert ssim(truth, truth, data_range=1) == pytest.approx(1)


def test_ssim_is_that_of_wang_et_al(truth):
    """Computed again from the paper's formula with a Gaussian of 1.5 pixels, cut at 3.5 sigma."""
    test = truth + np.random.default_rng(0).normal(scale=0.05, size=truth.shape)

    def mean(values):
        return ndimage.gaussian_filter(values, 1.5, truncate=3.5)

    c1, c2 = 0.01**2, 0.03**2
    mx, my = mean(truth), mean(test)
    vx, vy, vxy = mean(truth**2) - mx**2, mean(test**2) - my**2, mean(truth * test) - mx * my
    index = (2 * mx * my + c1) * (2 * vxy + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    assert ssim(test, truth, data_range=1) == pytest.approx(index[5:-5, 5:-5].mean(), abs=1e-9)


def test_near_edges_lies_within_three_pixels_of_the_vessel_walls(truth):
    mask = near_edges(truth, data_range=1)[5:-5]
    cols = np.flatnonzero(mask.all(axis=0))
    distance = np.abs(cols[:, None] - np.array(WALLS)).min(axis=1)
    assert mask.any(axis=0).sum() == cols.size and distance.max() <= 3.5
    assert {33, 35, 44, 47} <= set(cols) and 40 not in cols and 10 not in cols


def test_edge_psnr_sees_errors_at_edges_only(truth):
    noise = np.random.default_rng(0).normal(scale=0.02, size=truth.shape)
    mask = near_edges(truth, data_range=1)
    at_edges, elsewhere = truth + noise * mask, truth + noise * ~mask
    near = partial(edge_psnr, truth=truth, data_range=1, edge_mask=mask)
    assert near(elsewhere) == math.inf
    assert near(at_edges) == pytest.approx(-20 * math.log10(0.02), abs=0.5)
    assert near(at_edges) < psnr(at_edges, truth, data_range=1)
    none = near_edges(np.zeros((20, 20)), data_range=1)
    assert math.isnan(edge_psnr(np.ones((20, 20)), np.zeros((20, 20)), data_range=1, edge_mask=none))


def test_unusable_arguments_are_refused(truth):
    for measure in (psnr, ssim):
        with pytest.raises(TypeError, match="data_range"):
            measure(truth, truth)
        with pytest.raises(ValueError, match="above 0"):
            measure(truth, truth, data_range=0)
        with pytest.raises(ValueError, match="same shape"):
            measure(truth, truth[1:], data_range=1)
    with pytest.raises(ValueError, match="at least 11 x 11"):
        ssim(truth[:8], truth[:8], data_range=1)
    with pytest.raises(ValueError, match="edge mask"):
        edge_psnr(truth, truth, data_range=1, edge_mask=np.ones((2, 2), bool))
