"""Vessels narrowed by a known degree: drawn as they are told, in a place where they can be measured."""

import numpy as np
import pytest

from DSADeblurLib.lab.simulation.known_stenosis import with_known_stenosis
from DSADeblurLib.lab.simulation.tubes import Tube, View, draw_tubes
from DSADeblurLib.measurement.centre_line import find_centre_line
from DSADeblurLib.measurement.course import measure_course
from DSADeblurLib.measurement.line_spread import SystemBlur
from DSADeblurLib.measurement.stenosis import find_stenosis
from DSADeblurLib.physics.detector import Detector

VIEW = View((256, 256), 0.2, 1100.0, 733.0)


def vessel(across_mm: float, radius_mm: float, height_mm: float = 0.0) -> Tube:
    down = np.arange(-16.0, 16.0, 0.4)
    return Tube.uniform(
        np.column_stack((np.full_like(down, across_mm), down, np.full_like(down, height_mm))), radius_mm
    )


def test_what_is_drawn_measures_as_it_is_told():
    vessels, told = with_known_stenosis([vessel(3.0, 1.0, 30.0)], VIEW, 0.5)
    assert (told.normal_mm, told.least_mm, told.percent) == (2.0, 1.0, 50.0) and told.magnified == pytest.approx(1.0427)
    noise = np.random.default_rng(1).normal(0, 1e-3, VIEW.shape)
    image = noise - 0.16 * draw_tubes(vessels, VIEW, np.array([])).sum(axis=0)
    line = find_centre_line(image, np.array(told.points), 1.5)
    found = find_stenosis(measure_course(image, line, SystemBlur((0, 0), Detector(spacing_mm=0.2))), "model fit")
    assert found.nascet.value == pytest.approx(50, abs=3)
    pixels = float(VIEW.magnification(0.0)) / VIEW.spacing_mm * told.magnified
    assert found.original.value == pytest.approx(pixels * told.normal_mm, rel=0.03)


def test_the_place_is_the_one_with_least_about_it():
    lone, crowded = vessel(-6.0, 1.0), vessel(6.0, 1.2)
    vessels, told = with_known_stenosis([lone, crowded, vessel(7.0, 0.5)], VIEW, 0.3)
    assert vessels[1] is crowded and vessels[0].radii_mm.min() == pytest.approx(0.7)
    assert np.ptp([column for _row, column in told.points]) < 1


@pytest.mark.parametrize(("radius", "lost"), [(1.0, 0.0), (0.4, 0.5), (4.0, 0.5)])
def test_none_is_asked_for_or_no_vessel_has_room(radius, lost):
    vessels = [vessel(0.0, radius)]
    assert with_known_stenosis(vessels, VIEW, lost) == (vessels, None)
