"""Shutters and collimators: the pixels that X-rays reached, and statistics without the others."""

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.draw import disk, polygon2mask

from DSADeblurLib.xa import read_header, read_run
from DSADeblurLib.xa.header.shutters import ExposedArea, exposed_pixels

_ROWS, _COLUMNS = 48, 64


def _rectangle(device, upper, lower, left, right):
    return {
        f"{device}Shape": "RECTANGULAR",
        f"{device}UpperHorizontalEdge": upper,
        f"{device}LeftVerticalEdge": left,
        f"{device}LowerHorizontalEdge": lower,
        f"{device}RightVerticalEdge": right,
    }


@pytest.mark.parametrize("device", ["Shutter", "Collimator"])
def test_rectangle(make_run, edit, device):
    facts = read_header(edit(make_run().path, **_rectangle(device, 10, 41, 0, 60)))
    expected = np.zeros((_ROWS, _COLUMNS), bool)
    expected[10:40, :59] = True
    np.testing.assert_array_equal(facts.exposed(), expected)
    assert facts.warnings == () and facts.as_dict()["exposed_areas"][0]["device"] == device


def test_edges_outside_are_not_visible(make_run, edit):
    facts = read_header(edit(make_run().path, **_rectangle("Collimator", 0, _ROWS + 1, 0, _COLUMNS + 1)))
    assert facts.exposed_areas and facts.exposed() is None
    assert read_header(make_run("none.dcm").path).exposed() is None


@given(row=st.integers(5, 40), column=st.integers(5, 60), radius=st.integers(5, 60))
def test_circle_agrees_with_scikit_image(row, column, radius):
    expected = np.zeros((_ROWS, _COLUMNS), bool)
    # scikit-image leaves out the circle itself.
    expected[disk((row - 1, column - 1), radius + 1e-6, shape=expected.shape)] = True
    area = ExposedArea("Shutter", "CIRCULAR", (row, column, radius))
    np.testing.assert_array_equal(area.covers(_ROWS, _COLUMNS), expected)


@pytest.mark.parametrize(
    "vertices",
    [
        ((5, 5), (5, 60), (45, 30)),
        ((1, 1), (1, 64), (48, 64), (48, 1)),
        ((-20, 10), (24, 90), (70, 40), (20, -30)),
    ],
)
def test_polygon_agrees_with_scikit_image_but_for_its_outline(vertices):
    area = ExposedArea("Collimator", "POLYGONAL", tuple(float(one) for pair in vertices for one in pair))
    covered = area.covers(_ROWS, _COLUMNS)
    expected = polygon2mask((_ROWS, _COLUMNS), np.array(vertices) - 1.0)
    assert (covered | ~expected).all() and (covered != expected).mean() < 0.06


def test_every_exposed_area_counts(make_run, edit):
    path = edit(
        make_run().path,
        **_rectangle("Collimator", 0, 30, 0, 65),
        **{
            "ShutterShape": ["CIRCULAR", "POLYGONAL"],
            "CenterOfCircularShutter": [24, 32],
            "RadiusOfCircularShutter": 20,
            "VerticesOfThePolygonalShutter": [1, 1, 1, 40, 48, 40, 48, 1],
        },
    )
    facts = read_header(path)
    assert len(facts.exposed_areas) == 3
    exposed = facts.exposed()
    assert exposed[20, 30] and not exposed[31, 30] and not exposed[20, 45] and not exposed[1, 1]


@pytest.mark.parametrize(
    "changes",
    [
        _rectangle("Shutter", 40, 10, 0, 60),
        {"ShutterShape": "RECTANGULAR"},
        {"ShutterShape": "STAR\x07"},
        {"ShutterShape": "CIRCULAR", "CenterOfCircularShutter": [3], "RadiusOfCircularShutter": 4},
        {"ShutterShape": "CIRCULAR", "CenterOfCircularShutter": [3, 3], "RadiusOfCircularShutter": 10**6},
        {"ShutterShape": "POLYGONAL", "VerticesOfThePolygonalShutter": [1, 1, 5, 5, 9]},
        {"ShutterShape": "POLYGONAL", "VerticesOfThePolygonalShutter": [1, 1] * 5000},
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_unusable_shutters_are_ignored_and_reported(make_run, edit, changes):
    facts = read_header(edit(make_run().path, **changes))
    assert facts.exposed() is None
    assert (
        facts.warnings == (f"Shutter shape '{changes['ShutterShape'][:4]}' unusable; it is not taken into account.",)
        or "unusable; it is not taken into account." in facts.warnings[0]
    )


def test_a_shutter_over_everything_is_not_believed():
    assert exposed_pixels((ExposedArea("Shutter", "RECTANGULAR", (100.0, 200.0, 0.0, 65.0)),), _ROWS, _COLUMNS) is None


def test_window_of_a_derived_run_is_that_of_the_exposed_pixels(make_run, edit, derive, judged):
    made = make_run()
    plain = pydicom.dcmread(derive(made.path, name="plain.dcm"))

    def change(dataset):
        # Covered pixels that change wildly between the frames.
        frames = made.frames.copy()
        frames[2:, :10] = 4095
        frames[:2, :10] = 1
        dataset.PixelData = frames.astype("<u2").tobytes()

    path = edit(made.path, touch=change, **_rectangle("Shutter", 10, 49, 0, 65))
    covered = judged(derive(path), path)
    scale = [one.RealWorldValueMappingSequence[0].RealWorldValueSlope for one in (plain, covered)]
    assert covered.WindowWidth * scale[1] == pytest.approx(plain.WindowWidth * scale[0], rel=0.1)
    assert scale[1] > 5 * scale[0] and covered.ShutterShape == "RECTANGULAR"


def test_stored_differences_behind_a_shutter_are_recognised(make_run, edit):
    def change(dataset):
        values = np.clip(np.random.default_rng(0).normal(2048, 60, (6, _ROWS, _COLUMNS)), 0, 4095)
        values[:, :26] = 0
        dataset.PixelData = values.astype("<u2").tobytes()
        dataset.ImageType = ["DERIVED", "SECONDARY", "SINGLE PLANE"]
        dataset.PixelIntensityRelationship = "DISP"
        del dataset.MaskSubtractionSequence

    path = edit(make_run().path, touch=change)
    assert not read_run(path).subtracted
    assert read_run(edit(path, "shutter.dcm", **_rectangle("Shutter", 26, 49, 0, 65))).subtracted
