"""Diameters of exact vessels at any place, direction and background, and reasons where there is none."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vesselimages import BLUR, line_across, vessel_image

from DSADeblurLib.measurement.calibration import uncalibrated
from DSADeblurLib.measurement.cross_section import AT_THE_EDGE, NO_VESSEL, TOO_FAINT, Aim, aim_across
from DSADeblurLib.measurement.cylinder_fit import KnownDensity
from DSADeblurLib.measurement.diameter import (
    BLUR_HIDES,
    BLUR_TOO_WIDE,
    BLUR_UNKNOWN,
    DENSITOMETRIC,
    DERIVATIVE,
    HALF_MAXIMUM,
    METHODS,
    MODEL_FIT,
    Diameter,
    measure_at,
    measure_line,
)
from DSADeblurLib.measurement.line_spread import SystemBlur
from DSADeblurLib.physics.detector import Detector

SHARP = SystemBlur((0.0, 0.0), Detector(scintillator_mm2=0.0))


def values(section):
    return {method: section.diameters[method].value for method in METHODS}


@settings(max_examples=25, deadline=None)
@given(
    diameter=st.floats(4.0, 14.0),
    angle=st.floats(0, math.pi),
    row=st.floats(38, 42),
    turn=st.floats(-0.25, 0.25),
    slope=st.tuples(st.floats(-0.003, 0.003), st.floats(-0.003, 0.003)),
    level=st.floats(-2, 2),
)
def test_the_model_fit_is_exact_wherever_and_however_the_line_lies(diameter, angle, row, turn, slope, level):
    image = vessel_image(diameter, angle, (row, 40.0), slope=slope, level=level)
    found = measure_line(image, *line_across(angle, turn=turn), BLUR).diameters[MODEL_FIT]
    assert found.value == pytest.approx(diameter, abs=0.12)
    assert abs(np.dot(found.direction, (-math.sin(angle), math.cos(angle)))) > math.cos(0.03)


@settings(max_examples=15, deadline=None)
@given(diameter=st.floats(10.0, 20.0), angle=st.floats(0, math.pi))
def test_all_methods_are_right_for_a_wide_vessel_without_blur(diameter, angle):
    image = vessel_image(diameter, angle, blur=SHARP)
    found = values(measure_line(image, *line_across(angle, half=18), SHARP))
    limits = {HALF_MAXIMUM: 0.03, DERIVATIVE: 0.1, DENSITOMETRIC: 0.03, MODEL_FIT: 0.02}
    for method, limit in limits.items():
        assert found[method] == pytest.approx(diameter, rel=limit), method


def test_blur_widens_all_but_the_model_fit():
    narrow = values(measure_line(vessel_image(3.0), *line_across(), BLUR))
    assert narrow[MODEL_FIT] == pytest.approx(3.0, abs=0.2)
    assert min(narrow[HALF_MAXIMUM], narrow[DENSITOMETRIC]) > 4
    assert narrow[DERIVATIVE] > 3.3


def test_a_known_density_makes_the_densitometric_diameter_free_of_blur():
    image = vessel_image(3.0)
    aim = aim_across(image, *line_across())
    found = measure_at(image, aim, BLUR, density=KnownDensity(0.02, 0.001)).diameters[DENSITOMETRIC]
    assert found.value == pytest.approx(3.0, abs=0.1)
    assert found.low < 3.0 - 0.04 and found.high > 3.0 + 0.04


@settings(max_examples=15, deadline=None)
@given(distance=st.floats(13, 24), other=st.floats(3, 8), side=st.sampled_from((-1, 1)))
def test_a_neighbour_does_not_matter(distance, other, side):
    """By more than a quarter of a pixel; one that is near and wide may be too much, which is said."""
    place = (40 - side * distance * math.sin(0.3), 40 + side * distance * math.cos(0.3))
    image = vessel_image(6.0) + vessel_image(other, middle=place)
    found = values(measure_line(image, *line_across(half=8), BLUR))
    if math.isnan(found[MODEL_FIT]):
        assert distance - (6 + other) / 2 < 8
        return
    assert found[MODEL_FIT] == pytest.approx(6.0, abs=0.25)
    alone = values(measure_line(vessel_image(6.0), *line_across(half=8), BLUR))
    assert found[HALF_MAXIMUM] == pytest.approx(alone[HALF_MAXIMUM], abs=0.3)


def test_a_crossing_vessel_is_noticed():
    image = vessel_image(6.0, 0.3) + vessel_image(6.0, 1.3, middle=(42.0, 41.0))
    found = measure_line(image, *line_across(), BLUR)
    assert all(not math.isfinite(one.value) and one.reason for one in found.diameters.values())


@pytest.mark.parametrize(
    ("image", "line", "reason"),
    [
        (np.zeros((81, 81)), line_across(), NO_VESSEL),
        (0.02 * np.random.default_rng(0).normal(size=(81, 81)), line_across(), NO_VESSEL),
        (-vessel_image(6.0), line_across(), NO_VESSEL),
        (vessel_image(6.0, 0.0, (40, 4.0)), ((40, 0), (40, 10)), AT_THE_EDGE),
        (np.zeros((81, 81)), ((200, 200), (200, 220)), AT_THE_EDGE),
    ],
    ids=["nothing", "noise", "bright", "edge", "outside"],
)
def test_what_cannot_be_measured_has_a_reason_and_no_number(image, line, reason):
    found = measure_line(image, *line, BLUR)
    assert {one.reason for one in found.diameters.values()} == {reason}
    assert np.isnan(list(values(found).values())).all() and found.section is None
    assert all(one.measured(uncalibrated()) is None for one in found.diameters.values())


def test_a_vessel_near_the_edge_with_background_on_both_sides_is_measured():
    image = vessel_image(6.0, 0.0, (40, 12.0))
    assert values(measure_line(image, (40, 4), (40, 20), BLUR))[MODEL_FIT] == pytest.approx(6.0, abs=0.1)


def test_noise_hides_a_faint_vessel():
    image = vessel_image(2.0, density=0.002) + 0.03 * np.random.default_rng(1).normal(size=(81, 81))
    aim = Aim((40.0, 40.0), (-math.sin(0.3), math.cos(0.3)), 5.0)
    found = measure_at(image, aim, BLUR)
    assert {one.reason for one in found.diameters.values()} <= {NO_VESSEL, TOO_FAINT}


def test_a_vessel_far_narrower_than_the_blur_has_no_width_of_its_own():
    image = vessel_image(1.0, density=0.05) + 0.001 * np.random.default_rng(2).normal(size=(81, 81))
    assert measure_line(image, *line_across(), BLUR).diameters[MODEL_FIT].reason == BLUR_HIDES


def test_without_the_blur_there_is_no_model_fit_but_everything_else():
    found = measure_line(vessel_image(6.0), *line_across())
    assert found.diameters[MODEL_FIT].reason == BLUR_UNKNOWN
    assert all(math.isfinite(found.diameters[method].value) for method in METHODS if method != MODEL_FIT)


def test_a_blur_that_is_far_too_wide_is_noticed_and_the_other_methods_do_without_it():
    image = vessel_image(4.0) + 0.0005 * np.random.default_rng(3).normal(size=(81, 81))
    right, wrong = (measure_line(image, *line_across(), BLUR.scaled(factor)).diameters for factor in (1.0, 2.5))
    assert wrong[MODEL_FIT].reason in (BLUR_TOO_WIDE, BLUR_HIDES)
    for method in (HALF_MAXIMUM, DERIVATIVE, DENSITOMETRIC):
        assert wrong[method].value == pytest.approx(right[method].value, abs=0.5)


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    rng, image = np.random.default_rng(0), vessel_image(7.0)
    found = [
        measure_line(image + 0.01 * rng.normal(size=image.shape), *line_across(), BLUR).diameters[MODEL_FIT]
        for _ in range(60)
    ]
    assert sum(one.low <= 7.0 <= one.high for one in found) >= 52
    assert np.mean([one.high - one.low for one in found]) < 1.0


def test_an_uncertain_blur_widens_the_interval_of_the_model_fit():
    image = vessel_image(5.0)
    uncertain = SystemBlur((4.0, 4.0), Detector(), relative_error=0.3)
    found = measure_line(image, *line_across(), uncertain).diameters[MODEL_FIT]
    for factor in (0.75, 1.25):
        wrong = measure_line(image, *line_across(), BLUR.scaled(factor)).diameters[MODEL_FIT]
        assert found.low < wrong.value < found.high
    assert found.high - found.low > 0.3


def test_the_other_methods_reach_to_what_the_model_finds_where_blur_widens_them():
    image, aim = vessel_image(3.0), Aim((40.0, 40.0), (-math.sin(0.3), math.cos(0.3)), 4.0)
    found = measure_at(image, aim, BLUR).diameters
    for method in (HALF_MAXIMUM, DENSITOMETRIC):
        assert found[method].low < 3.1 < found[method].value - found[method].noise


@pytest.mark.parametrize("scale", [60.0, 2000.0])
def test_grey_values_and_stored_logarithms_are_measured_as_well(scale):
    image = vessel_image(9.0, density=0.001) + 0.0002 * np.random.default_rng(4).normal(size=(81, 81))
    right, other = (measure_line(one, *line_across(), BLUR).diameters for one in (image, 100 + scale / 0.009 * image))
    for method in METHODS:
        assert other[method].value == pytest.approx(right[method].value, rel=0.02)


def test_a_network_that_is_no_filter_widens_all_intervals():
    image, aim = vessel_image(6.0), Aim((40.0, 40.0), (-math.sin(0.3), math.cos(0.3)), 6.0)
    sure, unsure = (measure_at(image, aim, replace(BLUR, width_error_px=error)) for error in (0.0, 0.5))
    for method in METHODS:
        one, other = sure.diameters[method], unsure.diameters[method]
        assert one.value == other.value and other.low < one.low and other.high > one.high
        assert one.noise == other.noise <= other.value - other.low and other.value - other.low >= 0.5
    assert unsure.area_error > sure.area_error


def test_the_calibration_joins_the_interval_and_knows_both_sides_of_a_pixel():
    level, upright = (Diameter(4.0, 3.0, 6.0, direction) for direction in ((0.0, 1.0), (1.0, 0.0)))
    shown = level.measured(uncalibrated(2.0)), upright.measured(uncalibrated(2.0))
    assert [(one.low, one.value, one.high) for one in shown] == [(3.0, 4.0, 6.0), (6.0, 8.0, 12.0)]


def test_a_line_without_length_is_refused():
    with pytest.raises(ValueError, match="longer than nothing"):
        measure_line(np.zeros((20, 20)), (5, 5), (5, 5))
