"""A line's spread is the projection of the blur that physics applies to frames, and follows from a header."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from DSADeblurLib.measurement.line_spread import SystemBlur, deblurred_blur, run_blurs
from DSADeblurLib.physics.detector import Detector
from DSADeblurLib.xa import read_acquisition

QUIET = Detector(scintillator_mm2=0.0, aperture=False, glare_fraction=0.0)


def deviation(spread, step):
    x = step * (np.arange(spread.size) - spread.size // 2)
    return math.sqrt(spread @ x**2)


@settings(max_examples=30, deadline=None)
@given(rows=st.floats(2, 8), columns=st.floats(2, 8), angle=st.floats(0, math.pi))
def test_variances_are_projected_on_the_direction(rows, columns, angle):
    spread = SystemBlur((rows, columns), QUIET).line_spread((math.sin(angle), math.cos(angle)), 0.25)
    expected = math.sqrt(((rows * math.sin(angle)) ** 2 + (columns * math.cos(angle)) ** 2) / 12)
    assert spread.sum() == pytest.approx(1)
    assert deviation(spread, 0.25) == pytest.approx(expected, rel=1e-3)


def test_without_a_spot_the_detector_is_left():
    detector = Detector(spacing_mm=0.2, scintillator_mm2=0.0)
    spread = SystemBlur((0, 0), detector).line_spread((0.0, 1.0), 0.05)
    # A pixel's aperture is a rectangle one pixel wide.
    x = 0.05 * (np.arange(spread.size) - spread.size // 2)
    assert spread[np.abs(x) < 0.4].mean() * 20 == pytest.approx(1, rel=0.02)
    assert abs(spread[(np.abs(x) > 0.6) & (np.abs(x) < 5)].sum()) < 0.02


def header(**values):
    dataset = Dataset()
    known = dict(DistanceSourceToDetector=1200, DistanceSourceToPatient=800, FocalSpots=0.8)
    for name, value in {**known, "ImagerPixelSpacing": [0.2, 0.2], **values}.items():
        setattr(dataset, name, value)
    return read_acquisition(dataset)


def test_a_header_tells_both_blurs():
    original, deblurred = run_blurs(header())
    # 1.4 times the nominal spot, and the small spot that networks restore to, at a magnification of 1.5.
    assert original.spot_px == pytest.approx((0.5 * 1.4 * 0.8 / 0.2,) * 2)
    assert deblurred.spot_px == pytest.approx((0.5 * 0.3 / 0.2,) * 2)
    assert run_blurs(header(), sharpness=0.0)[1].spot_px == pytest.approx(original.spot_px)
    narrow, wide = original.ends
    assert narrow.spot_px < original.spot_px < wide.spot_px and not wide.ends


def test_a_small_spot_leaves_nothing_to_remove():
    original, deblurred = run_blurs(header(FocalSpots=0.2))
    assert original.spot_px == deblurred.spot_px


def test_an_incomplete_header_tells_none():
    assert run_blurs(read_acquisition(Dataset())) is None


@pytest.mark.parametrize("widths", [(-1.0, 2.0), (math.nan, 1.0)])
def test_widths_that_cannot_be_are_refused(widths):
    with pytest.raises(ValueError, match="at least 0"):
        SystemBlur(widths)


def test_what_a_network_errs_by_matters_most_for_narrow_vessels():
    blur = SystemBlur((2.0, 2.0), width_error_px=0.3, square_error_px2=4.0)
    assert blur.width_error(1000.0) == pytest.approx(0.3, abs=1e-4)
    assert blur.width_error(10.0) == pytest.approx(0.5) and blur.width_error(0.0) == pytest.approx(4.01, abs=0.01)
    original, deblurred = SystemBlur((2.0, 2.0)), deblurred_blur(SystemBlur((2.0, 2.0)))
    assert original.width_error(5.0) == 0.0 < deblurred.width_error(5.0) and deblurred.spot_px == original.spot_px
