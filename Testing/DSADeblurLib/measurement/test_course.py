"""A centre line keeps to the middle of a vessel, and diameters along it are those of the vessel."""

import math

import numpy as np
import pytest
from scipy import ndimage
from vesselimages import BLUR, vessel_image

from DSADeblurLib.measurement.centre_line import darkest_way, find_centre_line
from DSADeblurLib.measurement.course import measure_course, measure_curve
from DSADeblurLib.measurement.cross_section import Unmeasurable
from DSADeblurLib.measurement.diameter import HALF_MAXIMUM, MODEL_FIT
from DSADeblurLib.measurement.stenosis import find_stenosis

SHAPE = (120, 90)


def curved_image(diameter=7.0, gap=None, noise=0.003):
    """A vessel along column 45 + 6 sin(row / 20), and that function; `gap` rows hold no contrast agent."""
    rows, columns = np.indices(SHAPE).astype(float)
    foot = rows.copy()
    for _ in range(5):
        away, slope = 45 + 6 * np.sin(foot / 20) - columns, 0.3 * np.cos(foot / 20)
        foot -= (foot - rows + away * slope) / (1 + slope**2 - away * 0.015 * np.sin(foot / 20))
    distance = np.hypot(45 + 6 * np.sin(foot / 20) - columns, foot - rows)
    density = 0.04 * np.sqrt(np.maximum((diameter / 2) ** 2 - distance**2, 0))
    if gap is not None:
        density[gap[0] : gap[1]] = 0
    image = -ndimage.gaussian_filter(density, 1.2)
    return image + noise * np.random.default_rng(0).normal(size=SHAPE), lambda row: 45 + 6 * np.sin(row / 20)


def test_the_line_keeps_to_the_middle_though_the_points_do_not():
    image, middle = curved_image()
    points = np.array([[15.0, middle(15) + 2], [60, middle(60) - 2], [105, middle(105) + 1]])
    line = find_centre_line(image, points, 2.0)
    assert np.abs(line.points[2:-2, 1] - middle(line.points[2:-2, 0])).max() < 0.7
    steps = np.hypot(*np.diff(line.points, axis=0).T)
    assert steps == pytest.approx(np.full(steps.size, 2.0), abs=0.02)
    assert line.arc[-1] == pytest.approx(2 * (len(line.arc) - 1))
    tangent = np.column_stack((np.ones(len(line.arc)), 0.3 * np.cos(line.points[:, 0] / 20)))
    assert np.abs((tangent * line.across).sum(axis=1)).max() < 0.15


def test_the_line_stays_on_its_vessel_where_a_shorter_way_leads_elsewhere():
    image, middle = curved_image()
    line = find_centre_line(image, np.array([[10.0, middle(10)], [110, middle(110)]]), 2.0)
    assert np.abs(line.points[:, 1] - middle(line.points[:, 0])).mean() < 0.5


def test_a_way_through_a_large_frame_is_found_in_small_parts(monkeypatch):
    import skimage.graph

    routed, searched = skimage.graph.route_through_array, []
    monkeypatch.setattr(
        skimage.graph, "route_through_array", lambda cost, *ends: searched.append(cost.size) or routed(cost, *ends)
    )
    rows, columns = np.indices((600, 600)).astype(float)
    middle = np.arange(600) * 0.8 + 60 + 30 * np.sin(np.arange(600) / 60)
    image = -np.exp(-0.5 * ((columns - middle[:, None]) / 2.5) ** 2)
    image += 0.05 * np.random.default_rng(0).normal(size=image.shape)
    way = darkest_way(image, np.array([[5.0, middle[5]], [595.0, middle[595]]]))
    # The way is moved onto the middle later on.
    assert np.abs(way[:, 1] - middle[way[:, 0]]).max() < 8 and (way[0][0], way[-1][0]) == (5, 595)
    assert np.abs(np.diff(way, axis=0)).max() == 1
    assert len(searched) > 5 and max(searched) < 40_000


@pytest.mark.slow
def test_diameters_along_a_vessel_are_alike():
    image, middle = curved_image()
    course = measure_curve(image, np.array([[15.0, middle(15)], [105, middle(105)]]), 2.0, BLUR.scaled(0.6))
    found = course.diameters(HALF_MAXIMUM)
    assert np.isfinite(found).all() and found.shape == (len(course.arc), 4)
    assert found[:, 0].std() < 0.25
    assert course.diameters(MODEL_FIT)[:, 0].mean() == pytest.approx(7.0, abs=0.6)
    assert find_stenosis(course, MODEL_FIT).percent.value < 12


@pytest.mark.slow
def test_a_vessel_without_contrast_agent_between_is_occluded():
    image, middle = curved_image(gap=(50, 72))
    points = np.array([[12.0, middle(12)], [61, middle(61)], [108, middle(108)]])
    found = find_stenosis(measure_curve(image, points, 1.5, BLUR.scaled(0.6)), MODEL_FIT)
    assert found.occluded and found.percent.value == 100
    # What might still be there unseen.
    assert 60 < found.percent.low < 100


@pytest.mark.slow
def test_a_narrowing_is_found_where_it_is():
    image = vessel_image(9.0, 0.0, (60, 45), SHAPE)
    narrow = vessel_image(4.5, 0.0, (60, 45), SHAPE)
    image[50:70] = narrow[50:70]
    line = find_centre_line(image, np.array([[15.0, 45], [105, 45]]), 2.0)
    found = find_stenosis(measure_course(image, line, BLUR), MODEL_FIT)
    assert found.percent.value == pytest.approx(50, abs=3)
    assert abs(line.points[found.index][0] - 60) < 8
    assert found.densitometric.value == pytest.approx(75, abs=3)


def test_nothing_to_follow_is_said():
    with pytest.raises(Unmeasurable, match="No vessel"):
        find_centre_line(np.zeros(SHAPE), np.array([[15.0, 45], [105, 45]]), 2.0)
    with pytest.raises(Unmeasurable, match="too short"):
        find_centre_line(curved_image()[0], np.array([[15.0, 45], [17, 45]]), 2.0)
    with pytest.raises(Unmeasurable, match="in the image"):
        find_centre_line(curved_image()[0], np.array([[-15.0, 45], [17, 45]]), 2.0)


@pytest.mark.parametrize(("points", "step"), [([[1.0, 2]], 1), ([[1.0, 2], [math.nan, 3]], 1), ([[1.0, 2], [9, 9]], 0)])
def test_unusable_points_are_refused(points, step):
    with pytest.raises(ValueError, match="at least two points"):
        find_centre_line(np.zeros(SHAPE), np.array(points), step)


@pytest.mark.parametrize("depth", [60, 110, 150])
def test_a_bow_between_two_points_is_followed_however_far_it_bends(depth):
    turn = np.linspace(-np.pi / 2, np.pi / 2, 2000)
    bow = np.zeros((240, 260))
    bow[np.rint(120 + 60 * np.sin(turn)).astype(int), np.rint(40 + depth * np.cos(turn)).astype(int)] = 1.0
    image = np.random.default_rng(2).normal(0, 0.01, bow.shape) - 7 * ndimage.gaussian_filter(bow, 3.0)
    line = find_centre_line(image, np.array([[62.0, 51.0], [178.0, 51.0]]), 2.0)
    assert line.points[:, 1].max() == pytest.approx(40 + depth, abs=2)
