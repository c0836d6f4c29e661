"""Path lengths of tubes against geometry that can be worked out by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from DSADeblurLib.lab.simulation.tubes import Tube, View, draw_tubes

ONE_SLAB = np.array([])
VIEW = View((128, 160), 0.2, 1000.0, 700.0)
PIXEL = VIEW.spacing_mm / VIEW.magnification(0.0)


def straight(radius, angle=0.0, offset=0.0, length=80.0, count=200):
    s = np.linspace(-length / 2, length / 2, count)
    direction = np.array([np.cos(angle), np.sin(angle), 0.0])
    across = np.array([-np.sin(angle), np.cos(angle), 0.0])
    return Tube.uniform(s[:, None] * direction + offset * across, radius)


@settings(max_examples=25, deadline=None)
@given(radius=st.floats(0.03, 3.0), angle=st.floats(0, np.pi), offset=st.floats(-0.5, 0.5))
def test_cross_section_is_kept_at_every_angle_and_subpixel_place(radius, angle, offset):
    # The integral across a tube is the area of its cross section, also when it is thinner than a pixel.
    image = draw_tubes([straight(radius, angle, offset)], VIEW, ONE_SLAB)[0]
    rows, columns = np.indices(image.shape) - (np.array(image.shape)[:, None, None] - 1) / 2
    along = columns * np.cos(angle) + rows * np.sin(angle)
    band = np.abs(along) < 30
    area = image[band].sum() * PIXEL**2 / (60 * PIXEL)
    assert area == pytest.approx(np.pi * radius**2, rel=0.04)


def test_chord_in_the_middle_is_the_diameter():
    image = draw_tubes([straight(2.0)], VIEW, ONE_SLAB)[0]
    assert image.max() == pytest.approx(4.0, rel=0.01)


def test_crossing_tubes_add_up():
    one, other = straight(1.0, 0.3), straight(0.7, 1.8)
    both = draw_tubes([one, other], VIEW, ONE_SLAB)
    np.testing.assert_allclose(both, draw_tubes([one], VIEW, ONE_SLAB) + draw_tubes([other], VIEW, ONE_SLAB), atol=1e-5)


def test_no_seams_along_a_bent_tube():
    angle = np.linspace(0, np.pi, 90)
    points = np.stack((6 * np.cos(angle), 6 * np.sin(angle) - 3, np.zeros_like(angle)), axis=1)
    image = draw_tubes([Tube.uniform(points, 1.0)], VIEW, ONE_SLAB)[0]
    # On the axis, away from the ends, every pixel crosses the full diameter.
    pixels, _ = VIEW.project(points[10:-10])
    on_axis = image[tuple(np.rint(pixels).astype(int).T)]
    assert on_axis.min() > 1.9 and on_axis.max() < 2.1


def test_depth_sorts_into_slabs_and_magnifies():
    near = Tube.uniform(np.array([[-20.0, 0, 40], [0, 0, 40], [20, 0, 40]]), 1.0)
    image = draw_tubes([near], VIEW, np.array([-25.0, 25.0]))
    assert not image[0].any() and not image[1].any() and image[2].any()
    profile = image[2][:, 80]
    width = np.count_nonzero(profile > 0.05)
    assert width == pytest.approx(2.0 * VIEW.magnification(40.0) / VIEW.spacing_mm, abs=2)


def test_oblique_tube_is_as_much_darker_as_its_way_is_longer():
    s = np.linspace(-20, 20, 100)
    tilt = np.deg2rad(45)
    points = np.stack((s * np.cos(tilt), np.zeros_like(s), s * np.sin(tilt)), axis=1)
    image = draw_tubes([Tube.uniform(points, 1.0)], VIEW, ONE_SLAB)[0]
    assert image[:, 75:85].max() == pytest.approx(2.0 / np.cos(tilt), rel=0.04)


def test_nothing_outside_the_view():
    far = Tube.uniform(np.array([[500.0, 0, 0], [510, 0, 0], [520, 0, 0]]), 1.0)
    assert not draw_tubes([far], VIEW, ONE_SLAB).any()
