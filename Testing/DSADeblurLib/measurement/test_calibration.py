"""Millimetres name their plane, and their intervals hold the truth of simulated projections."""

import json
import math

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from DSADeblurLib.measurement.calibration import (
    LABELS,
    Calibration,
    Length,
    Measured,
    catheter,
    choices,
    known_distance,
    percentage,
    uncalibrated,
)
from DSADeblurLib.request import UserFacts
from DSADeblurLib.xa.header.facts import read_acquisition

_ANGLE = st.floats(0, 2 * math.pi)
_SIDE = st.sampled_from((0.1, 0.154, 0.2, 0.37))
_DEPTH = st.floats(-50, 50)
_PART = st.floats(-1, 1)


def _read(magnification=None, **tags):
    """Facts of a header with these tags; None leaves one out. The distances are those of a usual C-arm."""
    header = Dataset()
    tags = {
        "DistanceSourceToDetector": 1100,
        "DistanceSourceToPatient": 720,
        "ImagerPixelSpacing": [0.154, 0.154],
        **tags,
    }
    for keyword, value in tags.items():
        if value is not None:
            setattr(header, keyword, value)
    return read_acquisition(header, UserFacts(magnification=magnification))


def _projected(millimetres, angle, factor, pixel):
    """Pixels (rows, columns) of a distance parallel to the detector that is magnified by `factor`."""
    rows, columns = millimetres * math.sin(angle), millimetres * math.cos(angle)
    return rows * factor / pixel[0], columns * factor / pixel[1]


def _holds(measured, truth):
    return measured.low <= truth * (1 + 1e-9) and truth * (1 - 1e-9) <= measured.high


@settings(deadline=None)
@given(
    sid=st.floats(900, 1250),
    sod=st.floats(650, 800),
    depth=_DEPTH,
    pixel=st.tuples(_SIDE, _SIDE),
    angle=_ANGLE,
    size=st.floats(0.3, 30),
    error=st.floats(0, 2),
    wrong=_ANGLE,
)
def test_patient_plane_holds_lengths_of_any_depth_and_direction(sid, sod, depth, pixel, angle, size, error, wrong):
    """Tags are rounded to whole millimetres; the ends of the length are off by up to the uncertainty told."""
    assume(sod + 50 < sid)
    acquisition = _read(
        ImagerPixelSpacing=list(pixel), DistanceSourceToDetector=round(sid), DistanceSourceToPatient=round(sod)
    )
    rows, columns = _projected(size, angle, sid / (sod + depth), pixel)
    length = Length(rows + error * math.sin(wrong), columns + error * math.cos(wrong), error)
    default = choices(acquisition).default
    assert default.kind == "sid-sod" and _holds(length.measured(default), size)
    # In the detector's plane the same length is that of the shadow.
    shadow = length.measured(choices(acquisition).of_kind("detector"))
    assert _holds(shadow, size * sid / (sod + depth)) and shadow.label == "detector plane"


@settings(deadline=None)
@given(
    sid=st.integers(900, 1250),
    sod=st.integers(650, 800),
    error=st.floats(-0.3, 0.3),
    depth=_DEPTH,
    tag_is_true=st.booleans(),
    size=st.floats(0.3, 30),
)
def test_of_tags_that_disagree_one_may_be_wrong(sid, sod, error, depth, tag_is_true, size):
    truth = sid / sod
    said = round(truth * (1 + error), 3)
    assume(sod + 50 < sid and 1.05 < said < 2.5)
    acquisition = _read(
        DistanceSourceToDetector=sid, DistanceSourceToPatient=sod, EstimatedRadiographicMagnificationFactor=said
    )
    # 1/M' = 1/M + z / SID, whichever of the two M is true.
    factor = 1 / (1 / (said if tag_is_true else truth) + depth / sid)
    assume(factor >= 1)
    length = Length(0, size * factor / 0.154)
    for kind in ("sid-sod", "ermf"):
        assert _holds(length.measured(choices(acquisition).of_kind(kind)), size)


@settings(deadline=None)
@given(sid=st.floats(800, 1300), sod=st.floats(600, 800), depth=_DEPTH, size=st.floats(0.3, 30))
def test_magnification_tag_alone_holds_for_any_c_arm(sid, sod, depth, size):
    """The distance to the detector is not told, and magnification changes the more with depth the shorter it is."""
    assume(sod + 50 < sid and sid / sod > 1.05)
    acquisition = _read(
        DistanceSourceToDetector=None,
        DistanceSourceToPatient=None,
        EstimatedRadiographicMagnificationFactor=round(sid / sod, 2),
    )
    made = choices(acquisition).default
    assert made.kind == "ermf" and any("at least 800 mm is assumed" in note for note in made.notes)
    assert _holds(Length(0, size * sid / (sod + depth) / 0.154).measured(made), size)


@settings(deadline=None)
@given(
    sid=st.integers(900, 1250),
    sod=st.integers(650, 800),
    offset=st.floats(-100, 100),
    depth=_DEPTH,
    french=st.sampled_from((4, 5, 6, 7, 8)),
    error=_PART,
    uncertainty=st.floats(0, 3),
    angle=_ANGLE,
    pixel=st.tuples(_SIDE, _SIDE),
    known=st.booleans(),
    size=st.floats(0.3, 30),
)
def test_objects_of_known_size_hold(sid, sod, offset, depth, french, error, uncertainty, angle, pixel, known, size):
    """The object lies anywhere, the vessel within 50 mm of it; the header knows the detector only, or not even that."""
    place = sod + offset
    assume(place + 50 < sid and place - 50 > sid / 2.5)
    tags = {"DistanceSourceToPatient": None}
    if known:
        tags |= {"ImagerPixelSpacing": list(pixel), "DistanceSourceToDetector": sid}
    else:
        pixel = (pixel[0], pixel[0])
        tags |= {"ImagerPixelSpacing": None, "DistanceSourceToDetector": None}
    acquisition = _read(**tags)
    vessel = Length(*_projected(size, angle + 1, sid / (place + depth), pixel))
    for make, given_size, truth in ((catheter, french, french / 3), (known_distance, 20.0, 20.0)):
        rows, columns = _projected(truth, angle, sid / place, pixel)
        pixels = math.hypot(rows, columns)
        assume(uncertainty < 0.4 * pixels)
        measured = Length(rows, columns)
        stretch = 1 + error * uncertainty / pixels
        measured = Length(rows * stretch, columns * stretch, uncertainty)
        assert _holds(vessel.measured(make(given_size, measured, acquisition)), size)


@settings(deadline=None)
@given(
    kind=st.sampled_from(("GEOMETRY", "FIDUCIAL", None)),
    sid=st.integers(900, 1250),
    place=st.floats(550, 850),
    depth=_DEPTH,
    size=st.floats(0.3, 30),
)
def test_calibrated_pixel_spacing_holds(kind, sid, place, depth, size):
    assume(place + 50 < sid and sid / place < 2)
    spacing = round(0.154 * place / sid, 4)
    acquisition = _read(
        DistanceSourceToDetector=sid,
        DistanceSourceToPatient=None,
        PixelSpacing=[spacing, spacing],
        PixelSpacingCalibrationType=kind,
    )
    made = choices(acquisition).default
    assert made.kind == (kind or "spacing").lower() and "calibrated pixel spacing" in made.label
    assert _holds(Length(size * sid / (place + depth) / 0.154, 0).measured(made), size)


def test_interval_is_that_of_the_geometry():
    """With exact tags it is reached by objects 50 mm before and behind the isocentre, and hardly exceeded."""
    made = choices(
        _read(
            DistanceSourceToDetector="1100.01",
            DistanceSourceToPatient="720.01",
            ImagerPixelSpacing=["0.154001", "0.154001"],
        )
    ).default
    assert made.low[0] == pytest.approx(0.154 * 670 / 1100, rel=2e-4)
    assert made.high[1] == pytest.approx(0.154 * 770 / 1100, rel=2e-4)
    # +-50 mm of depth is 7 % of the length, whatever it is.
    measured = Length(0, 20).measured(made)
    assert measured.high / measured.value - 1 == pytest.approx(50 / 720, rel=1e-2)


def test_vessel_in_the_catheter_plane_has_the_error_of_measuring_only():
    made = catheter(6, Length(0, 20, 1), _read(), depth_mm=0)
    assert made.size == (0.1, 0.1) and made.low == pytest.approx((2 / 21,) * 2) and made.high == (2 / 19,) * 2
    assert any("within 0 mm" in note for note in made.notes)
    assert catheter(6, Length(0, 20, 1), _read()).low[0] == pytest.approx(2 / 21 - 50 * 0.154 / 1100, abs=1e-4)


def test_nothing_lies_behind_the_detector():
    """50 mm behind an isocentre that is 20 mm from the detector there is no patient."""
    acquisition = _read(DistanceSourceToPatient=1080)
    on_detector = catheter(6, Length(0, 2 / 0.153), acquisition)
    for made in (choices(acquisition).default, on_detector):
        assert 0.154 <= made.high[0] <= 0.1545


def test_depth_is_covered_where_the_detector_pixel_is_unknown():
    """A catheter at magnification 2.4, as high as is plausible, and a vessel 50 mm nearer to the source."""
    acquisition = _read(ImagerPixelSpacing=None, DistanceSourceToPatient=None)
    made = catheter(6, Length(0, 2 * 2.4 / 0.154), acquisition)
    assert _holds(Length(0, 3 * 1100 / (1100 / 2.4 - 50) / 0.154).measured(made), 3)
    fiducial = _read(ImagerPixelSpacing=None, PixelSpacing=[0.0642, 0.0642], PixelSpacingCalibrationType="FIDUCIAL")
    assert _holds(Length(0, 3 * 1100 / (1100 / 2.4 - 50) / 0.154).measured(choices(fiducial).default), 3)


def test_pixels_that_are_not_square_are_never_averaged():
    made = choices(_read(ImagerPixelSpacing=[0.3, 0.15])).default
    assert made.size[0] == pytest.approx(2 * made.size[1])
    down, across = Length(10, 0).measured(made), Length(0, 10).measured(made)
    assert down.value == pytest.approx(2 * across.value)
    # A catheter that is measured across rows calibrates the columns, and the other way round.
    one, other = (catheter(6, width, _read(ImagerPixelSpacing=[0.3, 0.15])) for width in (Length(10, 0), Length(0, 20)))
    assert one.size == pytest.approx((0.2, 0.1)) and other.size == pytest.approx((0.2, 0.1))


_HEADERS = {
    "everything": (
        {
            "EstimatedRadiographicMagnificationFactor": 1.53,
            "PixelSpacing": [0.1008, 0.1008],
            "PixelSpacingCalibrationType": "FIDUCIAL",
        },
        ("fiducial", "sid-sod", "ermf", "detector"),
    ),
    "geometry": (
        {"PixelSpacing": [0.1008, 0.1008], "PixelSpacingCalibrationType": "GEOMETRY"},
        ("sid-sod", "geometry", "detector"),
    ),
    "type not stated": ({"PixelSpacing": [0.1, 0.1]}, ("sid-sod", "spacing", "detector")),
    "equal spacings": ({"PixelSpacing": [0.154, 0.154]}, ("sid-sod", "detector")),
    "spacing larger than the detector's": ({"PixelSpacing": [0.2, 0.2]}, ("sid-sod", "detector")),
    "fiducial without detector": (
        {"ImagerPixelSpacing": None, "PixelSpacing": [0.1, 0.1], "PixelSpacingCalibrationType": "FIDUCIAL"},
        ("fiducial",),
    ),
    "distances without detector": ({"ImagerPixelSpacing": None}, ()),
    "detector alone": ({"DistanceSourceToPatient": None}, ("detector",)),
    "contradiction": ({"DistanceSourceToPatient": 1200}, ("detector",)),
}


@pytest.mark.parametrize(("tags", "kinds"), _HEADERS.values(), ids=_HEADERS)
def test_what_a_header_allows(tags, kinds):
    offered = choices(_read(**tags))
    assert tuple(one.kind for one in offered.calibrations) == (*kinds, "uncalibrated")
    assert offered.default is offered.calibrations[0] and offered.why.endswith(".")
    assert len(offered.rows()) == len(kinds) + 1 and offered.rows()[0][0] == offered.default.label
    assert json.loads(json.dumps(offered.as_dict(), allow_nan=False))["default"] == offered.default.kind
    assert offered.of_kind("catheter") is None


def test_the_users_magnification_comes_first():
    offered = choices(_read(magnification=1.4, EstimatedRadiographicMagnificationFactor=1.53))
    assert [one.kind for one in offered.calibrations][:3] == ["user", "sid-sod", "ermf"]
    assert offered.default.size[0] == pytest.approx(0.154 / 1.4) and "given by the user" in offered.default.label


def test_disagreement_and_assumption_are_told():
    notes = choices(_read(EstimatedRadiographicMagnificationFactor=1.8)).default.notes
    assert "Magnification tags disagree; the interval covers them all." in notes
    assumed = _read(
        ImagerPixelSpacing=None,
        FieldOfViewShape="RECTANGLE",
        FieldOfViewDimensions=[100, 100],
        Rows=500,
        Columns=500,
        ImageType=["ORIGINAL", "PRIMARY", "SINGLE PLANE"],
    )
    assert all(
        any("is assumed" in note for note in choices(assumed).of_kind(kind).notes) for kind in ("sid-sod", "detector")
    )


def test_objects_that_do_not_fit_the_header_are_told():
    def notes(pixels):
        return " ".join(catheter(6, Length(0, pixels), _read()).notes)

    assert "implausible" not in notes(19.8) and "do not fit" not in notes(19.8)
    assert "The catheter gives magnification 2.31, the header 1.53: they do not fit." in notes(30)
    assert "Geometry implausible: the catheter gives magnification 0.77; check its size." in notes(10)
    assert "parallel" in " ".join(known_distance(20, Length(0, 198), _read()).notes)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: catheter(0.5, Length(0, 20), _read()), "A French size lies between 1 and 40, not 0.5"),
        (lambda: catheter(math.nan, Length(0, 20), _read()), "A French size lies between"),
        (lambda: catheter(6, Length(0, 2, 3), _read()), "The catheter is 2 pixels wide or long"),
        (lambda: catheter(6, Length(0, 20), _read(), depth_mm=-1), "The depth must be at least 0"),
        (lambda: known_distance(0, Length(0, 20), _read()), "A known distance must be a positive number"),
        (lambda: known_distance(10, Length(0, 0), _read()), "The known distance is 0 pixels"),
        (lambda: Length(math.nan, 1), "A length needs finite numbers"),
        (lambda: Length(1, 1, -1), "A length needs finite numbers"),
        (lambda: Length.across(3, (0, 0)), "A direction must be two numbers"),
        (lambda: percentage(Length(0, 1), Length(0, 1, 2)), "The reference length is not longer"),
        (lambda: uncalibrated(0), "The aspect of a pixel"),
        (lambda: Calibration("guess", (1, 1), (1, 1), (1, 1)), "Unknown kind of calibration 'guess'"),
        (lambda: Calibration("detector", (1, 1), (2, 2), (3, 3)), "A pixel of 1 mm cannot lie between 2 and 3"),
    ],
)
def test_wrong_input_gets_one_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


@settings(deadline=None)
@given(narrow=st.floats(1, 20), wide=st.floats(20, 40), angles=st.tuples(_ANGLE, _ANGLE), pixel=st.tuples(_SIDE, _SIDE))
def test_percentages_do_not_depend_on_the_calibration(narrow, wide, angles, pixel):
    acquisition = _read(ImagerPixelSpacing=list(pixel), EstimatedRadiographicMagnificationFactor=1.6)
    part, whole = (
        Length(size * math.sin(one), size * math.cos(one)) for size, one in zip((narrow, wide), angles, strict=True)
    )
    percent = percentage(part, whole, acquisition.pixel_aspect)
    for one in (*choices(acquisition).calibrations, catheter(6, whole, acquisition)):
        assert part.measured(one).value / whole.measured(one).value * 100 == pytest.approx(percent.value)


@given(part=st.floats(5, 20), whole=st.floats(20, 40), errors=st.tuples(_PART, _PART), uncertainty=st.floats(0, 2))
def test_percentages_hold_under_errors_of_measuring(part, whole, errors, uncertainty):
    off = [Length(0, size + one * uncertainty, uncertainty) for size, one in zip((part, whole), errors, strict=True)]
    assert _holds(percentage(*off), 100 * part / whole)


def test_a_changed_calibration_names_the_same_length_anew():
    acquisition = _read()
    width = Length.across(20, tangent=(1, 1), uncertainty_px=1)
    assert math.hypot(width.rows_px, width.columns_px) == pytest.approx(20)
    offered = choices(acquisition)
    assert width.measured(offered.default).text == "2.0 mm (1.7-2.3), patient plane, SID/SOD"
    assert width.measured(offered.of_kind("detector")).text == "3.1 mm (2.9-3.3), detector plane"
    assert width.measured(offered.of_kind("uncalibrated")).text == "20.0 px (19.0-21.0), uncalibrated"
    by_catheter = catheter(6, Length(0, 20, 0.5), acquisition)
    assert width.measured(by_catheter).text == "2.0 mm (1.7-2.4), patient plane, catheter of known size"
    assert percentage(Length(0, 9, 1), width).text == "45 % (38-53)"


def test_two_points_err_twice():
    assert Length.between((1, 2), (4, 6), 0.5) == Length(3, 4, 1.0)


@given(value=st.floats(0, 1000), down=st.floats(0, 1), up=st.floats(0, 1))
def test_the_interval_is_rounded_outwards(value, down, up):
    measured = Measured(value, value * (1 - down), value * (1 + up), "mm")
    shown = measured.text.removesuffix(")").partition("(")[2]
    if measured.low < measured.high:
        low, high = map(float, shown.split("-"))
        assert low <= measured.low and measured.high <= high


def test_every_kind_is_named():
    assert len(set(LABELS.values())) == len(LABELS)
    assert (
        choices(_read()).default.text == "0.101 x 0.101 mm per pixel (0.0934-0.108 x 0.0934-0.108), "
        "patient plane, SID/SOD"
    )
