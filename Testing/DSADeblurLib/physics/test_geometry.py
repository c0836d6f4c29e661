"""Cone-beam formulas against hand calculations and ray tracing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from DSADeblurLib.physics.geometry import (
    blur_at_detector_mm,
    blur_in_object_mm,
    blur_in_pixels,
    magnification,
    magnification_in_depth,
)

_SPOT = st.floats(0.1, 3.0)
_SOD = st.floats(300.0, 900.0)
_GAP = st.floats(1.0, 900.0)


def test_worked_example():
    factor = magnification(1100, 720)
    assert blur_at_detector_mm(0.6, factor) == pytest.approx(0.3167, abs=5e-5)
    assert blur_in_pixels(0.6, factor, 0.154) == pytest.approx(2.06, abs=5e-3)


@given(_SPOT, _SOD, _GAP)
def test_agrees_with_rays_from_the_edges_of_the_spot(spot, sod, gap):
    # Similar triangles: rays from both edges of the spot through one point at distance sod meet the detector apart.
    edges = np.array([-spot / 2, spot / 2])
    hits = edges + (0.0 - edges) * (sod + gap) / sod
    assert blur_at_detector_mm(spot, magnification(sod + gap, sod)) == pytest.approx(np.ptp(hits), rel=1e-6)


@given(_SPOT, _SOD, _GAP)
def test_object_blur_is_detector_blur_demagnified(spot, sod, gap):
    factor = magnification(sod + gap, sod)
    assert blur_in_object_mm(spot, factor) * factor == pytest.approx(blur_at_detector_mm(spot, factor), rel=1e-9)
    assert blur_in_object_mm(spot, factor) < spot


def test_contact_has_no_blur():
    assert blur_at_detector_mm(0.6, 1.0) == 0.0


@pytest.mark.parametrize(
    "call",
    [
        lambda: magnification(700, 700),
        lambda: magnification(0, 700),
        lambda: magnification(float("nan"), 700),
        lambda: blur_at_detector_mm(-0.6, 1.5),
        lambda: blur_at_detector_mm(0.6, 0.9),
        lambda: blur_in_object_mm(0.6, float("inf")),
        lambda: blur_in_pixels(0.6, 1.5, 0.0),
    ],
)
def test_impossible_geometry_is_refused(call):
    with pytest.raises(ValueError, match="must be"):
        call()


@given(_SOD, _GAP, st.floats(0, 1), st.floats(0, 100))
def test_depth_changes_magnification_as_the_distances_say(sod, gap, part, depth):
    sid = sod + gap
    low, high = magnification_in_depth(sid / sod, sid / sod, sid, depth)
    assert high == pytest.approx(sid / (sod - depth)) and low == pytest.approx(max(1, sid / (sod + depth)))
    assert low - 1e-9 <= max(1, sid / (sod + (2 * part - 1) * depth)) <= high + 1e-9
    # A plane of uncertain magnification gives a range that holds that of each.
    wide = magnification_in_depth(1.0, sid / sod + 0.1, sid, depth / 10)
    assert wide[0] == 1 and wide[1] > sid / sod


@pytest.mark.parametrize(
    "call",
    [
        lambda: magnification_in_depth(1.6, 1.5, 1000, 50),
        lambda: magnification_in_depth(1.5, 1.5, 1000, -1),
        lambda: magnification_in_depth(2.0, 2.0, 100, 50),
        lambda: magnification_in_depth(1.5, 1.5, 1000, float("nan")),
    ],
)
def test_depths_that_reach_the_source(call):
    with pytest.raises(ValueError, match="do not fit a source to detector distance"):
        call()
