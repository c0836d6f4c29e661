"""The two controls: their ends are the frame and the network's output, and no faint vessel goes with the noise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from DSADeblurLib.request import DeblurSettings
from DSADeblurLib.restoration.controls import apply_controls, reblurred
from DSADeblurLib.restoration.lines import line_map
from DSADeblurLib.restoration.normalisation import Aperture

SHARES = st.floats(0, 1)
RNG = np.random.default_rng(3)
FRAME, OUTPUT = (RNG.normal(size=(40, 50)).astype(np.float32) for _ in range(2))
FRAME_WITH_LINE = FRAME.copy()
FRAME_WITH_LINE[:, 24:27] -= 5


def controlled(s, n, frame=FRAME, output=OUTPUT, blur=(3.0, 2.0), aperture=None, uniform=True):
    settings = DeblurSettings(sharpness=s, noise_reduction=n, uniform_noise_reduction=uniform)
    return apply_controls(frame, output, settings, blur, aperture or Aperture())


@given(s=SHARES, n=SHARES)
def test_the_result_is_the_formula(s, n):
    blurred = reblurred(OUTPUT, (3.0, 2.0), Aperture())
    expected = blurred + s * (OUTPUT - blurred) + (1 - n) * (FRAME - blurred)
    np.testing.assert_allclose(controlled(s, n), expected, atol=1e-5)


def test_the_ends():
    np.testing.assert_array_equal(controlled(1, 1), OUTPUT)
    np.testing.assert_array_equal(controlled(0, 0), FRAME)
    np.testing.assert_allclose(controlled(0, 1), reblurred(OUTPUT, (3.0, 2.0), Aperture()), atol=1e-6)


def test_equal_controls_need_no_blur():
    np.testing.assert_allclose(controlled(0.3, 0.3, blur=None), 0.7 * FRAME + 0.3 * OUTPUT, atol=1e-6)


@given(s=SHARES, n=SHARES, level=st.floats(-5, 5))
def test_a_flat_frame_stays(s, n, level):
    flat = np.full((20, 20), level, np.float32)
    np.testing.assert_allclose(controlled(s, n, flat, flat), flat, atol=1e-5)


@given(n=SHARES)
def test_where_the_network_explains_the_frame_noise_reduction_changes_nothing(n):
    """Then there is no rest to be given back, and the picture is the network's at any noise reduction."""
    frame = reblurred(OUTPUT, (3.0, 2.0), Aperture())
    np.testing.assert_allclose(controlled(1, n, frame), OUTPUT, atol=1e-5)


def test_what_the_network_dropped_comes_back():
    """A faint vessel that the network took for noise keeps the share 1 - n of its contrast."""
    vessel = np.zeros((40, 50), np.float32)
    vessel[:, 25] = -1
    for n in (0, 0.25, 0.5, 1):
        kept = controlled(1, n, FRAME + vessel) - controlled(1, n, FRAME)
        np.testing.assert_allclose(kept, (1 - n) * vessel, atol=1e-5)


@given(s=SHARES, n=SHARES)
def test_lines_keep_what_the_network_dropped_whatever_the_noise_reduction(s, n):
    lines = line_map(FRAME_WITH_LINE)
    blurred = reblurred(OUTPUT, (3.0, 2.0), Aperture())
    expected = blurred + s * (OUTPUT - blurred) + (1 - n * (1 - lines)) * (FRAME_WITH_LINE - blurred)
    result = controlled(s, n, FRAME_WITH_LINE, uniform=False)
    np.testing.assert_allclose(result, expected, atol=1e-4)
    on_the_line = lines > 0.999
    assert on_the_line[:, 25].mean() > 0.9
    np.testing.assert_allclose(result[on_the_line], controlled(s, 0, FRAME_WITH_LINE)[on_the_line], atol=0.02)


def test_the_width_along_rows_is_not_that_along_columns():
    point = np.zeros((41, 41), np.float32)
    point[20, 20] = 1
    spread = reblurred(point, (6.0, 0.0), Aperture())
    assert np.count_nonzero(spread[20]) == 1 and spread[:, 20].sum() == pytest.approx(1, abs=1e-5)
    rows = np.arange(41) - 20
    # A uniform spot of width 6 has the variance 6^2 / 12 = 3.
    assert (spread[:, 20] * rows**2).sum() == pytest.approx(3, rel=0.02)


def test_a_shutter_leaves_no_mark_in_the_rest():
    exposed = np.zeros((40, 50), bool)
    exposed[10:30, 10:40] = True
    frame, output = np.where(exposed, FRAME, 100), np.where(exposed, OUTPUT, 100)
    result = controlled(1, 0.5, frame.astype(np.float32), output.astype(np.float32), aperture=Aperture(exposed))
    assert np.abs(result[exposed]).max() < 20
    np.testing.assert_allclose(result[~exposed], 100)
    # Well inside it is as without the shutter.
    inside = ndimage.binary_erosion(exposed, iterations=6)
    np.testing.assert_allclose(result[inside], controlled(1, 0.5)[inside], atol=1e-4)
