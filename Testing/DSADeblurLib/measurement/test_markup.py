"""One markup on two pictures: what is told of both, by all methods and calibrations, and what is drawn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import ndimage

from DSADeblurLib.measurement.calibration import Calibration, uncalibrated
from DSADeblurLib.measurement.centre_line import CentreLine
from DSADeblurLib.measurement.course import VesselCourse
from DSADeblurLib.measurement.cross_section import Unmeasurable
from DSADeblurLib.measurement.diameter import HALF_MAXIMUM, METHODS, MODEL_FIT, Section
from DSADeblurLib.measurement.markup import (
    NO_STENOSIS,
    CurveResult,
    Figure,
    LineResult,
    Picture,
    Result,
    centre_line_on,
    measure_along,
    measure_line_on,
    worse_deblurred,
)
from DSADeblurLib.steps import finished
from Testing.DSADeblurLib.vesselimages import BLUR, line_across, vessel_image

TENTH = Calibration("sid-sod", (0.1, 0.1), (0.09, 0.09), (0.11, 0.11))


def measured(pictures, calibration=TENTH, method=MODEL_FIT):
    return finished(measure_line_on(pictures, *line_across())).figures(method, calibration)[0]


def test_a_line_on_both_pictures():
    pictures = [Picture(vessel_image(12.0), BLUR), Picture(vessel_image(12.0, blur=BLUR.scaled(0.5)), BLUR.scaled(0.5))]
    figure = measured(pictures)
    assert figure.original.value == pytest.approx(1.2, abs=0.01) == figure.deblurred.value
    assert figure.original.unit == "mm" and figure.original.label == "patient plane, SID/SOD"
    assert figure.difference == figure.deblurred.value - figure.original.value and figure.reasons == ("", "")
    pixels = measured(pictures, uncalibrated())
    assert pixels.original.value == pytest.approx(12.0, abs=0.1) and pixels.original.unit == "px"


def test_only_an_original():
    result = finished(measure_line_on([Picture(vessel_image(12.0), BLUR)], *line_across()))
    for method in METHODS:
        (figure,) = result.figures(method, TENTH)
        assert figure.original is not None and figure.deblurred is None and math.isnan(figure.difference)
    plot = result.plot(MODEL_FIT, TENTH)
    assert list(plot.curves) == ["original", "original, fit"] and plot.marks == ()
    # A hundredth of the vessel's height apart at most, over a tenth of a millimetre for each pixel.
    assert np.abs(plot.curves["original"] - plot.curves["original, fit"]).max() < 0.01 * np.ptp(plot.curves["original"])
    assert np.diff(plot.positions) == pytest.approx(0.05)


def test_noise_reduction_0_is_a_third_picture():
    pictures = [Picture(vessel_image(diameter), BLUR) for diameter in (12.0, 11.0, 10.0)]
    result = finished(measure_line_on(pictures[:2], *line_across()))
    assert result.figures(MODEL_FIT, TENTH)[0].unreduced is None
    (figure,) = finished(result.with_more(pictures[2])).figures(MODEL_FIT, TENTH)
    assert figure.unreduced.value == pytest.approx(1.0, abs=0.01) and figure.difference == pytest.approx(-0.1, abs=0.01)
    nothing = finished(measure_line_on([Picture(np.zeros((81, 81)))], *line_across()))
    assert finished(nothing.with_more(pictures[2])) is nothing


def test_an_unknown_blur_is_a_reason_and_no_number():
    figure = measured([Picture(vessel_image(12.0)), Picture(vessel_image(12.0), BLUR)])
    assert figure.original is None and "not known" in figure.reasons[0] and figure.deblurred is not None


def test_no_vessel_is_a_reason():
    result = finished(measure_line_on([Picture(np.zeros((81, 81)))] * 2, *line_across()))
    (figure,) = result.figures(MODEL_FIT, TENTH)
    assert figure == Figure("diameter", reasons=("No vessel stands out from the noise here.", ""))
    assert result.plot(MODEL_FIT, TENTH) is None and type(result) is Result


def narrowed(low=0.5):
    """A vessel down the picture whose density per pixel of depth is constant; narrowed in its middle."""
    rows, columns = np.indices((161, 81)).astype(float)
    radius = 8.0 * (1 - (1 - low) * np.clip(1.5 - np.abs(rows - 80) / 20, 0, 1))
    return ndimage.gaussian_filter(-0.02 * 2 * np.sqrt(np.maximum(radius**2 - (columns - 40) ** 2, 0)), 1.0)


@pytest.mark.slow
def test_a_curve_on_both_pictures():
    points = np.array([[10.0, 40.0], [80.0, 41.0], [150.0, 40.0]])
    wide = Calibration("sid-sod", (0.2, 0.2), (0.2, 0.2), (0.2, 0.2))
    pictures = [Picture(narrowed()), Picture(narrowed(0.35))]
    line = finished(centre_line_on(pictures[0], points, wide))
    result = finished(measure_along(pictures, line))
    figures = {one.name: one for one in result.figures("half maximum", wide)}
    for name in ("NASCET", "ECST", "WASID"):
        figure = figures[f"stenosis, {name}"]
        assert figure.original.value == pytest.approx(50, abs=4) and figure.deblurred.value == pytest.approx(65, abs=4)
    assert figures["least lumen"].original.value == pytest.approx(1.6, abs=0.15)
    assert figures["reference"].original.value == pytest.approx(3.2, abs=0.15)
    assert figures["length of the narrowing"].original.value == pytest.approx(11, abs=2)
    least, (below, above) = result.marks("half maximum")
    assert np.linalg.norm(np.diff(least, axis=0)) == pytest.approx(figures["least lumen"].original.value / 0.2)
    assert np.abs(least.mean(axis=0) - (80, 40)).max() < 12 and (np.hypot(*(below - above).T) > 14).all()
    plot = result.plot("half maximum", wide)
    assert plot.marks == ("original, least lumen", "deblurred, least lumen")
    mark = plot.curves["original, least lumen"]
    assert np.isfinite(mark).sum() == 1 and np.nanmax(mark) == pytest.approx(figures["least lumen"].original.value)
    assert plot.positions[-1] == pytest.approx(28, abs=0.5)


def test_a_curve_where_nothing_can_be_measured():
    count = 20
    zeros, points = np.zeros(count), np.column_stack((np.arange(count), np.zeros(count))).astype(float)
    line = CentreLine(points, np.tile((0.0, 1.0), (count, 1)), np.arange(count), zeros)
    course = VesselCourse(line, (Section.unmeasured("Why."),) * count, None)
    result = CurveResult([course, course])
    assert result.figures(MODEL_FIT, TENTH) == [Figure("stenosis", reasons=(NO_STENOSIS, NO_STENOSIS))]
    assert list(result.plot(MODEL_FIT, TENTH).curves) == ["original", "deblurred"]
    with pytest.raises(Unmeasurable, match="too short"):
        finished(centre_line_on(Picture(narrowed()), np.array([[1.0, 40.0], [3.0, 40.0]]), TENTH))


@pytest.mark.slow
def test_a_rough_figure_takes_few_places():
    points, blurred = np.array([[10.0, 40.0], [150.0, 40.0]]), [Picture(narrowed(), BLUR)]
    line = finished(centre_line_on(blurred[0], points, TENTH))
    rough, whole = (finished(measure_along(blurred, line, roughly)) for roughly in (True, False))
    assert len(rough.courses[0].sections) <= 20 < len(whole.courses[0].sections) / 3
    first, second = (one.stenoses(HALF_MAXIMUM)[0].percent.value for one in (rough, whole))
    assert first == pytest.approx(second, abs=3)


@pytest.mark.parametrize(
    ("pixels", "method", "worse"), [(8.0, HALF_MAXIMUM, True), (20.0, HALF_MAXIMUM, False), (8.0, MODEL_FIT, False)]
)
def test_where_deblurring_is_known_to_make_it_worse(pixels, method, worse):
    pictures = [Picture(vessel_image(pixels), BLUR)] * 2
    figure = measured(pictures, method=method)
    assert worse_deblurred([figure], method) is worse and not worse_deblurred([figure], "densitometric")
    assert not worse_deblurred([measured(pictures, uncalibrated())], method)
    assert not worse_deblurred([measured(pictures[:1])], method)


def test_a_line_result_without_the_original_draws_nothing():
    assert LineResult([Section.unmeasured("Why.")]).plot(MODEL_FIT, TENTH) is None
